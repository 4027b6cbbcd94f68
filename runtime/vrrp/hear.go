package vrrp

import (
	"fmt"
	"net/netip"
	"time"

	"hafile/runtime/vrrp/wire"
)

// hear is RFC 9568, 7.1 and 6.4: the checks that need the router, then what its role
// makes of the advert.
func (r *Router) hear(now Instant, ev Event, out []Effect) []Effect {
	a, from := ev.Advert, ev.From
	if r.isOwn(from) {
		r.counters.Dropped[wire.OwnSource]++
		return out
	}
	face, reason := r.spec.recognize(ev.Segment, a)
	if reason != wire.OK {
		return r.strange(now, a, from, reason, out)
	}
	switch reason := r.ah.judge(r.spec.face(face), a); reason {
	case wire.OK:
	case wire.Replayed:
		r.counters.Dropped[reason]++
		return out
	default:
		return r.strange(now, a, from, reason, out)
	}
	if reason := r.judge(a, ev.Wall); reason != wire.OK {
		if r.tells(reason) {
			return r.strange(now, a, from, reason, out)
		}
		r.counters.Dropped[reason]++
		return out
	}
	r.count(a)
	r.heard = Peer{Address: from, Priority: a.Priority, At: now, Face: face}
	switch r.role {
	case Waiting:
		r.follow(a)
		r.releaseFor(now, a)
	case Backup:
		return r.hearBackup(now, a, out)
	case Active:
		return r.hearActive(now, a, from, out)
	case Leaving:
		return r.hearLeaving(now, a, out)
	case Fault:
		r.follow(a)
		return r.noStranger(now, from, out)
	}
	return out
}

// isOwn: an advert of this router that came back.
func (r *Router) isOwn(from netip.Addr) bool {
	for i := range r.spec.Former {
		if r.spec.Former[i].Source == from {
			return true
		}
	}
	return r.spec.Source == from
}

// noStranger ends a fault for another dialect: who speaks it speaks ours too, because an
// edit is being swept through the group.
func (r *Router) noStranger(now Instant, from netip.Addr, out []Effect) []Effect {
	if r.stranger != from {
		return out
	}
	r.faultTill, r.stranger = 0, netip.Addr{}
	return r.recover(now, fmt.Sprintf("%s speaks as this router does too", from), out)
}

func (r *Router) count(a *Advert) {
	r.counters.Accepted++
	if a.Version == 3 {
		r.counters.Forms[a.Checksum]++
	}
}

// rejected counts what the codec refused. A whole advert in a dialect that it does not
// speak is a stranger's; damage is nobody's.
func (r *Router) rejected(now Instant, ev Event, out []Effect) []Effect {
	if ev.Reason == wire.UnsupportedTrailer || ev.Reason == wire.UnsupportedAuth {
		return r.strange(now, ev.Advert, ev.From, ev.Reason, out)
	}
	if ev.Reason == wire.MalformedTrailer && r.signatures.with == nil {
		ev.Reason = wire.BadLength // it expects none
	}
	r.counters.Dropped[ev.Reason]++
	return out
}

// strange drops an advert in another dialect. Before its first claim the router goes to
// fault while it hears such a neighbour: both would end as active, each deaf to the
// other. Later it holds what it has, or one forged packet could stop a group.
func (r *Router) strange(now Instant, a *Advert, from netip.Addr, reason Reason, out []Effect) []Effect {
	r.counters.Dropped[reason]++
	waiting := r.role == Backup || r.role == Waiting && r.startAt != 0
	switch {
	case r.hasClaimed, r.speaksOurs(now, from):
		return out
	case waiting, r.role == Fault && r.faultTill != 0:
		r.faultTill = now.Add(3*max(a.Interval, r.spec.Interval) + time.Second)
	}
	if !waiting {
		return out
	}
	r.stranger = from
	return r.fail(r.dialect(a, from, reason), out)
}

// speaksOurs: a neighbour that is heard in this router's dialect as well has an edit that
// this router has not yet; see Face.
func (r *Router) speaksOurs(now Instant, from netip.Addr) bool {
	return r.heard.At != 0 && r.heard.Address == from && now.Sub(r.heard.At) < r.downInterval()
}

// dialect says what a stranger speaks. It never shows a password.
func (r *Router) dialect(a *Advert, from netip.Addr, reason Reason) string {
	switch reason {
	case wire.VersionMismatch:
		return fmt.Sprintf("%s speaks VRRPv%d with VRID %d, this router VRRPv%d", from, a.Version, a.VRID, r.spec.Version)
	case wire.AuthTypeMismatch:
		return fmt.Sprintf("%s sends VRID %d with authentication %s, this router %s", from, a.VRID, a.Auth, r.spec.Auth)
	case wire.UnsupportedAuth:
		return fmt.Sprintf("%s sends VRID %d with authentication %s, which hafile does not speak", from, a.VRID, a.Auth)
	case wire.UnsupportedTrailer:
		return fmt.Sprintf("%s sends VRID %d signed with a key, this router knows none", from, a.VRID)
	case wire.Unsigned:
		return fmt.Sprintf("%s sends VRID %d unsigned, this router takes only what is signed", from, a.VRID)
	case wire.UnknownKey:
		return fmt.Sprintf("%s signs VRID %d with key %d, which this router does not have", from, a.VRID, a.Trailer.ID)
	case wire.BadSignature:
		return fmt.Sprintf("%s signs VRID %d with another key %d", from, a.VRID, a.Trailer.ID)
	case wire.IntervalMismatch:
		return fmt.Sprintf("%s sends VRID %d every %s, this router every %s", from, a.VRID, a.Interval, r.spec.Interval)
	}
	return fmt.Sprintf("%s sends VRID %d with another password", from, a.VRID)
}

