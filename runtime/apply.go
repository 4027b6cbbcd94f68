package runtime

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"hafile/lang/diff"
	"hafile/lang/plan"
	"hafile/lang/planfile"
	"hafile/runtime/control"
	"hafile/runtime/kernel"
	"hafile/runtime/node"
	"hafile/runtime/store"
	"hafile/runtime/vrrp"
)

// confirmWait is how long the kernel may take to say that it has what a plan wants.
const confirmWait = 2 * time.Second

// transaction is one apply from its first check to its result.
type transaction struct {
	d    *daemon
	req  control.Apply
	emit func(control.Event)

	before  *running
	secrets store.Secrets
	pinned  store.Secrets  // of a plan that is returned to: its secrets are those of then
	former  []store.Former // identities that the instances will have beside their own
	changes []diff.Change
	summary diff.Summary
	note    string
	present diff.Present       // when the plan was judged
	rivals  map[plan.Addr]bool // instances that another machine was heard to be active for

	since    changes // of roles, before the commit
	stored   string  // what the store has to say of it
	surprise string  // what happened to an address was worse than predicted
}

// Apply is POST /v1/plan. Until the first step is emitted nothing has changed; from
// there on it ends in a result, whoever still listens.
func (d *daemon) Apply(ctx context.Context, req control.Apply, emit func(control.Event)) *control.Problem {
	done, p := d.enter()
	if p != nil {
		return p
	}
	defer done()
	if p := d.signed(&req); p != nil {
		return p
	}
	return d.apply(ctx, &transaction{req: req}, emit)
}

// enter takes the right to change what runs, until done. Nobody waits for it.
func (d *daemon) enter() (done func(), p *control.Problem) {
	d.tidying.Lock() // see idle
	free := d.applying.TryLock()
	d.tidying.Unlock()
	if !free {
		return nil, &control.Problem{Exit: 1, Code: control.CodeBusy, Summary: "another plan is being applied", Detail: "Try again when it is done."}
	}
	if d.stopping.Load() {
		d.applying.Unlock()
		return nil, &control.Problem{Exit: 6, Code: control.CodeStopping, Summary: "the daemon is stopping", Detail: "Start it again, then apply."}
	}
	return d.applying.Unlock, nil
}

func (d *daemon) apply(ctx context.Context, t *transaction, emit func(control.Event)) *control.Problem {
	if p := d.unconfirmed(); p != nil {
		return p
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // a stop does not wait for what only listens
		select {
		case <-d.quit:
			cancel()
		case <-ctx.Done():
		}
	}()
	t.d, t.before = d, d.running.Load()
	t.emit = stamped(emit)
	if done, p := t.judge(); done || p != nil {
		return p
	}
	if p := t.prepare(ctx); p != nil {
		t.unready()
		d.tidy()
		return p
	}
	if t.req.DryRun {
		t.unready()
		d.tidy()
		t.result(0, t.before.status.Serial, "nothing was changed: a dry run ends here")
		return nil
	}
	t.carryOut()
	return nil
}

func stamped(emit func(control.Event)) func(control.Event) {
	return func(ev control.Event) {
		ev.Time = time.Now()
		emit(ev)
	}
}

