package eval

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/dynblock"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"hafile/lang/diag"
	"hafile/lang/module"
	"hafile/lang/plan"
	"hafile/lang/schema"
)

// Block is a decoded block: Go values, each with its range.
type Block struct {
	Type  string
	Label string
	Addr  plan.Addr
	Range diag.Range // of its header
	// Via is where the repetitions and calls stand that made it, the innermost first.
	Via    []diag.Range
	Blocks []*Block

	args []named         // few: to look through them is faster than to hash them
	bad  map[string]bool // written, and wrong: said already; nil: none
	// unknown are names that the block does not have, and which were reported.
	unknown []string
	// label is where the label stands; a dynamic block's is an expression.
	label diag.Range
}

type named struct {
	name string
	Value
}

func (b *Block) set(name string, v Value) { b.args = append(b.args, named{name, v}) }

func (b *Block) spoil(name string) {
	if b.bad == nil {
		b.bad = map[string]bool{}
	}
	b.bad[name] = true
}

// Value is one lowered argument.
type Value struct {
	V     any
	Range diag.Range
	// FromSecret: it comes from a sensitive variable.
	FromSecret bool
}

// Get is an argument as the type that its kind promises; false if it was not written.
func Get[T any](b *Block, name string) (T, bool) {
	var zero T
	if b == nil {
		return zero, false
	}
	v, ok := b.Value(name)
	if !ok {
		return zero, false
	}
	t, ok := v.V.(T)
	return t, ok
}

// Or is an argument, or def if it was not written.
func Or[T any](b *Block, name string, def T) T {
	if v, ok := Get[T](b, name); ok {
		return v
	}
	return def
}

// At is where an argument stands, or the block if it was not written.
func (b *Block) At(name string) diag.Range {
	if v, ok := b.Value(name); ok {
		return v.Range
	}
	return b.Range
}

// Covers reports whether the header or any argument of the block fits.
func (b *Block) Covers(fits func(diag.Range) bool) bool {
	if fits(b.Range) {
		return true
	}
	for _, v := range b.args {
		if fits(v.Range) {
			return true
		}
	}
	return false
}

// Value is an argument with its range.
func (b *Block) Value(name string) (Value, bool) {
	for i := range b.args {
		if b.args[i].name == name {
			return b.args[i].Value, true
		}
	}
	return Value{}, false
}

// LabelRange is where the label stands.
func (b *Block) LabelRange() diag.Range { return b.label }

// Of lists the nested blocks of a type, in order.
func (b *Block) Of(typ string) []*Block {
	var out []*Block
	for _, n := range b.Blocks {
		if n.Type == typ {
			out = append(out, n)
		}
	}
	return out
}

// One is the only nested block of a type; nil if there is none.
func (b *Block) One(typ string) *Block {
	if all := b.Of(typ); len(all) > 0 {
		return all[0]
	}
	return nil
}

// Block decodes an object without a node in sight, once. It is nil after errors.
func (e *Evaluator) Block(o *Object) *Block { return o.ev.block(o) }

func (e *Evaluator) block(o *Object) *Block {
	if b, ok := e.blocks[o.Addr]; ok {
		return b
	}
	b := e.decodeObject(o, nil, nil)
	e.blocks[o.Addr] = b
	return b
}

// BlockFor decodes an object as a node sees it: again only if it mentions self.
func (e *Evaluator) BlockFor(o *Object, node *Object) *Block {
	if !e.mentionsSelf(o) {
		return e.Block(o)
	}
	return o.ev.decodeObject(o, node, nil)
}

// decoder carries what one decode may look at.
type decoder struct {
	*Evaluator
	// only: of the blocks that are one per node, decode this node's; nil: all.
	only *Object
	decl *module.Decl
	via  []diag.Range
}

func (e *Evaluator) decodeObject(o *Object, self, only *Object) *Block {
	defer e.enter(o.Kind + "." + o.Label)()
	s := scope{addr: o.Addr, each: o.each, self: self}
	before := len(e.ds)
	body, ok := e.expand(o, s)
	if !ok {
		return nil
	}
	d := decoder{Evaluator: e, only: only, decl: o.decl, via: o.Via}
	b := d.block(body, o.schema, s)
	b.Type, b.Label, b.Addr, b.Range, b.Via = o.Kind, o.Label, o.Addr, o.Range, o.Via
	d.required(b, o.schema, s, o.body.MissingItemRange())
	if e.ds[before:].HasErrors() || len(b.bad) > 0 {
		return nil
	}
	return b
}

