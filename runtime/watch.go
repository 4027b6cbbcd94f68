package runtime

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"hafile/lang/plan"
	"hafile/runtime/control"
	"hafile/runtime/kernel"
	"hafile/runtime/kernel/netlink"
	"hafile/runtime/node"
	"hafile/runtime/notify"
	"hafile/runtime/rawsock"
	"hafile/runtime/store"
	"hafile/runtime/vrrp"
)

// housekeeping is how often what nobody waits for is looked after.
const housekeeping = time.Second

// bell wakes everybody who waits for the next time that something happens. The mutex
// guards the channel that is closed then.
type bell struct {
	mu   *sync.Mutex
	next *chan struct{}
}

func newBell() bell {
	next := make(chan struct{})
	return bell{mu: &sync.Mutex{}, next: &next}
}

// wait is closed at the next ring. Take it before looking, or a fire in between is missed.
func (s bell) wait() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *s.next
}

func (s bell) ring() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(*s.next)
	*s.next = make(chan struct{})
}

// wanter hands the loop's wishes to the owner of the addresses. Until the loop has one,
// the owner changes nothing; begin says for it that nothing is wanted, so that what a
// process before this one has left is removed. The mutex keeps begin from overtaking a
// wish; it is held for as long as a wish takes to copy.
type wanter struct {
	owner  *netlink.Owner
	mu     sync.Mutex
	asked  bool
	gen    uint64
	want   kernel.State
	beside kernel.Things
}

func (w *wanter) Want(gen uint64, want kernel.State, beside kernel.Things) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked, w.gen, w.want, w.beside = true, gen, want, beside
	w.owner.Want(gen, want, beside)
}

// again repeats the last wish, for what the owner was asked to do with the next one.
func (w *wanter) again() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.owner.Want(w.gen, w.want, w.beside)
}

func (w *wanter) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.asked {
		w.owner.Want(0, nil, nil)
	}
}

// netlinkOptions are the callbacks of the owner of the addresses. They run on its
// goroutine and only hand on.
func (d *daemon) netlinkOptions(left *store.Owned, built <-chan struct{}) netlink.Options {
	return netlink.Options{
		Record:  installed(left),
		Report:  func(r kernel.Report) { <-built; d.kernelReported(r) },
		Link:    func(l kernel.Link) { <-built; d.linkChanged(l) },
		Problem: func(err error) { d.log.Warn("netlink", "error", err) },
	}
}

func (d *daemon) kernelReported(r kernel.Report) {
	d.engine.KernelReport(r)
	d.left.Store(&r.Have)
	d.reported.ring()
	for _, a := range r.Removed {
		d.event("kernel", fmt.Sprintf("%s was removed by somebody else; it is put back", a))
	}
	for _, f := range r.Refused {
		d.event("kernel", fmt.Sprintf("%s is refused: %s", f.Address, f.Err))
	}
	for _, what := range r.Restored {
		d.event("kernel", what+" was gone; it is put back")
	}
	for _, what := range r.Missing {
		if !slices.Contains(d.missing, what) {
			d.event("kernel", what+"; it is tried again")
		}
	}
	d.missing = r.Missing
}

// event is one line in the log and one on the event stream.
func (d *daemon) event(kind, message string) {
	d.log.Warn(message)
	d.hub.Publish(control.Event{Type: kind, Time: time.Now(), Message: message})
}

func (d *daemon) checkChanged(a plan.Addr, state plan.CheckState) {
	d.engine.Check(a, state)
	d.others.server.Changed()
	d.hub.Publish(control.Event{Type: "check", Time: time.Now(), Check: &control.CheckChange{Check: a, State: string(state)}})
}

// linkChanged tells the loop at once what it must not send into any more. What has come
// back needs sockets first, which is the refresher's work.
func (d *daemon) linkChanged(l kernel.Link) {
	d.links.set(l)
	d.speaker.Link(announceable(l))
	if wrongWith(l) != "" {
		d.links.tell(d.engine, l.Name)
	}
	d.lookAgain()
	select {
	case d.refresh <- struct{}{}:
	default:
	}
}

// refresher opens sockets on interfaces that have come, and commits the running plan
// again when an interface has another address to send from.
func (d *daemon) refresher() {
	for {
		select {
		case <-d.refresh:
		case <-d.quit:
			return
		}
		d.committing.Lock()
		run := d.running.Load()
		d.bring(run)
		if now := d.resolve(run, nil); !maps.Equal(stripped(now), stripped(d.hosts)) || !reflect.DeepEqual(now.Former, d.hosts.Former) {
			d.hosts = now
			_ = d.engine.Commit(context.Background(), now)
		}
		d.committing.Unlock()
	}
}

