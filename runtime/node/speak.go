package node

import (
	"net/netip"
	"slices"

	"hafile/runtime/kernel"
	"hafile/runtime/vrrp"
)

// announce is for addresses that are up.
func (n *Node) announce(r *router, addresses []kernel.Address) {
	n.after = perInterface(n.after, Effect{Kind: Announce, How: r.instance.Announce}, addresses)
}

// silence is for addresses that an active router has given up.
func (n *Node) silence(addresses []kernel.Address) { n.silent = append(n.silent, addresses...) }

// hush turns what was silenced during the call into effects, less what an active router
// has now: an address that moved within the node goes on being announced.
func (n *Node) hush() {
	if len(n.silent) == 0 {
		return
	}
	n.silent = slices.DeleteFunc(kernel.StateOf(n.silent...), func(a kernel.Address) bool {
		return slices.ContainsFunc(n.order, func(r *router) bool {
			return r.claimed && r.core.Role() == vrrp.Active && slices.Contains(r.addresses, a)
		})
	})
	n.out = perInterface(n.out, Effect{Kind: Silence}, n.silent)
	n.unsay()
	n.silent = n.silent[:0]
}

// unsay drops what was to be announced in this call and is silenced in it, too: a router
// may be active for a moment between two that fail in its group.
func (n *Node) unsay() {
	for i := range n.after {
		e := &n.after[i]
		if e.Kind != Announce {
			continue
		}
		e.Addresses = slices.DeleteFunc(e.Addresses, func(a netip.Addr) bool {
			return slices.ContainsFunc(n.silent, func(s kernel.Address) bool { return s.Interface == e.Interface && s.Prefix.Addr() == a })
		})
	}
	n.after = slices.DeleteFunc(n.after, func(e Effect) bool { return e.Kind == Announce && len(e.Addresses) == 0 })
}

// perInterface makes one effect for each run of addresses on one interface.
func perInterface(out []Effect, e Effect, addresses []kernel.Address) []Effect {
	for len(addresses) > 0 {
		e.Interface, e.Addresses = addresses[0].Interface, nil
		for len(addresses) > 0 && addresses[0].Interface == e.Interface {
			e.Addresses = append(e.Addresses, addresses[0].Prefix.Addr())
			addresses = addresses[1:]
		}
		out = append(out, e)
	}
	return out
}
