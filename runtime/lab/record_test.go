package lab

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hafile/lang/diff"
	"hafile/lang/story"
)

var vip = netip.MustParseAddr("10.0.0.1")

// TestRecorderMeasuresOwnership: gaps before the first owner do not count, later ones
// and overlaps do, and the longest of each is kept.
func TestRecorderMeasuresOwnership(t *testing.T) {
	t0 := time.Unix(1000, 0)
	at := func(ms int) time.Time { return t0.Add(time.Duration(ms) * time.Millisecond) }
	r := newRecorder([]netip.Addr{vip}, t0)
	r.held("a", vip, true, at(5000)) // before: nobody ever, no gap
	r.held("a", vip, true, at(5100)) // again: no change
	r.held("b", vip, true, at(6000))
	r.held("a", vip, false, at(6020)) // 20 ms with two
	r.held("b", vip, false, at(7000))
	r.held("a", vip, true, at(7600)) // 600 ms without
	r.held("a", netip.MustParseAddr("10.0.0.9"), true, at(7700))
	var o story.Outcome
	r.outcome(&o, at(9000))
	want := story.Outcome{
		Owner:   map[string]string{"10.0.0.1/32": "a"},
		Unowned: map[string]float64{"10.0.0.1/32": 0.6},
		Double:  map[string]float64{"10.0.0.1/32": 0.02},
		Lost:    map[string]story.Lost{"10.0.0.1/32": {}},
	}
	if d := cmp.Diff(want, o); d != "" {
		t.Errorf("outcome (-want +got):\n%s", d)
	}
}

func TestRecorderCountsLossesPerWindow(t *testing.T) {
	t0 := time.Unix(1000, 0)
	at := func(ms int) time.Time { return t0.Add(time.Duration(ms) * time.Millisecond) }
	r := newRecorder([]netip.Addr{vip}, t0)
	r.replied(reply{vip: vip, ended: at(1), loss: lostNew}) // nobody owns it yet
	r.held("a", vip, true, at(10))
	r.replied(reply{vip: vip, ended: at(11), loss: lostNew}) // up, and never answered yet
	r.replied(reply{vip: vip, ended: at(20)})
	r.restart(at(20))
	r.replied(reply{vip: vip, ended: at(21)})
	r.replied(reply{vip: vip, ended: at(130), loss: lostNew})
	r.replied(reply{vip: vip, ended: at(131), loss: lostFlight})
	r.replied(reply{vip: vip, ended: at(221)})
	gap, lost := r.cutWindow(at(222))
	if want := (story.Lost{Asked: 4, New: 1, InFlight: 1}); gap != 200*time.Millisecond || lost != want {
		t.Errorf("first window: gap %s, %+v; want 200ms, %+v", gap, lost, want)
	}
	r.replied(reply{vip: vip, ended: at(400), loss: lostNew})
	gap, lost = r.cutWindow(at(500))
	if want := (story.Lost{Asked: 1, New: 1}); gap != 279*time.Millisecond || lost != want {
		t.Errorf("second window, silent to its end: gap %s, %+v; want 279ms, %+v", gap, lost, want)
	}
}

func TestAllowedComesFromTheBudgets(t *testing.T) {
	budgets := []diff.Budget{
		{From: "a", To: "b", DownMs: 6609, Checks: []diff.CheckBudget{{Check: "script.x", DetectMs: 8000, TakeoverMs: 609, Moves: true}, {Check: "script.y", DetectMs: 99000}}},
		{From: "b", To: "a", DownMs: 6605},
	}
	tests := []struct {
		event story.Event
		want  time.Duration
	}{
		{story.Event{Kind: story.Kill, On: "a"}, 6609 * time.Millisecond},
		{story.Event{Kind: story.Cut, On: "b"}, 6605 * time.Millisecond},
		{story.Event{Kind: story.Stop, On: "a"}, 0},
		{story.Event{Kind: story.Fail, On: "a", What: "script.x"}, 8609 * time.Millisecond},
		{story.Event{Kind: story.Fail, On: "a", What: "script.y"}, 0},
		{story.Event{Kind: story.Apply}, 0},
		{story.Event{Kind: story.Recover, On: "a", What: "script.x"}, 0},
	}
	for _, tt := range tests {
		if got := allowed(tt.event, budgets); got != tt.want {
			t.Errorf("%s: %s allowed, want %s", tt.event, got, tt.want)
		}
	}
}
