package keepalived

import (
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"

	"hafile/lang/diag"
)

// Limits of an expansion. keepalived has none but its memory.
const (
	expandDepthMax = 256
	expandLinesMax = 20000
)

var (
	definitionForm = regexp.MustCompile(`^\$([A-Za-z_][A-Za-z0-9_]*)=[ \t]*(.*)$`)
	conditionForm  = regexp.MustCompile(`^@([\^!]?)([^ \t]+)[ \t]*(.*)$`)
	includeForm    = regexp.MustCompile(`^include[rmwba]?([ \t]|$)`)
	nameForm       = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*`)
)

// logical is one line after expansion. Its position is the line where its text stands;
// via is the line that brought it here, if that is another one.
type logical struct {
	src    *source
	n, col int
	text   string
	via    int
	exact  bool
	marks  []mark
	loop   *round
}

// mark is a piece of a line that is the value of a parameter.
type mark struct {
	start, end int
	name       string
}

// round is one pass of a sequence.
type round struct {
	seq    int // which sequence
	names  []string
	values []string
}

// stored is one line of a definition: multi-line values keep where each came from.
type stored struct {
	src    *source
	n, col int
	text   string
}

// expander turns physical lines into logical ones for one configuration id.
type expander struct {
	src  *source
	id   string
	defs map[string][]stored
	// emit takes what is left for the tree; note takes lines that are directives of
	// their own: definitions, includes, lines for other machines.
	emit func(logical)
	note func(kind directiveKind, l logical, id string) *directive
	// written counts what came out of expansions, against explosions.
	written int
	seqs    int // sequences so far
	// include finds files; nil: an include is reported and not followed.
	include func(from, pattern string) []Included
	// resume goes on with the line of an include after its files.
	resume  func(*directive)
	before  func(physical)
	after   func(physical)
	depth   int // of includes
	files   int // that were included
	sources *[]*source
}

// run hands on all lines, with before and after around each physical one.
func (e *expander) run(lines []physical) {
	for i := 0; i < len(lines); i++ {
		p := lines[i]
		e.before(p)
		l := logical{src: p.src, n: p.n, col: p.col, text: p.text, exact: p.exact}
		if p.text != "" {
			i += e.line(l, lines[i+1:])
		}
		e.after(p)
	}
}

// line handles one physical line; a definition may take more of those that follow.
func (e *expander) line(l logical, rest []physical) int {
	written := l.text
	l, ok := e.condition(l)
	m := definitionForm.FindStringSubmatch(l.text)
	if m == nil {
		if ok && includeForm.MatchString(l.text) && l.text != written {
			e.twice(l)
		}
		if ok {
			e.expand(e.ordinary(l), 0)
		}
		return 0
	}
	first, more := strings.CutSuffix(m[2], `\`)
	value := []stored{{src: l.src, n: l.n, col: l.col + len(l.text) - len(m[2]), text: strings.TrimRight(first, " \t")}}
	n := 0
	if more {
		var body []stored
		body, n = e.body(rest)
		if value = append(value, body...); value[0].text == "" {
			value = value[1:]
		}
	}
	if ok {
		e.note(isDefinition, l, "")
		e.defs[m[1]] = value
	}
	return n
}

// ordinary reports the backslash that people write to continue a line: keepalived takes
// it for a part of the last word.
func (e *expander) ordinary(l logical) logical {
	text, ok := strings.CutSuffix(l.text, `\`)
	if !ok {
		return l
	}
	l.src.report(diag.Warning, "HA4006", l.src.at(l.n, l.col+len(text), 1), `A backslash continues no ordinary line`,
		`keepalived joins lines only in a definition ($NAME=...); here the \ becomes part of the last word. Remove it.`)
	l.text, l.exact = strings.TrimRight(text, " \t")+`\`, false
	return l
}

// body takes the lines that continue a definition: all that end with a backslash, and
// the one after them. Lines of nothing but a comment are not there for keepalived.
func (e *expander) body(rest []physical) (value []stored, n int) {
	for i, p := range rest {
		e.before(p)
		text, more := strings.CutSuffix(p.text, `\`)
		if text = strings.TrimRight(text, " \t"); text != "" {
			value = append(value, stored{src: p.src, n: p.n, col: p.col, text: text})
		}
		e.after(p)
		if !more && p.text != "" {
			return value, i + 1
		}
	}
	return value, len(rest)
}

// condition strips @id from a line; false: the line is for other machines.
func (e *expander) condition(l logical) (rest logical, ok bool) {
	ok = true
	for {
		m := conditionForm.FindStringSubmatch(l.text)
		if m == nil || !ok {
			return l, ok
		}
		if (m[2] == e.id) == (m[1] != "") || m[3] == "" {
			e.note(isConditional, l, m[1]+m[2])
			ok = false
		}
		l.col += len(l.text) - len(m[3])
		l.text = m[3]
	}
}

// expand replaces parameters and sequences and emits what comes of it.
func (e *expander) expand(l logical, depth int) {
	if depth > 0 {
		e.written++
	}
	if depth > expandDepthMax || e.written > expandLinesMax && depth > 0 {
		if depth > expandDepthMax || e.written == expandLinesMax+1 {
			l.src.report(diag.Error, "HA4006", l.src.at(l.n, l.col, len(l.text)), "An expansion does not end",
				fmt.Sprintf("A definition seems to use itself. Look at the $NAME and ~SEQ in line %d.", l.n))
			e.note(isIgnored, l, "")
		}
		return
	}
	if len(l.text) > lineMax {
		l.src.report(diag.Error, "HA4005", l.src.at(l.n, l.col, len(l.text)), "A line is too long after its expansion",
			"keepalived gives up an expansion of more than 1023 bytes. Make it shorter.")
		l.text, l.exact = l.text[:lineMax], false
		e.note(isIgnored, l, "")
		return
	}
	if depth > 0 {
		var ok bool
		if l, ok = e.condition(l); !ok {
			return
		}
		if m := definitionForm.FindStringSubmatch(l.text); m != nil {
			e.note(isDefinition, l, "")
			e.defs[m[1]] = []stored{{src: l.src, n: l.n, col: l.col, text: m[2]}}
			return
		}
	}
	switch {
	case l.text == "":
	case strings.HasPrefix(l.text, "~"):
		e.sequence(l, depth)
	case includeForm.MatchString(l.text):
		if depth > 0 {
			e.twice(l)
		}
		e.follow(l)
	default:
		e.replace(l, depth)
	}
}

// replace puts the first parameter's value in its place and goes on with the result.
// keepalived expands when a parameter is used and scans the result again.
func (e *expander) replace(l logical, depth int) {
	for i := 0; i < len(l.text); i++ {
		if l.text[i] != '$' {
			continue
		}
		name, end := parameter(l.text, i)
		if name == "" {
			continue
		}
		value, ok := e.value(name, l)
		if !ok {
			continue
		}
		via := l.via
		if via == 0 {
			via = l.n
		}
		first := logical{src: l.src, n: l.n, col: l.col, via: l.via, loop: l.loop, text: l.text[:i] + value[0].text + l.text[end:]}
		first.marks = marked(l.marks, i, end, len(value[0].text), name)
		if len(value) == 1 {
			e.expand(first, depth+1)
			return
		}
		// A multi-line value must be the last thing on its line.
		if l.text[:i] == "" {
			first.src, first.n, first.col, first.via = value[0].src, value[0].n, value[0].col, via
		}
		first.text, first.marks = l.text[:i]+value[0].text, nil
		e.expand(first, depth+1)
		for j, s := range value[1:] {
			next := logical{src: s.src, n: s.n, col: s.col, text: s.text, via: via, loop: l.loop}
			if j == len(value)-2 {
				next.text += l.text[end:]
			}
			e.expand(next, depth+1)
		}
		return
	}
	e.emit(l)
}

// marked moves the marks of a line in which text[i:end] is replaced by n bytes, the value
// of name. What was a value stays one, whatever is replaced inside of it.
func marked(marks []mark, i, end, n int, name string) []mark {
	moved := n - (end - i)
	var out []mark
	for _, m := range marks {
		switch {
		case m.start >= end:
			m.start, m.end = m.start+moved, m.end+moved
		case m.end >= end && m.start <= i:
			m.end += moved
		case m.end > i:
			continue // it is cut through
		}
		out = append(out, m)
	}
	return append(out, mark{i, i + n, name})
}

// parameter is the name used at text[i] == '$' and the index behind it. A bare $NAME is
// one only before a blank, a comma, a closing parenthesis or the end.
func parameter(text string, i int) (name string, end int) {
	rest := text[i+1:]
	if strings.HasPrefix(rest, "{") {
		close := strings.IndexByte(rest, '}')
		if close < 0 {
			return "", 0
		}
		return rest[1:close], i + 1 + close + 1
	}
	name = nameForm.FindString(rest)
	if name == "" {
		return "", 0
	}
	end = i + 1 + len(name)
	if end < len(text) && !strings.ContainsRune(" \t,)", rune(text[end])) {
		return "", 0
	}
	return name, end
}

// value of a parameter: the file's own, else one that keepalived knows by itself.
func (e *expander) value(name string, l logical) ([]stored, bool) {
	if v, ok := e.defs[name]; ok {
		if len(v) == 0 {
			v = []stored{{src: l.src, n: l.n}}
		}
		return v, true
	}
	one := func(s string) ([]stored, bool) { return []stored{{src: l.src, n: l.n, col: l.col, text: s}}, true }
	word, _, _ := strings.Cut(name, " ")
	switch word {
	case "_HASH":
		return one("#")
	case "_BANG":
		return one("!")
	case "_PWD":
		return one(path.Dir(l.src.name))
	case "_INSTANCE":
		return one(e.id)
	case "_ENV", "_RANDOM":
		l.src.report(diag.Warning, "HA4006", l.src.at(l.n, l.col, len(l.text)), fmt.Sprintf("${%s} has no value before keepalived runs", name),
			"The converter reads files only. Put the value in its place in the original and convert again.")
	}
	return nil, false
}

// sequence expands the ~SEQ or ~LST at the start of a line, the leftmost as the
// outermost loop.
func (e *expander) sequence(l logical, depth int) {
	bad := func(why string) {
		l.src.report(diag.Error, "HA4006", l.src.at(l.n, l.col, len(l.text)), "A sequence cannot be expanded",
			why+" keepalived ignores the line. Write it as ~SEQ(NAME, FIRST, LAST) text or ~LST(NAME, VALUE, ...) text.")
		e.note(isIgnored, l, "")
	}
	form, rest, ok := strings.Cut(l.text, "(")
	list, body, closed := cutList(rest)
	if !ok || !closed {
		bad("It has no (...).")
		return
	}
	names, rounds, why := e.rounds(form, list, l)
	if why != "" {
		bad(why)
		return
	}
	e.note(isDefinition, l, "")
	e.seqs++
	seq := e.seqs
	for _, values := range rounds {
		for i, name := range names {
			v := ""
			if i < len(values) {
				v = values[i]
			}
			e.defs[name] = []stored{{src: l.src, n: l.n, col: l.col, text: v}}
		}
		next := logical{src: l.src, n: l.n, col: l.col, via: l.via, loop: l.loop, text: strings.TrimLeft(body, " \t")}
		if next.loop == nil {
			next.loop = &round{seq: seq, names: names, values: values}
		}
		e.expand(next, depth+1)
		if e.written > expandLinesMax {
			return
		}
	}
}

// cutList splits "a, {b, c}) text" behind the parenthesis that closes the list.
func cutList(s string) (list []string, body string, ok bool) {
	depth, start := 0, 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '{', '(':
			depth++
		case '}':
			depth--
		case ',':
			if depth == 0 {
				list = append(list, strings.TrimSpace(s[start:i]))
				start = i + 1
			}
		case ')':
			if depth > 0 {
				depth--
				continue
			}
			return append(list, strings.TrimSpace(s[start:i])), s[i+1:], true
		}
	}
	return nil, "", false
}

func tuple(s string) []string {
	inner, ok := strings.CutPrefix(s, "{")
	if !ok {
		return []string{s}
	}
	parts := strings.Split(strings.TrimSuffix(inner, "}"), ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

// rounds are the names that a sequence sets and their values, round by round.
func (e *expander) rounds(form string, list []string, l logical) (names []string, rounds [][]string, why string) {
	if len(list) < 2 {
		return nil, nil, "It needs a name and values."
	}
	names = tuple(list[0])
	for _, n := range names {
		if nameForm.FindString(n) != n || n == "" {
			return nil, nil, fmt.Sprintf("%q is no name.", n)
		}
	}
	switch form {
	case "~LST":
		for _, v := range list[1:] {
			values := tuple(v)
			if len(values) > len(names) {
				return nil, nil, fmt.Sprintf("%q has more values than there are names.", v)
			}
			rounds = append(rounds, values)
		}
		return names, rounds, ""
	case "~SEQ", "~SEQx":
		rounds, why = e.numbers(form == "~SEQx", list[1:], l)
		return names, rounds, why
	}
	return nil, nil, fmt.Sprintf("%q is neither ~SEQ nor ~LST.", form)
}

func (e *expander) numbers(hex bool, list []string, l logical) (rounds [][]string, why string) {
	var n []int64
	for _, s := range list {
		v, err := strconv.ParseInt(e.flat(s, l), 0, 32)
		if err != nil {
			return nil, fmt.Sprintf("%q is no number.", s)
		}
		n = append(n, v)
	}
	start, step, end := int64(1), int64(1), n[len(n)-1]
	switch len(n) {
	case 1:
		if end < 0 {
			start, step = -1, -1
		}
	case 2:
		if start = n[0]; start > end {
			step = -1
		}
	case 3:
		start, step = n[0], n[1]
	default:
		return nil, "It has more than three numbers."
	}
	if step == 0 || (step > 0) != (end >= start) && start != end {
		return nil, "Its step does not lead from the first number to the last."
	}
	if hex && (start < 0 || end < 0) {
		return nil, "~SEQx takes no negative number."
	}
	for v := start; step > 0 && v <= end || step < 0 && v >= end; v += step {
		text := strconv.FormatInt(v, 10)
		if hex {
			text = strconv.FormatInt(v, 16)
		}
		if rounds = append(rounds, []string{text}); len(rounds) > expandLinesMax {
			return nil, "It is too long."
		}
	}
	return rounds, ""
}

// flat resolves a bound that is itself a parameter.
func (e *expander) flat(s string, l logical) string {
	for range expandDepthMax {
		if !strings.HasPrefix(s, "$") {
			break
		}
		name, end := parameter(s, 0)
		v, ok := e.value(name, l)
		if name == "" || !ok || end != len(s) {
			break
		}
		s = strings.TrimSpace(v[0].text)
	}
	return s
}
