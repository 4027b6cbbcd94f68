package runtime

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hafile/lang/plan"
	"hafile/runtime/control"
	"hafile/runtime/lab/netns"
)

// client asks an address for an echo each millisecond and counts what is never answered.
type client struct {
	fd       int
	to       unix.SockaddrInet4
	stop     chan struct{}
	wg       sync.WaitGroup
	sent     atomic.Uint32
	answered sync.Map // by number
}

// echoPatience is long: what a busy machine answers late was not lost.
const echoPatience = 500 * time.Millisecond

func clientOf(t *testing.T, ns *netns.NS, to netip.Addr) *client {
	t.Helper()
	c := &client{stop: make(chan struct{}), to: unix.SockaddrInet4{Addr: to.As4()}}
	err := ns.Do(func() (err error) {
		c.fd, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMP)
		if err == nil {
			err = errors.Join(
				unix.SetsockoptTimeval(c.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 100000}),
				unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	c.wg.Go(c.ask)
	c.wg.Go(c.read)
	return c
}

func (c *client) ask() {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for n := uint32(1); ; n++ {
		p := make([]byte, 16)
		p[0] = 8
		binary.BigEndian.PutUint32(p[8:], n)
		sum := uint32(0)
		for i := 0; i < len(p); i += 2 {
			sum += uint32(binary.BigEndian.Uint16(p[i:]))
		}
		for sum > 0xffff {
			sum = sum>>16 + sum&0xffff
		}
		binary.BigEndian.PutUint16(p[2:], ^uint16(sum))
		if unix.Sendto(c.fd, p, 0, &c.to) == nil {
			c.sent.Store(n)
		}
		select {
		case <-tick.C:
		case <-c.stop:
			return
		}
	}
}

func (c *client) read() {
	b := make([]byte, 256)
	for {
		n, _, err := unix.Recvfrom(c.fd, b, 0)
		select {
		case <-c.stop:
			if err != nil {
				return
			}
		default:
		}
		if err == nil && n >= 36 && b[20] == 0 {
			c.answered.Store(binary.BigEndian.Uint32(b[28:]), true)
		}
	}
}

// lost ends it and says how many had no answer.
func (c *client) lost() (lost, of int) {
	time.Sleep(echoPatience)
	last := c.sent.Load()
	time.Sleep(echoPatience)
	close(c.stop)
	c.wg.Wait()
	unix.Close(c.fd)
	for n := uint32(1); n <= last; n++ {
		if _, ok := c.answered.Load(n); !ok {
			lost++
		}
	}
	return lost, int(last)
}

// slow is a plan of the pair that knows each other, with adverts each 200 ms: what a busy
// machine may take to announce an address is half of that.
func slow(node string) *plan.Plan {
	p := open(pairPlan(node, vip1))
	p.Desired.Instances[0].AdvertMs = 200
	return p
}

// lossMax is what a machine may cost on which nothing runs when it should: the promise ends
// with the successor's first advert, and half an interval after it.
const lossMax = 40

// trio is a pair that knows each other, with a active, and a client on its segment.
func trio(t *testing.T) (a, b *machine, who *netns.NS) {
	t.Helper()
	s := netns.SegmentT(t)
	a, b = newMachine(t, s, "a", "192.0.2.1/24"), newMachine(t, s, "b", "192.0.2.2/24")
	who = netns.NodeT(t, s, netns.Port{Name: "eth0", Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.100/24")}})
	a.start()
	b.start()
	a.apply(slow("a"))
	b.apply(slow("b"))
	a.untilRole("active")
	b.untilRole("backup")
	a.until("they know each other", func() bool { return a.knows(1) && b.knows(1) })
	return a, b, who
}

func (m *machine) drain(req control.DrainRequest) (*control.Result, error) {
	return m.client.Drain(m.t.Context(), req, func(control.Event) {})
}

func (m *machine) undrain() {
	m.t.Helper()
	if r, err := m.client.Undrain(m.t.Context(), control.UndrainRequest{}, func(control.Event) {}); err != nil || r.Exit != 0 {
		m.t.Fatalf("%+v, %v", r, err)
	}
}

// refusedDrain wants a refusal in these words.
func (m *machine) refusedDrain(what, words string, req control.DrainRequest) {
	m.t.Helper()
	_, err := m.drain(req)
	var p *control.Problem
	if !errors.As(err, &p) || p.Code != codeLast || p.Exit != 4 || !strings.Contains(p.Error(), words) {
		m.t.Errorf("%s: %v", what, err)
	}
	if s := m.status(); s.Drain != nil {
		m.t.Errorf("%s: it is drained all the same", what)
	}
}

// Drained, restarted, undrained: the other has the addresses meanwhile, and a client that
// asks each millisecond loses nothing.
func TestDrainOutlivesARestartAndLosesNothing(t *testing.T) {
	a, b, who := trio(t)
	c := clientOf(t, who, netip.MustParsePrefix(vip1).Addr())
	r, err := a.drain(control.DrainRequest{Reason: "new disks", By: "anna", ForMs: 3600000})
	if err != nil || r.Exit != 0 || !strings.Contains(r.Message, "drained") {
		t.Fatalf("%+v, %v", r, err)
	}
	if b.role() != "active" || a.role() != "drained" {
		t.Errorf("a is %s, b is %s", a.role(), b.role())
	}
	if d := a.status().Drain; d == nil || d.Reason != "new disks" || d.By != "anna" || d.Until.IsZero() {
		t.Errorf("status says %+v", d)
	}
	a.stop()
	a.start()
	a.untilRole("drained")
	b.until("b knows that", func() bool {
		p := b.status().Instances[0].Peers[0]
		return p.Ready != nil && !*p.Ready && p.Role == "drained"
	})
	b.refusedDrain("the last healthy node", "a is drained and not ready", control.DrainRequest{})
	a.undrain()
	a.untilRole("active")
	b.untilRole("backup")
	if lost, of := c.lost(); lost > lossMax {
		t.Errorf("%d of %d echoes were lost", lost, of)
	}
}

// What is not known refuses, unless somebody says that he knows better; and then nothing
// is let go before somebody takes it.
func TestDrainOfTheLastIsRefusedAndWhenForcedLetsNothingGo(t *testing.T) {
	a, b, who := trio(t)
	b.kill()
	a.until("b is forgotten", func() bool { return !a.status().Members[0].Known })
	a.refusedDrain("unknown", "b is unknown", control.DrainRequest{})
	a.refusedDrain("a handover to nobody", "b is unknown", control.DrainRequest{To: "b"})
	c := clientOf(t, who, netip.MustParsePrefix(vip1).Addr())
	r, err := a.drain(control.DrainRequest{Force: true})
	if err != nil || r.Exit != 7 || a.role() != "active" {
		t.Errorf("%+v, %v; a is %s", r, err, a.role())
	}
	b.start() // and takes it, though its priority is the lower one
	b.untilRole("active")
	a.untilRole("drained")
	if lost, of := c.lost(); lost > lossMax {
		t.Errorf("%d of %d echoes were lost", lost, of)
	}
}

// Two drained at the same moment: each may have been told that the other is ready. The
// one that held the address goes on holding it.
func TestTwoDrainedAtOnceKeepTheAddress(t *testing.T) {
	a, b, who := trio(t)
	c := clientOf(t, who, netip.MustParsePrefix(vip1).Addr())
	var wg sync.WaitGroup
	for _, m := range []*machine{a, b} {
		wg.Go(func() { _, _ = m.client.Drain(t.Context(), control.DrainRequest{Force: true}, func(control.Event) {}) })
	}
	wg.Wait()
	a.until("one of them has it", func() bool { return a.has(vip1) || b.has(vip1) })
	if lost, of := c.lost(); lost > lossMax {
		t.Errorf("%d of %d echoes were lost", lost, of)
	}
}

// A handover is a drain that ends at once where this node would not take the addresses
// back, and lasts where it would.
func TestHandoverGivesToWhomItNames(t *testing.T) {
	a, b, who := trio(t)
	c := clientOf(t, who, netip.MustParsePrefix(vip1).Addr())
	if r, err := a.drain(control.DrainRequest{To: "b"}); err != nil || r.Exit != 0 || !strings.Contains(r.Message, "until hafile undrain") {
		t.Fatalf("%+v, %v", r, err)
	}
	if b.role() != "active" || a.status().Drain == nil {
		t.Errorf("b is %s", b.role())
	}
	calm := func(node string) *plan.Plan {
		p := slow(node)
		p.Desired.Instances[0].Preempt = false
		return p
	}
	a.undrain()
	a.untilRole("active")
	a.apply(calm("a"))
	b.apply(calm("b"))
	if r, err := a.drain(control.DrainRequest{To: "b"}); err != nil || r.Exit != 0 || !strings.Contains(r.Message, "stands by") {
		t.Fatalf("%+v, %v", r, err)
	}
	a.untilRole("backup")
	if b.role() != "active" || a.status().Drain != nil {
		t.Errorf("b is %s, the drain %+v", b.role(), a.status().Drain)
	}
	if lost, of := c.lost(); lost > lossMax {
		t.Errorf("%d of %d echoes were lost", lost, of)
	}
}

func TestDrainEndsWhenItsTimeIsOver(t *testing.T) {
	a, b, _ := trio(t)
	if _, err := a.drain(control.DrainRequest{ForMs: 1500}); err != nil {
		t.Fatal(err)
	}
	b.untilRole("active")
	a.untilRole("active")
	if a.status().Drain != nil {
		t.Error("it is still drained")
	}
}
