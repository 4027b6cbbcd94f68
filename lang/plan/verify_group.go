package plan

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// group: an instance is in one group at most, and what moves one of a group moves all. A
// weight is the group's, and moves what stands equally: else it could put one member first
// for one instance and second for another.
func (v *verifier) group(g *Group) {
	v.address(g.Address, []string{"sync_group"}, g.Src)
	if len(g.Instances) == 0 {
		v.add("HA1120", g.Address, "instances", g.Src, "names no instance of %s", v.plan.Node)
	}
	for _, a := range g.Instances {
		i := v.plan.Desired.Instance(a)
		switch other, taken := v.grouped[a]; {
		case i == nil:
			v.add("HA1003", g.Address, "instances", g.Src, "there is no %s in the plan", a)
			continue
		case taken:
			v.add("HA1120", g.Address, "instances", g.Src, "%s is in %s already", a, other)
		}
		v.grouped[a] = g.Address
		for _, t := range i.Track {
			if t.Weight != 0 {
				v.add("HA1205", a, "track.weight", t.Src, "has no place in %s: one instance would outrank the others of its group", g.Address)
				v.cure("Write weight = 0 there, or track it in the group.")
			}
		}
	}
	for _, t := range g.Track {
		if t.Weight != 0 && !v.even(g) {
			v.add("HA1205", g.Address, "track.weight", t.Src, "needs the same priorities in all instances of the group: it moves all of them by as much")
			v.cure("Give each member the same priority in all of them, or write weight = 0.")
		}
	}
	v.tracks(g.Address, g.Track)
	v.notifies(g.Address, g.Notify, g.Src)
}

// even reports whether each member has one priority in all instances of a group.
func (v *verifier) even(g *Group) bool {
	of := map[string]uint8{}
	for _, a := range g.Instances {
		i := v.plan.Desired.Instance(a)
		if i == nil {
			continue
		}
		for _, m := range append([]Member{{Node: v.plan.Node, Priority: i.Priority}}, i.Members...) {
			if p, seen := of[m.Node]; seen && p != m.Priority {
				return false
			}
			of[m.Node] = m.Priority
		}
	}
	return true
}

// ParseWindow reads "HH:MM-HH:MM" as minutes of a day; a window may pass midnight.
func ParseWindow(s string) (from, to int, ok bool) {
	a, b, cut := strings.Cut(s, "-")
	from, okA := clock(a)
	to, okB := clock(b)
	return from, to, cut && okA && okB && from != to
}

func clock(s string) (int, bool) {
	h, m, cut := strings.Cut(s, ":")
	hour, errH := strconv.ParseUint(h, 10, 8)
	minute, errM := strconv.ParseUint(m, 10, 8)
	ok := cut && errH == nil && errM == nil && len(h) == 2 && len(m) == 2 && hour < 24 && minute < 60
	return int(hour)*60 + int(minute), ok
}

var (
	routeTypes  = []string{"", "blackhole", "unreachable", "prohibit", "throw"}
	ruleActions = []string{"", "blackhole", "unreachable", "prohibit"}
	scopes      = []string{"", "link", "host"}
)

func (v *verifier) routes(i *Instance) {
	seen := map[string]bool{}
	for _, r := range i.Routes {
		at := func(code, path, format string, args ...any) { v.add(code, i.Address, path, r.Src, format, args...) }
		if !r.To.IsValid() || r.To != r.To.Masked() {
			at("HA1116", "route.to", "%s is not a prefix without further bits", r.To)
			continue
		}
		if seen[r.Key()] {
			at("HA1121", "route.to", "%s stands there twice", r.Key())
			v.cure("Remove one, or give them different metrics or tables; two ways of one route are two nexthop blocks.")
		}
		seen[r.Key()] = true
		family := FamilyOf(r.To.Addr())
		for _, a := range append([]netip.Addr{r.Via, r.Source, r.From.Addr()}, hops(r)...) {
			// RFC 8950: IPv4 routes may go by an IPv6 neighbour, which the language has not.
			if a.IsValid() && FamilyOf(a) != family {
				at("HA1111", "route.via", "%s is not an %s address", a, family)
			}
		}
		if r.From.IsValid() && (family == IPv4 || r.From != r.From.Masked()) {
			at("HA1116", "route.from", "%s: only IPv6 routes have a source, and it is a prefix without further bits", r.From)
			v.cure("For IPv4, write a rule with from and a table.")
		}
		if !slices.Contains(routeTypes, r.Type) {
			at("HA1101", "route.type", "%q is none of unicast, blackhole, unreachable, prohibit, throw", r.Type)
		}
		if !slices.Contains(scopes, r.Scope) {
			at("HA1101", "route.scope", "%q is none of global, link, host", r.Scope)
		}
		v.ways(i, r)
	}
}

