package hatest

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/dynblock"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/gocty"

	"hafile/lang/diag"
	"hafile/lang/module"
	"hafile/lang/plan"
	"hafile/lang/story"
)

var (
	fileSchema = &hcl.BodySchema{
		Blocks: []hcl.BlockHeaderSchema{{Type: "run", LabelNames: []string{"name"}}, {Type: "variables"}},
	}
	runSchema = &hcl.BodySchema{
		Attributes: []hcl.AttributeSchema{{Name: "until"}, {Name: "expect"}},
		Blocks:     []hcl.BlockHeaderSchema{{Type: "simulate"}, {Type: "assert"}, {Type: "variables"}},
	}
	simulateSchema = &hcl.BodySchema{
		Attributes: append([]hcl.AttributeSchema{
			{Name: "at", Required: true}, {Name: "on"}, {Name: "from"}, {Name: "to"},
		}, kindAttributes()...),
	}
	assertSchema = &hcl.BodySchema{
		Attributes: []hcl.AttributeSchema{
			{Name: "condition", Required: true}, {Name: "error_message", Required: true},
		},
	}
)

func kindAttributes() []hcl.AttributeSchema {
	var as []hcl.AttributeSchema
	for _, k := range story.Kinds {
		as = append(as, hcl.AttributeSchema{Name: string(k)})
	}
	return as
}

// Parse reads test files, given by name and in order. The suite holds what could be
// read even where there are errors. Functions are those that expressions may call.
func Parse(names []string, files map[string][]byte, functions map[string]function.Function) (*Suite, diag.Diagnostics) {
	p := parser{suite: &Suite{Files: files, eval: &hcl.EvalContext{Functions: functions}}}
	for _, name := range names {
		body, ds := module.Parse(name, files[name])
		p.diags = append(p.diags, ds...)
		if body != nil {
			p.file(body)
		}
	}
	return p.suite, p.diags
}

type parser struct {
	suite *Suite
	diags diag.Diagnostics
}

// content reads a body, and says of what does not belong there what does.
func (p *parser) content(body hcl.Body, where string, s *hcl.BodySchema) (*hcl.BodyContent, bool) {
	content, ds := body.Content(s)
	for _, d := range ds {
		switch d.Summary {
		case "Unsupported argument", "Unsupported block type":
			p.stranger(d, where, s)
		case "Missing required argument":
			p.fail(*d.Subject, where+" lacks an argument", "%s", d.Detail)
		default:
			p.take(hcl.Diagnostics{d})
		}
	}
	return content, !ds.HasErrors()
}

// meant tells those who come from other tools what the words of theirs are called.
var meant = map[string]string{
	"command":         "A run plays its story from the first election on. An edit is an event: a simulate block with at and apply = \"DIR\".",
	"providers":       "There are none: a story plays the nodes of the configuration.",
	"module":          "A story plays the configuration of its directory, or of the one above tests/.",
	"reboot":          "Write two events: stop = node.NAME, and start = node.NAME later.",
	"restart":         "Write two events: stop = node.NAME, and start = node.NAME later.",
	"message":         "Did you mean error_message?",
	"assertion":       "Did you mean assert?",
	"event":           "Did you mean simulate?",
	"expect_failures": `Write expect = ["HA1201"], with the codes that must come.`,
}

// stranger is a word that does not belong where it stands.
func (p *parser) stranger(d *hcl.Diagnostic, where string, s *hcl.BodySchema) {
	word := string(d.Subject.SliceBytes(p.suite.Files[d.Subject.Filename]))
	var known []string
	for _, a := range s.Attributes {
		known = append(known, a.Name)
	}
	for _, b := range s.Blocks {
		known = append(known, b.Type)
	}
	detail := meant[word]
	if near := diag.Nearest(word, known); detail == "" && near != "" {
		detail = fmt.Sprintf("Did you mean %s?", near)
	}
	if detail == "" || slices.Contains(known, word) {
		detail = fmt.Sprintf("Known here: %s.", strings.Join(known, ", "))
	}
	if slices.Contains(known, word) {
		detail = word + " is written otherwise: an argument as " + word + " = ..., a block as " + word + " { ... }."
	}
	p.fail(*d.Subject, fmt.Sprintf("There is no %s in %s", word, where), "%s", detail)
}

// take keeps what the library says about a test file.
func (p *parser) take(ds hcl.Diagnostics) {
	for _, d := range ds {
		r := d.Subject
		if r == nil {
			r = &hcl.Range{}
		}
		p.diags = append(p.diags, diag.Diagnostic{
			Severity: diag.Error, Code: "HA5001", Summary: d.Summary, Detail: d.Detail, Range: rangeOf(*r),
		})
	}
}

