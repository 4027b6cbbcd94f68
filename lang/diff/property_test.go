package diff

import (
	"fmt"
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"hafile/lang/plan"
)

// drawPlan makes a valid plan of lb1 from small alphabets, so that two of them have
// things in common, things that differ and things under another name.
func drawPlan(t *rapid.T) *plan.Plan {
	p := &plan.Plan{Language: plan.Language, Node: "lb1", Sources: []plan.Source{{File: "a.ha.hcl"}}}
	checks := subset(t, "checks", "script.a", "script.b", "script.c")
	for _, a := range checks {
		p.Desired.Checks = append(p.Desired.Checks, drawCheck(t, plan.Addr(a)))
	}
	notifies := subset(t, "notifies", "notify.x", "notify.y")
	for _, a := range notifies {
		p.Desired.Notifies = append(p.Desired.Notifies, drawNotify(t, plan.Addr(a)))
	}
	free := rapid.Permutation([]int{10, 11, 12, 13, 14, 15}).Draw(t, "vips")
	for n, a := range subset(t, "instances", "instance.i", "instance.j", "instance.k") {
		in := drawInstance(t, plan.Addr(a), uint8(50+2*n+rapid.IntRange(0, 1).Draw(t, "vrid")))
		for range rapid.IntRange(1, 2).Draw(t, "vip count") {
			in.VIPs = append(in.VIPs, drawVIP(t, free[0]))
			free = free[1:]
		}
		for _, c := range subset(t, "tracks", checks...) {
			in.Track = append(in.Track, plan.Track{Check: plan.Addr(c), Weight: rapid.IntRange(-3, 3).Draw(t, "weight"), Src: drawSrc(t)})
		}
		for _, x := range subset(t, "notify", notifies...) {
			in.Notify = append(in.Notify, plan.Addr(x))
		}
		drawMore(t, &in)
		p.Desired.Instances = append(p.Desired.Instances, in)
	}
	if len(p.Desired.Instances) > 0 && rapid.Bool().Draw(t, "group") {
		p.Desired.Groups = append(p.Desired.Groups, drawGroup(t, p))
	}
	return p
}

// drawMore sets what not every release can run.
func drawMore(t *rapid.T, in *plan.Instance) {
	maybe := func(label string) bool { return rapid.IntRange(0, 3).Draw(t, label) == 0 }
	if maybe("unicast") && len(in.Members) > 1 {
		in.Transport, in.TTL, in.MinTTL = plan.Unicast, 64, 60
		for i := range in.Members {
			in.Members[i].Address = netip.AddrFrom4([4]byte{192, 0, 2, byte(100 + i)})
		}
	}
	if maybe("hmac") {
		in.Auth = &plan.Auth{
			Type: plan.AuthHMAC, ActiveKey: uint8(rapid.IntRange(1, 2).Draw(t, "active key")),
			Keys:       []plan.AuthKey{{ID: 1, Key: plan.Secret{File: "/a"}}, {ID: 2, Key: plan.Secret{File: rapid.SampledFrom([]string{"/b", "/c"}).Draw(t, "key")}}},
			AntiReplay: plan.ReplayTime,
			Mode:       rapid.SampledFrom([]string{plan.HMACReceiveOnly, plan.HMACPermissive, plan.HMACEnforce}).Draw(t, "mode"),
		}
	}
	in.VirtualMAC, in.Accept = maybe("vmac"), !maybe("accept")
	in.PreventRelease = maybe("prevent")
	in.Lease = rapid.SampledFrom([]string{plan.LeaseHandover, plan.LeaseStrict, plan.LeaseKeep}).Draw(t, "lease")
	in.VIPs[0].InstallPrefix = rapid.SampledFrom([]int{0, 24}).Draw(t, "prefix")
	in.VIPs[0].Scope = rapid.SampledFrom([]string{"", "link"}).Draw(t, "scope")
	if len(in.VIPs) > 1 {
		in.VIPs[1].Unadvertised = maybe("unadvertised")
	}
	for n := range rapid.IntRange(0, 2).Draw(t, "routes") {
		r := plan.Route{To: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n), 0, 0}), 16), Via: netip.MustParseAddr("192.0.2.254")}
		if maybe("multipath") {
			r.Via, r.NextHops = netip.Addr{}, []plan.NextHop{{Via: netip.MustParseAddr("192.0.2.253")}, {Interface: "eth1", Weight: 2}}
		}
		in.Routes = append(in.Routes, r)
	}
	if maybe("rule") {
		suppress := rapid.IntRange(-1, 1).Draw(t, "suppress")
		in.Rules = []plan.Rule{{Priority: 100, Table: 7, SuppressPrefix: &suppress}}
	}
	if maybe("guard") {
		in.Guard = &plan.Guard{NotWhileFlappingMs: 1000}
	}
}

