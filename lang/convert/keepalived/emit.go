package keepalived

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// emitter writes the machines as one configuration.
type emitter struct {
	out      output
	opts     Options
	machines []*machine
	groups   []*group
	scripts  []*mergedScript
	hooks    []*mergedHook
	mail     string // label of the notify block with the mail, "" if there is none
	mailers  []*machine
	secrets  []Secret
	notes    []string
	said     bool // the sentence about member blocks
}

func (e *emitter) emit() {
	for _, m := range e.machines {
		twice(m)
	}
	clones(e.machines)
	e.groups = groups(e.machines)
	strays(e.groups)
	for _, g := range e.groups {
		g.agree()
	}
	e.scripts = mergeScripts(e.machines)
	labels := map[string]bool{}
	e.settleMail(labels)
	e.hooks = mergeHooks(e.groups, labels)

	e.out.begin("hafile", "")
	e.out.add(`required_version = ">= 0.1"`)
	e.out.end()
	e.nodes()
	e.health()
	e.notifications()
	if len(e.groups) > 0 {
		e.out.section("VRRP")
	}
	for i, g := range e.groups {
		if i > 0 {
			e.out.blank()
		}
		e.instance(g)
	}
}

func (e *emitter) nodes() {
	e.out.section("machines")
	for _, m := range e.machines {
		attrs := []string{}
		if m.name != m.label {
			attrs = append(attrs, "match = "+list([]string{m.name}))
		}
		if a, _ := m.address(); a.IsValid() {
			attrs = append(attrs, "address = "+quote(a.String()))
		}
		head := fmt.Sprintf("node %q", m.label)
		switch len(attrs) {
		case 0:
			e.out.add(head + " {}")
		case 1:
			e.out.add(head + " { " + attrs[0] + " }")
		default:
			e.out.begin(head, "")
			for _, a := range attrs {
				e.out.add(a)
			}
			e.out.end()
			if m != e.machines[len(e.machines)-1] {
				e.out.blank()
			}
		}
	}
}

// address is the machine's own, as far as the file tells: where its adverts come from.
func (m *machine) address() (netip.Addr, *directive) {
	for _, in := range m.instances {
		if in.why == "" && in.source.IsValid() {
			return in.source, in.slots["source"]
		}
	}
	return netip.Addr{}, nil
}

func (e *emitter) health() {
	if len(e.scripts) == 0 {
		return
	}
	e.out.section("health")
	for i, s := range e.scripts {
		if i > 0 {
			e.out.blank()
		}
		var dirs []*directive
		for _, f := range s.from {
			dirs = append(dirs, f.dir)
		}
		e.out.begin(fmt.Sprintf("script %q", s.label), fmt.Sprintf("script %q", s.label), dirs...)
		for _, key := range scriptKeys {
			e.scriptAttr(s, key)
		}
		e.out.end()
	}
}

func (e *emitter) scriptAttr(s *mergedScript, key string) {
	all := make([]setting, len(s.from))
	for i, f := range s.from {
		if all[i] = f.fields[key]; all[i].expr == "" && e.opts.Explicit {
			all[i] = f.fields[key+" default"]
		}
	}
	if all[0].expr == "" {
		return
	}
	l := e.out.attr(key, joined(all))
	if key == "weight" {
		l.remark = e.weightRemark(s)
	}
}

// weightRemark says what a negative weight does to the one instance that tracks the
// script with it: the sum that a careful person would do.
func (e *emitter) weightRemark(s *mergedScript) string {
	var remark string
	for _, g := range e.groups {
		weight, tracked := int64(0), false
		for _, in := range g.members {
			for _, t := range in.tracks {
				if t.script.label == s.label {
					weight, tracked = t.value, true
				}
			}
		}
		if !tracked {
			continue
		}
		if remark != "" {
			return ""
		}
		p := make([]int64, len(g.members))
		for i, in := range g.members {
			p[i] = in.priority
		}
		slices.Sort(p)
		slices.Reverse(p)
		if len(p) < 2 || p[0] > 254 {
			return ""
		}
		switch low := max(p[0]+weight, 1); {
		case weight < 0 && low < p[1] && p[0]+weight >= 1:
			remark = fmt.Sprintf("%d - %d = %d < %d, so a failure moves the VIP", p[0], -weight, low, p[1])
		case weight < 0 && low > p[1]:
			remark = fmt.Sprintf("%d - %d = %d > %d, so a failure does not move the VIP", p[0], -weight, low, p[1])
		case weight > 0 && p[0] < p[1]+weight:
			remark = fmt.Sprintf("%d < %d + %d = %d, so a failure moves the VIP", p[0], p[1], weight, p[1]+weight)
		case weight > 0 && p[0] > p[1]+weight:
			remark = fmt.Sprintf("%d > %d + %d = %d, so a failure does not move the VIP", p[0], p[1], weight, p[1]+weight)
		default:
			return ""
		}
	}
	return remark
}

