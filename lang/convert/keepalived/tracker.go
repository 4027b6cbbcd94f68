package keepalived

import (
	"fmt"
	"path"

	"hafile/lang/plan"
)

// process reads one vrrp_track_process. keepalived hears of each program that starts or
// ends from the kernel; hafile looks once each interval.
func (m *machine) process(block *directive) {
	s := m.tracker(aProcess, block)
	if s == nil {
		return
	}
	slots := map[string]*directive{}
	m.inside(block, func(d *directive) {
		switch d.key() {
		case "param_match", "full_command":
		case "delay", "fork_delay", "terminate_delay":
			if d.missing() {
				return
			}
		default:
			if d.missing() {
				return
			}
		}
		old := slots[d.key()]
		again(&old, d)
		slots[d.key()] = d
	})
	s.setWeight(slots["weight"], 254)
	p := &plan.Process{Min: 1}
	s.p.Process = p
	m.processName(s, p, slots)
	s.quorum(p, slots["quorum"], slots["quorum_max"])
	s.p.Fall = s.delayed("fall", slots["delay"], slots["terminate_delay"])
	s.p.Rise = s.delayed("rise", slots["delay"], slots["fork_delay"])
}

func (m *machine) processName(s *script, p *plan.Process, slots map[string]*directive) {
	d := slots["process"]
	if d == nil {
		s.dir.warn("HA4008", 1, fmt.Sprintf("%q watches no process", s.name), "keepalived removes a vrrp_track_process without a process. Write process NAME.")
		s.dir.whole(Dropped, "HA4008", "names no process: keepalived removes it")
		return
	}
	w := d.command()
	args := argv(w[1])
	args = append(args, w[min(len(w), 2):]...)
	if len(args) == 0 || args[0] == "" || !plain(args[0]) {
		d.say(Unsupported, "HA4008", "names no program")
		return
	}
	p.Name = path.Base(args[0])
	s.fields["process.name"] = set(quote(p.Name), d)
	full, match := slots["full_command"], slots["param_match"]
	how := ""
	if match != nil {
		if how = match.arg(1); how == "" {
			how = "exact"
		}
	}
	switch {
	case len(args) > 1 || how != "":
		p.Args = args[1:]
		if len(p.Args) > 0 {
			s.fields["process.args"] = set(list(p.Args), d)
		}
		if how != "initial" {
			d.say(Changed, "", "hafile looks for arguments that begin so; keepalived compares all of them")
		}
	case full != nil && args[0] != p.Name:
		d.say(Changed, "", "hafile compares the program's name, not its path")
	}
	d.say(Exact, "", "")
	for _, x := range []*directive{full, match} {
		if x != nil {
			x.say(Exact, "", "")
		}
	}
	if match != nil && how == "partial" {
		match.said = &verdict{Changed, "", "hafile looks for arguments that begin so"}
	}
	if len(p.Args) == 0 {
		p.Args = nil
	}
}

// quorum: keepalived's 0 as the most means that the program must not run.
func (s *script) quorum(p *plan.Process, least, most *directive) {
	if least != nil {
		if n, _, ok := number(least.arg(1)); ok && n >= 1 && n <= 65535 {
			least.say(Exact, "", "")
			if p.Min = int(n); n != 1 {
				s.fields["process.min"] = set(fmt.Sprint(n), least)
			}
		} else {
			least.badNumber("a number from 1 to 65535", "1")
		}
	}
	if most == nil {
		return
	}
	n, _, ok := number(most.arg(1))
	switch {
	case !ok || n < 0 || n > 65535:
		most.badNumber("a number from 0 to 65535", "no limit")
		return
	case n == 0:
		p.Min = 0
		s.fields["process.min"] = set("0", most)
	case n < int64(p.Min):
		most.say(NoEffect, "HA4008", "below quorum: keepalived ignores it; so does the result")
		return
	}
	most.say(Exact, "", "")
	p.Max = int(n)
	s.fields["process.max"] = set(fmt.Sprint(n), most)
}

// delayed turns a delay after an event into looks in a row: hafile looks once a second.
func (s *script) delayed(key string, both, own *directive) int {
	d := own
	if d == nil {
		d = both
	}
	looks := 1
	if d != nil {
		ms, ok := seconds(d.arg(1))
		if !ok || ms > 3600000 {
			d.badNumber("seconds to 3600", "none")
		} else {
			looks = int(min(max((ms+999)/1000, 1), 1000))
			d.say(Changed, "", "counted in looks, one a second: %d", looks)
		}
	}
	s.fields[key] = set(fmt.Sprint(looks))
	if d != nil {
		s.fields[key] = set(fmt.Sprint(looks), d)
	}
	if both != nil {
		both.say(NoEffect, "", "the more precise one counts")
	}
	return looks
}

// file reads one track_file: a number in a file, which multiplies the weight.
func (m *machine) file(block *directive) {
	s := m.tracker(aFile, block)
	if s == nil {
		return
	}
	slots := map[string]*directive{}
	m.inside(block, func(d *directive) {
		if d.key() == "init_file" {
			d.say(Changed, "", "hafile writes no such file: one that is missing counts as 0")
			return
		}
		if d.missing() {
			return
		}
		if first := slots[d.key()]; first != nil && d.key() == "file" {
			d.say(NoEffect, "HA4008", "keepalived takes the first one, line %d", first.n)
			return
		}
		old := slots[d.key()]
		again(&old, d)
		slots[d.key()] = d
	})
	s.weight = 1
	s.fields["weight"] = set("1")
	if w := slots["weight"]; w != nil {
		if s.setWeight(w, 254); s.weight == 0 {
			delete(s.fields, "weight")
		}
	}
	s.p.Fall, s.p.Rise = 1, 1
	s.fields["fall"], s.fields["rise"] = set("1"), set("1")
	d := slots["file"]
	switch {
	case d == nil:
		block.warn("HA4008", 1, fmt.Sprintf("%q names no file", s.name), "keepalived removes a track_file without a file. Write file \"/path\".")
		block.whole(Dropped, "HA4008", "names no file: keepalived removes it")
		return
	case !path.IsAbs(d.arg(1)) || !plain(d.arg(1)):
		d.warn("HA4008", 1, "A file that hafile cannot watch", "%s is no absolute path. Correct it and convert again.", short(d.arg(1)))
		d.say(Unsupported, "HA4008", "%s is no absolute path", short(d.arg(1)))
		return
	}
	d.say(Exact, "", "looked at once a second")
	s.fields["file.path"] = set(quote(d.arg(1)), d)
	s.fields["file.value"] = set("true", d)
	s.p.File = &plan.File{Path: d.arg(1), Value: true}
}

// sound reports whether the tracker can be asked at all.
func (s *script) sound() bool {
	return s.fields["command"].expr != "" || s.fields["process.name"].expr != "" || s.fields["file.path"].expr != ""
}
