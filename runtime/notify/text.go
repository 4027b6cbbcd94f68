package notify

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"

	"hafile/runtime/program"
)

// Lengths in bytes. A subject longer than this is cut by mail programs anyway.
const (
	subjectMax = 160
	lineMax    = 400
)

// subject of the mail about a change.
func subject(t *Transition) string {
	s := fmt.Sprintf("[%s] %s %s", t.Node, t.Name, did(t.Event))
	if t.Why != "" {
		s += ": " + t.Why
	}
	return oneLine(s, subjectMax)
}

// did is the event as a verb.
func did(event string) string {
	switch event {
	case Active:
		return "is active"
	case Backup:
		return "is backup"
	case Fault:
		return "is in fault"
	case Stop:
		return "stops"
	}
	return event
}

// body of the mail about a change, seen at now.
func body(it *item, now time.Time) string {
	t := &it.Transition
	var b strings.Builder
	fmt.Fprintf(&b, "%s on %s %s%s.\n\n", oneLine(t.Name, lineMax), oneLine(t.Node, lineMax), did(t.Event), before(t))
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%-11s%s\n", name, oneLine(value, lineMax))
		}
	}
	row("why", t.Why)
	row("since", stamp(t.At))
	row("priority", fmt.Sprint(t.Priority))
	row("addresses", addresses(t))
	if !t.Group {
		row("wire", t.Wire.String())
	}
	row("node", t.Node)
	skipped(&b, it)
	if late := now.Sub(t.At); it.tries > 0 || late > time.Minute {
		fmt.Fprintf(&b, "\nThis mail is %s late.", about(late))
		if it.lastError != "" {
			fmt.Fprintf(&b, " The try before it: %s", oneLine(it.lastError, lineMax))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func before(t *Transition) string {
	switch {
	case t.From == "":
		return ""
	case t.FromSince.IsZero() || t.FromSince.After(t.At):
		return "; it was " + oneLine(t.From, lineMax)
	}
	return fmt.Sprintf("; it was %s for %s", oneLine(t.From, lineMax), about(t.At.Sub(t.FromSince)))
}

func addresses(t *Transition) string {
	if len(t.VIPs) == 0 {
		return ""
	}
	return strings.Join(vips(t.VIPs), " ") + ": " + map[string]string{
		Active: "this node answers for them",
		Backup: "this node does not answer for them",
		Fault:  "this node cannot answer for them",
		Stop:   "this node no longer answers for them",
	}[t.Event]
}

// vips as people write them: a host route is the address alone.
func vips(list []netip.Prefix) []string {
	names := make([]string, len(list))
	for i, p := range list {
		names[i] = p.String()
		if p.IsSingleIP() {
			names[i] = p.Addr().String()
		}
	}
	return names
}

// skipped lists the changes that this mail stands for beside its own.
func skipped(b *strings.Builder, it *item) {
	if len(it.skipped) == 0 {
		return
	}
	b.WriteString("\nChanges before it that got no mail of their own:\n")
	if it.omitted > 0 {
		fmt.Fprintf(b, "  (%d older ones)\n", it.omitted)
	}
	for i := range it.skipped {
		s := &it.skipped[i]
		line := fmt.Sprintf("%s  %s", stamp(s.At), s.Event)
		if s.Why != "" {
			line += ": " + s.Why
		}
		fmt.Fprintf(b, "  %s\n", oneLine(line, lineMax))
	}
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05.000 UTC")
}

// about rounds a duration to what a person reads.
func about(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// oneLine makes text of any origin one printable line of at most max bytes. Header
// injection ends here: no line break and no control character passes.
func oneLine(s string, max int) string {
	s = strings.Join(strings.Fields(program.Clean(s)), " ")
	if len(s) <= max {
		return s
	}
	const more = "…"
	cut := max - len(more)
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + more
}
