//go:build linux

package engine

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"hafile/lang/plan"
	"hafile/runtime/kernel"
	"hafile/runtime/lab/netns"
	"hafile/runtime/node"
	"hafile/runtime/rawsock"
	"hafile/runtime/vrrp"
)

// machine is a real engine with real sockets in a namespace; only its kernel owner is
// not there, and does at once what it is told.
type machine struct {
	*Engine
	wants atomic.Uint64
}

func (m *machine) Want(gen uint64, want kernel.State, _ kernel.Things) {
	m.wants.Add(1)
	m.KernelReport(kernel.Report{Gen: gen, Have: want})
}

func (m *machine) Announce(string, []netip.Addr, node.Announcement) {}
func (m *machine) Silence(string, []netip.Addr)                     {}

// processors does what the engine asks of the program that it runs in.
func processors(t testing.TB) {
	before := runtime.GOMAXPROCS(max(runtime.NumCPU(), 4) + 2)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
}

func newMachine(t testing.TB, s *netns.Segment, source string, ids ...uint8) *machine {
	t.Helper()
	ns := netns.NodeT(t, s, netns.Port{Name: "eth0", Addresses: []netip.Prefix{netip.MustParsePrefix(source + "/24")}})
	m := &machine{}
	var err error
	if m.Engine, err = Start(Options{Kernel: m, Announcer: m}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	index, _, err := ns.Index("eth0")
	if err != nil {
		t.Fatal(err)
	}
	err = ns.Do(func() error {
		p, err := rawsock.Open(rawsock.Config{Interface: "eth0", Index: index, VRIDs: ids})
		if err != nil {
			return err
		}
		t.Cleanup(func() {
			m.RemoveSocket(node.On("eth0", plan.IPv4))
			_ = p.Close()
		})
		_, err = m.AddSocket(node.On("eth0", plan.IPv4), p)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// of is pair for a machine with this source.
func of(source string, priority uint8, instances int) node.Resolved {
	r := pair(priority, instances)
	for a := range r.Hosts {
		r.Hosts[a] = node.Host{Source: netip.MustParseAddr(source)}
	}
	return r
}

// becomes waits for a role of the first instance.
func (m *machine) becomes(t testing.TB, role vrrp.Role) node.Transition {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for {
		turns, err := m.Events().Next(ctx)
		if err != nil {
			t.Fatalf("did not become %s: %v; %+v", role, err, m.Snapshot().Instances)
		}
		for _, tr := range turns {
			if tr.To == role {
				return tr
			}
		}
	}
}

// elect makes a the active one before b begins. Their down intervals differ by 0.4 ms: of
// two that begin together the lesser is active first now and then, until a preempts it.
func elect(t testing.TB, a, b *machine) {
	t.Helper()
	if err := a.Commit(t.Context(), of("10.0.0.1", 101, 1)); err != nil {
		t.Fatal(err)
	}
	a.becomes(t, vrrp.Active)
	if err := b.Commit(t.Context(), of("10.0.0.2", 100, 1)); err != nil {
		t.Fatal(err)
	}
}

// TestTwoMachinesElectAndReplace: the better one is active, and when it is gone without
// a word the other takes over within its down interval (361.3 ms).
func TestTwoMachinesElectAndReplace(t *testing.T) {
	processors(t)
	s := netns.SegmentT(t)
	a, b := newMachine(t, s, "10.0.0.1", 1), newMachine(t, s, "10.0.0.2", 1)
	elect(t, a, b)
	time.Sleep(250 * time.Millisecond) // some adverts
	if i := b.Snapshot().Instances[0]; i.Role != vrrp.Backup || len(i.Peers) != 1 || i.Counters.Accepted == 0 {
		t.Fatalf("b is %s and has heard %v", i.Role, i.Peers)
	}
	a.Close()
	took := b.becomes(t, vrrp.Active).At
	last := b.Snapshot().Instances[0].Peers[0].At // a may have sent until it was closed
	if late := took.Sub(last) - vrrp.Down(3, 100, 100*time.Millisecond, 3); late < 0 || late > 100*time.Millisecond {
		t.Errorf("took over %s from the bound", late)
	}
	if snap := b.Snapshot(); snap.Punctuality.Count() == 0 {
		t.Error("no deadline was recorded")
	}
}

// TestAGracefulStopIsQuick: the successor comes after its skew and not after three
// intervals, and Stop returns soon after.
func TestAGracefulStopIsQuick(t *testing.T) {
	processors(t)
	s := netns.SegmentT(t)
	a, b := newMachine(t, s, "10.0.0.1", 1), newMachine(t, s, "10.0.0.2", 1)
	elect(t, a, b)
	time.Sleep(50 * time.Millisecond)
	start := time.Now()
	if err := a.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.becomes(t, vrrp.Active)
	// Skew 61 ms, grace 20 ms; a down interval would be 361.
	if took := time.Since(start); took > 300*time.Millisecond {
		t.Errorf("took %s", took)
	}
}

// TestManyPost: letters of many goroutines all arrive, while adverts go on.
func TestManyPost(t *testing.T) {
	processors(t)
	m := newMachine(t, netns.SegmentT(t), "10.0.0.1", 1)
	if err := m.Commit(t.Context(), of("10.0.0.1", 101, 1)); err != nil {
		t.Fatal(err)
	}
	var done atomic.Uint64
	finished := make(chan struct{})
	for range 8 {
		go func() {
			for range 500 {
				m.ask(func(vrrp.Instant) { done.Add(1) })
				m.Check("script.a", plan.CheckUp)
			}
			finished <- struct{}{}
		}()
	}
	for range 8 {
		<-finished
	}
	if done.Load() != 4000 {
		t.Errorf("%d of 4000 arrived", done.Load())
	}
}

// BenchmarkLateness is how late adverts of 100 routers every 100 ms leave, on an idle
// machine and beside goroutines that use every processor and allocate. One operation is
// one interval.
func BenchmarkLateness(b *testing.B) {
	for _, hogs := range []int{0, runtime.NumCPU()} {
		b.Run(fmt.Sprintf("hogs=%d", hogs), func(b *testing.B) {
			processors(b)
			ids := make([]uint8, 100)
			for i := range ids {
				ids[i] = uint8(i + 1)
			}
			m := newMachine(b, netns.SegmentT(b), "10.0.0.1", ids...)
			if err := m.Commit(b.Context(), of("10.0.0.1", 101, len(ids))); err != nil {
				b.Fatal(err)
			}
			m.becomes(b, vrrp.Active)
			stop := make(chan struct{})
			defer close(stop)
			for range hogs {
				go hog(stop)
			}
			before := m.Snapshot().Punctuality
			b.ResetTimer()
			time.Sleep(time.Duration(b.N) * 100 * time.Millisecond)
			b.StopTimer()
			after := m.Snapshot().Punctuality
			for i := range after.Buckets {
				after.Buckets[i] -= before.Buckets[i]
			}
			n := after.Count()
			b.ReportMetric(float64((after.Sum-before.Sum).Microseconds())/float64(max(n, 1)), "µs-mean")
			b.ReportMetric(float64(quantile(&after, 0.99).Microseconds()), "µs-p99-below")
			b.ReportMetric(float64(after.Max.Microseconds()), "µs-max")
		})
	}
}

// hog uses a whole processor and makes garbage.
func hog(stop <-chan struct{}) {
	var keep [][]byte
	for {
		select {
		case <-stop:
			return
		default:
			keep = append(keep, make([]byte, 1024))
			if len(keep) > 4096 {
				keep = keep[:0]
			}
		}
	}
}

// quantile is the bound of the bucket that holds it.
func quantile(p *node.Punctuality, q float64) time.Duration {
	rest := uint64(q * float64(p.Count()))
	for i, n := range p.Buckets {
		if rest < n {
			return slices.Concat(node.Bounds[:], []time.Duration{p.Max})[i]
		}
		rest -= n
	}
	return p.Max
}

// BenchmarkLetter is what a message from another goroutine costs both of them.
func BenchmarkLetter(b *testing.B) {
	m := &machine{}
	var err error
	if m.Engine, err = Start(Options{Kernel: m, Announcer: m}); err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	b.ReportAllocs()
	for b.Loop() {
		m.ask(func(vrrp.Instant) {})
	}
}
