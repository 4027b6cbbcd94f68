package sim

import (
	"time"

	"hafile/lang/plan"
	"hafile/runtime/node"
	"hafile/runtime/vrrp"
	"hafile/runtime/vrrp/wire"
)

// process is what a daemon is to the simulation: the loop around a node, as package
// engine has it, the owner of the addresses, and the checks.
type process struct {
	m    *Machine
	node *node.Node
	owner
	health

	arrived []*packet
	letters []func(now vrrp.Instant)
	armed   vrrp.Instant
	asleep  time.Duration

	wakeAt time.Duration // of the wake-up that counts
	wake   uint64        // its number

	frozen   bool
	owed     []func() // what other goroutines would have done meanwhile
	dead     bool
	stopping bool

	hosts node.Resolved
	out   []node.Effect
	view  []node.Instance // of the last step that changed it
	bytes wire.Advert     // scratch
}

// stallMin is the least lateness that the node is asked about; see package engine.
const stallMin = 5 * time.Millisecond

func newProcess(m *Machine) *process {
	p := &process{m: m, node: node.New(), asleep: m.clock.asleep}
	p.own(installedBy(m.record))
	return p
}

// begin is a start: the interfaces are looked at, what a process before left is taken
// over, the stored plan is committed.
func (p *process) begin() {
	p.m.w.trace(p.m, "starts")
	p.frozen = p.m.clock.suspended
	p.post(func(now vrrp.Instant) {
		p.tellLinks(p.m.host.read().Links)
		left := p.inherit(now)
		p.m.w.emit(Fact{Kind: Began, Machine: p.m})
		if p.m.plan != nil {
			p.start(now, left)
		}
		if !p.asked {
			p.want(0, nil, nil) // what nobody wants is removed
		}
	})
}

// then calls do unless the process has ended; a frozen one does it when it goes on.
func (p *process) then(d time.Duration, do func()) {
	p.m.w.After(d, func() { p.now(do) })
}

func (p *process) now(do func()) {
	switch {
	case p.dead:
	case p.frozen:
		p.owed = append(p.owed, do)
	default:
		do()
	}
}

func (p *process) thaw() {
	p.frozen = false
	p.m.w.emit(Fact{Kind: Thawed, Machine: p.m})
	owed := p.owed
	p.owed = nil
	for _, do := range owed {
		do()
	}
	p.wakeAfter(0)
}

// post has something done on the loop.
func (p *process) post(letter func(now vrrp.Instant)) {
	p.letters = append(p.letters, letter)
	p.wakeAfter(0)
}

// wakeAfter wakes the loop up, a little late.
func (p *process) wakeAfter(d time.Duration) {
	at := p.m.w.now + d + within(p.m.w.rndHost, p.m.w.opt.Host.Late)
	if p.wakeAt != 0 && p.wakeAt <= at {
		return
	}
	p.wake++
	p.wakeAt = at
	p.m.w.events.push(event{at: at, process: p, wake: p.wake})
}

// woken is one turn of the loop: a stall is told, what has arrived is stepped, then
// what was asked for, then the deadlines.
func (p *process) woken(wake uint64) {
	if p.dead || wake != p.wake {
		return
	}
	p.wakeAt = 0
	if p.frozen {
		return // thaw wakes it
	}
	now := p.m.clock.instant(p.m.w.now)
	p.stalled(now)
	p.drain(now)
	for i := 0; i < len(p.letters) && !p.dead; i++ { // one may write another
		p.letters[i](now)
	}
	p.letters = p.letters[:0]
	if p.dead {
		return
	}
	if d := p.node.Deadline(); d != 0 && d <= now {
		p.give(now, Tick, func() { p.out = p.node.Tick(now, p.out[:0]) })
	}
	p.rest()
}

// rest is the wait for the next deadline.
func (p *process) rest() {
	if p.dead {
		return
	}
	p.armed = p.node.Deadline()
	if p.armed != 0 {
		p.wakeAfter(p.m.clock.when(p.armed, p.m.w.now) - p.m.w.now)
	}
}

func (p *process) stalled(now vrrp.Instant) {
	stall := time.Duration(0)
	if p.armed != 0 {
		stall = now.Sub(p.armed)
	}
	if asleep := p.m.clock.asleep; asleep > p.asleep+stallMin {
		stall += asleep - p.asleep
		p.asleep = asleep
	}
	if stall >= stallMin {
		p.m.w.trace(p.m, "late by %s", stall)
		p.give(now, Frozen, func() { p.out = p.node.Frozen(now, stall, p.out[:0]) })
	}
}

