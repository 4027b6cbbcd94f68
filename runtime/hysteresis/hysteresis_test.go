package hysteresis

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// run feeds a row of results, "." for a success and "x" for a failure, and draws the
// state after each: ? unknown, U up, D down.
func run(c *Counter, results string) string {
	var b strings.Builder
	for _, r := range results {
		c.Result(r == '.')
		b.WriteByte("?UD"[c.State()])
	}
	return b.String()
}

func TestRows(t *testing.T) {
	tests := []struct {
		claim        string
		fall, rise   int
		results, out string
	}{
		{"a first success is up at once", 3, 2, ".", "U"},
		{"a first failure never is down at once", 3, 2, "xx", "??"},
		{"fall failures from the start are down", 3, 2, "xxx", "??D"},
		{"with fall 1 the first failure is down", 1, 2, "x", "D"},
		{"after a failure up takes rise successes", 3, 2, "x..", "??U"},
		{"mixed results at the start decide nothing", 2, 2, "x.x.x.", "??????"},
		{"fall needs failures in a row", 3, 2, ".xx.xx.xxx", "UUUUUUUUUD"},
		{"rise needs successes in a row", 1, 3, "x..x...", "DDDDDDU"},
		{"the seed pair: down after three, up after two", 3, 2, ".xxx..", "UUUDDU"},
		{"rise 1", 2, 1, "xx.", "?DU"},
	}
	for _, tt := range tests {
		t.Run(tt.claim, func(t *testing.T) {
			c := New(tt.fall, tt.rise)
			if got := run(&c, tt.results); got != tt.out {
				t.Errorf("fall %d rise %d: %s gives %s, want %s", tt.fall, tt.rise, tt.results, got, tt.out)
			}
		})
	}
}

func TestStreakCountsResultsNotStates(t *testing.T) {
	c := New(3, 2)
	for i, want := range []int{1, 2, 1, 2, 3, 4} {
		c.Result(i < 2)
		if c.Streak() != want {
			t.Errorf("after result %d the streak is %d, want %d", i, c.Streak(), want)
		}
	}
}

func TestAnEditKeepsTheStateAndCountsAnew(t *testing.T) {
	c := New(3, 2)
	run(&c, ".xx")
	edited := c.Carry(3, 2)
	if got := run(&edited, "xxx"); got != "UUD" {
		t.Errorf("after the edit: %s, want UUD", got)
	}
	again := edited.Carry(1, 2)
	if got := run(&again, "..x"); got != "DUD" {
		t.Errorf("after the second edit: %s, want DUD: a success of a down check is no first success", got)
	}
}

// A second, deliberately dumb reading of the rules: look back over the whole row.
func TestAgreesWithLookingBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fall, rise := rapid.IntRange(1, 4).Draw(t, "fall"), rapid.IntRange(1, 4).Draw(t, "rise")
		row := rapid.StringMatching(`[.x]{0,20}`).Draw(t, "row")
		state := Unknown
		for i := range row {
			seen := row[:i+1]
			switch {
			case seen == ".", strings.HasSuffix(seen, strings.Repeat(".", rise)):
				state = Up
			case strings.HasSuffix(seen, strings.Repeat("x", fall)):
				state = Down
			}
		}
		c := New(fall, rise)
		run(&c, row)
		if c.State() != state {
			t.Fatalf("fall %d rise %d: %q is %v, looking back %v", fall, rise, row, c.State(), state)
		}
	})
}
