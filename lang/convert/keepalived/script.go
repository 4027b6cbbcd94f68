package keepalived

import (
	"cmp"
	"fmt"
	"path"
	"strings"

	"hafile/lang/plan"
)

// script reads one vrrp_script. keepalived looks scripts up from the top, so that a
// second one of the same name is never found.
func (m *machine) script(block *directive) {
	s := m.tracker(aScript, block)
	if s == nil {
		return
	}
	slots := map[string]*directive{}
	m.inside(block, func(d *directive) {
		if d.key() == "init_fail" {
			d.say(NoEffect, "", "keepalived 2.4 forgets it before the first run")
			return
		}
		if d.missing() {
			return
		}
		old := slots[d.key()]
		again(&old, d)
		slots[d.key()] = d
	})
	s.p.IntervalMs = s.timing("interval", slots["interval"], 1000)
	s.p.TimeoutMs = cmp.Or(s.timing("timeout", slots["timeout"], 0), s.p.IntervalMs)
	s.p.Fall = s.count("fall", slots["fall"])
	s.p.Rise = s.count("rise", slots["rise"])
	s.setWeight(slots["weight"], 253)
	user := m.user(s.fields, slots["user"], m.global.scriptUser)
	m.scriptCommand(s, slots["script"])
	s.p.Script = &plan.Script{Command: s.argv, User: user}
}

// tracker opens a block that trackers name; nil if keepalived never finds it.
func (m *machine) tracker(kind trackerKind, block *directive) *script {
	s := &script{kind: kind, dir: block, name: block.arg(1), fields: map[string]setting{}, p: plan.DefaultCheck()}
	if block.missing() {
		block.whole(Dropped, "HA4008", "has no name: keepalived stops at it")
		return nil
	}
	if first := m.find(kind, s.name); first != nil {
		block.warn("HA4008", 1, fmt.Sprintf("There are two blocks %s %q", kind, s.name),
			"keepalived always finds the first one, in line %d. Remove this one, or give it another name.", first.dir.n)
		block.whole(NoEffect, "HA4008", "keepalived always finds the first %s, line %d", s.name, first.dir.n)
		return nil
	}
	m.scripts = append(m.scripts, s)
	return s
}

func (m *machine) find(kind trackerKind, name string) *script {
	for _, s := range m.scripts {
		if s.kind == kind && s.name == name {
			return s
		}
	}
	return nil
}

func (m *machine) scriptCommand(s *script, d *directive) {
	if d == nil {
		s.dir.warn("HA4008", 1, fmt.Sprintf("The script %q runs nothing", s.name), "keepalived removes a vrrp_script without a script. Write script \"/path/of/program\".")
		s.dir.whole(Dropped, "HA4008", "has no script: keepalived removes it")
		return
	}
	w := d.command()
	argv, why := command(w[1])
	if why != "" {
		d.warn("HA4008", 1, "A program that hafile cannot run", "%s Correct it and convert again.", why)
		s.dir.whole(Unsupported, "HA4008", "line %d: %s", d.n, why)
		return
	}
	s.argv = argv
	s.fields["command"] = set(list(argv), d)
	m.sayCommand(d, w, argv, 2, s.fields["user"].expr == "")
}

// command is the words of a line that names a program: the keyword, the command, and
// what follows it.
func (d *directive) command() []string {
	if w := scriptWords(d.text); len(w) > 1 && w[0] == d.key() {
		return w
	}
	return []string{d.key(), d.arg(1)}
}

// command turns a command line into what execve gets. A name without a slash is looked
// up in PATH by keepalived, and by env here: hafile runs absolute paths only.
func command(line string) (args []string, why string) {
	if file, ok := strings.CutPrefix(line, "<"); ok {
		args = []string{"/usr/bin/test", "-r", strings.TrimSpace(file)}
	} else {
		args = argv(line)
	}
	if len(args) == 0 || args[0] == "" {
		return nil, "The command is empty."
	}
	for _, a := range args {
		if !plain(a) {
			return nil, "The command is not UTF-8, or holds a NUL byte."
		}
	}
	switch {
	case !strings.Contains(args[0], "/"):
		args = append([]string{"/usr/bin/env"}, args...)
	case !path.IsAbs(args[0]):
		return nil, fmt.Sprintf("%s is not an absolute path.", short(args[0]))
	}
	return args, ""
}

