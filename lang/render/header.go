package render

import (
	"fmt"
	"maps"
	"slices"

	"hafile/lang/planfile"
)

func (p *printer) header() {
	d := p.doc
	node := "node " + d.Node
	if p.o.Facts.Host != "" {
		node += " (" + p.o.Facts.Host + ")"
	}
	running := p.o.Facts.Running
	if running == "" {
		running = p.running()
	}
	p.line("%s", join("   ", join(" ", "hafile", d.HafileVersion), node, running))
	if len(d.Changes) > 0 {
		p.raw("")
		legend := "+ add   ~ change   - remove   > rename   ! needs your word"
		p.raw(p.paint(dim, pad(legend, addedColumn)+"impact on VIPs"))
	}
}

// running says what the plan was made against.
func (p *printer) running() string {
	b := &p.doc.Base
	switch {
	case b.Digest != planfile.NoBase && b.Lineage == "":
		return "against plan " + planfile.Short(b.Digest) + p.roles()
	case b.Lineage == "":
		return "no daemon reached: against an empty node"
	case b.Digest == planfile.NoBase:
		return fmt.Sprintf("daemon running, nothing configured (serial %d)", b.Serial)
	}
	s := fmt.Sprintf("running plan %d", b.Serial)
	since := ""
	if !b.Since.IsZero() {
		since = b.Since.In(p.o.Location).Format("2006-01-02 15:04")
	}
	if about := join(", ", since, b.By); about != "" {
		s += " (" + about + ")"
	}
	return s + p.roles()
}

// roles of a few instances; of many they are in status.
func (p *printer) roles() string {
	const most = 3
	b, s := &p.doc.Base, ""
	if b.Assumed {
		return "   roles assumed: the preferred member is active"
	}
	if len(b.Roles) <= most {
		for _, a := range slices.Sorted(maps.Keys(b.Roles)) {
			s += fmt.Sprintf("   %s %s", a.Name(), b.Roles[a])
		}
	}
	return s
}

// closing sums up, and says what is next.
func (p *printer) closing() {
	d, s := p.doc, &p.doc.Summary
	p.raw("")
	if len(d.Changes) == 0 {
		if d.Base.Assumed { // made against files or a commit: nobody asked what runs
			p.line("No changes for %s.", d.Node)
		} else {
			p.line("No changes. %s runs what is written.", d.Node)
		}
		p.next()
		return
	}
	if b := d.Blocked; b != nil {
		p.raw(p.paint(red, "Blocked "+clean(b.Code)) + ": " + clean(b.Summary))
		p.paragraph("  ", b.Detail)
		p.raw("")
	}
	counts := fmt.Sprintf("%d to add, %d to change, %d to remove", s.Add, s.Change, s.Remove)
	if s.Rename > 0 {
		counts += fmt.Sprintf(", %d renamed", s.Rename)
	}
	p.line("Plan: %s.  VIPs: %s.  Worst impact: %s.", counts, p.vips(), s.Worst)
	p.next()
}

func (p *printer) next() {
	if s := join(" ", p.o.Facts.Peers, p.o.Closing); s != "" {
		p.b.WriteString(cleanLines(s) + "\n")
	}
}

func (p *printer) vips() string {
	v := p.doc.Summary.VIPs
	moves := fmt.Sprintf("%d move", v.Moves)
	if v.Moves == 1 {
		moves = "1 moves"
	}
	return join(", ",
		counted(v.Stays, "stay"), some(v.Gains, "gained"), some(v.Weakens, "weakened"), moves,
		some(v.Outage, "with an outage"), fmt.Sprintf("%d dropped", v.Drops))
}

// some is "2 gained"; empty for none.
func some(n int, word string) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%d %s", n, word)
}

// counted is "1 stays", "2 stay"; empty for none.
func counted(n int, verb string) string {
	if n == 1 {
		verb += "s"
	}
	return some(n, verb)
}
