// Package hysteresis decides from a row of results whether what is checked is up: rise
// and fall. It is pure, so that the daemon and the simulator decide alike.
//
// A counter starts unknown. While it is unknown
//
//   - a success that comes first makes it up at once, because a boot should not wait for
//     rise runs of something that works;
//   - failures make it down after fall of them in a row, never sooner: a script that is
//     new cannot fault an instance with one bad run;
//   - once a failure was seen, up takes rise successes in a row, as after down.
//
// keepalived differs in the second point: there the first failure ever is down at once.
package hysteresis

import "fmt"

// State of what is checked.
type State uint8

const (
	Unknown State = iota // not decided yet; counts neither way
	Up
	Down
)

func (s State) String() string {
	switch s {
	case Unknown:
		return "unknown"
	case Up:
		return "up"
	case Down:
		return "down"
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// Counter follows one check. The zero value is no counter; use New.
type Counter struct {
	fall, rise int
	state      State
	streak     int
	last       bool // the last result
	seen       bool // there is a last result
}

// New is an unknown counter that goes down after fall failures in a row and up after
// rise successes in a row. Both are 1 or more; New panics otherwise, because a plan
// with less does not pass its verification.
func New(fall, rise int) Counter {
	if fall < 1 || rise < 1 {
		panic(fmt.Sprintf("hysteresis: fall %d and rise %d must be 1 or more", fall, rise))
	}
	return Counter{fall: fall, rise: rise}
}

// State at present.
func (c *Counter) State() State { return c.state }

// Streak is how many results in a row were like the last one; 0 before the first.
func (c *Counter) Streak() int { return c.streak }

// Result counts one run and reports whether the state changed with it.
func (c *Counter) Result(ok bool) (changed bool) {
	first := !c.seen && c.state == Unknown
	if c.seen && ok == c.last {
		c.streak++
	} else {
		c.streak = 1
	}
	c.seen, c.last = true, ok

	next := c.state
	switch {
	case ok && (first || c.streak >= c.rise):
		next = Up
	case !ok && c.streak >= c.fall:
		next = Down
	}
	changed = next != c.state
	c.state = next
	return changed
}

// Carry is the counter of the same check after an edit: it keeps the state until its
// own results say otherwise and counts them from the start. Results of the old program
// must not complete a streak of the new one.
func (c *Counter) Carry(fall, rise int) Counter {
	next := New(fall, rise)
	next.state = c.state
	return next
}