// sayCommand is the verdict on a line that names a program. most is how many words
// keepalived reads.
func (m *machine) sayCommand(d *directive, w, argv []string, most int, nobody bool) {
	var notes []string
	if len(w) > most {
		notes = append(notes, "keepalived ignores what follows the first word: quote the whole command")
		d.warn("HA4008", 2, "Parameters outside of the quotes", "keepalived runs %q without them, and so does the result. Put the whole command into quotes.", short(w[1]))
	}
	for _, a := range argv {
		if a == "|" || a == "||" || a == "&&" || a == ";" || strings.HasPrefix(a, ">") || strings.HasPrefix(a, "&>") || strings.HasPrefix(a, "2>") {
			notes = append(notes, fmt.Sprintf("keepalived 2 runs no shell: %s is an argument", a))
			d.warn("HA4008", 1, "A command that wants a shell", "keepalived 2 hands %q to the program as an argument, and so does the result. Write [\"/bin/sh\", \"-c\", \"...\"] if a shell was meant.", a)
			break
		}
	}
	if argv[0] == "/usr/bin/env" {
		notes = append(notes, "found in PATH by env")
	}
	kind := Exact
	if nobody {
		kind = Changed
		notes = append(notes, "runs as hafile-script, else nobody; keepalived uses keepalived_script, else root")
	}
	d.say(kind, "", "%s", strings.Join(notes, "; "))
}

func (s *script) timing(key string, d *directive, def int64) int64 {
	if d == nil {
		return def
	}
	ms, ok := seconds(d.arg(1))
	if !ok || ms > 4294000 {
		d.badNumber("seconds from 0 to 4294", "the default")
		return def
	}
	if ms < 10 {
		ms = 1000
		d.say(Changed, "", "keepalived makes it 1 s; so does the result")
	}
	if ms == def {
		d.say(Exact, "", "the default here too")
		s.fields[key+" default"] = set(duration(ms), d)
		return ms
	}
	d.say(Exact, "", "")
	s.fields[key] = set(duration(ms), d)
	return ms
}

// count reads rise and fall: 1 in keepalived unless written, so that they are always in
// the result where hafile's default is another one.
func (s *script) count(key string, d *directive) int {
	if d == nil {
		s.fields[key] = set("1")
		return 1
	}
	n, clean, ok := number(d.arg(1))
	switch {
	case !ok || n < 1:
		n = 1
		d.say(Changed, "HA4008", "keepalived reads 1; so does the result")
	case n > 1000:
		n = 1000
		d.say(Changed, "HA4008", "hafile counts to 1000")
	case !clean:
		d.say(Changed, "HA4008", "keepalived reads %d; so does the result", n)
	}
	d.say(Exact, "", "")
	s.fields[key] = set(fmt.Sprint(n), d)
	return int(n)
}

// setWeight reads the weight that trackers have by default; most is its bound.
func (s *script) setWeight(d *directive, most int64) {
	if d == nil {
		return
	}
	n, clean, ok := number(d.arg(1))
	switch {
	case !ok:
		d.badNumber(fmt.Sprintf("a number from -%d to %d", most, most), "its default")
		return
	case n < -most || n > most:
		d.badNumber(fmt.Sprintf("a number from -%d to %d", most, most), "its default")
		return
	case n < -253 || n > 253:
		n = min(max(n, -253), 253)
		d.say(Changed, "", "hafile's weights end at 253")
	case !clean:
		d.say(Changed, "HA4008", "keepalived reads %d; so does the result", n)
	}
	if d.arg(2) == "reverse" {
		s.reverse = true
		d.say(Exact, "", "reverse stands where it is tracked")
	}
	d.say(Exact, "", "")
	if s.weight = n; n != 0 {
		s.fields["weight"] = set(fmt.Sprint(n), d)
	}
}

// badNumber is a value that keepalived refuses and goes on without.
func (d *directive) badNumber(want, uses string) {
	d.warn("HA4008", 1, fmt.Sprintf("%s is no value for %s", short(d.arg(1)), d.key()),
		"It must be %s; keepalived uses %s, and so does the result. Correct it if this is a template.", want, uses)
	d.say(Changed, "HA4008", "not %s: keepalived uses %s; so does the result", want, uses)
}

// user is who runs a program: the line's own, else script_user's.
func (m *machine) user(fields map[string]setting, own, global *directive) string {
	d := own
	if d == nil {
		d = global
	}
	if d == nil {
		return ""
	}
	if !plain(d.arg(1)) {
		d.say(Unsupported, "HA4012", "no account has a name that is not UTF-8")
		return ""
	}
	if d.arg(2) != "" && d.arg(2) != d.arg(1) {
		d.say(Changed, "", "the user's own groups, not %s", d.arg(2))
	}
	d.say(Exact, "", "")
	fields["user"] = set(quote(d.arg(1)), d)
	return d.arg(1)
}

// unused is a script that no instance tracks: keepalived removes it.
func (s *script) unused() {
	s.dir.say(NoEffect, "", "nothing tracks it: keepalived never asks it")
	for _, c := range s.dir.body {
		c.withdraw(s.dir)
	}
}
