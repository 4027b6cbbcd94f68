package vrrp

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"hafile/runtime/vrrp/wire"
)

var ahSource = map[string]netip.Addr{"a": netip.MustParseAddr("10.0.0.1"), "b": netip.MustParseAddr("10.0.0.2")}

// ahRouter is a started one with authentication headers.
func ahRouter(name, password string, priority uint8, sequence uint32) *Router {
	r := New(Spec{
		Version: 2, VRID: 7, Source: ahSource[name], Priority: priority, Interval: time.Second, DownAdverts: 3, Preempt: true,
		Auth: wire.AuthAH, Password: wire.NewPassword(password), Sequence: sequence,
		Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.9")},
	})
	r.Step(1, Event{Kind: Start}, nil)
	return r
}

// said is a router's next advert as a packet.
func said(r *Router, priority uint8) []byte {
	m := r.Message(priority)
	return wire.Append(nil, wire.Header{Source: r.spec.Source, ID: 1}, &m)
}

// hears gives a packet to a router, through the codec.
func hears(t *testing.T, r *Router, packet []byte) {
	t.Helper()
	var a Advert
	h, reason := (&wire.Dialect{AH: true}).Parse(packet, &a)
	if reason != wire.OK {
		t.Fatal(reason)
	}
	r.Step(2, Event{Kind: Heard, Advert: &a, From: h.Source}, nil)
}

// TestAHRepeatsCountOnce: a packet that was recorded is dropped, and whoever takes over
// goes on behind the active before it.
func TestAHRepeatsCountOnce(t *testing.T) {
	a, b := ahRouter("a", "s3cr3t", 150, 500), ahRouter("b", "s3cr3t", 100, 0)
	packet := said(a, 150)
	hears(t, b, packet)
	hears(t, b, packet)
	if c := b.Counters(); c.Accepted != 1 || c.Dropped[wire.Replayed] != 1 || b.Role() != Backup {
		t.Errorf("%+v", c)
	}
	if m := b.Message(100); m.AH.Sequence != 502 {
		t.Errorf("goes on with %d", m.AH.Sequence)
	}
}

// TestAHOfAnotherPasswordIsNoNeighbour, and moves no number.
func TestAHOfAnotherPasswordIsNoNeighbour(t *testing.T) {
	a, b := ahRouter("a", "an0ther", 150, 500), ahRouter("b", "s3cr3t", 100, 0)
	var a1 Advert
	packet := said(a, 150)
	if _, reason := (&wire.Dialect{AH: true}).Parse(packet, &a1); reason != wire.OK {
		t.Fatal(reason)
	}
	out := b.Step(2, Event{Kind: Heard, Advert: &a1, From: ahSource["a"]}, nil)
	if b.Counters().Dropped[wire.AuthFailed] != 1 || b.Role() != Fault || !strings.Contains(out[len(out)-1].Why, "another password") {
		t.Errorf("%+v, %s, %v", b.Counters(), b.Role(), out)
	}
	if m := b.Message(100); m.AH.Sequence != 1 {
		t.Errorf("goes on with %d", m.AH.Sequence)
	}
}
