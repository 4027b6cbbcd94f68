package module

import (
	"bytes"
	"cmp"
	"fmt"
	"regexp"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"hafile/lang/diag"
	"hafile/lang/schema"
)

// slip is a line as somebody writes it who knows keepalived.conf. The parser answers it
// in general words; the cure is more useful.
type slip struct {
	pattern *regexp.Regexp
	cure    func(match []string) string
}

var slips = []slip{
	{regexp.MustCompile(`^\s*(?:vip|virtual_ipaddress)\s+([0-9a-fA-F.:]+(?:/\d+)?)\s*\{`),
		func(m []string) string {
			return fmt.Sprintf("A label cannot be an address. Write vip { address = %q }.", m[1])
		}},
	{regexp.MustCompile(`^\s*(?:vip|virtual_ipaddress)\s*\{?\s*"?([0-9a-fA-F]+[.:][0-9a-fA-F.:]+(?:/\d+)?)"?`),
		func(m []string) string {
			return fmt.Sprintf("Write vip { address = %q }, one block per address.", m[1])
		}},
	{regexp.MustCompile(`^\s*(\w+)\s*=\s*(\d+(?:\.\d+)?(?:ns|us|ms|s|m|h))\b`),
		func(m []string) string { return fmt.Sprintf("A duration is a string. Write %s = %q.", m[1], m[2]) }},
	{regexp.MustCompile(`^\s*(\w+)\s*=\s*(\d+\.\d+\.\d+\.\d+(?:/\d+)?)`),
		func(m []string) string { return fmt.Sprintf("An address is a string. Write %s = %q.", m[1], m[2]) }},
	{regexp.MustCompile(`^\s*(\w+)\s*=\s*([0-9a-fA-F]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*(?:/\d+)?)`),
		func(m []string) string { return fmt.Sprintf("An address is a string. Write %s = %q.", m[1], m[2]) }},
	{regexp.MustCompile(`^\s*vip\s*=\s*(.+?)\s*$`),
		func(m []string) string { return "Write vip { address = \"" + strings.Trim(m[1], `"`) + "\" }." }},
	{regexp.MustCompile(`^\s*(state)\s+(MASTER|BACKUP)\b`),
		func(m []string) string {
			return "There is no initial state: below priority 255 it never decided anything. Leave it out; priority says who is preferred."
		}},
	{regexp.MustCompile(`^\s*(\w+)\s+("[^"]*"|'[^']*'|[^\s"={}]+)\s*;?\s*$`),
		func(m []string) string { return argumentCure(m[1], m[2]) }},
	{regexp.MustCompile(`^\s*(\w+)\s*:\s*(\S.*?)\s*,?\s*$`),
		func(m []string) string { return argumentCure(m[1], m[2]) }},
	{regexp.MustCompile(`^\s*(\w+)\s*$`),
		func(m []string) string { return keepalivedCure(m[1]) }},
	{regexp.MustCompile(`^\s*(\w+)\b[^={"]*\{`),
		func(m []string) string { return keepalivedCure(m[1]) }},
	{regexp.MustCompile(`^\s*!`),
		func(m []string) string { return "A comment starts with # here." }},
	{regexp.MustCompile(`\{[^{}]*=[^{}]*,[^{}]*=[^{}]*\}`),
		func(m []string) string { return "A block on one line takes one argument. Write one argument per line." }},
}

// syntax turns what the parser says into diagnostics: one per line, and in the words of
// the slip where the line is one.
func syntax(src []byte, ds hcl.Diagnostics) diag.Diagnostics {
	var out diag.Diagnostics
	seen := map[int]bool{}
	for _, d := range ds {
		at := d.Subject
		if at == nil {
			at = &hcl.Range{}
		}
		if seen[at.Start.Line] {
			continue
		}
		seen[at.Start.Line] = true
		line := lineAt(src, at.Start.Byte)
		head := headerOf(src, at.Start.Byte)
		code, summary, detail := "HA1000", lowerFirst(d.Summary), d.Detail
		if d.Summary == "Attribute redefined" {
			code, summary = "HA1006", "the argument stands here twice"
		}
		if better, cure, cause := own(src, d, *at); cure != "" {
			detail, at = cure, &cause
			if better != "" {
				summary = better
			}
		} else if cure := cmp.Or(bareCure(line, head), slipCure(line), nested(line, head)); cure != "" && code == "HA1000" {
			code, summary, detail = "HA1009", "this is how keepalived writes it", cure
			if strings.HasPrefix(cure, "A block on one line") {
				code, summary = "HA1000", "several arguments on one line"
			}
		}
		sev := diag.Error
		if d.Severity == hcl.DiagWarning {
			sev = diag.Warning
		}
		out = append(out, diag.Diagnostic{Severity: sev, Code: code, Summary: summary, Detail: nextStep(detail), Range: At(*at)})
		if code == "HA1009" || strings.HasPrefix(d.Summary, "Un") || d.Summary == "Invalid multi-line string" {
			break // what follows is the parser that lost its way
		}
	}
	return out
}

// nextStep makes sure that a message of the parser ends in something to do.
func nextStep(detail string) string {
	if detail == "" {
		return "Correct the line; hafile fmt shows whether it parses."
	}
	return detail
}

var bareAddress = regexp.MustCompile(`^\s*"?([0-9]+\.[0-9.]+(?:/\d+)?|[0-9a-fA-F]+:[0-9a-fA-F:.]*(?:/\d+)?)"?(?:\s+(.*))?,?\s*$`)

// bareCure is for a line that begins with an address: what it is depends on the block.
func bareCure(line, head string) string {
	m := bareAddress.FindStringSubmatch(line)
	if m == nil {
		return ""
	}
	if strings.HasPrefix(strings.TrimSpace(head), "unicast_peer") {
		return `Peers need no list, they are the other members: take the block out and write transport = "unicast".`
	}
	if strings.Contains(m[2], "dev ") {
		_, dev, _ := strings.Cut(m[2], "dev ")
		return fmt.Sprintf("A virtual address is a block: write vip { } with address = %q and interface = %q, an argument a line.", m[1], strings.Fields(dev + " eth0")[0])
	}
	return fmt.Sprintf("A virtual address is a block: write vip { address = %q }, one for each.", m[1])
}

var firstWord = regexp.MustCompile(`^\s*(\w+)`)

// nested is for a line without a cure of its own, in a block of keepalived.
func nested(line, head string) string {
	if m := firstWord.FindStringSubmatch(head); m != nil && !strings.Contains(line, "=") {
		return keepalivedCure(m[1])
	}
	return ""
}

// keepalivedCure is what to write for a word of keepalived.
func keepalivedCure(word string) string {
	if word == "script" {
		return "" // ours, too
	}
	return sentenceOf(schema.Keepalived[word])
}

func sentenceOf(cure string) string {
	if cure == "" {
		return ""
	}
	return sentence(cure)
}

func slipCure(line string) string {
	for _, s := range slips {
		if m := s.pattern.FindStringSubmatch(line); m != nil {
			if cure := s.cure(m); cure != "" {
				return cure
			}
		}
	}
	return ""
}

func lineAt(src []byte, at int) string {
	at = min(max(at, 0), len(src))
	start := bytes.LastIndexByte(src[:at], '\n') + 1
	end := bytes.IndexByte(src[start:], '\n')
	if end < 0 {
		end = len(src) - start
	}
	return string(src[start : start+end])
}

func lowerFirst(s string) string {
	if len(s) < 2 || s[1] >= 'A' && s[1] <= 'Z' {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
