package vrrp

// What a sync group adds: a router of one does not become active by itself. When its
// silence is over it is ready; who owns the group has it Join when all are. No timer is
// wound up again meanwhile, so that a group is active as soon as the last of its routers
// would be alone.

// Ready reports whether a grouped backup would be active without its group.
func (r *Router) Ready() bool { return r.ready }

// Behind reports whether a backup waits for an active that is better than it.
func (r *Router) Behind() bool { return r.role == Backup && r.behind }

// Follows reports whether the router is on its way to where its group is.
func (r *Router) Follows() bool { return r.role == Leaving && r.leave.follow || r.followAt != 0 }

// Departing reports whether a departure may be taken back.
func (r *Router) Departing() bool { return r.role == Leaving && r.leave.offer }

// Ill is what keeps the router in fault besides a failing check; empty if nothing does.
func (r *Router) Ill() string {
	switch {
	case r.link != "":
		return r.link
	case r.faultTill != 0 && r.role == Fault && r.stranger.IsValid():
		return "another dialect is spoken"
	case r.faultTill != 0 && r.role == Fault:
		return "the kernel refuses an address"
	}
	return ""
}

// expire is the end of a backup's silence.
func (r *Router) expire(now Instant, out []Effect) []Effect {
	if r.spec.Grouped {
		r.isReady()
		return out
	}
	return r.activate(now, r.silence(now), out)
}

func (r *Router) isReady() { r.ready, r.behind, r.downAt = true, false, 0 }

func (r *Router) join(now Instant, out []Effect) []Effect {
	switch {
	case r.role == Backup && r.ready:
		return r.activate(now, r.silence(now), out)
	case r.role == Leaving && r.leave.follow:
		return r.resume(now, "its group is here", out)
	}
	return out
}

// goAlong is what an active does when one of its group has given way and the others have
// not: it is heard of by an advert within followAfter, or leaves by an offer.
func (r *Router) goAlong(now Instant, away string, out []Effect) []Effect {
	switch {
	case away == "":
		r.followAt = 0
	case r.role == Active && r.followAt == 0:
		r.followAt, r.away = now.Add(followAfter), away
	case r.role == Leaving && r.leave.offer:
		r.leave.follow = true
	}
	return out
}

// ungroup: what waits for its group waits no longer.
func (r *Router) ungroup(now Instant) {
	if r.spec.Grouped {
		return
	}
	r.followAt, r.leave.follow = 0, false
	if r.ready {
		r.ready, r.downAt = false, now
	}
}
