package kernel

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Thing is what the host has because of an address beside it. One field is set. Ours is
// what carries our tag: a stranger's is never changed, also where it is the same.
type Thing struct {
	Route *Route
	Rule  *Rule
	Link  *VirtualLink
	// Closed is there before what it closes, and goes after it.
	Closed *Closed
}

// Closed are addresses that the machine has and takes no packets for.
type Closed struct {
	Addresses []netip.Addr // sorted
	Broken    bool         // something of it was taken away. Never wanted.
}

func (c *Closed) String() string {
	w := words{"hafile"}
	for _, a := range c.Addresses {
		w.add(true, "%s", a)
	}
	w.add(c.Broken, "broken")
	return strings.Join(w, " ")
}

// VirtualLink is a macvlan that answers for addresses from a MAC of its own. On its parent
// ARP is answered for the parent's own addresses only (arp_ignore), and asked from them
// only (arp_announce): else the parent would answer for a virtual address too, and a
// question from one would teach the segment the parent's MAC.
type VirtualLink struct {
	Name, Parent string
	MAC          string // 00:00:5e:00:01:33
	Up           bool   // else it takes nothing, also of what is flooded to it
	// Loud: the parent's sysctls are not as they must be. Never wanted.
	Loud bool
}

func (v *VirtualLink) String() string {
	w := words{v.Name, "link", v.Parent, "address", v.MAC, "type macvlan mode bridge", map[bool]string{true: "up", false: "down"}[v.Up]}
	w.add(v.Loud, "arp_ignore 0")
	return strings.Join(w, " ")
}

// Things are several, in the order in which they are added.
type Things []Thing

// Route in the routing tables.
type Route struct {
	To     netip.Prefix
	From   netip.Prefix // of IPv6; not set: from anywhere
	Type   string       // "blackhole", "unreachable", "prohibit", "throw"; empty: unicast
	Hops   []Hop        // of unicast
	Source netip.Addr
	Table  uint32 // 1..; 254 is the main one
	Metric uint32
	Scope  string // of IPv4, "link" or "host"; empty: global
	MTU    uint32 // bytes; 0: the interface's
}

// Hop is where a route leads. Several share the traffic.
type Hop struct {
	Via       netip.Addr
	Interface string // empty: the one that leads to Via
	Weight    int    // 1..256
	OnLink    bool
}

// Rule chooses a routing table.
type Rule struct {
	IPv6       bool
	Priority   uint32
	Not        bool
	From, To   netip.Prefix // not set: any
	IIF, OIF   string
	Mark, Mask uint32
	Action     string // "blackhole", "unreachable", "prohibit"; empty: look into Table
	Table      uint32
	Suppress   int // what Table finds counts only with a longer prefix; -1: whatever it finds
}

// key is what the kernel has once. A route is replaced by another of its key; two rules
// may stand beside each other whatever they say.
func (t Thing) key() string {
	if r := t.Route; r != nil {
		return fmt.Sprint("route ", r.To, r.From, r.Table, r.Metric)
	}
	switch {
	case t.Link != nil:
		return "link " + t.Link.Name
	case t.Closed != nil:
		return "closed"
	}
	return t.String()
}

// rank is the order of adding; what goes, goes the other way round.
func (t Thing) rank() int {
	switch {
	case t.Closed != nil, t.Link != nil:
		return 0
	case t.Route != nil:
		return 1
	}
	return 2
}

// is reports whether the host has t, as it is wanted. What is not said is the kernel's to
// choose.
func (t Thing) is(have Thing) bool {
	if t.Route == nil || have.Route == nil {
		return t.String() == have.String()
	}
	want, got := *t.Route, *have.Route
	if len(want.Hops) != len(got.Hops) {
		return false
	}
	want.Hops, got.Hops = want.sorted(), got.sorted()
	for i := range want.Hops {
		if want.Hops[i].Interface == "" {
			got.Hops[i].Interface = ""
		}
	}
	return want.String() == got.String()
}

// sorted are the ways of IPv6 in one order: the kernel has its own.
func (r *Route) sorted() []Hop {
	hops := slices.Clone(r.Hops)
	if r.To.Addr().Is6() {
		slices.SortStableFunc(hops, func(a, b Hop) int { return a.Via.Compare(b.Via) })
	}
	return hops
}

// uses reports whether a route needs an interface.
func (t Thing) uses(name string) bool {
	return t.Route != nil && slices.ContainsFunc(t.Route.Hops, func(h Hop) bool { return h.Interface == name })
}

