package keepalived

import (
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"
)

// setting is a value as the result writes it, and the directives that it comes from.
type setting struct {
	expr string // "" is not set
	dirs []*directive
}

func set(expr string, dirs ...*directive) setting { return setting{expr: expr, dirs: dirs} }

// number reads an integer as keepalived's handlers do: digits, then perhaps junk.
func number(s string) (v int64, clean, ok bool) {
	end := 0
	for end < len(s) && (s[end] >= '0' && s[end] <= '9' || end == 0 && (s[0] == '-' || s[0] == '+')) {
		end++
	}
	v, err := strconv.ParseInt(s[:end], 10, 64)
	return v, end == len(s), err == nil
}

// seconds reads a decimal number of seconds as milliseconds, rounded half up.
func seconds(s string) (ms int64, ok bool) {
	if strings.Trim(s, "0123456789.") != "" || strings.HasPrefix(s, ".") {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f < 0 || f > 4294967 {
		return 0, false
	}
	return int64(math.Round(f * 1000)), true
}

// flag reads an optional boolean: none means true.
func (d *directive) flag() (on, ok bool) {
	switch d.arg(1) {
	case "", "true", "on", "yes":
		return true, true
	case "false", "off", "no":
		return false, true
	}
	return false, false
}

// duration writes milliseconds as a person does.
func duration(ms int64) string {
	if ms%1000 == 0 {
		return fmt.Sprintf("%q", fmt.Sprintf("%ds", ms/1000))
	}
	return fmt.Sprintf("%q", fmt.Sprintf("%dms", ms))
}

// quote writes an HCL string: templates are escaped, what is no UTF-8 is replaced.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case (r == '$' || r == '%') && strings.HasPrefix(s[i+1:], "{"):
			b.WriteRune(r)
			b.WriteRune(r)
		case r < 0x20 || r == 0x7f || r == utf8.RuneError:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// list writes a list of strings.
func list(items []string) string {
	quoted := make([]string, len(items))
	for i, s := range items {
		quoted[i] = quote(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// plain reports whether a string can be written into HCL and read back as it is.
func plain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsRune(s, 0) && !strings.ContainsRune(s, utf8.RuneError)
}

// interfaceName reports whether the kernel could have such an interface.
func interfaceName(s string) bool {
	return s != "" && len(s) <= 15 && !strings.ContainsAny(s, "/ \t\n") && plain(s)
}

// label makes a name that HCL takes as an identifier: letters, digits, _ and -.
func label(name string) string {
	var b strings.Builder
	for i, r := range name {
		switch {
		case r == '_', r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z':
			b.WriteRune(r)
		case r >= '0' && r <= '9', r == '-':
			if i == 0 {
				b.WriteByte('n')
			}
			b.WriteRune(r)
		default:
			b.WriteByte('_')
		}
	}
	if strings.Trim(b.String(), "_-") == "" {
		return "unnamed"
	}
	return b.String()
}

// unique is want, or want_2, want_3 … if it is taken.
func unique(taken map[string]bool, want string) string {
	name := want
	for i := 2; taken[name]; i++ {
		name = fmt.Sprintf("%s_%d", want, i)
	}
	taken[name] = true
	return name
}

// prefix reads ADDR[/LEN]; written reports a LEN that means something. A bad LEN is the
// full length to keepalived.
func prefix(s string) (p netip.Prefix, written, ok bool) {
	text, length, has := strings.Cut(s, "/")
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, false, false
	}
	bits := a.BitLen()
	if n, clean, isNumber := number(length); has && isNumber && clean && n >= 0 && n <= int64(bits) {
		return netip.PrefixFrom(a, int(n)), int(n) != bits, true
	}
	return netip.PrefixFrom(a, bits), false, true
}

// host reads an address where keepalived wants no prefix, and ignores one.
func host(s string) (a netip.Addr, ignored bool, err error) {
	s, _, ignored = strings.Cut(s, "/")
	a, err = netip.ParseAddr(s)
	return a, ignored, err
}

// shellQuote writes an argument for sh.
func shellQuote(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:=@%+,-") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
