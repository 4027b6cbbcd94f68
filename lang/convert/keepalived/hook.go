package keepalived

import (
	"strings"
)

// hookEvents are the events of each notify keyword.
var hookEvents = map[string][]string{
	"notify": {"active", "backup", "fault", "stop"}, "notify_master": {"active"}, "notify_backup": {"backup"},
	"notify_fault": {"fault"}, "notify_stop": {"stop"},
}

// hook reads a notify line of an instance. Of two for one state keepalived takes the first.
func (in *instance) hook(d *directive) {
	readHook(in.m, d, in.slots, in.global.scriptUser, &in.hooks)
}

func readHook(m *machine, d *directive, slots map[string]*directive, user *directive, hooks *[]hook) {
	if d.missing() {
		return
	}
	key := d.key()
	if first := slots[key]; first != nil {
		d.say(NoEffect, "HA4008", "keepalived takes the first one, line %d", first.n)
		return
	}
	slots[key] = d
	w := d.command()
	args, why := argv(w[1]), ""
	if len(args) == 0 {
		d.say(NoEffect, "HA4008", "runs nothing")
		return
	}
	h := hook{bare: key != "notify", dirs: []*directive{d}}
	if args, why = command(w[1]); h.bare && why == "" && args[0] == "/usr/bin/env" {
		args = args[1:] // sh looks in PATH by itself, as keepalived does
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
		h.who = m.user(fields, own, nil)
		h.user = set(fields["user"].expr, d)
	} else {
		h.who = m.user(fields, nil, user)
		if h.user = fields["user"]; h.user.expr == "" {
			note += "; runs as hafile-script or nobody unless user is written"
		}
	}
	if len(w) > 4 {
		note += "; keepalived ignores what follows the user: quote the whole command"
	}
	d.say(Changed, "", "%s", note)
	h.on = hookEvents[key]
	for i, other := range *hooks {
		if other.bare && h.bare && list(other.argv) == list(h.argv) && other.user.expr == h.user.expr {
			(*hooks)[i].on = append(append([]string{}, other.on...), h.on...)
			(*hooks)[i].dirs = append(other.dirs, d)
			return
		}
	}
	*hooks = append(*hooks, h)
}

// fifo reads notify_fifo: each change of role is a line in a pipe, which a hook writes as
// well as keepalived. Opened for both directions, it never waits for a reader.
func (m *machine) fifo(d *directive) {
	if d.missing() {
		return
	}
	name := d.arg(1)
	if !strings.HasPrefix(name, "/") || !plain(name) {
		d.say(Unsupported, "HA4008", "%s is no absolute path", short(name))
		return
	}
	d.say(Changed, "", "a hook writes the same lines; make the pipe yourself (tmpfiles.d: p %s 0620 root hafile-script), hafile does not", name)
	m.global.fifos = append(m.global.fifos, d)
}

// pipes are the hooks that write to the FIFOs of the machine.
func (m *machine) pipes() (hooks []hook) {
	for _, d := range m.global.fifos {
		hooks = append(hooks, hook{on: hookEvents["notify"], dirs: []*directive{d}, argv: []string{
			"/bin/sh", "-c", `printf '%s "%s" %s %s\n' "$1" "$2" "$3" "$4" 1<>` + shellQuote(d.arg(1)), "fifo",
		}})
	}
	return hooks
}

// alerting settles whether keepalived sends mail: off unless smtp_alert says otherwise.
func (m *machine) alerting(own *directive) (on bool, by *directive) {
	g := &m.global
	for _, d := range []*directive{own, g.alertVRRP, g.alert} {
		if d == nil {
			continue
		}
		on, ok := d.flag()
		if !ok {
			d.say(NoEffect, "HA4008", "keepalived ignores it: %s is no boolean", short(d.arg(1)))
			continue
		}
		if !on {
			d.say(Exact, "", "the default here too")
		}
		return on, d
	}
	return false, nil
}

func (in *instance) alerts() { in.alert, in.alertDir = in.m.alerting(in.slots["smtp_alert"]) }
