package sim

import (
	"net/netip"
	"time"

	"hafile/lang/diff"
	"hafile/lang/plan"
	"hafile/runtime/kernel"
	"hafile/runtime/node"
	"hafile/runtime/vrrp"
	"hafile/runtime/vrrp/wire"
)

// Fact is something that has happened, for rules to judge. Slices and pointers in it are
// valid during the call only, views excepted.
type Fact struct {
	Kind    FactKind
	At      time.Duration
	Machine *Machine

	// Turned: what was given to the node, what its routers were before and are now, and
	// what follows.
	Cause        Cause
	Before, View []node.Instance
	Effects      []node.Effect

	// Turned by Heard, Rejected.
	Key           plan.WireKey
	Advert        *wire.Advert
	From          netip.Addr
	Sender        *Machine
	Sent, Arrived time.Duration
	Reason        wire.Reason
	Deadline      vrrp.Instant // of the node before; Rejected only

	// Turned by Committed; Was and Changes only if a plan ran before.
	Plan, Was *plan.Plan
	Changes   []diff.Change // what diff says will happen

	Address kernel.Address // Added, Removed
	Ours    bool           // Added, Removed: by the process, and not by a stranger

	Interface string // Plugged
	Up        bool   // Plugged
}

// FactKind tells facts apart.
type FactKind uint8

const (
	Turned  FactKind = iota + 1 // the node was given something
	Added                       // an address is installed
	Removed                     // an address is gone; the machine may be as well
	Began                       // a process has started
	Ended                       // a process has ended
	Stalled                     // a process is frozen, or its machine suspended
	Thawed
	Plugged // an interface goes down or up
)

// Cause is what was given to a node.
type Cause uint8

const (
	Tick Cause = iota + 1
	Heard
	Rejected
	Committed
	CheckChanged
	LinkChanged
	Reported
	Frozen
	Stopped
)

var causes = [...]string{"", "tick", "heard", "rejected", "commit", "check", "link", "kernel", "frozen", "stop"}

func (c Cause) String() string { return causes[c] }

// Rule is something that must hold whatever happens, or be told why it need not.
type Rule struct {
	ID    string
	Begin func(*World) Watch
}

// Watch judges one fact; it returns what is wrong, empty if nothing is.
type Watch func(*Fact) string
