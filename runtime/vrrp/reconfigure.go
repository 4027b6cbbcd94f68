package vrrp

// Reconfigure gives a running router a new Spec of the same wire identity. Nothing is
// restarted: deadlines only ever move closer, and nobody hears a goodbye. The caller
// follows with a Priority event, because tracked checks count into it; an offer that the
// new Spec makes due is made there.
func (r *Router) Reconfigure(now Instant, spec Spec) {
	before := r.spec
	r.spec = spec
	// A member that is raised takes over by itself when it has this plan. An offer before
	// that would wake those who have not, and be taken back from them.
	if spec.Rival > before.Rival {
		r.outdone = r.outranked()
	}
	r.startAt = closer(r.startAt, now.Add(spec.StartDelay))
	r.preemptAt = closer(r.preemptAt, now.Add(spec.PreemptDelay))
	if spec.Interval == before.Interval && spec.DownAdverts == before.DownAdverts {
		return
	}
	switch r.role {
	case Active:
		r.changeCadence(now)
	case Backup:
		r.changeSilence(now)
	}
}

// changeSilence counts from now what is left of the silence: counted from its beginning
// it may be over already, and an active that nobody has told yet is still alive.
func (r *Router) changeSilence(now Instant) {
	if r.spec.Version == 2 || r.heard.At == 0 {
		r.adopted = r.spec.Interval
	}
	before := r.downAt
	r.arm(now)
	r.downAt = min(r.downAt, before)
}

// closer moves a deadline, if there is one, to an earlier instant and never to a later.
func closer(deadline, to Instant) Instant {
	if deadline == 0 {
		return 0
	}
	return min(deadline, to)
}

// changeCadence shortens at once. A longer interval of version 3 is announced in three
// adverts before it is kept: a backup that missed two of them still knows it.
func (r *Router) changeCadence(now Instant) {
	if r.spec.Version == 3 && r.spec.Interval > r.cadence.interval {
		r.cadence.old = 3
		return
	}
	r.cadence = cadence{interval: r.spec.Interval}
	r.advertAt = closer(r.advertAt, now.Add(r.spec.Interval))
}
