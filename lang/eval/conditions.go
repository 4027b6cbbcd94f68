package eval

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"hafile/lang/diag"
	"hafile/lang/module"
	"hafile/lang/plan"
	"hafile/lang/schema"
)

// verdict is what a condition says.
type verdict int

const (
	held verdict = iota
	broken
	undecided // it could not be evaluated, and that was said
)

var conditionSchema = &hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "condition"}, {Name: "error_message"}, {Name: "severity"}}}

// condition evaluates a block of condition and error_message: a validation, a
// precondition or an assert. The message is evaluated only where it is needed.
func (e *Evaluator) condition(what string, body hcl.Body, s scope) (v verdict, at hcl.Range, message string) {
	content := e.text.conditions(body)
	cond, text := content.Attributes["condition"], content.Attributes["error_message"]
	if cond == nil || text == nil {
		e.errorf("HA1007", s, body.MissingItemRange(), what+" needs condition and error_message", "Write both.")
		return undecided, hcl.Range{}, ""
	}
	at = cond.Expr.Range()
	value, ok := e.value(cond.Expr, s)
	if !ok {
		return undecided, at, ""
	}
	value, _ = value.UnmarkDeep()
	is, err := convert.Convert(value, cty.Bool)
	if err != nil || is.IsNull() {
		e.errorf("HA1004", s, at, "a condition is true or false", "It gives %s. Write a comparison.", friendly(value.Type()))
		return undecided, at, ""
	}
	if is.True() {
		return held, at, ""
	}
	return broken, at, e.message(text.Expr, s)
}

// precondition is HA1412.
func (e *Evaluator) precondition(body hcl.Body, s scope) {
	if v, at, message := e.condition("precondition", body, s); v == broken {
		e.errorf("HA1412", s, at, fmt.Sprintf("a precondition of %s does not hold", s.addr), "%s", message)
	}
}

// Policies evaluates every policy, of the modules too: HA1411.
func (e *Evaluator) Policies() {
	for _, x := range e.Modules() {
		for _, d := range x.m.Of("policy") {
			x.policy(d)
		}
	}
}

func (e *Evaluator) policy(d *module.Decl) {
	s := scope{addr: e.addr("policy." + d.Name)}
	b := decoder{Evaluator: e, decl: d}.block(d.Block.Body, d.Schema, s)
	content, _, _ := d.Block.Body.PartialContent(d.Schema.HCL())
	if len(content.Blocks) == 0 {
		e.errorf("HA1007", s, d.Range(), fmt.Sprintf("policy %q asserts nothing", d.Name), "Write assert { condition = ... error_message = ... }, an argument a line.")
		return
	}
	for i, a := range content.Blocks {
		severity := diag.Error
		if asserts := b.Of("assert"); i < len(asserts) && Or(asserts[i], "severity", "error") == "warning" {
			severity = diag.Warning
		}
		v, at, message := e.condition("assert", a.Body, s)
		if v != broken {
			continue
		}
		e.add(diag.Diagnostic{
			Severity: severity, Code: "HA1411", Summary: fmt.Sprintf("policy %q does not hold", d.Name), Detail: message,
			Range: module.At(at), Address: s.addr,
		})
	}
}

// Move is a moved or removed block, one per key of its for_each.
type Move struct {
	From, To plan.Addr
	Release  string // of removed
	Range    diag.Range
}

// Moves reads the moved blocks of every module; addresses in one are of its own things.
func (e *Evaluator) Moves() []Move {
	return e.refactorings("moved", &schema.Moved, func(x *Evaluator) []*hcl.Block { return x.m.Moved })
}

// Removals reads the removed blocks.
func (e *Evaluator) Removals() []Move {
	return e.refactorings("removed", &schema.Removed, func(x *Evaluator) []*hcl.Block { return x.m.Removed })
}

func (e *Evaluator) refactorings(kind string, bs *schema.Block, of func(*Evaluator) []*hcl.Block) []Move {
	var all []Move
	for _, x := range e.Modules() {
		for _, hb := range of(x) {
			all = append(all, x.refactoring(kind, bs, hb)...)
		}
	}
	return all
}

