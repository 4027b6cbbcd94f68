package vrrp

import (
	"fmt"
	"net/netip"
	"time"

	"hafile/runtime/vrrp/wire"
)

// Router is one virtual router of this node.
type Router struct {
	spec      Spec
	role      Role
	effective uint8 // what adverts carry; see Priority events
	failing   string
	link      string

	lane    int           // the face by which silence is counted: heard last, else the slowest
	adopted time.Duration // the active's interval; a version 2 face never learns one

	startAt   Instant    // waiting: end of the start delay
	armedAt   Instant    // backup: when its silence began
	downAt    Instant    // backup: takes over
	preemptAt Instant    // backup: end of the preempt delay
	advertAt  Instant    // active: next advert
	releaseAt Instant    // backup: end of the grace
	refusedAt Instant    // active: the kernel refuses since
	refusal   string     // claimed: what it said, until it gives in
	followAt  Instant    // active: its group is elsewhere
	away      string     // and why
	faultTill Instant    // fault: a cause that only time cures
	stranger  netip.Addr // fault: who speaks another dialect; not set where that is not the cause

	cadence cadence
	leave   leave

	ready   bool // grouped backup: its silence is over, and the others' is not
	behind  bool // backup: what it waits for is a better active
	forsake bool // failing: nobody is better than this router

	claimed    bool // the addresses are wanted
	installed  bool // and the kernel has them
	hasClaimed bool // since the start
	outdone    bool // another member may have more; see offer
	lastAssert Instant
	stale      netip.Addr // an address that the active announces and we do not know

	heard Peer
	ah    ah
	signatures
	counters Counters
}

// cadence is the time between own adverts. A longer interval of version 3 is announced
// in three adverts at the old cadence first, so that no backup times out meanwhile.
type cadence struct {
	interval time.Duration
	old      int // adverts still to be sent at it
}

// Peer is who was heard last.
type Peer struct {
	Address  netip.Addr
	Priority uint8
	At       Instant // 0: nobody yet
	Face     int     // of the router, as which it was heard; 0 is the current one
}

// Counters of a router, never reset.
type Counters struct {
	Sent, Goodbyes uint64 // adverts; those among them with priority 0
	Accepted       uint64
	Forms          [wire.ChecksumForms]uint64 // accepted ones of version 3, by the form of their checksum
	Dropped        [wire.Reasons]uint64       // by Reason
	Changes        uint64                     // of role
}

// New is a router that waits for its Start.
func New(spec Spec) *Router {
	r := &Router{spec: spec, effective: spec.Priority, cadence: cadence{interval: spec.beat()}}
	r.ah.sent = spec.Sequence
	r.signatures.change(spec.Signing)
	r.listenSlowly()
	return r
}

// Role at present.
func (r *Router) Role() Role { return r.role }

// Effective is the configured priority with the tracked checks counted in.
func (r *Router) Effective() uint8 { return r.effective }

// Advertised is the priority that adverts carry. An active whose check fails and who
// stays only because nobody else came sends the lowest: any fit member takes over.
func (r *Router) Advertised() uint8 {
	if r.failing != "" && r.spec.Priority != Owner {
		return 1
	}
	return r.effective
}

// String shows no more than the role: a router holds a password.
func (r *Router) String() string {
	return fmt.Sprintf("vrid %d %s priority %d", r.spec.VRID, r.role, r.Advertised())
}

// Spec as configured last.
func (r *Router) Spec() *Spec { return &r.spec }

// Claimed reports whether the router wants its addresses installed.
func (r *Router) Claimed() bool { return r.claimed }

// Heard is the last foreign advert.
func (r *Router) Heard() Peer { return r.heard }

// Stale is an address that the active announces and this router does not know; the
// zero address if there is none.
func (r *Router) Stale() netip.Addr { return r.stale }

// Counters since New.
func (r *Router) Counters() *Counters { return &r.counters }

// Deadline is when the router wants its next Tick; 0 if it waits for events only.
func (r *Router) Deadline() Instant {
	d := r.releaseAt
	switch r.role {
	case Waiting:
		d = earliest(d, r.startAt)
	case Backup:
		d = earliest(d, r.downAt)
	case Active:
		d = earliest(d, earliest(r.followAt, earliest(r.advertAt, r.refusalEnd())))
	case Leaving:
		d = earliest(d, r.leave.deadline())
	case Fault:
		d = earliest(d, r.faultTill)
	}
	return d
}

