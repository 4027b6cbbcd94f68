package module

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"hafile/lang/diag"
)

// What a file may hold at most. The parser and the evaluator are recursive: 100,000
// parentheses, or as many `!`, overflow the stack.
const (
	sizeMax  = 4 << 20
	depthMax = 200
	chainMax = 10_000
)

// Check refuses a file that must not reach the parser; nil lets it through.
func Check(name string, src []byte) *diag.Diagnostic {
	if len(src) > sizeMax {
		return refusal(name, nil, fmt.Sprintf("the file is larger than %d MiB", sizeMax>>20),
			fmt.Sprintf("It has %d bytes. Split it: all files of a directory are one configuration.", len(src)))
	}
	if i := bytes.IndexByte(src, 0); i >= 0 {
		return refusal(name, &diag.Range{Filename: name, Start: posOf(src, i), End: posOf(src, i+1)},
			"the file holds a NUL byte", "It is not a text file. Write it as UTF-8 without NUL.")
	}
	if i := invalid(src); i >= 0 {
		return refusal(name, &diag.Range{Filename: name, Start: posOf(src, i), End: posOf(src, i+1)},
			"the file is not UTF-8", fmt.Sprintf("Byte %d is none of its text. Save it as UTF-8.", i))
	}
	if strings.HasSuffix(name, ".json") {
		return checkJSON(name, src)
	}
	if d := checkRuns(name, src); d != nil {
		return d
	}
	tokens, _ := hclsyntax.LexConfig(src, name, hcl.InitialPos)
	return checkTokens(tokens)
}

