package eval

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"hafile/lang/diag"
	"hafile/lang/module"
	"hafile/lang/schema"
)

// assignment is a value that somebody gave to a variable: an expression of a file, or
// the text of a flag or of the environment.
type assignment struct {
	expr hcl.Expression
	text string
	from string // as messages name it
	at   hcl.Range
	// called: by a module block, so that it is evaluated where that stands.
	called bool
}

// collect reads the values of variables, lowest first, so that the last one wins:
// environment, *.auto.havars.hcl, then -var-file and -var in the order of the command.
func (e *Evaluator) collect() {
	for _, name := range e.m.Names("var") {
		if text, ok := e.env("HAFILE_VAR_" + name); ok {
			e.given[name] = assignment{text: text, from: "HAFILE_VAR_" + name}
		}
	}
	for _, file := range e.m.VarFiles {
		e.varFile(file, e.m.Files[file])
	}
	for _, v := range e.in.Vars {
		if v.File != "" {
			e.varFile(v.File, v.Data)
			continue
		}
		if e.known(v.Name, hcl.Range{}, "-var") {
			e.given[v.Name] = assignment{text: v.Value, from: "-var " + v.Name}
		}
	}
}

func (e *Evaluator) env(name string) (string, bool) {
	if e.in.Env == nil {
		return "", false
	}
	return e.in.Env(name)
}

func (e *Evaluator) varFile(name string, src []byte) {
	body, ds := module.Parse(name, src)
	e.ds = append(e.ds, ds...)
	if body == nil {
		e.unasked = append(e.unasked, valuesOf(name, src)...)
		return
	}
	attrs, hd := body.JustAttributes()
	if hd.HasErrors() {
		e.unasked = append(e.unasked, valuesOf(name, src)...)
	}
	for _, d := range hd {
		e.errorf("HA1000", scope{}, *d.Subject, lowerFirst(d.Summary), "A file of variables holds NAME = VALUE and nothing else.")
	}
	for _, a := range attrs {
		if e.known(a.Name, a.NameRange, name) {
			e.given[a.Name] = assignment{expr: a.Expr, from: name, at: a.Expr.Range()}
		} else {
			e.unasked = append(e.unasked, a.Expr.Range())
		}
	}
}

// valuesOf is everything behind the first word of each line.
func valuesOf(name string, src []byte) []hcl.Range {
	var out []hcl.Range
	for _, at := range firstWord.FindAllSubmatchIndex(src, -1) {
		out = append(out, hcl.Range{Filename: name, Start: hcl.Pos{Byte: at[2]}, End: hcl.Pos{Byte: at[3]}})
	}
	return out
}

var firstWord = regexp.MustCompile(`(?m)^[ \t]*(?:[\w-]+(?:[ \t]*[=:][ \t]*|[ \t]+))?(\S.*)$`)

// known refuses a value for a variable that nobody declares: a typo would leave the
// default in force.
func (e *Evaluator) known(name string, at hcl.Range, from string) bool {
	if e.m.Find("var", name) != nil {
		return true
	}
	detail := fmt.Sprintf("Declare it: variable %q { ... }, or take it out.", name)
	if near := diag.Nearest(name, e.m.Names("var")); near != "" {
		detail = fmt.Sprintf("Did you mean %s?", near)
	}
	d := diag.Diagnostic{Severity: diag.Error, Code: "HA1012", Summary: fmt.Sprintf("%s sets %q, which no variable is called", from, name), Detail: detail, Range: module.At(at)}
	e.add(d)
	return false
}

var variableSchema = schema.Variable.HCL()

// declared is what a variable block says, read once for all calls of its module.
type declared struct {
	t                varType
	def              *hcl.Attribute
	nullable, secret bool
	validations      hcl.Blocks
	good             bool
}

