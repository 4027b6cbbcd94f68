package runtime

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"hafile/lang/plan"
	"hafile/runtime/control"
	"hafile/runtime/keepalived"
	"hafile/runtime/kernel"
)

// A takeover puts the first plan in the place of a keepalived that runs here. Everything
// that can be refused is refused while keepalived runs: the plan is prepared, and every
// check has answered. Then keepalived stands still, the plan is committed with what
// keepalived has installed, and only when the kernel has confirmed it and it is on the
// disk, keepalived is killed. Whatever goes wrong in between hands the addresses back and
// lets keepalived go on; if this process dies there, the next one does that, or ends what
// was begun if the plan is on the disk already.

const (
	codeKeepalived = "HA3110" // there is no keepalived to take the place of, or it cannot be taken
	codeNotReady   = "HA3111" // a check is down, or does not answer
)

// readyMax bounds how long a takeover waits for the first answers of its checks.
const readyMax = time.Minute

// prepareTakeover refuses what cannot be taken over.
func (t *transaction) prepareTakeover() *control.Problem {
	k := t.req.Takeover
	if k == nil {
		return nil
	}
	refuse := func(exit int, summary, detail string) *control.Problem {
		return &control.Problem{Exit: exit, Code: codeKeepalived, Summary: summary, Detail: detail}
	}
	t.req.Adopt = true
	switch err := k.Verify(); {
	case t.before.configured():
		return refuse(1, "hafile runs a plan here already", "A takeover is for the first one. Stop keepalived, then hafile apply -adopt.")
	case t.req.ConfirmMs > 0:
		return refuse(1, "a takeover waits for no confirmation", "keepalived ends with it. Leave -confirm out.")
	case err != nil:
		return refuse(1, err.Error(), "Look at hafile takeover again.")
	case k.Others > 0 && !slices.Contains(t.req.Allow, "lvs"):
		return refuse(4, "keepalived balances here too (LVS), or runs BFD",
			"That ends with it; what it has configured in the kernel stays. Make a file of the LVS part (hafile convert -lvs-out), takeover -allow=lvs, and start keepalived -C with it.")
	}
	return nil
}

// ready starts the checks and waits until each has answered. One that is down would move
// the addresses as soon as the plan runs: keepalived runs its scripts as another user,
// so that this is the moment to find out.
func (t *transaction) ready(ctx context.Context) *control.Problem {
	d, checks := t.d, t.req.Plan.Plan.Desired.Checks
	if t.req.Takeover == nil || len(checks) == 0 {
		return nil
	}
	d.watchRoutes(t.before.plan, &t.req.Plan.Plan)
	d.health.Apply(checks)
	begin := time.Now()
	deadline := time.NewTimer(patience(checks))
	defer deadline.Stop()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		waits, wrong := t.answers(checks)
		switch {
		case wrong != nil:
			return wrong
		case waits == nil:
			t.step("ready", "every check has answered", begin, "")
			return nil
		}
		select {
		case <-look.C:
		case <-deadline.C:
			return waits
		case <-ctx.Done():
			return &control.Problem{Exit: 1, Code: control.CodeStopping, Summary: "broken off before anything was changed",
				Detail: "The client went away, or the daemon stops. Try again."}
		}
	}
}

// answers is why the takeover has to wait for a check, and why it must not go on.
func (t *transaction) answers(checks []plan.Check) (waits, wrong *control.Problem) {
	states := t.d.health.States(checks)
	for i := range checks {
		a := checks[i].Address
		if slices.Contains(t.req.Allow, "check:"+string(a)) {
			continue
		}
		switch states[a] {
		case plan.CheckUnknown:
			waits = notReady(a, "has not answered", "Look at what it does")
		case plan.CheckDown:
			return nil, notReady(a, "is down"+t.d.said(a), "Find out why it is, and whether it is for keepalived (which may run it as another user)")
		}
	}
	return waits, nil
}

func notReady(check plan.Addr, what, detail string) *control.Problem {
	return &control.Problem{Exit: 4, Code: codeNotReady, Summary: string(check) + " " + what,
		Detail: fmt.Sprintf("%s, or go on with -allow=check:%s. keepalived runs as before.", detail, check)}
}

// said is what a check said last.
func (d *daemon) said(check plan.Addr) string {
	for _, s := range d.health.Status() {
		if last := strings.TrimSpace(s.LastError + " " + s.LastOutput); s.Address == check && last != "" {
			return ": " + last
		}
	}
	return ""
}

// patience is how long checks may take to answer for the first time.
func patience(checks []plan.Check) (longest time.Duration) {
	for i := range checks {
		c := &checks[i]
		runs := int64(max(c.Rise, c.Fall))
		longest = max(longest, time.Duration(runs*(c.IntervalMs+c.TimeoutMs))*time.Millisecond)
	}
	return min(longest+time.Second, readyMax)
}

