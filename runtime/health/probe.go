package health

import (
	"context"
	"time"

	"hafile/lang/plan"
	"hafile/runtime/program"
)

// probe is one way to ask whether something is up. A script is one; those that hafile
// makes itself have a file each beside this one, and a line in probeOf.
type probe interface {
	// Run asks once and blocks until the answer, the check's timeout or the end of ctx.
	Run(ctx context.Context) outcome
}

// outcome of one run.
type outcome struct {
	ok             bool
	exit           *int
	output         string
	err            string
	started, ended time.Time
}

// probeOf is the probe of a check that passed plan.Verify and is not watched.
func (h *Health) probeOf(c *plan.Check) probe {
	switch {
	case c.Script != nil:
		return script(scriptSpec(c))
	case c.HTTP != nil:
		return &asking{timeout: ms(c.TimeoutMs), ask: newHTTP(c.HTTP).ask}
	case c.TCP != nil:
		return &asking{timeout: ms(c.TimeoutMs), ask: newTCP(c.TCP).ask}
	case c.Process != nil:
		p := process{spec: c.Process, census: h.census, age: min(ms(c.IntervalMs)/10, censusAge)}
		return &asking{timeout: ms(c.TimeoutMs), ask: patient(p.look)}
	case c.File != nil:
		return &asking{timeout: ms(c.TimeoutMs), ask: patient(file{c.File}.look)}
	case c.Ping != nil:
		return &asking{timeout: ms(c.TimeoutMs), ask: ping{c.Ping}.ask}
	case c.DNS != nil:
		return &asking{timeout: ms(c.TimeoutMs), ask: dns{c.DNS}.ask}
	}
	panic("health: a check of no kind: " + string(c.Address))
}

type script program.Spec

func scriptSpec(c *plan.Check) program.Spec {
	return program.Spec{
		Command: c.Script.Command, User: c.Script.User, Env: c.Script.Env,
		Timeout: ms(c.TimeoutMs), Leftovers: program.KillLeftovers,
	}
}

func (s script) Run(ctx context.Context) outcome {
	r := program.Run(ctx, program.Spec(s))
	o := outcome{ok: r.OK(), output: r.Output, started: r.Started, ended: r.Ended}
	if r.Ran {
		o.exit = &r.Exit
	}
	if r.Err != nil {
		o.err = r.Err.Error()
	}
	return o
}

// Verify says whether the check could run on this machine now: its program is there, is
// executable by its user, and nobody else could replace it. It runs nothing. The
// daemon asks before it takes a plan, and refuses with program.Code.
func Verify(_ context.Context, c *plan.Check) error {
	if c.Script == nil {
		return nil
	}
	return program.Verify(scriptSpec(c))
}

func ms(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
