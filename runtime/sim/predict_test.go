package sim

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"hafile/lang/diff"
	"hafile/lang/plan"
	"hafile/runtime/node"
)

// seen is what happened to one address while an edit took effect.
type seen struct {
	holders   []string
	since     time.Duration
	unowned   time.Duration
	removed   []string // nodes that gave it up
	announced []string // nodes that announced it
}

// observer holds what every plan foretold against what happened.
type observer struct {
	w     *World
	vips  map[netip.Prefix]*seen
	worst map[netip.Prefix]diff.Class // foretold by anybody, for the address or its instance
	rival map[netip.Prefix]bool       // another member is raised: it takes over when it has the plan
	told  map[netip.Prefix]bool       // it is announced in another way from now on
	byes  []string
	roles []string
}

func observe(w *World) *observer {
	o := &observer{
		w: w, vips: map[netip.Prefix]*seen{}, worst: map[netip.Prefix]diff.Class{},
		rival: map[netip.Prefix]bool{}, told: map[netip.Prefix]bool{},
	}
	for _, m := range w.machines {
		for _, i := range m.host.installed {
			if i.Marked {
				o.of(i.Prefix).holders = append(o.of(i.Prefix).holders, m.Name)
			}
		}
	}
	w.Watch(Rule{"foretold", func(*World) Watch { return o.watch }})
	return o
}

func (o *observer) of(p netip.Prefix) *seen {
	if o.vips[p] == nil {
		o.vips[p] = &seen{since: o.w.now}
	}
	return o.vips[p]
}

func (o *observer) watch(f *Fact) string {
	switch f.Kind {
	case Added, Removed:
		s := o.of(f.Address.Prefix)
		if len(s.holders) == 0 {
			s.unowned = max(s.unowned, o.w.now-s.since)
		}
		s.since = o.w.now
		s.holders = slices.DeleteFunc(s.holders, func(n string) bool { return n == f.Machine.Name })
		if f.Kind == Added {
			s.holders = append(s.holders, f.Machine.Name)
		} else {
			s.removed = append(s.removed, f.Machine.Name)
		}
	case Turned:
		o.effects(f)
		if f.Cause == Committed && f.Was != nil {
			o.foretold(f)
		}
	}
	return ""
}

func (o *observer) effects(f *Fact) {
	for i := range f.Effects {
		switch e := &f.Effects[i]; e.Kind {
		case node.Announce:
			for _, a := range e.Addresses {
				s := o.of(netip.PrefixFrom(a, 32))
				s.announced = append(s.announced, f.Machine.Name)
			}
		case node.Send:
			if e.Advert.Priority == 0 {
				o.byes = append(o.byes, fmt.Sprintf("%s VRID %d", f.Machine.Name, e.Advert.VRID))
			}
		case node.Transitioned:
			o.roles = append(o.roles, fmt.Sprintf("%s: %s", f.Machine.Name, &e.Transition))
		}
	}
}

// foretold notes for every address the worst that is said of it or of its instance.
func (o *observer) foretold(f *Fact) {
	told := foretell(f.Changes)
	for _, p := range []*plan.Plan{f.Was, f.Plan} {
		for i := range p.Desired.Instances {
			in := &p.Desired.Instances[i]
			for _, v := range in.VIPs {
				for _, class := range []diff.Class{told.worst[in.Address], told.vips[v.Address]} {
					if class.Rank() > o.worst[v.Address].Rank() {
						o.worst[v.Address] = class
					}
				}
				// A new name and a new wire identity at once: nothing says that the two are one,
				// so that diff foretells a removal and an addition, and both nodes are active.
				if p == f.Plan && f.Was.Desired.Instance(in.Address) == nil && instanceOf(f.Was, in.Wire()) == nil {
					o.worst[v.Address] = diff.Outage
				}
				o.rival[v.Address] = o.rival[v.Address] || slices.Contains(told.reasons[in.Address], diff.ReasonRivalRaised)
				o.told[v.Address] = o.told[v.Address] || repaced(f.Was, f.Plan, v.Address)
			}
		}
	}
}

