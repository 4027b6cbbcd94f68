package node

import (
	"time"

	"hafile/runtime/vrrp"
)

// Bounds are the upper limits of the lateness buckets; one more bucket has the rest.
var Bounds = [...]time.Duration{
	50 * time.Microsecond, 100 * time.Microsecond, 200 * time.Microsecond, 500 * time.Microsecond,
	1 * time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond,
	20 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
}

// Punctuality is how late deadlines were acted on, never reset.
type Punctuality struct {
	Max     time.Duration
	Sum     time.Duration
	Buckets [len(Bounds) + 1]uint64 // not cumulative
	// AdvertsLate are those that an active sent late by more than a tenth of its interval.
	AdvertsLate uint64
}

// Count of all deadlines.
func (p *Punctuality) Count() uint64 {
	sum := uint64(0)
	for _, b := range p.Buckets {
		sum += b
	}
	return sum
}

func (p *Punctuality) record(late time.Duration, r *router) {
	p.Max = max(p.Max, late)
	p.Sum += late
	p.Buckets[bucket(late)]++
	if r.core.Role() == vrrp.Active && late > r.core.Spec().Interval/10 {
		p.AdvertsLate++
	}
}

func bucket(late time.Duration) int {
	for i, bound := range Bounds {
		if late <= bound {
			return i
		}
	}
	return len(Bounds)
}
