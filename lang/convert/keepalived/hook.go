package keepalived

import (
	"strings"
)

// hook reads a notify line. Of two for one state keepalived takes the first.
func (in *instance) hook(d *directive) {
	if d.missing() {
		return
	}
	key := d.key()
	if first := in.slots[key]; first != nil {
		d.say(NoEffect, "HA4008", "keepalived takes the first one, line %d", first.n)
		return
	}
	in.slots[key] = d
	w := d.command()
	args, why := argv(w[1]), ""
	if len(args) == 0 {
		d.say(NoEffect, "HA4008", "runs nothing")
		return
	}
	h := hook{bare: key != "notify", dirs: []*directive{d}}
	if h.bare {
		// sh looks in PATH by itself, as keepalived does.
		if args, why = command(w[1]); why == "" && args[0] == "/usr/bin/env" {
			args = args[1:]
		}
	} else {
		args, why = command(w[1])
	}
	if why != "" {
		d.warn("HA4008", 1, "A program that hafile cannot run", "%s Correct it and convert again.", why)
		d.say(Unsupported, "HA4008", "%s", strings.TrimSuffix(why, "."))
		return
	}
	h.argv = args
	note := "ended after 10 s, which keepalived does not do"
	fields := map[string]setting{}
	if len(w) > 2 {
		own := &directive{src: d.src, words: []word{{text: "user"}, {text: w[2]}}, n: d.n}
		in.m.user(fields, own, nil)
		h.user = set(fields["user"].expr, d)
	} else {
		in.m.user(fields, nil, in.global.scriptUser)
		if h.user = fields["user"]; h.user.expr == "" {
			note += "; runs as hafile-script or nobody unless user is written"
		}
	}
	if len(w) > 4 {
		note += "; keepalived ignores what follows the user: quote the whole command"
	}
	d.say(Changed, "", "%s", note)
	h.on = map[string][]string{
		"notify": {"active", "backup", "fault", "stop"}, "notify_master": {"active"}, "notify_backup": {"backup"},
		"notify_fault": {"fault"}, "notify_stop": {"stop"},
	}[key]
	for i, other := range in.hooks {
		if other.bare && h.bare && list(other.argv) == list(h.argv) && other.user.expr == h.user.expr {
			in.hooks[i].on = append(other.on, h.on...)
			in.hooks[i].dirs = append(other.dirs, d)
			return
		}
	}
	in.hooks = append(in.hooks, h)
}

// alerts settles whether keepalived sends mail: off unless smtp_alert says otherwise.
func (in *instance) alerts() {
	g := &in.m.global
	for _, d := range []*directive{in.slots["smtp_alert"], g.alertVRRP, g.alert} {
		if d == nil {
			continue
		}
		on, ok := d.flag()
		if !ok {
			d.say(NoEffect, "HA4008", "keepalived ignores it: %s is no boolean", short(d.arg(1)))
			continue
		}
		in.alert, in.alertDir = on, d
		if !on {
			d.say(Exact, "", "the default here too")
		}
		return
	}
}