// verdict compares. It returns what a plan should have said and did not.
func (o *observer) verdict(before, after *fleet, tally map[string]int) string {
	for _, p := range slices.SortedFunc(keysOf(o.vips), func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) }) {
		s := o.vips[p]
		was, is := before.has(p), after.has(p)
		class := o.worst[p]
		if len(s.holders) == 0 {
			s.unowned = max(s.unowned, o.w.now-s.since)
		}
		moved := len(s.removed) > 0
		switch {
		case !was || !is:
			tally["added or removed"]++
		case o.rival[p] && class.Rank() < diff.Moves.Rank():
			tally["until another member has the plan"]++
			if s.unowned > 0 {
				return fmt.Sprintf("%s had no owner for %s, a member was raised", p, s.unowned)
			}
		case class.Rank() < diff.Moves.Rank():
			tally["stays, and did"]++
			if moved || s.unowned > 0 || len(s.holders) != 1 {
				return fmt.Sprintf("%s was removed by %v, had no owner for %s, is held by %v; foretold was %q", p, s.removed, s.unowned, s.holders, class)
			}
			if len(s.announced) > 0 && !o.told[p] {
				return fmt.Sprintf("%s was announced by %v; foretold was %q", p, s.announced, class)
			}
		case class == diff.Moves && moved:
			tally["moves, and did"]++
			if most := o.w.longestInterval() + o.w.Bounds().Slack; s.unowned > most {
				return fmt.Sprintf("%s had no owner for %s; foretold was a gap of one advert, %s", p, s.unowned, most)
			}
		case class == diff.Moves:
			tally["moves, and did not"]++
		default:
			tally["outage or worse"]++
		}
	}
	return ""
}

func keysOf[K cmp.Ordered | netip.Prefix, V any](m map[K]V) func(func(K) bool) {
	return func(yield func(K) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func (f *fleet) has(p netip.Prefix) bool {
	return slices.ContainsFunc(f.instances, func(g group) bool {
		return slices.ContainsFunc(g.common.VIPs, func(v plan.VIP) bool { return v.Address == p })
	})
}

// A plan that is applied to a group at rest does what it said: at a random moment, on one
// node or on all of them in any order, whatever fields it changes.
func TestWhatAPlanForetellsHappens(t *testing.T) {
	runs := uint64(200)
	if *runsFlag > 0 {
		runs = uint64(*runsFlag)
	} else if testing.Short() {
		runs = 40
	}
	tally := map[string]int{}
	played := append(keptSeeds(t, "edits"), seedsOf(runs)...)
	if *seedFlag != 0 {
		played = []uint64{*seedFlag}
	}
	for _, seed := range played {
		if !t.Failed() {
			editAtRest(t, seed, tally)
		}
	}
	for _, what := range slices.Sorted(keysOf(tally)) {
		t.Logf("%6d addresses: %s", tally[what], what)
	}
}

func editAtRest(t *testing.T, seed uint64, tally map[string]int) {
	plans, faults := stream(seed, streamPlans), stream(seed, streamFaults)
	before := drawFleet(plans)
	if seed >= seedsWide {
		before.wide = stream(seed, streamWide)
	}
	var lines []string
	o := rough(seed)
	o.Trace = func(l string) { lines = append(lines, l) }
	w := before.world(o)
	w.Watch(Safety...)
	bootAll(w)
	// A check fails on the node that applies, or on none: that one of another node fails
	// is not known to diff, which takes the others to be as good as they can be.
	order := faults.Perm(len(w.machines))
	all := faults.IntN(3) > 0
	if len(before.checks) > 0 && faults.IntN(2) == 0 {
		all = false
		w.machines[order[0]].Fail(pick(faults, before.checks...).Address, true)
	}
	w.Run(w.Bounds().L4() + 5*time.Second + time.Duration(faults.Int64N(int64(time.Second))))
	after, said := before.edit(plans, faults.IntN(4) > 0)
	for check, broken := range w.machines[order[0]].failing {
		if broken && after.planOf(w.machines[order[0]].Name).Desired.Check(check) == nil {
			return // renamed: what the new one will say of the same thing is not foretold
		}
	}
	seen := observe(w)
	w.trace(nil, "edit: %s", strings.Join(said, "; "))
	at := time.Duration(0)
	for _, i := range order {
		m := w.machines[i]
		w.After(at, func() { m.Apply(after.planOf(m.Name)) })
		at += time.Duration(faults.Int64N(int64(2 * time.Second)))
		if !all {
			break
		}
	}
	w.Run(w.now + at + w.Bounds().L4() + 3*time.Second)
	text := ""
	if w.broken != nil {
		text = w.broken.String()
	} else {
		text = seen.verdict(before, after, tally)
	}
	if text != "" {
		t.Log(strings.Join(lines, "\n"))
		t.Errorf("seed %d: %s\n%s\ngoodbyes %v\n%s", seed, text, strings.Join(said, "; "), seen.byes, strings.Join(seen.roles, "\n"))
	}
}