// drawGroup is of the first instance, whose tracks lose their weights.
func drawGroup(t *rapid.T, p *plan.Plan) plan.Group {
	g := plan.Group{Address: plan.Addr(rapid.SampledFrom([]string{"sync_group.g", "sync_group.h"}).Draw(t, "group name")), Name: "g", Src: drawSrc(t)}
	for i := range p.Desired.Instances[:rapid.IntRange(1, len(p.Desired.Instances)).Draw(t, "of the group")] {
		in := &p.Desired.Instances[i]
		for k := range in.Track {
			in.Track[k].Weight = 0
		}
		g.Instances = append(g.Instances, in.Address)
	}
	for _, c := range p.Desired.Checks {
		if rapid.Bool().Draw(t, "group tracks") {
			g.Track = append(g.Track, plan.Track{Check: c.Address})
		}
	}
	return g
}

func subset(t *rapid.T, label string, of ...string) []string {
	var some []string
	for _, s := range rapid.Permutation(of).Draw(t, label+" order") {
		if rapid.Bool().Draw(t, label) {
			some = append(some, s)
		}
	}
	return some
}

func drawSrc(t *rapid.T) plan.Src { return plan.Src{0, rapid.IntRange(1, 5).Draw(t, "line"), 1, 1, 2} }

func drawCheck(t *rapid.T, a plan.Addr) plan.Check {
	c := plan.DefaultCheck()
	c.Address, c.Name, c.Src = a, a.Name(), drawSrc(t)
	c.Script = &plan.Script{Command: []string{"/bin/true"}, User: rapid.SampledFrom([]string{"", "nobody"}).Draw(t, "user")}
	if rapid.Bool().Draw(t, "env") {
		c.Script.Env = map[string]string{"A": rapid.SampledFrom([]string{"1", "2"}).Draw(t, "value")}
	}
	c.Fall = rapid.IntRange(1, 3).Draw(t, "fall")
	c.IntervalMs = rapid.SampledFrom([]int64{500, 1000}).Draw(t, "interval")
	return c
}

func drawNotify(t *rapid.T, a plan.Addr) plan.Notify {
	n := plan.Notify{Address: a, Src: drawSrc(t), On: append(subset(t, "on", "active", "backup"), "stop")}
	if rapid.Bool().Draw(t, "exec") {
		x := plan.DefaultExec()
		x.Command, x.TimeoutMs = []string{"/bin/hook"}, rapid.SampledFrom([]int64{1000, 10000}).Draw(t, "timeout")
		n.Exec = &x
		return n
	}
	m := plan.DefaultEmail()
	m.To, m.From, m.Relay = append(subset(t, "to", "a@x", "b@x"), "c@x"), "d@x", "127.0.0.1:25"
	n.Email = &m
	return n
}