func (e *emitter) notifications() {
	if e.mail == "" && len(e.hooks) == 0 {
		return
	}
	e.out.section("notifications")
	if e.mail != "" {
		e.mailBlock()
	}
	for i, h := range e.hooks {
		if i > 0 || e.mail != "" {
			e.out.blank()
		}
		e.hookBlock(h)
	}
}

func (e *emitter) hookBlock(h *mergedHook) {
	name := fmt.Sprintf("notify %q", h.label)
	e.out.begin(name, name, h.dirs...)
	e.out.attr("on", set(list(h.on)))
	e.out.add("")
	e.out.begin("exec", "")
	l := e.out.attr("command", set(list(h.exec())))
	if h.bare {
		l.remark = "no arguments are appended, as in keepalived"
	}
	if h.user.expr != "" {
		e.out.attr("user", h.user)
	}
	e.out.end()
	e.out.end()
}

// instance writes one virtual router: what all members share first, then each member.
func (e *emitter) instance(g *group) {
	var dirs []*directive
	for _, in := range g.members {
		dirs = append(dirs, in.dir)
	}
	name := fmt.Sprintf("instance %q", g.label)
	e.out.begin(name, name, dirs...)
	called := g.members[0].name
	if called != g.label {
		e.out.attr("name", set(quote(called)))
	}
	for _, in := range g.members {
		if in.name != called {
			in.dir.said = &verdict{kind: Changed, note: fmt.Sprintf("called %q in the result, as on %s", called, g.members[0].m.label)}
		}
	}
	e.shared(g, "interface", "")
	e.shared(g, "router_id", "")
	if l := e.shared(g, "version", ""); l != nil {
		l.remark = "keepalived's default; hafile's is 3"
		if g.members[0].password != nil {
			l.remark = "PASS exists in VRRPv2 only"
		}
	}
	e.shared(g, "advert_int", "")
	for _, key := range []string{"checksum", "down_adverts"} {
		e.shared(g, key, "")
	}
	for _, key := range []string{"preempt", "preempt_delay", "start_delay"} {
		e.shared(g, key, "")
	}
	notify := g.notifies(e)
	if equal(notify) && notify[0].expr != "" {
		e.out.attr("notify", joined(notify))
	}
	e.auth(g)
	tracks := g.trackSets()
	e.members(g, notify, tracks)
	e.vips(g)
	if equal(tracks) {
		e.tracks(g.members[0], g.members)
	}
	e.announce(g)
	e.out.end()
}

// shared writes a setting that is the same on all members; what differs is left to the
// member blocks, or was reported by agree.
func (e *emitter) shared(g *group, key, def string) *outLine {
	all := g.each(key)
	if e.opts.Explicit && all[0].expr == "" {
		all = g.each(key + " default")
	}
	if !equal(all) && !perMember[key] {
		all = all[:1]
	}
	if !equal(all) || all[0].expr == "" {
		return nil
	}
	return e.out.attr(key, joined(all))
}

// perMember may stand in a member block.
var perMember = map[string]bool{"interface": true, "preempt": true, "preempt_delay": true, "start_delay": true}

// notifies is whom each member tells.
func (g *group) notifies(e *emitter) []setting {
	out := make([]setting, len(g.members))
	for i, in := range g.members {
		var refs []string
		if e.attached(in) {
			refs = append(refs, "notify."+e.mail)
			if in.alertDir != nil && in.alert {
				out[i].dirs = append(out[i].dirs, in.alertDir)
			}
		}
		for _, bare := range []bool{true, false} { // keepalived runs the specific one first
			for _, h := range in.hooks {
				if h.bare == bare {
					j := slices.IndexFunc(e.hooks, func(m *mergedHook) bool { return m.key() == h.key() })
					refs = append(refs, "notify."+e.hooks[j].label)
				}
			}
		}
		if len(refs) > 0 {
			out[i].expr = "[" + strings.Join(refs, ", ") + "]"
		}
	}
	return out
}

