package wire

import (
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestUnicastHasItsBoundsOfTTL(t *testing.T) {
	peer := source
	peer.Destination = netip.MustParseAddr("192.0.2.2")
	a := advert(3)
	for _, c := range []struct {
		d    Dialect
		ttl  uint8
		want Reason
	}{
		{Dialect{}, 255, WrongDestination},
		{Dialect{Transport: Unicast}, 255, OK},
		{Dialect{Transport: Unicast}, 1, OK},
		{Dialect{Transport: Unicast, MinTTL: 254}, 254, OK},
		{Dialect{Transport: Unicast, MinTTL: 254}, 253, BadTTL},
		{Dialect{Transport: Unicast, MaxTTL: 64}, 64, OK},
		{Dialect{Transport: Unicast, MaxTTL: 64}, 65, BadTTL},
		{Dialect{Transport: Unicast, MinTTL: 9, MaxTTL: 8}, 9, BadTTL},
	} {
		peer.TTL = c.ttl
		var got Advert
		if _, reason := c.d.Parse(Append(nil, peer, &a), &got); reason != c.want {
			t.Errorf("%+v: TTL %d is %s, want %s", c.d, c.ttl, reason, c.want)
		}
	}
}

func TestEachTransportHasItsDestination(t *testing.T) {
	elsewhere := netip.MustParseAddr("224.0.0.99")
	for _, c := range []struct {
		d    Dialect
		to   netip.Addr
		want Reason
	}{
		{Dialect{}, Group(), OK},
		{Dialect{}, elsewhere, WrongDestination},
		{Dialect{Group: elsewhere}, elsewhere, OK},
		{Dialect{Group: elsewhere}, Group(), WrongDestination},
		{Dialect{Transport: Unicast}, Group(), WrongDestination},
	} {
		a, got := advert(3), Advert{}
		if _, reason := c.d.Parse(Append(nil, Header{Source: source.Source, Destination: c.to}, &a), &got); reason != c.want {
			t.Errorf("%+v: to %s is %s, want %s", c.d, c.to, reason, c.want)
		}
	}
}

// Multicast leaves with 255 whatever is asked for; a zero is 255 too.
func TestMulticastLeavesWith255(t *testing.T) {
	a := advert(3)
	for _, c := range []struct {
		to   string
		ttl  uint8
		want uint8
	}{
		{"224.0.0.18", 3, 255}, {"192.0.2.2", 3, 3}, {"192.0.2.2", 0, 255},
	} {
		p := Append(nil, Header{Source: source.Source, Destination: netip.MustParseAddr(c.to), TTL: c.ttl}, &a)
		if p[8] != c.want {
			t.Errorf("to %s with TTL %d leaves with %d", c.to, c.ttl, p[8])
		}
	}
}

func TestIPv6IsRefusedByReason(t *testing.T) {
	set := func(at int, to byte) func([]byte) []byte {
		return func(m []byte) []byte { m[at] = to; return m }
	}
	same := func(m []byte) []byte { return m }
	to := func(s string) Header {
		h := heard6
		h.Destination = netip.MustParseAddr(s)
		return h
	}
	far := heard6
	far.TTL = 64
	mixed := heard6
	mixed.Source = source.Source
	for _, c := range []struct {
		name   string
		h      Header
		change func([]byte) []byte
		want   Reason
	}{
		{"as it is", heard6, same, OK},
		{"hop limit 64, 5.1.2.3", far, same, BadTTL},
		{"to all nodes", to("ff02::1"), same, WrongDestination},
		{"unicast", to("fe80::2"), same, WrongDestination},
		{"from IPv4 to IPv6", mixed, same, UnsupportedFamily},
		{"no header at all", Header{TTL: TTL}, same, UnsupportedFamily},
		{"version 2, keepalived's own dialect", heard6, set(0, 0x21), UnsupportedVersion},
		{"type 2", heard6, set(0, 0x32), BadType},
		{"count 0", heard6, set(3, 0), NoAddress},
		{"one address more than counted", heard6, set(3, 1), BadLength},
		{"one address fewer than counted", heard6, set(3, 3), Truncated},
		{"padding, which IPv6 has none of", heard6, func(m []byte) []byte { return append(m, 0, 0) }, BadLength},
		{"VRID 0", heard6, set(1, 0), BadVRID},
		{"interval 0", heard6, func(m []byte) []byte { m[4], m[5] = 0xf0, 0; return m }, BadInterval},
		{"first address global, erratum 8300", heard6, set(8, 0x20), NotLinkLocal},
		{"the sum of IPv4, without a pseudo header", heard6, func(m []byte) []byte {
			m[6], m[7] = 0, 0
			seal(m, 6, 0)
			return m
		}, BadChecksum},
	} {
		a := advert6()
		m := c.change(AppendMessage(nil, source6, &a))
		if c.want != BadChecksum && c.h.Source.Is6() && c.h.Destination.Is6() {
			m[6], m[7] = 0, 0
			seal(m, 6, pseudo(&c.h, len(m)))
		}
		var got Advert
		if reason := ParseMessage(m, c.h, &got); reason != c.want {
			t.Errorf("%s: %s, want %s", c.name, reason, c.want)
		}
	}
}

// Every single flipped bit of an IPv6 message is noticed by the sum, also in a trailer.
func TestFlippedBitsOverIPv6AreRefused(t *testing.T) {
	a := advert6()
	a.Sign(testKey(t, 7, secret), 1)
	m := AppendMessage(nil, source6, &a)
	for bit := range len(m) * 8 {
		m[bit/8] ^= 1 << (bit % 8)
		var got Advert
		if reason := (&Dialect{Signed: true}).ParseMessage(m, heard6, &got); reason == OK {
			t.Errorf("bit %d passed", bit)
		}
		m[bit/8] ^= 1 << (bit % 8)
	}
}

func TestWhatCannotBeSentOverIPv6Panics(t *testing.T) {
	for name, change := range map[string]func(*Header, *Advert){
		"version 2":            func(_ *Header, a *Advert) { a.Version, a.Interval = 2, time.Second },
		"first address global": func(_ *Header, a *Advert) { a.Addresses = a.Addresses[1:] },
		"an IPv4 address":      func(_ *Header, a *Advert) { a.Addresses[1] = source.Source },
		"a mapped address":     func(_ *Header, a *Advert) { a.Addresses[1] = netip.MustParseAddr("::ffff:192.0.2.1") },
		"a zone":               func(_ *Header, a *Advert) { a.Addresses[0] = a.Addresses[0].WithZone("eth0") },
		"checksum form":        func(_ *Header, a *Advert) { a.Checksum = MessageOnly },
		"an IPv4 source":       func(h *Header, _ *Advert) { h.Source = source.Source },
		"an IPv4 group":        func(h *Header, _ *Advert) { h.Destination = Group() },
		"a signature without a key": func(_ *Header, a *Advert) {
			a.Trailer.ID = 1
		},
		"AH": func(_ *Header, a *Advert) { a.Auth = AuthAH },
	} {
		h, a := source6, advert6()
		change(&h, &a)
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: sent", name)
				}
			}()
			AppendMessage(nil, h, &a)
		}()
	}
}

