package runtime

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"hafile/lang/plan"
	"hafile/runtime/control"
	"hafile/runtime/node"
	"hafile/runtime/peers"
	"hafile/runtime/store"
	"hafile/runtime/vrrp"
)

// codeLast: nobody is known who could take the addresses.
const codeLast = "HA3112"

// Drain gives away what this node holds and keeps it from taking anything while somebody
// else can. It is refused while no other member is known to be able to; stored before it
// takes effect; and ends when its time is over. With To it is a handover: that member must
// be the one who would take the addresses, and the drain ends at once where this node
// would not take them back.
func (d *daemon) Drain(ctx context.Context, req control.DrainRequest, emit func(control.Event)) *control.Problem {
	done, p := d.enter()
	if p != nil {
		return p
	}
	defer done()
	known := d.others.watcher.Ask(ctx)
	run, snap, begin := d.running.Load(), d.engine.Snapshot(), time.Now()
	if p := d.mayLeave(run, &snap, known, req); p != nil {
		return p
	}
	emit = stamped(emit)
	dr := &store.Drain{Reason: req.Reason, By: req.By, Since: begin.UTC()}
	if req.ForMs > 0 {
		dr.Until = dr.Since.Add(time.Duration(req.ForMs) * time.Millisecond)
	}
	if err := d.store.SetDrain(dr); err != nil {
		emit(d.drainResult(7, "nothing was changed: "+err.Error()))
		return nil
	}
	d.drain(dr)
	d.log.Warn("drained: this machine gives its addresses away", "reason", dr.Reason, "by", dr.By, "until", dr.Until)
	stayed := d.handedOver(ctx)
	step := &control.Step{Phase: "drain", What: held(&snap), OK: len(stayed) == 0, TookMs: float64(time.Since(begin).Microseconds()) / 1000}
	if !step.OK {
		step.Problem = strings.Join(stayed, "; ")
	}
	emit(control.Event{Type: "step", Step: step})
	switch {
	case !step.OK:
		emit(d.drainResult(7, "drained, and not everything is gone: "+step.Problem))
	case req.To != "" && !takesBack(run.plan, &snap, req.To):
		if err := d.undrain(); err != nil {
			emit(d.drainResult(7, err.Error()))
			return nil
		}
		emit(d.drainResult(0, fmt.Sprintf("%s has the addresses; this node stands by", req.To)))
	case req.To != "":
		emit(d.drainResult(0, fmt.Sprintf("%s has the addresses; this node would take them back at once, and keeps away until hafile undrain", req.To)))
	default:
		emit(d.drainResult(0, "drained; "+until(dr)))
	}
	return nil
}

func until(dr *store.Drain) string {
	if dr.Until.IsZero() {
		return "until hafile undrain"
	}
	return "until " + dr.Until.Local().Format(time.DateTime) + " or hafile undrain"
}

func (d *daemon) drainResult(exit int, message string) control.Event {
	run := d.running.Load()
	return control.Event{Type: "result", Result: &control.Result{Exit: exit, Message: message, Serial: run.status.Serial, Digest: run.status.Digest}}
}

// Undrain makes the node a candidate again.
func (d *daemon) Undrain(_ context.Context, req control.UndrainRequest, emit func(control.Event)) *control.Problem {
	done, p := d.enter()
	if p != nil {
		return p
	}
	defer done()
	emit = stamped(emit)
	if d.drained.Load() == nil {
		emit(d.drainResult(0, "this node is not drained"))
		return nil
	}
	if err := d.undrain(); err != nil {
		emit(d.drainResult(7, "still drained: "+err.Error()))
		return nil
	}
	d.log.Info("drained no longer", "by", req.By)
	emit(d.drainResult(0, "this node is a candidate again"))
	return nil
}

// drain makes it so.
func (d *daemon) drain(dr *store.Drain) {
	d.drained.Store(dr)
	_ = d.engine.Drain(context.Background(), dr != nil)
	d.others.server.Changed()
}

func (d *daemon) undrain() error {
	if err := d.store.SetDrain(nil); err != nil {
		return err
	}
	d.drain(nil)
	return nil
}

// drainOver ends a drain whose time is over.
func (d *daemon) drainOver() {
	dr := d.drained.Load()
	if dr == nil || dr.Until.IsZero() || time.Now().Before(dr.Until) || !d.applying.TryLock() {
		return
	}
	defer d.applying.Unlock()
	if d.drained.Load() != dr {
		return
	}
	if err := d.undrain(); err != nil {
		d.log.Error("the time of the drain is over, and it stays", "error", err)
		return
	}
	d.event("note", "the time of the drain is over: this node is a candidate again")
}

