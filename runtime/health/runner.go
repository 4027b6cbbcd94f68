package health

import (
	"context"
	"math/rand/v2"
	"time"

	"hafile/lang/plan"
	"hafile/runtime/hysteresis"
)

// runner is one check that runs. Its goroutine owns the timing; the fields from addr on
// are guarded by Health.mu.
type runner struct {
	h        *Health
	slots    chan struct{}
	key      string // content, see contentKey
	interval time.Duration
	probe    probe
	cancel   context.CancelFunc
	done     chan struct{} // closed when nothing of it runs any more

	addr    plan.Addr
	counter hysteresis.Counter
	since   time.Time // of the state
	last    outcome   // zero before the first run has ended
	stopped bool

	watched *plan.Check // nil: it is asked
	sight   Sight       // of what is watched
}

// stop kills the run in flight; what it answers is not counted.
func (r *runner) stop() {
	r.stopped = true
	r.cancel()
}

// loop runs the check until ctx ends. before is closed when the check that this one
// replaces has been reaped: there is never more than one run of a check.
func (r *runner) loop(ctx context.Context, before <-chan struct{}) {
	if before != nil {
		<-before // it was stopped already, so this is as long as a kill takes
	}
	if !sleep(ctx, rand.N(min(r.interval, spreadMax))) {
		return
	}
	for {
		select {
		case r.slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		start := time.Now()
		o := r.probe.Run(ctx)
		<-r.slots
		if ctx.Err() != nil {
			return
		}
		r.record(o)
		// Counted from this start, not from a grid: a run that was late, or that outlived
		// the interval, is followed by the next at most an interval after it began.
		if !sleep(ctx, time.Until(start.Add(r.interval))) {
			return
		}
	}
}

// sleep reports whether ctx is still wanted.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// record counts a run that has ended.
func (r *runner) record(o outcome) {
	addr, said, changed := r.count(o)
	// Not under the lock: a log that blocks must not hold up a report or a plan.
	attrs := []any{"check", addr}
	if o.exit != nil {
		attrs = append(attrs, "exit", *o.exit)
	}
	if o.err != "" {
		attrs = append(attrs, "error", o.err)
	}
	switch log := r.h.opt.Log; {
	case changed == plan.CheckDown:
		log.Warn("check is down", attrs...)
	case changed == plan.CheckUp:
		log.Info("check is up", attrs...)
	case o.err != "" && o.err != said:
		log.Warn("check run failed", attrs...)
	}
}

// count takes the result in and reports the state if it changed with it; said is the
// error of the run before.
func (r *runner) count(o outcome) (addr plan.Addr, said string, changed plan.CheckState) {
	r.h.mu.Lock()
	defer r.h.mu.Unlock()
	addr, said = r.addr, r.last.err
	if r.stopped {
		return addr, o.err, ""
	}
	r.last = o
	if !r.counter.Result(o.ok) {
		return addr, said, ""
	}
	r.since = o.ended
	state := r.planState()
	r.h.opt.OnState(addr, state)
	return addr, said, state
}

func (r *runner) planState() plan.CheckState {
	if r.watched != nil {
		return r.sight.State
	}
	switch r.counter.State() {
	case hysteresis.Up:
		return plan.CheckUp
	case hysteresis.Down:
		return plan.CheckDown
	}
	return plan.CheckUnknown
}

func (r *runner) status() Status {
	s := Status{
		Address: r.addr, State: string(r.planState()), Since: r.since, Streak: r.counter.Streak(),
		LastOutput: r.last.output, LastError: r.last.err, LastEnd: r.last.ended,
	}
	if r.watched != nil {
		s.LastOutput = r.sight.Found
		if r.sight.State == plan.CheckDown {
			s.LastOutput, s.LastError = "", r.sight.Found
		}
	}
	if r.last.exit != nil {
		exit := *r.last.exit
		s.LastExit = &exit
	}
	if !r.last.ended.IsZero() {
		s.LastRunMs = r.last.ended.Sub(r.last.started).Milliseconds()
	}
	return s
}
