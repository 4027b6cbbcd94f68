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

// missing reports a name that nobody declares, with what was probably meant: first of
// the same kind, then the same name in another kind.
func (e *Evaluator) missing(kind, name string, t hcl.Traversal, s scope) {
	summary := fmt.Sprintf("there is no %s %q", kindWord(kind), name)
	detail, related := e.meant(kind, name)
	at := t.SourceRange()
	if len(t) > 2 {
		at = t[:2].SourceRange()
	}
	d := diag.Diagnostic{Severity: diag.Error, Code: "HA1003", Summary: summary, Detail: detail, Range: module.At(at), Address: s.addr, Related: related}
	if s.arg != nil && s.arg.Sensitive && kind == "local" {
		e.taintLocal(diag.Nearest(name, e.m.Names(kind)))
	}
	e.add(d)
}

// guessesMax is how many mistakes are answered with a name: to look for the nearest of
// 4,000 names 4,000 times would take minutes, and nobody reads so far.
const guessesMax = 100

func (e *Evaluator) guess(name string, candidates []string) string {
	if e.guesses++; e.guesses > guessesMax {
		return ""
	}
	return diag.Nearest(name, candidates)
}

func kindWord(kind string) string {
	switch kind {
	case "var":
		return "variable"
	case "local":
		return "local value"
	}
	return kind
}

func (e *Evaluator) meant(kind, name string) (string, []diag.Related) {
	if e.parent != nil && !e.declared(kind, name) && e.top.declared(kind, name) {
		r := e.top.declRange(kind, name)
		return fmt.Sprintf("%s.%s is declared outside of the module, which sees its own names only. Pass what it needs as a variable; a member block names any node: member \"NAME\" { }.", kind, name),
			[]diag.Related{{Range: r, Message: kind + "." + name + " is declared here"}}
	}
	if near := e.guess(name, e.m.Names(kind)); near != "" {
		r := e.declRange(kind, near)
		return fmt.Sprintf("Did you mean %s.%s (%s:%d)?", kind, near, r.Filename, r.Start.Line),
			[]diag.Related{{Range: r, Message: kind + "." + near + " is declared here"}}
	}
	for _, other := range referable {
		if other != kind && e.declared(other, name) {
			r := e.declRange(other, name)
			return fmt.Sprintf("There is %s.%s (%s:%d). Did you mean that?", other, name, r.Filename, r.Start.Line),
				[]diag.Related{{Range: r, Message: other + "." + name + " is declared here"}}
		}
	}
	if names := e.m.Names(kind); len(names) > 0 {
		return fmt.Sprintf("Declared are %s.", strings.Join(prefixed(kind, names), ", ")), nil
	}
	switch kind {
	case "local":
		return fmt.Sprintf("Declare it: locals { %s = ... }.", name), nil
	case "var":
		return fmt.Sprintf("Declare it: variable %q { ... }.", name), nil
	}
	return fmt.Sprintf("Declare it: %s %q { ... }.", kind, name), nil
}

// prefixed names at most eight.
func prefixed(kind string, names []string) []string {
	var out []string
	for i, n := range names {
		if i == 8 {
			return append(out, fmt.Sprintf("and %d more", len(names)-i))
		}
		out = append(out, kind+"."+n)
	}
	return out
}

func (e *Evaluator) declRange(kind, name string) diag.Range {
	if kind == "local" {
		return module.Range(e.m.Locals[name].NameRange)
	}
	return module.Range(e.m.Find(kind, name).Range())
}

