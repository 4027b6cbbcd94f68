package diff

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hafile/lang/plan"
)

var update = flag.Bool("update", false, "rewrite testdata")

// edits of the seed plan of lb1, and one of lb2's where the name says so. What each
// means on an active and on a backup is testdata/impact.txt: read a change of it first.
var edits = []struct {
	name string
	on   string    // node, lb1 if empty
	down plan.Addr // a check
	up   plan.Addr
	from func(*plan.Plan)
	to   func(*plan.Plan)
}{
	{name: "nothing", to: func(*plan.Plan) {}},
	{name: "a line moves", to: func(p *plan.Plan) { vi(p).Src = plan.Src{0, 99, 1, 99, 2} }},

	{name: "priority up", to: func(p *plan.Plan) { setPriority(p, 150) }},
	{name: "priority down to the other's", to: func(p *plan.Plan) { setPriority(p, 100) }},
	{name: "priority below the other's", to: func(p *plan.Plan) { setPriority(p, 90) }},
	{name: "priority below the other's without preemption",
		from: func(p *plan.Plan) { vi(p).Preempt = false },
		to:   func(p *plan.Plan) { vi(p).Preempt = false; setPriority(p, 90) }},
	{name: "lb2 above lb1", on: "lb2", to: func(p *plan.Plan) { setPriority(p, 110) }},
	{name: "lb2 above lb1, preempt_delay 10s", on: "lb2", to: func(p *plan.Plan) { setPriority(p, 110); vi(p).PreemptDelayMs = 10000 }},
	{name: "the other one's priority above ours", to: func(p *plan.Plan) { vi(p).Members[1].Priority = 150 }},
	{name: "weight", to: func(p *plan.Plan) { vi(p).Track[0].Weight = -50 }},
	{name: "no weight", to: func(p *plan.Plan) { vi(p).Track[0].Weight = 0 }},
	{name: "preempt off", to: func(p *plan.Plan) { vi(p).Preempt = false }},
	{name: "preempt on", from: func(p *plan.Plan) { vi(p).Preempt = false }, to: func(*plan.Plan) {}},
	{name: "preempt on below the other",
		from: func(p *plan.Plan) { vi(p).Preempt = false; setPriority(p, 90) }, to: func(p *plan.Plan) { setPriority(p, 90) }},
	{name: "preempt_delay", to: func(p *plan.Plan) { vi(p).PreemptDelayMs = 5000 }},

	{name: "priorities change places",
		to: func(p *plan.Plan) { setPriority(p, 100); vi(p).Members[1].Priority = 50 }},
	{name: "both priorities down, the other one's further", to: func(p *plan.Plan) { setPriority(p, 60); vi(p).Members[1].Priority = 50 }},
	{name: "backup raised over an active that is raised too", on: "lb2", to: func(p *plan.Plan) {
		setPriority(p, 130)
		vi(p).Members[0].Priority = 150
	}},
	{name: "preempt off and priority below the other's", to: func(p *plan.Plan) { vi(p).Preempt = false; setPriority(p, 90) }},
	{name: "a weight that adds", on: "lb2", up: "script.disk", to: func(p *plan.Plan) {
		again(p, "script.disk")
		vi(p).Track = append(vi(p).Track, plan.Track{Check: "script.disk", Weight: 20, Src: plan.Src{0, 81, 3, 81, 9}})
	}},
	{name: "a check that is down is tracked without a weight", down: "script.disk",
		from: func(p *plan.Plan) { again(p, "script.disk") }, to: func(p *plan.Plan) {
			again(p, "script.disk")
			vi(p).Track = append(vi(p).Track, plan.Track{Check: "script.disk", Src: plan.Src{0, 81, 3, 81, 9}})
		}},
	{name: "renamed and another router_id", to: func(p *plan.Plan) { vi(p).Address, vi(p).Name, vi(p).VRID = "instance.VI_X", "VI_X", 52 }},
	{name: "moved and another router_id", to: func(p *plan.Plan) {
		vi(p).Address, vi(p).Name, vi(p).VRID = "instance.VI_X", "VI_X", 52
		p.Moved = []plan.Move{{From: "instance.VI_1", To: "instance.VI_X"}}
	}},

	{name: "vip added", to: func(p *plan.Plan) { vi(p).VIPs = append(vi(p).VIPs, aVIP("172.29.88.223")) }},
	{name: "vip removed", from: func(p *plan.Plan) { vi(p).VIPs = append(vi(p).VIPs, aVIP("172.29.88.223")) }, to: func(*plan.Plan) {}},
	{name: "vip replaced", to: func(p *plan.Plan) { vi(p).VIPs[0] = aVIP("172.29.88.223") }},
	{name: "vips reordered",
		from: func(p *plan.Plan) { vi(p).VIPs = append(vi(p).VIPs, aVIP("172.29.88.223")) },
		to:   func(p *plan.Plan) { vi(p).VIPs = append([]plan.VIP{aVIP("172.29.88.223")}, vi(p).VIPs...) }},
	{name: "vip on another interface", to: func(p *plan.Plan) { vi(p).VIPs[0].Interface = "eth1" }},
	{name: "vip's interface spelled out", to: func(p *plan.Plan) { vi(p).VIPs[0].Interface = "eth0" }},
	{name: "vip to another instance that has our role",
		from: func(p *plan.Plan) { second(p, "instance.VI_2"); vi(p).VIPs = append(vi(p).VIPs, aVIP("172.29.88.223")) },
		to: func(p *plan.Plan) {
			second(p, "instance.VI_2")
			other := p.Desired.Instance("instance.VI_2")
			other.VIPs = append(other.VIPs, aVIP("172.29.88.223"))
		}},
	{name: "vip to an instance that is new",
		from: func(p *plan.Plan) { vi(p).VIPs = append(vi(p).VIPs, aVIP("172.29.88.230")) },
		to:   func(p *plan.Plan) { second(p, "instance.VI_9") }},

	{name: "advert_int of version 2", to: func(p *plan.Plan) { vi(p).AdvertMs = 1000 }},
	{name: "advert_int of version 3", from: three, to: func(p *plan.Plan) { three(p); vi(p).AdvertMs = 500 }},
	{name: "advert_int of version 2, nobody else",
		from: func(p *plan.Plan) { vi(p).Members = nil }, to: func(p *plan.Plan) { vi(p).Members = nil; vi(p).AdvertMs = 1000 }},
	{name: "another credential", to: func(p *plan.Plan) { vi(p).Auth.Password = plan.Secret{Credential: "other"} }},
	{name: "another inline password",
		from: func(p *plan.Plan) { vi(p).Auth.Password = plan.Secret{Value: "hunter2"} },
		to:   func(p *plan.Plan) { vi(p).Auth.Password = plan.Secret{Value: "hunter3"} }},
	{name: "no auth", to: func(p *plan.Plan) { vi(p).Auth = nil }},
	{name: "version 3", to: three},
	{name: "router_id", to: func(p *plan.Plan) { vi(p).VRID = 52 }},
	{name: "router_id beside keepalived", from: beside("keepalived-2.2"), to: func(p *plan.Plan) { beside("keepalived-2.2")(p); vi(p).VRID = 52 }},
	{name: "advert_int of version 2 beside keepalived", from: beside("keepalived-2.2"), to: func(p *plan.Plan) { beside("keepalived-2.2")(p); vi(p).AdvertMs = 1000 }},
	{name: "vip added beside keepalived 2.2", from: beside("keepalived-2.2"), to: func(p *plan.Plan) {
		beside("keepalived-2.2")(p)
		vi(p).VIPs = append(vi(p).VIPs, aVIP("172.29.88.223"))
	}},
	{name: "vip added beside keepalived 2.4", from: beside("keepalived-2.4"), to: func(p *plan.Plan) {
		beside("keepalived-2.4")(p)
		vi(p).VIPs = append(vi(p).VIPs, aVIP("172.29.88.223"))
	}},
	{name: "vip removed beside keepalived 2.2", from: func(p *plan.Plan) {
		beside("keepalived-2.2")(p)
		vi(p).VIPs = append(vi(p).VIPs, aVIP("172.29.88.223"))
	}, to: beside("keepalived-2.2")},
	{name: "another VIP beside keepalived", from: beside("keepalived-2.2"), to: func(p *plan.Plan) { beside("keepalived-2.2")(p); vi(p).VIPs[0] = aVIP("172.29.88.223") }},
	{name: "a credential beside FRR", from: beside("frr"), to: func(p *plan.Plan) { beside("frr")(p); vi(p).Auth.Password = plan.Secret{Credential: "other"} }},
	{name: "version 3 and another interface", to: func(p *plan.Plan) { vi(p).Version, vi(p).Auth, vi(p).Interface = 3, nil, "eth1" }},
	{name: "router_ids change places", from: func(p *plan.Plan) { second(p, "instance.VI_9") }, to: func(p *plan.Plan) {
		second(p, "instance.VI_9")
		p.Desired.Instances[0].VRID, p.Desired.Instances[1].VRID = p.Desired.Instances[1].VRID, p.Desired.Instances[0].VRID
	}},
	{name: "router_id of another that moves on", from: func(p *plan.Plan) { second(p, "instance.VI_9") }, to: func(p *plan.Plan) {
		second(p, "instance.VI_9")
		vi(p).VRID, p.Desired.Instances[1].VRID = p.Desired.Instances[1].VRID, 61
	}},
	{name: "router_id, nobody else",
		from: func(p *plan.Plan) { vi(p).Members = nil }, to: func(p *plan.Plan) { vi(p).Members = nil; vi(p).VRID = 52 }},
	{name: "interface", to: func(p *plan.Plan) { vi(p).Interface = "eth1" }},
	{name: "checksum of version 2", to: func(p *plan.Plan) { vi(p).Checksum = "rfc9568" }},
	{name: "checksum of version 3", from: three, to: func(p *plan.Plan) { three(p); vi(p).Checksum = "rfc9568" }},
	{name: "source_address", to: func(p *plan.Plan) { vi(p).SourceAddress = netip.MustParseAddr("172.29.88.229") }},
	{name: "source_address left out", to: func(p *plan.Plan) { vi(p).SourceAddress = netip.Addr{} }},
	{name: "down_adverts, start_delay", to: func(p *plan.Plan) { vi(p).DownAdverts, vi(p).StartDelayMs = 5, 1500 }},
	{name: "announce", to: func(p *plan.Plan) { vi(p).Announce.RefreshMs = 0 }},

	{name: "tracks less", to: func(p *plan.Plan) { vi(p).Track = nil }},
	{name: "tracks more", to: func(p *plan.Plan) {
		again(p, "script.disk")
		vi(p).Track = append(vi(p).Track, plan.Track{Check: "script.disk", Weight: -1, Src: plan.Src{0, 81, 3, 81, 9}})
	}},
	{name: "a third member", to: func(p *plan.Plan) {
		vi(p).Members = append(vi(p).Members, plan.Member{Node: "lb3", Address: netip.MustParseAddr("172.29.88.226"), Priority: 50})
	}},
	{name: "the only other member goes", to: func(p *plan.Plan) { vi(p).Members = vi(p).Members[:1] }},
	{name: "notify detached", to: func(p *plan.Plan) { vi(p).Notify, p.Desired.Notifies = nil, nil }},
	{name: "script edited", to: func(p *plan.Plan) {
		c := &p.Desired.Checks[0]
		c.Script.Command, c.Script.Env, c.Fall = append(c.Script.Command, "-v"), map[string]string{"LANG": "C"}, 2
	}},
	{name: "mail edited", to: func(p *plan.Plan) {
		n := &p.Desired.Notifies[0]
		n.On, n.Email.To, n.Email.TimeoutMs = append(n.On, "stop"), []string{"oncall@example.net"}, 2500
	}},

	{name: "vip's prefix installed", to: func(p *plan.Plan) { vi(p).VIPs[0].InstallPrefix = 24 }},
	{name: "vip out of the adverts",
		from: func(p *plan.Plan) { vi(p).VIPs = append(vi(p).VIPs, aVIP("172.29.88.223")) },
		to: func(p *plan.Plan) {
			vi(p).VIPs = append(vi(p).VIPs, aVIP("172.29.88.223"))
			vi(p).VIPs[1].Unadvertised = true
		}},
	{name: "virtual MAC", to: func(p *plan.Plan) { vi(p).VirtualMAC = true }},
	{name: "accept mode off", to: func(p *plan.Plan) { vi(p).Accept = false }},
	{name: "unicast", to: func(p *plan.Plan) { vi(p).Transport = plan.Unicast }},
	{name: "another unicast peer", from: unicast, to: func(p *plan.Plan) { unicast(p); vi(p).Members[1].Address = netip.MustParseAddr("172.29.88.229") }},
	{name: "a unicast peer without an address", from: unicast, to: func(p *plan.Plan) { unicast(p); vi(p).Members[1].Address = netip.Addr{} }},
	{name: "a multicast group", to: func(p *plan.Plan) { vi(p).MulticastGroup = netip.MustParseAddr("224.0.0.99") }},
	{name: "hmac key added", from: hmac, to: func(p *plan.Plan) {
		hmac(p)
		vi(p).Auth.Keys = append(vi(p).Auth.Keys, plan.AuthKey{ID: 2, Key: plan.Secret{Credential: "two"}})
	}},
	{name: "hmac key that signs replaced", from: hmac, to: func(p *plan.Plan) { hmac(p); vi(p).Auth.Keys[0].Key = plan.Secret{Credential: "two"} }},
	{name: "hmac one mode on", from: hmac, to: func(p *plan.Plan) { hmac(p); vi(p).Auth.Mode = plan.HMACEnforce }},
	{name: "a route", to: func(p *plan.Plan) {
		vi(p).Routes = []plan.Route{{To: netip.MustParsePrefix("10.0.0.0/8"), Via: netip.MustParseAddr("172.29.88.1")}}
	}},
	{name: "a guard", to: func(p *plan.Plan) { vi(p).Guard = &plan.Guard{MinLivePeers: 1} }},
	{name: "a sync group", to: func(p *plan.Plan) {
		vi(p).Track = nil
		p.Desired.Groups = []plan.Group{{Address: "sync_group.g", Name: "g", Instances: []plan.Addr{"instance.VI_1"}}}
	}},
	{name: "instance moved to another router_id", to: func(p *plan.Plan) {
		vi(p).Address, vi(p).Name, vi(p).VRID = "instance.web", "web", 52
		p.Moved = []plan.Move{{From: "instance.VI_1", To: "instance.web"}}
	}},
	{name: "instance moved under a module", to: func(p *plan.Plan) {
		vi(p).Address = "module.web.instance.VI_1"
		p.Moved = []plan.Move{{From: "instance", To: "module.web.instance"}}
	}},

	{name: "instance renamed", to: func(p *plan.Plan) { vi(p).Address, vi(p).Name = "instance.web", "web" }},
	{name: "instance renamed, priority up", to: func(p *plan.Plan) { vi(p).Address, vi(p).Name = "instance.web", "web"; vi(p).Priority = 150 }},
	{name: "script renamed", to: func(p *plan.Plan) {
		p.Desired.Checks[0].Address, p.Desired.Checks[0].Name = "script.nginx", "nginx"
		vi(p).Track[0].Check = "script.nginx"
	}},
	{name: "notify renamed", to: func(p *plan.Plan) {
		p.Desired.Notifies[0].Address, vi(p).Notify[0] = "notify.mail", "notify.mail"
	}},
	{name: "an instance more", to: func(p *plan.Plan) { second(p, "instance.VI_9") }},
	{name: "the instance goes", to: func(p *plan.Plan) { p.Desired.Instances = nil }},
	{name: "everything goes", to: func(p *plan.Plan) { p.Desired = plan.Desired{} }},
}

