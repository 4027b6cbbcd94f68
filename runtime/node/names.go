package node

import "hafile/lang/plan"

// The words of the plan that the engine and its callers pass on. They are aliases, so
// that what runs a node knows the node only.
type (
	// Addr names a check or an instance.
	Addr = plan.Addr
	// WireKey names a router.
	WireKey = plan.WireKey
	// CheckState is what is known of a check.
	CheckState = plan.CheckState

	// Announcement is how addresses are announced.
	Announcement = plan.Announce
)
