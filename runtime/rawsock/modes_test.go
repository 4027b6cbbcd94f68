//go:build linux

package rawsock

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hafile/runtime/vrrp/wire"
)

var (
	source6 = netip.MustParseAddr("fe80::1")
	peer4   = netip.MustParseAddr("10.0.0.2")
	peer6   = netip.MustParseAddr("fd00::2")
)

func message6(vrid, priority uint8) *wire.Advert {
	return &wire.Advert{
		Version: 3, VRID: vrid, Priority: priority, Interval: time.Second,
		Addresses: []netip.Addr{netip.MustParseAddr("fe80::100"), netip.MustParseAddr("fd00::100")},
	}
}

func authenticated(vrid, priority uint8, sequence uint32, secret string) *wire.Advert {
	a := message(vrid, priority)
	a.Version, a.Auth = 2, wire.AuthAH
	a.AH = wire.AH{Sequence: sequence, Key: wire.NewAHKey(wire.NewPassword(secret))}
	return a
}

// heard is one packet that a pair gave out.
type heard struct {
	from   netip.Addr
	reason wire.Reason
	advert wire.Advert
}

// collect reads until an advert with this priority has come.
func collect(t testing.TB, p *Pair, last uint8) (got []heard) {
	t.Helper()
	for readable(t, p) {
		for {
			a, from, reason, ok := p.Next()
			if !ok {
				break
			}
			got = append(got, heard{from, reason, *a})
			if a.Priority == last {
				return got
			}
		}
	}
	t.Fatalf("the advert with priority %d did not come; got %v", last, got)
	return nil
}

// frames receives what arrives on the interface of a host, in its Ethernet frames.
func (h host) frames(t testing.TB) func() []byte {
	t.Helper()
	var fd int
	err := h.ns.Do(func() (err error) {
		const all = unix.ETH_P_ALL>>8 | unix.ETH_P_ALL&0xff<<8
		if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		return unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: h.index})
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 2}); err != nil {
		t.Fatal(err)
	}
	return func() []byte {
		t.Helper()
		buf := make([]byte, 2048)
		n, err := unix.Read(fd, buf)
		if err != nil {
			t.Fatalf("no frame: %v", err)
		}
		return buf[:n]
	}
}

// nextVRRP is the next IPv6 frame with VRRP in it, or any other of IPv4.
func nextVRRP(next func() []byte) []byte {
	for {
		f := next()
		switch ethertype := binary.BigEndian.Uint16(f[12:]); {
		case ethertype == unix.ETH_P_IPV6 && f[14+6] == wire.Protocol, ethertype == unix.ETH_P_IP:
			return f
		}
	}
}

// TestIPv6LeavesAsTheRFCSays: 5.1.2. The source is the one asked for, also when the
// interface does not have it.
func TestIPv6LeavesAsTheRFCSays(t *testing.T) {
	a, b := cable(t)
	next := b.frames(t)
	tx := a.openWith(t, Config{IPv6: true})
	for _, from := range []netip.Addr{source6, netip.MustParseAddr("fe80::99")} {
		tx.Queue(message6(7, 100), from)
		if tx.Flush() != 1 {
			t.Fatal(tx.Counters().LastSendError)
		}
		f := nextVRRP(next)
		ip := f[14:]
		if got := netip.AddrFrom16([16]byte(ip[8:])); got != from {
			t.Errorf("source %s, want %s", got, from)
		}
		if got := netip.AddrFrom16([16]byte(ip[24:])); got != wire.Group6() {
			t.Errorf("destination %s", got)
		}
		if class := binary.BigEndian.Uint16(ip) >> 4 & 0xff; ip[7] != 255 || class != 0xc0 {
			t.Errorf("hop limit %d, class %#x", ip[7], class)
		}
		if mac := [6]byte(f[:6]); mac != [6]byte{0x33, 0x33, 0, 0, 0, 0x12} {
			t.Errorf("to %x", mac)
		}
		var got wire.Advert
		if reason := wire.ParseMessage(ip[40:], wire.Header{Source: from, Destination: wire.Group6(), TTL: ip[7]}, &got); reason != wire.OK {
			t.Errorf("%s", reason)
		}
	}
}

