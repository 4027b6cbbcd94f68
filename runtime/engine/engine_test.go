package engine

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hafile/lang/plan"
	"hafile/runtime/kernel"
	"hafile/runtime/node"
	"hafile/runtime/vrrp"
	"hafile/runtime/vrrp/wire"
)

// expect compares what the fakes have printed since the last call.
func (w *world) expect(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	if d := cmp.Diff(want, w.take()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func (w *world) commit(t *testing.T, r node.Resolved) {
	t.Helper()
	if err := w.Commit(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

// active is a world whose node has taken over, after 361 ms.
func active(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.commit(t, pair(101, 1))
	time.Sleep(370 * time.Millisecond)
	synctest.Wait()
	w.take()
	return w
}

// TestTakeover: the advert leaves before the address is wanted, and the announcement
// follows the kernel's report. Adverts then leave an interval apart.
func TestTakeover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.Close()
		w.commit(t, pair(101, 1))
		time.Sleep(580 * time.Millisecond)
		w.expect(t,
			"0.361 send [1/101]",
			"0.361 want [10.0.9.0/32 on eth0]",
			"0.361 announce eth0 [10.0.9.0]",
			"0.461 send [1/101]",
			"0.561 send [1/101]",
		)
	})
}

// TestAdvertsThatAreDueTogetherLeaveTogether in one batch.
func TestAdvertsThatAreDueTogetherLeaveTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.Close()
		w.commit(t, pair(101, 3))
		time.Sleep(470 * time.Millisecond)
		synctest.Wait()
		lines := w.take()
		if got, want := lines[0], "0.361 send [1/101 2/101 3/101]"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		got := lines[len(lines)-1]
		if !strings.HasPrefix(got, "0.461 send [") || strings.Count(got, "/101") != 3 {
			t.Errorf("got %s, want three at 0.461", got)
		}
	})
}

// TestPacketsBeforeDeadlines: a wake-up that comes too late for the down deadline finds
// the active's advert in the socket, and nobody takes over. This holds for a stall that
// is too short to count as frozen.
func TestPacketsBeforeDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.Close()
		w.commit(t, pair(99, 1))
		w.clock.mu.Lock()
		w.clock.stall = 4 * time.Millisecond
		w.clock.mu.Unlock()
		time.Sleep(362 * time.Millisecond) // in the stall
		w.socket.arrive(hello(100))
		time.Sleep(100 * time.Millisecond)
		w.expect(t)
		if s := w.Stats(); s.Stalls != 0 {
			t.Errorf("counted %d stalls", s.Stalls)
		}
		if i := w.Snapshot().Instances[0]; i.Role != vrrp.Backup || len(i.Peers) != 1 {
			t.Errorf("%s, peers %v", i.Role, i.Peers)
		}
	})
}

// TestAFrozenBackupListensAgain although nothing was received: its active may have gone
// on sending while its own socket overflowed.
func TestAFrozenBackupListensAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.Close()
		w.commit(t, pair(99, 1))
		w.clock.mu.Lock()
		w.clock.stall = time.Second
		w.clock.mu.Unlock()
		time.Sleep(1700 * time.Millisecond)
		w.expect(t) // 361.3 ms, a second, and again 361.3 ms
		time.Sleep(30 * time.Millisecond)
		w.expect(t, "1.723 send [1/99]", "1.723 want [10.0.9.0/32 on eth0]", "1.723 announce eth0 [10.0.9.0]")
		if s := w.Stats(); s.Stalls != 1 || s.StallMax < time.Second {
			t.Errorf("%+v", s)
		}
	})
}

// TestASleepOfTheMachineIsAStall although the monotonic clock does not count it.
func TestASleepOfTheMachineIsAStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.Close()
		w.commit(t, pair(99, 1))
		time.Sleep(300 * time.Millisecond)
		w.clock.mu.Lock()
		w.clock.asleep = time.Hour
		w.clock.mu.Unlock()
		w.Link("eth0", "") // any wake-up
		time.Sleep(300 * time.Millisecond)
		w.expect(t)
		if s := w.Stats(); s.Suspended != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// TestDeadlinesAreNotPushedOut: a late advert does not make the next one late.
func TestDeadlinesAreNotPushedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := active(t)
		defer w.Close()
		w.clock.mu.Lock()
		w.clock.stall = 30 * time.Millisecond
		w.clock.mu.Unlock()
		time.Sleep(300 * time.Millisecond)
		w.expect(t, "0.491 send [1/101]", "0.561 send [1/101]", "0.661 send [1/101]")
		p := w.Snapshot().Punctuality
		if p.Max != 30*time.Millisecond || p.AdvertsLate != 1 {
			t.Errorf("%+v", p)
		}
	})
}

// TestAnEditUnderWay: an address is added without a word about the other, and the advert
// goes on at its time.
func TestAnEditUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := active(t)
		defer w.Close()
		r := pair(101, 1)
		in := &r.Plan.Desired.Instances[0]
		in.VIPs = append(in.VIPs, plan.VIP{Address: kernelAddress.Prefix})
		w.commit(t, r)
		time.Sleep(100 * time.Millisecond)
		w.expect(t,
			"0.370 want [10.0.9.0/32 on eth0 10.0.9.200/32 on eth0]",
			"0.370 announce eth0 [10.0.9.200]",
			"0.461 send [1/101]",
		)
	})
}

var kernelAddress = func() kernel.Address {
	in := pair(1, 201).Plan.Desired.Instances[200]
	return kernel.Address{Interface: "eth0", Prefix: in.VIPs[0].Address}
}()

// TestStopWaitsForTheSuccessor and for the kernel.
func TestStopWaitsForTheSuccessor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := active(t)
		stopped := make(chan error, 1)
		go func() { stopped <- w.Stop(t.Context()) }()
		time.Sleep(50 * time.Millisecond)
		w.expect(t,
			"0.370 send [1/0]",
			"0.370 silence eth0 [10.0.9.0]",
			"0.375 send [1/0]",
			"0.380 send [1/0]",
		)
		w.socket.arrive(hello(100))
		w.clock.Wake()
		time.Sleep(19 * time.Millisecond)
		select {
		case err := <-stopped:
			t.Fatalf("stopped before the addresses were gone: %v", err)
		default:
		}
		w.mu.Lock()
		w.deaf = true
		w.mu.Unlock()
		time.Sleep(10 * time.Millisecond)
		w.expect(t, "0.440 want []")
		select {
		case err := <-stopped:
			t.Fatalf("stopped before the kernel has answered: %v", err)
		default:
		}
		w.KernelReport(kernel.Report{Gen: 2})
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		w.Close()
	})
}

// TestStopGivesUpWithItsContext: a kernel that never answers keeps no daemon alive.
func TestStopGivesUpWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := active(t)
		defer w.Close()
		w.deaf = true
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := w.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

// TestNothingWaitsForAClosedEngine, and what it knew last can be asked for.
func TestNothingWaitsForAClosedEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := active(t)
		w.Close()
		w.Close()
		if err := w.Commit(t.Context(), pair(101, 2)); !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
		if err := w.Stop(t.Context()); !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
		w.Check("script.a", plan.CheckUp)
		if s := w.Snapshot(); len(s.Instances) != 1 || s.Instances[0].Role != vrrp.Active {
			t.Errorf("%+v", s)
		}
		turns, err := w.Events().Next(t.Context())
		if len(turns) != 2 || err != nil {
			t.Errorf("%v, %v", turns, err)
		}
		if _, err := w.Events().Next(t.Context()); !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	})
}

// TestTheStampIsTheLastAdvert above priority 0.
func TestTheStampIsTheLastAdvert(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := active(t)
		defer w.Close()
		var stamp atomic.Int64
		w.ask(func(vrrp.Instant) { w.options.Stamp = &stamp })
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		before := stamp.Load()
		if at := vrrp.Instant(before).Sub(epoch).Round(time.Millisecond); at != 461*time.Millisecond {
			t.Errorf("stamped %s", at)
		}
		go func() { _ = w.Stop(t.Context()) }()
		time.Sleep(30 * time.Millisecond)
		synctest.Wait()
		if stamp.Load() != before {
			t.Error("a goodbye was stamped")
		}
	})
}

