//go:build linux

package rawsock

import (
	"testing"

	"hafile/runtime/vrrp/wire"
)

// FuzzRoute: whom a packet is from and for is found before it is parsed, to know the
// peer; what is then accepted is from him and for him.
func FuzzRoute(f *testing.F) {
	f.Add(packet(7), false)
	f.Add(wire.Append(nil, wire.Header{Source: source, ID: 1}, authenticated(7, 1, 1, "ahpass12")), true)
	f.Fuzz(func(t *testing.T, p []byte, ah bool) {
		e := &ear{ah: ah}
		vrid, from := e.route(p)
		var a wire.Advert
		h, reason := (&wire.Dialect{Transport: wire.Unicast, AH: ah, Signed: true}).Parse(p, &a)
		if reason != wire.OK || ah != (a.Auth == wire.AuthAH) {
			return // protocol 112 does not come to a socket for AH
		}
		if vrid != a.VRID || from != h.Source {
			t.Errorf("%x is routed to VRID %d from %s, and is VRID %d from %s", p, vrid, from, a.VRID, h.Source)
		}
	})
}
