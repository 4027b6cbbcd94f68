package engine

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"hafile/lang/plan"
	"hafile/runtime/kernel"
	"hafile/runtime/node"
	"hafile/runtime/vrrp"
	"hafile/runtime/vrrp/wire"
)

// fakeClock waits by the time package, which in a bubble of testing/synctest stands
// still until everybody waits.
type fakeClock struct {
	start time.Time
	wake  chan struct{}

	mu      sync.Mutex // tests change what follows while the loop waits
	watched []int
	ready   func(fd int) bool
	stall   time.Duration // the next Wait that ends by its deadline ends so much later
	asleep  time.Duration
}

const epoch = vrrp.Instant(time.Hour)

func newFakeClock() *fakeClock {
	return &fakeClock{start: time.Now(), wake: make(chan struct{}, 1)}
}

func (c *fakeClock) Now() vrrp.Instant { return epoch.Add(time.Since(c.start)) }

func (c *fakeClock) Asleep() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asleep
}

func (c *fakeClock) Wait(deadline vrrp.Instant, ready []int) []int {
	if d := deadline.Sub(c.Now()); deadline == 0 || d > 0 {
		var timer <-chan time.Time
		if deadline != 0 {
			timer = time.After(d)
		}
		select {
		case <-c.wake:
		case <-timer:
			c.mu.Lock()
			stall := c.stall
			c.stall = 0
			c.mu.Unlock()
			time.Sleep(stall)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, fd := range c.watched {
		if c.ready(fd) {
			ready = append(ready, fd)
		}
	}
	return ready
}

func (c *fakeClock) Wake() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *fakeClock) Watch(fd int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watched = append(c.watched, fd)
	return nil
}

func (c *fakeClock) Unwatch(fd int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watched = slices.DeleteFunc(c.watched, func(w int) bool { return w == fd })
	return nil
}

func (c *fakeClock) Close() error { return nil }

// fakeSocket prints what is sent and gives what a test has put into it.
type fakeSocket struct {
	w      *world
	fd     int
	queued []string

	mu    sync.Mutex
	inbox []*wire.Advert
}

func (s *fakeSocket) FD() int { return s.fd }

func (s *fakeSocket) arrive(a *wire.Advert) {
	s.mu.Lock()
	s.inbox = append(s.inbox, a)
	s.mu.Unlock()
}

func (s *fakeSocket) full() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.inbox) > 0
}

var neighbour = netip.MustParseAddr("10.0.0.2")

func (s *fakeSocket) Next() (*wire.Advert, netip.Addr, wire.Reason, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.inbox) == 0 {
		return nil, netip.Addr{}, 0, false
	}
	a := s.inbox[0]
	s.inbox = s.inbox[1:]
	return a, neighbour, wire.OK, true
}

func (s *fakeSocket) Queue(a *wire.Advert, _ netip.Addr) {
	s.queued = append(s.queued, fmt.Sprintf("%d/%d", a.VRID, a.Priority))
}

func (s *fakeSocket) Flush() int {
	n := len(s.queued)
	s.w.note("send %v", s.queued)
	s.queued = nil
	return n
}

// world is an engine between fakes that print.
type world struct {
	*Engine
	clock  *fakeClock
	socket *fakeSocket

	mu    sync.Mutex // the loop notes, the test reads
	lines []string
	deaf  bool // the kernel does not answer
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{clock: newFakeClock()}
	w.socket = &fakeSocket{w: w, fd: 7}
	w.clock.ready = func(int) bool { return w.socket.full() }
	var err error
	w.Engine, err = Start(Options{Kernel: w, Announcer: w, Clock: w.clock, Normal: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.AddSocket(node.On("eth0", plan.IPv4), w.socket); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines = append(w.lines, fmt.Sprintf("%.3f ", w.clock.Now().Sub(epoch).Seconds())+fmt.Sprintf(format, args...))
}

func (w *world) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	lines := w.lines
	w.lines = nil
	return lines
}

func (w *world) Want(gen uint64, want kernel.State, _ kernel.Things) {
	w.note("want %v", want)
	if !w.deaf {
		w.KernelReport(kernel.Report{Gen: gen, Have: want})
	}
}

func (w *world) Announce(iface string, addresses []netip.Addr, _ node.Announcement) {
	w.note("announce %s %v", iface, addresses)
}

func (w *world) Silence(iface string, addresses []netip.Addr) {
	w.note("silence %s %v", iface, addresses)
}

// pair is a plan with instances on eth0, VRIDs from 1 on, 100 ms.
func pair(priority uint8, instances int) node.Resolved {
	r := node.Resolved{Plan: &plan.Plan{Language: plan.Language, Node: "self"}, Hosts: map[plan.Addr]node.Host{}}
	for i := range instances {
		in := plan.DefaultInstance()
		in.Address = plan.Addr(fmt.Sprintf("instance.i%04d", i))
		in.Name = in.Address.Name()
		in.Interface, in.VRID, in.Priority, in.AdvertMs = "eth0", uint8(1+i), priority, 100
		in.VIPs = []plan.VIP{{Address: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 9, byte(i)}), 32)}}
		in.Members = []plan.Member{{Node: "self", Priority: priority}, {Node: "other", Priority: 100}}
		r.Plan.Desired.Instances = append(r.Plan.Desired.Instances, in)
		r.Hosts[in.Address] = node.Host{Source: netip.MustParseAddr("10.0.0.1")}
	}
	return r
}

// hello is an advert of the neighbour.
func hello(priority uint8) *wire.Advert {
	return &wire.Advert{
		Version: 3, VRID: 1, Priority: priority, Interval: 100 * time.Millisecond,
		Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 9, 0})},
	}
}