func (e *emitter) auth(g *group) {
	var blocks, types, passwords []*directive
	for _, in := range g.members {
		if dirs := in.fields["auth.type"].dirs; len(dirs) == 2 {
			blocks, types = append(blocks, dirs[0]), append(types, dirs[1])
		}
		passwords = append(passwords, in.fields["auth.password"].dirs...)
	}
	first := g.members[0]
	if first.password == nil {
		return
	}
	e.out.blank()
	e.out.begin("auth", "auth", blocks...)
	e.out.add(`type = "pass"`, types...)
	if e.opts.InlineSecrets && plain(string(first.password)) {
		e.out.add("password = "+quote(string(first.password)), passwords...)
	} else {
		name := "vrrp-" + g.label
		e.secrets = append(e.secrets, Secret{Name: name, Value: first.password})
		e.out.add(fmt.Sprintf("password = credential(%q)", name), passwords...).remark = "never in this file, a plan or a log"
	}
	e.out.end()
}

func (e *emitter) members(g *group, notify, tracks []setting) {
	e.out.blank()
	if !e.said && len(g.members) > 1 {
		e.said = true
		machines := "machines"
		if len(g.members) == 2 {
			machines = "both machines"
		} else {
			machines = "all machines"
		}
		e.out.add("# Everything above and below is the same on " + machines + " and is checked to")
		e.out.add("# be so. Only what stands inside a member block may differ.")
	}
	for i, in := range g.members {
		if i > 0 {
			e.out.blank()
		}
		e.out.begin(fmt.Sprintf("member %q", in.m.label), "")
		e.own(g, in, "interface")
		e.out.attr("priority", in.fields["priority"])
		if s := in.fields["source_address"]; s.expr != "" {
			if own, _ := in.m.address(); in.source == own {
				s.expr = fmt.Sprintf("node.%s.address", in.m.label)
			}
			e.out.attr("source_address", s)
		}
		for _, key := range []string{"preempt", "preempt_delay", "start_delay"} {
			e.own(g, in, key)
		}
		if !equal(notify) && notify[i].expr != "" {
			e.out.attr("notify", notify[i])
		}
		if !equal(tracks) {
			e.tracks(in, []*instance{in})
		}
		e.out.end()
	}
}

// own writes what differs between members.
func (e *emitter) own(g *group, in *instance, key string) {
	if s := in.fields[key]; s.expr != "" && !equal(g.each(key)) {
		e.out.attr(key, s)
	}
}

func (e *emitter) vips(g *group) {
	e.out.blank()
	first := g.members[0]
	for _, v := range first.vips {
		var dirs []*directive
		devs := make([]setting, len(g.members))
		expr := v.expr
		for i, in := range g.members {
			for _, w := range in.vips {
				if w.prefix.Addr() != v.prefix.Addr() {
					continue
				}
				dirs = append(dirs, w.dir.parent, w.dir)
				if len(w.expr) > len(expr) {
					expr = w.expr
				}
				if w.dev != "" && w.dev != in.iface {
					devs[i] = set(quote(w.dev))
				}
			}
		}
		if equal(devs) && devs[0].expr == "" {
			e.out.add("vip { address = "+expr+" }", dirs...)
			continue
		}
		e.out.begin("vip", "vip", dirs...)
		e.out.add("address = "+expr, dirs...)
		e.out.attr("interface", byNode(g.machines(), devs, "null"))
		e.out.end()
	}
}

// trackSets is what each member tracks, to be compared.
func (g *group) trackSets() []setting {
	out := make([]setting, len(g.members))
	for i, in := range g.members {
		for _, t := range in.tracks {
			out[i].expr += fmt.Sprintf("%s %s;", t.script.label, t.weight.expr)
		}
	}
	return out
}

func (e *emitter) tracks(in *instance, all []*instance) {
	for _, t := range in.tracks {
		var dirs []*directive
		for _, other := range all {
			for _, u := range other.tracks {
				if u.script.label == t.script.label {
					dirs = append(dirs, u.dir.parent, u.dir)
				}
			}
		}
		if t.weight.expr == "" {
			e.out.add(fmt.Sprintf("track { script = script.%s }", t.script.label), dirs...)
			continue
		}
		e.out.begin("track", "track", dirs...)
		e.out.add("script = script."+t.script.label, dirs...)
		e.out.add("weight = "+t.weight.expr, dirs...)
		e.out.end()
	}
}

func (e *emitter) announce(g *group) {
	open := false
	for _, key := range []string{"repeat", "delay", "refresh"} {
		all := g.each("announce." + key)
		if e.opts.Explicit && equal(all) && all[0].expr == "" {
			all = g.each("announce." + key + " default")
		}
		s := byNode(g.machines(), all, map[string]string{"repeat": "5", "delay": `"5s"`, "refresh": `"60s"`}[key])
		if s.expr == "" {
			continue
		}
		if !open {
			open = true
			e.out.blank()
			e.out.begin("announce", "announce", s.dirs...)
		}
		e.out.attr(key, s)
	}
	if open {
		e.out.end()
	}
}
