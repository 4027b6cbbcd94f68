package sim

import (
	"time"

	"hafile/runtime/vrrp"
)

// clock is a machine's monotonic clock. It runs at a rate of its own, stands still while
// the machine is suspended, and begins anew when it boots.
type clock struct {
	base vrrp.Instant  // what it showed
	at   time.Duration // at this moment of the world
	ppb  int64         // how fast it is

	suspended bool
	asleep    time.Duration // for how long so far
}

// drifted is what a clock counts while d passes.
func drifted(d time.Duration, ppb int64) time.Duration {
	return d + d/1000*time.Duration(ppb)/1_000_000
}

// instant is what the clock shows.
func (c *clock) instant(now time.Duration) vrrp.Instant {
	if c.suspended {
		return c.base
	}
	return c.base.Add(drifted(now-c.at, c.ppb))
}

// when is the first moment at which the clock shows i, not before now.
func (c *clock) when(i vrrp.Instant, now time.Duration) time.Duration {
	t := max(now, c.at+drifted(i.Sub(c.base), -c.ppb))
	for {
		short := i.Sub(c.instant(t))
		if short <= 0 {
			return t
		}
		t += short
	}
}

// suspend stops the clock, resume lets it go on from where it was.
func (c *clock) suspend(now time.Duration) {
	c.base, c.at, c.suspended = c.instant(now), now, true
}

func (c *clock) resume(now time.Duration) {
	c.asleep += now - c.at
	c.at, c.suspended = now, false
}
