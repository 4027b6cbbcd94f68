package vrrp

// Reconfigure gives a running router a new Spec. Nothing is restarted: deadlines only
// ever move closer, and nobody hears a goodbye. The caller follows with a Priority event,
// because tracked checks count into it; an offer that the new Spec makes due is made
// there.
//
// An edit of the face on the wire comes in two steps. The first makes the face before a
// former one, and every member may take it at any time: whoever has the edit is heard by
// those that do not, and hears them. The second, when all have it, leaves the former one
// out; it is a word less and not a goodbye, which others would take for a departure.
func (r *Router) Reconfigure(now Instant, spec Spec) {
	before := r.spec
	r.spec = spec
	r.signatures.change(spec.Signing)
	// A member that is raised takes over by itself when it has this plan. An offer before
	// that would wake those who have not, and be taken back from them.
	if spec.Rival > before.Rival {
		r.outdone = r.outranked()
	}
	r.ungroup(now)
	r.startAt = closer(r.startAt, now.Add(spec.StartDelay))
	r.preemptAt = closer(r.preemptAt, now.Add(spec.PreemptDelay))
	switch {
	case r.role == Active:
		r.changeCadence(now, &before)
	case r.role == Backup:
		r.changeSilence(now, &before)
	default:
		r.followLane(&before)
	}
}

// changeSilence counts from now what is left of the silence: counted from its beginning
// it may be over already, and an active that nobody has told yet is still alive.
func (r *Router) changeSilence(now Instant, before *Spec) {
	if r.ready {
		r.followLane(before)
		return
	}
	rearm := r.followLane(before) || r.spec.Interval != before.Interval || r.spec.DownAdverts != before.DownAdverts
	if !rearm {
		return
	}
	was := r.downAt
	r.arm(now)
	r.downAt = min(r.downAt, was)
}

// followLane finds the face by which silence is counted in the new Spec. It reports
// whether silence has another length now. A face that is retired may have been the last
// to be heard: until the current one is, silence keeps the length that it had.
func (r *Router) followLane(before *Spec) (changed bool) {
	lane, kept := r.spec.find(before.face(r.lane))
	r.lane = lane
	switch {
	case r.heard.At == 0:
		was := r.adopted
		r.listenSlowly()
		return r.adopted != was
	case kept:
		return false
	case r.spec.face(0).Identity() == before.face(0).Identity():
		r.adopted = max(r.adopted, r.spec.Interval)
		return false
	}
	r.adopted = r.spec.Interval
	return true
}

// closer moves a deadline, if there is one, to an earlier instant and never to a later.
func closer(deadline, to Instant) Instant {
	if deadline == 0 {
		return 0
	}
	return min(deadline, to)
}

// changeCadence shortens at once. A longer interval is announced in three adverts before
// it is kept: a backup that missed two of them still knows it. Version 2 has nobody who
// would understand the announcement, unless it has been listening to both.
func (r *Router) changeCadence(now Instant, before *Spec) {
	r.followLane(before)
	if _, had := before.find(r.spec.face(0)); !had && len(r.spec.Former) > 0 {
		r.advertAt = closer(r.advertAt, now) // a face that is new is shown at once
	}
	beat := r.spec.beat()
	announced := r.spec.Version == 3 || len(before.Former) > 0
	switch {
	case beat == before.beat():
	case beat > r.cadence.interval && announced:
		r.cadence.old = 3
	default:
		r.cadence = cadence{interval: beat}
		r.advertAt = closer(r.advertAt, now.Add(beat))
	}
}
