package eval

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

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
	// Clock measures how long expressions take, for Timings; nil: nothing is measured.
	Clock func() time.Duration
	// Self is the node that outputs of the root may call self; empty: they may not.
	Self string
}

// Var is one -var (Name, Value) or one -var-file (File, Data).
type Var struct {
	Name, Value string
	File        string
	Data        []byte
}

// session is what all modules of one evaluation share.
type session struct {
	in   Inputs
	top  *Evaluator // of the root module
	ds   diag.Diagnostics
	busy []string // what is being evaluated, outermost first

	byAddr  map[plan.Addr]*Object
	byName  map[string]*Object // nodes
	nodes   []*Object
	guesses int
	entries int  // calls of modules
	overrun bool // there were too many, and that was said
	blocks  map[plan.Addr]*Block
	members map[plan.Addr][]Member
	used    map[string]string // env() -> hash

	text      *static
	functions map[*module.Module]*hcl.EvalContext
	variables map[*module.Decl]*declared
	calls     map[*module.Decl]*call
	took      map[hcl.Range]time.Duration
}

// Evaluator holds what is known of one module so far: of the root, or of one call.
type Evaluator struct {
	*session
	m      *module.Module
	prefix string     // "", or "module.web[\"ams\"]."
	parent *Evaluator // who calls; nil: the root
	caller *Object    // the call
	root   *hcl.EvalContext

	memo    map[string]cty.Value // by "local.a"
	failed  map[string]bool      // reported already; what depends on it stays silent
	whole   map[string]cty.Value // a root with all of its names, such as node
	objects map[string][]*Object
	inside  []*Evaluator          // one per call of each module block, in order
	entered bool                  // inside is known
	alone   bool                  // the hafile block, which is read before everything else
	given   map[string]assignment // values of variables from outside
	secret  map[string]bool       // variables that are sensitive
	tainted map[string]bool       // locals and variables that a secret is made from
	unasked []hcl.Range           // values of files of variables that no variable takes
}

// New prepares a module for evaluation; nothing is evaluated yet, except the values that
// variables get from outside.
func New(m *module.Module, in Inputs, env []string) *Evaluator {
	s := &session{
		in: in, byAddr: map[plan.Addr]*Object{}, blocks: map[plan.Addr]*Block{}, members: map[plan.Addr][]Member{}, used: map[string]string{},
		text: newStatic(), functions: map[*module.Module]*hcl.EvalContext{},
		variables: map[*module.Decl]*declared{}, calls: map[*module.Decl]*call{}, took: map[hcl.Range]time.Duration{},
	}
	s.in.AllowEnv = append(slices.Clone(in.AllowEnv), env...)
	e := s.evaluator(m)
	s.top = e
	e.collect()
	return e
}

func (s *session) evaluator(m *module.Module) *Evaluator {
	e := &Evaluator{
		session: s, m: m, memo: map[string]cty.Value{}, failed: map[string]bool{}, whole: map[string]cty.Value{},
		objects: map[string][]*Object{}, given: map[string]assignment{}, secret: map[string]bool{}, tainted: map[string]bool{},
	}
	if s.functions[m] == nil {
		s.functions[m] = &hcl.EvalContext{Functions: e.builtins()}
	}
	e.root = s.functions[m]
	return e
}

// addr is the whole address of something in this module.
func (e *Evaluator) addr(local string) plan.Addr { return plan.Addr(e.prefix + local) }

// Diagnostics is what was found so far, in all modules.
func (e *Evaluator) Diagnostics() diag.Diagnostics { return e.ds }

// Env is what env() read, by hash.
func (e *Evaluator) Env() map[string]string { return e.used }

// scope is where an expression stands.
type scope struct {
	addr plan.Addr
	each *each
	self *Object     // the node; nil: not known here
	arg  *schema.Arg // what the expression is for, for hints
	// from is the element or for_each of the dynamic block that made the block.
	from *diag.Range
}

type each struct {
	key, value cty.Value
	root       cty.Value // once it was asked for: many arguments of a block ask
}

func (e *each) object() cty.Value {
	if e.root == cty.NilVal {
		e.root = cty.ObjectVal(map[string]cty.Value{"key": e.key, "value": e.value})
	}
	return e.root
}

func (e *Evaluator) add(d diag.Diagnostic) { e.ds = append(e.ds, d) }

// errorf reports a mistake at a range.
func (e *Evaluator) errorf(code string, s scope, at hcl.Range, summary, detail string, args ...any) {
	d := diag.Diagnostic{Severity: diag.Error, Code: code, Summary: summary, Detail: strings.TrimSpace(fmt.Sprintf(detail, args...)), Range: module.At(at), Address: s.addr}
	if s.self != nil {
		d.Node = s.self.NodeName()
	}
	if s.from != nil {
		d.Related = []diag.Related{{Range: *s.from, Message: "the block is made from this"}}
	}
	e.add(d)
}