// String is the thing in ip(8)'s words, without the tag.
func (t Thing) String() string {
	if t.Route != nil {
		return "route " + t.Route.String()
	}
	switch {
	case t.Link != nil:
		return "link " + t.Link.String()
	case t.Closed != nil:
		return "closed " + t.Closed.String()
	}
	return "rule " + t.Rule.String()
}

// words joins what is not empty.
type words []string

func (w *words) add(is bool, format string, args ...any) {
	if is {
		*w = append(*w, fmt.Sprintf(format, args...))
	}
}

func (r *Route) String() string {
	var w words
	w.add(r.Type != "", "%s", r.Type)
	w.add(true, "%s", r.To)
	w.add(r.From.IsValid(), "from %s", r.From)
	for _, h := range r.Hops {
		w.add(len(r.Hops) > 1, "nexthop")
		w.add(h.Via.IsValid(), "via %s", h.Via)
		w.add(h.Interface != "", "dev %s", h.Interface)
		w.add(h.Weight > 1, "weight %d", h.Weight)
		w.add(h.OnLink, "onlink")
	}
	w.add(r.Source.IsValid(), "src %s", r.Source)
	w.add(r.Table != mainTable, "table %d", r.Table)
	w.add(r.Metric != 0, "metric %d", r.Metric)
	w.add(r.Scope != "", "scope %s", r.Scope)
	w.add(r.MTU != 0, "mtu %d", r.MTU)
	return strings.Join(w, " ")
}

const mainTable = 254

func (r *Rule) String() string {
	var w words
	w.add(r.IPv6, "-6")
	w.add(true, "priority %d", r.Priority)
	w.add(r.Not, "not")
	w.add(r.From.IsValid(), "from %s", r.From)
	w.add(r.To.IsValid(), "to %s", r.To)
	w.add(r.IIF != "", "iif %s", r.IIF)
	w.add(r.OIF != "", "oif %s", r.OIF)
	w.add(r.Mark != 0 || r.Mask != 0, "fwmark 0x%x/0x%x", r.Mark, r.Mask)
	w.add(r.Action != "", "%s", r.Action)
	w.add(r.Action == "", "table %d", r.Table)
	w.add(r.Suppress >= 0, "suppress_prefixlength %d", r.Suppress)
	return strings.Join(w, " ")
}

// Normal is the route as the kernel tells it: what is not said and always the same is
// filled in (ip-route(8) does the same).
func (r Route) Normal() Route {
	six := r.To.Addr().Is6()
	if r.Table == 0 {
		r.Table = mainTable
	}
	if six && r.Metric == 0 {
		r.Metric = 1024
	}
	if r.From.Bits() == 0 {
		r.From = netip.Prefix{}
	}
	r.Hops = slices.Clone(r.Hops)
	direct := r.Type == ""
	for i := range r.Hops {
		r.Hops[i].Weight = max(r.Hops[i].Weight, 1)
		direct = direct && !r.Hops[i].Via.IsValid()
	}
	switch {
	case six:
		r.Scope = ""
	case r.Scope == "" && direct:
		r.Scope = "link"
	}
	return r
}

// Normal is the rule as the kernel tells it.
func (r Rule) Normal() Rule {
	if r.From.Bits() == 0 {
		r.From = netip.Prefix{}
	}
	if r.To.Bits() == 0 {
		r.To = netip.Prefix{}
	}
	if r.Mark != 0 && r.Mask == 0 {
		r.Mask = 0xffffffff
	}
	return r
}

// Equal reports whether both are the same in the same order.
func (t Things) Equal(o Things) bool {
	return slices.EqualFunc(t, o, func(a, b Thing) bool { return a.String() == b.String() })
}

// Unique drops what has the key of one before it, and puts the rest into the order of
// adding.
func (t Things) Unique() Things {
	var out Things
	for _, x := range t {
		if out.find(x) == nil {
			out = append(out, x)
		}
	}
	slices.SortStableFunc(out, func(a, b Thing) int { return a.rank() - b.rank() })
	return out
}

func (t Things) find(x Thing) *Thing {
	k := x.key()
	for i := range t {
		if t[i].key() == k {
			return &t[i]
		}
	}
	return nil
}

// Have reports whether these have what is wanted.
func (t Things) Have(want Thing) bool {
	there := t.find(want)
	return there != nil && want.is(*there)
}

// Kind is "route" or "rule".
func (t Thing) Kind() string {
	kind, _, _ := strings.Cut(t.String(), " ")
	return kind
}

// Named reports whether these have something that the kernel takes for t.
func (t Things) Named(x Thing) bool { return t.find(x) != nil }
