package plan

// Move says that what was called From is called To now: it keeps running.
type Move struct {
	From Addr `json:"from"`
	To   Addr `json:"to"`
}

// Removal says that a thing is gone on purpose.
type Removal struct {
	From Addr `json:"from"`
	// Release is how its addresses go: "hand_over" as a stop would, or
	// "keep_until_peer": not before another member has them.
	Release string `json:"release"`
}

// How a removed instance lets its addresses go.
const (
	RemoveHandOver      = "hand_over"
	RemoveKeepUntilPeer = "keep_until_peer"
)