func unicast(p *plan.Plan) { vi(p).Transport = plan.Unicast }

func hmac(p *plan.Plan) {
	three(p)
	vi(p).Auth = &plan.Auth{
		Type: plan.AuthHMAC, Keys: []plan.AuthKey{{ID: 1, Key: plan.Secret{Credential: "one"}}}, ActiveKey: 1,
		Mode: plan.HMACPermissive, AntiReplay: plan.ReplayTime,
	}
}

func TestImpactOfEveryEdit(t *testing.T) {
	var out strings.Builder
	for _, tt := range edits {
		node := orElse(tt.on, "lb1")
		before, after := seed(node), seed(node)
		if tt.from != nil {
			tt.from(before)
		}
		tt.to(after)
		for _, role := range []string{"active", "backup"} {
			now := roles(role)
			if tt.down != "" {
				now.Checks[tt.down] = plan.CheckDown
			}
			if tt.up != "" {
				now.Checks[tt.up] = plan.CheckUp
			}
			changes, summary := Plans(before, after, now)
			fmt.Fprintf(&out, "-- %s, %s %s\n%s", tt.name, node, role, describe(withoutLists(changes), summary))
		}
		out.WriteString("\n")
	}
	golden(t, "testdata/impact.txt", out.String())
}

func TestFirstPlanListsEverything(t *testing.T) {
	changes, summary := Plans(nil, seed("lb1"), Present{})
	golden(t, "testdata/first.txt", describe(changes, summary))
}

