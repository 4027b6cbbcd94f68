// Package drift compares what a daemon says that it holds with what the kernel has. It
// decides nothing, repairs nothing, and needs no right to: it is the second opinion beside
// the daemon's own.
package drift

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"hafile/lang/plan"
	"hafile/runtime/control"
	"hafile/runtime/kernel"
)

// The kinds of a difference. They never change their meaning.
const (
	AddressMissing = "address_missing" // this node is active and the kernel lacks the address
	AddressExtra   = "address_extra"   // this node is not active and the kernel has it
	AddressOther   = "address_other"   // it is there with another prefix
	RouteMissing   = "route_missing"   // this node is active and the kernel lacks the route, or has it otherwise
	RuleMissing    = "rule_missing"
	RouteExtra     = "route_extra" // nobody here is active for it
	RuleExtra      = "rule_extra"
	LinkMissing    = "link_missing"
	LinkDown       = "link_down"
	LinkNoCarrier  = "link_no_carrier"
)

// Item is one difference.
type Item struct {
	Kind      string       `json:"kind"`
	Instance  plan.Addr    `json:"instance"`
	Interface string       `json:"interface"`
	Address   netip.Prefix `json:"address,omitzero"`
	Route     string       `json:"route,omitempty"` // or the rule, as ip(8) is told it
	Text      string       `json:"text"`
}

// same difference, whoever is said to lack it.
func (i Item) same(o Item) bool {
	return i.Kind == o.Kind && i.Interface == o.Interface && i.Address == o.Address && i.Route == o.Route
}

// Compare looks at every instance of a status. The interfaces are those of the daemon's
// namespace; p is the plan that runs, for what a status does not say.
func Compare(s *control.Status, p *plan.Plan, links []kernel.Link) []Item {
	c := comparison{links: map[string]kernel.Link{}, wanted: map[place]bool{}}
	for _, l := range links {
		c.links[l.Name] = l
	}
	for i := range s.Instances {
		if in := &s.Instances[i]; holds(in) {
			for _, v := range in.VIPs {
				c.wanted[place{v.Interface, v.Address.Addr()}] = true
			}
		}
	}
	for i := range s.Instances {
		in := &s.Instances[i]
		desired := p.Desired.Instance(in.Address)
		if desired == nil || desired.Netns != "" {
			continue // it is leaving, or lives where this process does not look
		}
		c.instance(in, desired)
	}
	slices.SortStableFunc(c.items, func(a, b Item) int {
		return cmp.Or(cmp.Compare(a.Instance, b.Instance), cmp.Compare(a.Interface, b.Interface), a.Address.Addr().Compare(b.Address.Addr()))
	})
	return c.items
}

// Beside compares routes and rules: what each instance wants, as the caller knows it,
// with all of ours that the kernel has.
func Beside(s *control.Status, p *plan.Plan, wants func(*plan.Instance) kernel.Things, have kernel.Things) []Item {
	var out []Item
	var wanted kernel.Things
	for i := range s.Instances {
		in := &s.Instances[i]
		desired := p.Desired.Instance(in.Address)
		if desired == nil || desired.Netns != "" || !holds(in) {
			continue
		}
		for _, t := range wants(desired) {
			wanted = append(wanted, t)
			if !have.Have(t) {
				out = append(out, Item{
					Kind: t.Kind() + "_missing", Instance: in.Address, Interface: in.Wire.Interface, Route: t.String(),
					Text: fmt.Sprintf("%s is %s and there is no %s", in.Address, in.Role, t),
				})
			}
		}
	}
	for _, t := range have {
		if t.Link == nil && t.Closed == nil && !wanted.Named(t) {
			out = append(out, Item{Kind: t.Kind() + "_extra", Route: t.String(), Text: fmt.Sprintf("nothing here is active for the %s", t)})
		}
	}
	return out
}

// Unseen names what the plan wants of the kernel and nobody compares.
func Unseen(p *plan.Plan) []string {
	var out []string
	for i := range p.Desired.Instances {
		in := &p.Desired.Instances[i]
		if in.Netns != "" {
			out = append(out, fmt.Sprintf("%s, in the network namespace %s", in.Address, in.Netns))
		}
	}
	return out
}

// Both is what two looks have in common: a change of role in between is no drift, and
// neither is what the daemon has repaired meanwhile.
func Both(first, second []Item) []Item {
	var out []Item
	for _, i := range second {
		if slices.ContainsFunc(first, i.same) {
			out = append(out, i)
		}
	}
	return out
}

func holds(in *control.Instance) bool { return in.Role == "active" || in.Role == "leaving" }

// place is an address where it is installed.
type place struct {
	iface string
	addr  netip.Addr
}

type comparison struct {
	links  map[string]kernel.Link
	wanted map[place]bool // by instances that hold them
	items  []Item
}

func (c *comparison) instance(in *control.Instance, desired *plan.Instance) {
	lacking := c.link(in.Address, in.Wire.Interface)
	for _, v := range in.VIPs {
		if v.Interface != in.Wire.Interface || lacking != LinkMissing { // one cause, one word
			c.vip(in, v, installed(desired, v.Address))
		}
	}
}

// installed is the prefix with which the kernel should have an address.
func installed(in *plan.Instance, address netip.Prefix) netip.Prefix {
	for _, v := range in.VIPs {
		if v.Address == address && v.InstallPrefix > 0 {
			return netip.PrefixFrom(address.Addr(), v.InstallPrefix)
		}
	}
	return address
}

func (c *comparison) link(a plan.Addr, name string) string {
	l, there := c.links[name]
	kind, text := "", ""
	switch {
	case !there:
		kind, text = LinkMissing, "there is no interface "+name
	case !l.Up:
		kind, text = LinkDown, name+" is down"
	case !l.Carrier:
		kind, text = LinkNoCarrier, name+" has no carrier"
	default:
		return ""
	}
	c.items = append(c.items, Item{Kind: kind, Instance: a, Interface: name, Text: text})
	return kind
}

func (c *comparison) vip(in *control.Instance, v control.VIP, want netip.Prefix) {
	say := func(kind, text string, args ...any) {
		c.items = append(c.items, Item{Kind: kind, Instance: in.Address, Interface: v.Interface, Address: v.Address, Text: fmt.Sprintf(text, args...)})
	}
	var have netip.Prefix
	for _, p := range c.links[v.Interface].Addresses {
		if p.Addr() == v.Address.Addr() && (!have.IsValid() || p == want) {
			have = p
		}
	}
	switch {
	case holds(in) && !have.IsValid():
		say(AddressMissing, "%s is %s and %s is not on %s", in.Address, in.Role, want, v.Interface)
	case holds(in) && have != want:
		say(AddressOther, "%s is %s and %s is on %s as %s", in.Address, in.Role, want, v.Interface, have)
	case !holds(in) && have.IsValid() && !c.wanted[place{v.Interface, v.Address.Addr()}]:
		say(AddressExtra, "%s is %s and %s is on %s", in.Address, in.Role, have, v.Interface)
	}
}
