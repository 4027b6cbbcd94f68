package keepalived

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"hafile/lang/diag"
	"hafile/lang/plan"
)

// group is one virtual router: the instances of all machines that are one on the wire.
type group struct {
	members  []*instance // in the order of the machines, one each
	standins []standInAt // peers whose files were not given
	label    string
	ref      string // what references call it: the label, with its key where for_each makes it
	key      string // of for_each, "" without
}

// like is how much two instances look like one virtual router; 0: they are not.
func like(a, b *instance) int {
	if a.vrid != b.vrid || a.six() != b.six() {
		return 0
	}
	score := 0
	if a.iface == b.iface {
		score += 4
	}
	if shares(a, b) {
		score += 3
	}
	if a.name == b.name {
		score += 2
	}
	return score
}

func shares(a, b *instance) bool {
	return slices.ContainsFunc(a.vips, func(v vip) bool { return b.vip(v.p.Address.Addr()) != nil })
}

// groups matches instances across machines by what the wire sees.
func groups(machines []*machine) []*group {
	var out []*group
	for _, m := range machines {
		taken := map[*group]bool{}
		for _, in := range m.instances {
			if in.why != "" {
				continue
			}
			var best *group
			score := 0
			for _, g := range out {
				if s := like(g.members[0], in); s > score && !taken[g] {
					best, score = g, s
				}
			}
			if best == nil {
				best = &group{}
				out = append(out, best)
			}
			taken[best] = true
			best.members = append(best.members, in)
		}
	}
	labels := map[string]bool{}
	for _, g := range out {
		g.label = unique(labels, label(g.members[0].name))
		g.ref = g.label
	}
	return out
}

// same are the settings that all machines must agree on, as keepalived calls them, and
// what happens today when they do not.
var same = []struct{ key, name, slot, today string }{
	{"version", "version", "version", "neither understands the other's adverts: both become master"},
	{"advert_int", "advert_int", "advert_int", "VRRPv2 drops adverts of another interval: both become master"},
	{"checksum", "v3_checksum_as_v2", "v3_checksum_as_v2", "each drops the other's adverts: both become master"},
	{"down_adverts", "down_timer_adverts", "down_timer_adverts", "they do not wait equally long"},
	{"transport", "unicast_peer", "", "one sends multicast and the other unicast: both become master"},
	{"multicast_group", "the multicast group", "mcast_dst_ip", "neither hears the other: both become master"},
	{"virtual_mac", "use_vmac", "use_vmac", "each takeover changes the MAC of the addresses"},
	{"accept", "accept", "accept", "the addresses answer on one node and not on the other"},
	{"ttl", "unicast_ttl", "unicast_ttl", "their adverts reach differently far"},
	{"min_ttl", "min_ttl", "", "they take different adverts"},
	{"max_ttl", "max_ttl", "", "they take different adverts"},
}

// secrets is who may speak, to be compared and never to be shown.
func (in *instance) secrets() string {
	s := fmt.Sprintf("%s %q %s %s %s %s", in.fields["auth.type"].expr, in.password, in.fields["auth.active_key"].expr,
		in.fields["auth.mode"].expr, in.fields["auth.anti_replay"].expr, in.fields["auth.window"].expr)
	for _, k := range in.keys {
		s += fmt.Sprintf(" %d %q %q", k.id, k.file, k.value)
	}
	return s
}

// agree reports what differs between the members and must not.
func (g *group) agree() {
	first := g.members[0]
	for _, in := range g.members[1:] {
		for _, s := range same {
			if a, b := first.fields[s.key], in.fields[s.key]; a.expr != b.expr {
				differ(first, in, s.name, first.place(s.key, s.slot), in.place(s.key, s.slot), s.today)
			}
		}
		if first.secrets() != in.secrets() {
			differ(first, in, "the authentication", first.authPlace(), in.authPlace(), "each drops the other's adverts: both become master")
		}
		g.agreeVIPs(first, in)
	}
}

