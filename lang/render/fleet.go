package render

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"hafile/lang/diff"
	"hafile/lang/planfile"
)

// Fleet writes the table of several plans: node, changes, worst impact, and the addresses
// that change their owner.
func Fleet(w io.Writer, f *planfile.Fleet, color bool) error {
	p := &printer{o: Options{Color: color}}
	rows := [][]string{{"node", "changes", "worst impact", "VIPs that move", "plan"}}
	for i := range f.Nodes {
		n := &f.Nodes[i]
		rows = append(rows, []string{n.Node, fmt.Sprint(n.Changes), classWord(n.Summary.Worst), harmed(n.VIPs), planfile.Short(n.Digest)})
	}
	widths := make([]int, len(rows[0]))
	for _, r := range rows {
		for i := range r {
			r[i] = clean(r[i])
			widths[i] = max(widths[i], width(r[i]))
		}
	}
	for at, r := range rows {
		line := ""
		for i, cell := range r {
			padded := pad(cell, widths[i]+2)
			switch {
			case at == 0:
				padded = p.paint(bold, padded)
			case i == 2:
				padded = p.paint(classStyle(f.Nodes[at-1].Summary.Worst), padded)
			}
			line += padded
		}
		p.raw(line)
	}
	p.raw("")
	for _, s := range fleetNotes(f) {
		p.raw(clean(s))
	}
	_, err := io.WriteString(w, p.b.String())
	return err
}

// fleetNotes are what a table cannot say.
func fleetNotes(f *planfile.Fleet) []string {
	var notes []string
	changed := 0
	assumed := false
	var unknown []string
	for i := range f.Nodes {
		if f.Nodes[i].Changes > 0 {
			changed++
		}
		assumed = assumed || f.Nodes[i].Assumed
		for _, node := range f.Nodes[i].Unknown {
			if !slices.Contains(unknown, node) {
				unknown = append(unknown, node)
			}
		}
	}
	s := fmt.Sprintf("%s, %d with changes.  Worst impact: %s.", plural(len(f.Nodes), "node"), changed, f.Worst)
	if len(f.Against) > 0 {
		s += "  Against " + strings.Join(f.Against, " and ") + "."
	}
	notes = append(notes, s)
	if assumed {
		notes = append(notes, "Roles are assumed, not observed: the preferred member is taken for active, and checks count as unknown.")
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		notes = append(notes, fmt.Sprintf("Unknown to the others but for adverts: %s (no status address, or it does not answer).", names(unknown)))
	}
	if len(f.Gone) > 0 {
		notes = append(notes, fmt.Sprintf("No plan any more, and unchanged until somebody stops it: %s.", names(f.Gone)))
	}
	return notes
}

// names of many, the first ones.
func names(all []string) string {
	const most = 10
	if len(all) <= most {
		return strings.Join(all, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(all[:most], ", "), len(all)-most)
}

// harmed is "192.0.2.10 outage, 192.0.2.11 moves"; of many of one class, the first three.
func harmed(vips []planfile.FleetVIP) string {
	byClass := map[diff.Class][]netip.Prefix{}
	var order []diff.Class
	for _, v := range vips {
		if !slices.Contains(order, v.Class) {
			order = append(order, v.Class)
		}
		byClass[v.Class] = append(byClass[v.Class], v.Address)
	}
	var words []string
	for _, c := range order {
		words = append(words, addresses(byClass[c])+" "+string(c))
	}
	if len(words) == 0 {
		return "-"
	}
	return strings.Join(words, "; ")
}

// Impacts writes what happens to each address, and nothing else.
func Impacts(w io.Writer, docs []*planfile.Document, color bool) error {
	p := &printer{o: Options{Color: color}}
	for _, d := range docs {
		p.doc = d
		if len(d.Changes) == 0 {
			p.line("%s  no changes", d.Node)
			continue
		}
		p.impacts()
	}
	_, err := io.WriteString(w, p.b.String())
	return err
}

// impacts of one document: each change with the addresses that it concerns.
func (p *printer) impacts() {
	type line struct {
		what string
		i    *diff.Impact
	}
	var lines []line
	whats := 0
	for i := range p.doc.Changes {
		c := &p.doc.Changes[i]
		found := false
		for k := range c.Fields {
			if f := &c.Fields[k]; f.Impact != nil && f.Impact.Class != diff.None && c.Action != diff.Add {
				found = true
				lines = append(lines, line{fmt.Sprintf("%s  %s %s", p.doc.Node, name(c), f.Path), f.Impact})
			}
		}
		if !found {
			lines = append(lines, line{fmt.Sprintf("%s  %s", p.doc.Node, name(c)), &c.Impact})
		}
	}
	for _, l := range lines {
		whats = max(whats, width(clean(l.what)))
	}
	for _, l := range lines {
		gap := ""
		if l.i.Gap.MaxMs > 0 {
			gap = fmt.Sprintf("up to %s without an answer", diff.Seconds(l.i.Gap.MaxMs))
		}
		text := clean(join("; ", impactText(l.i), gap))
		p.raw(pad(clean(l.what), whats+2) + p.paint(classStyle(l.i.Class), pad(classWord(l.i.Class), 9)) + text)
	}
}
