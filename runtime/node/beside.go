package node

import (
	"fmt"
	"hash/fnv"
	"net/netip"
	"slices"

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
	return append(out, linkLocal(i)...)
}

// linkLocal is the way back to neighbours who have nothing but a link-local address: the
// macvlan has no address of its own that would bring one. Its metric is its own, because
// the kernel has one route of a prefix and a metric.
func linkLocal(i *plan.Instance) kernel.Things {
	if !i.VirtualMAC || i.Family != plan.IPv6 {
		return nil
	}
	name := virtualName(i)
	r := kernel.Route{
		To: netip.MustParsePrefix("fe80::/64"), Hops: []kernel.Hop{{Interface: name}}, Metric: 2048 + digest(name)%65536,
	}.Normal()
	return kernel.Things{{Route: &r}}
}

// deviceOf is what an instance with a virtual MAC needs all the time.
func deviceOf(i *plan.Instance) kernel.Things {
	if !i.VirtualMAC {
		return nil
	}
	family := 1
	if i.Family == plan.IPv6 {
		family = 2
	}
	return kernel.Things{{Link: &kernel.VirtualLink{
		Name: virtualName(i), Parent: i.Interface, MAC: fmt.Sprintf("00:00:5e:00:%02x:%02x", family, i.VRID),
	}}}
}

// up is the device of a router that has its addresses, or has not: a backup drops what
// comes for the virtual MAC (RFC 9568, 6.4.2).
func up(device kernel.Things, claimed bool) kernel.Things {
	var out kernel.Things
	for _, t := range device {
		l := *t.Link
		l.Up = claimed
		out = append(out, kernel.Thing{Link: &l})
	}
	return out
}

// closedOf are the addresses for which an instance's machine takes no packets itself. The
// address owner always does (RFC 9568, 6.4.3).
func closedOf(i *plan.Instance) (out []netip.Addr) {
	if i.Accept || i.Priority == plan.OwnerPriority {
		return nil
	}
	for _, v := range i.VIPs {
		out = append(out, v.Address.Addr())
	}
	return out
}

func closed(all []netip.Addr) kernel.Things {
	if len(all) == 0 {
		return nil
	}
	slices.SortFunc(all, netip.Addr.Compare)
	return kernel.Things{{Closed: &kernel.Closed{Addresses: slices.Compact(all)}}}
}

// virtualName is the macvlan's: vrrp4-51.eth0, in the 15 bytes that a name may have. It
// stays the same over restarts, and differs between interfaces.
func virtualName(i *plan.Instance) string {
	family := "vrrp4"
	if i.Family == plan.IPv6 {
		family = "vrrp6"
	}
	name := fmt.Sprintf("%s-%d.%s", family, i.VRID, i.Interface)
	if len(name) > 15 {
		name = fmt.Sprintf("%s-%d.%04x", family, i.VRID, digest(i.Interface)%65536)
	}
	return name
}

func digest(text string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(text))
	return h.Sum32()
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
