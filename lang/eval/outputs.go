package eval

import (
	"encoding/json"
	"fmt"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"hafile/lang/module"
)

// Output is one evaluated output.
type Output struct {
	Name, Description string
	Value             json.RawMessage // nil when sensitive
	Sensitive         bool
}

// Outputs evaluates every output of every module, and lists those of the root.
func (e *Evaluator) Outputs() []Output {
	var out []Output
	for _, x := range e.Modules() {
		for _, d := range x.m.Of("output") {
			if x != e {
				x.named("output", d.Name, nil, scope{})
				continue
			}
			if o, ok := e.output(d); ok {
				out = append(out, o)
			}
		}
	}
	return out
}

// outputValue is what a caller sees of an output: with a mark where it is sensitive.
func (e *Evaluator) outputValue(d *module.Decl) (cty.Value, bool) {
	s := scope{addr: e.addr("output." + d.Name)}
	b := decoder{Evaluator: e, decl: d}.block(d.Block.Body, d.Schema, s)
	content, _ := e.text.content(d.Block.Body, d.Schema)
	attr := content.Attributes["value"]
	if attr == nil {
		if !module.Explained("value", b.unknown) {
			e.errorf("HA1007", s, d.Range(), fmt.Sprintf("output %q needs value", d.Name), "Write value = ...")
		}
		return cty.DynamicVal, false
	}
	v, ok := e.value(attr.Expr, s)
	if ok && Or(b, "sensitive", false) {
		v = v.Mark(secretMark{})
	}
	return v, ok
}

func (e *Evaluator) output(d *module.Decl) (Output, bool) {
	s := scope{addr: e.addr("output." + d.Name)}
	if e.in.Self != "" {
		s.self = e.node(e.in.Self)
	}
	dec := decoder{Evaluator: e, decl: d}
	b := dec.block(d.Block.Body, d.Schema, s)
	o := Output{Name: d.Name, Description: Or(b, "description", ""), Sensitive: Or(b, "sensitive", false)}
	content, _ := e.text.content(d.Block.Body, d.Schema)
	attr := content.Attributes["value"]
	if attr == nil {
		if !module.Explained("value", b.unknown) {
			e.errorf("HA1007", s, d.Range(), fmt.Sprintf("output %q needs value", d.Name), "Write value = ...")
		}
		return o, false
	}
	v, ok := e.value(attr.Expr, s)
	if !ok {
		return o, false
	}
	if o.Sensitive {
		return o, true
	}
	if sensitive(v) {
		e.errorf("HA2103", s, attr.Expr.Range(), fmt.Sprintf("output %q would show a sensitive value", d.Name), "Write sensitive = true in the output, or leave the secret out.")
		return o, false
	}
	raw, err := ctyjson.Marshal(v, v.Type())
	if err != nil {
		e.errorf("HA1004", s, attr.Expr.Range(), fmt.Sprintf("output %q has no JSON form", d.Name), "%v. Use strings, numbers, lists and objects.", err)
		return o, false
	}
	o.Value = raw
	return o, true
}