func (p *parser) fail(r hcl.Range, summary, detail string, args ...any) {
	p.diags = append(p.diags, diag.Diagnostic{
		Severity: diag.Error, Code: "HA5002", Summary: summary, Detail: fmt.Sprintf(detail, args...), Range: rangeOf(r),
	})
}

func rangeOf(r hcl.Range) *diag.Range {
	at := func(p hcl.Pos) diag.Pos { return diag.Pos{Line: p.Line, Column: p.Column, Byte: p.Byte} }
	return &diag.Range{Filename: r.Filename, Start: at(r.Start), End: at(r.End)}
}

func (p *parser) file(body hcl.Body) {
	content, _ := p.content(body, "a story file", fileSchema)
	common := p.variables(content.Blocks.OfType("variables"), nil)
	for _, b := range content.Blocks.OfType("run") {
		if other := p.suite.Run(b.Labels[0]); other != nil {
			p.fail(b.DefRange, "Duplicate run", "%q stands at %s:%d already; give one of the two another name.",
				b.Labels[0], other.Range.Filename, other.Range.Start.Line)
			continue
		}
		p.suite.Runs = append(p.suite.Runs, p.run(b, common))
	}
}

// Run finds a run by name; nil if there is none.
func (s *Suite) Run(name string) *Run {
	i := slices.IndexFunc(s.Runs, func(r Run) bool { return r.Name == name })
	if i < 0 {
		return nil
	}
	return &s.Runs[i]
}

func (p *parser) run(b *hcl.Block, common values) Run {
	r := Run{Run: story.Run{Name: b.Labels[0], Range: *rangeOf(b.DefRange)}}
	content, good := p.content(dynblock.Expand(b.Body, p.suite.eval), "run", runSchema)
	r.Until = p.duration(content.Attributes["until"])
	r.Variables = p.variables(content.Blocks.OfType("variables"), common).file()
	r.Expect = p.expect(content.Attributes["expect"])
	for _, inner := range content.Blocks {
		switch inner.Type {
		case "assert":
			r.Asserts = append(r.Asserts, p.assert(inner))
		case "simulate":
			r.Events = append(r.Events, p.event(inner))
		}
	}
	if good {
		p.sensible(&r, content, b.DefRange)
	}
	slices.SortStableFunc(r.Events, func(a, b story.Event) int { return cmp.Compare(a.At, b.At) })
	return r
}

// sensible refuses a run that claims nothing, or that plays and waits for what keeps it
// from playing.
func (p *parser) sensible(r *Run, content *hcl.BodyContent, at hcl.Range) {
	until := content.Attributes["until"]
	switch {
	case until == nil && len(r.Events) > 0:
		p.fail(at, "No end", "A story needs its end: until = \"60s\".")
	case until != nil && len(r.Expect) > 0:
		p.fail(until.NameRange, "A story beside expect", "expect is about what the files say and nothing is played. Write a run for each.")
	case until == nil && len(r.Expect) == 0 && len(r.Asserts) == 0:
		p.fail(at, "Nothing is claimed", "Write until and assert for a story, assert for a claim about outputs, or expect = [\"HA1201\"].")
	}
	for _, e := range r.Events {
		if e.At > r.Until && until != nil {
			p.diags = append(p.diags, diag.Diagnostic{
				Severity: diag.Error, Code: "HA5002", Summary: "Event after the end of the run", Range: &e.Range,
				Detail: fmt.Sprintf("The run ends at %s and this event comes at %s: raise until.", r.Until, e.At),
			})
		}
	}
}

func (p *parser) event(b *hcl.Block) story.Event {
	content, good := p.content(b.Body, "simulate", simulateSchema)
	attrs := content.Attributes
	e := story.Event{Range: *rangeOf(b.DefRange), At: p.duration(attrs["at"])}
	for _, k := range story.Kinds {
		attr := attrs[string(k)]
		if attr == nil {
			continue
		}
		if e.Kind != "" {
			p.fail(attr.NameRange, "Two events in one block", "%s stands beside %s: write a simulate block for each.", k, e.Kind)
			continue
		}
		e.Kind = k
		p.object(&e, attr)
	}
	if e.Kind == "" && good {
		p.fail(b.DefRange, "No event", "A simulate block does exactly one of %s.", kindList())
	}
	before := len(p.diags)
	e.On = p.node(&e, attrs["on"], e.On)
	e.From = p.node(&e, attrs["from"], e.From)
	e.To = p.node(&e, attrs["to"], e.To)
	if len(p.diags) == before {
		p.complete(&e, b.DefRange)
	}
	return e
}

func kindList() string {
	var words []string
	for _, k := range story.Kinds {
		words = append(words, string(k))
	}
	return strings.Join(words, ", ")
}