func (e *Evaluator) refactoring(kind string, bs *schema.Block, hb *hcl.Block) []Move {
	s := scope{addr: e.addr(kind)}
	repeat, rest, _ := hb.Body.PartialContent(forEachSchema)
	elements := []each{{}}
	if attr := repeat.Attributes["for_each"]; attr != nil {
		var ok bool
		if elements, ok = e.forEach(attr, s); !ok {
			return nil
		}
	}
	b := decoder{Evaluator: e}.block(rest, bs, s)
	content, _, _ := rest.PartialContent(bs.HCL())
	var all []Move
	for i := range elements {
		if elements[i].key != cty.NilVal {
			s.each = &elements[i]
		}
		m := Move{Release: Or(b, "release", plan.RemoveHandOver), Range: module.Range(hb.DefRange)}
		var ok bool
		if m.From, ok = e.address(kind, "from", content, hb, s); !ok {
			return all
		}
		if kind == "moved" {
			if m.To, ok = e.address(kind, "to", content, hb, s); !ok {
				return all
			}
		}
		all = append(all, m)
	}
	return all
}

func (e *Evaluator) address(kind, arg string, content *hcl.BodyContent, hb *hcl.Block, s scope) (plan.Addr, bool) {
	attr := content.Attributes[arg]
	if attr == nil {
		e.errorf("HA1007", s, hb.DefRange, fmt.Sprintf("%s needs %s", kind, arg), "Write %s = instance.NAME, without quotes.", arg)
		return "", false
	}
	expr := attr.Expr
	if _, native := expr.(hclsyntax.Expression); !native { // JSON: the address as a string
		t, hd := hcl.AbsTraversalForExpr(expr)
		if hd.HasErrors() {
			e.errorf("HA1004", s, expr.Range(), arg+" needs an address", `Write "instance.web".`)
			return "", false
		}
		if a, ok := e.steps(t, s); ok {
			return e.addr(string(a)), e.movable(a, expr.Range(), s)
		}
		return "", false
	}
	a, ok := e.addressOf(expr, s)
	if !ok {
		e.errorf("HA1004", s, expr.Range(), arg+" needs an address", `Write instance.web, instance.web["a"] or module.web["a"].instance.web, without quotes.`)
		return "", false
	}
	return e.addr(string(a)), e.movable(a, expr.Range(), s)
}

// movable refuses an address of something that no plan holds.
func (e *Evaluator) movable(a plan.Addr, at hcl.Range, s scope) bool {
	switch a.Kind() {
	case "instance", "script", "check", "notify", "sync_group", "module":
		return true
	}
	e.errorf("HA1008", s, at, fmt.Sprintf("%s cannot be moved or removed", a), "A plan holds instances, scripts, checks, notifies and sync groups, and modules of them. Name one of those.")
	return false
}

// addressOf reads an expression as an address; keys may be expressions.
func (e *Evaluator) addressOf(expr hcl.Expression, s scope) (plan.Addr, bool) {
	switch x := expr.(type) {
	case *hclsyntax.ScopeTraversalExpr:
		return e.steps(x.Traversal, s)
	case *hclsyntax.IndexExpr:
		base, ok := e.addressOf(x.Collection, s)
		if !ok {
			return "", false
		}
		key, ok := e.value(x.Key, s)
		if !ok {
			return "", false
		}
		name, err := convert.Convert(key, cty.String)
		if err != nil || name.IsNull() || name.IsMarked() {
			return "", false
		}
		return plan.Addr(fmt.Sprintf("%s[%q]", base, name.AsString())), true
	case *hclsyntax.RelativeTraversalExpr:
		base, ok := e.addressOf(x.Source, s)
		if !ok {
			return "", false
		}
		rest, ok := e.steps(x.Traversal, s)
		return base + rest, ok
	}
	return "", false
}

func (e *Evaluator) steps(t hcl.Traversal, s scope) (plan.Addr, bool) {
	a := ""
	for _, step := range t {
		switch st := step.(type) {
		case hcl.TraverseRoot:
			a = st.Name
		case hcl.TraverseAttr:
			a += "." + st.Name
		case hcl.TraverseIndex:
			if st.Key.Type() != cty.String {
				return "", false
			}
			a += fmt.Sprintf("[%q]", st.Key.AsString())
		default:
			return "", false
		}
	}
	return plan.Addr(a), true
}
