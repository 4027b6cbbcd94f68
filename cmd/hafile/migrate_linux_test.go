package main

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"hafile/lang/story"
	"hafile/runtime/lab"
	"hafile/runtime/lab/netns"
)

// takeOver runs hafile takeover on a machine, beside its keepalived, and returns what it
// says.
func takeOver(t *testing.T, l *lab.Lab, node string, options ...string) (string, error) {
	t.Helper()
	socket := filepath.Join(l.Files(), node, "run", "hafile.sock")
	argv := append([]string{l.Self, "takeover", "-auto-approve", "-node=" + node, "-socket=" + socket}, options...)
	out, err := l.Run(t.Context(), node, append(argv, l.Base)...)
	t.Logf("takeover on %s:\n%s", node, out)
	return string(out), err
}

// TestTakeover: hafile takes the place of a running keepalived pair, one machine after the
// other, and nobody who uses the VIP notices: not while the standby is replaced, and not
// while the active is, whose addresses never leave it.
func TestTakeover(t *testing.T) {
	netns.Needs(t, "keepalived", "keepalived")
	for _, version := range []int{2, 3} {
		t.Run(fmt.Sprintf("v%d", version), func(t *testing.T) {
			t.Parallel()
			g := group{version: version, interval: time.Second, a: member{150, true}, b: member{100, true}}
			if version == 3 {
				g.interval = 400 * time.Millisecond
			}
			l := g.up(t)
			must(t, l.AwaitOwner(t.Context(), groupVIP, "a", g.down(150)+noise))
			time.Sleep(2 * g.interval)
			l.Seen()
			for _, node := range []string{"b", "a"} {
				must(t, l.Beside(t.Context(), node))
				began := time.Now()
				if _, err := takeOver(t, l, node); err != nil {
					t.Fatal(err)
				}
				must(t, l.AwaitOwner(t.Context(), groupVIP, "a", noise))
				time.Sleep(150 * time.Millisecond) // the clients' patience, so that all is counted
				gap, lost := l.Seen()
				t.Logf("%s: %d of %d new connections lost, %d requests under way, longest silence %s", node, lost.New, lost.Asked, lost.InFlight, gap)
				if lost.New > 0 || lost.InFlight > 0 {
					t.Errorf("the takeover on %s lost %+v", node, lost)
				}
				for _, a := range l.Adverts(began) {
					if a.Priority == 0 || a.From == groupAddr["b"] {
						t.Errorf("an advert with priority %d from %s", a.Priority, a.From)
					}
				}
			}
			must(t, l.Do(t.Context(), story.Event{Kind: story.Stop, On: "a"}))
			must(t, l.AwaitOwner(t.Context(), groupVIP, "b", g.skew(100)+g.interval+noise))
		})
	}
}
