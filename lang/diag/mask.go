package diag

import (
	"bytes"
	"regexp"
	"slices"
)

// SecretWords are the arguments whose literals are masked in every snippet, whether or
// not the file parses: hafile's own and those that a user of keepalived brings along.
var SecretWords = []string{"password", "token", "secret", "auth_pass", "auth_key"}

var secretArgument = regexp.MustCompile(`(?i)"?\b[\w-]*(?:password|passwd|token|secret|auth_pass|auth_key)\b"?[ \t]*[=: \t][ \t]*`)

// reference is a call whose argument names a secret and is none.
var reference = regexp.MustCompile(`(?:credential|secret_file|env|file)\(\s*$`)

// Mask replaces what stands in the place of a secret by stars, byte for byte, so that
// positions stay true. It reads lines, not syntax: the file may be the one that does not
// parse.
func Mask(src []byte) []byte {
	at := secretArgument.FindAllIndex(src, -1)
	if at == nil {
		return src
	}
	out := slices.Clone(src)
	for _, m := range at {
		maskValue(out, src, m[1])
	}
	return out
}

// maskValue masks the literals from a position to the end of the line, and a heredoc
// that starts there to its end. Comments are masked too: they hold old passwords.
func maskValue(out, src []byte, from int) {
	end := bytes.IndexByte(src[from:], '\n')
	if end < 0 {
		end = len(src) - from
	}
	end += from
	line := src[from:end]
	if m := regexp.MustCompile(`^<<-?(\w+)`).FindSubmatch(line); m != nil {
		stop := len(src)
		if loc := regexp.MustCompile(`(?m)^\s*` + string(m[1]) + `\s*$`).FindIndex(src[end:]); loc != nil {
			stop = end + loc[0]
		}
		stars(out, end, stop)
		return
	}
	if i := bytes.IndexByte(line, '"'); i < 0 {
		if bare := regexp.MustCompile(`^[^\s{}\[\](),#]+`).Find(line); bare != nil && !dotted(bare) && !bytes.HasPrefix(line[len(bare):], []byte("(")) {
			stars(out, from, from+len(bare))
		}
		return
	}
	for i := from; i < end; i++ {
		if src[i] != '"' {
			continue
		}
		stop := closing(src, i, end)
		if !reference.Match(src[from:i]) {
			stars(out, i+1, stop)
		}
		i = stop
	}
}

// dotted is a reference such as var.password, or a number's owner: nothing to hide.
func dotted(b []byte) bool {
	return bytes.HasPrefix(b, []byte("var.")) || bytes.HasPrefix(b, []byte("local.")) || bytes.HasPrefix(b, []byte("each."))
}

// closing is the index of the quote that ends a string, or end.
func closing(src []byte, open, end int) int {
	for i := open + 1; i < end; i++ {
		switch src[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return end
}

func stars(b []byte, from, to int) {
	for i := from; i < min(to, len(b)); i++ {
		if b[i] != '\n' && b[i] != '\r' {
			b[i] = '*'
		}
	}
}
