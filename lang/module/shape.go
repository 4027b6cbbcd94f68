package module

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"

	"hafile/lang/diag"
	"hafile/lang/schema"
)

// signs of a keepalived.conf, each a line that no file of ours has.
var signs = []*regexp.Regexp{
	regexp.MustCompile(`(?m)^[ \t]*vrrp_instance[ \t]+[^\s="{]+[ \t]*\{?`),
	regexp.MustCompile(`(?m)^[ \t]*vrrp_script[ \t]+[^\s="{]+[ \t]*\{?`),
	regexp.MustCompile(`(?m)^[ \t]*global_defs[ \t]*\{?[ \t]*$`),
	regexp.MustCompile(`(?m)^[ \t]*virtual_ipaddress[ \t]*\{`),
	regexp.MustCompile(`(?m)^[ \t]*virtual_router_id[ \t]+\d`),
	regexp.MustCompile(`(?m)^[ \t]*state[ \t]+(?:MASTER|BACKUP)`),
	regexp.MustCompile(`(?m)^[ \t]*virtual_server[ \t]+\S+[ \t]+\d`),
}

var ours = regexp.MustCompile(`(?m)^[ \t]*(?:instance|node|script|hafile|module)[ \t]+"`)

// wholeFile recognizes a keepalived.conf under one of our names. To name its lines one by
// one would be to explain a language to somebody who asked for a translation.
func wholeFile(name string, src []byte) *diag.Diagnostic {
	if ours.Match(src) {
		return nil
	}
	first, seen := -1, 0
	for _, s := range signs {
		if at := s.FindIndex(src); at != nil {
			seen++
			if first < 0 || at[0] < first {
				first = at[0]
			}
		}
	}
	if seen < 2 {
		return nil
	}
	first += len(src[first:]) - len(bytes.TrimLeft(src[first:], " \t\r\n"))
	end := first + len(lineAt(src, first)) - (first - bytes.LastIndexByte(src[:first], '\n') - 1)
	return &diag.Diagnostic{
		Severity: diag.Error, Code: "HA1009", Summary: "this is a keepalived.conf",
		Range: &diag.Range{Filename: name, Start: posOf(src, first), End: posOf(src, end)},
		Detail: "hafile convert turns it into this language, with a report of what it could not take over: " +
			"hafile convert lb1=a/keepalived.conf lb2=b/keepalived.conf -out pair.ha.hcl, with the file of each machine of the group.",
	}
}

// headerOf is the line that opens the block around a position; empty at the top of a file.
func headerOf(src []byte, at int) string {
	depth := 0
	start := bytes.LastIndexByte(src[:min(at, len(src))], '\n') + 1
	for i := start - 1; i >= 0; i-- {
		switch src[i] {
		case '}':
			depth++
		case '{':
			if depth == 0 {
				return lineAt(src, i)
			}
			depth--
		}
	}
	return ""
}

// argumentCure is how an argument of some block is written that stands there as
// keepalived writes it, NAME VALUE, or NAME: VALUE.
func argumentCure(name, value string) string {
	if name == "router_id" && strings.Trim(value, `"0123456789`) != "" {
		return "router_id is the VRID here, keepalived's virtual_router_id: write router_id = 51. The name of the machine stands nowhere; mails have from in notify { email { ... } }."
	}
	if cure, ok := schema.Keepalived[name]; ok {
		return sentence(cure)
	}
	a := argumentOf(name)
	if a == nil {
		return ""
	}
	word := strings.Trim(value, `"';`)
	switch a.Kind {
	case schema.Secret:
		return fmt.Sprintf("Write %s = credential(\"NAME\"): the value stands in a file of that name on each node, and not here.", name)
	case schema.Bool:
		if strings.EqualFold(word, "on") || strings.EqualFold(word, "yes") || strings.EqualFold(word, "true") {
			return fmt.Sprintf("Write %s = true.", name)
		}
		return fmt.Sprintf("Write %s = false.", name)
	case schema.Int, schema.Duration:
		if number.MatchString(word) {
			return fmt.Sprintf("Write %s = %s.", name, word)
		}
	case schema.Ref, schema.Any:
		return fmt.Sprintf("Write %s = %s.", name, word)
	case schema.Strings, schema.Refs, schema.Ints, schema.Map:
		return fmt.Sprintf("Write %s = [...].", name)
	}
	return fmt.Sprintf("Write %s = %q.", name, word)
}

