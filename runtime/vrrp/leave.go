package vrrp

import (
	"fmt"
	"time"
)

// leave is a departure under way: goodbyes still to be said, and how long the addresses
// are held for a successor.
type leave struct {
	offer  bool // resume if nobody comes; else the router is stopping
	follow bool // after others of its group: do not resume
	left   int  // goodbyes
	next   Instant
	until  Instant
}

func (l *leave) deadline() Instant {
	if l.left > 0 {
		return earliest(l.next, l.until)
	}
	return l.until
}

// outranked reports whether another member may have a higher priority and would take the
// addresses: without preemption nobody takes them from a live active.
func (r *Router) outranked() bool { return r.preempts() && r.spec.Rival > r.effective }

// offer gives the addresses to a better member without waiting to be timed out. One
// whose check fails has offered them before, and now sends the lowest priority.
func (r *Router) offer(now Instant, out []Effect) []Effect {
	if r.failing != "" {
		return out
	}
	why := fmt.Sprintf("its priority is %d, another member may have %d", r.effective, r.spec.Rival)
	return r.beginLeave(now, why, leave{offer: true}, out)
}

// reconsider takes an offer back when there is no reason for it any more.
func (r *Router) reconsider(now Instant, why string, out []Effect) []Effect {
	if !r.leave.offer || r.leave.follow || r.failing != "" || r.outdone {
		return out
	}
	return r.resume(now, why, out)
}

// beginLeave says goodbye and holds on. The longest that any successor takes is its
// skew after the goodbye; three intervals more cover goodbyes that were all lost.
func (r *Router) beginLeave(now Instant, why string, l leave, out []Effect) []Effect {
	l.left = goodbyeCount - 1
	l.next = now.Add(goodbyeSpacing)
	for k := range r.spec.faces() {
		f := r.spec.face(k)
		l.until = max(l.until, now.Add(Down(f.Version, 1, max(r.cadence.interval, f.Interval), 3)))
	}
	r.leave = l
	r.advertAt, r.refusedAt, r.followAt = 0, 0, 0
	out = r.send(0, out)
	return r.change(Leaving, why, out)
}

func (r *Router) tickLeaving(now Instant, out []Effect) []Effect {
	l := &r.leave
	for l.left > 0 && l.next <= now {
		l.left--
		l.next = l.next.Add(goodbyeSpacing)
		out = r.send(0, out)
	}
	switch {
	case l.until > now:
		return out
	case l.offer && r.forsake:
		return r.fail(r.failing+" fails; nobody took the addresses", out)
	case l.follow:
		return r.listen(now, "nobody took the addresses, but its group is elsewhere", r.yield(out))
	case l.offer:
		return r.resume(now, "nobody took the addresses", out)
	}
	return r.gone("stopped; nobody took the addresses", r.yield(out))
}

// resume takes the role back that was on offer.
func (r *Router) resume(now Instant, why string, out []Effect) []Effect {
	if r.failing != "" {
		why += ", so it stays although " + unfit(r.failing)
	}
	return r.activate(now, why, out)
}

// stop leaves for good. Where no other member is known or was ever heard nobody is
// waited for.
func (r *Router) stop(now Instant, out []Effect) []Effect {
	switch {
	case r.role == Active && r.spec.Rival == 0 && r.heard.At == 0:
		return r.gone("stopped", r.yield(r.send(0, out)))
	case r.role == Active:
		return r.beginLeave(now, "stopping", leave{}, out)
	case r.role == Leaving:
		r.leave.offer, r.leave.follow = false, false
		return out
	case r.releaseAt == 0:
		out = r.yield(out)
	}
	return r.gone("stopped", out)
}

// gone is the end of a stop: RFC 9568's Initialize.
func (r *Router) gone(why string, out []Effect) []Effect {
	r.startAt, r.downAt, r.advertAt, r.faultTill, r.ready, r.behind = 0, 0, 0, 0, false, false
	return r.change(Waiting, why, out)
}

// Gone reports whether a stopped router has released everything.
func (r *Router) Gone() bool { return r.stopped() && !r.claimed }

// grace is how long the addresses stay after giving way; see doc.go.
func (r *Router) grace() time.Duration {
	return min(graceMax, r.spec.beat()/2)
}
