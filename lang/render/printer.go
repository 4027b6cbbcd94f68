package render

import (
	"fmt"
	"strings"

	"hafile/lang/diff"
	"hafile/lang/plan"
	"hafile/lang/planfile"
)

// The columns of a plan: what, where, and what it means.
const (
	whereColumn   = 53
	addedColumn   = 81 // the impact of a thing that comes as a whole
	impactColumn  = 63 // that of one field, whose place is only a line
	textMin       = 30 // columns that a wrapped text gets beside the table, else it goes below
	textIndent    = 8
	nameColumnMin = 11
)

type printer struct {
	doc *planfile.Document
	o   Options
	b   strings.Builder
}

// The styles, by meaning.
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
)

func (p *printer) paint(style, s string) string {
	if !p.o.Color || style == "" || strings.TrimSpace(s) == "" {
		return s
	}
	return "\x1b[" + style + "m" + s + "\x1b[0m"
}

var signStyle = map[string]string{"+": green, "~": yellow, "-": red, ">": cyan}

func classStyle(c diff.Class) string {
	switch c {
	case diff.Stays, diff.Gains:
		return green
	case diff.Weakens, diff.Moves:
		return yellow
	case diff.Outage, diff.Drops:
		return red
	}
	return dim
}

// raw ends a line without blanks at its end; s is clean.
func (p *printer) raw(s string) {
	p.b.WriteString(strings.TrimRight(s, " "))
	p.b.WriteByte('\n')
}

func (p *printer) line(format string, args ...any) { p.raw(clean(fmt.Sprintf(format, args...))) }

func (p *printer) title(format string, args ...any) {
	p.raw("")
	p.raw(p.paint(bold, clean(fmt.Sprintf(format, args...))))
}

// paragraph is wrapped and indented.
func (p *printer) paragraph(indent, text string) {
	for _, l := range p.wrapped(clean(text), width(indent)) {
		p.raw(indent + l)
	}
}

func (p *printer) wrapped(s string, column int) []string {
	if p.o.Width < 1 {
		return wrap(s, 0)
	}
	return wrap(s, max(p.o.Width-column, textMin))
}

// row is one line of the table of changes.
type row struct {
	indent string
	sign   string
	what   string
	where  string
	impact *diff.Impact
	column int // of the impact
	class  int // columns of the class, 0: as long as it is
	mark   bool
	text   string // instead of what the impact says
}

func (p *printer) row(r row) {
	indent, mark, sign := r.indent, "", ""
	if r.mark {
		indent, mark = strings.TrimSuffix(indent, "  "), "! "
	}
	if r.sign != "" {
		sign = r.sign + " "
	}
	head := width(indent + mark + sign)
	body := clean(r.what)
	if r.where != "" || r.impact != nil {
		body = pad(body, max(whereColumn-head, 0))
	}
	line := indent + p.paint(bold, mark) + p.paint(signStyle[r.sign], sign) + body
	if r.impact == nil {
		p.raw(line + clean(r.where))
		return
	}
	used := head + width(body)
	place := pad(clean(r.where), max(r.column-used, 0))
	line += place
	p.impact(line, used+width(place), r)
}

// impact ends a line with the class and its text, wrapped under the text's own column.
func (p *printer) impact(line string, column int, r row) {
	word := clean(classWord(r.impact.Class))
	text := r.text
	if text == "" {
		text = clean(impactText(r.impact))
	}
	if text == "" {
		p.raw(line + p.paint(classStyle(r.impact.Class), word))
		return
	}
	cell := pad(word, r.class)
	if r.class == 0 {
		cell = word + " "
	}
	column += width(cell)
	if short := p.o.Width < 1 || column+width(text) <= p.o.Width; !short && column+textMin > p.o.Width {
		p.raw(line + p.paint(classStyle(r.impact.Class), word))
		p.paragraph(strings.Repeat(" ", textIndent), text)
		return
	}
	lines := p.wrapped(text, column)
	p.raw(line + p.paint(classStyle(r.impact.Class), cell) + lines[0])
	for _, l := range lines[1:] {
		p.raw(strings.Repeat(" ", column) + l)
	}
}

// where is a position of the document's own files: "nginx-pair.ha.hcl:54".
func (p *printer) where(s plan.Src) string {
	if f := p.file(s); f != "" {
		return fmt.Sprintf("%s:%d", f, s[1])
	}
	return ""
}

func (p *printer) file(s plan.Src) string {
	if s.IsZero() || s[0] < 0 || s[0] >= len(p.doc.Sources) {
		return ""
	}
	return p.doc.Sources[s[0]].File
}
