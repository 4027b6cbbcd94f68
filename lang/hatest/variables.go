package hatest

import (
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"hafile/lang/diag"
)

// values are those of variables, by name.
type values map[string]cty.Value

// variables adds what blocks say to what holds for the whole file.
func (p *parser) variables(blocks hcl.Blocks, common values) values {
	all := maps.Clone(common)
	for _, b := range blocks {
		attrs, ds := b.Body.JustAttributes()
		p.take(ds)
		for name, a := range attrs {
			v, ds := a.Expr.Value(p.suite.eval)
			p.take(ds)
			switch {
			case ds.HasErrors():
			case !plain(v):
				p.fail(a.Expr.Range(), "Not a plain value", "A variable of a test is text, a number, true or false, or lists and objects of them.")
			default:
				if all == nil {
					all = values{}
				}
				all[name] = v
			}
		}
	}
	return all
}

// plain reports whether a value can be written into a file: references to secrets and
// functions' unknowns cannot.
func plain(v cty.Value) bool {
	if !v.IsWhollyKnown() || v.ContainsMarked() {
		return false
	}
	good := true
	_ = cty.Walk(v, func(_ cty.Path, v cty.Value) (bool, error) {
		good = good && !v.Type().IsCapsuleType()
		return good, nil
	})
	return good
}

// file writes values as a file of variables would hold them.
func (vs values) file() []byte {
	if len(vs) == 0 {
		return nil
	}
	f := hclwrite.NewEmptyFile()
	for _, name := range slices.Sorted(maps.Keys(vs)) {
		f.Body().SetAttributeValue(name, vs[name])
	}
	return f.Bytes()
}

// expect reads the codes that compiling must lead to.
func (p *parser) expect(attr *hcl.Attribute) []Expect {
	if attr == nil {
		return nil
	}
	v, ds := attr.Expr.Value(p.suite.eval)
	p.take(ds)
	if ds.HasErrors() {
		return nil
	}
	if v.IsNull() || !v.CanIterateElements() || v.Type().IsObjectType() || v.Type().IsMapType() || v.LengthInt() == 0 {
		p.fail(attr.Expr.Range(), "Not a list of codes", `Write expect = ["HA1201"].`)
		return nil
	}
	var out []Expect
	for it := v.ElementIterator(); it.Next(); {
		_, el := it.Element()
		code := ""
		if el.Type() == cty.String && el.IsKnown() && !el.IsNull() {
			code = el.AsString()
		}
		if _, known := diag.Explain(code); !known {
			p.fail(attr.Expr.Range(), "Not a code", "There is no code %q: codes look like HA1201 and stand before a message.", code)
			continue
		}
		out = append(out, Expect{Code: code, Range: *rangeOf(attr.Expr.Range())})
	}
	return out
}
