// Package diff says what differs between two plans of one node, and what each
// difference means for the addresses that clients use. It is pure: the present roles
// and check states come in as a value.
package diff

import (
	"encoding/json"
	"net/netip"

	"hafile/lang/plan"
)

// Action is what happens to a thing that has an address.
type Action string

const (
	Add    Action = "add"
	Update Action = "change"
	Remove Action = "remove"
	Rename Action = "rename"
)

// Class orders how much an edit disturbs the clients of a VIP.
type Class string

// The classes, from harmless to fatal; see Rank.
const (
	None    Class = "none"
	Stays   Class = "stays"   // kept, perhaps announced again
	Gains   Class = "gains"   // an address is added that nobody answers for
	Weakens Class = "weakens" // a VIP has one candidate, check or way to move less
	Moves   Class = "moves"   // another node owns it, with an owner throughout or a gap of at most one advert
	Outage  Class = "outage"  // no owner, or two, for a while
	Drops   Class = "drops"   // ends with no owner
)

// Classes in order of their rank.
var Classes = []Class{None, Stays, Gains, Weakens, Moves, Outage, Drops}

// Rank is the place in [Classes]; -1 for a word that is none.
func (c Class) Rank() int {
	for i, k := range Classes {
		if k == c {
			return i
		}
	}
	return -1
}

// Gap is how long nobody answers for a VIP, in milliseconds.
type Gap struct {
	TypMs int64 `json:"typ"`
	MaxMs int64 `json:"max"`
}

// Impact is what a change means on the network.
type Impact struct {
	Class Class          `json:"class"`
	VIPs  []netip.Prefix `json:"vips,omitempty"`
	Gap   Gap            `json:"gap_ms"`
	// Reason is a stable constant (active_raises_own_priority); Text says it to people.
	Reason string `json:"reason"`
	Text   string `json:"text,omitempty"`
	// Safer is a way to the same end that disturbs less, if there is one.
	Safer string `json:"safer,omitempty"`
	// Pairwise: the members must make this change together.
	Pairwise bool `json:"pairwise,omitempty"`
	// Retire: the edit takes two sweeps. Members may have it in any order; when all do,
	// hafile apply -retire drops the old identity on each.
	Retire bool `json:"retire,omitempty"`
}

// Field is one value that differs. Path is in the words of the language; Before and
// After are JSON in the form in which the language writes the value ("2s"), null where
// absent. A Sensitive one shows its reference or "(sensitive)", never its content.
type Field struct {
	Path      string          `json:"path"`
	Before    json.RawMessage `json:"before"`
	After     json.RawMessage `json:"after"`
	Sensitive bool            `json:"sensitive"`
	Src       plan.Src        `json:"src,omitzero"`
	Was       string          `json:"was,omitempty"` // file:line in the running plan, of what is gone
	Impact    *Impact         `json:"impact,omitempty"`
}

// Added reports whether the value was absent before.
func (f *Field) Added() bool { return string(f.Before) == "null" }

// Removed reports whether the value is absent now.
func (f *Field) Removed() bool { return string(f.After) == "null" }

// Change is everything that happens to one address.
type Change struct {
	Address plan.Addr `json:"address"`
	From    plan.Addr `json:"from,omitempty"` // the old address of a rename
	Action  Action    `json:"action"`
	Src     plan.Src  `json:"src,omitzero"`
	Was     string    `json:"was,omitempty"` // file:line in the running plan, of what is gone
	Fields  []Field   `json:"fields,omitempty"`
	Impact  Impact    `json:"impact"`
}

// Summary counts changes by their action. A VIP that an instance gains or loses while
// the instance itself stays is counted as a thing of its own. Worst is the highest
// class among them, and VIPs counts the addresses under the worst that happens to each.
type Summary struct {
	Add    int      `json:"add"`
	Change int      `json:"change"`
	Remove int      `json:"remove"`
	Rename int      `json:"rename"`
	Worst  Class    `json:"worst"`
	VIPs   VIPCount `json:"vips"`
}

// VIPCount counts VIPs by class; those that nothing happens to are in none.
type VIPCount struct {
	Stays   int `json:"stays"`
	Gains   int `json:"gains"`
	Weakens int `json:"weakens"`
	Moves   int `json:"moves"`
	Outage  int `json:"outage"`
	Drops   int `json:"drops"`
}
