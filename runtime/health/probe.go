package health

import (
	"context"
	"time"

	"hafile/lang/plan"
	"hafile/runtime/program"
)

// probe is one way to ask whether something is up. A script is one; a probe that hafile
// makes itself (tcp, http) is another file beside this one and a line in probeOf.
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

// probeOf is the probe of a check that passed plan.Verify.
func probeOf(c *plan.Check) probe { return script(scriptSpec(c)) }

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