func (e *Evaluator) declaration(d *module.Decl) *declared {
	if v := e.variables[d]; v != nil {
		return v
	}
	v := &declared{t: varType{ty: cty.DynamicPseudoType}}
	e.variables[d] = v
	s := scope{addr: e.addr("var." + d.Name)}
	before := len(e.ds)
	b := decoder{Evaluator: e, decl: d}.block(d.Block.Body, d.Schema, s)
	content, _ := d.Block.Body.Content(variableSchema)
	if a := content.Attributes["type"]; a != nil {
		ty, defaults, hd := typeexpr.TypeConstraintWithDefaults(a.Expr)
		if hd.HasErrors() {
			e.errorf("HA1004", s, a.Expr.Range(), "this is not a type", "%s Types are string, number, bool, any, list(T), set(T), map(T), tuple([T, ...]), object({ name = T }).", hd[0].Detail)
		}
		v.t = varType{ty, defaults}
	}
	v.def, v.validations = content.Attributes["default"], content.Blocks
	v.nullable, v.secret = Or(b, "nullable", true), Or(b, "sensitive", false)
	v.good = !e.ds[before:].HasErrors()
	return v
}

// variable evaluates one variable: type, value, default, validation. The mark of a
// sensitive one is set before anything else sees the value, its own validation included.
func (e *Evaluator) variable(d *module.Decl) (cty.Value, bool) {
	decl := e.declaration(d)
	e.secret[d.Name] = decl.secret
	if !decl.good {
		return cty.DynamicVal, false
	}
	s := scope{addr: e.addr("var." + d.Name)}
	v, ok := e.given1(d, decl, s)
	if !ok {
		return cty.DynamicVal, false
	}
	if decl.secret {
		v = v.Mark(secretMark{})
	}
	e.memo["var."+d.Name] = v
	if !e.validate(decl.validations, s) {
		delete(e.memo, "var."+d.Name)
		return cty.DynamicVal, false
	}
	return v, true
}

type varType struct {
	ty       cty.Type
	defaults *typeexpr.Defaults
}

func (t varType) apply(v cty.Value) (cty.Value, error) {
	secret := sensitive(v)
	v, _ = v.UnmarkDeep()
	if t.defaults != nil && !v.IsNull() {
		v = t.defaults.Apply(v)
	}
	v, err := convert.Convert(v, t.ty)
	if secret && err == nil {
		v = v.Mark(secretMark{})
	}
	return v, err
}

// given1 is the value from outside or the default, converted.
func (e *Evaluator) given1(d *module.Decl, decl *declared, s scope) (cty.Value, bool) {
	if a, ok := e.given[d.Name]; ok {
		v, at, ok := e.assigned(d, a, decl.t.ty, decl.secret, s)
		if !ok {
			return v, false
		}
		if !v.IsNull() || decl.nullable {
			return e.typed(d, v, decl.t, at, decl.secret, s)
		}
		if decl.def == nil {
			e.errorf("HA1012", s, at, fmt.Sprintf("variable %q must not be null", d.Name), "It has no default to fall back to. Give it a value.")
			return v, false
		}
	}
	if decl.def == nil && e.caller != nil {
		e.missingArgument(d)
		return cty.DynamicVal, false
	}
	if decl.def == nil {
		aside := ""
		if files := e.m.VarFilesAside(); len(files) > 0 {
			aside = fmt.Sprintf(" %s is not read by itself: -var-file %[1]s reads it.", files[0])
		}
		e.errorf("HA1012", s, d.Range(), fmt.Sprintf("variable %q has no value", d.Name),
			"Give it one: -var %s=VALUE, HAFILE_VAR_%s, a line in a *.auto.havars.hcl file, or a default.%s", d.Name, d.Name, aside)
		return cty.DynamicVal, false
	}
	v, ok := e.value(decl.def.Expr, scope{addr: s.addr, arg: &schema.Arg{Name: "default", Kind: schema.Any, Sensitive: decl.secret}})
	if !ok {
		return v, false
	}
	return e.typed(d, v, decl.t, decl.def.Expr.Range(), decl.secret, s)
}

func (e *Evaluator) typed(d *module.Decl, v cty.Value, t varType, at hcl.Range, secret bool, s scope) (cty.Value, bool) {
	out, err := t.apply(v)
	if err == nil {
		return out, true
	}
	if at.Filename == "" {
		at = d.Range()
	}
	why := upperFirst(err.Error())
	if secret || sensitive(v) {
		why = "The value is sensitive and not shown"
	}
	cure := "Give a value of that type."
	if strings.Contains(typeexpr.TypeString(t.ty), "object({id=string,name=string}") && !secret && !sensitive(v) {
		cure = fmt.Sprintf("It takes references: write %s = [node.lb1, node.lb2], without quotes.", d.Name)
	}
	e.errorf("HA1004", s, at, fmt.Sprintf("variable %q needs %s", d.Name, typeexpr.TypeString(t.ty)), "%s. %s", why, cure)
	return cty.DynamicVal, false
}

