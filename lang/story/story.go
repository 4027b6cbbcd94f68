// Package story is what happens to a group of machines, event by event, and what came of
// it: the words between the files that tell it (lang/hatest) and those who play it, on a
// simulated clock or on real kernels. It uses the standard library only.
package story

import (
	"fmt"
	"time"

	"hafile/lang/diag"
	"hafile/lang/plan"
)

// Run is one story: events on a clock that starts when every VIP is owned for the first
// time.
type Run struct {
	Name   string
	Events []Event // sorted by At; equal times keep the order of the file
	Until  time.Duration
	Range  diag.Range
}

// Kind says what an event does.
type Kind string

const (
	Fail    Kind = "fail"    // What, a script or check, fails on On; the lab stops the web server
	Recover Kind = "recover" // and works again
	Stop    Kind = "stop"    // the daemon of On leaves on purpose
	Kill    Kind = "kill"    // the daemon of On dies without a word
	Start   Kind = "start"   // the daemon of On starts again
	Freeze  Kind = "freeze"  // the daemon of On stands still
	Thaw    Kind = "thaw"    // and goes on
	Cut     Kind = "cut"     // the link of On is cut; between From and To only, where they are given
	Heal    Kind = "heal"    // and comes back
	Apply   Kind = "apply"   // Dir is applied on On, or on every node: backups first
)

// Kinds in the order in which messages list them.
var Kinds = []Kind{Fail, Recover, Stop, Kill, Start, Freeze, Thaw, Cut, Heal, Apply}

// Event is one thing that happens in a run.
type Event struct {
	At   time.Duration
	Kind Kind

	What     plan.Addr // Fail, Recover: script.chk_nginx
	On       string    // the node
	From, To string    // Cut, Heal: one direction between two nodes
	Dir      string    // Apply: a directory, relative to the file

	Range diag.Range
}

// Outcome is what a run led to. Its maps are keyed by VIP in prefix form:
// 172.29.88.222/32.
type Outcome struct {
	Owner map[string]string `json:"owner"` // at the end; "" where nobody owns it
	// Unowned and Double are the longest time, in seconds, that nobody and that more
	// than one node held the VIP.
	Unowned map[string]float64 `json:"unowned"`
	Double  map[string]float64 `json:"double"`
	// Lost counts client requests that got no answer within 100 ms. Only the lab has
	// clients; the simulator counts milliseconds without an owner as New.
	Lost map[string]Lost `json:"lost"`

	Transitions []Transition `json:"transitions"`
	Mails       []Mail       `json:"mails"`
}

// Lost requests of the clients of one VIP.
type Lost struct {
	Asked    int `json:"asked"`     // requests made
	New      int `json:"new"`       // the connection did not come about
	InFlight int `json:"in_flight"` // it did, and then died or fell silent
}

// Transition is a change of role somewhere in the group.
type Transition struct {
	At       float64 `json:"at"` // seconds
	Node     string  `json:"node"`
	Instance string  `json:"instance"`
	From     string  `json:"from"`
	To       string  `json:"to"`
}

// Mail that a node sent.
type Mail struct {
	At      float64  `json:"at"` // seconds
	Node    string   `json:"node"`
	To      []string `json:"to"`
	Subject string   `json:"subject"`
}

// String says an event to people: "10s: fail script.chk_nginx on nginx01".
func (e Event) String() string {
	s := fmt.Sprintf("%s: %s", e.At, e.Kind)
	switch {
	case e.What != "":
		s += " " + string(e.What) + " on " + e.On
	case e.Dir != "":
		s += " " + e.Dir
		if e.On != "" {
			s += " on " + e.On
		}
	case e.From != "":
		s += " from " + e.From + " to " + e.To
	default:
		s += " " + e.On
	}
	return s
}