// Step takes one event and appends what follows from it to out.
func (r *Router) Step(now Instant, ev Event, out []Effect) []Effect {
	switch ev.Kind {
	case Start:
		return r.start(now, ev, out)
	case Tick:
		return r.tick(now, out)
	case Heard:
		return r.hear(now, ev, out)
	case Rejected:
		return r.rejected(now, ev, out)
	case Priority:
		return r.setPriority(now, ev.Priority, out)
	case Failing:
		return r.setFailing(now, ev.Failing, ev.Release, out)
	case Link:
		return r.setLink(now, ev.Link, out)
	case Join:
		return r.join(now, out)
	case Follow:
		return r.goAlong(now, ev.Away, out)
	case Installed:
		return r.setInstalled(out)
	case Refused:
		return r.refused(now, ev.Refusal, out)
	case Frozen:
		r.frozen(now)
		return out
	case Stop:
		return r.stop(now, out)
	}
	panic(fmt.Sprintf("vrrp: event %d", ev.Kind))
}

// start is RFC 9568, 6.4.1, and what a restarted process does with addresses that it
// finds: it never removes and adds them again.
func (r *Router) start(now Instant, ev Event, out []Effect) []Effect {
	r.hasClaimed = false
	if ev.Holding {
		r.installed = true
		out = r.claim(out)
	}
	switch {
	case r.link != "":
		return r.fail(r.link, out)
	case ev.Holding && ev.Fresh && r.failing != "":
		return r.beginLeave(now, unfit(r.failing), leave{offer: true}, out)
	case ev.Holding && ev.Fresh:
		return r.activate(now, "adopted its addresses before anybody missed it", out)
	case r.spec.StartDelay > 0:
		r.startAt = now.Add(r.spec.StartDelay)
		return out
	}
	return r.listen(now, "started", out)
}

// listen makes the router a backup with its full down interval before it, or active at
// once where it owns the addresses.
func (r *Router) listen(now Instant, why string, out []Effect) []Effect {
	r.startAt, r.stranger = 0, netip.Addr{}
	if r.failing != "" {
		return r.fail(unfit(r.failing), out)
	}
	if r.spec.Priority == Owner && !r.spec.Grouped {
		return r.activate(now, "priority 255: it owns the addresses", out)
	}
	if !r.hearsActive(now) {
		r.listenSlowly()
	}
	r.arm(now)
	if r.spec.Priority == Owner {
		r.isReady()
	}
	r.preemptAt = 0
	return r.change(Backup, why, out)
}

// hearsActive reports whether somebody was active a moment ago. By the interval of that
// one silence is counted, also by a router that heard it while it was unfit itself: its own
// may be shorter, because the active has not that plan yet.
func (r *Router) hearsActive(now Instant) bool {
	return r.heard.At != 0 && r.heard.Priority > 0 && now.Sub(r.heard.At) < r.downInterval()
}

// listenSlowly counts silence by the slowest face, until one is heard.
func (r *Router) listenSlowly() {
	r.lane = r.spec.slowest(r.effective)
	r.adopted = r.spec.face(r.lane).Interval
}

// activate sends first, so that a lesser active falls silent, then claims (RFC 9568,
// 6.4.2). The announcement waits for the kernel unless it has the addresses already.
func (r *Router) activate(now Instant, why string, out []Effect) []Effect {
	r.startAt, r.downAt, r.preemptAt, r.releaseAt, r.refusedAt, r.followAt = 0, 0, 0, 0, 0, 0
	r.ready, r.behind = false, false
	if r.refusal != "" { // of what it holds already: nobody will say it again
		r.refusedAt = now
	}
	r.stale, r.stranger = netip.Addr{}, netip.Addr{}
	r.outdone = r.outranked()
	r.cadence = cadence{interval: r.spec.beat()}
	r.advertAt = now.Add(r.cadence.interval)
	out = r.send(r.Advertised(), out)
	out = r.claim(out)
	out = r.change(Active, why, out)
	return r.announce(out)
}

// tick acts on every deadline that has passed.
func (r *Router) tick(now Instant, out []Effect) []Effect {
	if r.releaseAt != 0 && r.releaseAt <= now {
		out = r.yield(out)
	}
	switch r.role {
	case Waiting:
		if r.startAt != 0 && r.startAt <= now {
			out = r.listen(now, "start delay is over", out)
		}
	case Backup:
		if !r.ready && r.downAt <= now {
			out = r.expire(now, out)
		}
	case Active:
		out = r.tickActive(now, out)
	case Leaving:
		out = r.tickLeaving(now, out)
	case Fault:
		if r.faultTill != 0 && r.faultTill <= now {
			r.faultTill, r.stranger = 0, netip.Addr{}
			out = r.recover(now, "the cause of the fault has passed", out)
		}
	}
	return out
}