// expand prepares a body for its dynamic blocks, at every depth.
func (e *Evaluator) expand(o *Object, s scope) (hcl.Body, bool) {
	return e.expandFor(o, o.schema, s)
}

// expandFor expands the dynamic blocks of a schema, which may be a part of the object's:
// those of others may depend on what is not known yet.
func (e *Evaluator) expandFor(o *Object, bs *schema.Block, s scope) (hcl.Body, bool) {
	if len(e.text.dynamic(o.decl)) == 0 {
		if _, native := o.body.(*hclsyntax.Body); native {
			return o.body, true
		}
	}
	vars := e.text.expanding(o, bs)
	if bs != o.schema && !selfExpands(o.body, bs) {
		vars = slices.DeleteFunc(vars, func(t hcl.Traversal) bool { return t.RootName() == "self" })
	}
	ctx, ok := e.context(vars, s)
	if !ok {
		return nil, false
	}
	return dynblock.Expand(o.body, ctx, dynblock.OptCheckForEach(checkForEach)), true
}

// selfExpands reports whether a dynamic block of the schema depends on self. The walk of
// variables sees those of all blocks.
func selfExpands(body hcl.Body, bs *schema.Block) bool {
	content, _, _ := body.PartialContent(&hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: "dynamic", LabelNames: []string{"type"}}}})
	return slices.ContainsFunc(content.Blocks, func(b *hcl.Block) bool {
		if bs.Block(b.Labels[0]) == nil {
			return false
		}
		attrs, _, _ := b.Body.PartialContent(&hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "for_each"}, {Name: "labels"}, {Name: "iterator"}}})
		for _, a := range attrs.Attributes {
			if slices.ContainsFunc(a.Expr.Variables(), func(t hcl.Traversal) bool { return t.RootName() == "self" }) {
				return true
			}
		}
		return false
	})
}

func (st *static) walk(n dynblock.WalkVariablesNode, bs *schema.Block) []hcl.Traversal {
	vars, children := n.Visit(st.schema(bs))
	for _, c := range children {
		if nested := bs.Block(c.BlockTypeName); nested != nil {
			vars = append(vars, st.walk(c.Node, nested)...)
		}
	}
	return vars
}

func checkForEach(v cty.Value, expr hcl.Expression, _ *hcl.EvalContext) hcl.Diagnostics {
	if v.IsKnown() && !v.IsNull() && !v.IsMarked() && v.CanIterateElements() {
		return nil
	}
	got := "null"
	switch {
	case v.IsMarked():
		got = "a sensitive value"
	case !v.IsNull():
		got = "a " + v.Type().FriendlyName()
	}
	return hcl.Diagnostics{{
		Severity: hcl.DiagError, Summary: "Invalid dynamic for_each value", Subject: expr.Range().Ptr(),
		Detail: fmt.Sprintf("It must be a map, a set or a list, got %s. [] makes no block.", got),
	}}
}

// mentionsSelf looks outside of the blocks that are one per node: in those, self is the
// node of the label.
func (e *Evaluator) mentionsSelf(o *Object) bool {
	return e.text.mentionsSelf(o.decl, o.body)
}

func (st *static) mentions(n dynblock.WalkVariablesNode, bs *schema.Block) bool {
	vars, children := n.Visit(st.schema(bs))
	if slices.ContainsFunc(vars, func(t hcl.Traversal) bool { return t.RootName() == "self" }) {
		return true
	}
	return slices.ContainsFunc(children, func(c dynblock.WalkVariablesChild) bool {
		nested := bs.Block(c.BlockTypeName)
		return nested != nil && !nested.PerNode && st.mentions(c.Node, nested)
	})
}

// block decodes one body. Arguments are evaluated in the order of the table, so that
// messages come in one order.
func (d decoder) block(body hcl.Body, bs *schema.Block, s scope) *Block {
	content, hd := d.text.content(body, bs)
	b := &Block{Type: bs.Name, Addr: s.addr, args: make([]named, 0, len(content.Attributes))}
	d.ds = append(d.ds, module.Translate(hd, bs, s.addr)...)
	b.unknown = module.UnknownNames(hd)
	for i := range bs.Args {
		arg := &bs.Args[i]
		attr := content.Attributes[arg.Name]
		if attr == nil {
			continue
		}
		if arg.Later {
			d.add(withAddr(module.NotYet(arg.Name, attr.NameRange, "argument"), s.addr))
			continue
		}
		if arg.Wrong != "" {
			d.errorf("HA1002", s, attr.NameRange, fmt.Sprintf("%s does not belong into %s", arg.Name, bs.Name), "%s", arg.Wrong)
			b.spoil(arg.Name)
			continue
		}
		if arg.Kind == schema.Any {
			continue
		}
		switch v, ok := d.argument(attr, arg, s); {
		case !ok:
			b.spoil(arg.Name)
		case v.V != nil:
			b.set(arg.Name, v)
		}
	}
	d.nested(b, content.Blocks, bs, s)
	return b
}