func (g *group) agreeVIPs(a, b *instance) {
	only := func(x, y *instance) *vip {
		i := slices.IndexFunc(x.vips, func(v vip) bool { return y.vip(v.p.Address.Addr()) == nil })
		if i < 0 {
			return nil
		}
		return &x.vips[i]
	}
	va, vb := only(a, b), only(b, a)
	if va == nil && vb == nil {
		return
	}
	da, db := a.dir, b.dir
	if va != nil {
		da = va.dir
	}
	if vb != nil {
		db = vb.dir
	}
	differ(a, b, "the set of VIPs", da, db, "an address is lost, or added, each time the other node takes over")
}

// vip is the one with this address; nil if there is none.
func (in *instance) vip(a netip.Addr) *vip {
	for i := range in.vips {
		if in.vips[i].p.Address.Addr() == a {
			return &in.vips[i]
		}
	}
	return nil
}

// place is the line that sets something, else the instance's own.
func (in *instance) place(key, slot string) *directive {
	if d := in.slots[slot]; d != nil {
		return d
	}
	if dirs := in.fields[key].dirs; len(dirs) > 0 {
		return dirs[0]
	}
	return in.dir
}

func (in *instance) authPlace() *directive {
	for _, key := range []string{"auth.password", "auth.active_key"} {
		if dirs := in.fields[key].dirs; len(dirs) > 0 {
			return dirs[0]
		}
	}
	return in.dir
}

// differ reports a setting that two nodes have differently, with both places.
func differ(a, b *instance, what string, da, db *directive, today string) {
	if db != b.dir {
		db.said = &verdict{Changed, "HA4010", fmt.Sprintf("not what %s:%d says: %s must be the same", da.src.name, da.n, what)}
	}
	*a.m.src.diags = append(*a.m.src.diags, diag.Diagnostic{
		Severity: diag.Error, Code: "HA4010",
		Summary: fmt.Sprintf("%s must be the same on all nodes of instance %q", what, a.name),
		Detail: fmt.Sprintf("%s and %s differ, in %s:%d and %s:%d. With keepalived %s. Make them equal in the originals and convert again.",
			a.m.label, b.m.label, da.src.name, da.n, db.src.name, db.n, today),
		Range: db.where(), Node: b.m.label,
		Related: []diag.Related{{Range: *da.where(), Message: fmt.Sprintf("%s has it here", a.m.label)}},
	})
}

// strays reports instances of one name or one VIP that did not match, because their
// VRIDs differ: a fault that keeps both nodes master.
func strays(groups []*group) {
	for i, g := range groups {
		for _, h := range groups[i+1:] {
			a, b := g.members[0], h.members[0]
			overlap := slices.ContainsFunc(g.members, func(x *instance) bool {
				return slices.ContainsFunc(h.members, func(y *instance) bool { return x.m == y.m })
			})
			if !overlap && a.vrid != b.vrid && shares(a, b) {
				differ(a, b, "virtual_router_id", a.place("router_id", "virtual_router_id"), b.place("router_id", "virtual_router_id"), "both nodes become master")
			}
		}
	}
}

// twice settles what two instances of one machine must not share.
func (m *machine) twice() {
	wires := map[plan.WireKey]*instance{}
	for _, in := range m.instances {
		if in.why != "" {
			continue
		}
		key := in.wire()
		first := wires[key]
		switch {
		case first == nil:
			wires[key] = in
		case in.p.Transport == plan.Unicast && !slices.ContainsFunc(in.peers, func(p peer) bool { return first.hasPeer(p.addr) }):
			in.block(in.place("router_id", "virtual_router_id"), fmt.Sprintf("VRID %d on %s is that of %s too, which keepalived tells apart by its peers and hafile does not", in.vrid, in.iface, first.name))
			in.leaveOut()
			continue
		default:
			m.clash("HA4011", fmt.Sprintf("VRID %d is taken on %s", in.vrid, in.iface),
				"keepalived does not start with two instances of one VRID on one interface. Give one of them another and convert again.",
				in.place("router_id", "virtual_router_id"), first.place("router_id", "virtual_router_id"))
		}
	}
	for i, in := range m.instances {
		for _, first := range m.instances[:i] {
			if in.why == "" && first.why == "" {
				m.overlap(first, in)
			}
		}
	}
}