// Describe says what keeps an advert from belonging to a router with this spec; empty
// if nothing does. It serves whoever listens before a router is started.
func Describe(spec Spec, a *Advert, from netip.Addr) string {
	if _, reason := spec.recognize(spec.Segment, a); reason != wire.OK {
		return New(spec).dialect(a, from, reason)
	}
	if reason := spec.Signing.foreign(a); reason != wire.OK {
		return New(spec).dialect(a, from, reason)
	}
	return ""
}

// hearBackup is RFC 9568, 6.4.2.
func (r *Router) hearBackup(now Instant, a *Advert, out []Effect) []Effect {
	if a.Priority == 0 {
		r.downAt = min(r.downAt, now.Add(r.skew()))
		r.behind = false
		return out
	}
	r.releaseFor(now, a)
	if !r.takesOverFrom(now, a) {
		r.adopt(a)
		r.arm(now)
		r.behind = outranks(a, r.heard.Address, r.effective, r.spec.face(r.lane).Source)
	}
	return out
}

// releaseFor gives up addresses that are held since before the start: somebody else
// answers for them.
func (r *Router) releaseFor(now Instant, a *Advert) {
	if a.Priority > 0 && r.claimed && r.releaseAt == 0 {
		r.releaseAt = now.Add(r.grace())
	}
}

// takesOverFrom reports whether the running deadline is left to expire: the active has a
// lower priority and nothing keeps this router from preempting it.
func (r *Router) takesOverFrom(now Instant, a *Advert) bool {
	r.stale = lacks(r.spec.Addresses, a)
	switch {
	case a.Priority >= r.effective:
		r.preemptAt = 0
		return false
	case !r.preempts() || r.stale.IsValid():
		return false
	case r.spec.PreemptDelay > 0 && r.preemptAt == 0:
		r.preemptAt = now.Add(r.spec.PreemptDelay)
	}
	return r.preemptAt <= now
}

// preempts is asked of the plan. The owner always does (RFC 9568, 6.1).
func (r *Router) preempts() bool { return r.spec.Preempt || r.spec.Priority == Owner }

// adopt counts silence by the face just heard, and learns the active's interval, within
// bounds (version 3 only).
func (r *Router) adopt(a *Advert) {
	r.lane = r.heard.Face
	f := r.spec.face(r.lane)
	r.adopted = f.Interval
	if f.Version == 3 {
		r.adopted = min(a.Interval, max(adoptMin, adoptFactor*f.Interval))
	}
}

// follow learns what the router will need as a backup.
func (r *Router) follow(a *Advert) {
	if a.Priority > 0 {
		r.adopt(a)
	}
}

// hearActive is RFC 9568, 6.4.3.
func (r *Router) hearActive(now Instant, a *Advert, from netip.Addr, out []Effect) []Effect {
	switch {
	case a.Priority == 0:
		r.advertAt = now.Add(r.cadence.interval)
		return r.send(r.Advertised(), out)
	case outranks(a, from, r.Advertised(), r.spec.face(r.heard.Face).Source):
		// The last word: the winner may have been deaf or asleep while hosts learned
		// this router's address. A lesser advert makes it announce itself again.
		out = r.send(r.Advertised(), out)
		return r.giveWay(now, a, fmt.Sprintf("%s has priority %d", from, a.Priority), out)
	}
	return r.assert(now, out)
}

// assert answers a lesser active at once, and tells the segment again where the
// addresses are: some hosts have believed the other. Four times an interval are enough.
func (r *Router) assert(now Instant, out []Effect) []Effect {
	if r.lastAssert != 0 && now.Sub(r.lastAssert) < r.cadence.interval/4 {
		return out
	}
	r.lastAssert = now
	r.advertAt = now.Add(r.cadence.interval)
	out = r.send(r.Advertised(), out)
	return r.announce(out)
}

// hearLeaving: the first advert of a successor ends a departure. A successor that is
// lesser than an unharmed offerer was not the better member the offer was made for.
//
// Until the last goodbye is said nothing heard counts: it may have been under way from an
// active that has since fallen silent before us. One that stays answers the next goodbye
// at once (RFC 9568, 6.4.3), as does a successor with hardly any skew.
func (r *Router) hearLeaving(now Instant, a *Advert, out []Effect) []Effect {
	from := r.heard.Address
	switch {
	case a.Priority == 0 || r.leave.left > 0:
		return out
	case !r.leave.offer:
		r.releaseAt = now.Add(r.grace())
		return r.gone(fmt.Sprintf("stopped; %s has the addresses", from), out)
	case r.failing == "" && !r.leave.follow && a.Priority < r.effective:
		return r.resume(now, fmt.Sprintf("%s has only priority %d", from, a.Priority), out)
	}
	return r.giveWay(now, a, fmt.Sprintf("gave the addresses to %s", from), out)
}

// giveWay makes the router the backup of an active that it has just heard, or unfit,
// and lets the addresses go after the grace.
func (r *Router) giveWay(now Instant, a *Advert, why string, out []Effect) []Effect {
	r.releaseAt = now.Add(r.grace())
	r.advertAt, r.refusedAt, r.preemptAt, r.followAt = 0, 0, 0, 0
	if r.failing != "" {
		return r.change(Fault, unfit(r.failing)+"; "+why, out)
	}
	r.stale = lacks(r.spec.Addresses, a)
	r.adopt(a)
	r.arm(now)
	r.behind = outranks(a, r.heard.Address, r.effective, r.spec.face(r.lane).Source)
	return r.change(Backup, why, out)
}
