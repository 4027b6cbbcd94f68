package planfile

import (
	"net/netip"
	"strings"
	"testing"

	"hafile/lang/plan"
)

func TestHeldKeepsWhatTheRunningPlanProtects(t *testing.T) {
	of := func(edit func(*plan.Plan)) *plan.Plan {
		in := plan.DefaultInstance()
		in.Address, in.PreventRelease = "instance.web", true
		in.VIPs = []plan.VIP{{Address: netip.MustParsePrefix("192.0.2.10/32")}, {Address: netip.MustParsePrefix("192.0.2.11/32")}}
		other := plan.DefaultInstance()
		other.Address = "instance.other"
		p := &plan.Plan{Desired: plan.Desired{Instances: []plan.Instance{in, other}}}
		if edit != nil {
			edit(p)
		}
		return p
	}
	web := func(p *plan.Plan) *plan.Instance { return &p.Desired.Instances[0] }
	unprotected := of(func(p *plan.Plan) { web(p).PreventRelease = false })
	grouped := of(func(p *plan.Plan) {
		web(p).PreventRelease = false
		p.Desired.Groups = []plan.Group{{PreventRelease: true, Instances: []plan.Addr{"instance.web"}}}
	})
	one := func(p *plan.Plan) { web(p).VIPs = web(p).VIPs[:1] }
	gone := func(p *plan.Plan) { p.Desired.Instances = p.Desired.Instances[1:] }
	tests := []struct {
		name    string
		running *plan.Plan
		edit    func(*plan.Plan)
		allow   []string
		want    string // in the refusal; empty: none
	}{
		{"nothing runs", nil, gone, nil, ""},
		{"nothing goes", of(nil), nil, nil, ""},
		{"an address goes", of(nil), one, nil, "192.0.2.11 of instance.web"},
		{"with its protection", of(nil), func(p *plan.Plan) { one(p); web(p).PreventRelease = false }, nil, "192.0.2.11"},
		{"without protection", unprotected, one, nil, ""},
		{"protection comes with the edit", unprotected, one, nil, ""},
		{"by its group", grouped, one, nil, "192.0.2.11"},
		{"the instance goes", of(nil), gone, nil, "192.0.2.10 of instance.web, 192.0.2.11 of instance.web"},
		{"allowed by address", of(nil), one, []string{"release:192.0.2.11"}, ""},
		{"allowed by prefix", of(nil), one, []string{"release:192.0.2.11/32"}, ""},
		{"another one is allowed", of(nil), one, []string{"release:192.0.2.10"}, "-allow=release:192.0.2.11"},
		{"allowed by instance", of(nil), gone, []string{"release:instance.web"}, ""},
		{"it moves to another instance", of(nil), func(p *plan.Plan) {
			p.Desired.Instances[1].VIPs = web(p).VIPs[1:]
			one(p)
		}, nil, ""},
		{"renamed", of(nil), func(p *plan.Plan) { web(p).Address = "instance.new" }, nil, ""},
	}
	for _, tt := range tests {
		got := Held(tt.running, of(tt.edit), tt.allow)
		switch {
		case tt.want == "" && got != nil:
			t.Errorf("%s: %v", tt.name, got)
		case tt.want != "" && (got == nil || got.Exit != ExitRefused || !strings.Contains(got.Error(), tt.want)):
			t.Errorf("%s: %v, want %q in it", tt.name, got, tt.want)
		}
	}
}
