package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"hafile/lang/plan"
)

// seedsWide and all above it draw from a larger alphabet of edits. Seeds below it keep the
// meaning that they had when they found something.
const seedsWide = 1_000_000

// widen adds to an edit, half of the time, one of what the smaller alphabet has not:
// instances and checks that come and go, what a check does, reverse tracking, and
// addresses beside the adverts.
func (f *fleet) widen(r *rand.Rand) []string {
	if r == nil || r.IntN(2) == 0 {
		return nil
	}
	in := &f.instances[r.IntN(len(f.instances))].common
	switch r.IntN(6) {
	case 0:
		return f.addInstance(r)
	case 1:
		return f.removeInstance(r)
	case 2:
		return f.addCheck(r, in)
	case 3:
		return f.removeCheck(r)
	case 4:
		return f.otherCheck(r, in)
	default:
		v := &in.VIPs[r.IntN(len(in.VIPs))]
		v.Unadvertised = !v.Unadvertised
		return []string{fmt.Sprintf("%s: %s unadvertised %v", in.Address, v.Address, v.Unadvertised)}
	}
}

// advertise keeps one address of each instance in its adverts, as a plan must.
func (f *fleet) advertise() {
	for i := range f.instances {
		vips := f.instances[i].common.VIPs
		if !slices.ContainsFunc(vips, func(v plan.VIP) bool { return !v.Unadvertised }) {
			vips[0].Unadvertised = false
		}
	}
}

func (f *fleet) addInstance(r *rand.Rand) []string {
	n := len(f.instances) + 1
	if n > 4 || slices.ContainsFunc(f.instances, func(g group) bool { return g.common.VRID == uint8(50+n) }) {
		return nil
	}
	g := f.drawGroup(r, n)
	g.common.Address = plan.Addr(fmt.Sprintf("instance.new%d", r.IntN(1000)))
	g.common.Name = g.common.Address.Name()
	for k := range g.common.VIPs {
		g.common.VIPs[k] = f.freeVIP(r)
		for slices.ContainsFunc(g.common.VIPs[:k], func(v plan.VIP) bool { return v.Address == g.common.VIPs[k].Address }) {
			g.common.VIPs[k] = f.freeVIP(r)
		}
	}
	if slices.ContainsFunc(f.instances, func(o group) bool { return o.common.Address == g.common.Address }) {
		return nil
	}
	f.instances = append(f.instances, g)
	return []string{fmt.Sprintf("%s added", g.common.Address)}
}

func (f *fleet) removeInstance(r *rand.Rand) []string {
	if len(f.instances) < 2 || f.together != nil {
		return nil
	}
	at := r.IntN(len(f.instances))
	gone := f.instances[at].common.Address
	f.instances = slices.Delete(slices.Clone(f.instances), at, at+1)
	return []string{fmt.Sprintf("%s removed", gone)}
}

func (f *fleet) addCheck(r *rand.Rand, in *plan.Instance) []string {
	c := drawCheck(r, 10+r.IntN(1000))
	if slices.ContainsFunc(f.checks, func(o plan.Check) bool { return o.Address == c.Address }) {
		return nil
	}
	f.checks = append(slices.Clone(f.checks), c)
	t := plan.Track{Check: c.Address, Weight: pick(r, 0, -10, -60, 10, 60)}
	in.Track = append(slices.Clone(in.Track), t)
	return []string{fmt.Sprintf("%s added, %s tracks it with %d", c.Address, in.Address, t.Weight)}
}

func (f *fleet) removeCheck(r *rand.Rand) []string {
	if len(f.checks) == 0 {
		return nil
	}
	at := r.IntN(len(f.checks))
	gone := f.checks[at].Address
	is := func(t plan.Track) bool { return t.Check == gone }
	f.checks = slices.Delete(slices.Clone(f.checks), at, at+1)
	for i := range f.instances {
		f.instances[i].common.Track = slices.DeleteFunc(slices.Clone(f.instances[i].common.Track), is)
	}
	if f.together != nil {
		f.together = slices.DeleteFunc(slices.Clone(f.together), is)
	}
	return []string{fmt.Sprintf("%s removed", gone)}
}

// otherCheck makes a check another one under its name, or turns its meaning for an instance.
func (f *fleet) otherCheck(r *rand.Rand, in *plan.Instance) []string {
	if len(f.checks) == 0 {
		return nil
	}
	c := &f.checks[r.IntN(len(f.checks))]
	at := slices.IndexFunc(in.Track, func(t plan.Track) bool { return t.Check == c.Address })
	if at < 0 || in.Track[at].Weight == 0 || r.IntN(2) == 0 {
		c.Script.Command = []string{"/bin/check", fmt.Sprint(r.IntN(1000))}
		return []string{fmt.Sprintf("%s runs %v", c.Address, c.Script.Command)}
	}
	in.Track = slices.Clone(in.Track)
	in.Track[at].Reverse = !in.Track[at].Reverse
	return []string{fmt.Sprintf("%s tracks %s, reverse %v", in.Address, c.Address, in.Track[at].Reverse)}
}