// The kernel would replace an identification of zero, which the header covers.
func TestAHWithoutIdentificationPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("sent")
		}
	}()
	a := advert(2)
	a.Auth, a.AH = AuthAH, AH{Sequence: 1, Key: fuzzAH}
	Append(nil, Header{Source: source.Source}, &a)
}

func TestMirrorSpeaksAsTheActive(t *testing.T) {
	var m Mirror
	if m.Form() != PseudoHeader {
		t.Errorf("begins with %s", m.Form())
	}
	v2, v3, v6 := advert(2), advert(3), advert6()
	v3.Checksum = MessageOnly
	m.Heard(&v3)
	m.Heard(&v2)
	m.Heard(&v6)
	if m.Form() != MessageOnly {
		t.Errorf("after %s speaks %s", v3.Checksum, m.Form())
	}
}

// drawAdvert is any advert that can be sent, with its header and the dialect it asks for.
func drawAdvert(t *rapid.T) (Header, Advert, Dialect) {
	over6 := rapid.Bool().Draw(t, "over6")
	a := Advert{Version: 3, Interval: time.Duration(rapid.IntRange(1, 4095).Draw(t, "cs")) * centisecond}
	if !over6 && rapid.Bool().Draw(t, "version 2") {
		a.Version, a.Interval = 2, time.Duration(rapid.IntRange(1, 255).Draw(t, "s"))*time.Second
		a.Auth = AuthType(rapid.IntRange(0, 2).Draw(t, "auth"))
	}
	a.VRID, a.Priority = rapid.Uint8Min(1).Draw(t, "vrid"), rapid.Uint8().Draw(t, "priority")
	for i := range rapid.IntRange(1, 255).Draw(t, "count") {
		if over6 {
			a.Addresses = append(a.Addresses, netip.AddrFrom16([16]byte{0xfe, 0x80, 15: byte(i)}))
		} else {
			a.Addresses = append(a.Addresses, netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}))
		}
	}
	h := Header{Source: netip.MustParseAddr("192.0.2.1"), TTL: TTL, ID: rapid.Uint16Min(1).Draw(t, "id")}
	d := Dialect{Transport: Transport(rapid.IntRange(0, 1).Draw(t, "transport")), AH: true, Signed: true, OldUnicast: true}
	if over6 {
		h = Header{Source: netip.MustParseAddr("fe80::1"), TTL: TTL}
	}
	switch {
	case d.Transport == Multicast:
	case over6:
		h.Destination = netip.MustParseAddr("fe80::2")
	default:
		h.Destination = netip.MustParseAddr("198.51.100.1")
		h.TTL = rapid.Uint8Min(1).Draw(t, "ttl")
	}
	if a.Version == 3 && !over6 {
		a.Checksum = ChecksumForm(rapid.IntRange(0, int(ChecksumForms)-2+int(d.Transport)).Draw(t, "form"))
	}
	switch a.Auth {
	case AuthPass:
		copy(a.Password[:], rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(t, "password"))
	case AuthAH:
		a.AH = AH{Sequence: rapid.Uint32().Draw(t, "ah"), Key: fuzzAH}
	}
	if rapid.Bool().Draw(t, "signed") {
		a.Sign(fuzzKeys[rapid.IntRange(1, 255).Draw(t, "key")], Sequence(rapid.Uint64().Draw(t, "sequence")))
	}
	return h, a, d
}