// stripped are the hosts of a resolved plan without what counts at a start only.
func stripped(r node.Resolved) map[plan.Addr]node.Host {
	out := maps.Clone(r.Hosts)
	for a, h := range out {
		h.Holding, h.Fresh, h.Sequence = false, false, 0
		out[a] = h
	}
	return out
}

// bring opens what the plan needs on the interfaces that are there, then tells the loop
// what is wrong with each, which may be nothing.
func (d *daemon) bring(r *running) {
	resolved := d.resolve(r, nil)
	for at, n := range needs(&resolved) {
		if l, there := d.links.get(at.Interface); there {
			if err := d.sockets.ensure(at, l, n); err != nil {
				d.log.Error("no adverts on this interface", "interface", at.Interface, "transport", at.Transport, "error", err)
			}
		}
		d.links.tell(d.engine, at.Interface)
	}
}

// tellTransitions hands every change of role to those who want to know, in order. It
// ends when the engine has ended and everything is told.
func (d *daemon) tellTransitions() {
	defer close(d.told)
	for {
		list, err := d.engine.Events().Next(context.Background())
		if err != nil {
			return
		}
		for _, t := range list {
			d.transition(t)
		}
		d.record()
	}
}

func (d *daemon) transition(t node.Transition) {
	if t.Group() {
		d.groupTransition(&t)
		return
	}
	d.roles.told(&t)
	d.others.server.Changed()
	d.lookAgain()
	at := d.engine.WallTime(t.At)
	in, run := d.instance(t.Instance)
	to, event := t.To.String(), notifyEvent(t.To)
	if t.To == vrrp.Fault && (strings.HasPrefix(t.Why, vrrp.Drained) || strings.Contains(t.Why, ": "+vrrp.Drained)) {
		to, event = vrrp.Drained, notify.Backup // hooks know no such role, and nothing is broken
	}
	if t.Replaced {
		d.log.Info(t.Key.String()+" is "+t.To.String(), "was", t.From, "why", t.Why, "priority", t.Priority,
			"consequence", t.Name+" has another router now")
	} else {
		d.log.Info(t.Name+" is "+to, "was", t.From, "why", t.Why, "priority", t.Priority, "consequence", consequence(t.To, in))
	}
	d.hub.Publish(control.Event{Type: "transition", Time: at, Transition: &control.Transition{
		Instance: t.Instance, Name: t.Name, From: t.From.String(), To: to, Why: t.Why, Priority: t.Priority,
	}})
	if in == nil || t.Replaced {
		return // hooks and mails are about the instance, which runs
	}
	n := notify.Transition{
		Instance: t.Instance, Name: t.Name, Wire: in.Wire(), Notify: in.Notify, Node: run.plan.Node,
		Event: event, From: t.From.String(), Why: t.Why, At: at, Priority: t.Priority,
	}
	if t.From != vrrp.Waiting { // which is where everything begins
		n.FromSince = d.engine.WallTime(t.Since)
	}
	for _, v := range in.VIPs {
		n.VIPs = append(n.VIPs, v.Address)
	}
	d.notify.Notify(n)
}

// groupTransition is told to the hooks of a sync group, after those of its instances.
func (d *daemon) groupTransition(t *node.Transition) {
	at := d.engine.WallTime(t.At)
	d.log.Info(t.Name+" is "+t.To.String(), "was", t.From, "why", t.Why, "group", t.Instance)
	d.hub.Publish(control.Event{Type: "transition", Time: at, Transition: &control.Transition{
		Group: t.Instance, Name: t.Name, From: t.From.String(), To: t.To.String(), Why: t.Why, Priority: t.Priority,
	}})
	for _, run := range []*running{d.running.Load(), d.previous.Load()} {
		if run == nil {
			continue
		}
		g := run.plan.Desired.Group(t.Instance)
		if g == nil {
			continue
		}
		n := notify.Transition{
			Instance: g.Address, Name: g.Name, Group: true, Notify: g.Notify, Node: run.plan.Node,
			Event: notifyEvent(t.To), From: t.From.String(), Why: t.Why, At: at, Priority: t.Priority,
		}
		if t.From != vrrp.Waiting {
			n.FromSince = d.engine.WallTime(t.Since)
		}
		for _, a := range g.Instances {
			if in := run.plan.Desired.Instance(a); in != nil {
				for _, v := range in.VIPs {
					n.VIPs = append(n.VIPs, v.Address)
				}
			}
		}
		d.notify.Notify(n)
		return
	}
}