func drawInstance(t *rapid.T, a plan.Addr, vrid uint8) plan.Instance {
	in := plan.DefaultInstance()
	in.Address, in.Name, in.Src = a, a.Name(), drawSrc(t)
	in.Interface, in.VRID = rapid.SampledFrom([]string{"eth0", "eth1"}).Draw(t, "interface"), vrid
	in.Version = rapid.SampledFrom([]uint8{2, 3}).Draw(t, "version")
	in.AdvertMs = rapid.SampledFrom([]int64{1000, 2000}).Draw(t, "advert_int")
	in.Priority = rapid.SampledFrom([]uint8{99, 100, 101, 255}).Draw(t, "priority")
	in.Preempt = rapid.Bool().Draw(t, "preempt")
	in.PreemptDelayMs = rapid.SampledFrom([]int64{0, 1000}).Draw(t, "delay")
	in.Checksum = rapid.SampledFrom([]string{"rfc5798", "rfc9568"}).Draw(t, "checksum")
	if rapid.Bool().Draw(t, "source") {
		in.SourceAddress = netip.MustParseAddr("192.0.2.1")
	}
	if in.Version == 2 && rapid.Bool().Draw(t, "auth") {
		in.Auth = &plan.Auth{Type: "pass", Password: plan.Secret{Credential: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "secret")}}
	}
	in.Announce.Repeat = rapid.IntRange(1, 5).Draw(t, "repeat")
	for i, node := range append(subset(t, "members", "lb2", "lb3"), "lb1") {
		m := plan.Member{Node: node, Priority: uint8(98 + i)}
		if node == "lb1" {
			m.Priority = in.Priority
		}
		in.Members = append(in.Members, m)
	}
	return in
}

func drawVIP(t *rapid.T, n int) plan.VIP {
	return plan.VIP{
		Address:   netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}), 32),
		Interface: rapid.SampledFrom([]string{"", "eth2"}).Draw(t, "vip interface"), Src: drawSrc(t),
	}
}

func drawPresent(t *rapid.T) Present {
	now := Present{Roles: map[plan.Addr]string{}, Checks: map[plan.Addr]plan.CheckState{}}
	for _, a := range []plan.Addr{"instance.i", "instance.j", "instance.k"} {
		if r := rapid.SampledFrom([]string{"", "active", "backup", "fault", "leaving", "waiting"}).Draw(t, "role"); r != "" {
			now.Roles[a] = r
		}
	}
	for _, a := range []plan.Addr{"script.a", "script.b", "script.c"} {
		now.Checks[a] = rapid.SampledFrom([]plan.CheckState{plan.CheckUnknown, plan.CheckUp, plan.CheckDown}).Draw(t, "state")
	}
	return now
}

func TestGeneratedPlansAreValid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		for _, p := range plan.Verify(drawPlan(t)) {
			t.Fatal(p)
		}
	})
}

func TestNothingChangesIfAndOnlyIfTheDigestIsTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before, after := drawPlan(t), drawPlan(t)
		if rapid.Bool().Draw(t, "same") {
			after = shuffled(t, before)
		}
		changes, _ := Plans(before, after, drawPresent(t))
		if same := before.Digest() == after.Digest(); same != (len(changes) == 0) {
			t.Fatalf("same digest %v, changes %+v", same, changes)
		}
	})
}

// shuffled is the same content: other positions, another order of what is sorted.
func shuffled(t *rapid.T, p *plan.Plan) *plan.Plan {
	c := p.Clone()
	d := &c.Desired
	d.Checks = permuted(t, d.Checks)
	d.Notifies = permuted(t, d.Notifies)
	d.Instances = permuted(t, d.Instances)
	for i := range d.Instances {
		d.Instances[i].Src = drawSrc(t)
		d.Instances[i].Members = permuted(t, d.Instances[i].Members)
		for k := range d.Instances[i].VIPs {
			d.Instances[i].VIPs[k].Src = drawSrc(t)
		}
	}
	return c
}

func permuted[T any](t *rapid.T, s []T) []T {
	if len(s) == 0 {
		return s
	}
	return rapid.Permutation(s).Draw(t, "order")
}

func TestAPlanDoesNotDifferFromItself(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlan(t)
		changes, summary := Plans(p, shuffled(t, p), drawPresent(t))
		if len(changes) != 0 || summary != (Summary{Worst: None}) {
			t.Fatalf("%+v %+v", changes, summary)
		}
	})
}