// TestABatchOverIPv6ArrivesInItsOrder, from the source of each, and is not looped back.
func TestABatchOverIPv6ArrivesInItsOrder(t *testing.T) {
	a, b := cable(t)
	tx, rx := a.openWith(t, Config{IPv6: true, VRIDs: []uint8{7}}), b.openWith(t, Config{IPv6: true, VRIDs: []uint8{7, 9}})
	other := netip.MustParseAddr("fe80::99")
	for i := range 150 {
		tx.Queue(message6(7, uint8(i+1)), []netip.Addr{source6, other}[i%2])
		tx.Queue(message6(8, 1), source6)
	}
	tx.Queue(message6(9, 200), source6)
	tx.Flush()
	got := collect(t, rx, 200)
	if len(got) != 151 {
		t.Fatalf("%d of 151 arrived", len(got))
	}
	for i, h := range got[:150] {
		if h.reason != wire.OK || h.from != []netip.Addr{source6, other}[i%2] || h.advert.Priority != uint8(i+1) {
			t.Fatalf("%d: %s from %s, %s", i, &h.advert, h.from, h.reason)
		}
	}
	if _, _, _, ok := tx.Next(); ok {
		t.Error("the sender hears itself")
	}
	if c := rx.Counters(); c.Received < 151 || c.Overflows != 0 {
		t.Errorf("receiver: %+v", c)
	}
}

// TestDropsOverIPv6AreCountedByReason: the hop limit and the destination come beside the
// packet, and count.
func TestDropsOverIPv6AreCountedByReason(t *testing.T) {
	a, b := cable(t)
	rx := b.openWith(t, Config{IPv6: true, VRIDs: []uint8{7}})
	whole := wire.AppendMessage(nil, wire.Header{Source: source6}, message6(7, 1))
	sum := append([]byte(nil), whole...)
	sum[len(sum)-1]++
	raw6 := func(hops int, m []byte) {
		err := a.ns.Do(func() error {
			fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_RAW|unix.SOCK_CLOEXEC, wire.Protocol)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			if err := unix.Bind(fd, &unix.SockaddrInet6{Addr: source6.As16(), ZoneId: uint32(a.index)}); err != nil {
				return err
			}
			if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, hops); err != nil {
				return err
			}
			return unix.Sendto(fd, m, 0, &unix.SockaddrInet6{Addr: wire.Group6().As16(), ZoneId: uint32(a.index)})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	raw6(254, whole)
	raw6(255, sum)
	raw6(255, whole[:20])
	raw6(255, whole[:1])
	raw6(255, wire.AppendMessage(nil, wire.Header{Source: source6}, message6(7, 200)))
	var reasons []wire.Reason
	for _, h := range collect(t, rx, 200) {
		reasons = append(reasons, h.reason)
	}
	if want := []wire.Reason{wire.BadTTL, wire.BadChecksum, wire.Truncated, wire.OK}; len(reasons) != 4 || [4]wire.Reason(reasons) != [4]wire.Reason(want) {
		t.Errorf("reasons %v, want %v", reasons, want)
	}
	c := rx.Counters()
	if c.Received != 5 || c.Dropped[wire.BadTTL] != 1 || c.Dropped[wire.BadChecksum] != 1 || c.Dropped[wire.Truncated] != 2 {
		t.Errorf("received %d, dropped %v", c.Received, c.Dropped)
	}
}

// TestUnicastGoesToEachPeerAndComesFromPeersOnly, over both families.
func TestUnicastGoesToEachPeerAndComesFromPeersOnly(t *testing.T) {
	for _, c := range []struct {
		name                       string
		v6                         bool
		self, other, stranger, off netip.Addr
		advert                     func(vrid, priority uint8) *wire.Advert
	}{
		{"IPv4", false, source, peer4, netip.MustParseAddr("10.0.0.77"), netip.MustParseAddr("10.0.0.3"), message},
		{"IPv6", true, netip.MustParseAddr("fd00::1"), peer6, netip.MustParseAddr("fd00::77"), netip.MustParseAddr("fd00::3"), message6},
		{"link-local", true, source6, netip.MustParseAddr("fe80::2"), netip.MustParseAddr("fe80::77"), netip.MustParseAddr("fe80::3"), message6},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := cable(t)
			tx := a.openWith(t, Config{
				IPv6: c.v6, Transport: wire.Unicast, Source: c.self, VRIDs: []uint8{7},
				Peers: []Peer{{VRID: 7, Address: c.other}, {VRID: 7, Address: c.off}, {VRID: 8, Address: c.other}},
			})
			rx := b.openWith(t, Config{
				IPv6: c.v6, Transport: wire.Unicast, Source: c.other, VRIDs: []uint8{7},
				Peers: []Peer{{VRID: 7, Address: c.self}},
			})
			multicast := b.openWith(t, Config{IPv6: c.v6, VRIDs: []uint8{7}})
			tx.Queue(c.advert(7, 1), c.self)
			if n := tx.Flush(); n != 2 {
				t.Errorf("sent %d, %v", n, tx.Counters().LastSendError)
			}
			tx.Queue(c.advert(7, 2), c.stranger)
			tx.Queue(c.advert(9, 3), c.self) // no peers
			tx.Queue(c.advert(7, 200), c.self)
			tx.Flush()
			got := collect(t, rx, 200)
			if len(got) != 3 || got[0].reason != wire.OK || got[0].from != c.self ||
				got[1].reason != wire.UnknownPeer || got[1].from != c.stranger || got[2].reason != wire.OK {
				t.Errorf("heard %v", got)
			}
			if n := rx.Counters().Dropped[wire.UnknownPeer]; n != 1 {
				t.Errorf("%d strangers counted", n)
			}
			if _, _, _, ok := multicast.Next(); ok {
				t.Error("the multicast pair heard unicast")
			}
			if err := rx.SetPeers([]Peer{{VRID: 7, Address: c.stranger}}); err != nil {
				t.Fatal(err)
			}
			tx.Queue(c.advert(7, 201), c.self)
			tx.Flush()
			if got := collect(t, rx, 201); got[len(got)-1].reason != wire.UnknownPeer {
				t.Errorf("after it was a peer no more: %v", got)
			}
		})
	}
}

