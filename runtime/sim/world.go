package sim

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Options of a world. The zero value is a quiet one.
type Options struct {
	// Seed of all that is left to chance. The same seed and the same calls give the same
	// run.
	Seed    uint64
	Network Link   // what a link is like unless it is changed
	Host    Timing // of every machine
	// Trace is given every line of what happens, if it is set. Without it no line is made.
	Trace func(line string)
}

// Timing is how slow a machine may be, and how wrong its clock.
type Timing struct {
	// Late is the most that a loop wakes up after its deadline or after a packet.
	Late time.Duration
	// Kernel is the most that passes between a wish and the kernel's doing.
	Kernel time.Duration
	// Drift is the most that a clock is fast or slow, in parts per billion.
	Drift int64
	// FailTakes is how much of its timeout a check run takes that fails, 0 to 1: it
	// takes a random part, at least Fail[0] and at most Fail[1].
	Fail [2]float64
}

// World is machines on segments, and a clock that only Run moves. An interface name is a
// segment: machines with interfaces of one name hear each other there.
type World struct {
	opt      Options
	now      time.Duration
	events   queue
	machines []*Machine
	links    map[[2]string]*Link
	watchers []watcher
	broken   *Violation
	steps    uint64

	rndNet, rndHost *rand.Rand
}

// watcher is a running rule.
type watcher struct {
	id    string
	watch Watch
}

// Violation is a rule that did not hold.
type Violation struct {
	ID   string
	At   time.Duration
	Text string
}

func (v *Violation) String() string {
	return fmt.Sprintf("%s at %s: %s", v.ID, v.At, v.Text)
}

// The streams of chance. Each subsystem has its own, so that one more draw in one of
// them does not change the others.
const (
	streamNetwork = iota + 1
	streamHost
	streamFaults
	streamPlans
	streamGroups
	streamWide
)

// stream is a source of chance of its own.
func stream(seed, which uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, which)) }

// New is a world without machines at time 0.
func New(o Options) *World {
	return &World{
		opt: o, links: map[[2]string]*Link{},
		rndNet: stream(o.Seed, streamNetwork), rndHost: stream(o.Seed, streamHost),
	}
}

// Now is the time that has passed in the world.
func (w *World) Now() time.Duration { return w.now }

// Steps is how many events there were: packets that arrived, wake-ups of loops, and what
// happens to machines.
func (w *World) Steps() uint64 { return w.steps }

// Machines by their names.
func (w *World) Machines() []*Machine { return w.machines }

// Machine of that name; it panics if there is none.
func (w *World) Machine(name string) *Machine {
	for _, m := range w.machines {
		if m.Name == name {
			return m
		}
	}
	panic("sim: there is no machine " + name)
}

// Add plugs a machine in: switched off, without a plan, with one address for each
// interface.
func (w *World) Add(name string, interfaces map[string]netip.Prefix) *Machine {
	m := newMachine(w, name, interfaces)
	w.machines = append(w.machines, m)
	slices.SortFunc(w.machines, func(a, b *Machine) int { return strings.Compare(a.Name, b.Name) })
	return m
}

// After lets something happen in d, after what is due then already.
func (w *World) After(d time.Duration, do func()) {
	w.events.push(event{at: w.now + max(d, 0), do: do})
}

// Run lets time pass until the given moment, or until a rule is broken.
func (w *World) Run(until time.Duration) *Violation {
	for w.broken == nil {
		e, any := w.events.next(until)
		if !any {
			w.now = max(w.now, until)
			break
		}
		w.now = e.at
		w.steps++
		w.happen(&e)
	}
	return w.broken
}

// Broken is the first rule that did not hold; nil if all did.
func (w *World) Broken() *Violation { return w.broken }

func (w *World) happen(e *event) {
	switch {
	case e.do != nil:
		e.do()
	case e.packet != nil:
		e.packet.arrive(w)
	default:
		e.process.woken(e.wake)
	}
}

// Watch has a rule hold from now on.
func (w *World) Watch(rules ...Rule) {
	for _, r := range rules {
		w.watchers = append(w.watchers, watcher{r.ID, r.Begin(w)})
	}
}

// fail notes the first violation.
func (w *World) fail(id, format string, args ...any) {
	if w.broken == nil {
		w.broken = &Violation{ID: id, At: w.now, Text: fmt.Sprintf(format, args...)}
		w.trace(nil, "VIOLATION %s", w.broken)
	}
}

// emit tells all rules what has happened.
func (w *World) emit(f Fact) {
	f.At = w.now
	for i := range w.watchers {
		if text := w.watchers[i].watch(&f); text != "" {
			w.fail(w.watchers[i].id, "%s", text)
		}
	}
}

// trace writes a line; m is nil where it is about nobody.
func (w *World) trace(m *Machine, format string, args ...any) {
	if w.opt.Trace == nil {
		return
	}
	name := "-"
	if m != nil {
		name = m.Name
	}
	w.opt.Trace(fmt.Sprintf("%12.6f %-4s %s", w.now.Seconds(), name, fmt.Sprintf(format, args...)))
}

// within is a duration up to the given one, mostly a small part of it: one in a hundred
// takes its whole range, one in ten a tenth of it.
func within(r *rand.Rand, most time.Duration) time.Duration {
	if most <= 0 {
		return 0
	}
	switch n := r.IntN(100); {
	case n >= 10:
		most = max(most/100, 1)
	case n >= 1:
		most = max(most/10, 1)
	}
	return time.Duration(r.Int64N(int64(most) + 1))
}