// tickActive re-arms from the deadline and not from now: lateness does not add up. After
// a whole interval it starts anew, so that no burst follows a stall.
func (r *Router) tickActive(now Instant, out []Effect) []Effect {
	if end := r.refusalEnd(); end != 0 && end <= now {
		return r.giveUp(now, out)
	}
	if r.followAt != 0 && r.followAt <= now {
		return r.beginLeave(now, r.away, leave{offer: true, follow: true}, out)
	}
	if r.advertAt > now {
		return out
	}
	out = r.send(r.Advertised(), out)
	r.cadence.sent(r.spec.beat())
	r.advertAt = r.advertAt.Add(r.cadence.interval)
	if r.advertAt <= now {
		r.advertAt = now.Add(r.cadence.interval)
	}
	return out
}

// sent counts down the adverts at the old cadence.
func (c *cadence) sent(interval time.Duration) {
	if c.old > 0 {
		c.old--
	}
	if c.old == 0 {
		c.interval = interval
	}
}

// silence says why a backup takes over.
func (r *Router) silence(now Instant) string {
	switch {
	case r.heard.At == 0:
		return "heard nobody for its whole down interval"
	case r.heard.Priority == 0:
		return fmt.Sprintf("%s said goodbye", r.heard.Address)
	case now.Sub(r.heard.At) < r.adopted*time.Duration(r.spec.DownAdverts):
		return fmt.Sprintf("priority %d is above the %d of %s", r.effective, r.heard.Priority, r.heard.Address)
	}
	return fmt.Sprintf("%s has been silent for %s", r.heard.Address, now.Sub(r.heard.At).Round(time.Millisecond))
}

// setPriority takes a new effective priority. A backup's running deadline follows the
// skew, but never to a later instant; an active's peers decide, unless an offer is due.
func (r *Router) setPriority(now Instant, p uint8, out []Effect) []Effect {
	before := r.effective
	wasOutdone := r.outdone
	r.effective = p
	r.outdone = r.outranked()
	switch {
	case r.role == Backup && p > before:
		r.downAt = min(r.downAt, r.armedAt.Add(r.downInterval()))
	case r.role == Active && r.outdone && (p < before || !wasOutdone):
		return r.offer(now, out)
	case r.role == Leaving:
		why := "no other member would take the addresses"
		if p > before {
			why = "its priority rose again"
		}
		return r.reconsider(now, why, out)
	}
	return out
}

// setFailing is a check without weight: it makes a backup unfit and an active offer its
// addresses to whoever is left.
func (r *Router) setFailing(now Instant, what string, forsake bool, out []Effect) []Effect {
	before, worse := r.failing, forsake && !r.forsake
	r.failing, r.forsake = what, forsake
	switch {
	case (what == "") == (before == "") && !worse:
		return out
	case r.role == Active && what != "":
		return r.beginLeave(now, unfit(what), leave{offer: true}, out)
	case r.role == Backup && what != "":
		return r.fail(unfit(what), out)
	case r.role == Leaving:
		return r.reconsider(now, fit(before), out)
	case r.role == Fault:
		return r.recover(now, fit(before), out)
	}
	return out
}

// setLink releases at once: what cannot be reached holds nothing.
func (r *Router) setLink(now Instant, wrong string, out []Effect) []Effect {
	before := r.link
	r.link = wrong
	switch {
	case wrong == before:
		return out
	case wrong == "" && r.role == Fault:
		return r.recover(now, "the interface is back", out)
	case wrong != "" && r.role == Leaving && !r.leave.offer:
		return r.gone("stopped", r.yield(out))
	case wrong != "" && !r.stopped():
		return r.fail(wrong, out)
	}
	return out
}

// stopped reports whether the router has not started or has left for good.
func (r *Router) stopped() bool { return r.role == Waiting && r.startAt == 0 }

// fail makes the router silent until what failed is well again.
func (r *Router) fail(why string, out []Effect) []Effect {
	r.startAt, r.downAt, r.preemptAt, r.advertAt, r.refusedAt, r.followAt = 0, 0, 0, 0, 0, 0
	r.ready, r.behind = false, false
	out = r.yield(out)
	return r.change(Fault, why, out)
}

