package hatest

import (
	"cmp"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/gocty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"hafile/lang/diag"
	"hafile/lang/story"
)

// Check holds a run's claims against what happened, and returns an error for each that
// does not hold. Claims see the outcome as `run` and the configuration's outputs, given
// as JSON, as `output`. A run that was not played has no outcome: nil.
func (s *Suite) Check(r *Run, o *story.Outcome, outputs map[string][]byte) diag.Diagnostics {
	p := parser{suite: s}
	scope := s.eval.NewChild()
	scope.Variables = map[string]cty.Value{"output": p.outputs(outputs)}
	if o != nil {
		scope.Variables["run"] = value(o)
	}
	for _, a := range r.Asserts {
		p.hold(a, scope)
	}
	return p.diags
}

func (p *parser) hold(a Assert, scope *hcl.EvalContext) {
	v, ds := a.condition.Value(scope)
	if ds.HasErrors() {
		p.unheld(ds, scope)
		return
	}
	var holds bool
	if err := gocty.FromCtyValue(v, &holds); err != nil {
		p.fail(a.condition.Range(), "Condition is not true or false", "%s.", err)
		return
	}
	if holds {
		return
	}
	text := "the condition is false"
	if m, ds := a.message.Value(scope); !ds.HasErrors() {
		_ = gocty.FromCtyValue(m, &text) // a message of another type leaves the general one
	}
	if sides := p.sides(a.condition, scope); sides != "" {
		text = strings.TrimSuffix(text, ".") + "." + sides
	}
	p.diags = append(p.diags, diag.Diagnostic{
		Severity: diag.Error, Code: "HA5003", Summary: "Assertion failed", Detail: text, Range: &a.Range,
	})
}

// sides are the values that a comparison found, for who wonders why it does not hold.
func (p *parser) sides(condition hcl.Expression, scope *hcl.EvalContext) string {
	op, ok := condition.(*hclsyntax.BinaryOpExpr)
	if !ok {
		return ""
	}
	var found strings.Builder
	for _, side := range []hcl.Expression{op.LHS, op.RHS} {
		v, ds := side.Value(scope)
		if len(side.Variables()) == 0 || ds.HasErrors() || !plain(v) {
			continue
		}
		raw, err := ctyjson.Marshal(v, v.Type())
		if err != nil || len(raw) > sideMax {
			continue
		}
		r := side.Range()
		fmt.Fprintf(&found, " %s is %s.", r.SliceBytes(p.suite.Files[r.Filename]), raw)
	}
	return found.String()
}

// sideMax is how much of a value a message shows, in bytes: a list of transitions is read
// with -v.
const sideMax = 200

// unheld says why a claim has no value. Most often a VIP is written without its prefix.
func (p *parser) unheld(ds hcl.Diagnostics, scope *hcl.EvalContext) {
	before := len(p.diags)
	p.take(ds)
	run := scope.Variables["run"]
	for i := range p.diags[before:] {
		d := &p.diags[before+i]
		d.Code = "HA5002"
		switch root := rootOf(ds[i]); {
		case root == "run" && run == cty.NilVal:
			d.Summary = "Nothing was played"
			d.Detail = "A run without until plays nothing, and run is not known; output is."
		case slices.Contains(referable, root):
			d.Summary = root + " is not known here"
			d.Detail = `A claim compares texts: run.owner["VIP"] == "NAME", with the name that hafile test -v prints.`
		case root == "run":
			d.Summary = "No such name"
			d.Detail = fmt.Sprintf("There are run.%s. A VIP is written with its prefix: %s.", strings.Join(namesOf(run), ", run."), strings.Join(vipsOf(run), ", "))
		case root == "output":
			d.Summary = "No such output"
			d.Detail = fmt.Sprintf("Outputs that are not sensitive: %s.", cmp.Or(strings.Join(namesOf(scope.Variables["output"]), ", "), "none"))
		}
	}
}

// rootOf is what the expression starts with that has no value.
func rootOf(d *hcl.Diagnostic) string {
	if d.Expression == nil || len(d.Expression.Variables()) == 0 {
		return ""
	}
	return d.Expression.Variables()[0].RootName()
}

