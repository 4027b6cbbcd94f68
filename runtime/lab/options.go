package lab

import (
	"net/netip"
	"time"

	"hafile/lang/diff"
	"hafile/lang/plan"
	"hafile/lang/story"
)

// Node is a machine to bring up.
type Node struct {
	Name       string
	Interfaces []string       // the first one has the addresses
	Addresses  []netip.Prefix // the node's own
	Etc        string         // a directory laid over its /etc; "" for none
	// Keepalived is the text of a keepalived.conf. Where it is set, the machine's
	// daemon is keepalived and nothing is applied to it.
	Keepalived string
}

// Options of a lab.
type Options struct {
	Nodes []Node
	VIPs  []netip.Addr // those the clients ask for
	// Echo is how often the client asks every VIP for an echo, in the place of a page each
	// millisecond; 0: it asks for pages. It counts packets; what a program would lose, only
	// pages tell.
	Echo time.Duration
	// Outside is the address that clients ask from, and where the relay is.
	Outside netip.Prefix
	Relays  []string // HOST:PORT that mail goes to; the outside answers on every port
	Self    string   // the hafile binary
	Daemon  []string // more arguments of hafile run
	Web     string   // "builtin" or "nginx"
	// Command gives a node a configuration: its arguments, after the binary. dir is the
	// configuration's.
	Command func(node, dir, socket string) []string
	// Budgets of each plan that is applied, by directory: what the protocol allows.
	Budgets func(dir string) []diff.Budget
	// Dir is the configuration that is applied first; those of a story are below Base.
	Dir, Base string
	// Tell is called for everything worth a line, from several goroutines.
	Tell func(Moment)
}

// Tone of a moment, for whoever draws it.
type Tone string

const (
	ToneEvent  Tone = "event"  // the story does something
	ToneChange Tone = "change" // a role or an owner changed
	ToneNote   Tone = "note"   // something else happened
	ToneGood   Tone = "good"   // a promise held
	ToneBad    Tone = "bad"    // a promise broke
	ToneLive   Tone = "live"   // a running count, replaced by the next moment
)

// Moment is one line of a lab's timeline.
type Moment struct {
	At   time.Duration // since the start of the run; below 0 while it comes up
	Tone Tone
	Node string
	Text string
}

// Result of a story.
type Result struct {
	Outcome story.Outcome
	// Broken lists the promises that did not hold.
	Broken []string
	// Events, with what clients saw after each.
	Events []Measured
}

// Measured is an event with what the clients saw until the next one.
type Measured struct {
	Event   story.Event   `json:"event"`
	Gap     time.Duration `json:"gap_ns"`     // the longest time without an answer
	Allowed time.Duration `json:"allowed_ns"` // what the protocol allows
	Lost    story.Lost    `json:"lost"`
}

// allowed is how long clients may wait after an event, by the budgets of the plan that
// runs. Everything that is not in a budget must cost nothing.
func allowed(e story.Event, budgets []diff.Budget) time.Duration {
	var worst int64
	for _, b := range budgets {
		if b.From != e.On && e.On != "" {
			continue
		}
		switch e.Kind {
		case story.Kill, story.Freeze, story.Cut:
			worst = max(worst, b.DownMs)
		case story.Stop:
			worst = max(worst, b.GracefulMs)
		case story.Fail:
			worst = max(worst, checkBudget(b, e.What))
		}
	}
	return time.Duration(worst) * time.Millisecond
}

func checkBudget(b diff.Budget, check plan.Addr) int64 {
	var worst int64
	for _, c := range b.Checks {
		if c.Check == check && c.Moves {
			worst = max(worst, c.DetectMs+c.TakeoverMs)
		}
	}
	return worst
}