func withAddr(dg diag.Diagnostic, a plan.Addr) diag.Diagnostic {
	dg.Address = a
	return dg
}

func (d decoder) nested(b *Block, blocks hcl.Blocks, bs *schema.Block, s scope) {
	if len(blocks) == 0 {
		return
	}
	first := map[string]hcl.Range{}
	products := map[hcl.Range]int{}
	for _, hb := range blocks {
		nested := bs.Block(hb.Type)
		at := module.BlockRange(hb)
		if nested.Later {
			d.later(hb.Type, bs.Name, at, s)
			if bs == &schema.Script {
				b.spoil("command") // the probe stands in its place
			}
			continue
		}
		id := hb.Type
		if len(hb.Labels) > 0 {
			id += " " + hb.Labels[0]
		}
		if before, taken := first[id]; taken && (!nested.Many || nested.Label != "") {
			d.add(diag.Diagnostic{
				Severity: diag.Error, Code: "HA1006", Summary: fmt.Sprintf("%s stands here twice", id), Range: module.At(at), Address: s.addr,
				Detail:  "One block of it says everything. Put the two together.",
				Related: []diag.Related{{Range: module.Range(before), Message: "first declared here"}},
			})
			continue
		}
		first[id] = at
		inside := d
		inside.via = d.trace(hb, products)
		made := s
		if len(inside.via) > len(d.via) {
			made.from = &inside.via[0]
		}
		if n := inside.inner(hb, nested, made); n != nil {
			b.Blocks = append(b.Blocks, n)
		}
	}
}

// later refuses a block of a later release; a probe inside of script gets the right word.
func (d decoder) later(name, parent string, at hcl.Range, s scope) {
	if parent == "script" {
		d.errorf("HA1002", s, at, fmt.Sprintf("%s does not belong into script", name),
			"A script runs a program: command = [...]. What hafile probes itself stands in a check: check \"NAME\" { %s { ... } }.", name)
		return
	}
	d.add(withAddr(module.NotYet(name, at, "block"), s.addr))
}

func (d decoder) inner(hb *hcl.Block, nested *schema.Block, s scope) *Block {
	at := module.BlockRange(hb)
	label, labelAt := "", at
	if len(hb.Labels) > 0 {
		label, labelAt = hb.Labels[0], hb.LabelRanges[0]
	}
	if nested.PerNode {
		node := d.node(label)
		if node == nil {
			d.unknownNode(label, labelAt, s)
			return nil
		}
		if d.only != nil && node != d.only {
			return nil
		}
		s.self = node
	}
	n := d.block(hb.Body, nested, s)
	n.Label, n.Range, n.label, n.Via = label, module.Range(at), module.Range(labelAt), d.via
	d.required(n, nested, s, at)
	if nested.Name == "precondition" {
		d.precondition(hb.Body, s)
	}
	return n
}

func (d decoder) required(b *Block, bs *schema.Block, s scope, at hcl.Range) {
	for _, a := range bs.Args {
		if _, ok := b.Value(a.Name); !ok && a.Required && a.Kind != schema.Any && !b.bad[a.Name] && !module.Explained(a.Name, b.unknown) {
			d.errorf("HA1007", s, header(b, at), fmt.Sprintf("%s needs %s", b.Type, a.Name), "%s Write %s = %s.", a.Doc, a.Name, example(a))
		}
	}
}

func header(b *Block, at hcl.Range) hcl.Range {
	if b.Range.Filename == "" {
		return at
	}
	return toHCL(b.Range)
}

func example(a schema.Arg) string {
	switch a.Kind {
	case schema.Int:
		return "51"
	case schema.Strings, schema.Ints:
		return "[...]"
	case schema.Prefix:
		return `"10.0.0.0/8"`
	case schema.Secret:
		return `credential("NAME")`
	case schema.Address:
		return `"192.0.2.10"`
	case schema.Refs:
		return "[...]"
	}
	if len(a.Enum) > 0 {
		return fmt.Sprintf("%q", a.Enum[0])
	}
	return `"..."`
}
