package node

import (
	"net/netip"

	"hafile/lang/plan"
	"hafile/runtime/kernel"
	"hafile/runtime/vrrp"
	"hafile/runtime/vrrp/wire"
)

// Effect is something to do. Kind says which of the other fields count. Slices in it are
// read-only and stay valid: nothing writes to them later.
type Effect struct {
	Kind EffectKind

	Interface string // Send, Announce, Silence
	Place     Place  // Send

	Advert wire.Advert // Send
	Source netip.Addr  // Send

	Key  plan.WireKey  // Reserve
	UpTo wire.Sequence // Reserve

	Want   kernel.State  // Want
	Beside kernel.Things // Want: routes and rules
	Gen    uint64        // Want: counts them; the kernel's report says which it has carried out

	Addresses []netip.Addr  // Announce, Silence
	How       plan.Announce // Announce

	Transition Transition // Transitioned
}

// Group reports whether it is a sync group's, which Instance and Name are then.
func (t *Transition) Group() bool { return t.Key == plan.WireKey{} }

// EffectKind tells effects apart.
type EffectKind uint8

const (
	// Send one advert.
	Send EffectKind = iota + 1
	// Silence ends the repeats of an announcement.
	Silence
	// Want is the kernel state from now on.
	Want
	// Transitioned is a change of role.
	Transitioned
	// Announce addresses that are up.
	Announce
	// Reserve numbers of signatures up to one: it must outlive the process before the
	// effects that follow.
	Reserve
)

// Transition is a change of role of one router, or of a sync group. Its key tells it from
// another one that had, or has, the same instance.
type Transition struct {
	Instance plan.Addr
	Name     string
	Key      plan.WireKey // at that moment: an edit may give the router another; zero for a group
	From, To vrrp.Role
	Why      string
	Priority uint8        // effective
	At       vrrp.Instant // To holds since
	Since    vrrp.Instant // From held since
	// Replaced: the instance has another router now, and this is not about it any more.
	Replaced bool
}