// judge asks whether the plan is sound, fits what runs, and is allowed. done: there is
// nothing to do.
func (t *transaction) judge() (done bool, p *control.Problem) {
	doc := t.req.Plan
	if p := sound(doc); p != nil {
		return false, p
	}
	if doc.Base.Digest == "" {
		doc.Base.Digest = t.req.Base
	}
	if doc.Base.Digest != t.req.Base {
		return false, &control.Problem{Exit: 1, Code: control.CodeMalformed, Summary: "malformed request",
			Detail: "If-Match does not name the state that the plan was made against."}
	}
	snap := t.d.engine.Snapshot()
	now := t.d.asRunning(t.before, &snap)
	t.present = now.Present
	v := planfile.Check(doc, now, time.Now())
	t.changes, t.summary, t.note = v.Changes, v.Summary, v.Note
	applied := v.Problem != nil && v.Problem.Code == planfile.CodeAlreadyApplied
	if v.Problem != nil && !applied {
		return false, problem(v.Problem)
	}
	if t.secrets = t.pinned; t.secrets == nil {
		t.secrets, p = resolveSecrets(&doc.Plan, t.d.opt.Credentials)
	}
	switch {
	case applied && (p != nil || !changedSecrets(&doc.Plan, t.before.secrets, t.secrets)):
		t.result(0, t.before.status.Serial, v.Problem.Error())
		return true, nil
	case p != nil:
		return false, p
	}
	if p := wrongKey(&doc.Plan, t.secrets); p != nil {
		return false, p
	}
	if t.before.configured() {
		t.recount(&now)
	}
	if p := planfile.Gate(t.changes, t.req.MaxImpact, t.req.Allow); p != nil {
		return false, problem(p)
	}
	if p := planfile.Held(now.Plan, &doc.Plan, t.req.Allow); p != nil {
		return false, problem(p)
	}
	if p := t.guards(&snap); p != nil {
		return false, p
	}
	t.former, p = t.d.formersOf(t.before, &doc.Plan, t.secrets)
	return false, p
}

// recount compares the plans with their passwords resolved: a secret whose content has
// changed is an edit though its name is the same, and a new name for the same content
// is none.
func (t *transaction) recount(now *planfile.Running) {
	doc := t.req.Plan
	if !changedSecrets(&doc.Plan, t.before.secrets, t.secrets) {
		return
	}
	key := t.d.store.Lineage()
	t.changes, t.summary = diff.Plans(veiled(t.before.plan, t.before.secrets, key), veiled(&doc.Plan, t.secrets, key), now.Present)
}

// sound asks what needs no knowledge of this daemon. The rule book is the one that
// `hafile validate` has read from already: what fails here was changed on the way.
func sound(doc *planfile.Document) *control.Problem {
	bad := func(code, detail string) *control.Problem {
		return &control.Problem{Exit: 1, Code: code, Summary: "the plan cannot be used", Detail: detail}
	}
	major, _, _ := strings.Cut(doc.FormatVersion, ".")
	if ours, _, _ := strings.Cut(plan.FormatVersion, "."); major != ours {
		return bad(planfile.CodeOtherFormat, fmt.Sprintf("It has format %.20q, this daemon reads %s. Use one release of hafile for both.", doc.FormatVersion, plan.FormatVersion))
	}
	if problems := plan.Verify(&doc.Plan); len(problems) > 0 {
		more := ""
		if len(problems) > 1 {
			more = fmt.Sprintf(" (and %d more)", len(problems)-1)
		}
		return bad(problems[0].Code, problems[0].Error()+more+". Run hafile validate and make the plan anew.")
	}
	if lacking := plan.Unsupported(&doc.Plan); len(lacking) > 0 {
		return bad(lacking[0].Code, lacking[0].Error()+". Take it out, or install a release that has it.")
	}
	if doc.Digest != doc.Plan.Digest() {
		return bad(planfile.CodeUnreadable, "Its digest is not that of its content. Make it anew with hafile plan.")
	}
	return nil
}

func problem(p *planfile.Problem) *control.Problem {
	return &control.Problem{Exit: p.Exit, Code: p.Code, Summary: p.Summary, Detail: p.Detail}
}

// prepare opens and looks at what the plan needs. It may refuse, and changes nothing.
func (t *transaction) prepare(ctx context.Context) *control.Problem {
	begin := time.Now()
	what, p := t.d.prepare(ctx, t)
	switch {
	case p != nil:
		return p
	case ctx.Err() != nil:
		return &control.Problem{Exit: 1, Code: control.CodeStopping, Summary: "broken off before anything was changed",
			Detail: "The client went away, or the daemon stops. Try again."}
	}
	t.step("prepare", what, begin, "")
	return nil
}

