package sim

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"hafile/lang/plan"
)

// fleet is one configuration of a group of machines; planOf is what a node makes of it.
type fleet struct {
	nodes     []string
	instances []group
	checks    []plan.Check
	notifies  []plan.Notify
	together  []plan.Track // not nil: the instances are a sync group, which tracks these
	wide      *rand.Rand   // of the larger alphabet of edits; nil: not for this seed
}

// group is an instance on all nodes: common is the same everywhere.
type group struct {
	common   plan.Instance
	priority map[string]uint8
}

// addressOf a node: its number is its place.
func addressOf(iface, name string) netip.Prefix {
	third := byte(2)
	if iface == "eth1" {
		third = 3
	}
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, third, name[len(name)-1] - '0'}), 24)
}

func vip(n int) plan.VIP {
	return plan.VIP{Address: netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}), 32)}
}

func (f *fleet) clone() *fleet {
	c := &fleet{nodes: f.nodes, wide: f.wide, notifies: slices.Clone(f.notifies), together: slices.Clone(f.together)}
	for _, g := range f.instances {
		p := plan.Plan{Desired: plan.Desired{Instances: []plan.Instance{g.common}}}
		n := group{common: p.Clone().Desired.Instances[0], priority: map[string]uint8{}}
		for k, v := range g.priority {
			n.priority[k] = v
		}
		c.instances = append(c.instances, n)
	}
	for _, k := range f.checks {
		s := *k.Script
		s.Command = slices.Clone(s.Command)
		k.Script = &s
		c.checks = append(c.checks, k)
	}
	return c
}

func (f *fleet) planOf(name string) *plan.Plan {
	c := f.clone()
	p := &plan.Plan{Language: plan.Language, Node: name}
	p.Desired.Checks, p.Desired.Notifies = c.checks, c.notifies
	for _, g := range c.instances {
		in := g.common
		in.Priority = g.priority[name]
		for _, n := range f.nodes {
			in.Members = append(in.Members, plan.Member{Node: n, Address: addressOf(in.Interface, n).Addr(), Priority: g.priority[n]})
		}
		in.SourceAddress = netip.Addr{}
		p.Desired.Instances = append(p.Desired.Instances, in)
	}
	if c.together != nil {
		g := plan.Group{Address: "sync_group.all", Name: "all", Track: c.together, Notify: []plan.Addr{"notify.n"}}
		for _, in := range p.Desired.Instances {
			g.Instances = append(g.Instances, in.Address)
		}
		p.Desired.Groups = []plan.Group{g}
	}
	p.Normalize()
	if problems := plan.Verify(p); len(problems) > 0 {
		panic(fmt.Sprint(problems))
	}
	return p
}

// world of a fleet: every machine booted with its plan.
func (f *fleet) world(o Options) *World {
	w := New(o)
	for _, n := range f.nodes {
		m := w.Add(n, map[string]netip.Prefix{"eth0": addressOf("eth0", n), "eth1": addressOf("eth1", n)})
		m.plan = f.planOf(n)
	}
	return w
}

// pair is two nodes, one instance, one address.
func pair() *fleet {
	f := &fleet{nodes: []string{"lb1", "lb2"}}
	in := plan.DefaultInstance()
	in.Address, in.Name, in.Interface, in.VRID = "instance.i1", "i1", "eth0", 51
	in.VIPs = []plan.VIP{vip(100)}
	f.instances = []group{{in, map[string]uint8{"lb1": 101, "lb2": 100}}}
	return f
}

// drawFleet makes a fleet of two or three nodes from small alphabets.
func drawFleet(r *rand.Rand) *fleet {
	f := &fleet{nodes: []string{"lb1", "lb2"}}
	if r.IntN(3) == 0 {
		f.nodes = append(f.nodes, "lb3")
	}
	for n := range r.IntN(3) {
		f.checks = append(f.checks, drawCheck(r, n+1))
	}
	f.notifies = []plan.Notify{{Address: "notify.n", On: []string{"active"}, Exec: &plan.Exec{Command: []string{"/bin/hook"}, TimeoutMs: 1000}}}
	for n := range 1 + r.IntN(2) {
		f.instances = append(f.instances, f.drawGroup(r, n+1))
	}
	return f
}

// join makes the instances a sync group.
func (f *fleet) join(r *rand.Rand) {
	f.together = []plan.Track{}
	for _, c := range f.checks {
		if r.IntN(2) == 0 {
			f.together = append(f.together, plan.Track{Check: c.Address})
		}
	}
	f.agree()
}