func hops(r Route) []netip.Addr {
	var all []netip.Addr
	for _, n := range r.NextHops {
		all = append(all, n.Via)
	}
	return all
}

// ways: a route leads somewhere, in one manner.
func (v *verifier) ways(i *Instance, r Route) {
	direct := r.Via.IsValid() || r.Interface != ""
	switch {
	case r.Type != "" && (direct || len(r.NextHops) > 0):
		v.add("HA1121", i.Address, "route.type", r.Src, "%s leads nowhere: it has neither via nor interface", r.Type)
		v.cure("Leave via, interface and nexthop out, or the type.")
	case r.Type == "" && direct == (len(r.NextHops) > 0):
		v.add("HA1121", i.Address, "route.via", r.Src, "a route has a via or an interface, or nexthop blocks")
		v.cure("Write via = \"192.0.2.1\" or interface = \"eth1\", or at least two nexthop blocks.")
	case len(r.NextHops) == 1:
		v.add("HA1121", i.Address, "route.nexthop", r.Src, "one way is no choice: write via and interface in the route")
		v.cure("Write them there, or a second nexthop block.")
	}
	if r.Interface != "" {
		v.device(i.Address, "route.interface", r.Interface, r.Src)
	}
	for _, n := range r.NextHops {
		if n.Interface != "" {
			v.device(i.Address, "route.nexthop.interface", n.Interface, r.Src)
		}
		v.bounds(i.Address, "route.nexthop.weight", r.Src, int64(n.Weight), 0, 256, "")
	}
}

func (v *verifier) rules(i *Instance) {
	seen := map[string]bool{}
	for _, r := range i.Rules {
		at := func(code, path, format string, args ...any) { v.add(code, i.Address, path, r.Src, format, args...) }
		v.bounds(i.Address, "rule.priority", r.Src, int64(r.Priority), 1, 4294967295, "")
		if seen[r.Key()] {
			at("HA1121", "rule.priority", "%s stands there twice", r.Key())
			v.cure("Give one of them another priority.")
		}
		seen[r.Key()] = true
		for _, p := range []netip.Prefix{r.From, r.To} {
			if p.IsValid() && p != p.Masked() {
				at("HA1116", "rule.from", "%s has bits beyond its prefix: write %s", p, p.Masked())
			}
		}
		if r.From.IsValid() && r.To.IsValid() && FamilyOf(r.From.Addr()) != FamilyOf(r.To.Addr()) {
			at("HA1111", "rule.to", "from and to are of two families")
		}
		if !slices.Contains(ruleActions, r.Action) {
			at("HA1101", "rule.action", "%q is none of lookup, blackhole, unreachable, prohibit", r.Action)
		}
		if (r.Action == "") == (r.Table == 0) {
			at("HA1121", "rule.table", "a rule looks into a table, or has another action")
			v.cure("Write table = 100, or action = \"blackhole\", and not both.")
		}
		for path, name := range map[string]string{"rule.iif": r.IIF, "rule.oif": r.OIF} {
			if name != "" {
				v.device(i.Address, path, name, r.Src)
			}
		}
		if s := r.SuppressPrefix; s != nil {
			v.bounds(i.Address, "rule.suppress_prefix", r.Src, int64(*s), -1, 128, "")
		}
	}
}
