package health

import (
	"time"

	"hafile/lang/plan"
	"hafile/runtime/hysteresis"
)

// Sight is how something stands that is watched.
type Sight struct {
	State plan.CheckState
	Found string // "bond1 has no carrier"
}

// watch begins a check that is not asked: it has a state at once, and no goroutine.
func (h *Health) watch(c *plan.Check, before *runner) *runner {
	watched := *c
	r := &runner{
		h: h, addr: c.Address, key: contentKey(c), watched: &watched, since: time.Now(),
		counter: hysteresis.New(1, 1), cancel: func() {}, done: make(chan struct{}),
	}
	close(r.done)
	if before != nil && before.watched != nil {
		r.since, r.sight, r.last = before.since, before.sight, before.last
	}
	h.look(r)
	// Also where nothing has changed: whoever was asked for the states before may have
	// been asked too early.
	h.opt.OnState(r.addr, r.planState())
	return r
}

// Look asks Options.Look again about everything that is watched, and reports what has
// changed.
func (h *Health) Look() {
	for _, r := range h.looked() {
		attrs := []any{"check", r.addr, "found", r.sight.Found}
		switch r.sight.State {
		case plan.CheckDown:
			h.opt.Log.Warn("check is down", attrs...)
		case plan.CheckUp:
			h.opt.Log.Info("check is up", attrs...)
		}
	}
}

// looked are copies of those whose state has changed: a log that blocks must not hold up
// a report or a plan.
func (h *Health) looked() (changed []runner) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.checks {
		if r.watched != nil && h.look(r) {
			h.opt.OnState(r.addr, r.planState())
			changed = append(changed, runner{addr: r.addr, sight: r.sight})
		}
	}
	return changed
}

// look takes in how a watched check stands and reports whether its state has changed.
func (h *Health) look(r *runner) (changed bool) {
	now := time.Now()
	sight := h.opt.Look(r.watched)
	changed = sight.State != r.sight.State
	r.counter.Result(sight.State == plan.CheckUp) // the streak: looks that agree
	r.last.ok, r.last.started, r.last.ended = sight.State == plan.CheckUp, now, now
	r.sight = sight
	if changed {
		r.since = now
	}
	return changed
}
