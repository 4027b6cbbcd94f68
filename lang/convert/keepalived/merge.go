package keepalived

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"hafile/lang/diag"
)

// group is one virtual router: the instances of all machines that are one on the wire.
type group struct {
	members []*instance // in the order of the machines, one each
	label   string
}

// like is how much two instances look like one virtual router; 0: they are not.
func like(a, b *instance) int {
	if a.vrid != b.vrid {
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
	return slices.ContainsFunc(a.vips, func(v vip) bool {
		return slices.ContainsFunc(b.vips, func(w vip) bool { return v.prefix.Addr() == w.prefix.Addr() })
	})
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
}

// agree reports what differs between the members and must not.
func (g *group) agree() {
	first := g.members[0]
	for _, in := range g.members[1:] {
		for _, s := range same {
			if a, b := first.fields[s.key], in.fields[s.key]; a.expr != b.expr {
				differ(first, in, s.name, first.place(s.slot), in.place(s.slot), s.today)
			}
		}
		if string(first.password) != string(in.password) {
			differ(first, in, "the authentication", first.authPlace(), in.authPlace(), "each drops the other's adverts: both become master")
		}
		g.agreeVIPs(first, in)
	}
}

func (g *group) agreeVIPs(a, b *instance) {
	only := func(x, y *instance) *vip {
		i := slices.IndexFunc(x.vips, func(v vip) bool {
			return !slices.ContainsFunc(y.vips, func(w vip) bool { return w.prefix.Addr() == v.prefix.Addr() })
		})
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

// place is the line that sets something, else the instance's own.
func (in *instance) place(slot string) *directive {
	if d := in.slots[slot]; d != nil {
		return d
	}
	return in.dir
}

func (in *instance) authPlace() *directive {
	if dirs := in.fields["auth.password"].dirs; len(dirs) > 0 {
		return dirs[0]
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
				differ(a, b, "virtual_router_id", a.place("virtual_router_id"), b.place("virtual_router_id"), "both nodes become master")
			}
		}
	}
}

// twice reports what two instances of one machine must not share.
func twice(m *machine) {
	type wire struct {
		iface string
		vrid  int64
	}
	vips, wires := map[string]*vip{}, map[wire]*instance{}
	for _, in := range m.instances {
		if in.why != "" {
			continue
		}
		key := wire{in.iface, in.vrid}
		if first := wires[key]; first != nil {
			m.clash("HA4011", fmt.Sprintf("VRID %d is taken on %s", in.vrid, in.iface),
				"keepalived does not start with two instances of one VRID on one interface. Give one of them another and convert again.",
				in.place("virtual_router_id"), first.place("virtual_router_id"))
		} else {
			wires[key] = in
		}
		for i := range in.vips {
			v := &in.vips[i]
			name := v.prefix.Addr().String()
			if first := vips[name]; first != nil {
				m.clash("HA4017", name+" is a VIP of two instances",
					"With keepalived it goes away as soon as one of the two gives it up. Remove it from one of them and convert again.", v.dir, first.dir)
			} else {
				vips[name] = v
			}
		}
	}
}

// clash reports a statement that another one does not go with.
func (m *machine) clash(code, summary, detail string, at, first *directive) {
	*m.src.diags = append(*m.src.diags, diag.Diagnostic{
		Severity: diag.Error, Code: code, Summary: summary, Detail: detail, Range: at.where(), Node: m.label,
		Related: []diag.Related{{Range: *first.where(), Message: "the first one is here"}},
	})
}

// clones reports machines with one address: a file that was copied and not adapted.
func clones(machines []*machine) {
	seen := map[netip.Addr]*directive{}
	for _, m := range machines {
		a, at := m.address()
		if !a.IsValid() {
			continue
		}
		if first := seen[a]; first != nil {
			m.clash("HA4018", fmt.Sprintf("%s is the source address of two nodes", a),
				"Each machine needs its own; the file of one of them seems to be copied. Correct it and convert again.", at, first)
		} else {
			seen[a] = at
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
func byNode(machines []*machine, all []setting, def string) setting {
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
	out.expr = fmt.Sprintf("{ %s }[self.name]", strings.Join(parts, ", "))
	return out
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
			if byName[s.name] == nil {
				names = append(names, s.name)
			}
			byName[s.name] = append(byName[s.name], s)
			owner[s] = m
		}
	}
	labels := map[string]bool{}
	for _, name := range names {
		var variants []*mergedScript
		for _, s := range byName[name] {
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
			v.label = unique(labels, want)
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
}

// mergeHooks makes one block of each program that is called alike, wherever it is named.
func mergeHooks(groups []*group, labels map[string]bool) []*mergedHook {
	var out []*mergedHook
	seen := map[string]*mergedHook{}
	for _, g := range groups {
		for _, in := range g.members {
			for _, h := range in.hooks {
				key := h.key()
				if seen[key] == nil {
					seen[key] = &mergedHook{hook: hook{on: h.on, argv: h.argv, user: set(h.user.expr), bare: h.bare}}
					seen[key].label = unique(labels, h.name())
					out = append(out, seen[key])
				}
				seen[key].dirs = append(seen[key].dirs, h.dirs...)
			}
		}
	}
	return out
}

func (h *hook) key() string {
	return fmt.Sprintf("%q %q %v %s", h.on, h.argv, h.bare, h.user.expr)
}

// name is what a person would call it: the program without its suffix, and the event.
func (h *hook) name() string {
	base := h.argv[0]
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
