package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hafile/runtime/lab/netns"
)

// Of a keepalived nothing is known but its adverts, so that a drain is refused; by a
// person's word it has the addresses after its skew, which costs no new connection.
func TestDrainBesideKeepalived(t *testing.T) {
	netns.Needs(t, "keepalived", "keepalived")
	t.Parallel()
	g := group{version: 3, interval: time.Second, a: member{priority: 150}, b: member{priority: 100, keepalived: true}}
	l := g.up(t)
	owner := func(node string, within time.Duration) {
		t.Helper()
		if err := l.AwaitOwner(t.Context(), g.vip(), node, within+noise); err != nil {
			t.Fatal(err)
		}
	}
	owner("a", g.down(g.a.priority))
	time.Sleep(g.down(g.a.priority)) // until what b has sent as active is too old
	socket := "-socket=" + filepath.Join(l.Files(), "a", "run", "hafile.sock")
	if out := hafileOn(t, l, exitRefused, "drain", socket); !strings.Contains(out, "HA3112") || !strings.Contains(out, "unknown") {
		t.Error(out)
	}
	const tries = 3
	for try := 1; ; try++ {
		time.Sleep(300 * time.Millisecond) // keepalived releases before it is succeeded, and that is not what is measured
		l.Seen()
		hafileOn(t, l, exitOK, "drain", "-force", "-reason", "a test", socket)
		owner("b", g.skew(g.b.priority)+g.interval)
		time.Sleep(150 * time.Millisecond)
		gap, lost := l.Seen()
		if out := hafileOn(t, l, exitOK, "status", socket); !strings.Contains(out, "DRAINED") || !strings.Contains(out, "a test") {
			t.Errorf("status: %s", out)
		}
		hafileOn(t, l, exitOK, "undrain", socket)
		owner("a", g.down(g.a.priority)+g.interval)
		switch {
		case lost.New == 0:
			return
		case try == tries: // see stopWithoutLoss
			t.Fatalf("a drain cost %d new connections of %d, %s without an answer", lost.New, lost.Asked, gap)
		}
	}
}
