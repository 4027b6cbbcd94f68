package eval

import (
	"slices"
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"hafile/lang/diag"
	"hafile/lang/module"
	"hafile/lang/plan"
	"hafile/lang/schema"
)

// Object is one thing that a block declares: one per block, or one per key of its
// for_each.
type Object struct {
	Kind, Label string
	Key         string // of for_each
	Addr        plan.Addr
	Range       diag.Range

	// Via is where the repetitions and calls stand that made it, the innermost first.
	Via []diag.Range

	ev     *Evaluator // of its module
	inside *Evaluator // of a call: the module that it calls
	decl   *module.Decl
	each   *each
	body   hcl.Body
	schema *schema.Block
}

// NodeName is what people call the object: the key where for_each makes several.
func (o *Object) NodeName() string {
	if o.each != nil {
		return o.Key
	}
	return o.Label
}

// All lists the objects of a kind, those of modules too: in the order of declaration,
// keys sorted, the root module first.
func (e *Evaluator) All(kind string) []*Object {
	var all []*Object
	for _, d := range e.m.Of(kind) {
		objects, _ := e.Objects(d)
		all = append(all, objects...)
	}
	if len(e.m.Children) == 0 || !e.m.Has(kind) {
		return all
	}
	for _, x := range e.enterCalls() {
		if x.m.Has(kind) {
			all = append(all, x.All(kind)...)
		}
	}
	return all
}

// Find is the object with an address; nil if there is none.
func (e *Evaluator) Find(a plan.Addr) *Object {
	if o := e.byAddr[a]; o != nil {
		return o
	}
	e.top.All(a.Kind())
	return e.byAddr[a]
}

var forEachSchema = &hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "for_each"}}}

// Objects expands one declaration. The meta-argument is taken off before the body is
// decoded, or every object would evaluate it again.
func (e *Evaluator) Objects(d *module.Decl) ([]*Object, bool) {
	key := d.Kind + "." + d.Name
	if objects, ok := e.objects[key]; ok {
		return objects, objects != nil
	}
	e.objects[key] = nil // after a failure
	defer e.enter(key)()
	one := Object{Kind: d.Kind, Label: d.Name, Addr: e.addr(key), Range: module.Range(d.Range()), ev: e, decl: d, body: d.Block.Body, schema: d.Schema}
	if e.caller != nil {
		one.Via = append([]diag.Range{e.caller.Range}, e.caller.Via...)
	}
	if !d.Schema.ForEach {
		return e.keep(key, []*Object{&one}), true
	}
	repeat := e.text.repeat(d)
	one.body = repeat.rest
	attr := repeat.attr
	if attr == nil {
		return e.keep(key, []*Object{&one}), true
	}
	elements, ok := e.forEach(attr, scope{addr: one.Addr})
	if !ok {
		return nil, false
	}
	objects := []*Object{}
	via := append([]diag.Range{module.Range(attr.Expr.Range())}, one.Via...)
	for _, el := range elements {
		o := one
		o.each, o.Key, o.Via = &el, el.key.AsString(), via
		o.Addr = e.addr(key + "[" + strconv.Quote(o.Key) + "]")
		objects = append(objects, &o)
	}
	return e.keep(key, objects), true
}

func (e *Evaluator) keep(key string, objects []*Object) []*Object {
	e.objects[key] = objects
	for _, o := range objects {
		e.byAddr[o.Addr] = o
	}
	return objects
}

// forEach evaluates for_each to its elements, sorted by key.
func (e *Evaluator) forEach(attr *hcl.Attribute, s scope) ([]each, bool) {
	v, ok := e.value(attr.Expr, s)
	if !ok {
		return nil, false
	}
	at := attr.Expr.Range()
	t := v.Type()
	switch {
	case sensitive(v):
		e.errorf("HA1013", s, at, "for_each cannot be sensitive", "Its keys become addresses, which everybody sees. Give the names openly and look the secret up by name.")
	case v.IsNull():
		e.errorf("HA1013", s, at, "for_each is null", "Give a map or a set of strings; {} makes none.")
	case t.IsTupleType() || t.IsListType():
		e.errorf("HA1013", s, at, "for_each needs a map or a set of strings, got a list",
			"A list would name its objects by position, and to insert one would move the addresses of the rest. Write for_each = toset([...]).")
	case t.IsSetType() && t.ElementType() != cty.String && v.LengthInt() > 0:
		e.errorf("HA1013", s, at, "for_each needs a set of strings, got a "+t.FriendlyName(), "Name the elements with a map: { for x in ... : x.name => x }.")
	case t.IsObjectType() || t.IsMapType() || t.IsSetType():
		return elements(v), true
	default:
		e.errorf("HA1013", s, at, "for_each needs a map or a set of strings, got a "+t.FriendlyName(), "Write { a = ..., b = ... } or toset([\"a\", \"b\"]).")
	}
	return nil, false
}

func elements(v cty.Value) []each {
	var out []each
	for it := v.ElementIterator(); it.Next(); {
		k, val := it.Element()
		if v.Type().IsSetType() {
			k = val
		}
		out = append(out, each{key: k, value: val})
	}
	slices.SortFunc(out, func(a, b each) int {
		if a.key.AsString() < b.key.AsString() {
			return -1
		}
		return 1
	})
	return out
}
