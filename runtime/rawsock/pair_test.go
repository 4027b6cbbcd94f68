//go:build linux

package rawsock

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hafile/runtime/lab/netns"
	"hafile/runtime/vrrp/wire"
)

// host is one end of a cable.
type host struct {
	ns    *netns.NS
	index int
}

func cable(t testing.TB) (a, b host) {
	t.Helper()
	netns.Skip(t)
	a.ns, b.ns = netns.NewT(t), netns.NewT(t)
	err := netns.Cable(
		a.ns, netns.Port{Name: "eth0", Addresses: prefixes("10.0.0.1/24", "fe80::1/64", "fd00::1/64")},
		b.ns, netns.Port{Name: "eth0", Addresses: prefixes("10.0.0.2/24", "fe80::2/64", "fd00::2/64")})
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range []*host{&a, &b} {
		if h.index, _, err = h.ns.Index("eth0"); err != nil {
			t.Fatal(err)
		}
	}
	a.ready(t, "fe80::1", "fd00::1")
	b.ready(t, "fe80::2", "fd00::2")
	return a, b
}

// ready waits until a host answers for its IPv6 addresses: it has a route to them. That is
// some time after its link is up, and before it the kernel drops what is sent.
func (h host) ready(t testing.TB, addresses ...string) {
	t.Helper()
	missing := addresses
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		var routes []byte
		err := h.ns.Do(func() (err error) {
			routes, err = os.ReadFile("/proc/thread-self/net/ipv6_route")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for len(missing) > 0 && bytes.Contains(routes, fmt.Appendf(nil, "%x 80 ", netip.MustParseAddr(missing[0]).AsSlice())) {
			missing = missing[1:]
		}
		if len(missing) == 0 {
			return
		}
	}
	t.Fatalf("no route to %v", missing)
}

func prefixes(all ...string) (out []netip.Prefix) {
	for _, p := range all {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

func (h host) config(ids ...uint8) Config {
	return Config{Interface: "eth0", Index: h.index, VRIDs: ids}
}

func (h host) open(t testing.TB, ids ...uint8) *Pair {
	t.Helper()
	return h.openWith(t, h.config(ids...))
}

// openWith fills in the interface.
func (h host) openWith(t testing.TB, c Config) *Pair {
	t.Helper()
	c.Interface, c.Index = "eth0", h.index
	var p *Pair
	err := h.ns.Do(func() (err error) {
		p, err = Open(c)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func message(vrid, priority uint8) *wire.Advert {
	return &wire.Advert{
		Version: 3, VRID: vrid, Priority: priority, Interval: time.Second,
		Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.100")},
	}
}

var source = netip.MustParseAddr("10.0.0.1")

// readable waits until something has arrived, five seconds at most: a kernel that has
// asked for a neighbour in vain asks again after one.
func readable(t testing.TB, p *Pair) bool {
	t.Helper()
	return within(5*time.Second, p)
}

func within(limit time.Duration, p *Pair) bool {
	fds := []unix.PollFd{{Fd: int32(p.FD()), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, int(limit.Milliseconds()))
		if err == unix.EINTR {
			continue
		}
		return err == nil && n == 1
	}
}

// receive reads until an advert with this priority has come.
func receive(t testing.TB, p *Pair, last uint8) (got []uint8) {
	t.Helper()
	for readable(t, p) {
		for {
			a, from, reason, ok := p.Next()
			if !ok {
				break
			}
			if from != source || reason != wire.OK {
				t.Fatalf("from %s: %s", from, reason)
			}
			got = append(got, a.VRID)
			if a.Priority == last {
				return got
			}
		}
	}
	t.Fatalf("the advert with priority %d did not come; got %v", last, got)
	return nil
}

// TestABatchArrivesInItsOrder: more than fits into one call, through the receiver's
// filter, none of it looped back to the sender.
func TestABatchArrivesInItsOrder(t *testing.T) {
	a, b := cable(t)
	tx, rx := a.open(t, 7), b.open(t, 7)
	for i := range 150 {
		tx.Queue(message(7, uint8(i+1)), source)
	}
	tx.Flush()
	if got := receive(t, rx, 150); len(got) != 150 {
		t.Errorf("%d of 150 arrived", len(got))
	}
	if _, _, _, ok := tx.Next(); ok {
		t.Error("the sender hears itself")
	}
	if c := tx.Counters(); c.Sent != 150 || c.SendErrors != 0 {
		t.Errorf("sender: %+v", c)
	}
	if c := rx.Counters(); c.Received != 150 || c.Overflows != 0 || c.Dropped != [wire.Reasons]uint64{} {
		t.Errorf("receiver: %+v", c)
	}
}

// TestOnlyOurVRIDsArrive, and a change of the set counts from the next packet.
func TestOnlyOurVRIDsArrive(t *testing.T) {
	a, b := cable(t)
	tx, rx := a.open(t), b.open(t, 7, 9)
	everyVRID := func(last uint8) {
		for vrid := 1; vrid <= 20; vrid++ {
			tx.Queue(message(uint8(vrid), 1), source)
		}
		tx.Queue(message(9, last), source)
		tx.Flush()
	}
	everyVRID(200)
	if got := receive(t, rx, 200); string(got) != string([]uint8{7, 9, 9}) {
		t.Errorf("received %v", got)
	}
	if err := rx.SetVRIDs([]uint8{9, 12}); err != nil {
		t.Fatal(err)
	}
	everyVRID(201)
	if got := receive(t, rx, 201); string(got) != string([]uint8{9, 12, 9}) {
		t.Errorf("received %v", got)
	}
}

// TestStrangersAreSampled: about 1 in 64 gets through, is counted 64 times, and reaches
// no router. 6400 packets leave a chance of one in a million for the bounds.
func TestStrangersAreSampled(t *testing.T) {
	a, b := cable(t)
	tx, rx := a.open(t), b.open(t, 7)
	const strangers = 6400
	for i := range strangers {
		tx.Queue(message(8, 1), source)
		if i%500 == 0 {
			tx.Flush()
			for {
				if _, _, _, ok := rx.Next(); !ok {
					break
				}
			}
		}
	}
	tx.Queue(message(7, 200), source)
	tx.Flush()
	if got := receive(t, rx, 200); len(got) != 1 {
		t.Errorf("received %v", got)
	}
	if n := rx.Counters().Dropped[wire.UnknownVRID]; n < strangers/2 || n > strangers*2 {
		t.Errorf("counted %d of %d strangers", n, strangers)
	}
}

// raw sends packets as they are.
func raw(t *testing.T, h host, packets ...[]byte) {
	t.Helper()
	err := h.ns.Do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		if err := unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_IF, &unix.IPMreqn{Ifindex: int32(h.index)}); err != nil {
			return err
		}
		for _, p := range packets {
			if err := unix.Sendto(fd, p, 0, &unix.SockaddrInet4{Addr: [4]byte(p[16:20])}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestDropsAreCountedByReason: what the codec refuses is given to who has the id, with
// its reason, and is counted. Ethernet's padding of short frames is none.
func TestDropsAreCountedByReason(t *testing.T) {
	a, b := cable(t)
	rx := b.open(t, 7)
	whole := func() []byte { return wire.Append(nil, wire.Header{Source: source}, message(7, 100)) }
	ttl, sum, short := whole(), whole(), whole()
	ttl[8] = 254
	sum[len(sum)-1]++
	short = short[:21]
	unicast := whole()
	copy(unicast[16:], []byte{10, 0, 0, 2})
	raw(t, a, ttl, sum, short, unicast, wire.Append(nil, wire.Header{Source: source}, message(7, 200)))
	var reasons []wire.Reason
	for readable(t, rx) {
		advert, _, reason, ok := rx.Next()
		if !ok {
			continue
		}
		reasons = append(reasons, reason)
		if advert.Priority == 200 {
			break
		}
	}
	if want := []wire.Reason{wire.BadTTL, wire.BadChecksum, wire.OK}; len(reasons) != len(want) || reasons[0] != want[0] || reasons[1] != want[1] {
		t.Errorf("reasons %v, want %v", reasons, want)
	}
	c := rx.Counters()
	if c.Received != 4 || c.Dropped[wire.BadTTL] != 1 || c.Dropped[wire.BadChecksum] != 1 || c.Dropped[wire.Truncated] != 1 {
		t.Errorf("counters: received %d, dropped %v", c.Received, c.Dropped)
	}
}

// TestEthernetPaddingIsNone: a short frame is filled up to 60 bytes on the wire, and the
// message is no longer for that.
func TestEthernetPaddingIsNone(t *testing.T) {
	a, b := cable(t)
	rx := b.open(t, 7)
	frame := append([]byte{1, 0, 0x5e, 0, 0, 0x12, 2, 0, 0, 0, 0, 1, 8, 0},
		wire.Append(nil, wire.Header{Source: source}, message(7, 200))...)
	frame = append(frame, make([]byte, 60-len(frame))...)
	err := a.ns.Do(func() error {
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: a.index})
	})
	if err != nil {
		t.Fatal(err)
	}
	receive(t, rx, 200)
}

// TestTheMembershipIsTheInterfaces: without it a veth delivers the group to nobody, and
// another interface of the host hears nothing.
func TestTheMembershipIsTheInterfaces(t *testing.T) {
	a, b := cable(t)
	other := netns.NewT(t)
	err := netns.Cable(other, netns.Port{Name: "eth0"}, b.ns, netns.Port{Name: "eth1", Addresses: prefixes("10.0.1.2/24")})
	if err != nil {
		t.Fatal(err)
	}
	index, _, err := b.ns.Index("eth1")
	if err != nil {
		t.Fatal(err)
	}
	var second *Pair
	if err := b.ns.Do(func() (err error) {
		second, err = Open(Config{Interface: "eth1", Index: index, VRIDs: []uint8{7}})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	tx, rx := a.open(t), b.open(t, 7)
	tx.Queue(message(7, 100), source)
	tx.Flush()
	receive(t, rx, 100)
	if _, _, _, ok := second.Next(); ok {
		t.Error("eth1 heard what came to eth0")
	}
}

// TestADeadLinkIsAnErrorAndNoMore: what cannot be sent is counted, and the next advert
// after the link is back goes out.
func TestADeadLinkIsAnErrorAndNoMore(t *testing.T) {
	a, b := cable(t)
	tx, rx := a.open(t), b.open(t, 7)
	if err := a.ns.Down("eth0"); err != nil {
		t.Fatal(err)
	}
	tx.Queue(message(7, 1), source)
	tx.Queue(message(7, 2), source)
	if n := tx.Flush(); n != 0 {
		t.Errorf("%d left on a dead link", n)
	}
	if c := tx.Counters(); c.SendErrors != 2 || c.LastSendError == nil {
		t.Errorf("counters %+v", c)
	}
	if err := a.ns.Up("eth0"); err != nil {
		t.Fatal(err)
	}
	tx.Queue(message(7, 3), source)
	tx.Flush()
	receive(t, rx, 3)
}

// TestListenHearsAndEnds with its context, and reports what it cannot understand.
func TestListenHearsAndEnds(t *testing.T) {
	a, b := cable(t)
	tx := a.open(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	go func() {
		for range tick.C { // Listen is ready some time after the call
			if ctx.Err() != nil {
				return
			}
			tx.Queue(message(8, 1), source)
			tx.Queue(message(7, 99), source)
			tx.Flush()
		}
	}()
	heard := 0
	err := b.ns.Do(func() error {
		return Listen(ctx, b.config(7), func(a *wire.Advert, from netip.Addr, reason wire.Reason) {
			if a.VRID != 7 || a.Priority != 99 || from != source || reason != wire.OK {
				t.Errorf("heard %v from %s: %s", a, from, reason)
			}
			heard++
			cancel()
		})
	})
	if err != nil || heard == 0 {
		t.Errorf("heard %d, %v", heard, err)
	}
}

// TestOpenNamesWhatIsMissing.
func TestOpenNamesWhatIsMissing(t *testing.T) {
	ns := netns.NewT(t)
	err := ns.Do(func() error {
		_, err := Open(Config{Interface: "eth7", Index: 7})
		return err
	})
	if err == nil || err.Error() != "sockets on eth7: SO_BINDTODEVICE: no such device" {
		t.Errorf("%v", err)
	}
}

func BenchmarkFlush20(b *testing.B) {
	h, _ := cable(b)
	tx := h.open(b)
	m := message(7, 100)
	b.ReportAllocs()
	for b.Loop() {
		for range 20 {
			tx.Queue(m, source)
		}
		tx.Flush()
	}
}
