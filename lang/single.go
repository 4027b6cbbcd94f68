package lang

import (
	"slices"

	"hafile/lang/eval"
	"hafile/lang/schema"
)

// narrow leaves to build and to prove what one node has to do with: the instances that it
// is a member of, those that a sync group moves with them, and those that could get into
// their way. Everything was evaluated by then, so that its plan is the one that the whole
// fleet would give it, and what is said is a part of what is said of the fleet.
func (c *compiler) narrow(in Inputs) {
	if in.Node == nil {
		return
	}
	if c.only = in.Node(c.res); c.byName[c.only] == nil {
		c.only = "" // the caller says so, with the candidates
		return
	}
	concerned := map[*instance]bool{}
	for _, x := range c.instances {
		concerned[x] = x.has(c.only)
	}
	c.groups = slices.DeleteFunc(c.groups, func(g *group) bool { return !c.moves(g, concerned) })
	near := neighbours(c.instances, concerned)
	c.instances = slices.DeleteFunc(c.instances, func(x *instance) bool { return !concerned[x] && !near(x) })
}

func (in *instance) has(node string) bool {
	return slices.ContainsFunc(in.members, func(m member) bool { return m.name == node })
}

// moves reports whether a group moves one of the instances of the node, and takes the
// rest of the group in: HA1205 compares them.
func (c *compiler) moves(g *group, concerned map[*instance]bool) bool {
	refs := eval.Or(g.block, "instances", []reference(nil))
	if !slices.ContainsFunc(refs, func(r reference) bool { in := c.byAddr[r.To]; return in != nil && in.has(c.only) }) {
		return false
	}
	for _, r := range refs {
		if in := c.byAddr[r.To]; in != nil {
			concerned[in] = true
		}
	}
	return true
}

// neighbours finds what has a VRID or an address of the instances that are concerned:
// HA1201 and HA1204 are about two instances, and the other one may run elsewhere.
func neighbours(all []*instance, concerned map[*instance]bool) func(*instance) bool {
	taken := map[any]bool{}
	for _, in := range all {
		if concerned[in] {
			in.identities(func(id any) bool { taken[id] = true; return true })
		}
	}
	return func(in *instance) bool {
		near := false
		in.identities(func(id any) bool { near = taken[id]; return !near })
		return near
	}
}

// identities calls yield with the VRIDs and addresses of an instance, as its members see
// them, until that is enough.
func (in *instance) identities(yield func(id any) bool) {
	for i := range in.members {
		whole := in.members[i].Whole
		if i > 0 && whole == in.members[0].Whole {
			continue
		}
		if !yield(eval.Or(whole, "router_id", int64(0))) {
			return
		}
		for _, b := range whole.Blocks {
			if b.Type != "vip" {
				continue
			}
			if a, ok := eval.Get[schema.AddressValue](b, "address"); ok && !yield(a.IP) {
				return
			}
		}
	}
}
