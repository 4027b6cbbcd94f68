package runtime

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
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

// formersOf are the identities that the instances of a plan keep when it replaces the one
// that runs, the latest first.
func (d *daemon) formersOf(before *running, after *plan.Plan, secrets store.Secrets) ([]store.Former, *control.Problem) {
	was, now := d.resolve(before, nil), d.resolve(&running{plan: after, secrets: secrets}, nil)
	swept := node.Sweep(&was, &now)
	if p := crowded(after, swept); p != nil {
		return nil, p
	}
	var out []store.Former
	for _, a := range slices.Sorted(maps.Keys(swept)) {
		for _, f := range swept[a] {
			s := store.Former{Of: a, Key: f.Key, SourceAddress: f.SourceAddress, AdvertMs: f.AdvertMs, Checksum: checksums[f.Checksum]}
			if f.Auth == wire.AuthPass {
				s.AuthType, s.Password = "pass", store.Password(bytes.TrimRight(f.Password[:], "\x00"))
			}
			out = append(out, s)
		}
	}
	return out, nil
}

var checksums = [...]string{wire.PseudoHeader: "rfc5798", wire.MessageOnly: "rfc9568"}

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
func crowded(after *plan.Plan, swept map[plan.Addr][]node.Former) *control.Problem {
	c := node.Crowded(after, swept)
	switch {
	case c.Of == "":
		return nil
	case c.Taker == "":
		return &control.Problem{
			Exit: 4, Code: codeInUse, Summary: fmt.Sprintf("%s has %d identities already that are not retired", c.Of, node.FormersMax),
			Detail: "Bring every member to one of the plans, run hafile apply -retire on each, and apply again.",
		}
	}
	return &control.Problem{
		Exit: 4, Code: codeInUse, Summary: fmt.Sprintf("%s still answers as %s, which %s would take", c.Of, c.Key, c.Taker),
		Detail: fmt.Sprintf("Leave %s out for now; when every member has the new identity of %s, run hafile apply -retire on each, and apply again.", c.Taker, c.Of),
	}
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
		n := node.Former{Key: f.Key, SourceAddress: f.SourceAddress, Source: sourceOf(&like, l), AdvertMs: f.AdvertMs}
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
