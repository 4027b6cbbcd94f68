package node

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"hafile/lang/plan"
	"hafile/runtime/kernel"
	"hafile/runtime/vrrp"
)

// Snapshot is a copy of what the node knows: nothing in it changes later.
type Snapshot struct {
	Now       vrrp.Instant
	Instances []Instance // by address, those that leave last
	Groups    []Group
	Wanted    kernel.State
	Have      kernel.State
	// Unknown counts adverts for VRIDs that no router here has, by interface.
	Unknown     map[string]uint64
	Punctuality Punctuality
}

// Group is one sync group at the moment of a snapshot.
type Group struct {
	Address   plan.Addr
	Name      string
	Instances []plan.Addr
	Role      vrrp.Role // as hooks have heard it
	Since     vrrp.Instant
	Why       string
}

// Instance is one router at the moment of a snapshot.
type Instance struct {
	Address plan.Addr
	Name    string
	Key     plan.WireKey
	Former  []plan.WireKey // those that it has beside Key; a dialect of the same key is none
	Faces   int            // as how many it speaks: 1 unless an edit is being swept through the group
	Source  netip.Addr
	Places  []Place // where it is sent and heard

	Role    vrrp.Role
	Since   vrrp.Instant
	Why     string
	Leaving bool // the plan has it no longer, or the node is stopping

	Configured, Effective uint8
	Parts                 []plan.PriorityPart
	Failing               string // the check without weight that is down, or who else of its group cannot be active
	Awaits                string // who of its group is not as far as it is: it would be active, alone

	Silence time.Duration // after which a backup takes over

	Claimed   bool
	Addresses []Address
	// Stale is an address that the active announces and the plan here lacks; the zero
	// address if there is none.
	Stale netip.Addr

	Peers    []Peer
	Counters vrrp.Counters
	Removals uint64       // how often somebody else removed one of the addresses
	SentAt   vrrp.Instant // last advert with a priority above 0; 0: none yet
}

// Address is one of an instance's, as the kernel has it.
type Address struct {
	kernel.Address
	Present bool
	Refusal string // what the kernel said, empty if nothing
	Spare   bool   // on an interface that the instance had before
}

// Snapshot copies everything.
func (n *Node) Snapshot(now vrrp.Instant) Snapshot {
	s := Snapshot{
		Now: now, Instances: make([]Instance, len(n.order)),
		Wanted: n.wanted, Have: n.report.Have,
		Unknown: maps.Clone(n.unknown), Punctuality: n.punctuality,
	}
	for i, r := range n.order {
		s.Instances[i] = n.instance(r)
	}
	for _, g := range n.groups {
		s.Groups = append(s.Groups, Group{
			Address: g.plan.Address, Name: g.plan.Name, Instances: slices.Clone(g.plan.Instances), Role: g.role, Since: g.since, Why: g.why,
		})
	}
	return s
}

func (n *Node) instance(r *router) Instance {
	role := r.core.Role()
	if r.broken != "" {
		role = vrrp.Fault
	}
	i := Instance{
		Address: r.instance.Address, Name: r.instance.Name, Key: r.key, Former: slices.Clone(r.keys[1:]),
		Faces: 1 + len(r.core.Spec().Former), Source: r.source,
		Places: slices.Clone(r.places),
		Role:   role, Since: r.since, Why: r.why, Leaving: r.leaving,
		Configured: r.instance.Priority, Effective: r.core.Effective(),
		Parts: slices.Clone(r.parts), Failing: r.failing,
		Silence: r.core.Silence(),
		Claimed: r.claimed, Addresses: make([]Address, len(r.addresses)), Stale: r.core.Stale(),
		Peers: slices.Clone(r.peers), Counters: *r.core.Counters(), Removals: r.removals, SentAt: r.sentAt,
	}
	if m := r.awaited(); m != nil {
		i.Awaits = m.instance.Name
	}
	for k, a := range r.addresses {
		i.Addresses[k] = Address{Address: a, Present: n.has(r, a), Refusal: n.refused(r, a), Spare: slices.Contains(r.spare, a)}
	}
	return i
}
