package diag

import (
	"bytes"
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// Hidden is the byte that stands for each byte of a secret in a masked source, so that
// positions stay true. No text of UTF-8 holds it. A snippet shows any number of them as
// four stars: the length of a secret is a part of it.
const Hidden = 0xf5

// stars is what people see in the place of a secret.
const stars = "****"

// Mask hides what stands in the place of a secret, byte for byte. It knows the shape of
// blocks and no more: the file may be the one that does not parse, or a keepalived.conf.
func Mask(src []byte) []byte {
	m := masker{src: src, frames: []frame{{}}, known: map[string]bool{}, remarks: commented.Match(src)}
	for m.at < len(src) {
		m.step()
	}
	m.embedded()
	if m.out == nil {
		return src
	}
	return m.out
}

// masker walks over a file. head is the name that the present statement starts with.
type masker struct {
	src, out []byte
	at       int
	frames   []frame
	head     string
	value    bool // behind the = or : of the statement
	word     string
	known    map[string]bool // names that were judged
	remarks  bool            // some line is like an assignment of a secret
}

// frame is one level of nesting.
type frame struct {
	open   byte   // {, [ or (
	name   string // of a block: its head
	secret bool   // everything in it that is not known to be open
	call   string // of arguments: the function that refers to a secret
	head   string // of the statement around it
	value  bool
}

// openWords are the arguments in auth, key and webhook that are no secret.
var openWords = []string{"type", "active_key", "mode", "anti_replay", "window", "id", "auth_type", "timeout", "ca_file", "description", "sensitive", "nullable"}

// openValues are what may stand there without quotes and without an equals sign.
var openValues = []string{"pass", "ah", "hmac", "true", "false", "null"}

// zones are the blocks whose values are secrets.
var zones = []string{"auth", "authentication", "auth_hmac", "headers"}

var (
	secretName = regexp.MustCompile(`(?i)passw|passphrase|passwd|secret|token|auth_?pass|auth_?key|credential|api_?key|bearer|cookie|authorization|psk$|^pw+d*$|^pwd$|_pw$|_pass$|^pass$`)
	// likeSecrets are what a slip of the hand is compared with.
	likeSecrets = []string{"password", "passphrase", "passwd", "secret", "token", "auth_pass"}
	// references are the functions whose argument only names a secret, with what a name is.
	references = map[string]*regexp.Regexp{
		"credential": regexp.MustCompile(`^[\w.-]+$`), "secret_file": regexp.MustCompile(`^/[\w./-]+$`),
		"env": regexp.MustCompile(`^\w+$`), "file": regexp.MustCompile(`^[\w${}./-]+$`),
	}
	roots = []string{"var", "local", "each", "self", "module", "path"}
)

// secretly reports whether a name is, or means to be, that of a secret.
func secretly(name string) bool {
	if name == "" || references[name] != nil {
		return false
	}
	if secretName.MatchString(name) {
		return true
	}
	name = strings.ToLower(name)
	return slices.ContainsFunc(likeSecrets, func(w string) bool {
		far := max(1, len(w)/4)
		n := len(name) - len(w)
		return max(n, -n) <= far && distance(name, w) <= far
	})
}

// secretly remembers the answer: a file has few names, and each many times.
func (m *masker) secretly(name string) bool {
	is, known := m.known[name]
	if !known {
		is = secretly(name)
		m.known[name] = is
	}
	return is
}

// zone reports whether what stands here without a name that is known to be open is one.
func (m *masker) zone() bool { return m.top().secret || m.top().name == "webhook" }

func (m *masker) top() *frame { return &m.frames[len(m.frames)-1] }

// secret reports whether literals of the present statement are hidden.
func (m *masker) secret() bool {
	f := m.top()
	switch {
	case m.head == "":
		return f.secret && f.open != '{'
	case m.secretly(m.head), slices.Contains(zones, m.head):
		return true
	case f.name == "webhook" && m.head == "url":
		return false // embedded looks into it
	}
	return m.zone() && !(slices.Contains(openWords, m.head) && m.value)
}

// step reads one token.
func (m *masker) step() {
	c := m.src[m.at]
	switch {
	case c == '\n':
		if f := m.top(); f.open != '[' && f.open != '(' {
			m.begin()
		}
		m.at++
	case c == ',' || c == ';':
		if m.top().open == '{' {
			m.begin()
		}
		m.at++
	case c == '#' || c == '!' && m.head == "" || bytes.HasPrefix(m.src[m.at:], []byte("//")):
		m.comment(m.at + lineEnd(m.src[m.at:]))
	case bytes.HasPrefix(m.src[m.at:], []byte("/*")):
		end := bytes.Index(m.src[m.at:], []byte("*/"))
		if end < 0 {
			end = len(m.src) - m.at - 2
		}
		m.comment(m.at + end + 2)
	case c == '{' || c == '[' || c == '(':
		m.enter(c)
	case c == '}' || c == ']' || c == ')':
		m.leave(c)
	case c == '=' || c == ':':
		m.value = m.value || m.head != ""
		m.at++
	case c == '"':
		m.quoted()
	case bytes.HasPrefix(m.src[m.at:], []byte("<<")):
		m.heredoc()
	case c == ' ' || c == '\t' || c == '\r':
		m.at++
	default:
		m.bare()
	}
}

func (m *masker) begin() { m.head, m.value, m.word = "", false, "" }

func (m *masker) enter(c byte) {
	f := frame{open: c, head: m.head, value: m.value}
	outer := m.top()
	if f.call = outer.call; c == '(' && references[m.word] != nil {
		f.call = m.word
	}
	if c == '{' {
		f.name = m.head
		f.secret = (slices.Contains(zones, m.head) || m.zone() && m.secret() || m.head == "variable" && (m.secretly(m.word) || m.sensitive()))
		m.begin()
	} else {
		f.name, f.secret = outer.name, m.secret()
	}
	m.frames = append(m.frames, f)
	m.at++
}

// sensitive looks ahead whether a block of a variable says that it is. It ends at the
// first brace in the first column, as every formatted block does.
func (m *masker) sensitive() bool {
	block := m.src[m.at:]
	if i := bytes.Index(block, []byte("\n}")); i >= 0 {
		block = block[:i]
	}
	return saysSensitive.Match(block)
}

var saysSensitive = regexp.MustCompile(`\bsensitive\s*=\s*true\b`)

func (m *masker) leave(c byte) {
	m.at++
	opener := map[byte]byte{'}': '{', ']': '[', ')': '('}[c]
	for i := len(m.frames) - 1; i > 0; i-- {
		if m.frames[i].open != opener {
			continue
		}
		m.head, m.value, m.word = m.frames[i].head, m.frames[i].value, ""
		m.frames = m.frames[:i]
		return
	}
}

// quoted is a string, or the quoted name of an argument as in JSON.
func (m *masker) quoted() {
	end := closing(m.src, m.at, m.at+lineEnd(m.src[m.at:]))
	text := string(m.src[m.at+1 : end])
	if m.head == "" && m.top().open != '[' && m.top().open != '(' {
		m.head = text
		if i := strings.IndexByte(text, ':'); i >= 0 && m.top().name == "headers" {
			m.hide(m.at+1+i, end)
		} else if next := m.following(min(end+1, len(m.src))); m.zone() && next != ':' && next != '=' {
			m.hide(m.at+1, end)
		}
	} else if m.secret() {
		if named := references[m.top().call]; named == nil || !named.MatchString(text) {
			m.hide(m.at+1, end)
		}
	} else if m.top().name == "webhook" && m.head == "url" {
		m.hidePath(m.at+1, end)
	}
	if !m.value {
		m.word = text
	}
	m.at = min(end+1, len(m.src))
}

// hidePath leaves scheme and host of a hook's address: what follows is often the secret.
func (m *masker) hidePath(from, to int) {
	start := from
	if i := bytes.Index(m.src[from:to], []byte("://")); i >= 0 {
		start = from + i + 3
	}
	if i := bytes.IndexAny(m.src[start:to], "/?#"); i >= 0 && start+i+1 < to {
		m.hide(start+i+1, to)
	}
}

// heredoc hides the lines up to the word that ends it.
func (m *masker) heredoc() {
	line := m.at + lineEnd(m.src[m.at:])
	intro := heredocIntro.FindSubmatch(m.src[m.at:line])
	if intro == nil {
		m.at += 2
		return
	}
	stop := len(m.src)
	if loc := regexp.MustCompile(`(?m)^\s*` + string(intro[1]) + `\s*$`).FindIndex(m.src[line:]); loc != nil {
		stop = line + loc[0]
	}
	if m.secret() {
		m.hide(line, stop)
	}
	m.at = min(stop+lineEnd(m.src[stop:]), len(m.src))
	if stop < len(m.src) && m.at == stop {
		m.at++
	}
}

var heredocIntro = regexp.MustCompile(`^<<-?(\w+)`)

// bare is a word without quotes: a name, a reference, a number, or a secret that lacks
// its quotes.
func (m *masker) bare() {
	end := m.at
	for end < len(m.src) && strings.IndexByte(" \t\r\n{}[](),;\"=:", m.src[end]) < 0 {
		end++
	}
	end = max(end, m.at+1)
	text := string(m.src[m.at:end])
	switch next := m.following(end); {
	case m.top().open == '(' || m.top().open == '[':
		m.hideBare(text, end, next)
	case next == '=' && m.top().call == "" && plainName.MatchString(text), m.head == "":
		if m.head != "" {
			m.begin()
		}
		m.head = text
		if m.zone() && (next == 0 || next == '\n' || next == '\r' || next == '}') && !m.secretly(text) && !slices.Contains(openWords, text) {
			m.hide(m.at, end)
		}
	default:
		m.hideBare(text, end, next)
	}
	m.word = text
	m.at = end
}

var plainName = regexp.MustCompile(`^[A-Za-z_][\w-]*$`)

// following is what comes behind the blanks: '=' for an assignment, '(' for a call.
func (m *masker) following(at int) byte {
	for at < len(m.src) && (m.src[at] == ' ' || m.src[at] == '\t') {
		at++
	}
	if at >= len(m.src) || m.src[at] == '=' && at+1 < len(m.src) && m.src[at+1] == '=' {
		return 0
	}
	return m.src[at]
}

func (m *masker) hideBare(text string, end int, next byte) {
	root, _, dotted := strings.Cut(text, ".")
	switch {
	case !m.secret(), next == '(', dotted && slices.Contains(roots, root), slices.Contains(openValues, strings.ToLower(text)):
	case strings.Trim(text, "?!<>=&|+*/%.-") == "":
	default:
		m.hide(m.at, end)
	}
}

// comment hides all of one beside secrets, which holds old ones, and elsewhere what is
// like an assignment of one.
func (m *masker) comment(end int) {
	end = min(end, len(m.src))
	if m.secret() || m.top().secret {
		m.hide(m.at+1, end)
	} else if m.remarks {
		for _, at := range commented.FindAllSubmatchIndex(m.src[m.at:end], -1) {
			m.hide(m.at+at[2], m.at+at[3])
		}
	}
	m.at = end
}

var commented = regexp.MustCompile(`(?i)\b[\w-]*(?:passw\w*|secret|token|auth_pass|auth_key)\b"?[ \t]*[=: \t][ \t]*(\S.*)`)

// embedded hides what stands within other texts: a user of an address, a query, an option
// of a program.
func (m *masker) embedded() {
	for _, re := range within {
		if re != options && !bytes.ContainsAny(m.src, "@?") {
			continue
		}
		for _, at := range re.FindAllSubmatchIndex(m.src, -1) {
			if !bytes.HasPrefix(m.src[at[2]:at[3]], []byte("ref=")) { // the tag of a source
				m.hide(at[2], at[3])
			}
		}
	}
}

var within = []*regexp.Regexp{
	regexp.MustCompile(`://([^\s"/?#@]+(?:@[^\s"/?#@]+)*)@`),
	regexp.MustCompile(`"([^"\s/:@]+:[^"\s@/]+)@`),
	regexp.MustCompile(`://[^\s"?]*\?([^\s"]+)`),
	options,
}

var options = regexp.MustCompile(`(?i)[-&?"][\w-]*(?:password|passwd|passphrase|token|secret|api_?key)=([^\s"'&,]+)`)

// hide puts the mark over a piece, ends of lines aside.
func (m *masker) hide(from, to int) {
	for i := from; i < min(to, len(m.src)); i++ {
		if m.src[i] == '\n' || m.src[i] == '\r' {
			continue
		}
		if m.out == nil {
			m.out = slices.Clone(m.src)
		}
		m.out[i] = Hidden
	}
}

// lineEnd is how far the end of the line is.
func lineEnd(src []byte) int {
	if i := bytes.IndexByte(src, '\n'); i >= 0 {
		return i
	}
	return len(src)
}

// closing is the index of the quote that ends a string, or end. What is interpolated may
// hold strings of its own.
func closing(src []byte, open, end int) int {
	depth := 0
	inner := false // a string within an interpolation
	for i := open + 1; i < end; i++ {
		switch c := src[i]; {
		case c == '\\':
			i++
		case c == '"' && depth == 0:
			return i
		case c == '"':
			inner = !inner
		case (c == '$' || c == '%') && i+1 < end && src[i+1] == '{' && !inner:
			depth++
			i++
		case c == '{' && depth > 0 && !inner:
			depth++
		case c == '}' && depth > 0 && !inner:
			depth--
		}
	}
	if depth > 0 { // the interpolation is not closed: then the next quote is the end
		if i := bytes.IndexByte(src[open+1:end], '"'); i >= 0 {
			return open + 1 + i
		}
	}
	return end
}

// shown is a piece of a masked line as people see it, with two of its offsets moved along.
func shown(line []byte, start, end int) (text []byte, from, to int) {
	from, to = -1, -1
	for i := 0; i <= len(line); i++ {
		if i >= start && from < 0 {
			from = len(text)
		}
		if i >= end && to < 0 {
			to = len(text)
		}
		switch {
		case i == len(line):
		case line[i] != Hidden:
			text = append(text, line[i])
		case i == 0 || line[i-1] != Hidden:
			text = append(text, stars...)
		}
	}
	return text, from, max(from, to)
}

// Secrets are the pieces of a source that its masked form hides: what no other text may
// show.
func Secrets(src, masked []byte) []string {
	var out []string
	for i := 0; i < len(masked); i++ {
		if masked[i] != Hidden {
			continue
		}
		from := i
		for i < len(masked) && masked[i] == Hidden {
			i++
		}
		text := string(src[from:i])
		for _, part := range append(strings.Fields(text), text) {
			if telling(part) && !slices.Contains(out, part) {
				out = append(out, part)
			}
		}
	}
	return out
}

// telling leaves out what is too short or too common to be looked for in sentences.
func telling(text string) bool {
	switch {
	case len(text) < 4, strings.IndexByte(text, Hidden) >= 0, slices.Contains(likeSecrets, text), text == "Bearer", text == "Basic":
		return false
	}
	return len(text) >= 10 || strings.IndexFunc(text, func(c rune) bool { return c < 'a' || c > 'z' }) >= 0
}

// SecretsOf are the secrets of several sources.
func SecretsOf(sources map[string][]byte) []string {
	var all []string
	for _, src := range sources {
		all = append(all, Secrets(src, Mask(src))...)
	}
	return all
}

// Scrub is the list without secrets in what it says. The messages are written without
// them; this is the net below, for words of a parser that quotes what it read.
func (ds Diagnostics) Scrub(secrets []string) Diagnostics {
	if len(secrets) == 0 || len(ds) == 0 {
		return ds
	}
	secrets = slices.Clone(secrets)
	slices.SortFunc(secrets, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	var pairs []string
	for _, s := range secrets {
		pairs = append(pairs, s, stars)
	}
	r := strings.NewReplacer(pairs...)
	ds = slices.Clone(ds)
	for i := range ds {
		ds[i].Summary, ds[i].Detail = r.Replace(ds[i].Summary), r.Replace(ds[i].Detail)
		ds[i].Related = slices.Clone(ds[i].Related)
		for k := range ds[i].Related {
			ds[i].Related[k].Message = r.Replace(ds[i].Related[k].Message)
		}
	}
	return ds
}