// invalid is the index of the first byte that is no UTF-8, or -1. The lexer reports it in
// strings but lets it pass in names.
func invalid(src []byte) int {
	if utf8.Valid(src) {
		return -1
	}
	for i := 0; i < len(src); {
		r, n := utf8.DecodeRune(src[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

func refusal(name string, r *diag.Range, summary, detail string) *diag.Diagnostic {
	if r == nil {
		r = &diag.Range{Filename: name, Start: diag.Pos{Line: 1, Column: 1}, End: diag.Pos{Line: 1, Column: 1}}
	}
	return &diag.Diagnostic{Severity: diag.Error, Code: "HA1011", Summary: summary, Detail: detail, Range: r}
}

// checkRuns keeps a few megabytes of one opening character from becoming a gigabyte of
// tokens.
func checkRuns(name string, src []byte) *diag.Diagnostic {
	run := 0
	for i, b := range src {
		if strings.IndexByte("([{!-", b) < 0 || i > 0 && src[i-1] != b {
			run = 0
			continue
		}
		if run++; run > chainMax {
			return tooDeep(hcl.Range{Filename: name, Start: hclPos(src, i), End: hclPos(src, i+1)})
		}
	}
	return nil
}

// frame is one level of nesting: what separates items in it, and how long the chain of
// operators of the present item is.
type frame struct {
	newlineSeparates bool
	chain            int
}

// checkTokens walks tokens with the nesting that the parser would recurse into.
func checkTokens(tokens hclsyntax.Tokens) *diag.Diagnostic {
	frames := []frame{{newlineSeparates: true}}
	directives := 0
	for i, t := range tokens {
		top := &frames[len(frames)-1]
		switch t.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOParen, hclsyntax.TokenOBrack,
			hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl, hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc:
			top.chain++ // f(x)[0][0]… nests an expression each time
			frames = append(frames, frame{newlineSeparates: t.Type == hclsyntax.TokenOBrace})
			if t.Type == hclsyntax.TokenTemplateControl {
				directives += directive(tokens[i+1:])
			}
		case hclsyntax.TokenCBrace, hclsyntax.TokenCParen, hclsyntax.TokenCBrack,
			hclsyntax.TokenTemplateSeqEnd, hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc:
			if len(frames) > 1 {
				frames = frames[:len(frames)-1]
			}
		case hclsyntax.TokenComma:
			top.chain = 0
		case hclsyntax.TokenNewline:
			if top.newlineSeparates {
				top.chain = 0
			}
		case hclsyntax.TokenNumberLit:
			if huge.Match(t.Bytes) {
				return tooLarge(t.Range)
			}
		case hclsyntax.TokenIdent, hclsyntax.TokenQuotedLit, hclsyntax.TokenStringLit,
			hclsyntax.TokenComment, hclsyntax.TokenEqual, hclsyntax.TokenEOF:
		default: // an operator, a dot, a question mark
			top.chain++
		}
		if len(frames) > depthMax || directives > depthMax || frames[len(frames)-1].chain > chainMax {
			return tooDeep(t.Range)
		}
	}
	return nil
}

// huge is a number that fills a gigabyte when somebody writes it out.
var huge = regexp.MustCompile(`[0-9.][eE][+-]?[0-9]{5}`)

func tooLarge(r hcl.Range) *diag.Diagnostic {
	return &diag.Diagnostic{
		Severity: diag.Error, Code: "HA1011", Summary: "the number is too large", Range: At(r),
		Detail: "Its exponent has more than four digits. Write a smaller number.",
	}
}

// directive is +1 for a template's if and for, -1 for their ends.
func directive(after hclsyntax.Tokens) int {
	if len(after) == 0 {
		return 0
	}
	switch string(after[0].Bytes) {
	case "if", "for":
		return 1
	case "endif", "endfor":
		return -1
	}
	return 0
}

func tooDeep(r hcl.Range) *diag.Diagnostic {
	return &diag.Diagnostic{
		Severity: diag.Error, Code: "HA1011", Summary: "the expression is too deep or too long", Range: At(r),
		Detail: fmt.Sprintf("Nesting ends at %d levels and a chain of operators at %d. Split it with locals.", depthMax, chainMax),
	}
}

// checkJSON counts brackets outside of strings, and looks into each string that holds a
// template as the native syntax is looked into.
func checkJSON(name string, src []byte) *diag.Diagnostic {
	depth := 0
	if at := huge.FindIndex(src); at != nil && !inString(src, at[0]) {
		return tooLarge(hcl.Range{Filename: name, Start: hclPos(src, at[0]), End: hclPos(src, at[1])})
	}
	for i := 0; i < len(src); i++ {
		switch src[i] {
		case '{', '[':
			if depth++; depth > depthMax {
				return tooDeep(hcl.Range{Filename: name, Start: hclPos(src, i), End: hclPos(src, i+1)})
			}
		case '}', ']':
			depth--
		case '"':
			end := stringEnd(src, i)
			if d := checkTemplate(name, src, i, end); d != nil {
				return d
			}
			i = end - 1
		}
	}
	return nil
}

// inString reports whether a position of a JSON text is within a string.
func inString(src []byte, at int) bool {
	for i := 0; i < at; i++ {
		if src[i] == '"' {
			end := stringEnd(src, i)
			if at < end {
				return true
			}
			i = end - 1
		}
	}
	return false
}

// stringEnd is the index behind the string that starts at i.
func stringEnd(src []byte, i int) int {
	for j := i + 1; j < len(src); j++ {
		switch src[j] {
		case '\\':
			j++
		case '"':
			return j + 1
		}
	}
	return len(src)
}

func checkTemplate(name string, src []byte, start, end int) *diag.Diagnostic {
	raw := src[start:end]
	if !bytes.ContainsAny(raw, "$%\\") {
		return nil
	}
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return nil // the parser will say so
	}
	if checkRuns(name, []byte(text)) != nil {
		return tooDeep(hcl.Range{Filename: name, Start: hclPos(src, start), End: hclPos(src, end)})
	}
	tokens, _ := hclsyntax.LexTemplate([]byte(text), name, hcl.InitialPos)
	if checkTokens(tokens) != nil {
		return tooDeep(hcl.Range{Filename: name, Start: hclPos(src, start), End: hclPos(src, end)})
	}
	return nil
}

// posOf is the position of a byte; columns are counted in bytes here, for files that
// nothing else has read yet.
func posOf(src []byte, at int) diag.Pos { return pos(hclPos(src, at)) }

func hclPos(src []byte, at int) hcl.Pos {
	at = min(at, len(src))
	before := src[:at]
	return hcl.Pos{
		Line:   bytes.Count(before, []byte("\n")) + 1,
		Column: at - (bytes.LastIndexByte(before, '\n') + 1) + 1,
		Byte:   at,
	}
}
