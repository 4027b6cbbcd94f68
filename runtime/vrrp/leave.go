package vrrp

import "time"

// leave is a departure under way: goodbyes still to be said, and how long the addresses
// are held for a successor.
type leave struct {
	offer bool // resume if nobody comes; else the router is stopping
	left  int  // goodbyes
	next  Instant
	until Instant
}

func (l *leave) deadline() Instant {
	if l.left > 0 {
		return earliest(l.next, l.until)
	}
	return l.until
}

// offer gives the addresses to a better member without waiting to be timed out. Without
// preemption nobody would take them from a live active, and so none are offered.
func (r *Router) offer(now Instant, why string, out []Effect) []Effect {
	if !r.spec.Preempt || r.spec.Rival <= r.effective {
		return out
	}
	return r.beginLeave(now, why, leave{offer: true}, out)
}

// beginLeave says goodbye and holds on. The longest that any successor takes is its
// skew after the goodbye; three intervals more cover goodbyes that were all lost.
func (r *Router) beginLeave(now Instant, why string, l leave, out []Effect) []Effect {
	l.left = goodbyeCount - 1
	l.next = now.Add(goodbyeSpacing)
	l.until = now.Add(Down(r.spec.Version, 1, r.cadence.interval, 3))
	r.leave = l
	r.advertAt, r.refusedAt = 0, 0
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
	case l.offer:
		return r.resume(now, "nobody took the addresses", out)
	}
	out = r.yield(out)
	return r.gone("stopped; nobody took the addresses", out)
}

// resume takes the role back that was on offer.
func (r *Router) resume(now Instant, why string, out []Effect) []Effect {
	if r.failing != "" {
		why += ", so it stays although " + r.failing + " fails"
	}
	return r.activate(now, why, out)
}

// succeeded ends a departure: the successor's first advert is here, and its announcement
// is on the way.
func (r *Router) succeeded(now Instant, a *Advert, from Peer, out []Effect) []Effect {
	why := "gave the addresses to " + from.Address.String()
	r.releaseAt = now.Add(r.grace())
	switch {
	case !r.leave.offer:
		return r.gone(why, out)
	case r.failing != "":
		return r.change(Fault, r.failing+" fails; "+why, out)
	}
	return r.follow(now, a, why, out)
}

// stop leaves for good. Where no other member exists nobody is waited for.
func (r *Router) stop(now Instant, out []Effect) []Effect {
	switch {
	case r.role == Active && r.spec.Rival == 0:
		out = r.send(0, out)
	case r.role == Active:
		return r.beginLeave(now, "stopping", leave{}, out)
	case r.role == Leaving:
		r.leave.offer = false
		return out
	}
	out = r.yield(out)
	return r.gone("stopped", out)
}

// gone is the end of a stop: RFC 9568's Initialize.
func (r *Router) gone(why string, out []Effect) []Effect {
	r.startAt, r.downAt, r.advertAt, r.faultTill = 0, 0, 0, 0
	return r.change(Waiting, why, out)
}

// Gone reports whether a stopped router has released everything.
func (r *Router) Gone() bool { return r.stopped() && !r.claimed }

// grace is how long the addresses stay after giving way; see doc.go.
func (r *Router) grace() time.Duration {
	return min(graceMax, r.spec.Interval/2)
}