// value evaluates one expression. False means that it failed and that this was said,
// here or where it started.
func (e *Evaluator) value(expr hcl.Expression, s scope) (cty.Value, bool) {
	ctx, ok := e.context(e.text.references(expr), s)
	if !ok {
		return cty.DynamicVal, false
	}
	v, hd := e.measured(expr, ctx)
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

func (e *Evaluator) measured(expr hcl.Expression, ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	if e.in.Clock == nil {
		return expr.Value(ctx)
	}
	start := e.in.Clock()
	v, hd := expr.Value(ctx)
	e.took[expr.Range()] += e.in.Clock() - start
	return v, hd
}

// Timing is how long one expression took, all of its evaluations together.
type Timing struct {
	Range diag.Range
	Took  time.Duration
}

// Timings lists the expressions that took longest, the longest first.
func (e *Evaluator) Timings(most int) []Timing {
	var all []Timing
	for at, d := range e.took {
		all = append(all, Timing{module.Range(at), d})
	}
	slices.SortFunc(all, func(a, b Timing) int {
		return cmp.Or(cmp.Compare(b.Took, a.Took), cmp.Compare(a.Range.Filename, b.Range.Filename), cmp.Compare(a.Range.Start.Byte, b.Range.Start.Byte))
	})
	return all[:min(most, len(all))]
}

// context evaluates what the traversals name and no more.
func (e *Evaluator) context(refs []hcl.Traversal, s scope) (*hcl.EvalContext, bool) {
	vars := names{}
	ok := true
	for _, t := range refs {
		if !e.require(t, s, vars) {
			ok = false
		}
	}
	if !ok {
		return nil, false
	}
	if len(vars) == 0 {
		return e.root, true
	}
	ctx := e.root.NewChild()
	ctx.Variables = make(map[string]cty.Value, len(vars))
	for root, n := range vars {
		if n.whole != cty.NilVal {
			ctx.Variables[root] = n.whole
			continue
		}
		ctx.Variables[root] = cty.ObjectVal(n.attrs)
	}
	return ctx, true
}

// names are the values that an expression asks for, by root.
type names map[string]*rootValue

// rootValue is a root with the names that are asked for, or with all of them.
type rootValue struct {
	attrs map[string]cty.Value
	whole cty.Value
}

func (n names) root(name string) *rootValue {
	r := n[name]
	if r == nil {
		r = &rootValue{attrs: map[string]cty.Value{}, whole: cty.NilVal}
		n[name] = r
	}
	return r
}

// referable are the roots whose members are declared by somebody.
var referable = []string{"var", "local", "node", "script", "notify", "instance", "check", "sync_group", "module"}

// require evaluates what one traversal starts from.
func (e *Evaluator) require(t hcl.Traversal, s scope, vars names) bool {
	root := t.RootName()
	put := func(name string, v cty.Value) { vars.root(root).attrs[name] = v }
	switch {
	case e.alone && slices.Contains(referable, root):
		e.errorf("HA1014", s, t.SourceRange(), "hafile refers to nothing", "The block is read before everything else, so that nothing has a value yet. Write the value itself.")
		return false
	case slices.Contains(referable, root):
		name, ok := member(t)
		if !ok {
			v, ok := e.everything(root, t, s)
			vars.root(root).whole = v
			return ok
		}
		if root == "module" {
			return e.requireOutput(name, t, s, vars.root(root))
		}
		v, ok := e.named(root, name, t, s)
		if !ok {
			return false
		}
		put(name, v)
	case root == "each":
		if s.each == nil {
			cure := "It exists in a block that has for_each. Add for_each to this block or name the value."
			if s.from != nil {
				cure = "In a dynamic block the element is called by the name of the block: write NAME.value, such as vip.value in dynamic \"vip\"."
			}
			e.errorf("HA1014", s, t.SourceRange(), "each is not known here", "%s", cure)
			return false
		}
		vars.root(root).whole = s.each.object()
	case root == "self":
		if s.self == nil {
			e.errorf("HA1014", s, t.SourceRange(), "self is not known here",
				"self is the node that a plan is made for; it is known in instances and notifies. Who is a member, and what a script or a local is, cannot depend on who asks: name the node.")
			return false
		}
		v, ok := s.self.ev.named("node", s.self.Label, t, s)
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
		put("module", cty.StringVal(e.m.Path))
	default:
		e.unknownRoot(t, s)
		return false
	}
	return true
}

// everything is a root with all of its names, made once: an expression of each of a
// thousand blocks may ask for it.
func (e *Evaluator) everything(root string, t hcl.Traversal, s scope) (cty.Value, bool) {
	if v, known := e.whole[root]; known {
		return v, true
	}
	attrs := map[string]cty.Value{}
	for _, name := range e.m.Names(root) {
		v, ok := e.named(root, name, t, s)
		if !ok {
			return cty.DynamicVal, false
		}
		attrs[name] = v
	}
	v := cty.ObjectVal(attrs)
	e.whole[root] = v
	return v, true
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
	full := e.prefix + key
	if at := slices.Index(e.busy, full); at >= 0 {
		path := append(slices.Clone(e.busy[at:]), full)
		e.errorf("HA1005", s, t.SourceRange(), key+" depends on itself",
			"The way round is %s. Take one step out.", strings.Join(path, " -> "))
		return cty.DynamicVal, false
	}
	if !e.declared(kind, name) {
		e.missing(kind, name, t, s)
		return cty.DynamicVal, false
	}
	e.busy = append(e.busy, full)
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
	key = e.prefix + key
	if n := len(e.busy); n > 0 && e.busy[n-1] == key {
		return func() {}
	}
	e.busy = append(e.busy, key)
	return func() { e.busy = e.busy[:len(e.busy)-1] }
}

// Locals evaluates every local, used or not.
func (e *Evaluator) Locals() {
	for _, x := range e.Modules() {
		for _, name := range x.m.Names("local") {
			x.named("local", name, nil, scope{})
		}
	}
}

func (e *Evaluator) compute(kind, name string) (cty.Value, bool) {
	switch kind {
	case "local":
		return e.value(e.m.Locals[name].Expr, scope{addr: e.addr("local." + name)})
	case "var":
		return e.variable(e.m.Find("var", name))
	case "output":
		return e.outputValue(e.m.Find("output", name))
	case "module":
		return e.moduleValue(e.m.Find("module", name))
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