// A check that is down now counts: the edit decides by what is, not by what is written.
func TestImpactWithNginxDown(t *testing.T) {
	var out strings.Builder
	down := roles("active")
	down.Checks["script.chk_nginx"] = plan.CheckDown
	for _, tt := range []struct {
		name string
		to   func(*plan.Plan)
	}{
		{"weight that no longer matters enough", func(p *plan.Plan) { vi(p).Track[0].Weight = -1 }},
		{"no weight any more", func(p *plan.Plan) { vi(p).Track[0].Weight = 0 }},
		{"a renamed script is still down", func(p *plan.Plan) {
			p.Desired.Checks[0].Address, vi(p).Track[0].Check = "script.nginx", "script.nginx"
			setPriority(p, 104)
		}},
	} {
		before, after := seed("lb1"), seed("lb1")
		tt.to(after)
		for _, role := range []string{"active", "backup"} {
			down.Roles["instance.VI_1"] = role
			changes, summary := Plans(before, after, down)
			fmt.Fprintf(&out, "-- %s, lb1 %s\n%s", tt.name, role, describe(changes, summary))
		}
		out.WriteString("\n")
	}
	golden(t, "testdata/down.txt", out.String())
}

// Without observed roles the preferred member is taken for active.
func TestRolesAreAssumedFromPriorities(t *testing.T) {
	for node, want := range map[string]Class{"lb1": Gains, "lb2": None} {
		after := seed(node)
		vi(after).VIPs = append(vi(after).VIPs, aVIP("172.29.88.223"))
		_, summary := Plans(seed(node), after, Present{Assumed: true})
		if summary.Worst != want {
			t.Errorf("%s: worst %s, want %s", node, summary.Worst, want)
		}
	}
}

