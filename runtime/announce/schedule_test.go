package announce

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// play runs an agenda without a wire and writes down what leaves when.
func play(a *agenda, now *time.Duration, until time.Duration) string {
	var b strings.Builder
	for {
		if j, _ := a.next(*now); j != nil {
			fmt.Fprintf(&b, "%v %s\n", now.Milliseconds(), j.addr)
			continue
		}
		due, ok := a.due()
		if !ok || due > until {
			*now = until
			return b.String()
		}
		*now = due
	}
}

func addrs(text string) (out []netip.Addr) {
	for _, w := range strings.Fields(text) {
		out = append(out, netip.MustParseAddr(w))
	}
	return out
}

func newAgenda() *agenda { return &agenda{jobs: map[key]*job{}} }

func TestScheduleOfOneAddress(t *testing.T) {
	tests := []struct {
		name string
		s    Schedule
		want string // ms
	}{
		{"the default", Schedule{5, 5000, 60000}, "0 5 20 100 200 5000 5005 5020 5100 5200 60000 120000 180000"},
		{"once", Schedule{Repeat: 1}, "0"},
		{"zero is once", Schedule{}, "0"},
		{"no second burst", Schedule{Repeat: 3, RefreshMs: 60000}, "0 5 20 60000 120000 180000"},
		{"no refresh", Schedule{Repeat: 2, DelayMs: 1000}, "0 5 1000 1005"},
		{"a refresh within the bursts waits for them", Schedule{2, 5000, 4000}, "0 5 5000 5005 5005 8000 12000"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, now := newAgenda(), time.Duration(0)
			a.announce(0, "eth0", addrs("10.0.0.1"), tt.s)
			got := strings.ReplaceAll(strings.ReplaceAll(play(a, &now, 3*time.Minute), " 10.0.0.1", ""), "\n", " ")
			if !strings.HasPrefix(got, tt.want) {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestEveryAddressOnceBeforeAnyRepeat(t *testing.T) {
	a, now := newAgenda(), time.Duration(0)
	a.announce(0, "eth0", addrs("10.0.0.1 10.0.0.2"), Schedule{Repeat: 2})
	now = 10 * time.Millisecond // the repeats of the first two are overdue
	first, _ := a.next(now)
	a.announce(now, "eth0", addrs("10.0.0.3"), Schedule{Repeat: 2})
	got := first.addr.String() + "\n" + play(a, &now, time.Second)
	want := "10.0.0.1\n10 10.0.0.2\n10 10.0.0.3\n10 10.0.0.1\n10 10.0.0.2\n15 10.0.0.3\n"
	if got != want {
		t.Errorf("got\n%s", got)
	}
}

func TestASilencedAddressIsSilent(t *testing.T) {
	a, now := newAgenda(), time.Duration(0)
	a.announce(0, "eth0", addrs("10.0.0.1 10.0.0.2"), Schedule{5, 5000, 60000})
	play(a, &now, 10*time.Millisecond)
	j := a.jobs[key{"eth0", addrs("10.0.0.1")[0]}]
	a.silence("eth0", addrs("10.0.0.1 10.0.0.9"))
	a.silence("eth1", addrs("10.0.0.2"))
	if !j.silenced.Load() {
		t.Error("one that is on its way to the wire is not stopped")
	}
	if got := play(a, &now, time.Minute); strings.Contains(got, "10.0.0.1") || strings.Count(got, "10.0.0.2") != 9 {
		t.Errorf("afterwards\n%s", got)
	}
}

func TestAnnouncedAgainIsAnnouncedAnew(t *testing.T) {
	a, now := newAgenda(), time.Duration(0)
	a.announce(0, "eth0", addrs("10.0.0.1"), Schedule{Repeat: 3})
	play(a, &now, 10*time.Millisecond)
	a.announce(now, "eth0", addrs("10.0.0.1"), Schedule{Repeat: 3})
	if got, want := play(a, &now, time.Minute), "10 10.0.0.1\n15 10.0.0.1\n30 10.0.0.1\n"; got != want {
		t.Errorf("got\n%s", got)
	}
	if len(a.jobs) != 0 || len(a.queue) != 0 {
		t.Errorf("left over: %v", a.jobs)
	}
}
