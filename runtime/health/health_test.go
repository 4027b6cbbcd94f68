package health

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hafile/lang/plan"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// fake is a probe whose runs take a time and answer as told: "." success, "x" failure,
// the last answer for ever. It notes when each run began.
type fake struct {
	mu      sync.Mutex
	takes   time.Duration
	timeout time.Duration
	answers string
	began   []time.Duration
	from    time.Time
	running int
	overlap bool
}

func (f *fake) Run(ctx context.Context) outcome {
	o := outcome{started: time.Now()}
	takes, ok := f.begin(o.started)
	defer f.end()
	select {
	case <-time.After(min(takes, f.timeout)):
		o.ok = ok
	case <-ctx.Done():
	}
	if takes > f.timeout {
		o.ok, o.err = false, fmt.Sprintf("timed out after %v", f.timeout)
	}
	o.ended = time.Now()
	return o
}

func (f *fake) begin(now time.Time) (takes time.Duration, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.running++
	f.overlap = f.overlap || f.running > 1
	f.began = append(f.began, now.Sub(f.from))
	return f.takes, f.answers[min(len(f.began), len(f.answers))-1] == '.'
}

func (f *fake) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.running--
}

func (f *fake) hang() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.takes = time.Hour
}

// rig is a Health over fakes, found by the first word of the command.
type rig struct {
	*Health
	fakes map[string]*fake
	mu    sync.Mutex
	log   []string
	from  time.Time
}

func newRig(t *testing.T, fakes map[string]*fake) *rig {
	r := &rig{fakes: fakes, from: time.Now()}
	for _, f := range fakes {
		f.from = r.from
		if f.timeout == 0 {
			f.timeout = time.Second
		}
	}
	r.Health = New(Options{
		Log: quiet,
		OnState: func(a plan.Addr, s plan.CheckState) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.log = append(r.log, fmt.Sprintf("%s %s", a.Name(), s))
		},
		probes: func(c *plan.Check) probe { return r.fakes[c.Script.Command[0]] },
	})
	t.Cleanup(r.Close)
	return r
}

func check(name, command string) plan.Check {
	c := plan.DefaultCheck()
	c.Address, c.Name = plan.Addr("script."+name), name
	c.Script = &plan.Script{Command: []string{command}}
	return c
}

func (r *rig) expect(t *testing.T, want ...string) {
	t.Helper()
	if got := r.said(); !slices.Equal(got, want) {
		t.Errorf("said %q, want %q", got, want)
	}
}

// said is what was reported since it was last asked for.
func (r *rig) said() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	said := r.log
	r.log = nil
	return said
}

// sorted is said in the order of the alphabet, where several checks change at once.
func (r *rig) sorted() []string {
	said := r.said()
	slices.Sort(said)
	return said
}

// after lets time pass and everything due at its end happen.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (r *rig) status(t *testing.T, name string) Status {
	t.Helper()
	for _, s := range r.Status() {
		if s.Address.Name() == name {
			return s
		}
	}
	t.Fatalf("no status of %s", name)
	return Status{}
}

func TestAChangeIsReportedOnceAndFollowsFallAndRise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, map[string]*fake{"/a": {answers: ".xxx.x.."}})
		r.Apply([]plan.Check{check("a", "/a")})
		after(900 * time.Millisecond)
		r.expect(t, "a up")
		after(2 * time.Second)
		r.expect(t)
		after(time.Second)
		r.expect(t, "a down")
		s := r.status(t, "a")
		if s.State != "down" || s.Streak != 3 || s.LastExit != nil || time.Since(s.Since) > time.Second {
			t.Errorf("%+v", s)
		}
		after(3 * time.Second)
		r.expect(t)
		after(time.Second)
		r.expect(t, "a up")
	})
}

func TestRunsFollowTheStartOfTheOneBefore(t *testing.T) {
	tests := []struct {
		claim          string
		takes, timeout time.Duration
		every          time.Duration
	}{
		{"shorter than the interval", 300 * time.Millisecond, time.Second, time.Second},
		{"killed at its deadline: the next at once", time.Hour, time.Second, time.Second},
		{"killed earlier than the interval: the cadence stays", time.Hour, 100 * time.Millisecond, time.Second},
		{"longer than the interval: the next at once", 2500 * time.Millisecond, 5 * time.Second, 2500 * time.Millisecond},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{answers: ".", takes: tt.takes, timeout: tt.timeout}
			r := newRig(t, map[string]*fake{"/a": f})
			r.Apply([]plan.Check{check("a", "/a")})
			after(20 * time.Second)
			if f.began[0] >= spreadMax {
				t.Errorf("%s: the first run waited %v", tt.claim, f.began[0])
			}
			for i := 1; i < len(f.began); i++ {
				if got := f.began[i] - f.began[i-1]; got != tt.every {
					t.Fatalf("%s: run %d came after %v, want %v", tt.claim, i, got, tt.every)
				}
			}
			if f.overlap || len(f.began) < 5 {
				t.Errorf("%s: overlap %v, %d runs", tt.claim, f.overlap, len(f.began))
			}
		})
	}
}

func TestTheSeedPairNoticesWithinItsBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answers: ".", takes: 100 * time.Millisecond, timeout: 2 * time.Second}
		r := newRig(t, map[string]*fake{"/a": f})
		c := check("a", "/a")
		c.IntervalMs, c.TimeoutMs = 2000, 2000
		r.Apply([]plan.Check{c})
		after(3 * time.Second)
		r.expect(t, "a up")
		f.hang() // nginx died, the script hangs
		after(ms(c.DetectMs()))
		r.expect(t, "a down")
	})
}

