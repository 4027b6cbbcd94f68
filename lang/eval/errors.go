package eval

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"hafile/lang/diag"
	"hafile/lang/module"
)

// evalErrors turns what hcl says about an expression into our words. It never lets text
// through that a function or a conversion made from a sensitive value: their messages
// quote the argument.
func (e *Evaluator) evalErrors(hd hcl.Diagnostics, expr hcl.Expression, ctx *hcl.EvalContext, s scope) {
	for _, d := range hd {
		if d.Severity != hcl.DiagError {
			continue
		}
		out := diag.Diagnostic{Severity: diag.Error, Code: evalCode(d.Summary), Summary: lowerFirst(d.Summary), Detail: d.Detail, Address: s.addr}
		if s.self != nil {
			out.Node = s.self.NodeName()
		}
		at := expr.Range()
		if d.Subject != nil {
			at = *d.Subject
		}
		out.Range = module.At(at)
		switch {
		case s.arg != nil && s.arg.Sensitive && d.Summary == "Call to unknown function":
			out.Summary, out.Detail = e.unknownFunction(d)
			if f, _, _ := strings.Cut(out.Summary, "("); diag.Nearest(strings.TrimPrefix(f, "there is no function "), []string{"credential", "secret_file"}) == "" {
				out.Detail = fmt.Sprintf("Write %s = %s.", s.arg.Name, secretExample(s))
			}
		case s.arg != nil && s.arg.Sensitive && calls(d, "file"):
			out.Summary = "the file cannot be read"
			out.Detail = fmt.Sprintf("file() reads beside the configuration, when it is compiled. What is secret stays on the node: write %s = %s.", s.arg.Name, secretExample(s))
		case s.arg != nil && s.arg.Sensitive && d.Summary == "Invalid template interpolation value":
			out.Range = module.At(expr.Range())
			out.Summary = "a secret cannot be put into text"
			out.Detail = fmt.Sprintf("credential() is a reference that the node resolves; nothing can be written around it. Put the whole value into one file and write %s = %s.", s.arg.Name, secretExample(s))
		case touchesSecret(expr, d, ctx, s):
			out.Summary = "the expression failed"
			out.Detail = "One of its operands is sensitive, so that neither value nor message is shown. Check its type and the function's arguments."
			if f, is := hcl.DiagnosticExtra[hclsyntax.FunctionCallDiagExtra](d); is && secretUse[f.CalledFunctionName()] != "" {
				out.Detail = secretUse[f.CalledFunctionName()]
			}
		case d.Summary == "Call to unknown function":
			out.Summary, out.Detail = e.unknownFunction(d)
		case out.Code == "HA1003":
			out.Summary, out.Detail = noMember(d, expr, ctx)
		}
		e.add(out)
	}
}

func calls(d *hcl.Diagnostic, function string) bool {
	f, is := hcl.DiagnosticExtra[hclsyntax.FunctionCallDiagExtra](d)
	return is && f.CalledFunctionName() == function
}

// secretUse is how a reference to a secret is written. What was written is not shown:
// it may be the secret itself.
var secretUse = map[string]string{
	"credential":  `credential() takes the name of a file in the credentials directory: letters, digits, -, _ and . only. Write credential("vrrp-web").`,
	"secret_file": `secret_file() takes an absolute path on the node, without detours. Write secret_file("/etc/hafile/keys/web").`,
}

func evalCode(summary string) string {
	switch summary {
	case "Unsupported attribute", "Missing map element", "Unknown variable", "Invalid index":
		return "HA1003"
	case "Invalid function argument", "Error in function call", "Call to unknown function", "Not enough function arguments",
		"Too many function arguments", "Operation failed", "Invalid expanding argument value":
		return "HA1015"
	}
	return "HA1004"
}