// recover leaves fault when no cause of it is left.
func (r *Router) recover(now Instant, why string, out []Effect) []Effect {
	if r.link != "" || r.failing != "" || r.faultTill != 0 {
		return out
	}
	return r.listen(now, why, out)
}

// setInstalled follows a Claim when the kernel has the addresses: only then may the
// segment hear of them.
func (r *Router) setInstalled(out []Effect) []Effect {
	r.refusedAt, r.refusal = 0, ""
	if r.installed || !r.claimed {
		return out
	}
	r.installed = true
	if r.role != Active {
		return out
	}
	return r.announce(out)
}

func (r *Router) refused(now Instant, what string, out []Effect) []Effect {
	if r.role == Active && r.refusedAt == 0 {
		r.refusedAt = now
	}
	r.refusal, r.installed = what, false
	return out
}

func (r *Router) refusalEnd() Instant {
	if r.refusedAt == 0 {
		return 0
	}
	return r.refusedAt.Add(refusalMax)
}

// giveUp leaves the group to others after the kernel has refused an address for long
// enough: an active that cannot answer is worse than a change.
func (r *Router) giveUp(now Instant, out []Effect) []Effect {
	r.faultTill = now.Add(refusalPause)
	out = r.send(0, out)
	return r.fail("the kernel refuses an address: "+r.refusal, out)
}

// frozen makes a backup listen again: what it slept through it did not hear. A departure
// has no goodbye left to say: whoever missed the first has timed out since.
func (r *Router) frozen(now Instant) {
	switch r.role {
	case Backup:
		r.arm(now)
	case Leaving:
		r.leave.left = 0
	}
}

func (r *Router) send(priority uint8, out []Effect) []Effect {
	for k := len(r.spec.Former); k >= 0; k-- {
		r.counters.Sent++
		if priority == 0 {
			r.counters.Goodbyes++
		}
		out = append(out, Effect{Kind: Send, Priority: priority, Face: k})
	}
	return out
}

func (r *Router) claim(out []Effect) []Effect {
	r.hasClaimed = true
	if r.claimed {
		return out
	}
	r.claimed, r.refusal = true, ""
	return append(out, Effect{Kind: Claim})
}

func (r *Router) yield(out []Effect) []Effect {
	r.releaseAt = 0
	if !r.claimed {
		return out
	}
	r.claimed, r.installed, r.refusal = false, false, ""
	return append(out, Effect{Kind: Yield})
}

// announce tells nobody of an address that is not up.
func (r *Router) announce(out []Effect) []Effect {
	if !r.installed {
		return out
	}
	return append(out, Effect{Kind: Announce})
}

func (r *Router) change(to Role, why string, out []Effect) []Effect {
	from := r.role
	r.role = to
	if from == to {
		return out
	}
	r.counters.Changes++
	return append(out, Effect{Kind: Change, From: from, To: to, Why: why})
}

func (r *Router) skew() time.Duration {
	return Skew(r.spec.face(r.lane).Version, r.effective, r.adopted)
}

// arm begins a down interval.
func (r *Router) arm(now Instant) {
	r.armedAt, r.ready, r.behind = now, false, false
	r.downAt = now.Add(r.downInterval())
}

func (r *Router) downInterval() time.Duration {
	return Down(r.spec.face(r.lane).Version, r.effective, r.adopted, r.spec.DownAdverts)
}

// Silence is how long a backup of this router hears nothing before it takes over.
func (r *Router) Silence() time.Duration { return r.downInterval() }

// Message is the advert with this priority as the current face, ready for the codec.
func (r *Router) Message(priority uint8) Advert { return r.MessageAs(0, priority, time.Time{}) }

// MessageAs is the advert with this priority as the face of a Send. With AH each has a
// number of its own.
// With signatures too, and the numbers are the wall clock's; see Reserve.
func (r *Router) MessageAs(face int, priority uint8, wall time.Time) Advert {
	f := r.spec.face(face)
	a := Advert{
		Version: f.Version, VRID: f.VRID, Priority: priority, Interval: f.Interval,
		Auth: f.Auth, Password: f.Password, Checksum: f.Checksum, Addresses: r.spec.Addresses,
	}
	if f.Auth == wire.AuthAH {
		r.ah.sign(&a)
	}
	if r.signs() {
		r.sign(&a, wall)
	}
	return a
}

// Face of a Send.
func (r *Router) Face(k int) Face { return r.spec.face(k) }
