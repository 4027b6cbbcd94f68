package eval

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"hafile/lang/diag"
	"hafile/lang/module"
	"hafile/lang/plan"
	"hafile/lang/schema"
)

// Inputs is what comes from outside of the files.
type Inputs struct {
	Vars     []Var
	Env      func(string) (string, bool)
	AllowEnv []string
}

// Var is one -var (Name, Value) or one -var-file (File, Data).
type Var struct {
	Name, Value string
	File        string
	Data        []byte
}

// Evaluator holds what is known of one module so far.
type Evaluator struct {
	m    *module.Module
	in   Inputs
	ds   diag.Diagnostics
	root *hcl.EvalContext // the functions

	memo   map[string]cty.Value // by "local.a"
	failed map[string]bool      // reported already; what depends on it stays silent
	busy   []string             // what is being evaluated, outermost first

	objects map[string][]*Object
	byAddr  map[plan.Addr]*Object
	byName  map[string]*Object // nodes
	blocks  map[plan.Addr]*Block
	members map[plan.Addr][]Member
	given   map[string]assignment // values of variables from outside
	used    map[string]string     // env() -> hash
	secret  map[string]bool       // variables that are sensitive
}

// New prepares a module for evaluation; nothing is evaluated yet, except the values that
// variables get from outside.
func New(m *module.Module, in Inputs, env []string) *Evaluator {
	e := &Evaluator{
		m: m, in: in,
		memo: map[string]cty.Value{}, failed: map[string]bool{},
		objects: map[string][]*Object{}, byAddr: map[plan.Addr]*Object{}, blocks: map[plan.Addr]*Block{}, members: map[plan.Addr][]Member{},
		given: map[string]assignment{}, used: map[string]string{}, secret: map[string]bool{},
	}
	e.in.AllowEnv = append(slices.Clone(in.AllowEnv), env...)
	e.root = &hcl.EvalContext{Functions: e.functions()}
	e.collect()
	return e
}

// Diagnostics is what was found so far.
func (e *Evaluator) Diagnostics() diag.Diagnostics { return e.ds }

// Env is what env() read, by hash.
func (e *Evaluator) Env() map[string]string { return e.used }

// scope is where an expression stands.
type scope struct {
	addr plan.Addr
	each *each
	self *Object     // the node; nil: not known here
	arg  *schema.Arg // what the expression is for, for hints
}

type each struct{ key, value cty.Value }

func (e *Evaluator) add(d diag.Diagnostic) { e.ds = append(e.ds, d) }

// errorf reports a mistake at a range.
func (e *Evaluator) errorf(code string, s scope, at hcl.Range, summary, detail string, args ...any) {
	d := diag.Diagnostic{Severity: diag.Error, Code: code, Summary: summary, Detail: strings.TrimSpace(fmt.Sprintf(detail, args...)), Range: module.At(at), Address: s.addr}
	if s.self != nil {
		d.Node = s.self.NodeName()
	}
	e.add(d)
}

// value evaluates one expression. False means that it failed and that this was said,
// here or where it started.
func (e *Evaluator) value(expr hcl.Expression, s scope) (cty.Value, bool) {
	ctx, ok := e.context(expr.Variables(), s)
	if !ok {
		return cty.DynamicVal, false
	}
	v, hd := expr.Value(ctx)
	if hd.HasErrors() {
		e.evalErrors(hd, expr, ctx, s)
		return cty.DynamicVal, false
	}
	if !v.IsWhollyKnown() {
		// Everything that evaluation starts from is known, so that this cannot be;
		// if it is, a silent wrong plan would be the worst answer.
		e.errorf("HA1015", s, expr.Range(), "the value is not known", "It depends on something that has no value. Simplify the expression.")
		return cty.DynamicVal, false
	}
	return v, true
}

// context evaluates what the traversals name and no more.
func (e *Evaluator) context(refs []hcl.Traversal, s scope) (*hcl.EvalContext, bool) {
	vars := map[string]map[string]cty.Value{}
	ok := true
	for _, t := range refs {
		if !e.require(t, s, vars) {
			ok = false
		}
	}
	if !ok {
		return nil, false
	}
	ctx := e.root.NewChild()
	ctx.Variables = map[string]cty.Value{}
	for root, attrs := range vars {
		ctx.Variables[root] = cty.ObjectVal(attrs)
	}
	return ctx, true
}

// referable are the roots whose members are declared by somebody.
var referable = []string{"var", "local", "node", "script", "notify", "instance", "check", "sync_group", "module"}

