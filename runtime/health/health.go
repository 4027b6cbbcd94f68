package health

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"hafile/lang/plan"
	"hafile/runtime/hysteresis"
)

// Health runs a set of checks. Its methods may be called from any goroutine.
type Health struct {
	opt   Options
	slots chan struct{}  // of scripts
	asks  chan struct{}  // of the checks that hafile makes itself
	wg    sync.WaitGroup // one per runner

	census *census // of the processes on this machine

	// mu guards everything below and every runner's state: results of runs arrive on
	// their goroutines, plans and questions on others.
	mu     sync.Mutex
	checks []*runner
	closed bool
}

// New is a Health without checks. Close ends it.
func New(opt Options) *Health {
	if opt.OnState == nil {
		opt.OnState = func(plan.Addr, plan.CheckState) {}
	}
	if opt.Parallel <= 0 {
		opt.Parallel = ParallelRuns
	}
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	if opt.Look == nil {
		opt.Look = func(*plan.Check) Sight { return Sight{State: plan.CheckUnknown} }
	}
	h := &Health{opt: opt, slots: make(chan struct{}, opt.Parallel), asks: make(chan struct{}, parallelAsks), census: newCensus("/proc")}
	if h.opt.probes == nil {
		h.opt.probes = h.probeOf
	}
	return h
}

// Apply makes the checks the running ones. What does the same as before is not touched,
// whatever it is called; what changed starts anew with the state it had; what is gone
// is killed. Apply does not wait for the killed: a changed check's first run does.
func (h *Health) Apply(checks []plan.Check) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return
	}
	next := make([]*runner, len(checks))
	origins := h.match(checks)
	kept := map[*runner]bool{}
	for i, o := range origins {
		if o.same {
			next[i] = o.runner
			kept[o.runner] = true
		}
	}
	for _, r := range h.checks {
		if !kept[r] {
			r.stop()
		}
	}
	for i := range checks {
		switch o := origins[i]; {
		case o.same:
			h.rename(o.runner, checks[i].Address)
		default:
			next[i] = h.start(&checks[i], o.runner)
		}
	}
	h.checks = next
}

// States is the state that each check of a plan has at the moment when the plan is
// applied, under its name there. The engine needs it in the turn in which it commits:
// a renamed check that is down must not count as unknown for even one advert.
func (h *Health) States(checks []plan.Check) map[plan.Addr]plan.CheckState {
	h.mu.Lock()
	defer h.mu.Unlock()
	states := make(map[plan.Addr]plan.CheckState, len(checks))
	for i, o := range h.match(checks) {
		state := plan.CheckUnknown
		switch {
		case checks[i].Watched():
			state = h.opt.Look(&checks[i]).State
		case o.runner != nil:
			state = o.runner.planState()
		}
		states[checks[i].Address] = state
	}
	return states
}

// origin is the running check that a check of the next plan continues; none if it is new.
type origin struct {
	runner *runner
	same   bool // it does the same: nothing to do but its name
}

// match finds for each check the runner that it continues: the same content under the
// same name first, then the same content under another name, then the same name.
func (h *Health) match(checks []plan.Check) []origin {
	found := make([]origin, len(checks))
	taken := map[*runner]bool{}
	keys := make([]string, len(checks))
	for i := range checks {
		keys[i] = contentKey(&checks[i])
	}
	pass := func(same bool, fits func(i int, r *runner) bool) {
		for i := range checks {
			if found[i].runner != nil {
				continue
			}
			at := slices.IndexFunc(h.checks, func(r *runner) bool { return !taken[r] && fits(i, r) })
			if at >= 0 {
				found[i] = origin{runner: h.checks[at], same: same}
				taken[h.checks[at]] = true
			}
		}
	}
	pass(true, func(i int, r *runner) bool { return r.key == keys[i] && r.addr == checks[i].Address })
	pass(true, func(i int, r *runner) bool { return r.key == keys[i] })
	pass(false, func(i int, r *runner) bool { return r.addr == checks[i].Address })
	return found
}

// contentKey is what a check does, without what it is called and where it is written.
func contentKey(c *plan.Check) string {
	content := *c
	content.Address, content.Name, content.Src = "", "", plan.Src{}
	raw, err := json.Marshal(content)
	if err != nil {
		panic(fmt.Sprintf("health: a check that cannot be written: %v", err))
	}
	return string(raw)
}

func (h *Health) rename(r *runner, to plan.Addr) {
	if r.addr == to {
		return
	}
	r.addr = to
	h.opt.OnState(to, r.planState())
}

// start begins a check; before is the one that it takes the place of, or nil.
func (h *Health) start(c *plan.Check, before *runner) *runner {
	if c.Watched() {
		return h.watch(c, before)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &runner{
		h: h, slots: h.slotsOf(c), addr: c.Address, key: contentKey(c), interval: ms(c.IntervalMs),
		probe: h.opt.probes(c), counter: hysteresis.New(c.Fall, c.Rise),
		cancel: cancel, done: make(chan struct{}),
	}
	var wait <-chan struct{}
	switch {
	case before != nil && before.watched != nil: // of another kind: nothing to go on with
		r.since = time.Now()
	case before != nil:
		r.counter = before.counter.Carry(c.Fall, c.Rise)
		r.since, r.last = before.since, before.last
		wait = before.done
	default:
		r.since = time.Now()
	}
	h.wg.Add(1)
	go func() {
		defer h.wg.Done()
		defer close(r.done)
		r.loop(ctx, wait)
	}()
	return r
}

// slotsOf keeps what takes a thread from holding up what does not, and the other way round.
func (h *Health) slotsOf(c *plan.Check) chan struct{} {
	if c.Script != nil {
		return h.slots
	}
	return h.asks
}

// Status of every check, by address.
func (h *Health) Status() []Status {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := make([]Status, len(h.checks))
	for i, r := range h.checks {
		list[i] = r.status()
	}
	slices.SortFunc(list, func(a, b Status) int { return cmp.Compare(a.Address, b.Address) })
	return list
}

// Close kills what runs and waits until all of it is reaped. No state is reported
// after it.
func (h *Health) Close() {
	h.mu.Lock()
	h.closed = true
	for _, r := range h.checks {
		r.stop()
	}
	h.checks = nil
	h.mu.Unlock()
	h.wg.Wait()
}