// unknownRoot reports a word that is no root: a boolean of keepalived, a string without
// quotes, a name without its kind, or a slip.
func (e *Evaluator) unknownRoot(t hcl.Traversal, s scope) {
	word := t.RootName()
	at := t.SourceRange()
	if s.arg != nil && s.arg.Sensitive {
		e.errorf("HA1003", s, at, fmt.Sprintf("%s needs a reference to a secret", s.arg.Name),
			"A word without quotes refers to something, and there is no such thing; it is not shown, since it may be the secret itself. Write %s = %s and put the value into that file of the credentials directory.", s.arg.Name, secretExample(s))
		return
	}
	switch strings.ToLower(word) {
	case "true", "false", "null":
		e.errorf("HA1003", s, at, fmt.Sprintf("there is no %s to refer to", word), "Write it small: %s.", strings.ToLower(word))
		return
	case "on", "yes":
		e.errorf("HA1009", s, at, fmt.Sprintf("%s is not a value", word), "keepalived writes it so; write true.")
		return
	case "off", "no":
		e.errorf("HA1009", s, at, fmt.Sprintf("%s is not a value", word), "keepalived writes it so; write false.")
		return
	case "master":
		e.errorf("HA1019", s, at, "master is not a word of this language", masterCure)
		return
	}
	if s.arg != nil && s.arg.Kind == schema.String && len(t) == 1 && (len(s.arg.Enum) == 0 || slices.Contains(s.arg.Enum, word)) {
		e.errorf("HA1003", s, at, fmt.Sprintf("there is no %s to refer to", word), "A word without quotes is a reference. Write %s = %q.", s.arg.Name, word)
		return
	}
	for _, kind := range referable {
		if e.declared(kind, word) {
			e.errorf("HA1003", s, at, fmt.Sprintf("%s needs its kind", word), "Did you mean %s.%s?", kind, word)
			return
		}
	}
	roots := append(slices.Clone(referable), "each", "self", "path")
	if near := diag.Nearest(word, roots); near != "" {
		e.errorf("HA1003", s, at, fmt.Sprintf("there is no %s to refer to", word), "Did you mean %s?", near)
		return
	}
	e.errorf("HA1003", s, at, fmt.Sprintf("there is no %s to refer to", word),
		"A word without quotes is a reference and starts with one of %s. Write %q for a string.", strings.Join(roots, ", "), word)
}

// secretExample is how an argument of the scope refers to a secret.
func secretExample(s scope) string {
	name := s.addr.Name()
	if name == "" {
		name = "NAME"
	}
	if s.addr.Kind() == "instance" {
		return fmt.Sprintf("credential(%q)", "vrrp-"+name)
	}
	return fmt.Sprintf("credential(%q)", "hook-"+name)
}

const masterCure = `The states are "active" and "backup" (RFC 9568), and "fault"; keepalived and older RFCs say MASTER. Write "active".`

// reference is what script.nginx evaluates to.
func (e *Evaluator) reference(o *Object) (cty.Value, bool) {
	attrs := map[string]cty.Value{"id": cty.StringVal(string(o.Addr)), "name": cty.StringVal(o.NodeName())}
	switch o.Kind {
	case "node":
		b := o.ev.Block(o)
		if b == nil {
			return cty.DynamicVal, false
		}
		attrs["address"] = addressValue(b, "address")
		attrs["address6"] = addressValue(b, "address6")
		attrs["interface"] = stringValue(b, "interface")
		labels := map[string]cty.Value{}
		for k, v := range Or(b, "labels", map[string]string(nil)) {
			labels[k] = cty.StringVal(v)
		}
		attrs["labels"] = cty.ObjectVal(labels)
	case "instance":
		return e.instanceValue(o, attrs)
	}
	return cty.ObjectVal(attrs), true
}

func addressValue(b *Block, name string) cty.Value {
	a, ok := Get[schema.AddressValue](b, name)
	if !ok {
		return cty.NullVal(cty.String)
	}
	return cty.StringVal(a.IP.String())
}

func stringValue(b *Block, name string) cty.Value {
	s, ok := Get[string](b, name)
	if !ok {
		return cty.NullVal(cty.String)
	}
	return cty.StringVal(s)
}

// refersTo reads the address out of the value of a reference.
func refersTo(v cty.Value) (plan.Addr, bool) {
	t := v.Type()
	if v.IsNull() || !t.IsObjectType() || !t.HasAttribute("id") || t.AttributeType("id") != cty.String {
		return "", false
	}
	id := v.GetAttr("id")
	if id.IsNull() || !id.IsKnown() || id.IsMarked() {
		return "", false
	}
	return plan.Addr(id.AsString()), true
}

// nearest is a question that starts a detail, or nothing.
func nearest(word string, candidates []string) string {
	if near := diag.Nearest(word, candidates); near != "" {
		return fmt.Sprintf("Did you mean %q?", near)
	}
	return ""
}
