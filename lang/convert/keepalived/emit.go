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

// settleMail decides whether the mail settings make a notify block, and judges them.
func (e *emitter) settleMail(labels map[string]bool) {
	for _, m := range e.machines {
		if m.readMail() {
			e.mailers = append(e.mailers, m)
		}
	}
	if len(e.mailers) > 0 {
		e.mail = unique(labels, "mail")
	}
}

// attached reports whether an instance tells by mail in the result.
func (e *emitter) attached(in *instance) bool {
	return slices.Contains(e.mailers, in.m) && (in.alert || e.opts.EnableMail)
}

// attachments judges smtp_alert and says of the recipients whether they hear anything.
func (e *emitter) attachments() {
	for _, m := range e.machines {
		any := false
		for _, in := range m.instances {
			if in.why != "" {
				continue
			}
			any = any || e.attached(in)
			if in.alert && in.alertDir != nil {
				if e.attached(in) {
					in.alertDir.say(Exact, "", "")
				} else {
					in.alertDir.say(NoEffect, "HA4008", "keepalived sends none without smtp_server and notification_email; so does the result")
				}
			}
		}
		if d := m.global.mail.block; d != nil && slices.Contains(e.mailers, m) && !any {
			d.said = &verdict{Exact, "", "kept but not attached: keepalived sends no mail without smtp_alert; -enable-mail attaches it"}
		} else if d != nil && any && e.opts.EnableMail && d.said != nil && d.said.kind == Exact {
			d.said = &verdict{Changed, "", "attached by -enable-mail: keepalived sends mail only with smtp_alert"}
			for _, in := range m.instances {
				if in.alert {
					d.said = &verdict{Exact, "", ""}
				}
			}
		}
	}
}

// readMail judges the mail settings of one machine; false: keepalived cannot send any.
func (m *machine) readMail() bool {
	g := &m.global.mail
	parts := []*directive{g.block, g.from, g.server, g.timeout, g.noFault}
	why, kind := "", NoEffect
	to := g.recipients()
	switch {
	case g.server == nil:
		why = "keepalived sends no mail without smtp_server"
	case len(g.to) == 0:
		why = "keepalived sends no mail without notification_email"
	case len(to) == 0:
		why, kind = "no recipient is a whole mail address", Unsupported
	case relay(g.server) == "":
		why, kind = "smtp_server is not HOST [PORT]", Unsupported
	}
	if why != "" {
		for _, d := range parts {
			if d != nil {
				d.said = nil
				d.whole(kind, "", "%s", why)
			}
		}
		return false
	}
	for _, d := range g.to {
		d.say(Exact, "", "")
	}
	for _, d := range parts {
		if d != nil {
			d.say(Exact, "", "")
		}
	}
	return true
}

// recipients are the words of notification_email: each is one address.
func (g *mail) recipients() []string {
	var out []string
	for _, d := range g.to {
		if d.kind != isEntry {
			continue
		}
		for _, w := range d.words {
			a := w.text
			if _, after, ok := strings.Cut(a, "<"); ok {
				a = strings.TrimSuffix(after, ">")
			}
			if !mailAddress(a) {
				d.say(Unsupported, "HA4008", "%s has no @: write the whole address", short(a))
				continue
			}
			out = append(out, a)
		}
	}
	return out
}

func mailAddress(a string) bool {
	return strings.Contains(a, "@") && !strings.ContainsAny(a, " \t\r\n<>,") && plain(a)
}

// relay is HOST:PORT of smtp_server HOST [PORT].
func relay(d *directive) string {
	host, port := d.arg(1), d.arg(2)
	if port == "" {
		port = "25"
	}
	if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
		host = "[" + a.String() + "]"
	}
	if host == "" || !plain(host) || strings.Trim(port, "0123456789") != "" || strings.Count(host, ":") > 0 && host[0] != '[' {
		return ""
	}
	return host + ":" + port
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

