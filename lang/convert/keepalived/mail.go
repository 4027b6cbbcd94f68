package keepalived

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"hafile/lang/plan"
)

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
		for _, s := range m.groups {
			if s.why != "" {
				continue
			}
			any = any || e.mails(s)
			if s.alert && s.alerter != nil {
				if e.mails(s) {
					s.alerter.say(Exact, "", "")
				} else {
					s.alerter.say(NoEffect, "HA4008", "keepalived sends none without smtp_server and notification_email; so does the result")
				}
			}
		}
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

// mailPlan is the mail of one machine as a plan has it.
func (m *machine) mailPlan() (on []string, mail *plan.Email) {
	g := &m.global.mail
	on = []string{"active", "backup", "fault", "stop"}
	if g.noFault != nil {
		on = []string{"active", "backup", "stop"}
	}
	mail = &plan.Email{To: g.recipients(), From: "keepalived@" + m.label, Relay: relay(g.server), TimeoutMs: plan.DefaultEmail().TimeoutMs}
	if g.from != nil && mailAddress(g.from.arg(1)) {
		mail.From = g.from.arg(1)
	}
	if g.timeout != nil {
		if n, _, ok := number(g.timeout.arg(1)); ok && n >= 0 && n <= 3600 {
			mail.TimeoutMs = max(n, 1) * 1000
		}
	}
	return on, mail
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
	e.out.attr("on", byNode(e.mailers, on, "", e.silent()...))
	e.out.add("")
	e.out.begin("email", "")
	e.out.attr("to", byNode(e.mailers, to, "", e.silent()...))
	e.out.attr("from", byNode(e.mailers, from, "", e.silent()...))
	e.out.attr("relay", byNode(e.mailers, server, "", e.silent()...))
	if t := byNode(e.mailers, timeout, `"30s"`, e.silent()...); t.expr != "" {
		e.out.attr("timeout", t)
	}
	e.out.end()
	e.out.end()
}
