package plan

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pair is the plan of lb1 of the nginx pair, as releases before this one made it.
func pair() *Plan {
	in := DefaultInstance()
	in.Address, in.Name, in.Interface = "instance.VI_1", "VI_1", "eth0"
	in.VRID, in.Version, in.AdvertMs, in.Priority = 51, 2, 2000, 101
	in.SourceAddress = netip.MustParseAddr("172.29.88.224")
	in.Auth = &Auth{Type: AuthPass, Password: Secret{Credential: "vrrp-VI_1"}}
	in.Members = []Member{
		{Node: "lb1", Address: netip.MustParseAddr("172.29.88.224"), Priority: 101},
		{Node: "lb2", Address: netip.MustParseAddr("172.29.88.225"), Priority: 100},
	}
	in.VIPs = []VIP{{Address: netip.MustParsePrefix("172.29.88.222/32")}}
	in.Track = []Track{{Check: "script.chk_nginx", Weight: -5}}
	in.Notify = []Addr{"notify.ops_mail"}
	check := DefaultCheck()
	check.Address, check.Name, check.IntervalMs, check.TimeoutMs = "script.chk_nginx", "chk_nginx", 2000, 2000
	check.Script = &Script{Command: []string{"/etc/hafile/check_nginx.sh"}}
	mail := DefaultEmail()
	mail.To, mail.From, mail.Relay = []string{"ops@example.net"}, "ha@lb1.example.net", "127.0.0.1:25"
	return &Plan{Language: Language, Node: "lb1", Desired: Desired{
		Instances: []Instance{in}, Checks: []Check{check},
		Notifies: []Notify{{Address: "notify.ops_mail", On: []string{"active", "backup"}, Email: &mail}},
	}}
}

// A release that adds a field changes no digest: nodes would be told to apply a plan that
// changes nothing, and an approved one would no longer fit.
func TestNewFieldsChangeNoDigest(t *testing.T) {
	const before = "sha256:a8b0383070ee70aa448955af25ffd7a93d163dbf8fd975682ceafa24c8c897ce"
	if got := pair().Digest(); got != before {
		t.Errorf("the digest of the nginx pair was %s and is %s", before, got)
	}
}

func TestThePairIsSoundAndSupported(t *testing.T) {
	for _, p := range append(Verify(pair()), Unsupported(pair())...) {
		t.Error(p)
	}
}

func TestOtherWaysOfTheAdvertsAreSupported(t *testing.T) {
	for name, edit := range map[string]func(*Instance){
		"unicast": func(i *Instance) { i.Transport, i.TTL, i.MinTTL = Unicast, 64, 60 },
		"IPv6": func(i *Instance) {
			i.Family, i.Version, i.Auth, i.SourceAddress, i.Members = IPv6, 3, nil, netip.Addr{}, nil
			i.VIPs = []VIP{{Address: netip.MustParsePrefix("fe80::61/128")}, {Address: netip.MustParsePrefix("2001:db8::61/128")}}
		},
		"IPv6 by unicast": func(i *Instance) {
			i.Family, i.Version, i.Auth, i.Transport, i.SourceAddress = IPv6, 3, nil, Unicast, netip.MustParseAddr("2001:db8::1")
			i.Members = []Member{{Node: "lb1", Address: i.SourceAddress}, {Node: "lb2", Address: netip.MustParseAddr("2001:db8::2")}}
			i.VIPs = []VIP{{Address: netip.MustParsePrefix("fe80::61/128")}}
		},
		"HMAC": func(i *Instance) {
			i.Auth = &Auth{Type: AuthHMAC, Keys: []AuthKey{{ID: 1, Key: Secret{File: "/k"}}}, ActiveKey: 1, Mode: HMACEnforce, AntiReplay: ReplayTime}
		},
		"AH":                func(i *Instance) { i.Auth.Type = AuthAH },
		"a status address":  func(i *Instance) { i.Members[1].Status = "172.29.88.225:7112" },
		"keepalived":        func(i *Instance) { i.Members[1].Speaks = "keepalived-2.2" },
		"a multicast group": func(i *Instance) { i.MulticastGroup = netip.MustParseAddr("224.0.0.99") },
	} {
		p := pair()
		edit(&p.Desired.Instances[0])
		for _, problem := range append(Verify(p), Unsupported(p)...) {
			t.Errorf("%s: %v", name, problem)
		}
	}
}

