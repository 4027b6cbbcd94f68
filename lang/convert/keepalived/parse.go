package keepalived

import (
	"fmt"
	"strings"

	"hafile/lang/diag"
)

// depthMax is more than keepalived's own words can nest (virtual_server, real_server,
// HTTP_GET, url).
const depthMax = 32

type directiveKind int

const (
	isOrdinary    directiveKind = iota // a keyword and its arguments
	isEntry                            // one line of a list: an address, an interface, a name
	isDefinition                       // $NAME=..., ~SEQ(...)
	isInclude                          // include FILE
	isConditional                      // an @id line for other machines
	isIgnored                          // a sequence that cannot be expanded
)

// directive is one statement of one file as one node reads it.
type directive struct {
	kind  directiveKind
	src   *source
	words []word
	// text is the statement as it stands after expansion, without braces.
	text string
	// n and end are lines: of the statement, and of the brace that closes its block.
	n, end int
	// col is the byte column of the statement; length its bytes on that line.
	col, length int
	// via is the line that brought a definition's line here; 0 if it stands where it works.
	via    int
	loop   *round // the pass of a sequence that made it
	block  bool
	parent *directive
	body   []*directive
	// ctx is where the statement stands; known is its keyword there, nil if it has none.
	ctx   *context
	known *keyword
	id    string // of an isConditional line

	lead  []*comment // above it
	trail *comment   // behind it
	tail  []*comment // above the closing brace

	said    *verdict
	judged  *directive // the block whose verdict covers this one
	line    *outLine   // where it went
	comment bool       // its comments are in the result
}

// key is the keyword, "" for an entry.
func (d *directive) key() string {
	if d.kind != isOrdinary || len(d.words) == 0 {
		return ""
	}
	return d.words[0].text
}

// arg is argument i (from 1), "" if there are fewer.
func (d *directive) arg(i int) string {
	if i >= len(d.words) {
		return ""
	}
	return d.words[i].text
}

// where is the range of the statement.
func (d *directive) where() *diag.Range { return d.src.at(d.n, d.col, d.length) }

// argRange is the range of argument i, or of the statement if it came from an expansion.
func (d *directive) argRange(i int) *diag.Range {
	if i >= len(d.words) || d.words[i].col < 0 {
		return d.where()
	}
	n := len(d.words[i].text)
	if d.words[i].quoted {
		n += 2
	}
	return d.src.at(d.n, d.words[i].col, n)
}

// walk calls f for d and everything in it, in the order of the file.
func (d *directive) walk(f func(*directive)) {
	f(d)
	for _, c := range d.body {
		c.walk(f)
	}
}

// parser makes the tree of one file, and of those that it includes, for one configuration id.
type parser struct {
	src  *source // the main file
	root *directive
	cur  *directive // the open block
	// wants is a block keyword whose '{' has not come yet.
	wants *directive
	// last statement that began on the current physical line.
	last    *directive
	pending []*comment
	header  []*comment
	all     []*comment
	started bool // something other than a comment was read
	sources []*source
}

// parse reads a file as the machine with this configuration id does. The root is a
// block without words.
func parse(src *source, id string, include func(from, pattern string) []Included) *parser {
	p := &parser{src: src, root: &directive{src: src, ctx: grammar()[""], block: true, n: 1}, sources: []*source{src}}
	p.cur = p.root
	e := &expander{src: src, id: id, defs: map[string][]stored{}, emit: p.line, note: p.note,
		before: p.before, after: p.after, include: include, sources: &p.sources,
		resume: func(d *directive) { p.last = d }}
	e.run(src.lines())
	p.finish()
	return p
}

// before and after see every physical line: comments hang on what they stand beside.
func (p *parser) before(l physical) {
	p.last = nil
	if l.blank && !p.started && len(p.header) == 0 && l.src == p.src {
		p.header, p.pending = p.pending, nil
	}
}

func (p *parser) after(l physical) {
	p.started = p.started || l.text != ""
	if l.comment == nil {
		return
	}
	p.all = append(p.all, l.comment)
	switch {
	case l.text == "" || p.last == nil:
		p.pending = append(p.pending, l.comment)
	case p.last.trail == nil:
		p.last.trail = l.comment
	default:
		p.pending = append(p.pending, l.comment)
	}
}

// note adds what is a statement to the converter and none to keepalived's blocks.
func (p *parser) note(kind directiveKind, l logical, id string) *directive {
	d := p.statement(l, l.text, 0)
	d.kind, d.id = kind, id
	p.cur.body = append(p.cur.body, d)
	return d
}

// statement is the piece of a line that begins at byte `at` of it.
func (p *parser) statement(l logical, text string, at int) *directive {
	length := len(text)
	col := l.col + at
	wordCol := col
	if !l.exact {
		col, wordCol = l.col, -1
		length = len(l.src.text(l.n)) // to the end of the line
	}
	d := &directive{
		src: l.src, words: words(text, wordCol), text: text, n: l.n, end: l.n, col: col, length: length,
		via: l.via, loop: l.loop, parent: p.cur, ctx: p.cur.context(), lead: p.pending,
	}
	for i := range d.words {
		w := &d.words[i]
		for _, m := range l.marks {
			if m.start == at+w.start && m.end == m.start+len(w.text) && w.param == "" {
				w.param = m.name
			}
		}
	}
	p.pending = nil
	p.last = d
	return d
}

