package keepalived

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"hafile/lang/plan"
)

// emitter writes the machines as one configuration.
type emitter struct {
	out        output
	opts       Options
	machines   []*machine
	groups     []*group
	sync       []*mergedGroup
	standins   []*standIn
	scripts    []*mergedScript
	hooks      []*mergedHook
	mail       string // label of the notify block with the mail, "" if there is none
	mailers    []*machine
	nodeLabels map[string]bool
	secrets    []Secret
	notes      []string
	said       bool // the sentence about member blocks
}

// merge makes one fleet of the machines.
func (e *emitter) merge() {
	e.nodeLabels = map[string]bool{}
	for _, m := range e.machines {
		e.nodeLabels[m.label] = true
	}
	clones(e.machines)
	e.groups = groups(e.machines)
	strays(e.groups)
	for _, g := range e.groups {
		g.agree()
	}
	e.placeNodes()
	e.scripts = mergeScripts(e.machines)
	labels := map[string]bool{}
	e.settleMail(labels)
	e.mergeSyncGroups()
	e.joinStandIns()
	e.unevenGroups()
	e.strangers()
	e.mergeHooks(labels)
}

func (e *emitter) emit() {
	e.merge()
	e.out.begin("hafile", "")
	e.out.add(`required_version = ">= 0.1"`)
	e.out.end()
	e.nodes()
	e.health()
	e.notifications()
	if len(e.groups) > 0 {
		e.out.section("VRRP")
	}
	e.instances()
	for _, g := range e.sync {
		e.out.blank()
		e.syncGroup(g)
	}
}

func (e *emitter) nodes() {
	e.out.section("machines")
	type machineNode struct {
		label string
		attrs []string
		dirs  []*directive
	}
	var all []machineNode
	for _, m := range e.machines {
		n := machineNode{label: m.label}
		if m.name != m.label {
			n.attrs = append(n.attrs, "match = "+list([]string{m.name}))
		}
		if m.address.IsValid() {
			n.attrs = append(n.attrs, "address = "+quote(m.address.String()))
		}
		if m.address6.IsValid() {
			n.attrs = append(n.attrs, "address6 = "+quote(m.address6.String()))
		}
		if m.netns != nil {
			n.attrs = append(n.attrs, "netns = "+quote(m.netns.arg(1)))
			n.dirs = append(n.dirs, m.netns)
		}
		all = append(all, n)
	}
	for _, s := range e.standins {
		n := machineNode{label: s.label, dirs: s.dirs}
		for i, key := range []string{"address", "address6"} {
			if a := s.address(i == 1); a.IsValid() {
				n.attrs = append(n.attrs, fmt.Sprintf("%s = %s", key, quote(a.String())))
			}
		}
		if s.other {
			n.attrs = append(n.attrs, `speaks = "other"`)
		}
		all = append(all, n)
	}
	for i, n := range all {
		head := fmt.Sprintf("node %q", n.label)
		switch len(n.attrs) {
		case 0:
			e.out.add(head + " {}")
		case 1:
			e.out.add(head+" { "+n.attrs[0]+" }", n.dirs...)
		default:
			e.out.begin(head, "", n.dirs...)
			for _, a := range n.attrs {
				e.out.add(a)
			}
			e.out.end()
			if i < len(all)-1 {
				e.out.blank()
			}
		}
	}
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
		kind := "script"
		if s.from[0].kind != aScript {
			kind = "check"
		}
		e.out.begin(fmt.Sprintf("%s %q", kind, s.label), fmt.Sprintf("%s %q", kind, s.label), dirs...)
		e.probe(s)
		for _, key := range scriptKeys {
			if !strings.Contains(key, ".") {
				e.scriptAttr(s, key, key)
			}
		}
		e.out.end()
	}
}

// probe writes the block that says what a check asks.
func (e *emitter) probe(s *mergedScript) {
	open := ""
	for _, key := range scriptKeys {
		block, arg, nested := strings.Cut(key, ".")
		if !nested || s.from[0].fields[key].expr == "" {
			continue
		}
		if open == "" {
			e.out.begin(block, "")
			open = block
		}
		e.scriptAttr(s, key, arg)
	}
	if open != "" {
		e.out.end()
	}
}