// overlap settles two instances of one machine that have an address in common, or one
// VRID where the same network seems to be behind both.
func (m *machine) overlap(a, b *instance) {
	var kept []vip
	for _, v := range b.vips {
		w := a.vip(v.p.Address.Addr())
		switch {
		case w == nil:
			kept = append(kept, v)
		case a.p.DeviceOf(w.p) != b.p.DeviceOf(v.p):
			a.apart, b.apart = true, true
			kept = append(kept, v)
		default:
			name := v.p.Address.Addr().String()
			v.dir.warn("HA4017", 0, name+" is a VIP of two instances",
				"With keepalived it goes away as soon as one of the two gives it up. The result gives it to %s alone (line %d). Remove it from one of them.", a.name, w.dir.n)
			v.dir.said = &verdict{Changed, "HA4017", fmt.Sprintf("left to %s, which has it in line %d: with keepalived it goes away as soon as one of the two gives it up", a.name, w.dir.n)}
		}
	}
	if b.vips = kept; !slices.ContainsFunc(kept, func(v vip) bool { return !v.p.Unadvertised }) {
		b.block(b.dir, "its addresses are those of "+a.name)
		b.leaveOut()
	}
	if a.vrid == b.vrid && a.six() == b.six() && a.iface != b.iface && oneNetwork(a, b) {
		a.apart, b.apart = true, true
	}
}

// oneNetwork reports whether the prefixes of two instances overlap.
func oneNetwork(a, b *instance) bool {
	return slices.ContainsFunc(a.vips, func(v vip) bool {
		return slices.ContainsFunc(b.vips, func(w vip) bool {
			return v.p.InstallPrefix > 0 && w.p.InstallPrefix > 0 && v.network().Overlaps(w.network())
		})
	})
}

func (v *vip) network() netip.Prefix {
	return netip.PrefixFrom(v.p.Address.Addr(), v.p.InstallPrefix).Masked()
}

// clash reports a statement that another one does not go with.
func (m *machine) clash(code, summary, detail string, at, first *directive) {
	m.clashes(diag.Error, code, summary, detail, at, first)
}

func (m *machine) clashes(severity diag.Severity, code, summary, detail string, at, first *directive) {
	*m.src.diags = append(*m.src.diags, diag.Diagnostic{
		Severity: severity, Code: code, Summary: summary, Detail: detail, Range: at.where(), Node: m.label,
		Related: []diag.Related{{Range: *first.where(), Message: "the first one is here"}},
	})
}

// clones reports machines with one address: a file that was copied and not adapted. With
// multicast keepalived runs all the same; with unicast each would be its own peer.
func clones(machines []*machine) {
	type owner struct {
		m  *machine
		at *directive
	}
	seen := map[netip.Addr]owner{}
	for _, m := range machines {
		for _, in := range m.instances {
			at := in.slots["source"]
			if in.why != "" || !in.source.IsValid() || at == nil {
				continue
			}
			switch first := seen[in.source]; {
			case first.m == nil:
				seen[in.source] = owner{m, at}
			case first.m != m:
				severity := diag.Warning
				if len(in.peers) > 0 {
					severity = diag.Error
				}
				m.clashes(severity, "HA4018", fmt.Sprintf("%s is the source address of two nodes", in.source),
					"Each machine needs its own: it decides between equals, and messages name it. The file of one of them seems to be copied; correct it and convert again.", at, first.at)
				seen[in.source] = owner{m, at} // once for each machine
			}
		}
	}
}

// each gathers one setting over the members, in their order.
func (g *group) each(key string) []setting {
	out := make([]setting, len(g.members))
	for i, in := range g.members {
		out[i] = in.fields[key]
	}
	return out
}

func equal(all []setting) bool {
	return !slices.ContainsFunc(all, func(s setting) bool { return s.expr != all[0].expr })
}

