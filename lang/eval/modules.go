package eval

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"hafile/lang/diag"
	"hafile/lang/module"
	"hafile/lang/plan"
	"hafile/lang/schema"
)

// call is a module block: what its arguments say, read once for all of its keys.
type call struct {
	args    hcl.Attributes
	blocks  hcl.Blocks // precondition
	unknown []string   // names that no variable has
}

// Modules lists this module and every call below it.
func (e *Evaluator) Modules() []*Evaluator {
	all := []*Evaluator{e}
	for _, x := range e.enterCalls() {
		all = append(all, x.Modules()...)
	}
	return all
}

// Addr is the address of the call, empty for the root.
func (e *Evaluator) Addr() plan.Addr {
	if e.caller == nil {
		return ""
	}
	return e.caller.Addr
}

// enterCalls makes an evaluator for each call of each module block, once.
func (e *Evaluator) enterCalls() []*Evaluator {
	if e.entered {
		return e.inside
	}
	e.entered = true
	for _, d := range e.m.Of("module") {
		if e.m.Children[d.Name] == nil {
			continue // it could not be loaded, and that was said
		}
		objects, _ := e.Objects(d)
		for _, o := range objects {
			if e.tooManyCalls(d) {
				return e.inside
			}
			e.inside = append(e.inside, e.enterCall(d, o))
		}
	}
	return e.inside
}

// entriesMax is how many calls of modules there may be: a module that calls thirty, each
// of which calls thirty, is small as text and fills any memory five levels down.
const entriesMax = 50_000

func (e *Evaluator) tooManyCalls(d *module.Decl) bool {
	if e.entries < entriesMax {
		return false
	}
	if !e.overrun {
		e.overrun = true
		e.errorf("HA1010", scope{addr: e.addr("module." + d.Name)}, d.Range(), fmt.Sprintf("there are more than %d calls of modules", entriesMax),
			"Modules that call modules multiply. Call fewer, or put what they make into one with for_each.")
	}
	return true
}

func (e *Evaluator) enterCall(d *module.Decl, o *Object) *Evaluator {
	if o.inside != nil {
		return o.inside
	}
	e.entries++
	c := e.callOf(d)
	x := e.evaluator(e.m.Children[d.Name])
	x.parent, x.caller, x.prefix = e, o, string(o.Addr)+"."
	for name, attr := range c.args {
		x.given[name] = assignment{expr: attr.Expr, from: string(o.Addr), at: attr.Expr.Range(), called: true}
	}
	o.inside = x
	return x
}

// callOf reads the arguments of a module block. What is no variable of the module is a
// mistake, and said once.
func (e *Evaluator) callOf(d *module.Decl) *call {
	if c := e.calls[d]; c != nil {
		return c
	}
	known := e.m.Children[d.Name].Variables()
	s := known.HCL()
	s.Attributes = append(s.Attributes, hcl.AttributeSchema{Name: "for_each"})
	content, hd := d.Block.Body.Content(s)
	e.ds = append(e.ds, module.Translate(hd, known, e.addr("module."+d.Name))...)
	c := &call{args: content.Attributes, blocks: content.Blocks, unknown: module.UnknownNames(hd)}
	if c.args == nil {
		c.args = hcl.Attributes{}
	}
	delete(c.args, "source")
	delete(c.args, "for_each")
	e.calls[d] = c
	return c
}

// Preconditions judges those of the calls.
func (e *Evaluator) Preconditions() {
	for _, x := range e.Modules() {
		if x.caller == nil {
			continue
		}
		c := x.parent.callOf(x.caller.decl)
		for _, b := range c.blocks {
			x.parent.precondition(b.Body, scope{addr: x.caller.Addr, each: x.caller.each})
		}
	}
}

// orDefault is a second way out, where the module is not one that comes with hafile.
func orDefault(d *module.Decl) string {
	if strings.HasPrefix(d.Range().Filename, "hafile/") {
		return ""
	}
	return ", or give the variable a default"
}

