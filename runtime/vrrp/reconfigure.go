package vrrp

// Reconfigure gives a running router a new Spec of the same wire identity. Nothing is
// restarted: deadlines only ever move closer, and nobody hears a goodbye. The caller
// follows with a Priority event, because tracked checks count into it.
func (r *Router) Reconfigure(now Instant, spec Spec) {
	before := r.spec
	r.spec = spec
	if spec.Interval == before.Interval {
		return
	}
	switch r.role {
	case Active:
		r.changeCadence(now)
	case Backup:
		if spec.Version == 2 || r.heard.At == 0 {
			r.adopted = spec.Interval
		}
		r.downAt = earliest(r.downAt, now.Add(r.downInterval()))
	default:
		r.adopted = spec.Interval
	}
}

// changeCadence shortens at once. A longer interval of version 3 is announced in three
// adverts before it is kept: a backup that missed two of them still knows it.
func (r *Router) changeCadence(now Instant) {
	if r.spec.Version == 3 && r.spec.Interval > r.cadence.interval {
		r.cadence.old = 3
		return
	}
	r.cadence = cadence{interval: r.spec.Interval}
	r.advertAt = earliest(r.advertAt, now.Add(r.spec.Interval))
}
