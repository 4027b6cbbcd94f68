//go:build linux && !race

// The race detector makes sync.Pool forget at random, and package ipv4 keeps its buffers
// in one.

package rawsock

import (
	"net/netip"
	"testing"

	"hafile/runtime/vrrp/wire"
)

// TestThePathAllocatesNothing: received, and sent in a batch, in every mode.
func TestThePathAllocatesNothing(t *testing.T) {
	self6 := netip.MustParseAddr("fd00::1")
	for _, c := range []struct {
		name   string
		tx, rx Config
		from   netip.Addr
		advert *wire.Advert
	}{
		{"IPv4", Config{}, Config{}, source, message(7, 100)},
		{"IPv6", Config{IPv6: true}, Config{IPv6: true}, source6, message6(7, 100)},
		{"AH", Config{AH: true}, Config{AH: true}, source, authenticated(7, 100, 1, "ahpass12")},
		{"unicast IPv4",
			Config{Transport: wire.Unicast, Source: source, Peers: []Peer{{VRID: 7, Address: peer4}}},
			Config{Transport: wire.Unicast, Source: peer4, Peers: []Peer{{VRID: 7, Address: source}}},
			source, message(7, 100)},
		{"unicast IPv6",
			Config{IPv6: true, Transport: wire.Unicast, Source: self6, Peers: []Peer{{VRID: 7, Address: peer6}}},
			Config{IPv6: true, Transport: wire.Unicast, Source: peer6, Peers: []Peer{{VRID: 7, Address: self6}}},
			self6, message6(7, 100)},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := cable(t)
			c.rx.VRIDs = []uint8{7}
			tx, rx := a.openWith(t, c.tx), b.openWith(t, c.rx)
			send := func() {
				for range 8 {
					tx.Queue(c.advert, c.from)
				}
				tx.Flush()
			}
			if n := testing.AllocsPerRun(100, send); n != 0 {
				t.Errorf("sending: %v allocations", n)
			}
			readable(t, rx)
			if n := testing.AllocsPerRun(100, func() {
				if _, _, reason, ok := rx.Next(); !ok || reason != wire.OK {
					t.Fatal(reason)
				}
			}); n != 0 {
				t.Errorf("receiving: %v allocations", n)
			}
			for ok := true; ok; {
				_, _, _, ok = rx.Next()
			}
			if n := testing.AllocsPerRun(100, func() { rx.Next() }); n != 0 {
				t.Errorf("finding nothing: %v allocations", n)
			}
		})
	}
}