func (e *emitter) scriptAttr(s *mergedScript, key, arg string) {
	all := make([]setting, len(s.from))
	for i, f := range s.from {
		if all[i] = f.fields[key]; all[i].expr == "" && e.opts.Explicit {
			all[i] = f.fields[key+" default"]
		}
	}
	if all[0].expr == "" {
		return
	}
	l := e.out.attr(arg, joined(all))
	if key == "weight" && s.from[0].kind != aFile {
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
				if t.script != nil && t.script.kind == s.from[0].kind && t.script.label == s.label {
					if weight, tracked = t.value, true; t.reverse {
						return ""
					}
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
	l := e.out.attr("command", set(e.command(h)))
	if h.bare {
		l.remark = "no arguments are appended, as in keepalived"
	}
	if h.user.expr != "" {
		e.out.attr("user", h.user)
	}
	e.out.end()
	e.out.end()
}

// command of a hook; where only some machines call it, the others do nothing.
func (e *emitter) command(h *mergedHook) string {
	if h.only == nil {
		return list(h.exec())
	}
	var parts []string
	for _, m := range e.machines {
		parts = append(parts, fmt.Sprintf("%s = %s", m.label, list(h.run(m))))
	}
	for _, s := range e.standins {
		parts = append(parts, fmt.Sprintf(`%s = ["/bin/true"]`, s.label))
	}
	return fmt.Sprintf("{ %s }[self.name]", strings.Join(parts, ", "))
}

// run is what a hook runs on a machine.
func (h *mergedHook) run(m *machine) []string {
	if h.only != nil && !slices.Contains(h.only, m) {
		return []string{"/bin/true"}
	}
	return h.exec()
}

// instances writes the virtual routers; what a sequence made becomes one block.
func (e *emitter) instances() {
	for i := 0; i < len(e.groups); {
		n := e.run(i)
		if i > 0 {
			e.out.blank()
		}
		if n > 1 && e.folded(e.groups[i:i+n]) {
			i += n
			continue
		}
		e.instance(e.groups[i])
		i++
	}
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
			if g.members[0].p.Auth.Type == plan.AuthAH {
				l.remark = "AH exists in VRRPv2 only"
			}
		}
	}
	for _, key := range []string{"advert_int", "transport", "ttl", "min_ttl", "max_ttl", "multicast_group", "checksum", "down_adverts"} {
		e.shared(g, key, "")
	}
	for _, key := range []string{"preempt", "preempt_delay", "start_delay", "accept", "virtual_mac"} {
		e.shared(g, key, "")
	}
	if g.members[0].apart {
		e.out.attr("segment", set(quote(g.members[0].iface)))
	}
	notify := g.notifies(e)
	if equal(notify) && notify[0].expr != "" {
		e.out.attr("notify", joined(notify))
	}
	e.auth(g)
	tracks := g.trackSets()
	e.members(g, notify, tracks)
	e.vips(g)
	e.routes(g)
	e.rules(g)
	if equal(tracks) {
		e.tracks(g.members[0].allTracks(), g.members)
	}
	e.announce(g)
	e.out.end()
}

