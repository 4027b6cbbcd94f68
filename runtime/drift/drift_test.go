package drift

import (
	"net/netip"
	"strings"
	"testing"

	"hafile/lang/plan"
	"hafile/runtime/control"
	"hafile/runtime/kernel"
)

// Each case is a role, what the kernel has, and the drift in words.
func TestCompare(t *testing.T) {
	const vip = "192.0.2.10/32"
	eth0 := func(addresses ...string) []kernel.Link {
		l := kernel.Link{Name: "eth0", Index: 2, Up: true, Carrier: true}
		for _, a := range addresses {
			l.Addresses = append(l.Addresses, netip.MustParsePrefix(a))
		}
		return []kernel.Link{l}
	}
	down, dark := eth0(), eth0()
	down[0].Up, dark[0].Carrier = false, false
	tests := []struct {
		name, role string
		links      []kernel.Link
		install    int
		want       string
	}{
		{"active with it", "active", eth0("192.0.2.1/24", vip), 0, ""},
		{"active without it", "active", eth0("192.0.2.1/24"), 0, "address_missing"},
		{"active with it as another prefix", "active", eth0("192.0.2.10/24"), 0, "address_other"},
		{"active with the prefix that is asked for", "active", eth0("192.0.2.10/24"), 24, ""},
		{"active with both", "active", eth0("192.0.2.10/24", vip), 0, ""},
		{"leaving without it", "leaving", eth0(), 0, "address_missing"},
		{"backup without it", "backup", eth0("192.0.2.1/24"), 0, ""},
		{"backup with it", "backup", eth0(vip), 0, "address_extra"},
		{"fault with it", "fault", eth0(vip), 0, "address_extra"},
		{"no interface", "fault", nil, 0, "link_missing"},
		{"no interface, active", "active", nil, 0, "link_missing"},
		{"down", "fault", down, 0, "link_down"},
		{"no carrier", "fault", dark, 0, "link_no_carrier"},
		{"down and active", "active", down, 0, "link_down address_missing"},
	}
	for _, tt := range tests {
		in := plan.DefaultInstance()
		in.Address, in.Interface = "instance.web", "eth0"
		in.VIPs = []plan.VIP{{Address: netip.MustParsePrefix(vip), InstallPrefix: tt.install}}
		s := &control.Status{Instances: []control.Instance{{
			Address: in.Address, Role: tt.role, Wire: control.Wire{Interface: "eth0"},
			VIPs: []control.VIP{{Address: netip.MustParsePrefix(vip), Interface: "eth0"}},
		}}}
		var kinds []string
		for _, i := range Compare(s, &plan.Plan{Desired: plan.Desired{Instances: []plan.Instance{in}}}, tt.links) {
			kinds = append(kinds, i.Kind)
			if i.Text == "" || i.Interface != "eth0" || i.Instance != in.Address {
				t.Errorf("%s: %+v", tt.name, i)
			}
		}
		if got := strings.Join(kinds, " "); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// An address that one instance gives up and another of the same node holds is at home.
func TestAnAddressOfAnotherInstanceIsNoDrift(t *testing.T) {
	vip := netip.MustParsePrefix("192.0.2.10/32")
	p := &plan.Plan{}
	s := &control.Status{}
	for name, role := range map[plan.Addr]string{"instance.a": "backup", "instance.b": "active"} {
		in := plan.DefaultInstance()
		in.Address, in.Interface, in.VIPs = name, "eth0", []plan.VIP{{Address: vip}}
		p.Desired.Instances = append(p.Desired.Instances, in)
		s.Instances = append(s.Instances, control.Instance{
			Address: name, Role: role, Wire: control.Wire{Interface: "eth0"}, VIPs: []control.VIP{{Address: vip, Interface: "eth0"}},
		})
	}
	links := []kernel.Link{{Name: "eth0", Index: 1, Up: true, Carrier: true, Addresses: []netip.Prefix{vip}}}
	if got := Compare(s, p, links); len(got) > 0 {
		t.Errorf("%+v", got)
	}
}

func TestBothKeepsWhatTwoLooksHaveInCommon(t *testing.T) {
	a := Item{Kind: AddressMissing, Interface: "eth0", Address: netip.MustParsePrefix("192.0.2.10/32")}
	b := a
	b.Address = netip.MustParsePrefix("192.0.2.11/32")
	if got := Both([]Item{a}, []Item{b}); len(got) > 0 {
		t.Errorf("%+v", got)
	}
	if got := Both([]Item{a, b}, []Item{b}); len(got) != 1 || got[0] != b {
		t.Errorf("%+v", got)
	}
}