// object is what the event's own argument names: a check to fail, a node to stop, a
// directory to apply.
func (p *parser) object(e *story.Event, attr *hcl.Attribute) {
	switch e.Kind {
	case story.Fail, story.Recover:
		if a := p.reference(attr.Expr); a.Kind() == "script" || a.Kind() == "check" {
			e.What = a
			return
		}
		p.fail(attr.Expr.Range(), "Not a script or check", "Write %s = script.NAME.", e.Kind)
	case story.Apply:
		e.Dir = p.text(attr)
	default:
		e.On = p.node(e, attr, "")
	}
}

// complete refuses an event that does not say where it happens.
func (p *parser) complete(e *story.Event, r hcl.Range) {
	switch {
	case (e.Kind == story.Fail || e.Kind == story.Recover) && e.On == "":
		p.fail(r, "No node", "%s needs on = node.NAME.", e.Kind)
	case (e.From == "") != (e.To == ""):
		p.fail(r, "Half a direction", "from and to go together: adverts from one node no longer reach the other.")
	case e.From != "" && e.Kind != story.Cut && e.Kind != story.Heal:
		p.fail(r, "A direction without a link", "from and to belong to cut and heal.")
	}
}

// node reads node.NAME; a null argument keeps what was there.
func (p *parser) node(e *story.Event, attr *hcl.Attribute, otherwise string) string {
	if attr == nil {
		return otherwise
	}
	if a := p.reference(attr.Expr); a.Kind() == "node" {
		return nodeName(a)
	}
	name := "NAME"
	if v, ds := attr.Expr.Value(nil); !ds.HasErrors() && v.Type() == cty.String && v.IsKnown() && !v.IsNull() && hclsyntax.ValidIdentifier(v.AsString()) {
		name = v.AsString()
	}
	p.fail(attr.Expr.Range(), "Not a node", "Write node.%s.", name)
	return otherwise
}

// nodeName is what people call a node: its key where for_each makes several.
func nodeName(a plan.Addr) string {
	name := a.Name()
	if i := strings.IndexByte(name, '['); i >= 0 {
		if key, err := strconv.Unquote(strings.TrimSuffix(name[i+1:], "]")); err == nil {
			return key
		}
	}
	return name
}

// reference reads an address as it stands: a test file names things of the
// configuration and evaluates none of them.
func (p *parser) reference(expr hcl.Expression) plan.Addr {
	t, ds := hcl.AbsTraversalForExpr(expr)
	if ds.HasErrors() || len(t) < 2 {
		return ""
	}
	var b strings.Builder
	for _, step := range t {
		switch s := step.(type) {
		case hcl.TraverseRoot:
			b.WriteString(s.Name)
		case hcl.TraverseAttr:
			b.WriteString("." + s.Name)
		case hcl.TraverseIndex:
			if s.Key.Type() != cty.String {
				return ""
			}
			fmt.Fprintf(&b, "[%q]", s.Key.AsString())
		}
	}
	return plan.Addr(b.String())
}

func (p *parser) text(attr *hcl.Attribute) string {
	v, ds := attr.Expr.Value(p.suite.eval)
	p.take(ds)
	if ds.HasErrors() {
		return ""
	}
	var s string
	if err := gocty.FromCtyValue(v, &s); err != nil || s == "" {
		p.fail(attr.Expr.Range(), "Not a text", "%s takes a quoted text.", attr.Name)
	}
	return s
}

// duration is a text with a unit or a bare number of seconds.
func (p *parser) duration(attr *hcl.Attribute) time.Duration {
	if attr == nil {
		return 0
	}
	v, ds := attr.Expr.Value(p.suite.eval)
	p.take(ds)
	if ds.HasErrors() {
		return 0
	}
	if v.IsKnown() && !v.IsNull() {
		if v.Type() == cty.Number {
			seconds, _ := v.AsBigFloat().Float64()
			return time.Duration(seconds * float64(time.Second))
		}
		if s, err := convert.Convert(v, cty.String); err == nil {
			if d, err := time.ParseDuration(s.AsString()); err == nil && d >= 0 {
				return d
			}
		}
	}
	p.fail(attr.Expr.Range(), "Not a time", `%s takes a time such as "10s" or "500ms".`, attr.Name)
	return 0
}

func (p *parser) assert(b *hcl.Block) Assert {
	content, _ := p.content(b.Body, "assert", assertSchema)
	a := Assert{Range: *rangeOf(b.DefRange)}
	if c := content.Attributes["condition"]; c != nil {
		a.condition, a.Range = c.Expr, *rangeOf(c.Expr.Range())
	}
	if m := content.Attributes["error_message"]; m != nil {
		a.message = m.Expr
	}
	return a
}
