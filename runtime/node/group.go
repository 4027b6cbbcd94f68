package node

import (
	"cmp"
	"slices"

	"hafile/lang/plan"
	"hafile/runtime/vrrp"
)

// group is a sync group: routers that are active together or not at all. It adds one
// decision to theirs, taken at the end of each call and from what they are then:
//
//	fit    what keeps one of them from its addresses keeps all of them. A check hands the
//	       addresses over and the last candidate stays, as without a group; what makes one
//	       of them unable to be active (a link, the kernel) leaves the others nothing to
//	       stay for.
//	join   they become active together, when each would be alone. Nobody's timer starts
//	       anew meanwhile: keepalived's does, and its groups need several rounds.
//	follow one that has given way to a better active takes the others along. They offer
//	       their addresses and hold them until the successor is heard.
//
// A router that comes into a group whose others are active joins them when its own silence
// is over, and until then nobody moves.
type group struct {
	plan    *plan.Group
	members []*router // in the plan's order
	dirty   bool      // something has happened to one of them

	role  vrrp.Role
	since vrrp.Instant // 0: nobody has been told of it yet
	why   string
}

// regroup makes the groups of a plan. One that goes on is what it was, under another name
// as well; whoever is not placed in one goes its own way.
func (n *Node) regroup(p *plan.Plan) {
	before := n.groups
	n.groups = nil
	for i := range p.Desired.Groups {
		g := &group{plan: &p.Desired.Groups[i], dirty: true}
		for _, b := range before {
			if at := b.plan.Address; at == g.plan.Address || plan.MovedTo(p.Moved, at) == g.plan.Address {
				g.role, g.since, g.why = b.role, b.since, b.why
			}
		}
		n.groups = append(n.groups, g)
	}
	for _, r := range n.order {
		r.group = nil
		if to := plan.MovedTo(p.Moved, r.joined); to != "" {
			r.joined = to
		}
	}
}

// enter gives a router its place in its group, if it has one.
func (n *Node) enter(r *router, i *plan.Instance) {
	for _, g := range n.groups {
		if slices.Contains(g.plan.Instances, i.Address) {
			r.group, g.members = g, append(g.members, r)
		}
	}
	if r.group == nil || r.joined != r.group.plan.Address {
		r.joined = ""
	}
	r.track = n.plan.Desired.Tracks(i)
}

// arrange puts members into the order of their group, when all are placed.
func (n *Node) arrange() {
	for _, g := range n.groups {
		slices.SortStableFunc(g.members, func(a, b *router) int {
			return cmp.Compare(slices.Index(g.plan.Instances, a.instance.Address), slices.Index(g.plan.Instances, b.instance.Address))
		})
	}
}

// touch has a router's group think again at the end of the call.
func (r *router) touch() {
	if r.group != nil {
		r.group.dirty = true
	}
}

// roundsMax bounds the thinking: what one fits another may unfit, once.
const roundsMax = 4

// unite makes each group of one mind.
func (n *Node) unite() {
	for _, g := range n.groups {
		if !g.dirty {
			continue
		}
		for k := 0; g.dirty && k < roundsMax; k++ {
			g.dirty = false
			if !n.stopping {
				n.fit(g)
				n.decide(g)
			}
		}
		g.dirty = false
		n.tell(g)
	}
}

// fit tells each router what keeps the others from their addresses.
func (n *Node) fit(g *group) {
	for _, r := range g.members {
		what, forsake := n.failing(r)
		n.fails(r, what, forsake)
	}
}

// decide has routers join or follow.
func (n *Node) decide(g *group) {
	all, some := true, false
	var away *router
	for _, r := range g.members {
		s := r.stands()
		all = all && (s.here || s.ready)
		some = some || s.here
		if s.behind {
			away = r
		}
	}
	for _, r := range g.members {
		switch s := r.stands(); {
		case all && (s.ready || s.role == vrrp.Leaving && s.follows):
			n.step(r, vrrp.Event{Kind: vrrp.Join})
		case away != nil && some && s.here && !s.follows:
			n.step(r, vrrp.Event{Kind: vrrp.Follow, Away: away.instance.Name + " of its sync group is active on " + away.core.Heard().Address.String()})
		case away == nil && s.role == vrrp.Active && s.follows:
			n.step(r, vrrp.Event{Kind: vrrp.Follow})
		}
	}
}

// standing is what a group looks at.
type standing struct {
	role    vrrp.Role
	here    bool // it is active, or may take back that it leaves
	ready   bool
	behind  bool
	follows bool
	ill     bool
}

func (r *router) stands() standing {
	if r.broken != "" {
		return standing{role: vrrp.Fault, ill: true}
	}
	c := r.core
	return standing{
		role: c.Role(), here: c.Role() == vrrp.Active || c.Departing(),
		ready: c.Ready(), behind: c.Behind(), follows: c.Follows(), ill: c.Ill() != "",
	}
}

// tell is what hooks of a group hear: what all of its routers are.
func (n *Node) tell(g *group) {
	role, of := g.now()
	if role == g.role || of == nil || g.following() {
		return
	}
	n.after = append(n.after, Effect{Kind: Transitioned, Transition: Transition{
		Instance: g.plan.Address, Name: g.plan.Name, From: g.role, To: role,
		Why: of.instance.Name + ": " + of.why, Priority: of.core.Effective(), At: n.now, Since: g.since,
	}})
	g.role, g.since, g.why = role, n.now, of.instance.Name+": "+of.why
}

// following: some of it wait to hear their successor, within milliseconds.
func (g *group) following() bool {
	return slices.ContainsFunc(g.members, func(r *router) bool {
		s := r.stands()
		return s.role == vrrp.Active && s.follows
	})
}

// now is the role of a group and the router that makes it that: active if all are, else
// whatever keeps them from it. One that came to active ones and has not joined them yet
// takes no side.
func (g *group) now() (role vrrp.Role, of *router) {
	active := slices.ContainsFunc(g.members, func(r *router) bool { return r.role == vrrp.Active })
	for _, r := range g.members {
		if r.role == vrrp.Active {
			r.joined = g.plan.Address
		}
		if active && r.joined == "" && (r.role == vrrp.Backup && !r.core.Behind() || r.role == vrrp.Waiting) {
			continue
		}
		if of == nil || weights[r.role] > weights[role] {
			role, of = r.role, r
		}
	}
	return role, of
}

// weights order roles by how much they say of a group.
var weights = [...]int{vrrp.Active: 0, vrrp.Waiting: 1, vrrp.Backup: 2, vrrp.Leaving: 3, vrrp.Fault: 4}

// awaited is the router for which a ready one waits; nil if it waits for nobody.
func (r *router) awaited() *router {
	if r.group == nil || !r.core.Ready() {
		return nil
	}
	for _, m := range r.group.members {
		if s := m.stands(); !s.here && !s.ready {
			return m
		}
	}
	return nil
}