// syncGroup writes one sync group.
func (e *emitter) syncGroup(g *mergedGroup) {
	var dirs, lists []*directive
	for _, s := range g.from {
		dirs = append(dirs, s.dir)
		if d := s.slots["group"]; d != nil {
			lists = append(lists, d)
			lists = append(lists, d.body...)
		}
		if s.name != g.label {
			s.dir.said = &verdict{kind: Changed, note: fmt.Sprintf("called %s in the result", g.label)}
		}
	}
	name := fmt.Sprintf("sync_group %q", g.label)
	e.out.begin(name, name, dirs...)
	var refs []string
	for _, r := range g.refs {
		refs = append(refs, "instance."+r.ref)
	}
	e.out.attr("instances", set("["+strings.Join(refs, ", ")+"]", lists...))
	if s := g.notifies(e); s.expr != "" {
		for _, from := range g.from {
			if from.alerter != nil && from.alerter.parent == from.dir {
				s.dirs = append(s.dirs, from.alerter)
			}
		}
		e.out.attr("notify", s)
	}
	if !g.apart && len(g.from[0].tracks) > 0 {
		e.out.blank()
		e.trackBlocks(g.from[0].tracks, func(t *track) (dirs []*directive) {
			for _, s := range g.from {
				dirs = append(dirs, trackDirs(s.tracks, t)...)
			}
			return dirs
		})
	}
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
		if e.attached(in) && in.alertDir != nil && in.alert {
			out[i].dirs = append(out[i].dirs, in.alertDir)
		}
		var refs []string
		for _, l := range e.listeners(in) {
			refs = append(refs, "notify."+l)
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
		switch dirs := in.fields["auth.type"].dirs; len(dirs) {
		case 2:
			blocks, types = append(blocks, dirs[0]), append(types, dirs[1])
		case 1:
			blocks = append(blocks, dirs[0])
		}
		passwords = append(passwords, in.fields["auth.password"].dirs...)
	}
	first := g.members[0]
	if first.p.Auth == nil {
		return
	}
	e.out.blank()
	e.out.begin("auth", "auth", blocks...)
	e.out.add("type = "+first.fields["auth.type"].expr, types...)
	if first.p.Auth.Type == plan.AuthHMAC {
		for _, key := range []string{"active_key", "mode", "anti_replay", "window"} {
			if s := joined(g.each("auth." + key)); s.expr != "" {
				e.out.attr(key, s)
			}
		}
		for _, k := range first.keys {
			var dirs []*directive
			for _, in := range g.members {
				if o := in.key(k.id); o != nil {
					dirs = append(dirs, o.dir)
				}
			}
			e.out.blank()
			e.out.begin("key", "key", dirs...)
			e.out.add(fmt.Sprintf("id = %d", k.id))
			e.out.add("secret = " + e.keySecret(g, k))
			e.out.end()
		}
		e.out.end()
		return
	}
	if e.opts.InlineSecrets && plain(string(first.password)) {
		e.out.add("password = "+quote(string(first.password)), passwords...)
	} else {
		e.secrets = append(e.secrets, Secret{Name: g.credential(), Value: first.password})
		e.out.add(fmt.Sprintf("password = credential(%q)", g.credential()), passwords...).remark = "never in this file, a plan or a log"
	}
	e.out.end()
}

func (g *group) credential() string { return "vrrp-" + g.label }

// keySecret is where a key of auth_hmac is found on the node.
func (e *emitter) keySecret(g *group, k hmacKey) string {
	s := e.key(g, k)
	if s.Credential != "" {
		e.secrets = append(e.secrets, Secret{Name: s.Credential, Value: k.value})
		return fmt.Sprintf("credential(%q)", s.Credential)
	}
	if s.File != "" {
		return fmt.Sprintf("secret_file(%s)", quote(s.File))
	}
	return quote(s.Value)
}

func (e *emitter) key(g *group, k hmacKey) plan.Secret {
	switch {
	case k.file != "":
		return plan.Secret{File: k.file}
	case e.opts.InlineSecrets && plain(string(k.value)) && !strings.HasPrefix(string(k.value), "hex:"):
		return plan.Secret{Value: string(k.value)}
	}
	return plan.Secret{Credential: fmt.Sprintf("%s-key%d", g.credential(), k.id)}
}

