package keepalived

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"hafile/lang/diag"
)

// lineMax is keepalived's MAXBUF without its terminator: a longer line is ignored whole.
const lineMax = 1023

// source is one file as bytes, and the diagnostics about it.
type source struct {
	name  string
	bytes []byte
	start []int // byte offset of each line
	// included says that another file names it, in the line from.
	included bool
	from     place
	diags    *[]diag.Diagnostic
}

func newSource(name string, src []byte, diags *[]diag.Diagnostic) *source {
	s := &source{name: name, bytes: src, start: []int{0}, diags: diags}
	for i, b := range src {
		if b == '\n' {
			s.start = append(s.start, i+1)
		}
	}
	return s
}

// text of line n (from 1), without its end.
func (s *source) text(n int) string {
	if n < 1 || n > len(s.start) {
		return ""
	}
	end := len(s.bytes)
	if n < len(s.start) {
		end = s.start[n] - 1
	}
	return strings.TrimSuffix(string(s.bytes[s.start[n-1]:end]), "\r")
}

// at is the range of length bytes from byte col (from 0) of line n. Columns are counted
// in characters, as everywhere in diagnostics.
func (s *source) at(n, col, length int) *diag.Range {
	n = min(max(n, 1), len(s.start))
	line := s.text(n)
	col = min(max(col, 0), len(line))
	end := min(col+length, len(line))
	pos := func(c int) diag.Pos {
		return diag.Pos{Line: n, Column: utf8.RuneCountInString(line[:c]) + 1, Byte: s.start[n-1] + c}
	}
	return &diag.Range{Filename: s.name, Start: pos(col), End: pos(end)}
}

func (s *source) report(sev diag.Severity, code string, r *diag.Range, summary, detail string) {
	*s.diags = append(*s.diags, diag.Diagnostic{Severity: sev, Code: code, Summary: summary, Detail: detail, Range: r})
}

// comment is one comment of the original, without its marker.
type comment struct {
	src  *source
	line int
	text string
	kept bool
}

// physical is one line as keepalived's reader hands it on: no comment, no blanks around it.
type physical struct {
	src     *source
	n       int // line, from 1
	col     int // byte column of text's first character
	text    string
	comment *comment
	// blank: nothing but blanks, so that it ends a paragraph of comments.
	blank bool
	// exact: byte i of text is byte col+i of the line (no escape was taken out).
	exact bool
}

// lines cuts the source into physical lines. What keepalived would ignore is reported
// and left out.
func (s *source) lines() []physical {
	out := make([]physical, 0, len(s.start))
	for n := 1; n <= len(s.start); n++ {
		line := s.text(n)
		if n == 1 && strings.HasPrefix(line, "\ufeff") {
			// A byte order mark is three bytes of nothing, so that columns stay true.
			line = "   " + strings.TrimPrefix(line, "\ufeff")
		}
		if n == len(s.start) && line == "" {
			break
		}
		switch {
		case strings.ContainsRune(line, 0):
			s.report(diag.Error, "HA4005", s.at(n, strings.IndexByte(line, 0), 1), "A line holds a NUL byte",
				"keepalived ignores the whole line. Remove the byte, or the line.")
			line = ""
		case len(line) > lineMax:
			s.report(diag.Error, "HA4005", s.at(n, lineMax, len(line)-lineMax), "A line is too long",
				"keepalived ignores a line of more than 1023 bytes. Break it up.")
			line = ""
		}
		out = append(out, s.physical(n, line))
	}
	return out
}