// carryOut commits and settles. Order: write next, commit, the kernel confirms, rename
// to current.
func (t *transaction) carryOut() {
	d, begin := t.d, time.Now()
	rec := &store.Record{
		Digest: t.req.Plan.Digest, By: t.req.By, When: begin.UTC(), Secrets: t.secrets, Plan: t.req.Plan.Plan.Clone(),
		Former: shared(&t.req.Plan.Plan, t.former),
	}
	rec.Plan.Normalize()
	if err := d.store.Stage(rec); err != nil {
		t.unready()
		d.tidy()
		t.step("commit", "store the plan", begin, err.Error())
		t.result(7, t.before.status.Serial, "nothing was changed: "+err.Error())
		return
	}
	old := d.engine.Snapshot()
	t.since = changesOf(&old)
	next := runningOf(rec, "apply")
	left, err := t.vacate()
	if err == nil {
		err = t.commit(next, &old, left)
	}
	switch {
	case err != nil:
	case t.req.ConfirmMs > 0:
		d.await(t.before, next, time.Duration(t.req.ConfirmMs)*time.Millisecond)
	default:
		err = d.store.Promote()
	}
	if err != nil {
		t.handBack(left)
		t.rollBack(begin, err)
		return
	}
	t.succeed(left)
	t.stored = d.storeSays()
	d.log.Info("plan applied", "serial", rec.Serial, "digest", planfile.Short(rec.Digest), "by", rec.By, "worst", t.summary.Worst)
	t.step("commit", count(len(t.changes)), begin, "")
	if t.note != "" {
		t.emit(control.Event{Type: "note", Message: t.note})
	}
	t.settle(&old, next)
	d.tidy()
}

// commit makes next run and waits for the kernel. A router that is alone first takes its
// new identity beside the old one, which keeps it what it is, and then drops that.
func (t *transaction) commit(next *running, old *node.Snapshot, left *adoption) error {
	if len(next.former) < len(t.former) {
		both := *next
		both.former = t.former
		t.d.commit(&both, left)
		if err := t.d.confirm(old.Wanted); err != nil {
			return err
		}
		snap := t.d.engine.Snapshot()
		t.since.follow(&snap)
	}
	t.d.commit(next, left)
	if left != nil {
		t.d.want.again() // for what is adopted where nothing is wanted
	}
	return t.d.confirm(old.Wanted)
}

// rollBack commits the plan before again, which the kernel had before, and says so.
func (t *transaction) rollBack(begin time.Time, cause error) {
	d := t.d
	d.store.Drop()
	d.goBack(t.before)
	d.want.again()
	d.tidy()
	t.restore()
	d.log.Error("plan not applied; the plan before runs again", "digest", planfile.Short(t.req.Plan.Digest), "error", cause)
	t.step("commit", count(len(t.changes)), begin, cause.Error())
	if t.note != "" {
		t.emit(control.Event{Type: "note", Message: t.note})
	}
	t.result(7, t.before.status.Serial, "rolled back, the plan before runs again: "+cause.Error())
}

// goBack makes a plan run again that ran before. A router that changed its identity at
// once has to go back on the same way, or it would be another one.
func (d *daemon) goBack(to *running) {
	if former, p := d.formersOf(d.running.Load(), to.plan, to.secrets); p == nil && len(former) > 0 {
		both := *to
		both.former = former
		d.commit(&both, nil)
	}
	d.commit(to, nil)
}

func count(changes int) string {
	if changes == 1 {
		return "1 change"
	}
	return fmt.Sprintf("%d changes", changes)
}

func (t *transaction) step(phase, what string, begin time.Time, problem string) {
	t.emit(control.Event{Type: "step", Step: &control.Step{
		Phase: phase, What: what, OK: problem == "", Problem: problem,
		TookMs: float64(time.Since(begin).Microseconds()) / 1000,
	}})
}

func (t *transaction) result(exit, serial int, message string) {
	t.emit(control.Event{Type: "result", Result: &control.Result{
		Exit: exit, Message: message + t.addendum(), Serial: serial, Digest: t.d.running.Load().status.Digest, Summary: t.summary,
	}})
}

// addendum is what is left for people to do, and what they were promised and did not get.
func (t *transaction) addendum() string {
	said := t.stored
	if w := t.d.pending.Load(); w != nil {
		said += fmt.Sprintf("; it is kept if hafile confirm arrives by %s, else plan %d runs again", w.until.Format(time.TimeOnly), w.before.status.Serial)
	}
	if run := t.d.running.Load(); len(run.former) > 0 {
		said += "; old and new identity on the wire are one election until hafile apply -retire"
	}
	if t.surprise != "" {
		said += "; not as predicted: " + t.surprise
	}
	return said
}

