package lang

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"hafile/lang/diag"
	"hafile/lang/diff"
	"hafile/lang/plan"
)

// unicast is HA1401: adverts go to the addresses of the other members, so that each has
// one of the family, and its own. That the lists are symmetric needs no proof: they are
// made from the members.
func (c *compiler) unicast(in *instance) {
	if in.members[0].plan.Transport != plan.Unicast {
		return
	}
	seen := map[netip.Addr]*member{}
	for i := range in.members {
		m := &in.members[i]
		a, n := m.plan.SourceAddress, c.nodes[m.name]
		if !a.IsValid() {
			if !c.sentTo(in, m) {
				continue
			}
			arg := "address"
			if m.plan.Family == plan.IPv6 {
				arg = "address6"
			}
			c.report(diag.Error, "HA1401", m.at("transport"), in.obj.Addr, fmt.Sprintf("%s has no %s address for unicast", m.name, m.plan.Family),
				fmt.Sprintf("The other members of %s send their adverts there. Write %s in node %q, or source_address in its member block.", in.obj.Addr, arg, m.name),
				diag.Related{Range: n.Range, Message: m.name + " is declared here"})
			continue
		}
		if first := seen[a]; first != nil {
			c.report(diag.Error, "HA1401", m.at("source_address"), in.obj.Addr, fmt.Sprintf("%s and %s send from one address, %s", first.name, m.name, a),
				"Each would list itself as its peer. Give each its own source_address.",
				diag.Related{Range: first.at("source_address"), Message: first.name + " has it here"})
			continue
		}
		seen[a] = m
	}
}

// sentTo reports whether another member that hafile runs sends its adverts to m. What
// else speaks there has its own list of peers.
func (c *compiler) sentTo(in *instance, m *member) bool {
	for i := range in.members {
		if o := &in.members[i]; o.name != m.name && c.nodes[o.name].Speaks == "" {
			return true
		}
	}
	return false
}

// linkLocalFirst is HA1208: routers and hosts tell an IPv6 virtual router by its first
// address, and that one is link-local (RFC 9568, 5.2.9).
func (c *compiler) linkLocalFirst(in *instance) {
	m := &in.members[0]
	if m.plan.Family != plan.IPv6 {
		return
	}
	for k, v := range m.plan.VIPs {
		if v.Unadvertised {
			continue
		}
		if !v.Address.Addr().IsLinkLocalUnicast() {
			c.report(diag.Warning, "HA1208", m.Whole.Of("vip")[k].At("address"), in.obj.Addr, fmt.Sprintf("the first address of %s is not link-local", in.obj.Addr),
				fmt.Sprintf("RFC 9568, 5.2.9 wants one, and some routers drop adverts without. Write vip { address = \"fe80::%x\" } before the others.", int(m.plan.VRID)))
		}
		return
	}
}

// failover is HA1304: how long clients wait, at the longest, against what is acceptable.
func (c *compiler) failover(in *instance) {
	m := &in.members[0]
	if m.maxFailoverMs == 0 || len(in.members) < 2 {
		return
	}
	p := &plan.Plan{Desired: plan.Desired{Instances: []plan.Instance{m.plan}}}
	for _, g := range c.groups {
		if side := g.on[m.name]; side != nil && slices.Contains(side.Instances, in.obj.Addr) {
			p.Desired.Groups = append(p.Desired.Groups, *side)
		}
	}
	tracks := p.Desired.Tracks(&m.plan)
	for _, t := range tracks {
		p.Desired.Checks = append(p.Desired.Checks, c.checks[t.Check])
	}
	worst, sum, cure := int64(0), "", ""
	for _, b := range diff.Budgets(p) {
		if b.DownMs > worst {
			worst = b.DownMs
			sum = fmt.Sprintf("%s dies: %s of silence until %s takes over", b.From, ms(b.DownMs), b.To)
			cure = "a shorter advert_int"
		}
		for _, k := range b.Checks {
			if total := k.DetectMs + k.TakeoverMs; k.Moves && total > worst {
				worst = total
				sum = fmt.Sprintf("%s goes down on %s: %s until that is noticed, %s until %s takes over", k.Check, b.From, ms(k.DetectMs), ms(k.TakeoverMs), b.To)
				cure = "a shorter interval or timeout, or a smaller fall, for " + string(k.Check)
			}
		}
	}
	if worst <= m.maxFailoverMs {
		return
	}
	c.report(diag.Warning, "HA1304", m.at("max_failover"), in.obj.Addr,
		fmt.Sprintf("a failover of %s takes up to %s, and %s is wanted", in.obj.Addr, ms(worst), ms(m.maxFailoverMs)),
		fmt.Sprintf("%s = %s. Write %s.", sum, ms(worst), cure), c.slowest(tracks, sum)...)
}

// slowest is where the check stands that takes longest.
func (c *compiler) slowest(tracks []plan.Track, sum string) []diag.Related {
	for _, t := range tracks {
		if o := c.e.Find(t.Check); o != nil && strings.HasPrefix(sum, string(t.Check)+" ") {
			if b := c.e.Block(o); b != nil {
				return []diag.Related{{Range: b.At("interval"), Message: string(t.Check) + " is checked this often"}}
			}
		}
	}
	return nil
}
