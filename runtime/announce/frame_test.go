package announce

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"testing"
)

// Captured from keepalived 2.2.7, except the reply and the router's advertisement, which
// are computed.
func TestFrames(t *testing.T) {
	host, virtual := MAC{2, 0, 0, 0, 0x98, 1}, MAC{0, 0, 0x5e, 0, 1, 0x39}
	v4, v6 := netip.MustParseAddr, netip.MustParseAddr("fe80::98:56")
	tests := []struct {
		name  string
		frame []byte
		want  string
	}{
		{"gratuitous request", Gratuitous(host, v4("10.98.1.104")),
			"ffffffffffff020000009801080600010800060400010200000098010a620168ffffffffffff0a620168"},
		{"of a virtual MAC", Gratuitous(virtual, v4("10.98.1.107")),
			"ffffffffffff00005e0001390806000108000604000100005e0001390a62016bffffffffffff0a62016b"},
		{"gratuitous reply", GratuitousReply(MAC{0, 0, 0x5e, 0, 1, 0x36}, v4("10.98.1.104")),
			"ffffffffffff00005e0001360806000108000604000200005e0001360a62016800005e0001360a620168"},
		{"probe", ProbeFrame(host, v4("10.98.1.104")),
			"ffffffffffff02000000980108060001080006040001020000009801000000000000000000000a620168"},
		{"unsolicited advertisement of a host", Unsolicited(host, v6, false),
			"33330000000102000000980186dd6000000000203afffe800000000000000000000000980056ff0200000000000000000000000000018800bdc020000000fe8000000000000000000000009800560201020000009801"},
		{"and of a router", Unsolicited(MAC{0, 0, 0x5e, 0, 2, 0x38}, v6, true),
			"33330000000100005e00023886dd6000000000203afffe800000000000000000000000980056ff020000000000000000000000000001880077" +
				"89a0000000fe800000000000000000000000980056020100005e000238"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := hex.EncodeToString(tt.frame); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			again(t, tt.frame)
		})
	}
}

// again parses a frame and writes what was read. Whoever reads it says which it was.
func again(t *testing.T, frame []byte) {
	t.Helper()
	if a, err := ParseARP(frame); err == nil {
		if got := a.frame(); !bytes.Equal(got, frame[:len(got)]) {
			t.Errorf("read and written again\n%x, it was\n%x", got, frame)
		}
		return
	}
	n, err := ParseNA(frame)
	if err != nil {
		t.Errorf("neither: %v", err)
		return
	}
	if got := n.frame(); !bytes.Equal(got, frame) {
		t.Errorf("read and written again\n%x, it was\n%x", got, frame)
	}
}

func TestWhatIsNoAdvertisementIsRefused(t *testing.T) {
	good := Unsolicited(MAC{2, 0, 0, 0, 0, 1}, netip.MustParseAddr("fe80::1"), false)
	spoil := map[string]func(b []byte) []byte{
		"cut short":        func(b []byte) []byte { return b[:60] },
		"other ethertype":  func(b []byte) []byte { b[12] = 8; return b },
		"hop limit 254":    func(b []byte) []byte { b[21] = 254; return b },
		"a wrong checksum": func(b []byte) []byte { b[57]++; return b },
		"another type":     func(b []byte) []byte { b[54] = 135; return b },
		"length too long":  func(b []byte) []byte { b[19] = 200; return b },
		"no option length": func(b []byte) []byte { b[79] = 0; b[56], b[57] = 0, 0; return sealed(b) },
	}
	for name, f := range spoil {
		t.Run(name, func(t *testing.T) {
			if n, err := ParseNA(f(bytes.Clone(good))); err == nil {
				t.Errorf("read as %+v", n)
			}
		})
	}
}

// sealed sets the checksum of an advertisement anew.
func sealed(b []byte) []byte {
	sum := checksum([16]byte(b[22:]), [16]byte(b[38:]), b[54:])
	b[56], b[57] = byte(sum>>8), byte(sum)
	return b
}

func FuzzParseARP(f *testing.F) {
	f.Add(Gratuitous(MAC{2, 0, 0, 0, 0, 1}, netip.MustParseAddr("10.0.0.1")))
	f.Add(ProbeFrame(MAC{2, 0, 0, 0, 0, 1}, netip.MustParseAddr("10.0.0.1")))
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, err := ParseARP(b); err == nil && !bytes.Equal(a.frame(), b[:etherLen+arpLen]) {
			t.Errorf("%x became %x", b, a.frame())
		}
	})
}

func FuzzParseNA(f *testing.F) {
	f.Add(Unsolicited(MAC{2, 0, 0, 0, 0, 1}, netip.MustParseAddr("fe80::1"), true))
	f.Add(Unsolicited(MAC{2, 0, 0, 0, 0, 1}, netip.MustParseAddr("2001:db8::1"), false))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := ParseNA(b)
		if err != nil || n.From.Is4In6() || n.To.Is4In6() {
			return
		}
		if m, err := ParseNA(n.frame()); err != nil || m != n {
			t.Errorf("%+v became %+v, %v", n, m, err)
		}
	})
}