func TestNoSecretIsShown(t *testing.T) {
	before, after := seed("lb1"), seed("lb1")
	vi(before).Auth.Password = plan.Secret{Value: "hunter2"}
	vi(after).Auth.Password = plan.Secret{Value: "hunter3"}
	for _, p := range []*plan.Plan{nil, before} {
		changes, _ := Plans(p, after, roles("active"))
		raw, err := json.Marshal(changes)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(raw), "hunter") {
			t.Errorf("a secret in %s", raw)
		}
	}
}

func vi(p *plan.Plan) *plan.Instance { return &p.Desired.Instances[0] }

// setPriority writes what the compiler writes: the instance's own and the member's.
func setPriority(p *plan.Plan, n uint8) {
	vi(p).Priority = n
	for i := range vi(p).Members {
		if vi(p).Members[i].Node == p.Node {
			vi(p).Members[i].Priority = n
		}
	}
}

func three(p *plan.Plan) { vi(p).Version, vi(p).Auth = 3, nil }

func aVIP(a string) plan.VIP {
	return plan.VIP{Address: netip.PrefixFrom(netip.MustParseAddr(a), 32), Src: plan.Src{0, 80, 3, 80, 40}}
}

// second adds an instance beside VI_1.
func beside(speaks string) func(*plan.Plan) {
	return func(p *plan.Plan) { vi(p).Members[1].Speaks = speaks }
}

