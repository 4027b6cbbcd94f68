package runtime

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"hafile/lang/plan"
	"hafile/runtime/control"
	"hafile/runtime/node"
	"hafile/runtime/store"
	"hafile/runtime/vrrp/wire"
)

// An edit of what the wire sees is two sweeps (package vrrp). The first is an apply: the
// identity before the edit becomes a former one, and is stored with the plan so that a
// restart goes on as both. The second is retire.go.

// Refusals of edits that would leave an identity ambiguous, and of retiring too early.
const (
	codeInUse    = "HA3106"
	codeNotSwept = "HA3107"
)

// identity is how the wire sees an instance: what must be equal on all members.
func identity(in *plan.Instance, secrets store.Secrets) store.Former {
	f := store.Former{Of: in.Address, Key: in.Wire(), SourceAddress: in.SourceAddress, AdvertMs: in.AdvertMs, Checksum: in.Checksum}
	if in.Auth != nil {
		f.AuthType, f.Password = in.Auth.Type, store.Password(password(in.Auth.Password, secrets))
	}
	return f
}

// sameOnWire: adverts of the one are those of the other. Version 3 learns the interval.
func sameOnWire(a, b *store.Former) bool {
	return a.Key == b.Key && a.AuthType == b.AuthType && a.Password == b.Password && (a.Key.Version == 3 || a.AdvertMs == b.AdvertMs)
}

// formersOf are the identities that the instances of a plan keep when it replaces the one
// that runs, the latest first.
func formersOf(before *running, after *plan.Plan, secrets store.Secrets) []store.Former {
	var out []store.Former
	for i := range after.Desired.Instances {
		in := &after.Desired.Instances[i]
		was := predecessor(before.plan, after, in)
		if was == nil || taken(before, was.Address, in.Wire()) {
			continue
		}
		now := identity(in, secrets)
		had := append([]store.Former{identity(was, before.secrets)}, before.formersOf(was.Address)...)
		for _, f := range had {
			f.Of = in.Address
			if !sameOnWire(&f, &now) {
				out = append(out, f)
			}
		}
	}
	return out
}

// predecessor is what an instance was: of its name, else of its identity.
func predecessor(before, after *plan.Plan, in *plan.Instance) *plan.Instance {
	if was := before.Desired.Instance(in.Address); was != nil {
		return was
	}
	for i := range before.Desired.Instances {
		was := &before.Desired.Instances[i]
		if was.Wire() == in.Wire() && after.Desired.Instance(was.Address) == nil {
			return was
		}
	}
	return nil
}

// taken reports whether another instance has the identity: what listens to it then is that
// one's election, and no former identity can join it.
func taken(before *running, self plan.Addr, key plan.WireKey) bool {
	for i := range before.plan.Desired.Instances {
		if in := &before.plan.Desired.Instances[i]; in.Address != self && in.Wire() == key {
			return true
		}
	}
	return slices.ContainsFunc(before.former, func(f store.Former) bool { return f.Of != self && f.Key == key })
}

// formersOf an instance, the latest first.
func (r *running) formersOf(a plan.Addr) []store.Former {
	var out []store.Former
	for _, f := range r.former {
		if f.Of == a {
			out = append(out, f)
		}
	}
	return out
}

// shared leaves out what nobody else has: a router that is alone changes at once.
func shared(p *plan.Plan, former []store.Former) []store.Former {
	return slices.DeleteFunc(slices.Clone(former), func(f store.Former) bool {
		in := p.Desired.Instance(f.Of)
		return in == nil || len(othersOf(p, in)) == 0
	})
}

func othersOf(p *plan.Plan, in *plan.Instance) []plan.Member {
	return slices.DeleteFunc(slices.Clone(in.Members), func(m plan.Member) bool { return m.Node == p.Node })
}

// crowded refuses a plan in which somebody would take an identity that another instance
// still answers for, or in which one has had too many.
func crowded(before *running, after *plan.Plan, former []store.Former) *control.Problem {
	count := map[plan.Addr]int{}
	for _, f := range former {
		if count[f.Of]++; count[f.Of] > node.FormersMax {
			return &control.Problem{
				Exit: 4, Code: codeInUse, Summary: fmt.Sprintf("%s has %d identities already that are not retired", f.Of, node.FormersMax),
				Detail: "Bring every member to one of the plans, run hafile apply -retire on each, and apply again.",
			}
		}
		for i := range after.Desired.Instances {
			in := &after.Desired.Instances[i]
			if in.Address == f.Of || in.Wire() != f.Key {
				continue
			}
			return &control.Problem{
				Exit: 4, Code: codeInUse, Summary: fmt.Sprintf("%s still answers as %s, which %s would take", f.Of, f.Key, in.Address),
				Detail: fmt.Sprintf("Leave %s out for now; when every member has the new identity of %s, run hafile apply -retire on each, and apply again.", in.Address, f.Of),
			}
		}
	}
	return nil
}

// formerNodes is what the node is told of them.
func (d *daemon) formerNodes(r *running) map[plan.Addr][]node.Former {
	out := map[plan.Addr][]node.Former{}
	for _, f := range r.former {
		in := r.plan.Desired.Instance(f.Of)
		if in == nil {
			continue
		}
		like := *in
		like.Interface, like.SourceAddress = f.Key.Interface, f.SourceAddress
		l, _ := d.links.get(f.Key.Interface)
		n := node.Former{Key: f.Key, Source: sourceOf(&like, l), AdvertMs: f.AdvertMs}
		if f.AuthType == "pass" {
			n.Auth, n.Password = wire.AuthPass, wire.NewPassword(string(f.Password))
		}
		if f.Checksum == "rfc9568" {
			n.Checksum = wire.MessageOnly
		}
		out[f.Of] = append(out[f.Of], n)
	}
	return out
}

// ids are the virtual router ids that adverts are wanted of, by interface.
func (r *running) ids() map[string][]uint8 {
	out := idsOf(r.plan)
	for _, f := range r.former {
		if !slices.Contains(out[f.Key.Interface], f.Key.VRID) {
			out[f.Key.Interface] = append(out[f.Key.Interface], f.Key.VRID)
		}
	}
	return out
}

// inUse are addresses with which somebody else's group uses an identity that an instance
// would change to; empty if it shares one with ours.
func inUse(in *plan.Instance, announced []netip.Addr) string {
	var words []string
	for _, a := range announced {
		if slices.ContainsFunc(in.VIPs, func(v plan.VIP) bool { return v.Address.Addr() == a }) {
			return ""
		}
		words = append(words, a.String())
	}
	return cmp.Or(strings.Join(words, ", "), "no address")
}
