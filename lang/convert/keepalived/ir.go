package keepalived

import (
	"slices"

	"hafile/lang/plan"
)

// plans are the machines as plans: what keepalived would do, in the words of hafile, made
// without the text of the result. That it and the compiled text agree is what a check
// proves.
func (e *emitter) plans() map[string]*plan.Plan {
	out := map[string]*plan.Plan{}
	for _, m := range e.machines {
		p := &plan.Plan{Language: plan.Language, Node: m.label}
		for _, g := range e.groups {
			for _, in := range g.members {
				if in.m == m {
					p.Desired.Instances = append(p.Desired.Instances, e.planned(g, in))
					e.needs(p, in.allTracks())
					e.tells(p, m, e.listeners(in))
				}
			}
		}
		for _, g := range e.sync {
			for _, s := range g.from {
				if s.m == m {
					e.plannedGroup(p, g, s)
				}
			}
		}
		p.Normalize()
		out[m.label] = p
	}
	return out
}

// planned completes an instance by what only the whole group knows.
func (e *emitter) planned(g *group, in *instance) plan.Instance {
	p := in.p
	p.Address, p.Name = plan.Addr("instance."+g.ref), g.members[0].name
	if !p.SourceAddress.IsValid() {
		switch {
		case !in.six():
			p.SourceAddress = in.m.address
		case p.Transport == plan.Unicast:
			p.SourceAddress = in.m.address6
		}
	}
	for _, other := range g.members {
		p.Members = append(p.Members, plan.Member{Node: other.m.label, Address: other.source, Priority: uint8(other.priority)})
	}
	for _, s := range g.standins {
		a := s.addr
		if !a.IsValid() && !in.six() {
			a = s.address(false)
		}
		p.Members = append(p.Members, plan.Member{Node: s.label, Address: a, Priority: plan.DefaultInstance().Priority})
	}
	for _, v := range in.vips {
		p.VIPs = append(p.VIPs, v.p)
	}
	for _, r := range in.routes {
		p.Routes = append(p.Routes, r.p)
	}
	for _, r := range in.rules {
		p.Rules = append(p.Rules, r.p)
	}
	for _, t := range in.allTracks() {
		p.Track = append(p.Track, t.planned())
	}
	for _, n := range e.listeners(in) {
		p.Notify = append(p.Notify, plan.Addr("notify."+n))
	}
	if p.Auth != nil {
		a := *p.Auth
		switch {
		case a.Type == plan.AuthHMAC:
			for _, k := range in.keys {
				a.Keys = append(a.Keys, plan.AuthKey{ID: uint8(k.id), Key: e.key(g, k)})
			}
		case e.opts.InlineSecrets && plain(string(in.password)):
			a.Password = plan.Secret{Value: string(in.password)}
		default:
			a.Password = plan.Secret{Credential: g.credential()}
		}
		p.Auth = &a
	}
	return p
}

// listeners are the notify blocks that an instance tells.
func (e *emitter) listeners(in *instance) (labels []string) {
	if e.attached(in) {
		labels = append(labels, e.mail)
	}
	for _, bare := range []bool{true, false} { // keepalived runs the specific one first
		for _, h := range in.hooks {
			if h.bare == bare {
				labels = append(labels, e.hookLabel(&h))
			}
		}
	}
	return labels
}

func (e *emitter) hookLabel(h *hook) string {
	return e.hooks[slices.IndexFunc(e.hooks, func(m *mergedHook) bool { return m.only == nil && m.key() == h.key() })].label
}

// needs adds the checks that trackers name.
func (e *emitter) needs(p *plan.Plan, tracks []track) {
	for _, t := range tracks {
		c := plan.DefaultCheck()
		a := t.planned().Check
		if t.script == nil {
			c.Interface = &plan.TrackedInterface{Name: t.iface}
		} else {
			c = t.script.p
		}
		if c.Address, c.Name = a, a.Name(); p.Desired.Check(a) == nil {
			p.Desired.Checks = append(p.Desired.Checks, c)
		}
	}
}

// tells adds the notify blocks of labels.
func (e *emitter) tells(p *plan.Plan, m *machine, labels []string) {
	for _, l := range labels {
		a := plan.Addr("notify." + l)
		if p.Desired.Notify(a) != nil {
			continue
		}
		n := plan.Notify{Address: a}
		if l == e.mail {
			n.On, n.Email = m.mailPlan()
		}
		for _, h := range e.hooks {
			if h.label == l {
				n.On = h.on
				n.Exec = &plan.Exec{Command: h.run(m), User: h.who, TimeoutMs: plan.DefaultExec().TimeoutMs}
			}
		}
		p.Desired.Notifies = append(p.Desired.Notifies, n)
	}
}

func (e *emitter) plannedGroup(p *plan.Plan, g *mergedGroup, s *syncGroup) {
	out := plan.Group{Address: plan.Addr("sync_group." + g.label), Name: g.label}
	for _, r := range g.refs {
		out.Instances = append(out.Instances, plan.Addr("instance."+r.ref))
	}
	if !g.apart {
		for _, t := range s.tracks {
			out.Track = append(out.Track, t.planned())
		}
		e.needs(p, s.tracks)
	}
	labels := g.listeners(e)
	for _, l := range labels {
		out.Notify = append(out.Notify, plan.Addr("notify."+l))
	}
	e.tells(p, s.m, labels)
	p.Desired.Groups = append(p.Desired.Groups, out)
}