// commit makes a plan the running one in one turn of the loop. The checks' states go
// first: a renamed check that is down must not count as unknown for even one advert.
func (d *daemon) commit(r *running, left *adoption) {
	d.committing.Lock()
	defer d.committing.Unlock()
	checks := r.plan.Desired.Checks
	d.roles.expect(r.plan)
	d.watchRoutes(d.running.Load().plan, r.plan) // both: the checks of the one still run
	for address, state := range d.health.States(checks) {
		d.engine.Check(address, state)
	}
	d.notify.Apply(r.plan.Desired.Notifies)
	d.previous.Store(d.running.Swap(r))
	d.hosts = d.resolve(r, left)
	// Without a deadline: a commit cannot fail, and ends with the loop at the latest.
	_ = d.engine.Commit(context.Background(), d.hosts)
	snap := d.engine.Snapshot()
	d.roles.settle(r.plan, &snap)
	d.health.Apply(checks)
	d.watchRoutes(r.plan)
	d.others.apply(r.plan)
	d.lookAgain()
}

// confirm waits until the kernel has what is wanted now. What was wanted before and is
// missing since then is not this plan's fault.
func (d *daemon) confirm(before kernel.State) error {
	deadline := time.NewTimer(confirmWait)
	defer deadline.Stop()
	for {
		reported := d.reported.wait()
		snap := d.engine.Snapshot()
		missing := snap.Wanted.Without(snap.Have).Without(before)
		if err := refusal(&snap, missing); err != nil || len(missing) == 0 {
			return err
		}
		select {
		case <-reported:
		case <-deadline.C:
			return fmt.Errorf("the kernel does not confirm %s within %s", missing[0], confirmWait)
		}
	}
}

// refusal is what the kernel says against an address that is missing.
func refusal(snap *node.Snapshot, missing kernel.State) error {
	for i := range snap.Instances {
		for _, a := range snap.Instances[i].Addresses {
			if a.Refusal != "" && missing.Has(a.Address) {
				return errors.New("add " + a.Address.String() + ": " + a.Refusal)
			}
		}
	}
	return nil
}

// settle watches until every instance is in the role that the plan predicts: an active
// has sent an advert and heard no rival, a backup has heard its active.
func (t *transaction) settle(old *node.Snapshot, next *running) {
	serial := next.status.Serial
	if t.req.WaitMs == 0 {
		t.observe(old)
		t.result(0, serial, fmt.Sprintf("plan %d is running; nobody waited for it to settle", serial))
		return
	}
	begin := time.Now()
	watch := settling{since: old.Now, before: rolesByKey(old), moves: t.moving(), every: intervals(next.plan)}
	deadline := time.NewTimer(time.Duration(t.req.WaitMs) * time.Millisecond)
	defer deadline.Stop()
	look := time.NewTicker(50 * time.Millisecond) // each look copies all routers on the loop's thread
	defer look.Stop()
	for {
		snap := t.d.engine.Snapshot()
		open, said := watch.look(&snap)
		if open == "" {
			t.observe(old)
			t.step("settle", said, begin, "")
			t.result(0, serial, fmt.Sprintf("plan %d is running", serial))
			return
		}
		select {
		case <-look.C:
		case <-t.d.quit:
			t.result(7, serial, fmt.Sprintf("plan %d is stored; the daemon was stopped before it settled", serial))
			return
		case <-deadline.C:
			t.observe(old)
			t.step("settle", said, begin, open)
			t.result(7, serial, fmt.Sprintf("plan %d is running, but has not settled within %s: %s", serial, time.Duration(t.req.WaitMs)*time.Millisecond, open))
			return
		}
	}
}

