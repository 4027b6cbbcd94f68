package node

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"hafile/lang/plan"
	"hafile/runtime/kernel"
	"hafile/runtime/vrrp"
	"hafile/runtime/vrrp/wire"
)

// Node is all that this machine has decided so far. The zero value is not ready; see New.
type Node struct {
	plan *plan.Plan
	// stopping: every router leaves, those of the plan's instances too.
	stopping bool
	// drained: every router offers what it holds and keeps away.
	drained bool
	routers map[plan.WireKey]*router
	order   []*router // by instance address, those that leave last
	queue   queue
	groups  []*group // in the plan's order

	checks map[plan.Addr]plan.CheckState
	links  map[string]string // interface -> what is wrong; empty: nothing

	wanted kernel.State
	beside kernel.Things // wanted too
	gen    uint64        // of both
	report kernel.Report
	dirty  bool // a claim has changed since wanted was computed

	unknown     map[string]uint64 // adverts for VRIDs of nobody, by interface
	punctuality Punctuality

	day   time.Time // at the instant dayAt
	dayAt vrrp.Instant

	// Of the call under way.
	now    vrrp.Instant
	out    []Effect
	silent []kernel.Address                 // that an active router has given up
	after  []Effect                         // what follows Want
	paces  map[kernel.Address]plan.Announce // before a commit
	stood  []kernel.Address                 // what routers stood for before a commit
	steps  []vrrp.Effect                    // scratch
}

// router is one virtual router and what the node knows about it.
type router struct {
	key      plan.WireKey
	keys     []plan.WireKey // with the former ones, which lead to this router too
	places   places
	taken    bool // during a commit: it has its instance
	instance *plan.Instance
	track    []plan.Track // its own, and its group's
	group    *group       // nil: it goes its own way
	joined   plan.Addr    // the group with which it has been active
	core     *vrrp.Router
	source   netip.Addr
	sources  []netip.Addr // of the former identities

	// leaving: the plan has it no longer, or the node is stopping.
	leaving bool
	// broken is what it panicked with; it is not stepped any more.
	broken string

	claimed   bool
	addresses []kernel.Address
	spare     []kernel.Address // among them, on former interfaces: nothing depends on them
	pending   []kernel.Address // claimed, and not reported by the kernel yet
	beside    kernel.Things    // routes and rules
	device    kernel.Things    // the virtual MAC's, which is there also on a backup
	gen       uint64           // of the Want that has all its addresses; older reports say nothing
	stamp     bool             // gen is due

	parts   []plan.PriorityPart
	failing string
	forsake bool // nobody is better than this router while that fails

	removals uint64 // addresses that somebody else removed, as often as that was

	role   vrrp.Role // as told last
	since  vrrp.Instant
	why    string
	sentAt vrrp.Instant // last advert with a priority above 0
	stored plan.WireKey // under which the numbers of signatures are reserved
	peers  []Peer

	deadline vrrp.Instant
	slot     int // in the queue
	muted    bool
}

// New is a node without a plan.
func New() *Node {
	return &Node{
		routers: map[plan.WireKey]*router{},
		checks:  map[plan.Addr]plan.CheckState{},
		links:   map[string]string{},
		unknown: map[string]uint64{},
	}
}

// Deadline is when the node wants its next Tick; 0 if it waits for events only.
func (n *Node) Deadline() vrrp.Instant { return n.queue.first() }

// Wanted is the kernel state of the last Want.
func (n *Node) Wanted() kernel.State { return n.wanted }

// Heard is an advert that the codec accepted. The advert is read during the call only.
func (n *Node) Heard(now vrrp.Instant, at Place, a *wire.Advert, from netip.Addr, out []Effect) []Effect {
	r := n.find(at, a)
	if r == nil {
		n.unknown[at.Interface]++
		return out
	}
	n.begin(now, out)
	n.step(r, vrrp.Event{Kind: vrrp.Heard, Advert: a, From: from, Segment: r.places.find(at), Wall: n.wall()})
	r.met(now, a, from)
	return n.end()
}

// Rejected is a packet with a virtual router id that the codec refused, for a reason that
// leaves a with a version. The rest of a counts as wire.Parse says.
func (n *Node) Rejected(now vrrp.Instant, at Place, a *wire.Advert, from netip.Addr, reason wire.Reason, out []Effect) []Effect {
	r := n.find(at, a)
	if r == nil {
		return out // the socket has counted it
	}
	n.begin(now, out)
	n.step(r, vrrp.Event{Kind: vrrp.Rejected, Advert: a, From: from, Segment: r.places.find(at), Reason: reason})
	return n.end()
}

// find prefers the router of the advert's version: while an instance changes its
// version, both exist. Else the router of the other version is told, for it knows what
// to make of a neighbour in another dialect.
func (n *Node) find(at Place, a *wire.Advert) *router {
	if r := n.routers[at.Key(a.VRID, a.Version)]; r != nil {
		return r
	}
	return n.routers[at.Key(a.VRID, 5-a.Version)]
}