// TestUnicastHasTheTTLOfItsPeer: sent with its own, dropped out of
// the bounds of the peer.
func TestUnicastHasTheTTLOfItsPeer(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		self, other, advert := source, peer4, message
		if v6 {
			self, other, advert = netip.MustParseAddr("fd00::1"), peer6, message6
		}
		a, b := cable(t)
		tx := a.openWith(t, Config{
			IPv6: v6, Transport: wire.Unicast, Source: self,
			Peers: []Peer{{VRID: 7, Address: other, TTL: 64}, {VRID: 8, Address: other, TTL: 64}, {VRID: 9, Address: other, TTL: 64}},
		})
		rx := b.openWith(t, Config{
			IPv6: v6, Transport: wire.Unicast, Source: other, VRIDs: []uint8{7, 8, 9},
			Peers: []Peer{{VRID: 7, Address: self, MinTTL: 65}, {VRID: 8, Address: self, MaxTTL: 63}, {VRID: 9, Address: self, MinTTL: 64, MaxTTL: 64}},
		})
		for vrid := uint8(7); vrid <= 9; vrid++ {
			tx.Queue(advert(vrid, vrid), self)
		}
		tx.Flush()
		got := collect(t, rx, 9)
		if len(got) != 3 || got[0].reason != wire.BadTTL || got[1].reason != wire.BadTTL || got[2].reason != wire.OK {
			t.Errorf("IPv6 %v: heard %v", v6, got)
		}
	}
}

// TestTheOldChecksumIsForWhoAskedForIt, peer by peer.
func TestTheOldChecksumIsForWhoAskedForIt(t *testing.T) {
	a, b := cable(t)
	tx := a.openWith(t, Config{Transport: wire.Unicast, Source: source, Peers: []Peer{{VRID: 7, Address: peer4}, {VRID: 8, Address: peer4}}})
	rx := b.openWith(t, Config{
		Transport: wire.Unicast, Source: peer4, VRIDs: []uint8{7, 8},
		Peers: []Peer{{VRID: 7, Address: source}, {VRID: 8, Address: source, OldChecksum: true}},
	})
	for vrid := uint8(7); vrid <= 8; vrid++ {
		m := message(vrid, vrid)
		m.Checksum = wire.OldUnicast
		tx.Queue(m, source)
	}
	tx.Flush()
	got := collect(t, rx, 8)
	if len(got) != 2 || got[0].reason != wire.BadChecksum || got[1].reason != wire.OK || got[1].advert.Checksum != wire.OldUnicast {
		t.Errorf("heard %v", got)
	}
}

// TestTheUnicastSourceNeedNotBeThere: the sockets open before the address comes, and
// hear from then on.
func TestTheUnicastSourceNeedNotBeThere(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		self, later, prefix, advert := source, netip.MustParseAddr("10.0.0.50"), "10.0.0.50/24", message
		if v6 {
			self, later, prefix, advert = netip.MustParseAddr("fd00::1"), netip.MustParseAddr("fd00::50"), "fd00::50/64", message6
		}
		a, b := cable(t)
		rx := b.openWith(t, Config{IPv6: v6, Transport: wire.Unicast, Source: later, VRIDs: []uint8{7}, Peers: []Peer{{VRID: 7, Address: self}}})
		tx := a.openWith(t, Config{IPv6: v6, Transport: wire.Unicast, Source: self, Peers: []Peer{{VRID: 7, Address: later}}})
		if err := b.ns.AddAddress("eth0", netip.MustParsePrefix(prefix)); err != nil {
			t.Fatal(err)
		}
		if v6 {
			b.ready(t, "fd00::50")
		}
		tx.Queue(advert(7, 200), self)
		tx.Flush()
		collect(t, rx, 200)
	}
}

