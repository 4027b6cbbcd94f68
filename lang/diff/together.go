package diff

import (
	"net/netip"
	"slices"

	"hafile/lang/plan"
)

// The instances of a sync group are active together. What moves one of them moves all, so
// that an edit of one is about the addresses of all.

// with is the instance before or after, tracking what its group does. The groups of the
// plan before know it by its new name.
func (e *edit) with(in *plan.Instance) *plan.Instance {
	p, now := e.side(in)
	c := *in
	c.Address = now
	return withGroups(p, &c)
}

// side is the plan that an instance is of, and its name in the groups of both.
func (e *edit) side(in *plan.Instance) (*plan.Plan, plan.Addr) {
	for _, p := range e.instances {
		if p.before == in {
			return e.differ.before, p.at()
		}
	}
	return e.differ.after, in.Address
}

// matesFail reports whether a check without weight fails another instance of its group.
func (e *edit) matesFail(in *plan.Instance) bool {
	p, name := e.side(in)
	g := p.Desired.GroupOf(name)
	if g == nil {
		return false
	}
	return slices.ContainsFunc(e.instances, func(m pair[plan.Instance]) bool {
		mate := m.after
		if p == e.differ.before {
			mate = m.before
		}
		return mate != nil && slices.Contains(g.Instances, m.at()) &&
			slices.ContainsFunc(mate.Track, func(t plan.Track) bool { return t.Fails(e.state(t.Check)) })
	})
}

// movers are the addresses that go where the instance's go: those that it has before and
// after, and those of its group.
func (e *edit) movers() []netip.Prefix {
	all := e.vips()
	g := e.differ.after.Desired.GroupOf(e.after.Address)
	if g == nil {
		return all
	}
	for _, p := range e.instances {
		if p.before != nil && p.after != nil && slices.Contains(g.Instances, p.after.Address) {
			all = union(all, (&edit{differ: e.differ, before: p.before, after: p.after}).vips())
		}
	}
	return all
}

// tracked: what a group tracks keeps all of its instances from their addresses.
func (g *groupNow) tracked(l leaf) Impact {
	i := Impact{Class: None, Reason: ReasonTracksMore}
	if l.removed() {
		i = Impact{Class: Weakens, Reason: ReasonTracksLess, VIPs: g.vips, Text: l.key + " no longer moves the addresses"}
	}
	for _, e := range g.edits {
		if election := e.election(); election.Class.Rank() >= Weakens.Rank() {
			i = worse(i, election)
		}
	}
	return i
}