// TestSocketsAreSwapped: the old one comes back, and adverts go to the new one; without a
// socket they are counted.
func TestSocketsAreSwapped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := active(t)
		defer w.Close()
		next := &fakeSocket{w: w, fd: 8}
		old, err := w.AddSocket(node.On("eth0", plan.IPv4), next)
		if old != Socket(w.socket) || err != nil {
			t.Fatal(old, err)
		}
		time.Sleep(100 * time.Millisecond)
		if got := strings.Join(w.take(), ""); got != "0.461 send [1/101]" {
			t.Error(got)
		}
		if old := w.RemoveSocket(node.On("eth0", plan.IPv4)); old != Socket(next) {
			t.Error(old)
		}
		if old := w.RemoveSocket(node.On("eth0", plan.IPv4)); old != nil {
			t.Error(old)
		}
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		if s := w.Stats(); s.Unsent != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// TestAFloodDelaysNoAdvert: a socket that is never empty does not keep deadlines.
func TestAFloodDelaysNoAdvert(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := active(t)
		defer w.Close()
		flood := &floodSocket{fakeSocket: fakeSocket{w: w, fd: 9}}
		if _, err := w.AddSocket(node.On("eth1", plan.IPv4), flood); err != nil {
			t.Fatal(err)
		}
		w.clock.mu.Lock()
		w.clock.ready = func(fd int) bool { return fd == 9 }
		w.clock.mu.Unlock()
		time.Sleep(100 * time.Millisecond)
		w.expect(t, "0.461 send [1/101]")
		if flood.read.Load() < drainMax {
			t.Errorf("read %d", flood.read.Load())
		}
	})
}

// floodSocket always has one packet more.
type floodSocket struct {
	fakeSocket
	read atomic.Uint64
}

func (s *floodSocket) Next() (*wire.Advert, netip.Addr, wire.Reason, bool) {
	s.read.Add(1)
	return hello(50), neighbour, wire.OK, true
}

// TestEventsKeepTheLastOfEach when nobody reads.
func TestEventsKeepTheLastOfEach(t *testing.T) {
	var q Events
	q.init()
	for i := range 3 * eventsMax {
		name := plan.Addr("instance.often")
		if i < 10 {
			name = plan.Addr("instance.once" + string(rune('0'+i)))
		}
		key := plan.WireKey{Interface: string(name)}
		q.transition(node.Transition{Instance: name, Key: key, At: vrrp.Instant(i)})
	}
	all, err := q.Next(t.Context())
	if err != nil || len(all) > eventsMax+1 {
		t.Fatalf("%d events, %v", len(all), err)
	}
	once := 0
	for i, tr := range all {
		if i > 0 && all[i-1].At >= tr.At {
			t.Fatal("out of order")
		}
		if tr.Instance != "instance.often" {
			once++
		}
	}
	if once != 10 || all[len(all)-1].At != 3*eventsMax-1 {
		t.Errorf("%d that happened once, last at %d", once, all[len(all)-1].At)
	}
	if lost := q.lost.Load(); int(lost)+len(all) != 3*eventsMax {
		t.Errorf("%d lost and %d kept of %d", lost, len(all), 3*eventsMax)
	}
}

// TestEventsTellTwoRoutersOfOneNameApart: an edit of the wire identity leaves the old router
// of an instance behind for a moment. What it says last is not the last of the instance.
func TestEventsTellTwoRoutersOfOneNameApart(t *testing.T) {
	var q Events
	q.init()
	of := func(vrid uint8, to vrrp.Role) node.Transition {
		return node.Transition{Instance: "instance.a", Key: plan.WireKey{Interface: "eth0", VRID: vrid}, To: to}
	}
	q.transition(of(52, vrrp.Active))
	q.transition(of(51, vrrp.Waiting))
	for range eventsMax {
		q.transition(node.Transition{Instance: "instance.often"})
	}
	all, err := q.Next(t.Context())
	if err != nil || !slices.Contains(all, of(52, vrrp.Active)) || !slices.Contains(all, of(51, vrrp.Waiting)) {
		t.Errorf("kept %d, %v: %v", len(all), err, all[0])
	}
}
