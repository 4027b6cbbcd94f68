package plan

import (
	"fmt"
	"slices"
)

// CodeUnsupported is the code of every problem of [Unsupported].
const CodeUnsupported = "HA1901"

// Unsupported lists what the language can say, a plan can hold, and this release's
// runtime cannot do. Such a plan is sound: it is validated, compared and tested like any
// other. `plan` and `apply` refuse it, and so does the daemon, because nothing is ignored
// in silence. Whoever teaches the runtime something takes its line out here.
func Unsupported(p *Plan) []Problem {
	var u unsupported
	d := &p.Desired
	for i := range d.Checks {
		u.check(&d.Checks[i], d.weighs(d.Checks[i].Address))
	}
	for i := range d.Instances {
		u.instance(&d.Instances[i])
	}
	for _, r := range p.Removed {
		u.add(r.Release != RemoveHandOver, r.From, "release", r.Src, "release = %q", r.Release)
	}
	return u
}

type unsupported []Problem

func (u *unsupported) add(is bool, a Addr, path string, src Src, what string, args ...any) {
	if is {
		*u = append(*u, Problem{
			Code: CodeUnsupported, Address: a, Path: path, Src: src,
			Message: fmt.Sprintf(what, args...) + " is not in this release",
		})
	}
}

// check is asked with whether its state moves a priority.
func (u *unsupported) check(c *Check, weighs bool) {
	u.add(c.Interface != nil && c.Interface.Netns != "", c.Address, "interface", c.Src, "an interface in a network namespace")
	u.add(c.Route != nil && c.Route.Netns != "", c.Address, "route", c.Src, "a route in a network namespace")
	u.add(c.File != nil && c.File.Value && weighs, c.Address, "file.value", c.Src, "the value of a file times a weight")
	u.add(c.OnFail != OnFailHandOver, c.Address, "on_fail", c.Src, "on_fail = %q", c.OnFail)
}

// weighs reports whether anything tracks a check with a weight.
func (d *Desired) weighs(check Addr) bool {
	weighty := func(t Track) bool { return t.Check == check && t.Weight != 0 }
	return slices.ContainsFunc(d.Instances, func(i Instance) bool { return slices.ContainsFunc(i.Track, weighty) }) ||
		slices.ContainsFunc(d.Groups, func(g Group) bool { return slices.ContainsFunc(g.Track, weighty) })
}

func (u *unsupported) instance(i *Instance) {
	say := func(is bool, path, what string, args ...any) { u.add(is, i.Address, path, i.Src, what, args...) }
	if i.Family == IPv6 && !i.linkLocalFirst() {
		u.add(true, i.Address, "vip.address", i.Src, "an IPv6 instance whose first address is not link-local (RFC 9568, 5.2.9)")
		(*u)[len(*u)-1].Cure = fmt.Sprintf("Write vip { address = \"fe80::%x\" } before the others, on keepalived's side too.", i.VRID)
	}
	say(i.Netns != "", "netns", "a network namespace")
	say(i.Lease == LeaseStrict, "lease", "lease = %q", i.Lease)
	say(i.Release != ReleaseHandOver, "release", "release = %q", i.Release)
}

// linkLocalFirst: receivers drop an IPv6 advert in which another address comes first.
func (i *Instance) linkLocalFirst() bool {
	for _, v := range i.VIPs {
		if !v.Unadvertised {
			return v.Address.Addr().IsLinkLocalUnicast()
		}
	}
	return false
}
