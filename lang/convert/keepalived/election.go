package keepalived

import (
	"fmt"

	"hafile/lang/plan"
)

// election settles state, priority and preemption (keepalived's vrrp_complete_instance).
func (in *instance) election() {
	state, p := in.slots["state"], in.slots["priority"]
	master := state != nil && state.arg(1) == "MASTER"
	if state != nil && !master && state.arg(1) != "BACKUP" {
		state.warn("HA4008", 1, "A state that is none", "keepalived reads %q as BACKUP. Below priority 255 the word decides nothing.", short(state.arg(1)))
		state.say(NoEffect, "HA4008", "keepalived reads BACKUP; below priority 255 it decides nothing")
	}
	in.priority = 100
	at := in.dir
	switch {
	case p != nil:
		at = p
		n, clean, ok := number(p.arg(1))
		switch {
		case !ok || n < 1 || n > 255:
			p.badNumber("a number from 1 to 255", "100")
		case !clean:
			p.say(Changed, "HA4008", "keepalived reads %d; so does the result", n)
			in.priority = n
		default:
			in.priority = n
		}
		p.say(Exact, "", "")
	case master:
		in.priority, at = 255, state
		state.say(Exact, "", "without priority it makes the owner: 255")
	}
	in.fields["priority"] = set(fmt.Sprint(in.priority), at)
	by := in.starts(master)
	master = master && by == ""
	in.preemption(master)
	if state != nil && in.priority != 255 {
		note := "below priority 255 it decides nothing"
		if by != "" {
			note += "; keepalived makes it BACKUP, because of " + by
		}
		if d := in.slots["preempt"]; d != nil && d.key() == "nopreempt" && master {
			note += fmt.Sprintf(" (it disarms nopreempt, line %d)", d.n)
		} else if d := in.slots["preempt_delay"]; d != nil && master {
			note += fmt.Sprintf(" (it disarms preempt_delay, line %d)", d.n)
		}
		state.say(NoEffect, "", "%s", note)
	} else if state != nil {
		state.say(NoEffect, "", "priority 255 makes the owner")
	}
	if d := in.slots["down_timer_adverts"]; d != nil {
		in.downAdverts(d)
	} else if d := in.global.downAdverts; d != nil {
		in.downAdverts(d)
	}
	if d := in.m.global.startDelay; d != nil {
		if ms, ok := seconds(d.arg(1)); ok && ms >= 1 && ms <= 1000000 {
			in.p.StartDelayMs = ms
			in.standard("start_delay", d, duration(ms), `"0s"`)
		} else {
			d.badNumber("seconds from 0.001 to 1000", "none")
		}
	}
}

// starts says what makes keepalived begin as a backup all the same, where the file says
// MASTER: nopreempt and preempt_delay then count.
func (in *instance) starts(master bool) (by string) {
	line, strict := in.strict()
	switch {
	case !master || in.priority == 255:
	case strict:
		return fmt.Sprintf("line %d (strict)", line.n)
	case in.p.Auth != nil && in.p.Auth.Type == plan.AuthAH:
		return "auth_type AH"
	}
	return ""
}

func (in *instance) downAdverts(d *directive) {
	if by, strict := in.strict(); strict {
		d.say(NoEffect, "", "line %d (strict) makes it 3", by.n)
		return
	}
	n, _, ok := number(d.arg(1))
	if !ok || n < 1 || n > 100 {
		d.badNumber("a number from 1 to 100", "3")
		return
	}
	in.p.DownAdverts = int(n)
	in.standard("down_adverts", d, fmt.Sprint(n), "3")
}

func (in *instance) preemption(master bool) {
	state := in.slots["state"]
	d, delay := in.slots["preempt"], in.slots["preempt_delay"]
	never := false
	switch {
	case d == nil:
	case d.key() == "preempt":
		d.say(Exact, "", "the default here too")
	case master:
		d.warn("HA4008", 0, "nopreempt without effect", "keepalived ignores it, because line %d says state MASTER; and so does the result. Write state BACKUP on every node if nobody should take the addresses back.", state.n)
		d.say(NoEffect, "HA4008", "ignored by keepalived too, because of line %d", state.n)
	case in.priority == 255:
		d.say(NoEffect, "", "ignored by keepalived too: 255 is the owner")
	default:
		d.say(Exact, "", "")
		never = true
		in.p.Preempt = false
		in.fields["preempt"] = set("false", d)
	}
	if delay == nil {
		return
	}
	by, strict := in.strict()
	ms, ok := seconds(delay.arg(1))
	switch {
	case !ok || ms > 1000000:
		delay.badNumber("seconds from 0 to 1000", "0")
	case master:
		delay.say(NoEffect, "HA4008", "ignored by keepalived too, because of line %d", state.n)
	case never:
		delay.say(NoEffect, "", "ignored by keepalived too, because of nopreempt, line %d", d.n)
	case strict:
		delay.say(NoEffect, "", "ignored by keepalived too, because of line %d (strict)", by.n)
	default:
		in.p.PreemptDelayMs = ms
		in.standard("preempt_delay", delay, duration(ms), `"0s"`)
	}
}

// announce settles the gratuitous ARPs. keepalived never repeats them while it is
// active, unless told; hafile does once a minute, which no network minds.
func (in *instance) announce() {
	pick := func(key string) *directive {
		if d := in.slots["garp_master_"+key]; d != nil {
			return d
		}
		return in.global.garp[key]
	}
	if d := pick("repeat"); d != nil {
		if n, _, ok := number(d.arg(1)); ok && n >= 0 {
			if n > 60 {
				d.say(Changed, "", "hafile repeats up to 60 times")
			}
			in.p.Announce.Repeat = int(min(max(n, 1), 60))
			in.standard("announce.repeat", d, fmt.Sprint(in.p.Announce.Repeat), "5")
		} else {
			d.badNumber("a number", "5")
		}
	} else if d := in.global.minGarp; d != nil {
		in.p.Announce.Repeat = 1
		in.standard("announce.repeat", d, "1", "5")
	}
	in.pause("delay", pick("delay"), 3600000, `"5s"`, &in.p.Announce.DelayMs)
	if d := in.global.minGarp; d != nil && pick("delay") == nil {
		in.p.Announce.DelayMs = 0
		in.standard("announce.delay", d, `"0s"`, `"5s"`)
	}
	in.pause("refresh", pick("refresh"), 86400000, `"60s"`, &in.p.Announce.RefreshMs)
}

func (in *instance) pause(key string, d *directive, most int64, def string, to *int64) {
	if d == nil {
		return
	}
	n, clean, ok := number(d.arg(1))
	if !ok || n < 0 || n*1000 > most {
		d.badNumber("whole seconds", "its default")
		return
	}
	if !clean {
		d.say(Changed, "HA4008", "keepalived reads %d; so does the result", n)
	}
	*to = n * 1000
	in.standard("announce."+key, d, duration(n*1000), def)
}