// joined is the setting that all share, with the lines of all of them.
func joined(all []setting) setting {
	out := setting{expr: all[0].expr}
	for _, s := range all {
		out.dirs = append(out.dirs, s.dirs...)
	}
	return out
}

// byNode writes a setting whose value depends on the node: { lb1 = ..., lb2 = ... }[self.name].
// The others get the default.
func byNode(machines []*machine, all []setting, def string, others ...string) setting {
	if equal(all) {
		return joined(all)
	}
	var parts []string
	out := setting{}
	for i, s := range all {
		expr := s.expr
		if expr == "" {
			expr = def
		}
		parts = append(parts, fmt.Sprintf("%s = %s", machines[i].label, expr))
		out.dirs = append(out.dirs, s.dirs...)
	}
	for _, label := range others {
		expr := def
		if expr == "" {
			expr = all[0].expr
		}
		parts = append(parts, fmt.Sprintf("%s = %s", label, expr))
	}
	out.expr = fmt.Sprintf("{ %s }[self.name]", strings.Join(parts, ", "))
	return out
}

// others are the members whose files were not given: an expression by node has a value for
// them too.
func (g *group) others() (labels []string) {
	for _, s := range g.standins {
		labels = append(labels, s.label)
	}
	return labels
}

// silent are all nodes but those that mail: the block is read for them too.
func (e *emitter) silent() (labels []string) {
	for _, m := range e.machines {
		if !slices.Contains(e.mailers, m) {
			labels = append(labels, m.label)
		}
	}
	for _, s := range e.standins {
		labels = append(labels, s.label)
	}
	return labels
}

func (g *group) machines() []*machine {
	out := make([]*machine, len(g.members))
	for i, in := range g.members {
		out[i] = in.m
	}
	return out
}

// mergedScript is one script block of the result: the definition that some machines share.
type mergedScript struct {
	label string
	name  string
	from  []*script
}

// mergeScripts makes one block of what is equal; a definition that differs gets one block
// for each variant, because a script knows no self.
func mergeScripts(machines []*machine) []*mergedScript {
	var out []*mergedScript
	var names []string
	byName := map[string][]*script{}
	owner := map[*script]*machine{}
	for _, m := range machines {
		for _, s := range m.scripts {
			if !s.used {
				continue
			}
			key := string(s.kind) + " " + s.name
			if byName[key] == nil {
				names = append(names, key)
			}
			byName[key] = append(byName[key], s)
			owner[s] = m
		}
	}
	labels := map[bool]map[string]bool{true: {}, false: {}} // of scripts, and of checks
	for _, key := range names {
		name := byName[key][0].name
		var variants []*mergedScript
		for _, s := range byName[key] {
			i := slices.IndexFunc(variants, func(v *mergedScript) bool { return v.from[0].same(s) })
			if i < 0 {
				variants = append(variants, &mergedScript{name: name})
				i = len(variants) - 1
			}
			variants[i].from = append(variants[i].from, s)
		}
		for _, v := range variants {
			want := label(name)
			if len(variants) > 1 {
				want += "_" + owner[v.from[0]].label
			}
			v.label = unique(labels[v.from[0].kind == aScript], want)
			for _, s := range v.from {
				s.label = v.label
			}
		}
		out = append(out, variants...)
	}
	return out
}

func (s *script) same(o *script) bool {
	for _, k := range scriptKeys {
		if s.fields[k].expr != o.fields[k].expr {
			return false
		}
	}
	return true
}

// mergedHook is one notify block with an exec.
type mergedHook struct {
	label string
	hook
	// only are the machines that call it; the others do nothing in its place. nil: all.
	only []*machine
}

