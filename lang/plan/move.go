package plan

import "strings"

// Move says that what was called From is called To now: it keeps running.
type Move struct {
	From Addr `json:"from"`
	To   Addr `json:"to"`
	Src  Src  `json:"src,omitzero"`
}

// MovedTo is where an address went: as it is written, or with the module or block around
// it. It is empty where no move is about it.
func MovedTo(moves []Move, a Addr) Addr {
	for _, m := range moves {
		rest, under := strings.CutPrefix(string(a), string(m.From))
		if under && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return m.To + Addr(rest)
		}
	}
	return ""
}

// Removal says that a thing is gone on purpose.
type Removal struct {
	From Addr `json:"from"`
	// Release is how its addresses go: "hand_over" as a stop would, or
	// "keep_until_peer": not before another member has them.
	Release string `json:"release"`
	Src     Src    `json:"src,omitzero"`
}

// How a removed instance lets its addresses go.
const (
	RemoveHandOver      = "hand_over"
	RemoveKeepUntilPeer = "keep_until_peer"
)