// instance finds what a transition is about, also if the plan has just lost it.
func (d *daemon) instance(a plan.Addr) (*plan.Instance, *running) {
	for _, run := range []*running{d.running.Load(), d.previous.Load()} {
		if run != nil {
			if in := run.plan.Desired.Instance(a); in != nil {
				return in, run
			}
		}
	}
	return nil, nil
}

// notifyEvent is what people ask to be told of; a departure is told when it has ended.
func notifyEvent(to vrrp.Role) string {
	switch to {
	case vrrp.Active:
		return notify.Active
	case vrrp.Backup:
		return notify.Backup
	case vrrp.Fault:
		return notify.Fault
	case vrrp.Waiting:
		return notify.Stop
	}
	return ""
}

// consequence says what a role means for those who use the addresses.
func consequence(to vrrp.Role, in *plan.Instance) string {
	var vips []string
	for i := 0; in != nil && i < len(in.VIPs); i++ {
		vips = append(vips, in.VIPs[i].Address.Addr().String())
	}
	all := strings.Join(vips, ", ")
	switch to {
	case vrrp.Active:
		return "this machine answers for " + all
	case vrrp.Backup:
		return "this machine takes " + all + " over when nobody else is heard"
	case vrrp.Leaving:
		return "this machine answers for " + all + " until its successor does"
	case vrrp.Fault:
		return "this machine cannot take " + all + " until that has passed"
	}
	return "this machine has nothing to do with " + all
}

// record keeps for the process after this one what is installed.
func (d *daemon) record() {
	d.recording.Lock()
	defer d.recording.Unlock()
	snap := d.engine.Snapshot()
	o := owned(&snap, int(d.adoptions.Load()))
	if reflect.DeepEqual(o, d.recorded) {
		return
	}
	if err := d.rundir.SetOwned(o); err != nil {
		d.log.Warn("a crash now could not be recovered from without a gap", "error", err)
		return
	}
	d.recorded = o
}

// idle does something while no plan is being applied, or not at all. It is short: who
// wants to apply one then waits for it.
func (d *daemon) idle(do func()) {
	d.tidying.Lock()
	defer d.tidying.Unlock()
	if d.applying.TryLock() {
		do()
		d.applying.Unlock()
	}
}

// keepHouse does what is due some time.
func (d *daemon) keepHouse() {
	t := time.NewTicker(housekeeping)
	defer t.Stop()
	said := ""
	for {
		select {
		case <-t.C:
		case <-d.quit:
			return
		}
		d.idle(d.tidy)
		d.proven()
		d.record()
		d.look()
		d.others.house()
		d.drainOver()
		if now := d.inWords(); now != said {
			said = now
			tell(d.log, "STATUS="+now)
		}
	}
}

// tidy closes sockets that neither the plan nor a router that is leaving needs.
func (d *daemon) tidy() {
	d.others.tidy()
	d.committing.Lock()
	defer d.committing.Unlock()
	resolved := d.resolve(d.running.Load(), nil)
	needed := needs(&resolved)
	snap := d.engine.Snapshot()
	for i := range snap.Instances {
		in := &snap.Instances[i]
		for _, at := range in.Places {
			if needed[at] == nil {
				needed[at] = &need{routers: map[uint8][]rawsock.Peer{}}
			}
			for _, k := range append(in.Former, in.Key) {
				if _, known := needed[at].routers[k.VRID]; !known {
					needed[at].routers[k.VRID] = nil
				}
			}
		}
	}
	d.sockets.trim(needed)
}

// proven ends the count of adoptions: every check has answered at least once, or there is
// none and the daemon lives.
func (d *daemon) proven() {
	if d.adoptions.Load() == 0 || time.Since(d.started) < provenAfter {
		return
	}
	for _, c := range d.health.Status() {
		if c.LastEnd.IsZero() {
			return
		}
	}
	d.adoptions.Store(0)
}

// inWords is what systemctl status shows.
func (d *daemon) inWords() string {
	run := d.running.Load()
	if !run.configured() {
		return "no plan yet"
	}
	snap := d.engine.Snapshot()
	count := map[vrrp.Role]int{}
	for i := range snap.Instances {
		count[snap.Instances[i].Role]++
	}
	said := fmt.Sprintf("plan %d", run.status.Serial)
	for _, r := range []vrrp.Role{vrrp.Active, vrrp.Backup, vrrp.Fault, vrrp.Leaving, vrrp.Waiting} {
		if count[r] > 0 {
			said += fmt.Sprintf(", %d %s", count[r], r)
		}
	}
	return said
}
