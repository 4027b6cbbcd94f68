package main

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"hafile/lang/story"
	"hafile/runtime/lab"
	"hafile/runtime/lab/netns"
)

// BenchmarkTakeover moves the VIP from a to b and back, by hafile and by Debian's
// keepalived in turn, in namespaces of the same shape. It reports what the network saw:
//
//	takeover-ms   from a's last advert (the goodbye, where there is one) to b's first
//	bound-ms      what the protocol asks for: 3 x interval + skew, or the skew after a goodbye
//	outage-ms     the longest that a client went without an answer
//	lost-new      new connections that did not come about, per move
//
// Run it with: go test -run '^$' -bench Takeover -benchtime 3x ./cmd/hafile
func BenchmarkTakeover(b *testing.B) {
	netns.Needs(b, "keepalived", "keepalived")
	for _, kind := range []story.Kind{story.Kill, story.Cut, story.Stop} {
		for _, peer := range []string{"hafile", "keepalived"} {
			ka := peer == "keepalived"
			g := group{version: 2, interval: time.Second, a: member{150, ka}, b: member{100, ka}, plain: true}
			b.Run(fmt.Sprintf("%s/%s", kind, peer), func(b *testing.B) { g.benchmark(b, kind) })
		}
	}
}

func (g group) benchmark(b *testing.B, kind story.Kind) {
	l := g.up(b)
	undo := story.Start
	if kind == story.Cut {
		undo = story.Heal
	}
	if err := l.AwaitOwner(b.Context(), groupVIP, "a", g.down(g.a.priority)+noise); err != nil {
		b.Fatal(err)
	}
	var takeover, outage time.Duration
	lost := 0
	for b.Loop() {
		time.Sleep(2 * g.interval) // a few adverts of a quiet group
		l.Seen()
		began := time.Now()
		must(b, l.Do(b.Context(), story.Event{Kind: kind, On: "a"}))
		must(b, l.AwaitHolder(b.Context(), groupVIP, "b", g.down(g.b.priority)+noise))
		time.Sleep(200 * time.Millisecond) // the clients' patience, so that all is counted
		gap, seen := l.Seen()
		takeover += between(l.Adverts(began.Add(-2*g.interval)), groupAddr["a"], groupAddr["b"])
		outage = max(outage, gap)
		lost += seen.New
		must(b, l.Do(b.Context(), story.Event{Kind: undo, On: "a"}))
		must(b, l.AwaitOwner(b.Context(), groupVIP, "a", g.down(g.a.priority)+2*g.interval+noise))
	}
	bound := g.down(g.b.priority)
	if kind == story.Stop {
		bound = g.skew(g.b.priority)
	}
	n := float64(b.N)
	b.ReportMetric(ms(takeover)/n, "takeover-ms")
	b.ReportMetric(ms(bound), "bound-ms")
	b.ReportMetric(ms(outage), "outage-ms")
	b.ReportMetric(float64(lost)/n, "lost-new")
	b.ReportMetric(0, "ns/op")
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// between is the time from the last advert of one address, or from its first goodbye, to
// the first of another.
func between(adverts []lab.Advert, from, to netip.Addr) time.Duration {
	var last time.Time
	goodbye := false
	for _, a := range adverts {
		switch {
		case a.From == from && !goodbye:
			last, goodbye = a.At, a.Priority == 0
		case a.From == to && !last.IsZero():
			return a.At.Sub(last)
		}
	}
	return 0
}