// referable are the roots of the configuration that a claim might think of.
var referable = []string{"node", "instance", "script", "check", "var", "local"}

func namesOf(object cty.Value) []string {
	return slices.Sorted(maps.Keys(object.Type().AttributeTypes()))
}

func vipsOf(run cty.Value) []string {
	var vips []string
	for vip := range run.GetAttr("owner").AsValueMap() {
		vips = append(vips, fmt.Sprintf("%q", vip))
	}
	slices.Sort(vips)
	return vips
}

// outputs are what the configuration gives out; a sensitive one is left out.
func (p *parser) outputs(raw map[string][]byte) cty.Value {
	vs := map[string]cty.Value{}
	for name, b := range raw {
		t, err := ctyjson.ImpliedType(b)
		if err != nil {
			continue // sensitive: it has no value here
		}
		if vs[name], err = ctyjson.Unmarshal(b, t); err != nil {
			panic("hatest: an output is not JSON: " + err.Error())
		}
	}
	return cty.ObjectVal(vs)
}

// Expected compares what compiling led to with what the run waits for: every code must
// have come, and no error beside them.
func (r *Run) Expected(ds diag.Diagnostics) diag.Diagnostics {
	var failed diag.Diagnostics
	for _, e := range r.Expect {
		if !slices.ContainsFunc(ds, func(d diag.Diagnostic) bool { return d.Code == e.Code }) {
			known, _ := diag.Explain(e.Code)
			failed = append(failed, diag.Diagnostic{
				Severity: diag.Error, Code: "HA5004", Summary: e.Code + " did not come", Range: &e.Range,
				Detail: fmt.Sprintf("The configuration compiles without %q. Either the run's variables do not lead to it, or nothing proves it any more.", known.Title),
			})
		}
	}
	for _, d := range ds {
		if d.Severity == diag.Error && !slices.ContainsFunc(r.Expect, func(e Expect) bool { return e.Code == d.Code }) {
			failed = append(failed, d)
		}
	}
	return failed
}

// value is the outcome as expressions see it, under the name `run`.
func value(o *story.Outcome) cty.Value {
	lost := map[string]cty.Value{}
	for vip, l := range o.Lost {
		lost[vip] = cty.ObjectVal(map[string]cty.Value{
			"asked": cty.NumberIntVal(int64(l.Asked)), "new": cty.NumberIntVal(int64(l.New)), "in_flight": cty.NumberIntVal(int64(l.InFlight)),
		})
	}
	owner := map[string]cty.Value{}
	for vip, node := range o.Owner {
		owner[vip] = cty.StringVal(node)
	}
	var transitions, mails []cty.Value
	for _, t := range o.Transitions {
		transitions = append(transitions, cty.ObjectVal(map[string]cty.Value{
			"at": seconds(t.At), "node": cty.StringVal(t.Node), "instance": cty.StringVal(t.Instance),
			"from": cty.StringVal(t.From), "to": cty.StringVal(t.To),
		}))
	}
	for _, m := range o.Mails {
		var to []cty.Value
		for _, a := range m.To {
			to = append(to, cty.StringVal(a))
		}
		mails = append(mails, cty.ObjectVal(map[string]cty.Value{
			"at": seconds(m.At), "node": cty.StringVal(m.Node), "to": cty.TupleVal(to), "subject": cty.StringVal(m.Subject),
		}))
	}
	return cty.ObjectVal(map[string]cty.Value{
		"owner": cty.ObjectVal(owner), "unowned": lengths(o.Unowned), "double": lengths(o.Double), "lost": cty.ObjectVal(lost),
		"transitions": cty.TupleVal(transitions), "mails": cty.TupleVal(mails),
	})
}

func lengths(m map[string]float64) cty.Value {
	vs := map[string]cty.Value{}
	for vip, s := range m {
		vs[vip] = seconds(s)
	}
	return cty.ObjectVal(vs)
}

func seconds(s float64) cty.Value { return cty.NumberVal(big.NewFloat(s)) }