// mergeHooks makes one block of each program that is called alike, wherever it is named.
func (e *emitter) mergeHooks(labels map[string]bool) {
	seen := map[string]*mergedHook{}
	add := func(key string, h hook, only []*machine) {
		if seen[key] == nil {
			seen[key] = &mergedHook{hook: hook{on: h.on, argv: h.argv, user: set(h.user.expr), who: h.who, bare: h.bare}, only: only}
			seen[key].label = unique(labels, h.name())
			e.hooks = append(e.hooks, seen[key])
		}
		seen[key].dirs = append(seen[key].dirs, h.dirs...)
	}
	for _, g := range e.groups {
		for _, in := range g.members {
			for _, h := range in.hooks {
				add(h.key(), h, nil)
			}
		}
	}
	for _, g := range e.sync {
		for _, s := range g.from {
			for _, h := range s.hooks {
				add(g.hookKey(&h), h, g.callers(&h))
			}
		}
	}
}

// callers are the machines of a group that call a hook; nil: all of them.
func (g *mergedGroup) callers(h *hook) (only []*machine) {
	for _, s := range g.from {
		if slices.ContainsFunc(s.hooks, func(o hook) bool { return o.key() == h.key() }) {
			only = append(only, s.m)
		}
	}
	if len(only) == len(g.from) {
		return nil
	}
	return only
}

// hookKey is the hook's own, and the group's where not all of its machines call it: whom
// a group tells must be the same on all of them.
func (g *mergedGroup) hookKey(h *hook) string {
	if g.callers(h) == nil {
		return h.key()
	}
	return h.key() + " " + g.label
}

// notifies is whom a group tells, and the lines that say so.
func (g *mergedGroup) notifies(e *emitter) setting {
	var refs []string
	for _, l := range g.listeners(e) {
		refs = append(refs, "notify."+l)
	}
	if len(refs) == 0 {
		return setting{}
	}
	return set("[" + strings.Join(refs, ", ") + "]")
}

// listeners are the notify blocks that a group tells.
func (g *mergedGroup) listeners(e *emitter) (labels []string) {
	if slices.ContainsFunc(g.from, func(s *syncGroup) bool { return e.mails(s) }) {
		labels = append(labels, e.mail)
	}
	for _, bare := range []bool{true, false} {
		for _, from := range g.from {
			for _, h := range from.hooks {
				l := e.hooks[slices.IndexFunc(e.hooks, func(m *mergedHook) bool { return m.is(g, &h) })].label
				if h.bare == bare && !slices.Contains(labels, l) {
					labels = append(labels, l)
				}
			}
		}
	}
	return labels
}

// is reports whether a block of the result is a group's hook.
func (m *mergedHook) is(g *mergedGroup, h *hook) bool {
	only := g.callers(h)
	return m.key() == h.key() && slices.Equal(m.only, only)
}

// mails reports whether a group tells by mail on its machine.
func (e *emitter) mails(s *syncGroup) bool {
	return slices.Contains(e.mailers, s.m) && (s.alert || e.opts.EnableMail)
}

func (h *hook) key() string {
	return fmt.Sprintf("%q %q %v %s", h.on, h.argv, h.bare, h.user.expr)
}

// name is what a person would call it: the program without its suffix, and the event.
func (h *hook) name() string {
	base := h.argv[0]
	if !h.bare && len(h.argv) == 4 && h.argv[3] == "fifo" {
		return "fifo"
	}
	if base == "/usr/bin/env" && len(h.argv) > 1 {
		base = h.argv[1]
	}
	base = base[strings.LastIndexByte(base, '/')+1:]
	if i := strings.IndexByte(base, '.'); i > 0 {
		base = base[:i]
	}
	if base == "notify" {
		base = "hook"
	}
	if len(h.on) < 4 {
		base += "_" + strings.Join(h.on, "_")
	}
	return label(base)
}

// exec is the command as hafile runs it. hafile appends INSTANCE name STATE priority to
// every hook, as keepalived does for `notify` only; a shell in between drops them.
func (h *hook) exec() []string {
	if !h.bare {
		return h.argv
	}
	words := make([]string, len(h.argv))
	for i, a := range h.argv {
		words[i] = shellQuote(a)
	}
	return []string{"/bin/sh", "-c", "exec " + strings.Join(words, " ")}
}