// mailBlock writes one block for all machines; what differs depends on self.name.
func (e *emitter) mailBlock() {
	var blocks []*directive
	gather := func(f func(*mail) setting) []setting {
		out := make([]setting, len(e.mailers))
		for i, m := range e.mailers {
			out[i] = f(&m.global.mail)
		}
		return out
	}
	for _, m := range e.mailers {
		blocks = append(blocks, m.global.mail.block.parent, m.global.mail.block)
	}
	on := gather(func(g *mail) setting {
		if g.noFault != nil {
			return set(list([]string{"active", "backup", "stop"}), g.noFault)
		}
		return set(list([]string{"active", "backup", "fault", "stop"}))
	})
	to := gather(func(g *mail) setting { return set(list(g.recipients()), g.to...) })
	from := gather(func(g *mail) setting {
		if g.from != nil && mailAddress(g.from.arg(1)) {
			return set(quote(g.from.arg(1)), g.from)
		}
		if g.from != nil {
			g.from.said = &verdict{Changed, "HA4008", "not a mail address: the result uses keepalived@ and the node's name"}
			return set(`"keepalived@${self.name}"`, g.from)
		}
		return set(`"keepalived@${self.name}"`)
	})
	server := gather(func(g *mail) setting { return set(quote(relay(g.server)), g.server) })
	timeout := gather(func(g *mail) setting {
		if g.timeout == nil {
			return setting{}
		}
		n, _, ok := number(g.timeout.arg(1))
		if !ok || n < 0 || n > 3600 {
			g.timeout.said = nil
			g.timeout.badNumber("seconds from 0 to 3600", "30")
			return set(`"30s"`, g.timeout)
		}
		return set(duration(max(n, 1)*1000), g.timeout)
	})
	name := fmt.Sprintf("notify %q", e.mail)
	e.out.begin(name, name, blocks...)
	e.out.attr("on", byNode(e.mailers, on, ""))
	e.out.add("")
	e.out.begin("email", "")
	e.out.attr("to", byNode(e.mailers, to, ""))
	e.out.attr("from", byNode(e.mailers, from, ""))
	e.out.attr("relay", byNode(e.mailers, server, ""))
	if t := byNode(e.mailers, timeout, `"30s"`); t.expr != "" {
		e.out.attr("timeout", t)
	}
	e.out.end()
	e.out.end()
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

// leftovers puts the comments of what has no line of its own next to a note about it, and
// a note about everything that this release cannot do: into the block around it if that
// is in the result, else at the end of the file.
func (e *emitter) leftovers() {
	var end []string
	elsewhere := e.statements()
	for _, m := range e.machines {
		m.root.walk(func(d *directive) {
			if d == m.root || d.line != nil || d.comment || d.lvs() && d.parent != m.root {
				return
			}
			noted := e.opts.Annotate && d.said != nil && d.said.kind != Exact
			left := d.said != nil && d.said.kind == Unsupported && !d.parent.lost()
			if d.kind == isConditional && elsewhere[place{m.src.name, d.n}] || d.bare() && !noted && !left {
				return
			}
			at := len(d.lead)
			lines := note(d, noted)
			if left {
				lines[at] = fmt.Sprintf("# %s: %s", d.place(), strings.TrimPrefix(lines[at], "# "))
			}
			if l := d.home(); l != nil {
				l.inner = appendNew(l.inner, lines)
			} else {
				end = appendNew(end, lines)
			}
		})
		for _, c := range m.root.tail {
			c.kept = true
			end = appendNew(end, []string{c.String()})
		}
	}
	if len(end) > 0 {
		e.out.section("left over")
		for _, s := range end {
			e.out.add(s)
		}
	}
}

type place struct {
	file string
	line int
}

// statements are the lines that mean something to at least one machine.
func (e *emitter) statements() map[place]bool {
	lines := map[place]bool{}
	for _, m := range e.machines {
		m.root.walk(func(d *directive) {
			if d.kind != isConditional {
				lines[place{m.src.name, d.n}] = true
			}
		})
	}
	return lines
}

// appendNew adds lines unless they stand there as one piece already.
func appendNew(have, lines []string) []string {
	for i := 0; i+len(lines) <= len(have); i++ {
		if slices.Equal(have[i:i+len(lines)], lines) {
			return have
		}
	}
	return append(have, lines...)
}

// bare reports that no comment stands beside the statement.
func (d *directive) bare() bool { return len(d.lead) == 0 && d.trail == nil && len(d.tail) == 0 }

// lost reports whether the block is not in the result as a whole.
func (d *directive) lost() bool {
	for ; d != nil && d.parent != nil; d = d.parent {
		if d.said != nil && d.said.kind == Unsupported {
			return true
		}
	}
	return false
}

// lvs reports whether the statement stands in a part that keepalived keeps.
func (d *directive) lvs() bool {
	for ; d.parent != nil; d = d.parent {
		if k := d.key(); k == "virtual_server" || k == "virtual_server_group" || k == "SSL" {
			return true
		}
	}
	return false
}

func (d *directive) place() string {
	if d.end > d.n {
		return fmt.Sprintf("%s:%d-%d", d.src.name, d.n, d.end)
	}
	return fmt.Sprintf("%s:%d", d.src.name, d.n)
}

// home is the open block of the result that the statement would stand in.
func (d *directive) home() *outLine {
	for p := d.parent; p != nil; p = p.parent {
		if p.key() == "global_defs" && !strings.HasPrefix(d.key(), "smtp_") && !strings.HasPrefix(d.key(), "notification_email") {
			return nil // only the mail settings have a block
		}
		if p.line != nil && p.line.close != nil && !p.context().list() {
			return p.line
		}
	}
	return nil
}

// annotate adds the verdict above a line that is not quite what the original says.
func (e *emitter) annotate() {
	for _, l := range e.out.lines {
		for _, d := range l.dirs {
			if d.line == l && d.said != nil && d.said.kind == Changed {
				s := fmt.Sprintf("# %s:%d: changed: %s", d.src.name, d.n, d.said.note)
				if !slices.Contains(l.lead, s) {
					l.lead = append(l.lead, s)
				}
			}
		}
	}
}