// unready ends checks that were started for a takeover that does not take place.
func (t *transaction) unready() {
	if t.req.Takeover != nil {
		t.d.health.Apply(t.before.plan.Desired.Checks)
	}
}

// vacate makes keepalived stand still, if the plan takes its place, and says what is
// installed to be adopted; nil if nothing is to be. Where a rival was heard that is
// active, what is installed is a leftover: it is adopted to be removed.
func (t *transaction) vacate() (*adoption, error) {
	if !t.req.Adopt {
		return nil, nil
	}
	d := t.d
	left := &adoption{roles: map[plan.WireKey]string{}, age: -1}
	if k := t.req.Takeover; k != nil {
		if err := d.rundir.SetStanding(k); err != nil {
			return nil, err
		}
		left.still = time.Now()
		if err := k.Freeze(); err != nil {
			return nil, err
		}
	}
	p := &t.req.Plan.Plan
	var err error
	if left.lies, err = d.kernel.Installed(context.Background(), addressesOf(p)); err != nil {
		return nil, fmt.Errorf("look at the addresses: %w", err)
	}
	left.have = addressesOf(p).Like(left.lies)
	for i := range p.Desired.Instances {
		if in := &p.Desired.Instances[i]; t.rivals[in.Address] {
			left.have = left.have.Without(addressesOf(&plan.Plan{Desired: plan.Desired{Instances: []plan.Instance{*in}}}))
		}
	}
	d.kernel.Adopt(addressesOf(p))
	return left, nil
}

// succeed kills the predecessor, whose place is taken.
func (t *transaction) succeed(left *adoption) {
	k := t.req.Takeover
	if k == nil {
		return
	}
	took := time.Since(left.still)
	if err := k.End(); err != nil {
		t.d.log.Error("keepalived stands still and cannot be ended", "error", err)
		t.say(err.Error() + "; it stands still: end it by hand")
		return
	}
	t.d.stands(nil)
	t.d.log.Info("the place of keepalived is taken", "process", k.Parent.PID, "stood still", took)
	t.emit(control.Event{Type: "step", Step: &control.Step{Phase: "takeover", What: k.String() + " has ended", OK: true, TookMs: float64(took.Microseconds()) / 1000}})
}

// restore lets the predecessor go on, as if nothing had been.
func (t *transaction) restore() {
	k := t.req.Takeover
	if k == nil {
		return
	}
	if err := k.Thaw(); err != nil {
		t.d.log.Error("keepalived stands still and cannot go on", "error", err)
		t.say(err.Error() + "; start keepalived by hand")
		return
	}
	t.d.stands(nil)
	t.say(k.String() + " runs as before")
}

// stands keeps or ends the record of a predecessor that stands still.
func (d *daemon) stands(k *keepalived.Daemon) {
	if err := d.rundir.SetStanding(k); err != nil {
		d.log.Warn("the record of the takeover", "error", err)
	}
}

// handBack gives what was adopted from keepalived back to it. It takes effect with the
// commit that follows.
func (t *transaction) handBack(left *adoption) {
	if t.req.Takeover != nil && left != nil {
		t.d.kernel.Disown(left.lies.Add(left.have...))
	}
}

// finishTakeover ends what a process before this one has begun: with the plan on the disk
// keepalived's place is taken; without it keepalived goes on with what it had, and nothing
// is left for this process.
func (d *daemon) finishTakeover() (handedBack bool) {
	k, err := d.rundir.Standing()
	switch {
	case err != nil:
		d.log.Warn("starting without it", "error", err)
		return false
	case k == nil:
		return false
	case d.store.Current() != nil:
		err = k.End()
		d.log.Warn("took the place of keepalived for a process that died meanwhile", "process", k.Parent.PID)
	default:
		d.kernel.Disown(d.kernel.Adoptable())
		d.want.Want(0, nil, nil)
		handedBack = true
		err = k.Thaw()
		d.log.Warn("keepalived goes on: the process that was to take its place died meanwhile", "process", k.Parent.PID)
	}
	if err != nil {
		d.log.Error("keepalived stands still", "error", err)
		return handedBack
	}
	d.stands(nil)
	return handedBack
}

// leftover are addresses that a plan wants and that lie there with another prefix length,
// which cannot be adopted as they are.
func leftover(conflicts []kernel.Refusal, exact kernel.State) (out []kernel.Refusal) {
	for _, c := range conflicts {
		if len(exact.Like(kernel.State{c.Address})) == 0 {
			out = append(out, c)
		}
	}
	return out
}
