package eval

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"hafile/lang/diag"
	"hafile/lang/module"
)

// secretMark is on every value that comes from a sensitive variable.
type secretMark struct{}

// sensitive reports whether any part of a value carries the mark.
func sensitive(v cty.Value) bool { return v != cty.NilVal && v.ContainsMarked() }

// taint notes the locals and variables that the expression of a secret names, so that no
// snippet shows their lines.
func (e *Evaluator) taint(expr hcl.Expression) {
	for _, t := range expr.Variables() {
		name, ok := member(t)
		switch key := t.RootName() + "." + name; {
		case !ok || e.tainted[key]:
		case t.RootName() == "local":
			e.taintLocal(name)
		case t.RootName() == "var":
			e.tainted[key] = true
			if a := e.given[name]; a.called {
				e.parent.taint(a.expr)
			}
		}
	}
}

// taintLocal passes over locals that hold more than the one value: their names tell what
// is secret in them.
func (e *Evaluator) taintLocal(name string) {
	attr := e.m.Locals[name]
	if attr == nil || e.tainted["local."+name] {
		return
	}
	switch attr.Expr.(type) {
	case *hclsyntax.ObjectConsExpr, *hclsyntax.TupleConsExpr, *hclsyntax.ForExpr:
		return
	}
	e.tainted["local."+name] = true
	e.taint(attr.Expr)
}

// SecretRanges is where secrets stand in the files, as far as the evaluation knows.
func (e *Evaluator) SecretRanges() []diag.Range {
	var out []diag.Range
	for _, x := range e.Modules() {
		out = append(out, x.secretRanges()...)
	}
	return out
}

// SecretTexts are the values of sensitive variables that stand in no file.
func (e *Evaluator) SecretTexts() []string {
	var out []string
	for name, a := range e.given {
		if e.secret[name] && a.expr == nil && strings.TrimSpace(a.text) != "" {
			out = append(out, a.text)
		}
	}
	return out
}

func (e *Evaluator) secretRanges() []diag.Range {
	var out []diag.Range
	for name := range e.m.Locals {
		if e.tainted["local."+name] {
			out = append(out, module.Range(e.m.Locals[name].Expr.Range()))
		}
	}
	any := false
	for _, d := range e.m.Of("var") {
		any = any || e.secret[d.Name]
		if !e.secret[d.Name] && !e.tainted["var."+d.Name] {
			continue
		}
		content, _, _ := d.Block.Body.PartialContent(&hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "default"}}})
		if a := content.Attributes["default"]; a != nil {
			out = append(out, module.Range(a.Expr.Range()))
		}
		if a, ok := e.given[d.Name]; ok && a.expr != nil {
			out = append(out, module.Range(a.at))
		}
	}
	if any { // the value of a name that is misspelt may be that of a sensitive variable
		for _, at := range e.unasked {
			out = append(out, module.Range(at))
		}
	}
	return out
}
