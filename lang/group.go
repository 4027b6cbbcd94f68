package lang

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"hafile/lang/diag"
	"hafile/lang/eval"
	"hafile/lang/plan"
)

// group is a sync group of the fleet: as each node runs it.
type group struct {
	obj   *eval.Object
	block *eval.Block
	on    map[string]*plan.Group
}

func (c *compiler) readGroups() {
	for _, o := range c.e.All("sync_group") {
		if b := c.e.Block(o); b != nil {
			c.groups = append(c.groups, &group{obj: o, block: b, on: map[string]*plan.Group{}})
		}
	}
}

// buildGroups makes each node's side of each group: of its instances, those that run
// there. That all of them do is HA1205.
func (c *compiler) buildGroups() {
	for _, g := range c.groups {
		for _, r := range eval.Or(g.block, "instances", []reference(nil)) {
			in := c.byAddr[r.To]
			if in == nil {
				continue // enabled = false
			}
			for i := range in.members {
				side := c.groupOn(g, &in.members[i])
				side.Instances = append(side.Instances, r.To)
			}
		}
	}
}

func (c *compiler) groupOn(g *group, m *member) *plan.Group {
	if side := g.on[m.name]; side != nil {
		return side
	}
	side := &plan.Group{
		Address: g.obj.Addr, Name: c.name(g.obj), Src: c.src(g.obj.Range), Via: c.via(g.obj.Via),
		Track: c.tracks(g.block.Of("track"), g.obj.Addr, c.nodes[m.name].Netns),
	}
	for _, r := range eval.Or(g.block, "notify", []reference(nil)) {
		side.Notify = append(side.Notify, r.To)
	}
	if l := g.block.One("lifecycle"); l != nil {
		side.PreventRelease = eval.Or(l, "prevent_release", false)
	}
	g.on[m.name] = side
	return side
}

// together is HA1205: instances that move as one need the same members in the same order
// of preference, or one half of the group would be active elsewhere for ever.
func (c *compiler) together(g *group) {
	refs := eval.Or(g.block, "instances", []reference(nil))
	var first *instance
	for _, r := range refs {
		in := c.byAddr[r.To]
		switch {
		case in == nil:
			continue
		case first == nil:
			first = in
			continue
		}
		a, b := preferred(first), preferred(in)
		if slices.Equal(a, b) {
			continue
		}
		what := "the same order of preference"
		x, y := slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
		if !slices.Equal(x, y) {
			what = "the same members"
		}
		c.report(diag.Error, "HA1205", r.Range, g.obj.Addr, fmt.Sprintf("%s and %s of %s need %s", first.obj.Addr, in.obj.Addr, g.obj.Addr, what),
			fmt.Sprintf("%s prefers %s; %s prefers %s. They move together, and could not agree where to. Give both the same members and priorities.",
				first.obj.Addr, strings.Join(a, ", "), in.obj.Addr, strings.Join(b, ", ")),
			diag.Related{Range: first.obj.Range, Message: string(first.obj.Addr) + " is declared here"},
			diag.Related{Range: in.obj.Range, Message: string(in.obj.Addr) + " is declared here"})
	}
	if first == nil {
		c.report(diag.Error, "HA1120", g.block.At("instances"), g.obj.Addr, fmt.Sprintf("%s has no instance", g.obj.Addr), "Name the instances that move together, or take the group out.")
	}
}

// preferred names the members of an instance, the preferred one first.
func preferred(in *instance) []string {
	order := slices.Clone(in.members)
	slices.SortStableFunc(order, func(a, b member) int {
		return cmp.Or(cmp.Compare(b.plan.Priority, a.plan.Priority), cmp.Compare(a.name, b.name))
	})
	var names []string
	for _, m := range order {
		names = append(names, m.name)
	}
	return names
}

// readMoves reads moved and removed blocks. What is moved to exists, and what is moved
// from does not: everything else is a typo that would do nothing.
func (c *compiler) readMoves() {
	for _, m := range c.e.Moves() {
		at := m.Range
		switch {
		case m.From == m.To:
			c.report(diag.Error, "HA1006", at, m.From, "from and to are one address", "Take the block out.")
		case c.exists(m.From):
			c.report(diag.Error, "HA1006", at, m.From, fmt.Sprintf("%s is still declared", m.From), "What moved is not there any more. Remove the old block, or the moved one.")
		case !c.exists(m.To):
			c.report(diag.Error, "HA1003", at, m.To, fmt.Sprintf("there is no %s to move to", m.To), "Name what it is called now.")
		default:
			c.moved = append(c.moved, plan.Move{From: m.From, To: m.To, Src: c.src(at)})
		}
	}
	for _, m := range c.e.Removals() {
		if c.exists(m.From) {
			c.report(diag.Error, "HA1006", m.Range, m.From, fmt.Sprintf("%s is still declared", m.From), "Remove its block, or the removed one.")
			continue
		}
		c.removed = append(c.removed, plan.Removal{From: m.From, Release: m.Release, Src: c.src(m.Range)})
	}
}

// exists reports whether an address names a thing, all things of a for_each, or a call.
func (c *compiler) exists(a plan.Addr) bool {
	if c.e.Find(a) != nil {
		return true
	}
	kind := a.Kind()
	if kind == "module" {
		return slices.ContainsFunc(c.e.Modules(), func(x *eval.Evaluator) bool { return under(x.Addr(), a) })
	}
	return slices.ContainsFunc(c.e.All(kind), func(o *eval.Object) bool { return under(o.Addr, a) })
}

// under reports whether an address is a, or one of its keys or parts.
func under(address, a plan.Addr) bool {
	rest, is := strings.CutPrefix(string(address), string(a))
	return is && (rest == "" || rest[0] == '[' || rest[0] == '.')
}
