package runtime

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"hafile/lang/planfile"
	"hafile/runtime/control"
	"hafile/runtime/store"
)

// pending is a plan that runs and is not kept yet: on the disk it is `next`, and the plan
// before is still `current`. So a daemon that dies or a machine that is switched off
// before the word comes starts with the plan before; nothing has to remember the
// countdown.
type pending struct {
	before, next *running
	until        time.Time
	timer        *time.Timer
}

// unconfirmed refuses what would have to build on a plan that may not stay.
func (d *daemon) unconfirmed() *control.Problem {
	w := d.pending.Load()
	if w == nil {
		return nil
	}
	return &control.Problem{
		Exit: 4, Code: control.CodePending, Summary: fmt.Sprintf("plan %d waits for its confirmation until %s", w.next.status.Serial, w.until.Format(time.TimeOnly)),
		Detail: fmt.Sprintf("Keep it with hafile confirm, or return to plan %d with hafile rollback.", w.before.status.Serial),
	}
}

// await begins the countdown.
func (d *daemon) await(before, next *running, wait time.Duration) {
	w := &pending{before: before, next: next, until: time.Now().Add(wait)}
	w.timer = time.AfterFunc(wait, func() { d.expire(w) })
	d.pending.Store(w)
}

// expire takes its turn behind an apply that still settles. A daemon that stops meanwhile
// starts with the plan before anyway.
func (d *daemon) expire(w *pending) {
	d.applying.Lock()
	defer d.applying.Unlock()
	if d.pending.Load() != w || d.stopping.Load() {
		return
	}
	d.revert(w)
	d.event("note", fmt.Sprintf("plan %d was not confirmed in time; plan %d runs again", w.next.status.Serial, w.before.status.Serial))
}

// revert makes the plan before run again, and waits for the kernel, which has had all of
// it before.
func (d *daemon) revert(w *pending) {
	w.timer.Stop()
	d.pending.Store(nil)
	d.store.Drop()
	d.goBack(w.before)
	if !d.released(confirmWait) {
		d.log.Error("the plan before runs again, and the kernel has not removed all addresses of the other yet")
	}
	d.tidy()
}

// released waits until the kernel has nothing of ours that is not wanted.
func (d *daemon) released(within time.Duration) bool {
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	for {
		reported := d.reported.wait()
		snap := d.engine.Snapshot()
		if len(snap.Have.Without(snap.Wanted)) == 0 {
			return true
		}
		select {
		case <-reported:
		case <-deadline.C:
			return false
		}
	}
}

// Confirm keeps the plan that waits for it.
func (d *daemon) Confirm(context.Context) (*control.Result, *control.Problem) {
	done, p := d.enter()
	if p != nil {
		return nil, p
	}
	defer done()
	w := d.pending.Load()
	if w == nil {
		return nil, &control.Problem{Exit: 1, Code: control.CodeNothingPending, Summary: "no plan waits for a confirmation",
			Detail: "It was confirmed already, or the time was over and the plan before runs again: see hafile history."}
	}
	w.timer.Stop()
	if err := d.store.Promote(); err != nil {
		d.revert(w)
		return &control.Result{Exit: 7, Serial: w.before.status.Serial, Digest: w.before.status.Digest,
			Message: "rolled back, the plan before runs again: " + err.Error()}, nil
	}
	d.pending.Store(nil)
	d.log.Info("plan confirmed", "serial", w.next.status.Serial)
	return &control.Result{Serial: w.next.status.Serial, Digest: w.next.status.Digest,
		Message: fmt.Sprintf("plan %d is kept", w.next.status.Serial) + d.storeSays()}, nil
}

// Rollback ends a plan that waits for its confirmation, or applies a plan of the history
// again: its secrets are those of then, and its impact is judged as that of any other.
func (d *daemon) Rollback(ctx context.Context, req control.RollbackRequest, emit func(control.Event)) *control.Problem {
	done, p := d.enter()
	if p != nil {
		return p
	}
	defer done()
	if w := d.pending.Load(); w != nil && (req.Serial == 0 || req.Serial == w.before.status.Serial) {
		d.revert(w)
		d.log.Info("plan not kept", "serial", w.next.status.Serial, "by", req.By)
		stamped(emit)(control.Event{Type: "result", Result: &control.Result{
			Serial: w.before.status.Serial, Digest: w.before.status.Digest, Message: fmt.Sprintf("plan %d runs again", w.before.status.Serial),
		}})
		return nil
	}
	rec, p := d.formerly(req.Serial)
	if p != nil {
		return p
	}
	run := d.running.Load()
	snap := d.engine.Snapshot()
	now := d.asRunning(run, &snap)
	doc := planfile.New(planfile.Input{HafileVersion: d.opt.Version, Plan: rec.Plan, Running: &now, Now: time.Now()})
	secrets := rec.Secrets
	if secrets == nil {
		secrets = store.Secrets{}
	}
	return d.apply(ctx, &transaction{pinned: secrets, req: control.Apply{Base: doc.Base.Digest, DryRun: req.DryRun, ApplyRequest: control.ApplyRequest{
		Plan: doc, MaxImpact: req.MaxImpact, Allow: req.Allow, WaitMs: req.WaitMs, By: req.By,
	}}}, emit)
}

// formerly is a plan of the history; 0 is the last one that is another than the one that
// runs.
func (d *daemon) formerly(serial int) (*store.Record, *control.Problem) {
	none := func(detail string) *control.Problem {
		return &control.Problem{Exit: 1, Code: control.CodeNoSuchPlan, Summary: "there is no such plan to return to", Detail: detail + " See hafile history."}
	}
	run := d.running.Load()
	if serial == 0 {
		list, err := d.store.History()
		if err != nil {
			return nil, none(err.Error() + ".")
		}
		for _, e := range list {
			if e.Serial < run.status.Serial && e.Digest != run.status.Digest {
				serial = e.Serial
				break
			}
		}
	}
	if serial == 0 {
		return nil, none("This is the first one.")
	}
	rec, err := d.store.Load(serial)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, none(fmt.Sprintf("Plan %d is not kept: the last %d are.", serial, store.HistoryMax))
	case err != nil:
		return nil, none(err.Error() + ".")
	}
	return rec, nil
}

// History lists the plans that are kept, the newest first.
func (d *daemon) History() (*control.History, *control.Problem) {
	d.applying.Lock()
	defer d.applying.Unlock()
	list, err := d.store.History()
	if err != nil {
		return nil, &control.Problem{Exit: 1, Code: control.CodeNoSuchPlan, Summary: "the history cannot be read", Detail: err.Error() + "; look at the state directory."}
	}
	run := d.running.Load()
	h := &control.History{Lineage: d.store.Lineage(), Running: run.status.Serial, Plans: []control.PlanStatus{}}
	if w := d.pending.Load(); w != nil {
		h.Plans = append(h.Plans, w.next.status)
		h.ConfirmBy = &w.until
	}
	for _, e := range list {
		h.Plans = append(h.Plans, control.PlanStatus{Serial: e.Serial, Digest: e.Digest, Since: e.When, By: e.By})
	}
	return h, nil
}
