package node

import (
	"net/netip"

	"hafile/lang/plan"
	"hafile/runtime/kernel"
)

// besideOf is what the kernel should have beside the addresses while an instance is
// active. That it cannot have a route is said and takes nobody down: see package kernel.
func besideOf(i *plan.Instance) kernel.Things {
	var out kernel.Things
	for k := range i.Routes {
		r := routeOf(&i.Routes[k])
		out = append(out, kernel.Thing{Route: &r})
	}
	for k := range i.Rules {
		r := ruleOf(&i.Rules[k], i.Family)
		out = append(out, kernel.Thing{Rule: &r})
	}
	return out
}

func routeOf(p *plan.Route) kernel.Route {
	r := kernel.Route{
		To: p.To, From: p.From, Type: p.Type, Source: p.Source,
		Table: p.Table, Metric: p.Metric, Scope: p.Scope, MTU: p.MTU,
	}
	if p.Via.IsValid() || p.Interface != "" {
		r.Hops = []kernel.Hop{{Via: p.Via, Interface: p.Interface, OnLink: p.OnLink}}
	}
	for _, n := range p.NextHops {
		r.Hops = append(r.Hops, kernel.Hop{Via: n.Via, Interface: n.Interface, Weight: n.Weight, OnLink: n.OnLink})
	}
	return r.Normal()
}

// ruleOf: a rule that names no address is of the instance's family.
func ruleOf(p *plan.Rule, family plan.Family) kernel.Rule {
	r := kernel.Rule{
		Priority: p.Priority, Not: p.Not, From: p.From, To: p.To, IIF: p.IIF, OIF: p.OIF,
		Mark: p.Mark, Mask: p.Mask, Action: p.Action, Table: p.Table, Suppress: -1,
	}
	if p.SuppressPrefix != nil {
		r.Suppress = *p.SuppressPrefix
	}
	for _, a := range []netip.Prefix{p.From, p.To} {
		if a.IsValid() {
			family = plan.FamilyOf(a.Addr())
		}
	}
	r.IPv6 = family == plan.IPv6
	return r.Normal()
}

// RoutesAndRules are an instance's, for whoever compares them with what is there.
func RoutesAndRules(i *plan.Instance) kernel.Things { return besideOf(i) }