// handedOver waits for the departures under way, which package vrrp bounds, and says which
// instances stay because nobody took them.
func (d *daemon) handedOver(ctx context.Context) (stayed []string) {
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for {
		snap := d.engine.Snapshot()
		leaving := false
		stayed = nil
		for i := range snap.Instances {
			in := &snap.Instances[i]
			leaving = leaving || in.Role == vrrp.Leaving
			if in.Role == vrrp.Active || in.Role == vrrp.Leaving {
				stayed = append(stayed, fmt.Sprintf("%s is %s here (%s)", in.Name, in.Role, in.Why))
			}
		}
		if !leaving {
			return stayed
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return stayed
		case <-d.quit:
			return stayed
		}
	}
}

func held(snap *node.Snapshot) string {
	n := 0
	for i := range snap.Instances {
		if snap.Instances[i].Role == vrrp.Active {
			n++
		}
	}
	if n == 1 {
		return "1 instance"
	}
	return fmt.Sprintf("%d instances", n)
}

// mayLeave refuses what would leave an address without anybody who is known to be able to
// take it. Force takes a person's word for it.
func (d *daemon) mayLeave(run *running, snap *node.Snapshot, known map[string]peers.Peer, req control.DrainRequest) *control.Problem {
	if req.To != "" && !slices.ContainsFunc(d.members(run.plan, known), func(m control.Member) bool { return m.Node == req.To }) {
		return &control.Problem{Exit: 1, Code: control.CodeMalformed, Summary: fmt.Sprintf("%s is no other member of any instance here", req.To), Detail: "See hafile status."}
	}
	if req.Force {
		return nil
	}
	for i := range snap.Instances {
		is := &snap.Instances[i]
		in := run.plan.Desired.Instance(is.Address)
		if in == nil || is.Leaving {
			continue
		}
		why := nobodyElse(standings(run.plan, in, is, snap.Now, known), vipsOf(in))
		if why == "" && req.To != "" && is.Role == vrrp.Active {
			why = notNext(standings(run.plan, in, is, snap.Now, known), in, req.To)
		}
		if why != "" {
			return &control.Problem{Exit: 4, Code: codeLast, Summary: fmt.Sprintf("%s would have no owner that is known: %s", is.Name, why),
				Detail: "See hafile status; with -force the addresses are offered all the same, and stay here if nobody takes them."}
		}
	}
	return nil
}

// nobodyElse says why no other member could take the addresses; empty if one could.
func nobodyElse(all []standing, vips []netip.Prefix) string {
	var words []string
	for i := range all {
		s := &all[i]
		switch {
		case s.ready(vips), s.heard:
			return ""
		case s.in != nil:
			words = append(words, s.unfit(vips))
		default:
			words = append(words, fmt.Sprintf("%s is unknown (%s)", s.node, s.why))
		}
	}
	if len(words) == 0 {
		return "there is no other member"
	}
	return strings.Join(words, ", ")
}

// notNext says why another member than the one named would take the addresses.
func notNext(all []standing, in *plan.Instance, to string) string {
	vips := vipsOf(in)
	var chosen *standing
	for i := range all {
		if all[i].node == to {
			chosen = &all[i]
		}
	}
	switch {
	case chosen == nil:
		return fmt.Sprintf("%s is no member of it", to)
	case !chosen.ready(vips) && chosen.in != nil:
		return chosen.unfit(vips)
	case !chosen.ready(vips):
		return fmt.Sprintf("%s is unknown (%s)", to, chosen.why)
	}
	for i := range all {
		if s := &all[i]; s.node != to && s.ready(vips) && s.in.Priority >= chosen.in.Priority {
			return fmt.Sprintf("%s would take it with priority %d, and not %s with %d", s.node, s.in.Priority, to, chosen.in.Priority)
		}
	}
	return ""
}

// takesBack reports whether this node would preempt a member to which it has just given
// what it held.
func takesBack(p *plan.Plan, snap *node.Snapshot, to string) bool {
	for i := range snap.Instances {
		in := p.Desired.Instance(snap.Instances[i].Address)
		if in == nil || snap.Instances[i].Role != vrrp.Active || !in.Preempt {
			continue
		}
		for _, m := range in.Members {
			if m.Node == to && snap.Instances[i].Effective > m.Priority {
				return true
			}
		}
	}
	return false
}