func TestAnUnchangedCheckIsNotTouched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := &fake{answers: ".", takes: 900 * time.Millisecond}, &fake{answers: "x"}
		r := newRig(t, map[string]*fake{"/a": a, "/b": b})
		moved := check("a", "/a")
		moved.Src = plan.Src{0, 7, 1, 7, 9}
		r.Apply([]plan.Check{check("a", "/a")})
		after(500 * time.Millisecond) // a run is in flight
		r.Apply([]plan.Check{moved, check("b", "/b")})
		after(600 * time.Millisecond)
		r.expect(t, "a up")
		r.Apply([]plan.Check{moved})
		after(10 * time.Second)
		for i, at := range a.began[1:] {
			if at-a.began[i] != time.Second || a.overlap || len(a.began) < 11 {
				t.Fatalf("runs at %v, overlap %v: the edits disturbed it", a.began, a.overlap)
			}
		}
		if len(b.began) > 2 {
			t.Errorf("the removed check ran %d times", len(b.began))
		}
	})
}

func TestARenameKeepsTheState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answers: "x"}
		r := newRig(t, map[string]*fake{"/a": f})
		r.Apply([]plan.Check{check("a", "/a")})
		after(3 * time.Second)
		r.expect(t, "a down")
		renamed := []plan.Check{check("b", "/a")}
		if got := r.States(renamed)["script.b"]; got != plan.CheckDown {
			t.Errorf("before the apply b would be %s, want down", got)
		}
		runs := len(f.began)
		r.Apply(renamed)
		synctest.Wait()
		r.expect(t, "b down")
		if s := r.status(t, "b"); s.Streak != 3 || len(f.began) != runs {
			t.Errorf("streak %d, %d new runs: it was restarted", s.Streak, len(f.began)-runs)
		}
	})
}

func TestTwoChecksSwapTheirNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, map[string]*fake{"/up": {answers: "."}, "/down": {answers: "x"}})
		r.Apply([]plan.Check{check("a", "/up"), check("b", "/down")})
		after(3 * time.Second)
		r.said()
		r.Apply([]plan.Check{check("a", "/down"), check("b", "/up")})
		if got := r.sorted(); !slices.Equal(got, []string{"a down", "b up"}) {
			t.Errorf("said %q", got)
		}
	})
}

func TestAnEditedCheckKeepsItsStateUntilItsOwnResults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old := &fake{answers: ".", takes: 700 * time.Millisecond}
		r := newRig(t, map[string]*fake{"/old": old, "/new": {answers: "x"}})
		r.Apply([]plan.Check{check("a", "/old")})
		after(time.Second + 300*time.Millisecond)
		r.expect(t, "a up")
		edited := []plan.Check{check("a", "/new")}
		if got := r.States(edited)["script.a"]; got != plan.CheckUp {
			t.Errorf("the edit would make it %s", got)
		}
		r.Apply(edited)
		after(2 * time.Second)
		r.expect(t)
		if s := r.status(t, "a"); s.State != "up" || s.Streak != 2 {
			t.Errorf("%+v", s)
		}
		after(time.Second)
		r.expect(t, "a down")
	})
}

func TestRemovedAndClosedChecksSayNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answers: ".", takes: 500 * time.Millisecond}
		r := newRig(t, map[string]*fake{"/a": f})
		r.Apply([]plan.Check{check("a", "/a")})
		after(300 * time.Millisecond)
		r.Apply(nil)
		after(time.Minute)
		r.expect(t)
		if f.running != 0 || len(f.began) != 1 || len(r.Status()) != 0 {
			t.Errorf("%d running after %d runs, %d in status", f.running, len(f.began), len(r.Status()))
		}
		r.Apply([]plan.Check{check("a", "/a")})
		after(300 * time.Millisecond)
		r.Close()
		r.Apply([]plan.Check{check("a", "/a")})
		after(time.Minute)
		r.expect(t)
		if f.running != 0 {
			t.Error("a run outlived Close")
		}
	})
}

func TestNoMoreRunsAtOnceThanAllowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answers: ".", takes: 100 * time.Millisecond}
		r := newRig(t, map[string]*fake{"/a": f})
		r.opt.Parallel, r.slots = 1, make(chan struct{}, 1)
		var many []plan.Check
		for i := range 8 {
			many = append(many, check(fmt.Sprint("c", i), "/a"))
		}
		r.Apply(many)
		after(5 * time.Second)
		if said := r.said(); f.overlap || len(said) != 8 {
			t.Errorf("overlap %v, %d of 8 checks are up", f.overlap, len(said))
		}
	})
}

func TestEqualChecksUnderTwoNamesAreTwo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, map[string]*fake{"/a": {answers: "."}})
		two := []plan.Check{check("a", "/a"), check("b", "/a")}
		r.Apply(two)
		after(time.Second)
		if got := r.sorted(); !slices.Equal(got, []string{"a up", "b up"}) {
			t.Errorf("said %q", got)
		}
		r.Apply(two[1:])
		r.expect(t)
		if s := r.Status(); len(s) != 1 || s[0].Address != "script.b" {
			t.Errorf("%+v", s)
		}
	})
}

func TestErrorsAreLoggedOnceNotEachRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b strings.Builder
		r := newRig(t, map[string]*fake{"/a": {answers: "x", takes: time.Hour, timeout: 100 * time.Millisecond}})
		r.opt.Log = slog.New(slog.NewTextHandler(&b, nil))
		r.Apply([]plan.Check{check("a", "/a")})
		after(time.Minute)
		if n := strings.Count(b.String(), "\n"); n != 2 {
			t.Errorf("%d lines in a minute, want 2:\n%s", n, b.String())
		}
	})
}