// Tick acts on every deadline that has passed. Whatever was received before now must
// have been given to Heard before.
func (n *Node) Tick(now vrrp.Instant, out []Effect) []Effect {
	if d := n.queue.first(); d == 0 || d > now {
		return out
	}
	n.begin(now, out)
	for {
		d := n.queue.first()
		if d == 0 || d > now {
			return n.end()
		}
		r := n.queue[0]
		n.punctuality.record(now.Sub(d), r)
		n.step(r, vrrp.Event{Kind: vrrp.Tick})
		if r.deadline == d && r.broken == "" {
			n.breakDown(r, fmt.Sprintf("its deadline %d stands still", d))
		}
	}
}

// Check is the state of a check.
func (n *Node) Check(now vrrp.Instant, check plan.Addr, state plan.CheckState, out []Effect) []Effect {
	n.checks[check] = state
	n.begin(now, out)
	for _, r := range n.order {
		if slices.ContainsFunc(r.track, func(t plan.Track) bool { return t.Check == check }) {
			n.weigh(r, false)
		}
	}
	return n.end()
}

// weigh computes the effective priority anew and tells the router, if it has changed or
// if always is set. A failure that begins comes before it, and one that ends after it: a
// router that has two reasons to leave, one after the other, leaves once.
func (n *Node) weigh(r *router, always bool) {
	r.touch()
	priority, parts, _ := plan.Effective(r.instance.Priority, r.track, n.check)
	r.parts = parts
	what, forsake := n.failing(r)
	if what != "" {
		n.fails(r, what, forsake)
	}
	if always || priority != r.core.Effective() {
		n.step(r, vrrp.Event{Kind: vrrp.Priority, Priority: priority})
	}
	if what == "" {
		n.fails(r, "", false)
	}
}

func (n *Node) fails(r *router, what string, forsake bool) {
	if what != r.failing || forsake != r.forsake {
		r.failing, r.forsake = what, forsake
		n.step(r, vrrp.Event{Kind: vrrp.Failing, Failing: what, Release: forsake})
	}
}

func (n *Node) check(a plan.Addr) plan.CheckState {
	if s, ok := n.checks[a]; ok {
		return s
	}
	return plan.CheckUnknown
}

// failing names what keeps a router from its addresses: the first check without weight
// that fails, its own or one of its group's, or that the node is drained; or another router of its group that cannot be
// active, for which nobody is a better candidate.
func (n *Node) failing(r *router) (what string, forsake bool) {
	what = n.failingCheck(r)
	if r.group == nil {
		return what, false
	}
	for _, m := range r.group.members {
		switch {
		case m == r || m.core == nil:
		case m.stands().ill:
			return m.instance.Name + " of its sync group", true
		case what == "":
			what = n.failingCheck(m)
		}
	}
	return what, false
}

func (n *Node) failingCheck(r *router) string {
	if n.drained {
		return vrrp.Drained
	}
	for _, t := range r.track {
		if t.Fails(n.check(t.Check)) {
			return t.Check.Kind() + " " + t.Check.Name()
		}
	}
	return ""
}

// Drain makes every router, also of plans to come, offer what it holds and keep away until
// that is taken back. Where nobody takes an address it stays here.
func (n *Node) Drain(now vrrp.Instant, drained bool, out []Effect) []Effect {
	n.begin(now, out)
	n.drained = drained
	for _, r := range n.order {
		n.weigh(r, false)
	}
	return n.end()
}

// Link says what is wrong with an interface; empty if nothing is.
func (n *Node) Link(now vrrp.Instant, iface, wrong string, out []Effect) []Effect {
	n.links[iface] = wrong
	n.begin(now, out)
	for _, r := range n.order {
		if r.instance.Interface == iface {
			n.step(r, vrrp.Event{Kind: vrrp.Link, Link: n.wrong(r)})
		}
	}
	return n.end()
}

// wrong is what keeps a router from being heard.
func (n *Node) wrong(r *router) string {
	if w := n.links[r.instance.Interface]; w != "" {
		return w
	}
	if !r.source.IsValid() {
		return fmt.Sprintf("%s has no %s address to send from", r.instance.Interface, r.key.Family)
	}
	return ""
}

// Frozen says that nothing ran for so long. It comes before anything that was received
// meanwhile: a backup that slept through its active's adverts must listen again.
func (n *Node) Frozen(now vrrp.Instant, stall time.Duration, out []Effect) []Effect {
	n.begin(now, out)
	for _, r := range n.order {
		if stall >= r.core.Silence() {
			n.step(r, vrrp.Event{Kind: vrrp.Frozen})
		}
	}
	return n.end()
}

// Stop makes every router leave. The node is Gone when all have.
func (n *Node) Stop(now vrrp.Instant, out []Effect) []Effect {
	n.begin(now, out)
	n.stopping = true
	for _, r := range n.order {
		n.leave(r)
	}
	return n.end()
}