// agree has the instances of a sync group want the same.
func (f *fleet) agree() {
	if f.together == nil {
		return
	}
	first := &f.instances[0]
	for i := range f.instances {
		in := &f.instances[i]
		in.priority, in.common.Preempt = maps.Clone(first.priority), first.common.Preempt
		for k := range in.common.Track {
			in.common.Track[k].Weight = 0
		}
	}
	f.together = slices.DeleteFunc(f.together, func(t plan.Track) bool {
		return !slices.ContainsFunc(f.checks, func(c plan.Check) bool { return c.Address == t.Check })
	})
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

func drawCheck(r *rand.Rand, n int) plan.Check {
	c := plan.DefaultCheck()
	c.Address = plan.Addr(fmt.Sprintf("script.c%d", n))
	c.Name = c.Address.Name()
	c.Script = &plan.Script{Command: []string{"/bin/check", fmt.Sprint(n)}}
	c.IntervalMs = pick[int64](r, 200, 500, 1000)
	c.TimeoutMs = pick(r, c.IntervalMs, c.IntervalMs/2)
	c.Fall, c.Rise = 1+r.IntN(3), 1+r.IntN(3)
	return c
}

func (f *fleet) drawGroup(r *rand.Rand, n int) group {
	in := plan.DefaultInstance()
	in.Address = plan.Addr(fmt.Sprintf("instance.i%d", n))
	in.Name, in.VRID, in.Interface = in.Address.Name(), uint8(50+n), pick(r, "eth0", "eth0", "eth1")
	in.Version = pick[uint8](r, 3, 3, 3, 2)
	in.AdvertMs = pick[int64](r, 100, 200, 500, 1000)
	if in.Version == 2 {
		in.AdvertMs = 1000
		if r.IntN(2) == 0 {
			in.Auth = &plan.Auth{Type: "pass", Password: plan.Secret{Credential: "secret"}}
		}
	}
	in.Preempt = r.IntN(4) > 0
	in.PreemptDelayMs = pick[int64](r, 0, 0, 0, 700, 3000)
	in.StartDelayMs = pick[int64](r, 0, 0, 0, 1000)
	in.DownAdverts = pick(r, 3, 3, 3, 4)
	in.Checksum = pick(r, "rfc5798", "rfc5798", "rfc9568")
	in.Announce.Repeat = 1 + r.IntN(5)
	for k := range 1 + r.IntN(3) {
		in.VIPs = append(in.VIPs, vip(100+10*n+k))
	}
	for _, c := range f.checks {
		if r.IntN(2) == 0 {
			in.Track = append(in.Track, plan.Track{Check: c.Address, Weight: pick(r, 0, -10, -60, 10, 60)})
		}
	}
	if r.IntN(2) == 0 {
		in.Notify = []plan.Addr{"notify.n"}
	}
	g := group{common: in, priority: map[string]uint8{}}
	for _, node := range f.nodes {
		g.priority[node] = pick[uint8](r, 90, 99, 100, 101, 150)
	}
	return g
}

// edit changes the fleet in one to three ways and says which.
func (f *fleet) edit(r *rand.Rand, live bool) (*fleet, []string) {
	c := f.clone()
	var said []string
	for range 1 + r.IntN(3) {
		said = append(said, c.editOnce(r, live))
	}
	said = append(said, c.widen(c.wide)...)
	c.advertise()
	c.agree()
	return c, said
}

// editOnce is one edit of any field. With live set it keeps what all members must agree
// on: the wire identity, and version 2's interval and password.
func (f *fleet) editOnce(r *rand.Rand, live bool) string {
	k := r.IntN(len(f.instances))
	g := &f.instances[k]
	in := &g.common
	is := func(format string, args ...any) string {
		return fmt.Sprintf("%s: ", in.Address) + fmt.Sprintf(format, args...)
	}
	n := 22
	if live {
		n = 18
	}
	switch r.IntN(n) {
	case 0, 1, 2:
		node := pick(r, f.nodes...)
		g.priority[node] = pick[uint8](r, 80, 90, 99, 100, 101, 120, 150)
		return is("priority of %s %d", node, g.priority[node])
	case 3:
		in.Preempt = !in.Preempt
		return is("preempt %v", in.Preempt)
	case 4:
		in.PreemptDelayMs = pick[int64](r, 0, 500, 2000)
		return is("preempt delay %d", in.PreemptDelayMs)
	case 5:
		in.StartDelayMs = pick[int64](r, 0, 500, 2000)
		return is("start delay %d", in.StartDelayMs)
	case 6:
		in.DownAdverts = pick(r, 3, 4, 5)
		return is("down adverts %d", in.DownAdverts)
	case 7:
		v := f.freeVIP(r)
		in.VIPs = append(in.VIPs, v)
		return is("vip %s added", v.Address)
	case 8:
		if len(in.VIPs) < 2 {
			return is("nothing")
		}
		at := r.IntN(len(in.VIPs))
		gone := in.VIPs[at]
		in.VIPs = slices.Delete(slices.Clone(in.VIPs), at, at+1)
		return is("vip %s removed", gone.Address)
	case 9:
		in.VIPs = slices.Clone(in.VIPs)
		r.Shuffle(len(in.VIPs), func(i, j int) { in.VIPs[i], in.VIPs[j] = in.VIPs[j], in.VIPs[i] })
		return is("vips reordered")
	case 10:
		o := &f.instances[r.IntN(len(f.instances))].common
		if o == in || len(in.VIPs) < 2 || o.Interface != in.Interface {
			return is("nothing")
		}
		o.VIPs = append(slices.Clone(o.VIPs), in.VIPs[0])
		in.VIPs = slices.Clone(in.VIPs[1:])
		return is("a vip moved to %s", o.Address)
	case 11:
		o := &f.instances[r.IntN(len(f.instances))].common
		if o == in || o.Interface != in.Interface {
			return is("nothing")
		}
		o.VIPs, in.VIPs = in.VIPs, o.VIPs
		return is("vips swapped with %s", o.Address)
	case 12:
		if in.Version == 2 {
			return is("nothing")
		}
		in.AdvertMs = pick[int64](r, 100, 200, 300, 500, 1000)
		return is("interval %d", in.AdvertMs)
	case 13:
		if len(f.checks) == 0 {
			return is("nothing")
		}
		c := pick(r, f.checks...)
		at := slices.IndexFunc(in.Track, func(t plan.Track) bool { return t.Check == c.Address })
		if at >= 0 && r.IntN(2) == 0 {
			in.Track = slices.Delete(slices.Clone(in.Track), at, at+1)
			return is("tracks %s no more", c.Address)
		}
		t := plan.Track{Check: c.Address, Weight: pick(r, 0, -10, -60, 10, 60)}
		if at >= 0 {
			in.Track = slices.Clone(in.Track)
			in.Track[at] = t
		} else {
			in.Track = append(slices.Clone(in.Track), t)
		}
		return is("tracks %s with %d", c.Address, t.Weight)
	case 14:
		if len(f.checks) == 0 {
			return is("nothing")
		}
		c := &f.checks[r.IntN(len(f.checks))]
		c.Fall, c.IntervalMs = 1+r.IntN(3), pick[int64](r, 200, 500)
		return fmt.Sprintf("%s: fall %d, interval %d", c.Address, c.Fall, c.IntervalMs)
	case 15:
		old := in.Address
		in.Address += "x"
		in.Name += "x"
		return fmt.Sprintf("%s renamed to %s", old, in.Address)
	case 16:
		if len(f.checks) == 0 {
			return is("nothing")
		}
		c := &f.checks[r.IntN(len(f.checks))]
		old := c.Address
		c.Address += "x"
		for i := range f.instances {
			t := slices.Clone(f.instances[i].common.Track)
			for k := range t {
				if t[k].Check == old {
					t[k].Check = c.Address
				}
			}
			f.instances[i].common.Track = t
		}
		return fmt.Sprintf("%s renamed to %s", old, c.Address)
	case 17:
		in.Announce.Repeat, in.Announce.RefreshMs = 1+r.IntN(5), pick[int64](r, 0, 10000, 60000)
		in.Checksum = pick(r, "rfc5798", "rfc9568")
		in.Notify = pick(r, nil, []plan.Addr{"notify.n"})
		return is("announce, checksum, notify")
	case 18: // from here on the members must do it together
		in.VRID = pick[uint8](r, 70, 71, 72)
		for i := range f.instances {
			if &f.instances[i] != g && f.instances[i].common.VRID == in.VRID {
				in.VRID += 10
			}
		}
		return is("VRID %d", in.VRID)
	case 19:
		o := &f.instances[r.IntN(len(f.instances))].common
		o.VRID, in.VRID = in.VRID, o.VRID
		return is("VRID swapped with %s", o.Address)
	case 20:
		in.Version, in.AdvertMs = 5-in.Version, 1000
		in.Auth = nil
		return is("version %d", in.Version)
	default:
		if in.Version == 3 {
			return is("nothing")
		}
		in.AdvertMs = pick[int64](r, 1000, 2000)
		in.Auth = &plan.Auth{Type: "pass", Password: plan.Secret{Credential: pick(r, "secret", "other")}}
		return is("interval %d, %s", in.AdvertMs, in.Auth.Password)
	}
}

func (f *fleet) freeVIP(r *rand.Rand) plan.VIP {
	for {
		v := vip(200 + r.IntN(50))
		used := slices.ContainsFunc(f.instances, func(g group) bool {
			return slices.ContainsFunc(g.common.VIPs, func(o plan.VIP) bool { return o.Address == v.Address })
		})
		if !used {
			return v
		}
	}
}

// rough is a network and hosts that are as bad as they may be without a fault.
func rough(seed uint64) Options {
	return Options{
		Seed:    seed,
		Network: Link{Delay: 100 * time.Microsecond, Jitter: time.Millisecond},
		Host:    Timing{Late: 3 * time.Millisecond, Kernel: 5 * time.Millisecond, Drift: 100_000, Fail: [2]float64{0, 1}},
	}
}