func touchesSecret(expr hcl.Expression, d *hcl.Diagnostic, ctx *hcl.EvalContext, s scope) bool {
	if s.arg != nil && s.arg.Sensitive {
		return true
	}
	refs := expr.Variables()
	if d.Expression != nil {
		refs = append(refs, d.Expression.Variables()...)
	}
	for _, t := range refs {
		if v, ok := ctx.Variables[t.RootName()]; ok && sensitive(v) {
			return true
		}
	}
	if d.EvalContext == nil {
		return false
	}
	for c := d.EvalContext; c != nil; c = c.Parent() {
		for _, v := range c.Variables {
			if sensitive(v) {
				return true
			}
		}
	}
	return false
}

func (e *Evaluator) unknownFunction(d *hcl.Diagnostic) (summary, detail string) {
	_, after, _ := strings.Cut(d.Detail, `named "`)
	name, _, _ := strings.Cut(after, `"`)
	names := make([]string, 0, len(e.root.Functions))
	for f := range e.root.Functions {
		names = append(names, f)
	}
	slices.Sort(names)
	summary = fmt.Sprintf("there is no function %s", name)
	if slices.Contains([]string{"timestamp", "uuid", "plantimestamp", "bcrypt", "timeadd", "formatdate"}, name) {
		return summary, "No function may read a clock or chance: the same files give the same plan. Pass the value in as a variable."
	}
	if near := diag.Nearest(name, names); near != "" {
		return summary, fmt.Sprintf("Did you mean %s?", near)
	}
	if alike := functionsLike(name, names); len(alike) > 0 {
		return summary, "Did you mean " + strings.Join(alike, ", ") + "?"
	}
	return summary, "No function is called like that; docs/reference/functions.md lists all of them."
}

// functionsLike are those that begin as the name does, or hold it: tonum is tonumber.
func functionsLike(name string, names []string) []string {
	var alike []string
	for _, f := range names {
		if len(name) >= 3 && (strings.Contains(f, name) || strings.HasPrefix(name, f) && len(f) >= 3) {
			alike = append(alike, f)
		}
	}
	return alike[:min(len(alike), 6)]
}

// noMember explains which attribute of what is missing, with what there is.
func noMember(d *hcl.Diagnostic, expr hcl.Expression, ctx *hcl.EvalContext) (summary, detail string) {
	for _, t := range expr.Variables() {
		v, ok := ctx.Variables[t.RootName()]
		if !ok {
			continue
		}
		if path, name, have, bad := walk(v, t); bad {
			summary = fmt.Sprintf("%s has no %q", path, name)
			if near := diag.Nearest(name, have); near != "" {
				return summary, fmt.Sprintf("Did you mean %s?", near)
			}
			if len(have) == 0 {
				return summary, "It is empty. Check what it is made from."
			}
			return summary, "It has " + strings.Join(have[:min(len(have), 12)], ", ") + "."
		}
	}
	return lowerFirst(d.Summary), d.Detail + " Check the name against what the value is made from."
}

// walk follows a traversal until a step finds nothing.
func walk(v cty.Value, t hcl.Traversal) (path, name string, have []string, bad bool) {
	path = t.RootName()
	for _, step := range t[1:] {
		switch st := step.(type) {
		case hcl.TraverseAttr:
			name = st.Name
		case hcl.TraverseIndex:
			if st.Key.Type() != cty.String {
				return "", "", nil, false
			}
			name = st.Key.AsString()
		default:
			return "", "", nil, false
		}
		if v.IsMarked() || v.IsNull() || !v.IsKnown() {
			return "", "", nil, false
		}
		var next cty.Value
		switch {
		case v.Type().IsObjectType():
			for n := range v.Type().AttributeTypes() {
				have = append(have, n)
			}
			if v.Type().HasAttribute(name) {
				next = v.GetAttr(name)
			}
		case v.Type().IsMapType():
			for k := range v.AsValueMap() {
				have = append(have, k)
			}
			if has := v.HasIndex(cty.StringVal(name)); has.IsKnown() && has.True() {
				next = v.Index(cty.StringVal(name))
			}
		default:
			return "", "", nil, false
		}
		if next == cty.NilVal {
			slices.Sort(have)
			return path, name, have, true
		}
		v, have = next, nil
		path += "." + name
	}
	return "", "", nil, false
}

func lowerFirst(s string) string {
	if len(s) < 2 || s[1] >= 'A' && s[1] <= 'Z' {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