func (p *process) drain(now vrrp.Instant) {
	for i := 0; i < len(p.arrived) && !p.dead; i++ {
		p.hear(now, p.arrived[i])
		p.arrived[i] = nil
	}
	p.arrived = p.arrived[:0]
}

func (p *process) hear(now vrrp.Instant, k *packet) {
	a := &p.bytes
	reason := k.parse(a)
	if a.VRID == 0 {
		return // the socket counts it
	}
	at := p.place(k, a.VRID)
	f := Fact{Advert: a, From: k.source, Sender: k.from, Sent: k.sent, Arrived: k.arrived, Reason: reason}
	f.Key = presentKey(p.view, at.Key(a.VRID, a.Version))
	if reason == wire.OK {
		p.trace("hears %s: %s", k.source, a)
		p.tell(f, now, Heard, func() { p.out = p.node.Heard(now, at, a, k.source, p.out[:0]) })
		return
	}
	p.trace("hears %s: %s", k.source, reason)
	f.Deadline = p.node.Deadline()
	p.tell(f, now, Rejected, func() {
		p.out = p.node.Rejected(now, at, a, k.source, reason, p.out[:0])
	})
}

// trace does not make its arguments escape where nobody reads.
func (p *process) trace(format string, from any, what any) {
	if p.m.w.opt.Trace != nil {
		p.m.w.trace(p.m, format, from, what)
	}
}

// place is where a packet is heard: where it was sent, but for unicast, which is heard at
// the own address of whoever has the router.
func (p *process) place(k *packet, vrid uint8) node.Place {
	at := k.at
	if at.Transport != plan.Unicast || p.hosts.Plan == nil {
		return at
	}
	for i := range p.hosts.Plan.Desired.Instances {
		in := &p.hosts.Plan.Desired.Instances[i]
		own := node.PlaceOf(in)
		if in.VRID == vrid && own.Interface == at.Interface && own.Family == at.Family && own.Transport == at.Transport && own.AH == at.AH {
			at.Source = own.Source
		}
	}
	return at
}

// give hands something to the node and carries out what follows from it.
func (p *process) give(now vrrp.Instant, cause Cause, do func()) {
	p.tell(Fact{}, now, cause, do)
}

// tell does the same, for a fact that knows more.
func (p *process) tell(f Fact, now vrrp.Instant, cause Cause, do func()) {
	f.Kind, f.Machine, f.Cause, f.Before = Turned, p.m, cause, p.view
	do()
	f.Effects = p.out
	if p.changes(cause) {
		p.view = p.node.Snapshot(now).Instances
		p.note()
	}
	f.View = p.view
	p.m.w.emit(f)
	p.perform(now)
}

// changes reports whether a step may have changed what the view shows.
func (p *process) changes(cause Cause) bool {
	switch cause {
	case Committed, CheckChanged, Reported, LinkChanged, Stopped:
		return true
	}
	for i := range p.out {
		if k := p.out[i].Kind; k == node.Want || k == node.Transitioned {
			return true
		}
	}
	return false
}

// perform hands effects on, in their order.
func (p *process) perform(now vrrp.Instant) {
	for i := range p.out {
		e := &p.out[i]
		if p.m.w.opt.Trace != nil {
			p.m.w.trace(p.m, "  %s", e)
		}
		switch e.Kind {
		case node.Send:
			if e.Advert.Priority > 0 {
				p.m.stamp = now
			}
			p.m.w.send(p.m, e)
		case node.Want:
			p.want(e.Gen, e.Want, e.Beside)
		}
	}
	p.out = p.out[:0]
	if p.stopping && p.node.Gone() {
		p.m.w.trace(p.m, "has left")
		p.m.end(true)
	}
}

func (p *process) stop(now vrrp.Instant) {
	p.stopping = true
	p.give(now, Stopped, func() { p.out = p.node.Stop(now, p.out[:0]) })
}

// note writes down for the process after this one what is held.
func (p *process) note() {
	p.m.record = p.m.record[:0]
	for i := range p.view {
		in := &p.view[i]
		if !in.Claimed {
			continue
		}
		h := held{key: in.Key, role: in.Role}
		for _, a := range in.Addresses {
			h.addresses = append(h.addresses, a.Address)
		}
		p.m.record = append(p.m.record, h)
	}
}
