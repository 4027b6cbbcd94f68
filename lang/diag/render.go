package diag

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// PageWidth is for what is no terminal: logs of CI and mails are read by people, too.
const PageWidth = 100

// Options of the text renderer.
type Options struct {
	// Sources are the files that ranges point into; a file that is missing shows no snippet.
	Sources map[string][]byte
	Color   bool
	Width   int // of the terminal, for wrapping the detail; 0: no wrapping
	Limit   int // most messages shown; 0: all
}

const (
	red    = "\x1b[1;31m"
	yellow = "\x1b[1;33m"
	bold   = "\x1b[1m"
	faint  = "\x1b[2m"
	reset  = "\x1b[0m"
)

// Render writes diagnostics for people. The only control characters in its output are
// its own newlines and colours: files come from others, and a comment in one of them
// must not move the cursor.
func Render(w io.Writer, ds Diagnostics, o Options) error {
	r := renderer{w: bufio.NewWriter(w), o: o, files: map[string]*source{}}
	ds = ds.Scrub(r.secrets())
	for i, d := range ds {
		if o.Limit > 0 && i == o.Limit {
			fmt.Fprintf(r.w, "\nand %d more\n", len(ds)-i)
			break
		}
		if i > 0 {
			fmt.Fprintln(r.w)
		}
		r.one(d)
	}
	return r.w.Flush()
}

type renderer struct {
	w     *bufio.Writer
	o     Options
	files map[string]*source
}

func (r *renderer) paint(color, s string) string {
	if !r.o.Color {
		return s
	}
	return color + s + reset
}

func (r *renderer) one(d Diagnostic) {
	word, color := "Error", red
	if d.Severity == Warning {
		word, color = "Warning", yellow
	}
	fmt.Fprintf(r.w, "%s: %s\n", r.paint(color, word+" "+d.Code), r.paint(bold, clean(d.Summary)))
	if d.Range != nil {
		fmt.Fprintf(r.w, "  %s:%d:%d%s\n", clean(d.Range.Filename), d.Range.Start.Line, d.Range.Start.Column, place(d))
		r.snippet(*d.Range, color)
	} else if p := place(d); p != "" {
		fmt.Fprintf(r.w, "  %s\n", strings.TrimPrefix(p, ", "))
	}
	r.text(d.Detail)
	for _, rel := range d.Related {
		fmt.Fprintf(r.w, "  %s:%d:%d  %s\n", clean(rel.Range.Filename), rel.Range.Start.Line, rel.Range.Start.Column, clean(rel.Message))
		r.snippet(rel.Range, faint)
	}
}

func place(d Diagnostic) string {
	var p string
	if d.Address != "" {
		p += ", in " + clean(string(d.Address))
	}
	if d.Node != "" {
		p += ", on node " + clean(d.Node)
	}
	return p
}

// text writes the detail, wrapped at words. Lines that are indented stay as they are.
func (r *renderer) text(s string) {
	for _, line := range strings.Split(strings.TrimRight(s, "\n"), "\n") {
		line = clean(line)
		if line == "" {
			continue
		}
		if r.o.Width <= 0 || strings.HasPrefix(line, " ") {
			fmt.Fprintf(r.w, "  %s\n", line)
			continue
		}
		for _, part := range wrap(line, max(20, r.o.Width-2)) {
			fmt.Fprintf(r.w, "  %s\n", part)
		}
	}
}

func wrap(s string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(s) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}

func (r *renderer) snippet(at Range, color string) {
	src := r.source(at.Filename)
	if src == nil {
		return
	}
	line, ok := src.line(at.Start.Line)
	if !ok {
		return
	}
	start := at.Start.Byte - src.starts[at.Start.Line-1]
	end := len(line)
	if at.End.Line == at.Start.Line {
		end = at.End.Byte - src.starts[at.Start.Line-1]
	}
	start = min(max(start, 0), len(line))
	end = min(max(end, start), len(line))
	line, start, end = shown(line, start, end)
	before, under, after := visible(line[:start]), visible(line[start:end]), visible(line[end:])
	text, pad := before+under+after, width(before)
	const most = 160
	if width(text) > most { // a generated file may be one line
		text, pad = cut(before, under, after, most)
	}
	fmt.Fprintf(r.w, "  %4d | %s\n", at.Start.Line, strings.TrimRight(text, " "))
	fmt.Fprintf(r.w, "       | %s%s\n", strings.Repeat(" ", pad), r.paint(color, strings.Repeat("^", max(1, min(width(under), most-min(pad, most-1))))))
}

// cut shows what is around the marked part of a very long line.
func cut(before, under, after string, most int) (text string, pad int) {
	b, u := []rune(before), []rune(under+after)
	if len(b) > most/4 {
		b = append([]rune("..."), b[len(b)-most/4:]...)
	}
	if len(u) > most-len(b) {
		u = append(u[:most-len(b)], []rune("...")...)
	}
	return string(b) + string(u), len(b)
}

func width(s string) int { return utf8.RuneCountInString(s) }

// visible is a piece of source as it may be shown: tabs as two spaces, controls escaped.
func visible(b []byte) string { return clean(strings.ReplaceAll(string(b), "\t", "  ")) }

// clean escapes what would act on a terminal instead of being shown: controls, bytes
// that are no UTF-8, and the marks that reverse the direction of text.
func clean(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		c, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case c == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case unicode.IsControl(c) || unicode.In(c, unicode.Cf, unicode.Zl, unicode.Zp):
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

// source is a file with the start of each line: to look a line up must not read the file
// again for each of five hundred messages.
type source struct {
	text   []byte
	starts []int
}

// secrets are those of all sources, which are masked on the way.
func (r *renderer) secrets() []string {
	var all []string
	for name, text := range r.o.Sources {
		if s := r.source(name); s != nil {
			all = append(all, Secrets(text, s.text)...)
		}
	}
	return all
}

func (r *renderer) source(name string) *source {
	if s, ok := r.files[name]; ok {
		return s
	}
	var s *source
	if text, ok := r.o.Sources[name]; ok {
		s = &source{text: Mask(text), starts: []int{0}}
		for i, b := range s.text {
			if b == '\n' {
				s.starts = append(s.starts, i+1)
			}
		}
	}
	r.files[name] = s
	return s
}

func (s *source) line(n int) ([]byte, bool) {
	if n < 1 || n > len(s.starts) {
		return nil, false
	}
	end := len(s.text)
	if n < len(s.starts) {
		end = s.starts[n] - 1
	}
	return []byte(strings.TrimSuffix(string(s.text[s.starts[n-1]:end]), "\r")), true
}
