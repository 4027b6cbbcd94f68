package eval

import (
	"errors"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// coalesceFunc is Terraform's: it passes over an empty text as over null, which cty's own
// does not.
var coalesceFunc = function.New(&function.Spec{
	VarParam: &function.Parameter{Name: "values", Type: cty.DynamicPseudoType, AllowNull: true, AllowDynamicType: true, AllowMarked: true},
	Type: func(args []cty.Value) (cty.Type, error) {
		return stdlib.CoalesceFunc.ReturnTypeForValues(args)
	},
	Impl: func(args []cty.Value, ret cty.Type) (cty.Value, error) {
		var rest []cty.Value
		for _, a := range args {
			bare, _ := a.Unmark()
			if bare.IsNull() || bare.Type() == cty.String && bare.AsString() == "" {
				continue
			}
			rest = append(rest, a)
		}
		if len(rest) == 0 {
			return cty.NilVal, errors.New("every value is null or an empty text")
		}
		v, err := stdlib.Coalesce(rest...)
		if err != nil {
			return cty.NilVal, err
		}
		return stdlib.MakeToFunc(ret).Call([]cty.Value{v})
	},
})