func TestOnAnEmptyNodeEverythingIsAdded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlan(t)
		changes, s := Plans(nil, p, Present{})
		d := &p.Desired
		if want := len(d.Instances) + len(d.Groups) + len(d.Checks) + len(d.Notifies); len(changes) != want || s.Add != want {
			t.Fatalf("%d changes, %d added, want %d", len(changes), s.Add, want)
		}
		vips := 0
		for _, in := range d.Instances {
			vips += len(in.VIPs)
		}
		if s.VIPs != (VIPCount{Gains: vips}) {
			t.Fatalf("%d vips, counted %+v", vips, s.VIPs)
		}
		for _, c := range changes {
			for _, f := range c.Fields {
				if !f.Added() || f.Removed() {
					t.Fatalf("%s %s: %s -> %s", c.Address, f.Path, f.Before, f.After)
				}
			}
		}
	})
}

func TestSummaryAgreesWithTheChanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		changes, s := Plans(drawPlan(t), drawPlan(t), drawPresent(t))
		worst, seen := None, map[plan.Addr]bool{}
		var n Summary
		for _, c := range changes {
			if seen[c.Address] {
				t.Fatalf("%s twice", c.Address)
			}
			seen[c.Address] = true
			worst = worseClass(worst, c.Impact.Class)
			own := false
			for _, f := range c.Fields {
				if f.Impact != nil && f.Impact.Class.Rank() > c.Impact.Class.Rank() {
					t.Fatalf("%s is %s, its %s is %s", c.Address, c.Impact.Class, f.Path, f.Impact.Class)
				}
				own = own || f.Path != pathVIP
			}
			switch c.Action {
			case Add:
				n.Add++
			case Remove:
				n.Remove++
			case Rename:
				n.Rename++
			case Update:
				if own {
					n.Change++
				}
			}
		}
		if worst != s.Worst || s.Rename != n.Rename || s.Change > n.Change || s.Add < n.Add || s.Remove < n.Remove {
			t.Fatalf("summary %+v, changes %+v", s, changes)
		}
	})
}

// What people call a thing is no matter of the network.
func TestARenameIsSeenByNobody(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlan(t)
		to, renamed := p.Clone(), 0
		for i := range to.Desired.Instances {
			in := &to.Desired.Instances[i]
			in.Address, in.Name = "instance.new_"+plan.Addr(in.Name), "new_"+in.Name
			renamed++
		}
		for i := range to.Desired.Groups {
			for k, a := range to.Desired.Groups[i].Instances {
				to.Desired.Groups[i].Instances[k] = "instance.new_" + plan.Addr(a.Name())
			}
		}
		now := drawPresent(t)
		changes, s := Plans(p, to, now)
		if s != (Summary{Rename: renamed, Worst: None}) {
			t.Fatalf("%+v %+v", s, changes)
		}
		for _, c := range changes {
			if c.Action != Rename || string(c.Address) != fmt.Sprintf("instance.new_%s", c.From.Name()) {
				t.Fatalf("%+v", c)
			}
		}
	})
}

// A change never lets a class slip: where a VIP was held and is not wanted any more, or
// is wanted under another router, the summary says more than "gains".
func TestALostVIPIsNeverHarmless(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before, after, now := drawPlan(t), drawPlan(t), drawPresent(t)
		wanted := map[netip.Prefix]bool{}
		for _, in := range after.Desired.Instances {
			for _, v := range in.VIPs {
				wanted[v.Address] = true
			}
		}
		_, s := Plans(before, after, now)
		for i := range before.Desired.Instances {
			in := &before.Desired.Instances[i]
			for _, v := range in.VIPs {
				if holds(now.role(in, "lb1")) && !wanted[v.Address] && s.Worst != Drops {
					t.Fatalf("%s vanishes, worst is %s", v.Address, s.Worst)
				}
			}
		}
	})
}
