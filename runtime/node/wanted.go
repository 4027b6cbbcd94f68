package node

import (
	"net/netip"
	"slices"

	"hafile/runtime/kernel"
	"hafile/runtime/vrrp"
)

// settle computes the wanted state if a claim has changed, and says so if it differs.
func (n *Node) settle() {
	if !n.dirty {
		return
	}
	n.dirty = false
	var all []kernel.Address
	var beside kernel.Things
	var shut []netip.Addr
	for _, r := range n.order {
		if r.claimed {
			shut = append(shut, closedOf(r.instance)...)
			all, beside = append(all, r.addresses...), append(beside, r.beside...)
		}
		if r.claimed || !r.leaving {
			beside = append(beside, up(r.device, r.claimed)...)
		}
	}
	beside = append(closed(shut), beside...).Unique()
	if want := kernel.StateOf(all...); !want.Equal(n.wanted) || !beside.Equal(n.beside) {
		n.gen++
		n.wanted, n.beside = want, beside
		n.out = append(n.out, Effect{Kind: Want, Want: want, Beside: beside, Gen: n.gen})
	}
	for _, r := range n.order {
		if !r.stamp {
			continue
		}
		r.stamp, r.gen = false, n.gen
		if r.claimed {
			n.recall(r)
		}
	}
}

// recall tells a router what the kernel has said of its addresses already: where nothing
// else is wanted than before, it will not say it again.
func (n *Node) recall(r *router) {
	if len(without(r.pending, r.spare)) == 0 {
		n.step(r, vrrp.Event{Kind: vrrp.Installed})
		return
	}
	if what := n.refusal(r); what != "" && n.report.Gen >= n.gen {
		n.step(r, vrrp.Event{Kind: vrrp.Refused, Refusal: what})
	}
}

// unseen are the addresses of which the kernel has not said that it has them. One that
// was wanted and is there already, of another router of this node, needs no second word.
func (n *Node) unseen(r *router, addresses []kernel.Address) []kernel.Address {
	var out []kernel.Address
	for _, a := range addresses {
		if !n.wanted.Has(a) || !n.has(r, a) {
			out = append(out, a)
		}
	}
	return out
}

// Kernel is what the kernel has. Addresses that have come up are announced, each alone;
// one that has gone missing is announced again when it is back.
func (n *Node) Kernel(now vrrp.Instant, report kernel.Report, out []Effect) []Effect {
	n.report = report
	n.begin(now, out)
	for _, r := range n.order {
		if r.claimed && report.Gen >= r.gen {
			n.compare(r)
		}
	}
	return n.end()
}

// compare tells one router what the report means to it.
func (n *Node) compare(r *router) {
	var up, missing []kernel.Address
	for _, a := range r.addresses {
		if slices.Contains(n.report.Removed, a) {
			r.removals++
		}
		switch {
		case !n.has(r, a):
			missing = append(missing, a)
		case slices.Contains(r.pending, a) || slices.Contains(n.report.Removed, a):
			up = append(up, a)
		}
	}
	r.pending = missing
	if r.core.Role() == vrrp.Active {
		n.announce(r, up)
	}
	if what := n.refusal(r); what != "" {
		n.step(r, vrrp.Event{Kind: vrrp.Refused, Refusal: what})
		return
	}
	if len(without(missing, r.spare)) == 0 {
		r.muted = true // what has come up is announced above
		n.step(r, vrrp.Event{Kind: vrrp.Installed})
		r.muted = false
	}
}

// has reports whether the machine has an address for a router. The address owner's
// (RFC 9568, 5.2.4) is the machine's own: not ours to install, and there all the same.
func (n *Node) has(r *router, a kernel.Address) bool {
	if n.report.Have.Has(a) {
		return true
	}
	refused := n.refusedAddress(a)
	return refused != nil && refused.Foreign && r.core.Spec().Priority == vrrp.Owner
}

// refusal is what stands against an address of the router, empty if nothing does. A
// former interface may be gone already.
func (n *Node) refusal(r *router) string {
	for _, a := range without(r.addresses, r.spare) {
		if what := n.refused(r, a); what != "" {
			return a.String() + ": " + what
		}
	}
	return ""
}

// refused is why the machine does not have an address for a router; empty if it has it,
// or nothing is known against it.
func (n *Node) refused(r *router, a kernel.Address) string {
	if refused := n.refusedAddress(a); refused != nil && !n.has(r, a) {
		return refused.Err
	}
	return ""
}

func (n *Node) refusedAddress(a kernel.Address) *kernel.Refusal {
	for i := range n.report.Refused {
		if n.report.Refused[i].Address == a {
			return &n.report.Refused[i]
		}
	}
	return nil
}

// without is a less b, in the order of a.
func without(a, b []kernel.Address) []kernel.Address {
	if len(b) == 0 {
		return a
	}
	var out []kernel.Address
	for _, x := range a {
		if !slices.Contains(b, x) {
			out = append(out, x)
		}
	}
	return out
}
