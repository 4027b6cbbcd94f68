package render

import (
	"fmt"
	"strings"

	"hafile/lang/diff"
)

// needsWord: what unattended apply refuses.
func needsWord(i *diff.Impact) bool { return i != nil && i.Class.Rank() > diff.Gains.Rank() }

func (p *printer) changes() {
	hidden := false
	for i := range p.doc.Changes {
		c := &p.doc.Changes[i]
		if p.o.Mode != Summary || i == 0 {
			p.raw("")
		}
		switch {
		case p.o.Mode == Summary:
			p.short(c)
		case c.Action == diff.Add:
			hidden = hidden || p.o.Mode != Full
			p.added(c)
		case c.Action == diff.Remove:
			p.removed(c)
		default:
			p.changed(c)
		}
	}
	if hidden {
		p.raw("")
		p.raw(p.paint(dim, "(defaults of what is added are left out, -full shows them)"))
	}
}

var signs = map[diff.Action]string{diff.Add: "+", diff.Update: "~", diff.Remove: "-", diff.Rename: ">"}

func name(c *diff.Change) string {
	if c.Action == diff.Rename {
		return fmt.Sprintf("%s -> %s", c.From, c.Address)
	}
	return string(c.Address)
}

// place of a change, in the running plan's files if it is gone.
func (p *printer) place(c *diff.Change) string {
	if c.Was != "" {
		return "(was " + c.Was + ")"
	}
	return p.where(c.Src)
}

func (p *printer) short(c *diff.Change) {
	p.row(row{
		sign: signs[c.Action], what: name(c), where: p.place(c), impact: &c.Impact, column: addedColumn,
		mark: needsWord(&c.Impact),
	})
}

func (p *printer) added(c *diff.Change) {
	p.row(row{
		sign: "+", what: string(c.Address), where: p.place(c), impact: &c.Impact, column: addedColumn,
		mark: needsWord(&c.Impact),
	})
	if p.o.Mode == Full {
		p.fields(c, c.Fields)
		return
	}
	switch c.Address.Kind() {
	case "script", "check":
		p.addedCheck(c)
	case "notify":
		p.addedNotify(c)
	case "instance":
		p.addedInstance(c)
	}
}

// removed says of single addresses only what differs from what happens to the whole.
func (p *printer) removed(c *diff.Change) {
	p.row(row{
		sign: "-", what: string(c.Address), where: p.place(c), impact: &c.Impact, column: addedColumn,
		mark: needsWord(&c.Impact),
	})
	var fields []diff.Field
	for _, f := range c.Fields {
		if p.o.Mode == Full || f.Path == "vip" && f.Impact != nil && f.Impact.Reason != c.Impact.Reason && f.Impact.Class != diff.None {
			fields = append(fields, f)
		}
	}
	p.fields(c, fields)
}

// changed is an update, or a rename with what else changes.
func (p *printer) changed(c *diff.Change) {
	head := row{sign: signs[c.Action], what: name(c), where: p.place(c)}
	fields := c.Fields
	if c.Action == diff.Rename {
		if head.text = p.same(c); c.Impact.Class == diff.None {
			head.impact, head.column, head.class = &c.Impact, addedColumn, len("none   ")
		}
		fields = withoutName(fields)
	}
	p.row(head)
	p.fields(c, fields)
	p.unchanged(c)
}

// same says why a rename is one.
func (p *printer) same(c *diff.Change) string {
	in := p.doc.Desired.Instance(c.Address)
	if in == nil {
		return "same content"
	}
	return fmt.Sprintf("same VRID %d on %s, keeps running", in.VRID, clean(in.Interface))
}

func withoutName(fields []diff.Field) []diff.Field {
	var rest []diff.Field
	for _, f := range fields {
		if f.Path != "name" {
			rest = append(rest, f)
		}
	}
	return rest
}

// fields of one change, in columns of their own.
func (p *printer) fields(c *diff.Change, fields []diff.Field) {
	names, classes := 0, 0
	for i := range fields {
		names = max(names, width(fields[i].Path)+2)
		if fields[i].Impact != nil {
			classes = max(classes, width(classWord(fields[i].Impact.Class))+2)
		}
	}
	for i := range fields {
		f := &fields[i]
		r := row{
			indent: "    ", sign: "~", what: pad(f.Path, names) + change(f), where: p.fieldPlace(c, f),
			impact: f.Impact, column: impactColumn, class: classes, mark: needsWord(f.Impact),
		}
		switch {
		case f.Added():
			r.sign = "+"
		case f.Removed():
			r.sign = "-"
		}
		p.row(r)
	}
}

// change is "101 -> 150", or the one value that there is.
func change(f *diff.Field) string {
	before, after := value(f.Before), value(f.After)
	switch {
	case f.Added():
		return after
	case f.Removed():
		return before
	case f.Sensitive && before == after:
		return after + ", another content"
	}
	return before + " -> " + after
}

func (p *printer) fieldPlace(c *diff.Change, f *diff.Field) string {
	file := p.file(c.Src)
	if f.Was != "" {
		if file == "" {
			file, _, _ = strings.Cut(c.Was, ":")
		}
		return "(was " + inFile(f.Was, file) + ")"
	}
	return inFile(p.where(f.Src), file)
}

// unchanged counts the fields that stay, or lists them.
func (p *printer) unchanged(c *diff.Change) {
	rest := p.kept(c)
	if len(rest) == 0 {
		return
	}
	if p.o.Mode != Full {
		p.raw(p.paint(dim, fmt.Sprintf("      (%s unchanged, -full shows them)", plural(len(rest), "field"))))
		return
	}
	names := 0
	for i := range rest {
		names = max(names, width(rest[i].Path)+2)
	}
	for i := range rest {
		p.row(row{indent: "      ", what: pad(rest[i].Path, names) + value(rest[i].After), where: p.fieldPlace(c, &rest[i])})
	}
}

// kept lists the fields of a thing that do not differ.
func (p *printer) kept(c *diff.Change) []diff.Field {
	key := func(f *diff.Field) string { return f.Path + " " + string(f.After) }
	differs := map[string]bool{}
	for i := range c.Fields {
		differs[key(&c.Fields[i])] = true
	}
	var rest []diff.Field
	for _, f := range diff.Everything(&p.doc.Plan, c.Address) {
		if !differs[key(&f)] {
			rest = append(rest, f)
		}
	}
	return rest
}
