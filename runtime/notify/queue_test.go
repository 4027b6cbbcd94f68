package notify

import (
	"context"
	"errors"
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

// rig is a Notifier whose deliveries take a time and succeed or not as told; it notes
// each as "seconds name event", with what went wrong.
type rig struct {
	*Notifier
	from time.Time

	mu      sync.Mutex
	takes   time.Duration
	verdict func(*plan.Notify, *item) verdict
	log     []string
	flying  map[string]int
	overlap bool
	skipped int // changes accounted for by the delivered ones
}

func newRig(t *testing.T) *rig {
	r := &rig{from: time.Now(), flying: map[string]int{}}
	r.Notifier = New(Options{Log: quiet, deliver: r.deliver})
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		r.Drain(ctx)
	})
	return r
}

func (r *rig) deliver(ctx context.Context, spec *plan.Notify, it *item) verdict {
	key := it.Wire.Interface + string(spec.Address)
	r.mu.Lock()
	r.flying[key]++
	r.overlap = r.overlap || r.flying[key] > 1
	takes, judge := r.takes, r.verdict
	r.mu.Unlock()
	started := time.Since(r.from)
	var v verdict
	select {
	case <-time.After(takes):
		v = verdict{sent: true}
		if judge != nil {
			v = judge(spec, it)
		}
	case <-ctx.Done():
		v = verdict{err: ctx.Err()}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flying[key]--
	line := fmt.Sprintf("%g %s %s", started.Seconds(), it.Name, it.Event)
	if v.err != nil {
		line += " failed"
	} else {
		r.skipped += len(it.skipped) + it.omitted
	}
	r.log = append(r.log, line)
	return v
}

func (r *rig) set(takes time.Duration, judge func(*plan.Notify, *item) verdict) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.takes, r.verdict = takes, judge
}

func (r *rig) said() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	said := r.log
	r.log = nil
	return said
}

func (r *rig) expect(t *testing.T, want ...string) {
	t.Helper()
	if got := r.said(); !slices.Equal(got, want) {
		t.Errorf("delivered\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func (r *rig) status(t *testing.T) Status {
	t.Helper()
	s := r.Status()
	if len(s) != 1 {
		t.Fatalf("%d notifies in status", len(s))
	}
	return s[0]
}

func mailTo(name string, on ...string) plan.Notify {
	e := plan.DefaultEmail()
	e.To, e.From, e.Relay = []string{"ops@example.net", "oncall@example.net"}, "ha@nginx01.example.net", "192.0.2.25:25"
	if len(on) == 0 {
		on = plan.NotifyEvents
	}
	return plan.Notify{Address: plan.Addr("notify." + name), On: on, Email: &e}
}

func hookOf(name string, on ...string) plan.Notify {
	e := plan.DefaultExec()
	e.Command = []string{"/hook"}
	if len(on) == 0 {
		on = plan.NotifyEvents
	}
	return plan.Notify{Address: plan.Addr("notify." + name), On: on, Exec: &e}
}

// change of the instance on that interface.
func change(event, iface string, to ...string) Transition {
	t := Transition{
		Instance: "instance.VI_1", Name: "VI_1", Wire: plan.WireKey{Interface: iface, Family: plan.IPv4, VRID: 51, Version: 2},
		Node: "nginx01", Event: event, At: time.Now(),
	}
	for _, name := range to {
		t.Notify = append(t.Notify, plan.Addr("notify."+name))
	}
	return t
}

func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

var errDead = errors.New("connection refused")

func dead(*plan.Notify, *item) verdict     { return verdict{err: errDead} }
func refusing(*plan.Notify, *item) verdict { return verdict{err: errors.New("550 no"), answer: true} }

func TestWhoReportsNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.Apply([]plan.Notify{hookOf("h")})
		r.set(time.Hour, nil)
		began := time.Now()
		for range 100 {
			r.Notify(change(Active, "eth0", "h"))
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("100 reports took %v", took)
		}
		if s := r.status(t); s.Pending > 2 {
			t.Errorf("%d pending", s.Pending)
		}
	})
}

func TestAQuietQueueTellsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.Apply([]plan.Notify{mailTo("m")})
		for _, e := range []string{Backup, Active, Fault, Stop} {
			r.Notify(change(e, "eth0", "m"))
			after(time.Second)
		}
		r.expect(t, "0 VI_1 backup", "1 VI_1 active", "2 VI_1 fault", "3 VI_1 stop")
		if s := r.status(t); s.Sent != 4 || s.Dropped != 0 || s.Pending != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestAThousandFlapsWithASlowHookEndInTheRealState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.Apply([]plan.Notify{hookOf("h")})
		r.set(3*time.Second, nil)
		for i := range 1000 {
			r.Notify(change([]string{Active, Backup}[i%2], "eth0", "h"))
			after(10 * time.Millisecond)
		}
		r.Notify(change(Fault, "eth0", "h"))
		after(time.Minute)
		said := r.said()
		if r.overlap || !strings.HasSuffix(said[len(said)-1], "fault") || len(said) > 6 {
			t.Errorf("overlap %v; ran %q", r.overlap, said)
		}
		if s := r.status(t); s.Sent+s.Dropped != 1001 || s.Pending != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestADeadRelayIsTriedWithGrowingPausesUntilItLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.Apply([]plan.Notify{mailTo("m")})
		r.set(0, dead)
		r.Notify(change(Active, "eth0", "m"))
		after(64 * time.Second)
		r.expect(t, "0 VI_1 active failed", "1 VI_1 active failed", "3 VI_1 active failed", "7 VI_1 active failed",
			"15 VI_1 active failed", "31 VI_1 active failed", "63 VI_1 active failed")
		if s := r.status(t); s.Pending != 1 || s.Failed != 7 || s.LastError != "connection refused" {
			t.Errorf("%+v", s)
		}
		after(24 * time.Hour)
		r.said()
		r.set(0, nil)
		after(retryMax)
		if said := r.said(); len(said) != 1 || strings.HasSuffix(said[0], "failed") {
			t.Errorf("a day later: %q", said)
		}
		if s := r.status(t); s.Pending != 0 || s.Sent != 1 || s.LastError != "" {
			t.Errorf("%+v", s)
		}
	})
}

func TestWhileTheRelayIsDeadOnlyTheFinalStateWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.Apply([]plan.Notify{mailTo("m")})
		r.set(10*time.Second, dead) // each try takes its time
		r.Notify(change(Active, "eth0", "m"))
		after(time.Second)
		r.Notify(change(Fault, "eth0", "m"))
		after(time.Minute)
		r.Notify(change(Backup, "eth0", "m"))
		after(time.Second)
		r.set(0, nil)
		after(2 * time.Minute)
		said := r.said()
		if !strings.HasSuffix(said[len(said)-1], "backup") || r.skipped != 2 {
			t.Errorf("%q, with %d changes listed, want 2", said, r.skipped)
		}
		if s := r.status(t); s.Sent != 1 || s.Dropped != 2 {
			t.Errorf("%+v", s)
		}
	})
}

func TestARefusalIsNotRepeatedSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.Apply([]plan.Notify{mailTo("m")})
		r.set(0, refusing)
		r.Notify(change(Active, "eth0", "m"))
		after(11 * time.Minute)
		r.expect(t, "0 VI_1 active failed", "300 VI_1 active failed", "600 VI_1 active failed")
	})
}

func TestFlappingForTenMinutesIsRateLimitedAndEndsInTheRealState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.Apply([]plan.Notify{mailTo("m")})
		for i := range 600 {
			r.Notify(change([]string{Active, Backup}[i%2], "eth0", "m"))
			after(time.Second)
		}
		r.Notify(change(Fault, "eth0", "m"))
		after(2 * mailEvery)
		said := r.said()
		if len(said) > mailBurst+12 || !strings.HasSuffix(said[len(said)-1], "fault") {
			t.Errorf("%d mails, the last %q", len(said), said[len(said)-1])
		}
		s := r.status(t)
		if s.Sent+s.Dropped != 601 || s.Pending != 0 {
			t.Errorf("%+v", s)
		}
		if r.skipped != int(s.Dropped) {
			t.Errorf("the mails account for %d of %d superseded changes", r.skipped, s.Dropped)
		}
	})
}

func TestAHookIsSupersededByAChangeThatItDidNotAskFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.Apply([]plan.Notify{hookOf("h", Active), mailTo("m", Active)})
		r.set(0, dead)
		r.Notify(change(Active, "eth0", "h", "m"))
		after(100 * time.Millisecond)
		r.Notify(change(Backup, "eth0", "h", "m"))
		after(time.Second)
		for _, s := range r.Status() {
			hook := s.Address == "notify.h"
			if s.Dropped != map[bool]uint64{true: 1}[hook] || s.Pending != map[bool]int{false: 1}[hook] {
				t.Errorf("%+v", s)
			}
		}
	})
}

func TestWhatIsInFlightIsSupersededToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.Apply([]plan.Notify{hookOf("h", Active)})
		r.set(5*time.Second, dead)
		r.Notify(change(Active, "eth0", "h"))
		after(time.Second)
		r.Notify(change(Backup, "eth0", "h"))
		if s := r.status(t); s.Pending != 0 {
			t.Errorf("%+v", s)
		}
		after(time.Hour)
		r.expect(t, "0 VI_1 active failed")
	})
}

func TestWhatIsGivenUpIsNotTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.Apply([]plan.Notify{hookOf("h")})
		r.set(0, func(_ *plan.Notify, it *item) verdict {
			it.runs++
			return verdict{err: errors.New("exit status 1"), last: it.runs >= hookTries}
		})
		r.Notify(change(Active, "eth0", "h"))
		after(time.Hour)
		r.expect(t, "0 VI_1 active failed", "1 VI_1 active failed", "3 VI_1 active failed")
		if s := r.status(t); s.Pending != 0 || s.Failed != 3 || s.LastError != "exit status 1" {
			t.Errorf("%+v", s)
		}
	})
}

func TestInstancesDoNotWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.Apply([]plan.Notify{mailTo("m")})
		r.set(10*time.Second, nil)
		r.Notify(change(Active, "eth0", "m"))
		r.Notify(change(Backup, "eth1", "m"))
		after(10 * time.Second)
		if said := r.said(); len(said) != 2 {
			t.Errorf("%q", said)
		}
	})
}

func TestAnEditKeepsWhatIsPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		old := mailTo("m")
		r.Apply([]plan.Notify{old})
		r.set(0, func(n *plan.Notify, _ *item) verdict {
			if n.Email.Relay == old.Email.Relay {
				return verdict{err: errDead}
			}
			return verdict{sent: true}
		})
		r.Notify(change(Active, "eth0", "m"))
		after(40 * time.Second)
		r.said()
		renamed := mailTo("other")
		r.Apply([]plan.Notify{renamed})
		synctest.Wait()
		r.expect(t)
		if s := r.status(t); s.Address != "notify.other" || s.Pending != 1 || s.Failed != 6 {
			t.Errorf("after a rename: %+v", s)
		}
		moved := mailTo("other")
		moved.Email.Relay = "192.0.2.26:25"
		r.Apply([]plan.Notify{moved})
		synctest.Wait()
		r.expect(t, "40 VI_1 active") // at once, not when the pause ends
	})
}

func TestARemovedNotifyStillTellsTheLastChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.Apply([]plan.Notify{mailTo("m")})
		r.Apply(nil)
		r.Notify(change(Stop, "eth0", "m")) // the instance left with it
		after(time.Second)
		r.expect(t, "0 VI_1 stop")
		if len(r.Status()) != 0 {
			t.Errorf("%+v", r.Status())
		}
		r.set(0, dead)
		r.Notify(change(Fault, "eth0", "m"))
		after(time.Hour)
		if said := r.said(); len(said) == 0 || len(said) > 7 {
			t.Errorf("%d tries, want those of a minute", len(said))
		}
		r.set(0, nil)
		r.Notify(change(Active, "eth0", "m"))
		after(time.Hour)
		r.expect(t)
	})
}

func TestDrainTellsTheStopsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.Apply([]plan.Notify{mailTo("m")})
		for range 2 * mailBurst {
			r.Notify(change(Active, "eth0", "m"))
			after(time.Millisecond)
		}
		r.said()
		r.set(200*time.Millisecond, nil)
		r.Notify(change(Stop, "eth0", "m"))
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		began := time.Now()
		if err := r.Drain(ctx); err != nil || time.Since(began) != 200*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		if said := r.said(); len(said) != 1 || !strings.HasSuffix(said[0], "stop") {
			t.Errorf("%q", said)
		}
		r.Notify(change(Active, "eth0", "m"))
		after(time.Minute)
		r.expect(t)
	})
}

func TestDrainIsBoundedAndSaysWhatWasLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.Apply([]plan.Notify{mailTo("m")})
		r.set(0, dead)
		r.Notify(change(Stop, "eth0", "m"))
		r.Notify(change(Stop, "eth1", "m"))
		after(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began := time.Now()
		err := r.Drain(ctx)
		if err == nil || err.Error() != "2 notifications were not delivered: connection refused" || time.Since(began) != 3*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		if n := len(r.said()); n < 12 {
			t.Errorf("%d tries, want one each half second", n)
		}
	})
}

func TestUnknownEventsAndNotifiesAreIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.Apply([]plan.Notify{mailTo("m")})
		r.Notify(change("leaving", "eth0", "m"))
		r.Notify(change(Active, "eth0", "nobody"))
		after(time.Minute)
		r.expect(t)
	})
}
