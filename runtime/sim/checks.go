package sim

import (
	"encoding/json"
	"time"

	"hafile/lang/plan"
	"hafile/runtime/hysteresis"
	"hafile/runtime/vrrp"
)

// health is the checks of a process, with the timing of package health: the next run
// begins an interval after the last one began, or when that has ended.
type health struct{ runners []*runner }

type runner struct {
	check   plan.Check
	content string
	counter hysteresis.Counter
	ended   bool
}

const (
	// spreadMax bounds the random delay before the first run of a check.
	spreadMax = 200 * time.Millisecond
	// runTakes is what a run takes that succeeds.
	runTakes = 5 * time.Millisecond
)

// states are what the checks of the next plan begin with.
func (h *health) states(checks []plan.Check) []plan.CheckState {
	out := make([]plan.CheckState, len(checks))
	for i, o := range h.match(checks) {
		out[i] = plan.CheckUnknown
		if o != nil {
			out[i] = o.state()
		}
	}
	return out
}

// match finds what each check of the next plan continues, as package health does.
func (h *health) match(checks []plan.Check) []*runner {
	found := make([]*runner, len(checks))
	taken := map[*runner]bool{}
	pass := func(fits func(c *plan.Check, r *runner) bool) {
		for i := range checks {
			for _, r := range h.runners {
				if found[i] == nil && !taken[r] && fits(&checks[i], r) {
					found[i], taken[r] = r, true
				}
			}
		}
	}
	same := func(c *plan.Check, r *runner) bool { return contentOf(c) == r.content }
	named := func(c *plan.Check, r *runner) bool { return c.Address == r.check.Address }
	pass(func(c *plan.Check, r *runner) bool { return same(c, r) && named(c, r) })
	pass(same)
	pass(named)
	return found
}

func contentOf(c *plan.Check) string {
	content := *c
	content.Address, content.Name, content.Src = "", "", plan.Src{}
	raw, err := json.Marshal(content)
	if err != nil {
		panic("sim: " + err.Error())
	}
	return string(raw)
}

// applyChecks makes the checks of a plan the running ones.
func (p *process) applyChecks(checks []plan.Check) {
	old := p.match(checks)
	next := make([]*runner, len(checks))
	failing := map[plan.Addr]bool{}
	for i := range checks {
		c, o := checks[i], old[i]
		switch {
		case o == nil:
			failing[c.Address] = p.m.failing[c.Address]
			next[i] = &runner{check: c, content: contentOf(&c), counter: hysteresis.New(c.Fall, c.Rise)}
		case o.content == contentOf(&c):
			failing[c.Address] = p.m.failing[o.check.Address]
			o.check.Address = c.Address
			next[i] = o
			continue
		default:
			failing[c.Address] = p.m.failing[c.Address]
			next[i] = &runner{check: c, content: contentOf(&c), counter: o.counter.Carry(c.Fall, c.Rise)}
		}
		p.begins(next[i])
	}
	for _, r := range p.runners {
		r.ended = true
	}
	for _, r := range next {
		r.ended = false
	}
	p.runners, p.m.failing = next, failing
}

func (p *process) begins(r *runner) {
	first := min(time.Duration(r.check.IntervalMs)*time.Millisecond, spreadMax)
	p.then(time.Duration(p.m.w.rndHost.Int64N(int64(first))), func() { p.run(r) })
}

// run is one run of a check.
func (p *process) run(r *runner) {
	if r.ended {
		return
	}
	ok, takes := !p.m.failing[r.check.Address], runTakes
	if !ok {
		most := time.Duration(r.check.TimeoutMs) * time.Millisecond
		f := p.m.w.opt.Host.Fail
		takes = time.Duration(float64(most) * (f[0] + (f[1]-f[0])*p.m.w.rndHost.Float64()))
	}
	interval := time.Duration(r.check.IntervalMs) * time.Millisecond
	p.then(takes, func() {
		if !r.ended && r.counter.Result(ok) {
			state := r.state()
			p.post(func(now vrrp.Instant) { p.checked(now, r, state) })
		}
		p.then(max(interval-takes, 0), func() { p.run(r) })
	})
}

func (p *process) checked(now vrrp.Instant, r *runner, state plan.CheckState) {
	if r.ended {
		return
	}
	p.trace("%s is %s", r.check.Address, state)
	p.give(now, CheckChanged, func() { p.out = p.node.Check(now, r.check.Address, state, p.out[:0]) })
}

func (r *runner) state() plan.CheckState {
	switch r.counter.State() {
	case hysteresis.Up:
		return plan.CheckUp
	case hysteresis.Down:
		return plan.CheckDown
	}
	return plan.CheckUnknown
}