// context of what stands in the block.
func (d *directive) context() *context {
	if d.parent == nil {
		return d.ctx
	}
	if d.known == nil {
		return nil
	}
	return grammar()[d.known.block]
}

// line cuts a logical line at its braces, as keepalived does: at the first one outside
// of double quotes, and what follows is a new line.
func (p *parser) line(l logical) {
	start, quoted := 0, false
	for i := 0; i < len(l.text); i++ {
		switch c := l.text[i]; {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '$' && strings.HasPrefix(l.text[i+1:], "{"):
			if end := strings.IndexByte(l.text[i:], '}'); end > 0 {
				l.src.report(diag.Warning, "HA4006", l.src.at(l.n, l.col, len(l.text)), fmt.Sprintf("%s is not defined", l.text[i:i+end+1]),
					"keepalived leaves it as it is and takes its braces for a block. Define it, or put its value here.")
				i += end
			}
		case c == '{' || c == '}':
			p.piece(l, start, i)
			p.brace(l, i, c == '{')
			start = i + 1
		}
	}
	p.piece(l, start, len(l.text))
}

// piece is the text between two braces: one statement, or nothing.
func (p *parser) piece(l logical, start, end int) {
	text := strings.TrimRight(l.text[start:end], " \t")
	trimmed := strings.TrimLeft(text, " \t")
	if trimmed == "" {
		return
	}
	d := p.statement(l, trimmed, start+len(text)-len(trimmed))
	if len(d.words) == 0 {
		return // an open quote took it; reported by the lexer
	}
	p.missingBrace()
	d.parent, d.ctx = p.cur, p.cur.context()
	switch {
	case d.ctx != nil && d.ctx.entries:
		d.kind = isEntry
	case d.ctx != nil:
		d.known = d.ctx.words[d.words[0].text]
	}
	p.cur.body = append(p.cur.body, d)
	if d.known != nil && d.known.isBlock {
		p.wants = d
	}
}

// missingBrace opens the block of a keyword after which something else came: keepalived
// reports it and reads the line as part of the block.
func (p *parser) missingBrace() {
	if p.wants == nil {
		return
	}
	d := p.wants
	d.src.report(diag.Error, "HA4003", d.where(), "A block has no '{'",
		fmt.Sprintf("keepalived reads what follows as part of %s all the same. Add the brace.", d.words[0].text))
	p.open(d)
}

func (p *parser) open(d *directive) {
	d.block, p.cur, p.wants = true, d, nil
}

func (p *parser) brace(l logical, i int, open bool) {
	at := l.src.at(l.n, l.col, len(l.text))
	if l.exact {
		at = l.src.at(l.n, l.col+i, 1)
	}
	if open {
		p.openBrace(l, at)
		return
	}
	if p.wants != nil {
		p.missingBrace()
	}
	if p.cur.parent == nil {
		l.src.report(diag.Error, "HA4002", at, "A '}' closes nothing",
			"keepalived reports it and goes on. Remove it, or look above for the block that ended too early.")
		return
	}
	if p.cur.end = l.n; p.cur.src != l.src {
		p.cur.end = len(p.cur.src.start) // it ends in another file
	}
	p.cur.tail = append(p.cur.tail, p.pending...)
	p.pending = nil
	p.cur = p.cur.parent
}

func (p *parser) openBrace(l logical, at *diag.Range) {
	d := p.wants
	if d == nil && len(p.cur.body) > 0 {
		// A keyword that takes no block, or none of keepalived's: its block is read as a
		// whole, so that the rest of the file keeps its shape.
		if last := p.cur.body[len(p.cur.body)-1]; last.kind == isOrdinary && !last.block && last.n == l.n && last.src == l.src {
			d = last
			if d.known != nil {
				l.src.report(diag.Error, "HA4003", at, fmt.Sprintf("%s takes no block", d.words[0].text),
					"keepalived ignores this '{', and the next '}' closes the block around it. Remove the brace.")
			}
		}
	}
	switch {
	case d == nil:
		l.src.report(diag.Error, "HA4003", at, "A '{' opens nothing",
			"keepalived ignores it, and the next '}' closes the block around it. Remove it, or write the keyword before it.")
	case p.depth() >= depthMax:
		l.src.report(diag.Error, "HA4003", at, "Blocks are nested too deep", "No block of keepalived's has so many around it. Look for a missing '}' above.")
		p.wants = nil
	default:
		p.open(d)
	}
}

func (p *parser) depth() (n int) {
	for d := p.cur; d.parent != nil; d = d.parent {
		n++
	}
	return n
}

// finish closes what is open at the end of the file; keepalived uses what it has read.
func (p *parser) finish() {
	if p.wants != nil {
		p.missingBrace()
	}
	last := len(p.src.start)
	for ; p.cur.parent != nil; p.cur = p.cur.parent {
		p.cur.src.report(diag.Error, "HA4001", p.cur.where(), fmt.Sprintf("The block of %q is never closed", p.cur.text),
			fmt.Sprintf("The file ends in line %d inside of it; keepalived reports a missing '}' and uses what it has read. Add the brace where the block should end.", last))
		p.cur.end = len(p.cur.src.start)
	}
	p.root.end = last
	p.root.tail = p.pending
}
