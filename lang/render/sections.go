package render

import (
	"fmt"
	"strings"

	"hafile/lang/diag"
	"hafile/lang/diff"
	"hafile/lang/plan"
)

// codeReadable warns of a password that stands in every advert. Where the password
// itself is shown, the warning stands beside it.
const codeReadable = "HA2102"

func (p *printer) remark(a plan.Addr, code string) string {
	for i := range p.doc.Diagnostics {
		if g := &p.doc.Diagnostics[i]; g.Address == a && g.Code == code {
			return fmt.Sprintf("%s %s: readable on the wire", g.Severity, code)
		}
	}
	return ""
}

// remarked reports whether a diagnostic stands beside what it is about already.
func (p *printer) remarked(g *diag.Diagnostic) bool {
	if g.Code != codeReadable || p.o.Mode == Full {
		return false
	}
	for i := range p.doc.Changes {
		if c := &p.doc.Changes[i]; c.Action == diff.Add && c.Address == g.Address {
			return true
		}
	}
	return false
}

func (p *printer) diagnostics() {
	for i := range p.doc.Diagnostics {
		g := &p.doc.Diagnostics[i]
		if p.remarked(g) {
			continue
		}
		p.raw("")
		word, style := "Warning", yellow
		if g.Severity == diag.Error {
			word, style = "Error", red
		}
		p.raw(p.paint(style, fmt.Sprintf("%s %s", word, clean(g.Code))) + ": " + clean(g.Summary))
		if g.Range != nil {
			p.line("  %s:%d", g.Range.Filename, g.Range.Start.Line)
		}
		for _, r := range g.Related {
			p.line("  %s:%d   %s", r.Range.Filename, r.Range.Start.Line, r.Message)
		}
		for _, l := range strings.Split(g.Detail, "\n") {
			if l != "" {
				p.paragraph("  ", l)
			}
		}
	}
}

// between says how the machines see each other until all of them have the plan.
func (p *printer) between() {
	for i := range p.doc.Changes {
		c := &p.doc.Changes[i]
		in := p.doc.Desired.Instance(c.Address)
		if c.Action == diff.Add || in == nil || deaf(c) {
			continue
		}
		added, removed := lists(c)
		peers := p.peers(in)
		if added == removed || len(peers) == 0 {
			continue
		}
		is := len(in.VIPs)
		was := is - added + removed
		machines := "Between the two machines"
		if len(peers) > 1 {
			machines = "Between the machines"
		}
		p.title("%s", machines)
		who := strings.Join(peers, ", ")
		p.paragraph("  ", fmt.Sprintf("until %s has this too, %s announces %s and %s expects %d", who, p.doc.Node, plural(is, "address"), who, was))
		p.paragraph("  ", fmt.Sprintf("hafile and keepalived 2.3.3+ accept that with a warning; an older keepalived on %s would drop the adverts%s.",
			who, p.turnsActive(c.Address)))
	}
}

// deaf: where adverts are dropped for another reason, what they list is no matter.
func deaf(c *diff.Change) bool {
	for i := range c.Fields {
		if f := &c.Fields[i]; f.Impact != nil && f.Impact.Pairwise && f.Impact.Class == diff.Outage {
			return true
		}
	}
	return false
}

// turnsActive is when a member that drops our adverts claims the addresses.
func (p *printer) turnsActive(a plan.Addr) string {
	var longest int64
	for _, b := range p.doc.Budget {
		if b.Instance == a && b.From == p.doc.Node {
			longest = max(longest, b.DownMs)
		}
	}
	if longest == 0 {
		return ""
	}
	return " and turn active itself after " + diff.Seconds(longest)
}

// lists counts the addresses that an active node begins and ceases to announce.
func lists(c *diff.Change) (added, removed int) {
	for i := range c.Fields {
		f := &c.Fields[i]
		if f.Impact == nil || !f.Impact.Pairwise {
			continue
		}
		switch f.Impact.Reason {
		case diff.ReasonVIPAdded:
			added++
		case diff.ReasonVIPRemoved:
			removed++
		}
	}
	return added, removed
}

func (p *printer) peers(in *plan.Instance) []string {
	var names []string
	for _, m := range in.Members {
		if m.Node != p.doc.Node {
			names = append(names, m.Node)
		}
	}
	return names
}

// safer lists ways to the same end that disturb less.
func (p *printer) safer() {
	first, seen := true, map[string]bool{}
	for i := range p.doc.Changes {
		for k := range p.doc.Changes[i].Fields {
			f := &p.doc.Changes[i].Fields[k]
			if f.Impact == nil || f.Impact.Safer == "" || seen[f.Impact.Safer] {
				continue
			}
			if first {
				p.title("Safer ways")
				first = false
			}
			seen[f.Impact.Safer] = true
			p.hanging("  "+pad(f.Path, nameColumnMin+2), f.Impact.Safer)
		}
	}
}

// hanging is a paragraph behind a word.
func (p *printer) hanging(head, text string) {
	head = clean(head)
	for i, l := range p.wrapped(clean(text), width(head)) {
		if i > 0 {
			head = strings.Repeat(" ", width(head))
		}
		p.raw(head + l)
	}
}