// physical takes the comment off a line. '#' and '!' start one anywhere outside of
// double quotes; a backslash before them makes them characters.
func (s *source) physical(n int, line string) physical {
	p := physical{src: s, n: n, exact: true, blank: strings.TrimSpace(line) == ""}
	var b bytes.Buffer
	quoted := false
	start := len(line) - len(strings.TrimLeft(line, " \t"))
scan:
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '\\' && i+1 < len(line) && (line[i+1] == '#' || line[i+1] == '!'):
			p.exact = false
			i++
			c = line[i]
		// "@!id" is a condition, as "@^id" is, not an id and a comment.
		case c == '!' && i == start+1 && line[start] == '@':
		case c == '#' || c == '!':
			p.comment = &comment{src: s, line: n, text: strings.TrimRight(line[i+1:], " \t")}
			break scan
		}
		b.WriteByte(c)
	}
	if quoted {
		at := strings.LastIndexByte(line, '"')
		s.report(diag.Error, "HA4004", s.at(n, at, 1), "A quote is not closed",
			"keepalived ignores the rest of the line after the last \". Add the closing quote.")
	}
	p.col = start
	p.text = strings.TrimRight(strings.TrimLeft(b.String(), " \t"), " \t\v\f")
	return p
}

// word of a directive. col is its byte column on the line, -1 after an expansion.
type word struct {
	text   string
	col    int
	quoted bool
	start  int    // byte in the statement's text
	param  string // the parameter that the whole word is the value of
}

// words splits an ordinary directive: only double quotes group, nothing escapes, and a
// quote also ends the word before it (a"b c"d is three words).
func words(text string, col int) []word {
	var out []word
	at := func(i int) int {
		if col < 0 {
			return -1
		}
		return col + i
	}
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == ' ' || c == '\t':
			i++
		case c == '"':
			end := strings.IndexByte(text[i+1:], '"')
			if end < 0 {
				return out // an open quote drops the rest of the line
			}
			out = append(out, word{text: text[i+1 : i+1+end], col: at(i), quoted: true, start: i + 1})
			i += end + 2
		default:
			end := strings.IndexAny(text[i:], " \t\"")
			if end < 0 {
				end = len(text) - i
			}
			out = append(out, word{text: text[i : i+end], col: at(i), start: i})
			i += end
		}
	}
	return out
}

// scriptWords is the first pass over a line that names a program: a backslash and what
// it keeps both stay for the second pass, [argv]. Word 1 is the whole command with its
// parameters.
func scriptWords(text string) []string {
	return quotedWords(text, func(rest string) (int, string) { return 1, `\` + rest[:1] })
}

// argv is the second pass: the command as execve gets it.
func argv(command string) []string {
	return quotedWords(command, func(rest string) (int, string) {
		n, c := escape(rest)
		return n, string([]byte{c})
	})
}

// quotedWords splits at blanks that stand in no single or double quotes. backslash is
// asked how many bytes behind one belong to it, and what becomes of it.
func quotedWords(text string, backslash func(rest string) (int, string)) []string {
	var out []string
	var b strings.Builder
	var quote byte
	open := false
	flush := func() {
		if open {
			out = append(out, b.String())
		}
		b.Reset()
		open = false
	}
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\\' && i+1 < len(text):
			n, kept := backslash(text[i+1:])
			b.WriteString(kept)
			i += n
			open = true
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			b.WriteByte(c)
		case c == '"' || c == '\'':
			quote, open = c, true
		case c == ' ' || c == '\t':
			flush()
		default:
			b.WriteByte(c)
			open = true
		}
	}
	flush()
	return out
}

var escapes = map[byte]byte{
	'a': '\a', 'b': '\b', 'E': 0x1b, 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v',
}

// escape decodes what follows a backslash: how many bytes it took, and what it means.
func escape(s string) (int, byte) {
	c := s[0]
	if r, ok := escapes[c]; ok {
		return 1, r
	}
	switch {
	case c == 'c' && len(s) > 1:
		return 2, s[1] & 0x1f
	case c == 'x':
		if n, v := digits(s[1:], 16, 2); n > 0 {
			return 1 + n, v
		}
	case c >= '0' && c <= '7':
		n, v := digits(s, 8, 3)
		return n, v
	}
	return 1, c
}

func digits(s string, base, most int) (n int, v byte) {
	for n < most && n < len(s) {
		d := strings.IndexByte("0123456789abcdef", s[n]|0x20)
		if s[n] <= '9' {
			d = strings.IndexByte("0123456789", s[n])
		}
		if d < 0 || d >= base {
			break
		}
		v = v*byte(base) + byte(d)
		n++
	}
	return n, v
}