var number = regexp.MustCompile(`^-?\d+(?:\.\d+)?$`)

// argumentOf finds the first argument of a name in any block.
func argumentOf(name string) *schema.Arg {
	var found *schema.Arg
	var walk func(b *schema.Block)
	walk = func(b *schema.Block) {
		if a := b.Arg(name); a != nil && found == nil && a.Wrong == "" {
			found = a
		}
		for _, n := range b.Blocks {
			if found == nil {
				walk(n)
			}
		}
	}
	walk(&schema.File)
	return found
}

// own says in our words what the parser says in its own, and points to the cause where
// that is another place. Empty: the parser's words stand.
func own(src []byte, d *hcl.Diagnostic, at hcl.Range) (summary, detail string, cause hcl.Range) {
	here := src[min(at.Start.Byte, len(src)):]
	switch {
	case d.Summary == "Invalid single-argument block definition":
		return "the block does not end on its line", "A block that holds its argument on its own line ends there too. Put the first argument on a line of its own, or add } behind it.", at
	case d.Summary == "Missing item separator":
		if open := unclosed(src, at.Start.Byte); open >= 0 {
			start := hclPos(src, open)
			if start.Line != at.Start.Line {
				return "the list is not closed", fmt.Sprintf("Line %d is read as its next element. Add ] at its end, or a comma between its elements.", at.Start.Line),
					hcl.Range{Filename: at.Filename, Start: start, End: hclPos(src, open+1)}
			}
		}
		return "", "Write a comma between two elements.", at
	case d.Summary == "Unterminated template string":
		if m := lastHeredoc(src); m != nil {
			return "the text has no end", fmt.Sprintf("It starts here and ends with a line that holds %[1]s and nothing else; there is none. Add a line with %[1]s.", src[m[2]:m[3]]),
				hcl.Range{Filename: at.Filename, Start: hclPos(src, m[0]), End: hclPos(src, m[1])}
		}
	case bytes.HasPrefix(here, []byte("/*")):
		return "the comment has no end", "It starts with /* and ends with */, which is missing. Add it, or begin each line with #.", at
	case strings.HasPrefix(d.Summary, "Missing newline after") && bytes.HasPrefix(bytes.TrimLeft(here, " \t"), []byte("}")):
		return "there is a } too many", "The block is closed before it. Take one out, or look for the { that is missing above.", at
	case d.Summary == "Invalid character":
		if r, n := utf8.DecodeRune(here); n > 1 {
			return fmt.Sprintf("the character U+%04X%s stands here", r, called[r]), "The language does not have it outside of quotes; an editor or a web page has put it there. Type that place again.", at
		}
	}
	return "", "", at
}

// called are characters that look like others.
var called = map[rune]string{
	0xa0: " (a blank that does not break)", 0x202f: " (a narrow blank)", 0x200b: " (a blank without width)", 0xfeff: " (a byte order mark)",
	0x2018: " (a curly quote)", 0x2019: " (a curly quote)", 0x201c: " (a curly quote)", 0x201d: " (a curly quote)", 0x2013: " (a dash)", 0x2014: " (a dash)",
}

var heredocs = regexp.MustCompile(`<<-?(\w+)[ \t\r]*\n`)

// lastHeredoc is the last one that has no end.
func lastHeredoc(src []byte) []int {
	all := heredocs.FindAllSubmatchIndex(src, -1)
	for i := len(all) - 1; i >= 0; i-- {
		if !regexp.MustCompile(`(?m)^[ \t]*` + string(src[all[i][2]:all[i][3]]) + `[ \t\r]*$`).Match(src[all[i][1]:]) {
			return all[i]
		}
	}
	return nil
}

// unclosed is the last [ or ( before a position that nothing closes, or -1. Strings and
// comments are passed over line by line.
func unclosed(src []byte, before int) int {
	var open []int
	for i := 0; i < min(before, len(src)); i++ {
		switch src[i] {
		case '"':
			for i++; i < before && src[i] != '"' && src[i] != '\n'; i++ {
				if src[i] == '\\' {
					i++
				}
			}
		case '#':
			for i < before && src[i] != '\n' {
				i++
			}
		case '[', '(':
			open = append(open, i)
		case ']', ')':
			if len(open) > 0 {
				open = open[:len(open)-1]
			}
		}
	}
	if len(open) == 0 {
		return -1
	}
	return open[len(open)-1]
}
