package keepalived

import (
	"fmt"
	"slices"

	"hafile/lang/diag"
	"hafile/lang/plan"
)

// track is one tracker of an instance or a sync group.
type track struct {
	script  *script // nil for an interface
	iface   string
	value   int64
	reverse bool
	dir     *directive
}

// ref is what the tracker is called in the result.
func (t *track) ref() string {
	switch {
	case t.script == nil:
		return "interface " + t.iface
	case t.script.kind == aScript:
		return "script." + t.script.label
	}
	return "check." + t.script.label
}

// key is the whole tracker, to be compared.
func (t *track) key() string { return fmt.Sprintf("%s %d %v", t.ref(), t.value, t.reverse) }

// planned is the tracker as a plan has it.
func (t *track) planned() plan.Track {
	a := plan.Addr(t.ref())
	if t.script == nil {
		a = plan.Addr("interface." + t.iface)
	}
	return plan.Track{Check: a, Weight: int(t.value), Reverse: t.reverse}
}

// tracked is what the trackers of an instance or group are read against.
type tracked struct {
	m     *machine
	what  string // "this instance", "this group"
	iface string // the instance's own interface, which needs no tracker
	owner bool   // priority 255, which nothing moves
	known func(*script) bool
	list  []track
}

var trackBlocks = []string{"track_script", "track_process", "track_file", "track_interface", "track_bfd"}

func isTrackBlock(d *directive) bool { return slices.Contains(trackBlocks, d.key()) }

// read goes through one track_ block.
func (t *tracked) read(block *directive) {
	if block.key() == "track_bfd" {
		block.whole(Unsupported, "HA4012", "hafile speaks no BFD: %s is not moved by it", t.what)
		return
	}
	block.say(Exact, "", "")
	for _, d := range block.body {
		switch {
		case d.kind != isEntry:
			t.m.aside(d)
		case block.key() == "track_interface":
			t.anInterface(d)
		default:
			t.named(d, map[string]trackerKind{"track_script": aScript, "track_process": aProcess, "track_file": aFile}[block.key()])
		}
	}
}

// options reads what may follow a tracker's name; false: keepalived drops the line.
func (t *tracked) options(d *directive, x *track, most int64) bool {
	for i := 1; i < len(d.words); i++ {
		switch w := d.arg(i); w {
		case "weight":
			i++
			n, _, ok := number(d.arg(i))
			if !ok || n < -254 || n > 254 {
				d.say(NoEffect, "HA4008", "%q is no weight: keepalived drops the line; so does the result", short(d.arg(i)))
				return false
			}
			if n < -253 || n > 253 {
				n = min(max(n, -253), 253)
				note := "keepalived makes it 253; so does the result"
				if most == 254 {
					note = "hafile's weights end at 253"
				}
				d.say(Changed, "", "%s", note)
			}
			x.value, x.reverse = n, false
		case "reverse":
			x.reverse = true
		case "noreverse":
			x.reverse = false
		default:
			d.say(NoEffect, "HA4008", "unknown option %q: keepalived drops the line; so does the result", short(w))
			return false
		}
	}
	return true
}

func (t *tracked) add(d *directive, x track) {
	x.dir = d
	for _, other := range t.list {
		if other.script == x.script && other.iface == x.iface {
			d.said = &verdict{NoEffect, "HA4008", fmt.Sprintf("line %d tracks it already", other.dir.n)}
			return
		}
	}
	if t.owner && x.value != 0 {
		d.said = &verdict{NoEffect, "", "nothing moves priority 255: keepalived drops it"}
		return
	}
	if x.value == 0 {
		d.say(Changed, "", "a failure hands the addresses over; where nobody takes them they stay, and keepalived drops them")
	}
	d.say(Exact, "", "")
	t.list = append(t.list, x)
}

func (t *tracked) anInterface(d *directive) {
	x := track{iface: d.arg(0)}
	switch {
	case x.iface == t.iface && t.iface != "":
		d.say(NoEffect, "", "its own interface is always watched")
		return
	case !interfaceName(x.iface):
		d.warn("HA4008", 0, "A name that no interface has", "%s cannot be the name of an interface: keepalived does not start with it. Correct it if this is a template.", short(x.iface))
		d.say(NoEffect, "HA4008", "no name of an interface: keepalived does not start with it")
		return
	}
	if t.options(d, &x, 253) {
		t.add(d, x)
	}
}

func (t *tracked) named(d *directive, kind trackerKind) {
	s := t.m.find(kind, d.arg(0))
	if s == nil || !t.known(s) {
		t.lost(d, kind, s)
		return
	}
	x := track{script: s, value: s.weight, reverse: s.reverse}
	most := int64(254)
	if kind == aScript {
		most = 253
	}
	switch {
	case !t.options(d, &x, most):
	case !s.sound():
		d.say(Unsupported, "HA4008", "it cannot be run, see line %d", s.dir.n)
	default:
		t.add(d, x)
	}
}

// lost is a name that keepalived does not find: not at all, or not yet, because it reads
// from the top.
func (t *tracked) lost(d *directive, kind trackerKind, later *script) {
	what := map[trackerKind]string{aScript: "script", aProcess: "process", aFile: "file"}[kind]
	if later != nil {
		d.warn("HA4015", 0, fmt.Sprintf("The %s %q is defined too late", what, short(d.arg(0))),
			"keepalived reads from the top and does not find it, so that %s runs unchecked today, and in the result. Move the %s (line %d) above it, and convert again.", t.what, kind, later.dir.n)
		d.say(NoEffect, "HA4015", "keepalived does not find it: it is defined below, in line %d; so it is not tracked", later.dir.n)
		return
	}
	var names []string
	for _, s := range t.m.scripts {
		if s.kind == kind {
			names = append(names, s.name)
		}
	}
	hint := "Define it above, or remove the line."
	if near := diag.Nearest(short(d.arg(0)), names); near != "" {
		hint = fmt.Sprintf("Did you mean %s?", near)
	}
	d.warn("HA4015", 0, fmt.Sprintf("There is no %s %q", what, short(d.arg(0))),
		"keepalived ignores the line, so that %s runs unchecked today, and in the result. %s", t.what, hint)
	d.say(NoEffect, "HA4015", "there is no such %s: keepalived does not track it; so does the result", what)
}

// inUse notes which scripts anything in the result tracks.
func (m *machine) inUse() {
	for _, s := range m.scripts {
		s.used = false
	}
	mark := func(list []track) {
		for _, t := range list {
			if t.script != nil {
				t.script.used = true
			}
		}
	}
	for _, in := range m.instances {
		if in.why == "" {
			mark(in.tracks)
		}
	}
	for _, g := range m.groups {
		mark(g.tracks)
	}
}
