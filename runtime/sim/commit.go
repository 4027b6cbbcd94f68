package sim

import (
	"net/netip"
	"slices"
	"time"

	"hafile/lang/diff"
	"hafile/lang/plan"
	"hafile/runtime/kernel"
	"hafile/runtime/node"
	"hafile/runtime/vrrp"
	"hafile/runtime/vrrp/wire"
)

// adoption is what a process before this one has left.
type adoption struct {
	have  kernel.State
	roles map[plan.WireKey]vrrp.Role
	age   time.Duration // of its last advert; negative: not known
}

// inherit looks at what is left: what carries our tag, and what the record lists.
func (p *process) inherit(now vrrp.Instant) *adoption {
	a := &adoption{roles: map[plan.WireKey]vrrp.Role{}, age: -1}
	record := installedBy(p.m.record)
	var found []kernel.Address
	for _, i := range p.m.host.installed {
		if i.Marked || record.Has(i.Address) {
			found = append(found, i.Address)
		}
	}
	a.have = kernel.StateOf(found...)
	for _, h := range p.m.record {
		a.roles[h.key] = h.role
	}
	if p.m.stamp != 0 {
		a.age = now.Sub(p.m.stamp)
	}
	return a
}

// claim says whether an instance finds its addresses installed, and whether anybody can
// have missed its adverts, as the daemon does.
func (a *adoption) claim(in *plan.Instance, h *node.Host) {
	for _, v := range in.VIPs {
		h.Holding = h.Holding || a.have.Has(node.AddressOf(in, v))
	}
	role, known := a.roles[in.Wire()]
	if !h.Holding || a.age < 0 || known && role != vrrp.Active {
		return
	}
	interval := time.Duration(in.AdvertMs) * time.Millisecond
	h.Fresh = a.age+interval < vrrp.Down(in.Version, 254, interval, in.DownAdverts)
}

// start is the first commit of a process.
func (p *process) start(now vrrp.Instant, left *adoption) {
	p.hosts = p.resolve(p.m.plan, left)
	p.hosts.Former = p.m.former
	p.give(now, Committed, func() { p.out = p.node.Commit(now, p.hosts, p.out[:0]) })
	p.applyChecks(p.m.plan.Desired.Checks)
}

// sweep is what instances keep of the plan before, as the daemon does it: identities that
// every member has left are retired first; a plan that would crowd the rest is refused.
func (p *process) sweep(after *plan.Plan) (next node.Resolved, refused bool) {
	next = p.resolve(after, nil)
	was := p.hosts
	was.Former = map[plan.Addr][]node.Former{}
	for a, formers := range p.hosts.Former {
		if in := was.Plan.Desired.Instance(a); in != nil && !p.m.w.allHave(in) {
			was.Former[a] = formers
		}
	}
	next.Former = node.Sweep(&was, &next)
	if p.m.insisted {
		next.Former = nil
	}
	return next, node.Crowded(after, next.Former) != (node.Crowd{})
}

// allHave reports whether every member's plan has the identity of an instance.
func (w *World) allHave(in *plan.Instance) bool {
	for _, member := range in.Members {
		for _, m := range w.machines {
			if m.Name == member.Node && (m.plan == nil || instanceOf(m.plan, in.Wire()) == nil || instanceOf(m.plan, in.Wire()).AdvertMs != in.AdvertMs) {
				return false
			}
		}
	}
	return true
}

// commit makes a plan the running one. The states of its checks go first.
func (p *process) commit(now vrrp.Instant, before *plan.Plan, hosts node.Resolved, insisted bool) {
	next := hosts.Plan
	f := Fact{Plan: next, Was: before}
	if before != nil {
		f.Changes, _ = diff.Plans(before, next, p.present())
	}
	for i := range f.Changes {
		if insisted { // told what it costs, and that is not foretold here
			f.Changes[i].Impact.Class = diff.Outage
		}
	}
	for i, state := range p.states(next.Desired.Checks) {
		check := next.Desired.Checks[i].Address
		p.give(now, CheckChanged, func() { p.out = p.node.Check(now, check, state, p.out[:0]) })
	}
	p.hosts, p.m.former = hosts, hosts.Former
	p.tell(f, now, Committed, func() { p.out = p.node.Commit(now, p.hosts, p.out[:0]) })
	p.applyChecks(next.Desired.Checks)
}

// present is what this node does now, as `hafile plan` is told.
func (p *process) present() diff.Present {
	now := diff.Present{Roles: map[plan.Addr]string{}, Checks: map[plan.Addr]plan.CheckState{}}
	for i := range p.view {
		if !p.view[i].Leaving {
			now.Roles[p.view[i].Address] = p.view[i].Role.String()
		}
	}
	for _, r := range p.runners {
		now.Checks[r.check.Address] = r.state()
	}
	return now
}

func (p *process) resolve(pl *plan.Plan, left *adoption) node.Resolved {
	out := node.Resolved{Plan: pl, Hosts: map[plan.Addr]node.Host{}}
	for i := range pl.Desired.Instances {
		in := &pl.Desired.Instances[i]
		h := node.Host{Source: p.source(in)}
		if in.Auth != nil {
			h.Password = password(in.Auth.Password)
		}
		if left != nil {
			left.claim(in, &h)
		}
		out.Hosts[in.Address] = h
	}
	return out
}

func (p *process) source(in *plan.Instance) netip.Addr {
	if in.SourceAddress.IsValid() {
		return in.SourceAddress
	}
	l := p.m.links[in.Interface]
	switch {
	case l == nil:
		return netip.Addr{}
	case in.Family == plan.IPv6:
		return linkLocal(l.address.Addr())
	}
	return l.address.Addr()
}

// linkLocal is the address that an interface gives itself, here made of its other one.
func linkLocal(of netip.Addr) netip.Addr {
	raw := [16]byte{0: 0xfe, 1: 0x80}
	own := of.As4()
	copy(raw[12:], own[:])
	return netip.AddrFrom16(raw)
}

// password is the same on every machine that has the same reference, and no secret.
func password(s plan.Secret) wire.Password {
	for _, word := range []string{s.Value, s.Credential, s.File} {
		if word != "" {
			return wire.NewPassword(word)
		}
	}
	return wire.Password{}
}

// router of this identity in a view, or the one that has it as a former one; nil if there
// is none.
func router(view []node.Instance, key plan.WireKey) *node.Instance {
	i := slices.IndexFunc(view, func(in node.Instance) bool { return in.Key == key })
	if i < 0 {
		i = slices.IndexFunc(view, func(in node.Instance) bool { return slices.Contains(in.Former, key) })
	}
	if i < 0 {
		return nil
	}
	return &view[i]
}

// presentKey is the identity now of the router that answers to a key: facts name it by that.
func presentKey(view []node.Instance, key plan.WireKey) plan.WireKey {
	if in := router(view, key); in != nil {
		return in.Key
	}
	return key
}
