package keepalived

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// names of the kinds in the sum of a report.
var sums = map[Kind]string{NoEffect: "without effect"}

// WriteText writes the report for people: every directive of every file, the sums, and
// what holds for the result as a whole.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	for i, f := range r.Files {
		if i > 0 {
			b.WriteByte('\n')
		}
		f.text(&b, r.Out)
	}
	if len(r.Notes) > 0 {
		b.WriteByte('\n')
	}
	for _, n := range r.Notes {
		b.WriteString("Note: " + n + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (f *FileReport) text(b *strings.Builder, out string) {
	width := 30
	for _, v := range f.Verdicts {
		width = max(width, min(utf8.RuneCountInString(v.Text), 48))
	}
	fmt.Fprintf(b, "%s%s\n", pad(f.Name, width+21), out)
	for _, v := range f.Verdicts {
		text := []rune(v.Text)
		if len(text) > width {
			text = append(text[:width-1], '…')
		}
		line := fmt.Sprintf("%4d  %s%s", v.Line, pad(string(text), width+2), pad(string(v.Kind), 13))
		line += v.result()
		if v.Code != "" {
			line += "   " + v.Code
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	b.WriteString("\n" + f.sum() + "\n")
}

// result is where the directive went and what is to be said about it.
func (v *Verdict) result() string {
	var parts []string
	if v.Where > 0 {
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("%s:%d %s", v.WhereFile, v.Where, v.What)))
	}
	note := v.Note
	if v.EndLine > v.Line {
		note = strings.TrimSuffix(fmt.Sprintf("lines %d-%d: %s", v.Line, v.EndLine, note), ": ")
	}
	if note != "" {
		parts = append(parts, note)
	}
	return strings.Join(parts, " ")
}

func (f *FileReport) sum() string {
	lines := 0
	for _, v := range f.Verdicts {
		if v.Kind == Unsupported {
			lines += v.EndLine - v.Line + 1
		}
	}
	var parts []string
	for _, k := range Kinds {
		n := f.Counts[k]
		if n == 0 {
			continue
		}
		name := string(k)
		if s, ok := sums[k]; ok {
			name = s
		}
		part := fmt.Sprintf("%d %s", n, name)
		if k == Unsupported {
			part += fmt.Sprintf(" (%s)", count(lines, "line"))
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		parts = []string{"nothing to convert"}
	}
	return fmt.Sprintf("%s: %s.  Comments kept: %d of %d.", count(f.Directives, "directive"), strings.Join(parts, ", "), f.CommentsKept, f.Comments)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(width-utf8.RuneCountInString(s), 1))
}

// WriteJSON writes the report for programs.
func (r *Report) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(struct {
		FormatVersion string `json:"format_version"`
		Type          string `json:"type"`
		*Report
	}{"1.0", "convert", r})
}

// Lost reports whether anything was changed, dropped or not understood: what -strict
// refuses.
func (r *Report) Lost() bool {
	for _, f := range r.Files {
		if f.Counts[Changed]+f.Counts[Dropped]+f.Counts[Unsupported]+f.Counts[Unknown] > 0 {
			return true
		}
	}
	return false
}
