package netlink

import (
	"encoding/hex"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"hafile/runtime/kernel"
)

func TestRequests(t *testing.T) {
	tests := []struct {
		name   string
		kind   kernel.Kind
		prefix string
		want   string // after the header: struct ifaddrmsg, attributes
	}{
		{"a host route has no flags, no label, no broadcast", kernel.Add, "192.0.2.10/32",
			"02200000" + "07000000" + "08000200c000020a" + "08000100c000020a" + "05000b00c8000000"},
		{"a prefix brings no route", kernel.Add, "192.0.2.10/24",
			"02180000" + "07000000" + "08000200c000020a" + "08000100c000020a" + "05000b00c8000000" + "0800080000020000"},
		{"IPv6 is NODAD and preferred for 0 s", kernel.Add, "2001:db8::a/128",
			"0a800000" + "07000000" + "1400020020010db800000000000000000000000a" + "1400010020010db800000000000000000000000a" +
				"05000b00c8000000" + "1400060000000000ffffffff0000000000000000" + "0800080002000000"},
		{"a delete has the address only", kernel.Delete, "192.0.2.10/32",
			"02200000" + "07000000" + "08000200c000020a" + "08000100c000020a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := netip.MustParsePrefix(tt.prefix)
			raw := addressRequest(tt.kind, 7, kernel.Address{Prefix: p}).Serialize()
			if got := hex.EncodeToString(raw[unix.SizeofNlMsghdr:]); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			a, err := parseAddress(raw[unix.SizeofNlMsghdr:])
			if err != nil || a.index != 7 || a.prefix != p || a.marked != (tt.kind != kernel.Delete) {
				t.Errorf("read back: %+v, %v", a, err)
			}
		})
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, p := range []string{"192.0.2.10/32", "2001:db8::a/64"} {
		f.Add(addressRequest(kernel.Add, 7, kernel.Address{Prefix: netip.MustParsePrefix(p)}).Serialize()[unix.SizeofNlMsghdr:])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, err := parseAddress(b); err == nil && !a.prefix.IsValid() {
			t.Errorf("accepted without an address: %+v", a)
		}
	})
}

func FuzzParseLink(f *testing.F) {
	f.Add(linksRequest().Serialize()[unix.SizeofNlMsghdr:])
	raw, _ := hex.DecodeString("0000010007000000431001000000000009000300657468300000000008000400dc05000002000000000001")
	f.Add(raw)
	f.Fuzz(func(t *testing.T, b []byte) {
		if l, err := parseLink(b); err == nil && l.Name == "" {
			t.Errorf("accepted without a name: %+v", l)
		}
	})
}
