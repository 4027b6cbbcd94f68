package render

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	"hafile/lang/diff"
	"hafile/lang/plan"
)

// clean keeps a document of somebody else from steering the terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return '?'
		}
		return r
	}, s)
}

func width(s string) int { return utf8.RuneCountInString(s) }

// pad fills s up to n columns, and sets what is longer apart by two blanks.
func pad(s string, n int) string {
	if w := width(s); w < n {
		return s + strings.Repeat(" ", n-w)
	} else if w > 0 && n > 0 {
		return s + "  "
	}
	return s
}

// value is a JSON value as the language writes it, without the quotes.
func value(raw json.RawMessage) string {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return string(raw)
	}
	switch x := v.(type) {
	case string:
		return x
	case []any:
		words := make([]string, len(x))
		for i := range x {
			words[i] = fmt.Sprint(x[i])
		}
		return strings.Join(words, " ")
	}
	return string(raw)
}

// addresses of VIPs without their prefix, the first three of many.
func addresses(vips []netip.Prefix) string {
	const most = 3
	var words []string
	for i, v := range vips {
		if i == most && len(vips) > most+1 {
			words = append(words, fmt.Sprintf("and %d more", len(vips)-most))
			break
		}
		words = append(words, v.Addr().String())
	}
	return strings.Join(words, ", ")
}

// classWord of an impact; what harms is shouted.
func classWord(c diff.Class) string {
	if c == diff.None || c == "" {
		return "none"
	}
	return strings.ToUpper(string(c))
}

// impactText says an impact after its class.
func impactText(i *diff.Impact) string {
	vips := addresses(i.VIPs)
	switch i.Class {
	case diff.Gains:
		return join(", ", vips, i.Text)
	case diff.Moves, diff.Drops:
		return join(" ", vips, i.Text)
	}
	return i.Text
}

// join leaves out what is empty.
func join(sep string, parts ...string) string {
	var some []string
	for _, p := range parts {
		if p != "" {
			some = append(some, p)
		}
	}
	return strings.Join(some, sep)
}

// plural is "1 field", "2 fields".
func plural(n int, word string) string {
	switch {
	case n == 1:
		return "1 " + word
	case strings.HasSuffix(word, "s"):
		word += "e"
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// inFile drops the file from "file:line" where the reader knows it.
func inFile(where, file string) string {
	if rest, same := strings.CutPrefix(where, file+":"); same && file != "" {
		return ":" + rest
	}
	return where
}

// subject is what a check watches, as far as its name says so: "nginx dies".
func subject(check plan.Addr) string {
	name := check.Name()
	for _, prefix := range []string{"chk_", "check_"} {
		if what, is := strings.CutPrefix(name, prefix); is && what != "" {
			return what + " dies"
		}
	}
	return name + " fails"
}

// wrap breaks text at blanks into lines of at most n columns; n < 1 keeps one line.
func wrap(s string, n int) []string {
	if n < 1 {
		return []string{s}
	}
	var lines []string
	line := ""
	for _, word := range strings.Fields(s) {
		if line != "" && width(line)+1+width(word) > n {
			lines = append(lines, line)
			line = ""
		}
		line = join(" ", line, word)
	}
	return append(lines, line)
}

// cleanLines is clean for text of several lines.
func cleanLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = clean(lines[i])
	}
	return strings.Join(lines, "\n")
}