func (d *Dialect) read(h Header, p []byte, a *Advert) (Header, Reason) {
	if h.Source.Is4() {
		return d.Parse(p, a)
	}
	if !h.Destination.IsValid() {
		h.Destination = Group6()
	}
	return h, d.ParseMessage(p, h, a)
}

// Every advert in every dialect comes back as it was sent, and one changed byte of it is
// noticed by the codec or by the keys.
func TestEveryAdvertReturns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h, a, d := drawAdvert(t)
		p := send(h, &a)
		var got Advert
		back, reason := d.read(h, p, &got)
		if reason != OK || !same(a, got) || !genuine(&got) {
			t.Fatalf("%s\ncame back as %s, %s", &a, &got, reason)
		}
		if back.Source != h.Source || back.TTL != h.TTL || back.ID != h.ID {
			t.Fatalf("header %+v came back as %+v", h, back)
		}
		at := rapid.IntRange(0, len(p)-1).Draw(t, "at")
		if h.Source.Is4() && at < ipv4Len {
			return // the kernel has checked that
		}
		p[at] ^= rapid.Uint8Min(1).Draw(t, "flip")
		if _, reason := d.read(h, p, &got); reason == OK && genuine(&got) && same(a, got) {
			t.Fatalf("byte %d makes no difference", at)
		}
	})
}
