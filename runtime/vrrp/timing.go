package vrrp

import "time"

// Instant is a point on the monotonic clock in nanoseconds. Its origin means nothing;
// 0 is "no instant" wherever a deadline is kept.
type Instant int64

// Add is the instant d later.
func (t Instant) Add(d time.Duration) Instant { return t + Instant(d) }

// Sub is the time from u to t.
func (t Instant) Sub(u Instant) time.Duration { return time.Duration(t - u) }

// Skew is what a router waits beyond the missed adverts, less the higher its priority.
// Version 2 counts parts of a second whatever the interval (RFC 3768, 6.1); version 3
// parts of the active's interval (RFC 9568, 6.1).
func Skew(version, priority uint8, interval time.Duration) time.Duration {
	parts := time.Duration(256 - int(priority))
	if version == 2 {
		return parts * time.Second / 256
	}
	return parts * interval / 256
}

// Down is the silence after which a backup takes over (Active_Down_Interval).
func Down(version, priority uint8, interval time.Duration, adverts int) time.Duration {
	return time.Duration(adverts)*interval + Skew(version, priority, interval)
}

// earliest is the earlier of two deadlines of which either may be unset.
func earliest(a, b Instant) Instant {
	switch {
	case a == 0:
		return b
	case b == 0 || a < b:
		return a
	}
	return b
}
