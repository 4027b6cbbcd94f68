package host

import (
	"net/netip"
	"testing"

	"hafile/runtime/kernel"
)

func TestDescribeLink(t *testing.T) {
	at := func(prefixes ...string) (out []netip.Prefix) {
		for _, p := range prefixes {
			out = append(out, netip.MustParsePrefix(p))
		}
		return out
	}
	tests := []struct {
		link kernel.Link
		want string
	}{
		{kernel.Link{}, "missing"},
		{kernel.Link{Index: 2}, "down"},
		{kernel.Link{Index: 2, Up: true, Carrier: true, Addresses: at("172.29.88.224/24")}, "up, 172.29.88.224/24"},
		{kernel.Link{Index: 2, Up: true, Addresses: at("fe80::1/64")}, "up, no carrier, no address"},
		{kernel.Link{Index: 2, Up: true, Carrier: true, Addresses: at("10.0.0.1/24", "10.0.0.9/32", "fe80::1/64", "2001:db8::1/64")},
			"up, 10.0.0.1/24, 2001:db8::1/64"},
	}
	for _, tt := range tests {
		if got := DescribeLink(tt.link); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.link, got, tt.want)
		}
	}
}

func TestAnInterfaceThatDoesNotExistIsMissing(t *testing.T) {
	if got := DescribeLink(Interface("no-such-link")); got != "missing" {
		t.Errorf("got %q", got)
	}
}