func watch(p *Plan, c Check) {
	c.Name = c.Address.Name()
	c.IntervalMs, c.TimeoutMs, c.Fall, c.Rise, c.OnFail = 1000, 1000, 3, 2, OnFailHandOver
	p.Desired.Checks = append(p.Desired.Checks, c)
	p.Desired.Instances[0].Track = append(p.Desired.Instances[0].Track, Track{Check: c.Address})
}

// What the runtime cannot do yet is sound, survives JSON and is named as such.
func TestWhatIsNotInThisReleaseIsSoundAndNamed(t *testing.T) {
	in := func(edit func(*Instance)) func(*Plan) { return func(p *Plan) { edit(&p.Desired.Instances[0]) } }
	v3 := func(edit func(*Instance)) func(*Plan) {
		return in(func(i *Instance) { i.Version, i.Auth = 3, nil; edit(i) })
	}
	tests := []struct {
		name string
		edit func(*Plan)
		says string
	}{
		{"IPv6 without a link-local address", v3(func(i *Instance) {
			i.Family, i.SourceAddress, i.Members = IPv6, netip.Addr{}, nil
			i.VIPs = []VIP{{Address: netip.MustParsePrefix("2001:db8::61/128")}}
		}), "not link-local"},
		{"a namespace", in(func(i *Instance) { i.Netns = "blue" }), "namespace"},
		{"a strict lease", in(func(i *Instance) { i.Lease = LeaseStrict }), "strict"},
		{"release at once", in(func(i *Instance) { i.Release = ReleaseAtOnce }), "at_once"},
		{"keep until the peer has it", func(p *Plan) { p.Removed = []Removal{{From: "instance.old", Release: RemoveKeepUntilPeer}} }, "keep_until_peer"},
		{"on_fail", func(p *Plan) { p.Desired.Checks[0].OnFail = OnFailRelease }, "on_fail"},
		{"a value times a weight", func(p *Plan) {
			watch(p, Check{Address: "check.a", File: &File{Path: "/run/load", Value: true}})
			p.Desired.Instances[0].Track[1].Weight = -2
		}, "the value of a file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := pair()
			tt.edit(p)
			for _, problem := range Verify(p) {
				t.Errorf("not sound: %v", problem)
			}
			lacking := Unsupported(p)
			if len(lacking) != 1 || !strings.Contains(lacking[0].Message, tt.says) {
				t.Errorf("want one that says %q, got %v", tt.says, lacking)
			}
			if d := cmp.Diff(p, p.Clone(), cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); d != "" {
				t.Errorf("JSON loses something (-want +got):\n%s", d)
			}
			if p.Digest() == pair().Digest() && len(p.Removed) == 0 {
				t.Error("the digest does not see it")
			}
		})
	}
}

// Every probe runs; so does a file's value where it has no weight.
func TestProbesAreSupported(t *testing.T) {
	for _, c := range []Check{
		{HTTP: &HTTP{URL: "http://127.0.0.1/", Method: "GET", Expect: []int{200}}},
		{TCP: &TCP{Address: "127.0.0.1:80"}},
		{Process: &Process{Name: "nginx", Min: 1}},
		{File: &File{Path: "/run/ok", Value: true}},
		{Ping: &Ping{Address: netip.MustParseAddr("172.29.88.1")}},
		{DNS: &DNS{Server: "127.0.0.1:53", Name: "example.net", Type: "A"}},
		{Address: "interface.bond1.100", Interface: &TrackedInterface{Name: "bond1.100"}},
		{Address: "route.0.0.0.0/0", Route: &TrackedRoute{To: netip.MustParsePrefix("0.0.0.0/0")}},
		{Address: "instance.VI_2", Instance: &TrackedInstance{Address: "instance.VI_2"}},
	} {
		p := pair()
		if c.Instance != nil {
			two := p.Clone().Desired.Instances[0]
			two.Address, two.VRID, two.VIPs[0].Address = "instance.VI_2", 52, netip.MustParsePrefix("172.29.88.223/32")
			p.Desired.Instances = append(p.Desired.Instances, two)
		}
		if c.Address == "" {
			c.Address = "check.a"
		}
		watch(p, c)
		p.Desired.Instances[0].Track[1].Reverse = true
		for _, problem := range append(Verify(p), Unsupported(p)...) {
			t.Errorf("%v: %v", c.Kinds(), problem)
		}
	}
}