func second(p *plan.Plan, a plan.Addr) {
	in := *vi(p)
	in.Address, in.Name, in.VRID, in.VIPs = a, a.Name(), 60, []plan.VIP{aVIP("172.29.88.230")}
	p.Desired.Instances = append(p.Desired.Instances, in)
}

// again adds a copy of the check under another address.
func again(p *plan.Plan, a plan.Addr) {
	c := p.Desired.Checks[0]
	c.Address, c.Name = a, a.Name()
	p.Desired.Checks = append(p.Desired.Checks, c)
}

func roles(role string) Present {
	return Present{
		Roles:  map[plan.Addr]string{"instance.VI_1": role, "instance.VI_2": role},
		Checks: map[plan.Addr]plan.CheckState{"script.chk_nginx": plan.CheckUp},
	}
}

func describe(changes []Change, s Summary) string {
	var b strings.Builder
	for _, c := range changes {
		fmt.Fprintf(&b, "%s %s%s%s: %s\n", c.Action, c.Address, prefixed(" from ", string(c.From)), prefixed(" was ", c.Was), impactText(&c.Impact))
		for _, f := range c.Fields {
			fmt.Fprintf(&b, "    %s %s -> %s", f.Path, f.Before, f.After)
			if f.Sensitive {
				b.WriteString(" sensitive")
			}
			if !f.Src.IsZero() {
				fmt.Fprintf(&b, " :%d", f.Src[1])
			}
			b.WriteString(prefixed(" was ", f.Was))
			if f.Impact != nil {
				b.WriteString(": " + impactText(f.Impact))
			}
			b.WriteString("\n")
		}
	}
	fmt.Fprintf(&b, "    = +%d ~%d -%d >%d worst %s", s.Add, s.Change, s.Remove, s.Rename, s.Worst)
	v := s.VIPs
	for i, n := range []int{v.Stays, v.Gains, v.Weakens, v.Moves, v.Outage, v.Drops} {
		if n > 0 {
			fmt.Fprintf(&b, ", %d %s", n, Classes[i+1])
		}
	}
	b.WriteString("\n")
	return b.String()
}

func impactText(i *Impact) string {
	s := fmt.Sprintf("%s %s", strings.ToUpper(string(i.Class)), i.Reason)
	for _, v := range i.VIPs {
		s += " " + v.Addr().String()
	}
	if i.Gap != (Gap{}) {
		s += fmt.Sprintf(" gap %d..%d ms", i.Gap.TypMs, i.Gap.MaxMs)
	}
	if i.Pairwise {
		s += " PAIRWISE"
	}
	return s + prefixed(" | ", i.Text)
}

// withoutLists leaves out the fields of what comes or goes as a whole; testdata/first.txt
// has them.
func withoutLists(changes []Change) []Change {
	short := slices.Clone(changes)
	for i := range short {
		if short[i].Action == Add || short[i].Action == Remove {
			short[i].Fields = slices.DeleteFunc(slices.Clone(short[i].Fields), func(f Field) bool { return f.Impact == nil })
		}
	}
	return short
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got):\n%s", file, d)
	}
}