func (e *emitter) members(g *group, notify, tracks []setting) {
	e.out.blank()
	for i, in := range g.members {
		if i > 0 {
			e.out.blank()
		}
		l := e.out.begin(fmt.Sprintf("member %q", in.m.label), "")
		if !e.said && len(g.members) > 1 {
			e.said = true
			machines := "all machines"
			if len(g.members) == 2 {
				machines = "both machines"
			}
			l.lead = []string{"# Everything above and below is the same on " + machines + " and is checked to",
				"# be so. Only what stands inside a member block may differ."}
		}
		e.own(g, in, "interface")
		e.out.attr("priority", in.fields["priority"])
		if s := in.fields["source_address"]; s.expr != "" {
			switch in.source {
			case in.m.address:
				s.expr = fmt.Sprintf("node.%s.address", in.m.label)
			case in.m.address6:
				s.expr = fmt.Sprintf("node.%s.address6", in.m.label)
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
			e.tracks(in.allTracks(), []*instance{in})
		}
		e.out.end()
	}
	for _, s := range g.standins {
		e.out.blank()
		const known = "its priority stands in its own keepalived.conf"
		var attrs []string
		if s.priority != 0 {
			attrs = append(attrs, fmt.Sprintf("priority = %d", s.priority))
		}
		if s.addr.IsValid() && s.addr != s.address(s.addr.Is6()) {
			attrs = append(attrs, "source_address = "+quote(s.addr.String()))
		}
		switch head := fmt.Sprintf("member %q", s.label); len(attrs) {
		case 0:
			e.out.add(head + " {}").remark = known
		case 1:
			e.out.add(head + " { " + attrs[0] + " }").remark = known
		default:
			e.out.begin(head, "").lead = []string{"# " + upper(known) + "."}
			for _, a := range attrs {
				e.out.add(a)
			}
			e.out.end()
		}
	}
}

// own writes what differs between members.
func (e *emitter) own(g *group, in *instance, key string) {
	if s := in.fields[key]; s.expr != "" && !equal(g.each(key)) {
		e.out.attr(key, s)
	}
}

// vips writes the addresses, those that are not advertised last.
func (e *emitter) vips(g *group) {
	e.out.blank()
	first := g.members[0]
	for i := 0; i < len(first.vips); {
		if n := first.series(i); n > 2 && e.range_(g, first.vips[i:i+n]) {
			i += n
			continue
		}
		e.vip(g, &first.vips[i])
		i++
	}
}

func (e *emitter) vip(g *group, v *vip) {
	var dirs []*directive
	n := len(g.members)
	device, install, labels, scope := make([]setting, n), make([]setting, n), make([]setting, n), make([]setting, n)
	expr := v.expr
	for i, in := range g.members {
		w := in.vip(v.p.Address.Addr())
		if w == nil {
			continue
		}
		dirs = append(dirs, w.dir.parent, w.dir)
		if len(w.expr) > len(expr) {
			expr = w.expr
		}
		if w.p.Interface != "" {
			device[i].expr = quote(w.p.Interface)
		}
		if w.p.InstallPrefix != 0 {
			install[i].expr = "true"
		}
		if w.p.Label != "" {
			labels[i].expr = quote(w.p.Label)
		}
		if w.p.Scope != "" {
			scope[i].expr = quote(w.p.Scope)
		}
	}
	attrs := []struct {
		name string
		s    setting
	}{
		{"interface", byNode(g.machines(), device, "null", g.others()...)}, {"install_prefix", byNode(g.machines(), install, "false", g.others()...)},
		{"label", byNode(g.machines(), labels, "null", g.others()...)}, {"scope", byNode(g.machines(), scope, `"global"`, g.others()...)},
		{"advertise", setting{}},
	}
	if v.p.Unadvertised {
		attrs[4].s.expr = "false"
	}
	single := true
	for _, a := range attrs {
		single = single && a.s.expr == ""
	}
	if single {
		e.out.add("vip { address = "+expr+" }", dirs...).param(v.dir, 0, expr)
		return
	}
	e.out.begin("vip", "vip", dirs...)
	e.out.add("address = "+expr, dirs...).param(v.dir, 0, expr)
	for _, a := range attrs {
		if a.s.expr != "" {
			e.out.add(a.name + " = " + a.s.expr)
		}
	}
	e.out.end()
}

// routes writes one block for each route; what only some machines have is there for them.
func (e *emitter) routes(g *group) {
	var all []plan.Route
	for _, in := range g.members {
		for _, r := range in.routes {
			if !slices.ContainsFunc(all, func(o plan.Route) bool { return o.Key() == r.p.Key() }) {
				all = append(all, r.p)
			}
		}
	}
	for _, p := range all {
		e.out.blank()
		var have []*route
		for _, in := range g.members {
			var found *route
			for i := range in.routes {
				if in.routes[i].p.Key() == p.Key() {
					found = &in.routes[i]
				}
			}
			have = append(have, found)
		}
		e.route(g, have)
	}
}

func (e *emitter) route(g *group, have []*route) {
	b := block{e: e, g: g, name: "route"}
	for _, r := range have {
		b.has = append(b.has, r != nil)
		if r != nil {
			b.dirs = append(b.dirs, r.dir.parent, r.dir)
		}
	}
	value := func(f func(*route) string) (all []string) {
		for _, r := range have {
			if r == nil {
				all = append(all, "")
				continue
			}
			all = append(all, f(r))
		}
		return all
	}
	word := func(s string) string {
		if s == "" {
			return ""
		}
		return quote(s)
	}
	b.attr("to", value(func(r *route) string { return quote(r.dest) }))
	b.attr("type", value(func(r *route) string { return word(r.p.Type) }))
	b.attr("from", value(func(r *route) string { return prefixExpr(r.p.From) }))
	b.attr("via", value(func(r *route) string { return addrExpr(r.p.Via) }))
	b.attr("interface", value(func(r *route) string { return word(r.p.Interface) }))
	b.attr("source", value(func(r *route) string { return addrExpr(r.p.Source) }))
	b.attr("table", value(func(r *route) string { return numberExpr(r.p.Table) }))
	b.attr("metric", value(func(r *route) string { return numberExpr(r.p.Metric) }))
	b.attr("scope", value(func(r *route) string { return word(r.p.Scope) }))
	b.attr("mtu", value(func(r *route) string { return numberExpr(r.p.MTU) }))
	b.attr("onlink", value(func(r *route) string { return boolExpr(r.p.OnLink) }))
	hops := value(func(r *route) string { return fmt.Sprint(r.p.NextHops) })
	b.apart = slices.ContainsFunc(hops, func(s string) bool { return s != "" && s != firstOf(hops) })
	b.write(func(i int) {
		r := have[max(i, 0)]
		for j := 0; i < 0 && r == nil; j++ {
			r = have[j]
		}
		for _, h := range r.p.NextHops {
			e.out.begin("nexthop", "")
			for _, a := range [][2]string{{"via", addrExpr(h.Via)}, {"interface", word(h.Interface)}, {"weight", numberExpr(uint32(h.Weight))}, {"onlink", boolExpr(h.OnLink)}} {
				if a[1] != "" {
					e.out.add(a[0] + " = " + a[1])
				}
			}
			e.out.end()
		}
	})
}

func firstOf(all []string) string {
	for _, s := range all {
		if s != "" {
			return s
		}
	}
	return ""
}

func addrExpr(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return quote(a.String())
}

func prefixExpr(p netip.Prefix) string {
	if !p.IsValid() {
		return ""
	}
	return quote(p.String())
}

func numberExpr(n uint32) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

func boolExpr(b bool) string {
	if b {
		return "true"
	}
	return ""
}

// rules writes one block for each rule.
func (e *emitter) rules(g *group) {
	var all []plan.Rule
	for _, in := range g.members {
		for _, r := range in.rules {
			if !slices.ContainsFunc(all, func(o plan.Rule) bool { return o.Key() == r.p.Key() }) {
				all = append(all, r.p)
			}
		}
	}
	for _, p := range all {
		e.out.blank()
		b := block{e: e, g: g, name: "rule"}
		have := make([]*rule, len(g.members))
		for i, in := range g.members {
			for j := range in.rules {
				if in.rules[j].p.Key() == p.Key() {
					have[i] = &in.rules[j]
					b.dirs = append(b.dirs, in.rules[j].dir.parent, in.rules[j].dir)
				}
			}
			b.has = append(b.has, have[i] != nil)
		}
		add := func(name string, f func(plan.Rule) string) {
			values := make([]string, len(have))
			for i, r := range have {
				if r != nil {
					values[i] = f(r.p)
				}
			}
			b.attr(name, values)
		}
		word := func(s string) string {
			if s == "" {
				return ""
			}
			return quote(s)
		}
		add("priority", func(r plan.Rule) string { return numberExpr(r.Priority) })
		add("not", func(r plan.Rule) string { return boolExpr(r.Not) })
		add("from", func(r plan.Rule) string { return prefixExpr(r.From) })
		add("to", func(r plan.Rule) string { return prefixExpr(r.To) })
		add("iif", func(r plan.Rule) string { return word(r.IIF) })
		add("oif", func(r plan.Rule) string { return word(r.OIF) })
		add("mark", func(r plan.Rule) string { return numberExpr(r.Mark) })
		add("mask", func(r plan.Rule) string { return numberExpr(r.Mask) })
		add("table", func(r plan.Rule) string { return numberExpr(r.Table) })
		add("action", func(r plan.Rule) string { return word(r.Action) })
		add("suppress_prefix", func(r plan.Rule) string {
			if r.SuppressPrefix == nil {
				return ""
			}
			return fmt.Sprint(*r.SuppressPrefix)
		})
		b.write(nil)
	}
}

// block is a nested block that not all machines have, or not alike: dynamic is the
// language's word for one that is there or not.
type block struct {
	e     *emitter
	g     *group
	name  string
	has   []bool // by member
	attrs []blockAttr
	dirs  []*directive
	apart bool // its inner blocks differ
}

type blockAttr struct {
	name   string
	values []string // by member, "" where it is not written
}

func (b *block) attr(name string, values []string) {
	if firstOf(values) != "" {
		b.attrs = append(b.attrs, blockAttr{name, values})
	}
}

func (b *block) write(inner func(member int)) {
	out := &b.e.out
	if b.apart {
		for i, in := range b.g.members {
			if b.has[i] {
				b.dynamic([]string{in.m.label}, i, inner)
			}
		}
		return
	}
	var only []string
	for i, in := range b.g.members {
		if b.has[i] {
			only = append(only, in.m.label)
		}
	}
	if len(only) < len(b.g.members) {
		b.dynamic(only, -1, inner)
		return
	}
	out.begin(b.name, b.name, b.dirs...)
	b.body(-1, inner)
	out.end()
}

// dynamic writes the block for some machines.
func (b *block) dynamic(only []string, member int, inner func(int)) {
	out := &b.e.out
	out.begin(fmt.Sprintf("dynamic %q", b.name), b.name, b.dirs...)
	out.add(fmt.Sprintf("for_each = contains(%s, self.name) ? [self.name] : []", list(only)))
	out.begin("content", "")
	b.body(member, inner)
	out.end()
	out.end()
}

func (b *block) body(member int, inner func(int)) {
	for _, a := range b.attrs {
		if member >= 0 {
			if a.values[member] != "" {
				b.e.out.add(a.name + " = " + a.values[member])
			}
			continue
		}
		same, first := true, ""
		for i, v := range a.values {
			if b.has[i] && first == "" {
				first = v
			}
			same = same && (!b.has[i] || v == a.values[slices.Index(b.has, true)])
		}
		if same {
			if first != "" {
				b.e.out.add(a.name + " = " + first)
			}
			continue
		}
		var parts []string
		for i, v := range a.values {
			if v == "" {
				v = "null"
			}
			parts = append(parts, fmt.Sprintf("%s = %s", b.g.members[i].m.label, v))
		}
		for _, label := range b.g.others() {
			parts = append(parts, fmt.Sprintf("%s = %s", label, first))
		}
		b.e.out.add(fmt.Sprintf("%s = { %s }[self.name]", a.name, strings.Join(parts, ", ")))
	}
	if inner != nil {
		inner(member)
	}
}

// allTracks is what a member tracks itself: its own, and its group's where the nodes of
// the group do not track the same.
func (in *instance) allTracks() []track {
	if in.group == nil || in.group.merged == nil || !in.group.merged.apart {
		return in.tracks
	}
	out := slices.Clone(in.tracks)
	for _, t := range in.group.tracks {
		if !slices.ContainsFunc(out, func(o track) bool { return o.ref() == t.ref() }) {
			out = append(out, t)
		}
	}
	return out
}

// trackSets is what each member tracks, to be compared.
func (g *group) trackSets() []setting {
	out := make([]setting, len(g.members))
	for i, in := range g.members {
		for _, t := range in.allTracks() {
			out[i].expr += t.key() + ";"
		}
	}
	return out
}

func (e *emitter) tracks(list []track, all []*instance) {
	e.trackBlocks(list, func(t *track) (dirs []*directive) {
		for _, other := range all {
			dirs = append(dirs, trackDirs(other.allTracks(), t)...)
		}
		return dirs
	})
}

// trackDirs are the lines of a list that say a tracker.
func trackDirs(list []track, t *track) (dirs []*directive) {
	for _, u := range list {
		if u.ref() == t.ref() {
			dirs = append(dirs, u.dir.parent, u.dir)
		}
	}
	return dirs
}

func (e *emitter) trackBlocks(list []track, dirsOf func(*track) []*directive) {
	for i := range list {
		t := &list[i]
		dirs := dirsOf(t)
		target, usual := "", int64(0)
		switch {
		case t.script == nil:
			target = "interface = " + quote(t.iface)
		default:
			target = strings.SplitN(t.ref(), ".", 2)[0] + " = " + t.ref()
			usual = t.script.weight
		}
		if t.value == usual && !t.reverse {
			e.out.add("track { "+target+" }", dirs...)
			continue
		}
		e.out.begin("track", "track", dirs...)
		l := e.out.add(target, dirs...)
		if t.script == nil {
			l.param(t.dir, 0, quote(t.iface))
		}
		if t.value != usual {
			e.out.add(fmt.Sprintf("weight = %d", t.value), dirs...)
		}
		if t.reverse {
			e.out.add("reverse = true", dirs...)
		}
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
		s := byNode(g.machines(), all, map[string]string{"repeat": "5", "delay": `"5s"`, "refresh": `"60s"`}[key], g.others()...)
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
