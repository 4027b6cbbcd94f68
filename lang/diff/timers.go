package diff

import (
	"fmt"
	"time"

	"hafile/lang/plan"
)

// skew is how long a backup of the given priority waits after a goodbye: the higher the
// priority, the shorter, so that the best backup is first. VRRPv2 counts it in 256ths of
// a second (RFC 3768, 6.1), VRRPv3 in 256ths of the advert interval (RFC 9568, 6.1).
func skew(in *plan.Instance, priority uint8) time.Duration {
	unit := time.Second
	if in.Version != 2 {
		unit = interval(in)
	}
	return time.Duration(256-int(priority)) * unit / 256
}

// downInterval is how long a backup of the given priority hears nothing before it
// claims the addresses (RFC 9568, 6.1: Active_Down_Interval).
func downInterval(in *plan.Instance, priority uint8) time.Duration {
	return time.Duration(in.DownAdverts)*interval(in) + skew(in, priority)
}

func interval(in *plan.Instance) time.Duration {
	return time.Duration(in.AdvertMs) * time.Millisecond
}

func millis(d time.Duration) int64 { return d.Round(time.Millisecond).Milliseconds() }

// Seconds writes a length in milliseconds for people: "6.6 s", "45 ms", "0 s".
func Seconds(ms int64) string {
	switch {
	case ms == 0:
		return "0 s"
	case ms < 100:
		return fmt.Sprintf("%d ms", ms)
	}
	return fmt.Sprintf("%.1f s", float64(ms)/1000)
}