// require evaluates what one traversal starts from.
func (e *Evaluator) require(t hcl.Traversal, s scope, vars map[string]map[string]cty.Value) bool {
	root := t.RootName()
	put := func(name string, v cty.Value) {
		if vars[root] == nil {
			vars[root] = map[string]cty.Value{}
		}
		vars[root][name] = v
	}
	switch {
	case slices.Contains(referable, root):
		names := []string{}
		if name, ok := member(t); ok {
			names = append(names, name)
		} else {
			names = e.m.Names(root)
			vars[root] = orEmpty(vars[root])
		}
		for _, name := range names {
			v, ok := e.named(root, name, t, s)
			if !ok {
				return false
			}
			put(name, v)
		}
	case root == "each":
		if s.each == nil {
			e.errorf("HA1014", s, t.SourceRange(), "each is not known here", "It exists in a block that has for_each. Add for_each to this block or name the value.")
			return false
		}
		put("key", s.each.key)
		put("value", s.each.value)
	case root == "self":
		if s.self == nil {
			e.errorf("HA1014", s, t.SourceRange(), "self is not known here",
				"self is the node that a plan is made for; it is known in instances and notifies. Who is a member, and what a script or a local is, cannot depend on who asks: name the node.")
			return false
		}
		v, ok := e.named("node", s.self.Label, t, s)
		if !ok {
			return false
		}
		if s.self.each != nil {
			v = v.GetAttr(s.self.Key)
		}
		for name := range v.Type().AttributeTypes() {
			put(name, v.GetAttr(name))
		}
	case root == "path":
		put("root", cty.StringVal("."))
		put("module", cty.StringVal("."))
	default:
		e.unknownRoot(t, s)
		return false
	}
	return true
}

func orEmpty(m map[string]cty.Value) map[string]cty.Value {
	if m == nil {
		return map[string]cty.Value{}
	}
	return m
}

// member is the second step of a traversal, where it is a name.
func member(t hcl.Traversal) (string, bool) {
	if len(t) < 2 {
		return "", false
	}
	switch step := t[1].(type) {
	case hcl.TraverseAttr:
		return step.Name, true
	case hcl.TraverseIndex:
		if step.Key.Type() == cty.String && step.Key.IsKnown() && !step.Key.IsNull() {
			return step.Key.AsString(), true
		}
	}
	return "", false
}

// named is the value of one declared thing.
func (e *Evaluator) named(kind, name string, t hcl.Traversal, s scope) (cty.Value, bool) {
	key := kind + "." + name
	if v, ok := e.memo[key]; ok {
		return v, true
	}
	if e.failed[key] {
		return cty.DynamicVal, false
	}
	if at := slices.Index(e.busy, key); at >= 0 {
		path := append(slices.Clone(e.busy[at:]), key)
		e.errorf("HA1005", s, t.SourceRange(), key+" depends on itself",
			"The way round is %s. Take one step out.", strings.Join(path, " -> "))
		return cty.DynamicVal, false
	}
	if !e.declared(kind, name) {
		e.missing(kind, name, t, s)
		return cty.DynamicVal, false
	}
	e.busy = append(e.busy, key)
	v, ok := e.compute(kind, name)
	e.busy = e.busy[:len(e.busy)-1]
	if !ok {
		e.failed[key] = true
		return cty.DynamicVal, false
	}
	e.memo[key] = v
	return v, true
}

func (e *Evaluator) declared(kind, name string) bool {
	if kind == "local" {
		return e.m.Locals[name] != nil
	}
	return e.m.Find(kind, name) != nil
}

// enter puts a thing on the stack of what is being evaluated, where it is not on top
// already, and gives back what takes it off.
func (e *Evaluator) enter(key string) func() {
	if n := len(e.busy); n > 0 && e.busy[n-1] == key {
		return func() {}
	}
	e.busy = append(e.busy, key)
	return func() { e.busy = e.busy[:len(e.busy)-1] }
}

// Locals evaluates every local, used or not.
func (e *Evaluator) Locals() {
	for _, name := range e.m.Names("local") {
		e.named("local", name, nil, scope{})
	}
}

func (e *Evaluator) compute(kind, name string) (cty.Value, bool) {
	switch kind {
	case "local":
		return e.value(e.m.Locals[name].Expr, scope{addr: plan.Addr("local." + name)})
	case "var":
		return e.variable(e.m.Find("var", name))
	}
	d := e.m.Find(kind, name)
	if d.Schema.Later {
		return cty.DynamicVal, false // said where it is declared
	}
	objects, ok := e.Objects(d)
	if !ok {
		return cty.DynamicVal, false
	}
	values := map[string]cty.Value{}
	for _, o := range objects {
		v, ok := e.reference(o)
		if !ok {
			return cty.DynamicVal, false
		}
		if o.each == nil {
			return v, true
		}
		values[o.Key] = v
	}
	return cty.ObjectVal(values), true
}