// Gone reports whether no router is left and the kernel has taken the last address away.
func (n *Node) Gone() bool { return len(n.order) == 0 && n.report.Gen >= n.gen }

// leave is idempotent: a router that leaves is not asked twice.
func (n *Node) leave(r *router) {
	if r.leaving {
		return
	}
	r.leaving, n.dirty = true, n.dirty || len(r.device) > 0
	n.step(r, vrrp.Event{Kind: vrrp.Stop})
}

// begin starts a call: out is what end continues.
func (n *Node) begin(now vrrp.Instant, out []Effect) { n.now, n.out = now, out }

// end computes the wanted state once for all that the call has changed.
func (n *Node) end() []Effect {
	n.unite()
	n.hush()
	n.settle()
	n.reap()
	out := append(n.out, n.after...)
	clear(n.after)
	n.out, n.after = nil, n.after[:0]
	return out
}

// step hands an event to a router and takes its effects. It never lets a panic pass.
func (n *Node) step(r *router, ev vrrp.Event) {
	if r.broken != "" {
		return
	}
	defer n.contain(r)
	stood := r.stands()
	n.steps = r.core.Step(n.now, ev, n.steps[:0])
	for i := range n.steps {
		n.effect(r, &n.steps[i])
	}
	n.arm(r, r.core.Deadline())
	if r.group != nil && r.stands() != stood {
		r.group.dirty = true
	}
}

func (n *Node) contain(r *router) {
	if p := recover(); p != nil {
		n.breakDown(r, fmt.Sprint(p))
	}
}

// breakDown is the end of a router that broke an invariant. Its state is not trusted, so
// that it is not asked what to do.
func (n *Node) breakDown(r *router, what string) {
	r.broken = "internal error: " + what
	r.touch()
	n.arm(r, 0)
	for k := len(r.core.Spec().Former); k >= 0; k-- {
		n.send(r, k, 0)
	}
	n.yield(r)
	n.transition(r, vrrp.Fault, r.broken)
}

func (n *Node) arm(r *router, deadline vrrp.Instant) {
	if r.deadline != deadline {
		r.deadline = deadline
		n.queue.fix(r)
	}
}

func (n *Node) effect(r *router, e *vrrp.Effect) {
	switch e.Kind {
	case vrrp.Send:
		n.send(r, e.Face, e.Priority)
	case vrrp.Claim:
		n.claim(r)
	case vrrp.Yield:
		n.yield(r)
	case vrrp.Change:
		n.transition(r, e.To, e.Why)
	case vrrp.Announce:
		if !r.muted {
			n.announce(r, without(r.addresses, r.pending))
		}
	default:
		panic(fmt.Sprintf("node: effect %d", e.Kind))
	}
}

func (n *Node) send(r *router, face int, priority uint8) {
	f := r.core.Face(face)
	if !f.Source.IsValid() {
		return // it is in fault for that, and has nothing to take back
	}
	if priority > 0 {
		r.sentAt = n.now
	}
	n.reserve(r)
	n.out = append(n.out, Effect{
		Kind: Send, Interface: r.places[f.Segment].Interface, Place: r.places[f.Segment],
		Advert: r.core.MessageAs(face, priority, n.wall()), Source: f.Source,
	})
}

func (n *Node) claim(r *router) {
	if r.claimed {
		return
	}
	r.claimed, r.stamp, n.dirty = true, true, true
	r.pending = n.unseen(r, r.addresses)
}

func (n *Node) yield(r *router) {
	if !r.claimed {
		return
	}
	r.claimed, r.pending, n.dirty = false, nil, true
}

// transition is also the end of announcements: a router that leaves still answers, but
// the next announcement must be its successor's.
func (n *Node) transition(r *router, to vrrp.Role, why string) {
	from := r.role
	if from == to {
		return
	}
	if from == vrrp.Active {
		n.silence(r.addresses)
	}
	n.after = append(n.after, Effect{Kind: Transitioned, Transition: Transition{
		Instance: r.instance.Address, Name: r.instance.Name, Key: r.key,
		From: from, To: to, Why: why, Priority: r.core.Effective(), At: n.now, Since: r.since,
		Replaced: r.leaving && n.plan.Desired.Instance(r.instance.Address) != nil && !n.stopping,
	}})
	r.role, r.since, r.why = to, n.now, why
}

// forget is the end of a router, but for its place in the order.
func (n *Node) forget(r *router) {
	for _, k := range r.keys {
		if n.routers[k] == r {
			delete(n.routers, k)
		}
	}
	n.queue.remove(r)
}

// reap forgets routers that have left. Those that leave are last in the order.
func (n *Node) reap() {
	if last := len(n.order) - 1; last < 0 || !n.order[last].leaving {
		return
	}
	gone := func(r *router) bool { return r.leaving && (r.core.Gone() || r.broken != "") }
	for _, r := range n.order {
		if gone(r) {
			n.forget(r)
		}
	}
	n.order = slices.DeleteFunc(n.order, gone)
}
