package eval

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"hafile/lang/diag"
	"hafile/lang/module"
	"hafile/lang/plan"
	"hafile/lang/schema"
)

// Settings is the hafile block.
type Settings struct {
	Accept      []string
	AcceptRange diag.Range
	Env         []string
	MaxImpact   string
	Defaults    *Block // nil: none
}

// Sniff judges required_version and language before anything else is read, so that files
// for a newer release are refused for that alone. An empty release is not judged.
func Sniff(m *module.Module, release string) diag.Diagnostics {
	if m.Hafile == nil {
		return nil
	}
	content, _, _ := m.Hafile.Body.PartialContent(&hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "required_version"}, {Name: "language"}}})
	e := settingsEvaluator(m)
	s := scope{addr: "hafile"}
	if a := content.Attributes["language"]; a != nil {
		if v, ok := e.argument(a, schema.Hafile.Arg("language"), s); ok && v.V != nil && v.V.(int64) != plan.Language {
			e.errorf("HA1001", s, a.Expr.Range(), fmt.Sprintf("the files are written in language %d", v.V),
				"This release knows language %d. Install a release that knows it.", plan.Language)
		}
	}
	if a := content.Attributes["required_version"]; a != nil {
		if v, ok := e.argument(a, schema.Hafile.Arg("required_version"), s); ok && v.V != nil {
			e.version(a, v.V.(string), release, s)
		}
	}
	return e.ds
}

// settingsEvaluator knows no functions and nothing that could be referred to.
func settingsEvaluator(m *module.Module) *Evaluator {
	e := &Evaluator{session: &session{text: newStatic()}, m: m, root: &hcl.EvalContext{}, alone: true, tainted: map[string]bool{}}
	e.top = e
	return e
}

func (e *Evaluator) version(a *hcl.Attribute, wanted, release string, s scope) {
	ok, err := satisfies(release, wanted)
	switch {
	case err != nil:
		e.errorf("HA1001", s, a.Expr.Range(), "this is not a version constraint", `%s. Write ">= 0.1", "~> 0.1" or ">= 0.1, < 0.3".`, upperFirst(err.Error()))
	case !ok:
		e.errorf("HA1001", s, a.Expr.Range(), fmt.Sprintf("the files need hafile %s", wanted), "This is hafile %s. Install a release that fits.", release)
	}
}

// satisfies reports whether a release fits "OP VERSION, OP VERSION". What follows a dash
// in the release is not compared: a build of 0.4 in the making has what 0.4 has.
func satisfies(release, constraints string) (bool, error) {
	release, _, _ = strings.Cut(strings.TrimPrefix(release, "v"), "-")
	have, err := version(release)
	judged := release != "" && err == nil
	good := true
	for _, c := range strings.Split(constraints, ",") {
		c = strings.TrimSpace(c)
		op := strings.TrimSpace(c[:len(c)-len(strings.TrimLeft(c, "<>=~!"))])
		want, err := version(strings.TrimSpace(c[len(op):]))
		if err != nil {
			return false, err
		}
		fits, err := compare(have, want, op)
		if err != nil {
			return false, err
		}
		good = good && fits
	}
	return good || !judged, nil
}

func version(s string) ([]int, error) {
	var out []int
	for _, part := range strings.Split(s, ".") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("%q is not a version", s)
		}
		out = append(out, n)
	}
	return out, nil
}

func compare(have, want []int, op string) (bool, error) {
	c := order(have, want)
	switch op {
	case "", "=":
		return c == 0, nil
	case "!=":
		return c != 0, nil
	case ">":
		return c > 0, nil
	case ">=":
		return c >= 0, nil
	case "<":
		return c < 0, nil
	case "<=":
		return c <= 0, nil
	case "~>": // the last part that is written may grow
		keep := max(1, len(want)-1)
		return c >= 0 && order(have[:min(keep, len(have))], want[:keep]) == 0, nil
	}
	return false, fmt.Errorf("%q is not a comparison", op)
}

func order(a, b []int) int {
	at := func(v []int, i int) int {
		if i < len(v) {
			return v[i]
		}
		return 0
	}
	for i := range max(len(a), len(b)) {
		if d := at(a, i) - at(b, i); d != 0 {
			return d
		}
	}
	return 0
}

// ReadSettings decodes the whole hafile block. It is evaluated before everything else,
// so that it refers to nothing.
func ReadSettings(m *module.Module) (Settings, diag.Diagnostics) {
	if m.Hafile == nil {
		return Settings{}, nil
	}
	e := settingsEvaluator(m)
	e.busy = []string{"hafile"}
	s := scope{addr: "hafile"}
	b := decoder{Evaluator: e}.block(m.Hafile.Body, &schema.Hafile, s)
	b.Range = module.Range(module.BlockRange(m.Hafile))
	return Settings{
		Accept: Or(b, "accept", []string(nil)), AcceptRange: b.At("accept"),
		Env: Or(b, "env", []string(nil)), MaxImpact: Or(b, "max_impact", ""), Defaults: b.One("defaults"),
	}, e.ds
}