// moving are the instances of which the plan says that their addresses may move.
func (t *transaction) moving() map[plan.Addr]bool {
	out := map[plan.Addr]bool{}
	for i := range t.changes {
		if c := &t.changes[i]; c.Impact.Class.Rank() >= diff.Moves.Rank() {
			out[c.Address] = true
		}
	}
	// A check that is edited may move every instance that tracks it.
	for i := range t.req.Plan.Desired.Instances {
		in := &t.req.Plan.Desired.Instances[i]
		for _, track := range t.req.Plan.Desired.Tracks(in) {
			out[in.Address] = out[in.Address] || out[track.Check]
		}
		if g := t.req.Plan.Desired.GroupOf(in.Address); g != nil {
			out[in.Address] = out[in.Address] || out[g.Address]
		}
	}
	return out
}

func intervals(p *plan.Plan) map[plan.WireKey]time.Duration {
	out := map[plan.WireKey]time.Duration{}
	for i := range p.Desired.Instances {
		in := &p.Desired.Instances[i]
		out[in.Wire()] = time.Duration(in.AdvertMs) * time.Millisecond
	}
	return out
}

func rolesByKey(snap *node.Snapshot) map[plan.WireKey]vrrp.Role {
	out := make(map[plan.WireKey]vrrp.Role, len(snap.Instances))
	for i := range snap.Instances {
		out[snap.Instances[i].Key] = snap.Instances[i].Role
	}
	return out
}

// settling knows what was, and looks at what is.
type settling struct {
	since  vrrp.Instant
	before map[plan.WireKey]vrrp.Role
	moves  map[plan.Addr]bool
	every  map[plan.WireKey]time.Duration // advert intervals
}

// look says what is still open, empty when all is settled, and in a few words what is.
func (s *settling) look(snap *node.Snapshot) (open, said string) {
	var active, backup int
	for i := range snap.Instances {
		in := &snap.Instances[i]
		if in.Leaving {
			continue
		}
		if open == "" {
			open = s.instance(in, snap.Now)
		}
		switch in.Role {
		case vrrp.Active:
			active++
		case vrrp.Backup:
			backup++
		}
	}
	if left := snap.Have.Without(snap.Wanted); open == "" && len(left) > 0 {
		open = left[0].String() + " is not removed yet"
	}
	return open, fmt.Sprintf("%d active, %d backup", active, backup)
}

func (s *settling) instance(in *node.Instance, now vrrp.Instant) string {
	was, known := s.was(in)
	switch {
	case in.Failing == vrrp.Drained:
		return "" // nobody promised more than that it keeps away
	case in.Role == vrrp.Active && in.SentAt <= s.since:
		return in.Name + " is active and has not sent an advert yet"
	case in.Role == vrrp.Active && s.rival(in, now) != "":
		return in.Name + " is active and hears " + s.rival(in, now)
	case in.Role == vrrp.Active:
		return s.present(in)
	case known && was == in.Role && !s.moves[in.Address]:
		return "" // as it was, and nothing else was promised
	case in.Role == vrrp.Backup && s.rival(in, now) != "":
		return ""
	}
	return fmt.Sprintf("%s is %s (%s)", in.Name, in.Role, in.Why)
}

// was is the role before the plan; an instance that is between two identities had it as
// one of them.
func (s *settling) was(in *node.Instance) (vrrp.Role, bool) {
	for _, k := range append([]plan.WireKey{in.Key}, in.Former...) {
		if role, known := s.before[k]; known {
			return role, true
		}
	}
	return 0, false
}

// rival is somebody who speaks for the group beside an active, or before a backup. The
// last advert of one who has just given way is not counted after an interval.
func (s *settling) rival(in *node.Instance, now vrrp.Instant) string {
	for _, p := range in.Peers {
		if p.At > s.since && p.Priority > 0 && now.Sub(p.At) < s.every[in.Key]+s.every[in.Key]/4 {
			return fmt.Sprintf("%s with priority %d", p.Address, p.Priority)
		}
	}
	return ""
}

// present says which address of an active the kernel has not.
func (s *settling) present(in *node.Instance) string {
	for _, a := range in.Addresses {
		if !a.Present && !a.Spare {
			return fmt.Sprintf("%s is active and %s is not installed", in.Name, a.Address)
		}
	}
	return ""
}
