package keepalived

import (
	"fmt"

	"hafile/lang/diag"
)

// tracking reads track_script. A script that is defined further down does not exist for
// keepalived when it reads this line.
func (in *instance) tracking(lists []*directive) {
	for _, block := range lists {
		if block.key() != "track_script" {
			continue
		}
		block.say(Exact, "", "")
		for _, d := range block.body {
			if d.kind != isEntry {
				in.m.aside(d)
				continue
			}
			in.track(d)
		}
	}
}

func (in *instance) track(d *directive) {
	s := in.known[d.arg(0)]
	if s == nil {
		in.lostTrack(d)
		return
	}
	for _, t := range in.tracks {
		if t.script == s {
			d.say(NoEffect, "HA4008", "line %d tracks it already", t.dir.n)
			return
		}
	}
	t := track{script: s, value: s.weight, dir: d}
	for i := 1; i < len(d.words); i++ {
		switch w := d.arg(i); w {
		case "weight":
			i++
			n, _, ok := number(d.arg(i))
			if !ok || n < -254 || n > 254 {
				d.say(NoEffect, "HA4008", "%q is no weight: keepalived drops the line; so does the result", short(d.arg(i)))
				return
			}
			n = min(max(n, -253), 253)
			if t.value = n; n != s.weight || s.reverse {
				t.weight = set(fmt.Sprint(n), d)
			}
		case "noreverse":
		case "reverse":
			d.say(Unsupported, "HA4012", "a reversed weight is not in this release: the script is not tracked")
			return
		default:
			d.say(NoEffect, "HA4008", "unknown option %q: keepalived drops the line; so does the result", short(w))
			return
		}
	}
	if s.reverse && t.weight.expr == "" {
		d.say(Unsupported, "HA4012", "a reversed weight is not in this release: the script is not tracked")
		return
	}
	if in.priority == 255 && t.value != 0 {
		d.say(NoEffect, "", "nothing moves priority 255: keepalived drops it")
		return
	}
	if s.fields["command"].expr == "" {
		d.say(Unsupported, "HA4008", "its script cannot be run, see line %d", s.dir.n)
		return
	}
	s.used = true
	d.say(Exact, "", "")
	in.tracks = append(in.tracks, t)
}

func (in *instance) lostTrack(d *directive) {
	if later := in.m.findScript(d.arg(0)); later != nil {
		d.warn("HA4015", 0, fmt.Sprintf("The script %q is defined too late", short(d.arg(0))),
			"keepalived reads from the top and does not find it, so that this instance runs unchecked today, and in the result. Move the vrrp_script (line %d) above the instance, and convert again.", later.dir.n)
		d.say(NoEffect, "HA4015", "keepalived does not find it: it is defined below, in line %d; so it is not tracked", later.dir.n)
		return
	}
	names := make([]string, 0, len(in.m.scripts))
	for _, s := range in.m.scripts {
		names = append(names, s.name)
	}
	hint := "Define it above the instance, or remove the line."
	if near := diag.Nearest(short(d.arg(0)), names); near != "" {
		hint = fmt.Sprintf("Did you mean %s?", near)
	}
	d.warn("HA4015", 0, fmt.Sprintf("There is no script %q", short(d.arg(0))),
		"keepalived ignores the line, so that this instance runs unchecked today, and in the result. %s", hint)
	d.say(NoEffect, "HA4015", "there is no such script: keepalived does not track it; so does the result")
}