// requireOutput evaluates of a module what a traversal names: the one output where it is
// named, so that two modules may use different outputs of each other.
func (e *Evaluator) requireOutput(name string, t hcl.Traversal, s scope, into *rootValue) bool {
	d := e.m.Find("module", name)
	if d == nil {
		e.missing("module", name, t, s)
		return false
	}
	objects, ok := e.Objects(d)
	if !ok || e.m.Children[name] == nil {
		return false
	}
	output := ""
	if len(t) > 2 && len(objects) == 1 && objects[0].each == nil {
		if step, is := t[2].(hcl.TraverseAttr); is {
			output = step.Name
		}
	}
	if output == "" || e.m.Children[name].Find("output", output) == nil {
		v, ok := e.named("module", name, t, s)
		into.attrs[name] = v
		return ok
	}
	v, ok := e.enterCall(d, objects[0]).named("output", output, t, s)
	attrs := map[string]cty.Value{}
	if before, there := into.attrs[name]; there {
		attrs = before.AsValueMap()
	}
	attrs[output] = v
	into.attrs[name] = cty.ObjectVal(attrs)
	return ok
}

// moduleValue is what module.web evaluates to: its outputs, by key where there are
// several.
func (e *Evaluator) moduleValue(d *module.Decl) (cty.Value, bool) {
	objects, ok := e.Objects(d)
	if !ok || e.m.Children[d.Name] == nil {
		return cty.DynamicVal, false
	}
	byKey := map[string]cty.Value{}
	for _, o := range objects {
		if e.tooManyCalls(d) {
			return cty.DynamicVal, false
		}
		x := e.enterCall(d, o)
		outputs := map[string]cty.Value{}
		for _, name := range x.m.Names("output") {
			v, ok := x.named("output", name, nil, scope{addr: o.Addr})
			if !ok {
				return cty.DynamicVal, false
			}
			outputs[name] = v
		}
		if o.each == nil {
			return cty.ObjectVal(outputs), true
		}
		byKey[o.Key] = cty.ObjectVal(outputs)
	}
	return cty.ObjectVal(byKey), true
}

// dynamicBlock is a dynamic block: where its for_each stands, and its elements where they are
// written one by one.
type dynamicBlock struct {
	forEach  diag.Range
	elements []diag.Range
}

// trace is where a block comes from that a dynamic block made: all of its products have
// one range.
func (d decoder) trace(b *hcl.Block, products map[hcl.Range]int) []diag.Range {
	if d.decl == nil {
		return d.via
	}
	dyn, is := d.text.dynamic(d.decl)[b.DefRange]
	if !is {
		return d.via
	}
	i := products[b.DefRange]
	products[b.DefRange]++
	var own []diag.Range
	if i < len(dyn.elements) {
		own = append(own, dyn.elements[i])
	}
	return append(append(own, dyn.forEach), d.via...)
}

var dynamicSchema = hcl.BlockHeaderSchema{Type: "dynamic", LabelNames: []string{"type"}}

func collectDynamics(body hcl.Body, bs *schema.Block, into map[hcl.Range]dynamicBlock) {
	s := &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{dynamicSchema}}
	for _, n := range bs.Blocks {
		s.Blocks = append(s.Blocks, n.Header())
	}
	content, _, _ := body.PartialContent(s)
	for _, b := range content.Blocks {
		nested := bs.Block(b.Type)
		if b.Type != "dynamic" {
			collectDynamics(b.Body, nested, into)
			continue
		}
		inner, _, _ := b.Body.PartialContent(&hcl.BodySchema{
			Attributes: []hcl.AttributeSchema{{Name: "for_each"}}, Blocks: []hcl.BlockHeaderSchema{{Type: "content"}},
		})
		if attr := inner.Attributes["for_each"]; attr != nil {
			dyn := dynamicBlock{forEach: module.Range(attr.Expr.Range())}
			if list, hd := hcl.ExprList(attr.Expr); !hd.HasErrors() {
				for _, el := range list {
					dyn.elements = append(dyn.elements, module.Range(el.Range()))
				}
			}
			into[b.DefRange] = dyn
		}
		if nested = bs.Block(b.Labels[0]); nested == nil {
			continue
		}
		for _, c := range inner.Blocks {
			collectDynamics(c.Body, nested, into)
		}
	}
}

// missingArgument is a variable that a call gives no value.
func (e *Evaluator) missingArgument(d *module.Decl) {
	at := toHCL(e.caller.Range)
	if module.Explained(d.Name, e.parent.callOf(e.caller.decl).unknown) {
		return
	}
	e.add(diag.Diagnostic{
		Severity: diag.Error, Code: "HA1012", Summary: fmt.Sprintf("module %q needs %s", e.caller.Label, d.Name), Range: module.At(at), Address: e.caller.Addr,
		Detail:  fmt.Sprintf("Write %s = ... in the call%s.", d.Name, orDefault(d)),
		Related: []diag.Related{{Range: module.Range(d.Range()), Message: "the variable is declared here"}},
	})
}