// assigned evaluates what was given. Text is taken as it is for a string and as an
// expression for everything else.
func (e *Evaluator) assigned(d *module.Decl, a assignment, ty cty.Type, secret bool, s scope) (cty.Value, hcl.Range, bool) {
	if a.called {
		v, ok := e.parent.value(a.expr, scope{addr: e.caller.Addr, each: e.caller.each, arg: &schema.Arg{Name: d.Name, Kind: schema.Any, Sensitive: secret}})
		return v, a.at, ok
	}
	if a.expr != nil {
		v, hd := a.expr.Value(nil)
		if hd.HasErrors() {
			e.errorf("HA1012", s, a.at, fmt.Sprintf("the value of %s cannot be used", d.Name), "A file of variables holds plain values: no references and no functions.")
			return cty.DynamicVal, a.at, false
		}
		return v, a.at, true
	}
	if ty.IsPrimitiveType() || ty == cty.DynamicPseudoType {
		return cty.StringVal(a.text), hcl.Range{}, true
	}
	if module.Check(a.from, []byte(a.text)) == nil {
		expr, hd := hclsyntax.ParseExpression([]byte(a.text), a.from, hcl.InitialPos)
		if !hd.HasErrors() {
			if v, hd := expr.Value(nil); !hd.HasErrors() {
				return v, hcl.Range{}, true
			}
		}
	}
	e.errorf("HA1012", s, d.Range(), fmt.Sprintf("%s is not a value of type %s", a.from, typeexpr.TypeString(ty)),
		"Write it as in a file: [\"a\", \"b\"] or { a = 1 }, with quotes for the shell around it.")
	return cty.DynamicVal, hcl.Range{}, false
}

// validate evaluates the validation blocks of a variable whose value is known already.
func (e *Evaluator) validate(blocks hcl.Blocks, s scope) bool {
	good := true
	for _, b := range blocks {
		v, at, message := e.condition("validation", b.Body, s)
		if v == held {
			continue
		}
		good = false
		if v == broken {
			e.violated(at, message, s)
		}
	}
	return good
}

// violated says that a value fails its validation, and where the value comes from.
func (e *Evaluator) violated(at hcl.Range, message string, s scope) {
	d := diag.Diagnostic{
		Severity: diag.Error, Code: "HA1012", Summary: fmt.Sprintf("%s has a value that is not allowed", s.addr), Detail: message,
		Range: module.At(at), Address: s.addr,
	}
	name := strings.TrimPrefix(string(s.addr), e.prefix+"var.")
	if a, ok := e.given[name]; ok && a.at.Filename != "" {
		d.Related = []diag.Related{{Range: module.Range(a.at), Message: "the value is given here"}}
	}
	e.add(d)
}

// message is an error_message, or a word in its place where it would show a secret.
func (e *Evaluator) message(expr hcl.Expression, s scope) string {
	v, ok := e.value(expr, s)
	switch {
	case !ok:
		return "Give another value."
	case sensitive(v):
		return "The message holds a sensitive value and is not shown. Give another value."
	}
	c, err := convert.Convert(v, cty.String)
	if err != nil || c.IsNull() {
		return "Give another value."
	}
	return strings.TrimSpace(c.AsString())
}

// Variables evaluates every variable and records each by hash.
func (e *Evaluator) Variables() map[string]string {
	out := map[string]string{}
	for _, x := range e.Modules()[1:] {
		for _, d := range x.m.Of("var") {
			x.named("var", d.Name, nil, scope{})
		}
	}
	for _, d := range e.m.Of("var") {
		v, ok := e.named("var", d.Name, nil, scope{})
		switch {
		case !ok:
		case e.secret[d.Name]:
			out[d.Name] = "sensitive"
		default:
			raw, err := ctyjson.Marshal(v, v.Type())
			if err == nil {
				out[d.Name] = module.Hash(raw)
			}
		}
	}
	return out
}
