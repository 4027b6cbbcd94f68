package keepalived

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// outLine is one line of the result and the directives that it comes from.
type outLine struct {
	lead []string // comment lines above it
	text string
	// remark is a comment behind the text that is ours; a comment of the original goes first.
	remark string
	dirs   []*directive
	// inner are comments and notes right behind the '{' of a block.
	inner []string
	// close is the line of the '}'; nil unless the line opens a block.
	close *outLine
	what  string // how a report calls it
	// from is the parameter of the original whose value expr is, "" if it is none's.
	from, expr string
	n          int    // its number in the result, once written
	file       string // in which it stands, "" for the main one
}

// output is the result while it is written.
type output struct {
	lines  []*outLine
	open   []*outLine
	header []string
}

func (o *output) add(text string, dirs ...*directive) *outLine {
	l := &outLine{text: text, dirs: dirs}
	o.lines = append(o.lines, l)
	return l
}

func (o *output) blank() {
	if n := len(o.lines); n > 0 && o.lines[n-1].text != "" {
		o.add("")
	}
}

func (o *output) attr(name string, s setting) *outLine {
	l := o.add(name+" = "+s.expr, s.dirs...)
	for i, d := range s.dirs {
		if l.param(d, 1, s.expr); i > 0 && l.from != s.dirs[0].words[min(1, len(s.dirs[0].words)-1)].param {
			l.from = ""
			break
		}
	}
	return l
}

// param notes that word i of d, which expr stands for, is the value of a parameter.
func (l *outLine) param(d *directive, i int, expr string) {
	if l.from = ""; d != nil && i < len(d.words) {
		l.from, l.expr = d.words[i].param, expr
	}
}

func (o *output) begin(text, what string, dirs ...*directive) *outLine {
	l := o.add(text+" {", dirs...)
	l.what = what
	o.open = append(o.open, l)
	return l
}

func (o *output) end() {
	last := o.open[len(o.open)-1]
	o.open = o.open[:len(o.open)-1]
	last.close = o.add("}")
}

// section is the rule that parts a file, as wide as the samples in the documentation.
func (o *output) section(title string) {
	o.blank()
	o.add(fmt.Sprintf("# %s %s", strings.Repeat("-", max(72-len(title), 3)), title))
	o.add("")
}

// claim ties directives to lines, in the order of the result: the first line that names
// a directive is where it went, and where its comments go.
func (o *output) claim() {
	for _, l := range o.lines {
		for _, d := range l.dirs {
			if d.line == nil {
				d.line = l
			}
		}
	}
	for i := range o.lines {
		for _, d := range o.lines[i].dirs {
			if d.line == o.lines[i] && !d.comment {
				o.take(i, d)
			}
		}
	}
}

// take hangs a directive's comments on line i, which it became.
func (o *output) take(i int, d *directive) {
	l := o.lines[i]
	d.comment = true
	for _, c := range d.lead {
		l.addLead(c)
	}
	switch {
	case d.trail == nil:
	case d.block || strings.HasSuffix(l.text, " {"):
		l.addLead(d.trail) // behind a brace it would be lined up with what follows
	default:
		l.addTrail(d.trail)
	}
	below := l.close
	if below == nil || d.context().list() {
		// A list has no block of its own: what ends it stands below its last line.
		for j := i; j+1 < len(o.lines); j++ {
			if slices.Contains(o.lines[j].dirs, d) {
				below = o.lines[j+1]
			}
		}
	}
	for _, c := range d.tail {
		if below != nil {
			below.addLead(c)
		}
	}
}

func (l *outLine) addLead(c *comment) {
	c.kept = true
	if text := c.String(); !slices.Contains(l.lead, text) {
		l.lead = append(l.lead, text)
	}
}

// addTrail puts a comment behind the line; a second one goes above it.
func (l *outLine) addTrail(c *comment) {
	c.kept = true
	text := strings.TrimSpace(strings.TrimLeft(c.String(), "#"))
	switch {
	case text == "" || l.remark == text:
	case l.remark == "" || !strings.HasPrefix(l.remark, "\x00"):
		// \x00 marks a comment of the original: ours gives way to it.
		l.remark = "\x00" + text
	case l.remark != "\x00"+text:
		l.addLead(c)
	}
}

var secretWords = regexp.MustCompile(`(?i)\b(auth_pass|password|passwd)([ \t]*[ \t=:][ \t]*)(\S+)`)

// String is the comment as HCL has it: "#", and what stood behind the marker, without
// what a terminal could take for a command and without a password that was commented out.
func (c *comment) String() string {
	text := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\t' || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, strings.ToValidUTF8(c.text, ""))
	text = secretWords.ReplaceAllString(text, "$1$2********")
	if text != "" && text[0] != ' ' && text[0] != '\t' && text[0] != '#' && text[0] != '!' {
		text = " " + text
	}
	return strings.TrimRight("#"+text, " \t")
}

// cleanLine is text of the original that goes into the result: UTF-8, and on one line.
func cleanLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\t' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}

// note is a comment of ours about a directive that has no line of its own, with the
// comments that stood beside it.
func note(d *directive, withVerdict bool) []string {
	var out []string
	for _, c := range d.lead {
		c.kept = true
		out = append(out, c.String())
	}
	text := d.shown()
	if d.said != nil && d.said.kind != Exact && (withVerdict || d.trail == nil || d.said.kind == Unsupported) && d.said.note != "" {
		text += fmt.Sprintf(" (%s: %s)", d.said.kind, cleanLine(d.said.note))
	}
	if d.trail != nil {
		d.trail.kept = true
		text += " " + d.trail.String()
	}
	out = append(out, strings.TrimRight("# "+text, " "))
	for _, c := range d.tail {
		c.kept = true
		out = append(out, c.String())
	}
	d.comment = true
	return out
}

// shown is the statement as people see it: no secrets, nothing that moves a cursor.
func (d *directive) shown() string {
	text := d.text
	if d.block {
		text += " {"
	}
	for i, w := range d.words {
		if i > 0 && w.text != "" && d.secret(i) {
			text = strings.ReplaceAll(text, w.text, "********")
		}
	}
	if d.kind == isDefinition {
		text = maskDefinition(text)
	}
	text = secretWords.ReplaceAllString(text, "$1$2********")
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\t' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "�"))
}

var secretName = regexp.MustCompile(`(?i)^\$[a-z_0-9]*(pass|secret|key|auth|pw)[a-z_0-9]*=`)

func maskDefinition(text string) string {
	if m := secretName.FindString(text); m != "" {
		return m + "********"
	}
	return text
}

// secret reports whether argument i must not be shown.
func (d *directive) secret(i int) bool {
	switch d.key() {
	case "auth_pass", "password":
		return true
	case "key":
		return i >= 2 && d.ctx != nil && d.ctx.name == "auth_hmac"
	}
	return false
}

// text is the whole result. It numbers the lines.
func (o *output) text() string {
	var b strings.Builder
	n := 0
	put := func(s string) {
		n++
		b.WriteString(s)
		b.WriteByte('\n')
	}
	for _, h := range o.header {
		put(h)
	}
	if len(o.header) > 0 {
		put("")
	}
	for _, l := range o.lines {
		for _, c := range l.lead {
			put(c)
		}
		s := l.text
		if r := strings.TrimPrefix(l.remark, "\x00"); r != "" {
			s += " # " + r
		}
		put(s)
		l.n = n
		for _, c := range l.inner {
			put(c)
		}
	}
	return b.String()
}