// TestAHVerifiesBehindRealSockets: the kernels on the way leave alone what it covers,
// with multicast and with unicast.
func TestAHVerifiesBehindRealSockets(t *testing.T) {
	for _, transport := range []wire.Transport{wire.Multicast, wire.Unicast} {
		a, b := cable(t)
		ca := Config{AH: true, Transport: transport, VRIDs: []uint8{7}}
		cb := ca
		if transport == wire.Unicast {
			ca.Source, ca.Peers = source, []Peer{{VRID: 7, Address: peer4}}
			cb.Source, cb.Peers = peer4, []Peer{{VRID: 7, Address: source}}
		}
		tx, rx, plain := a.openWith(t, ca), b.openWith(t, cb), b.open(t, 7)
		tx.id = 0xfffe // over the end of 16 bits
		for i := range 3 {
			tx.Queue(authenticated(7, uint8(i+1), uint32(i+1), "ahpass12"), source)
		}
		tx.Flush()
		for i, h := range collect(t, rx, 3) {
			if h.reason != wire.OK || h.from != source || h.advert.AH.Sequence != uint32(i+1) {
				t.Errorf("%s: %s from %s, %s", transport, &h.advert, h.from, h.reason)
			}
		}
		for _, secret := range []string{"ahpass12", "another"} {
			tx.Queue(authenticated(7, 200, 4, secret), source)
			tx.Flush()
			if !readable(t, rx) {
				t.Fatal("nothing came")
			}
			got, _, _, ok := rx.Next()
			if key := wire.NewAHKey(wire.NewPassword("ahpass12")); !ok || key.Verify(got) != (secret == "ahpass12") {
				t.Errorf("%s: authenticated with %s: %v", transport, secret, !ok)
			}
		}
		if _, _, _, ok := plain.Next(); ok {
			t.Error("the pair for plain adverts heard AH")
		}
	}
}

// TestSignedAdvertsAreDeliveredToBeVerified where the pair was told so, over both
// families; else they are refused as before.
func TestSignedAdvertsAreDeliveredToBeVerified(t *testing.T) {
	key, err := wire.NewKey(3, []byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := wire.NewRing(3, key)
	if err != nil {
		t.Fatal(err)
	}
	for _, v6 := range []bool{false, true} {
		self, advert := source, message(7, 200)
		if v6 {
			self, advert = source6, message6(7, 200)
		}
		a, b := cable(t)
		tx := a.openWith(t, Config{IPv6: v6})
		rx, old := b.openWith(t, Config{IPv6: v6, Signed: true, VRIDs: []uint8{7}}), b.openWith(t, Config{IPv6: v6, VRIDs: []uint8{7}})
		advert.Sign(key, 99)
		tx.Queue(advert, self)
		tx.Flush()
		got := collect(t, rx, 200)[0]
		if got.reason != wire.OK || got.advert.Trailer.Sequence != 99 || ring.Verify(&got.advert) != wire.OK {
			t.Errorf("IPv6 %v: %s, %s", v6, &got.advert, got.reason)
		}
		if got := collect(t, old, 200)[0]; got.reason != wire.UnsupportedTrailer {
			t.Errorf("IPv6 %v: not told: %s", v6, got.reason)
		}
	}
}

// TestAnotherGroupIsAnotherSegment: who has it hears nothing of the RFC's.
func TestAnotherGroupIsAnotherSegment(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		self, group, advert := source, netip.MustParseAddr("224.0.0.99"), message
		if v6 {
			self, group, advert = source6, netip.MustParseAddr("ff02::99"), message6
		}
		a, b := cable(t)
		standard, own := a.openWith(t, Config{IPv6: v6}), a.openWith(t, Config{IPv6: v6, Group: group})
		rx := b.openWith(t, Config{IPv6: v6, Group: group, VRIDs: []uint8{7}})
		standard.Queue(advert(7, 1), self)
		standard.Flush()
		own.Queue(advert(7, 200), self)
		own.Flush()
		if got := collect(t, rx, 200); len(got) != 1 || got[0].reason != wire.OK {
			t.Errorf("IPv6 %v: heard %v", v6, got)
		}
	}
}

// TestContradictionsAreRefused before any socket is made.
func TestContradictionsAreRefused(t *testing.T) {
	for want, c := range map[string]Config{
		"an authentication header over IPv6": {AH: true, IPv6: true},
		"unicast from invalid IP":            {Transport: wire.Unicast},
		"unicast from 10.0.0.1":              {Transport: wire.Unicast, IPv6: true, Source: source},
		"multicast to 10.0.0.1":              {Group: source},
		"peers with multicast":               {Peers: []Peer{{VRID: 7, Address: peer4}}},
		"peer fd00::2 of VRID 7":             {Transport: wire.Unicast, Source: source, Peers: []Peer{{VRID: 7, Address: peer6}}},
		"peer 10.0.0.2 of VRID 0":            {Transport: wire.Unicast, Source: source, Peers: []Peer{{Address: peer4}}},
	} {
		c.Interface = "eth0"
		if _, err := Open(c); err == nil || err.Error() != "sockets on eth0: "+want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
