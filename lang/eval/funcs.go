package eval

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"

	"hafile/lang/module"
	"hafile/lang/plan"
)

// functions lists every function. None reads a clock, chance or the network: the same
// files and inputs give the same plan.
func (e *Evaluator) builtins() map[string]function.Function {
	all := Functions()
	all["file"], all["fileexists"], all["env"] = e.fileFunc(), e.fileExistsFunc(), e.envFunc()
	return all
}

// Functions lists those that need nothing but their arguments; test files have them too.
func Functions() map[string]function.Function {
	return map[string]function.Function{
		"abs": stdlib.AbsoluteFunc, "ceil": stdlib.CeilFunc, "floor": stdlib.FloorFunc, "max": stdlib.MaxFunc,
		"min": stdlib.MinFunc, "parseint": stdlib.ParseIntFunc, "pow": stdlib.PowFunc, "signum": stdlib.SignumFunc,

		"chomp": stdlib.ChompFunc, "format": stdlib.FormatFunc, "formatlist": stdlib.FormatListFunc,
		"indent": indentFunc, "join": stdlib.JoinFunc, "lower": stdlib.LowerFunc, "upper": stdlib.UpperFunc,
		"regex": stdlib.RegexFunc, "regexall": stdlib.RegexAllFunc, "replace": replaceFunc, "split": stdlib.SplitFunc,
		"strlen": stdlib.StrlenFunc, "substr": stdlib.SubstrFunc, "trim": stdlib.TrimFunc,
		"trimspace": stdlib.TrimSpaceFunc, "trimprefix": stdlib.TrimPrefixFunc, "trimsuffix": stdlib.TrimSuffixFunc,
		"title": stdlib.TitleFunc, "startswith": affix(strings.HasPrefix), "endswith": affix(strings.HasSuffix),

		"chunklist": stdlib.ChunklistFunc, "coalesce": coalesceFunc, "coalescelist": stdlib.CoalesceListFunc,
		"compact": stdlib.CompactFunc, "concat": stdlib.ConcatFunc, "contains": stdlib.ContainsFunc,
		"distinct": stdlib.DistinctFunc, "element": stdlib.ElementFunc, "flatten": stdlib.FlattenFunc,
		"index": indexFunc, "keys": stdlib.KeysFunc, "merge": stdlib.MergeFunc, "range": stdlib.RangeFunc,
		"reverse": stdlib.ReverseListFunc, "setproduct": setProductFunc, "setunion": stdlib.SetUnionFunc,
		"setintersection": stdlib.SetIntersectionFunc, "setsubtract": stdlib.SetSubtractFunc, "slice": stdlib.SliceFunc,
		"sort": stdlib.SortFunc, "values": stdlib.ValuesFunc, "zipmap": stdlib.ZipmapFunc, "lookup": lookupFunc,
		"length": lengthFunc, "alltrue": allOf(true), "anytrue": allOf(false), "one": oneFunc, "sum": sumFunc,

		"csvdecode": stdlib.CSVDecodeFunc, "jsondecode": stdlib.JSONDecodeFunc, "jsonencode": stdlib.JSONEncodeFunc,
		"sha256": sha256Func, "base64encode": base64Encode, "base64decode": base64Decode,

		"try": tryfunc.TryFunc, "can": tryfunc.CanFunc,
		"tostring": stdlib.MakeToFunc(cty.String), "tonumber": stdlib.MakeToFunc(cty.Number), "tobool": stdlib.MakeToFunc(cty.Bool),
		"tolist": stdlib.MakeToFunc(cty.List(cty.DynamicPseudoType)), "toset": stdlib.MakeToFunc(cty.Set(cty.DynamicPseudoType)),
		"tomap": stdlib.MakeToFunc(cty.Map(cty.DynamicPseudoType)),

		"duration":   durationFunc,
		"cidrhost":   cidrHost,
		"cidrsubnet": cidrSubnet, "cidrnetmask": cidrNetmask, "cidrcontains": cidrContains,
		"ipfamily": ipFamily, "ipadd": ipAdd,

		"credential": credentialFunc, "secret_file": secretFileFunc,
	}
}

// capsule is a reference to a secret. It holds the reference and never the bytes, and no
// string function takes it, so that no expression can show what it points to.
var capsule = cty.Capsule("secret reference", reflect.TypeOf(plan.Secret{}))

// indentFunc refuses what would fill the memory with blanks.
var indentFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "spaces", Type: cty.Number}, strParam("string")},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		if n, acc := args[0].AsBigFloat().Int64(); acc != big.Exact || n < 0 || n > indentMax {
			return cty.NilVal, function.NewArgErrorf(0, "must be a whole number from 0 to %d", indentMax)
		}
		return stdlib.Indent(args[0], args[1])
	},
})

const indentMax = 200

// setProductFunc refuses what would fill the memory: three lists of a thousand are a
// thousand million.
var setProductFunc = function.New(&function.Spec{
	VarParam: &function.Parameter{Name: "lists", Type: cty.DynamicPseudoType, AllowMarked: true},
	Type: func(args []cty.Value) (cty.Type, error) {
		n := 1
		for _, a := range args {
			a, _ := a.Unmark()
			if a.IsKnown() && !a.IsNull() && a.CanIterateElements() {
				if n *= max(a.LengthInt(), 1); n > productMax {
					return cty.NilType, fmt.Errorf("the product has more than %d elements", productMax)
				}
			}
		}
		return stdlib.SetProductFunc.ReturnTypeForValues(args)
	},
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return stdlib.SetProduct(args...) },
})

const productMax = 100_000

func strParam(name string) function.Parameter {
	return function.Parameter{Name: name, Type: cty.String}
}

// text makes a function of strings to one value.
func text(ret cty.Type, names []string, f func(args []string) (cty.Value, error)) function.Function {
	var params []function.Parameter
	for _, n := range names {
		params = append(params, strParam(n))
	}
	return function.New(&function.Spec{
		Params: params, Type: function.StaticReturnType(ret),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			var words []string
			for _, a := range args {
				words = append(words, a.AsString())
			}
			return f(words)
		},
	})
}

func affix(has func(s, affix string) bool) function.Function {
	return text(cty.Bool, []string{"string", "affix"}, func(a []string) (cty.Value, error) { return cty.BoolVal(has(a[0], a[1])), nil })
}

// replaceFunc reads "/…/" as a regular expression, as Terraform does.
var replaceFunc = text(cty.String, []string{"string", "search", "replacement"}, func(a []string) (cty.Value, error) {
	if len(a[1]) > 1 && strings.HasPrefix(a[1], "/") && strings.HasSuffix(a[1], "/") {
		re, err := regexp.Compile(a[1][1 : len(a[1])-1])
		if err != nil {
			return cty.NilVal, function.NewArgError(1, err)
		}
		return cty.StringVal(re.ReplaceAllString(a[0], a[2])), nil
	}
	return cty.StringVal(strings.ReplaceAll(a[0], a[1], a[2])), nil
})

var sha256Func = text(cty.String, []string{"string"}, func(a []string) (cty.Value, error) {
	sum := sha256.Sum256([]byte(a[0]))
	return cty.StringVal(hex.EncodeToString(sum[:])), nil
})

var base64Encode = text(cty.String, []string{"string"}, func(a []string) (cty.Value, error) {
	return cty.StringVal(base64.StdEncoding.EncodeToString([]byte(a[0]))), nil
})

var base64Decode = text(cty.String, []string{"string"}, func(a []string) (cty.Value, error) {
	raw, err := base64.StdEncoding.DecodeString(a[0])
	switch {
	case err != nil:
		return cty.NilVal, function.NewArgErrorf(0, "this is not base64")
	case !utf8.Valid(raw):
		return cty.NilVal, function.NewArgErrorf(0, "the content is not UTF-8 text")
	}
	return cty.StringVal(string(raw)), nil
})

// durationFunc is the number of seconds in "2m30s".
var durationFunc = text(cty.Number, []string{"duration"}, func(a []string) (cty.Value, error) {
	d, err := time.ParseDuration(a[0])
	if err != nil {
		return cty.NilVal, function.NewArgErrorf(0, "a duration is a number and a unit of ms, s, m, h")
	}
	return cty.NumberVal(new(big.Float).Quo(big.NewFloat(float64(d.Milliseconds())), big.NewFloat(1000))), nil
})

// any takes one value of any type.
func dynamic(name string, ret cty.Type, f func(v cty.Value) (cty.Value, error)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: name, Type: cty.DynamicPseudoType, AllowDynamicType: true}},
		Type:   function.StaticReturnType(ret),
		Impl:   func(args []cty.Value, _ cty.Type) (cty.Value, error) { return f(args[0]) },
	})
}

// lengthFunc counts the characters of a string too; go-cty's does not take one.
var lengthFunc = dynamic("value", cty.Number, func(v cty.Value) (cty.Value, error) {
	t := v.Type()
	switch {
	case t == cty.String:
		return stdlib.Strlen(v)
	case t.IsObjectType():
		return cty.NumberIntVal(int64(len(t.AttributeTypes()))), nil
	case t.IsTupleType() || t.IsCollectionType():
		return v.Length(), nil
	}
	return cty.NilVal, function.NewArgErrorf(0, "needs a string, a list, a set, a map or an object")
})

// allOf is alltrue, or anytrue for false: the answer is what the first other element is.
func allOf(want bool) function.Function {
	return dynamic("list", cty.Bool, func(v cty.Value) (cty.Value, error) {
		if !v.CanIterateElements() {
			return cty.NilVal, function.NewArgErrorf(0, "needs a list of booleans")
		}
		for _, el := range listOf(v) {
			b, err := convert.Convert(el, cty.Bool)
			if err != nil || b.IsNull() {
				return cty.NilVal, function.NewArgErrorf(0, "needs a list of booleans")
			}
			if b.True() != want {
				return cty.BoolVal(!want), nil
			}
		}
		return cty.BoolVal(want), nil
	})
}

var oneFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType, AllowDynamicType: true}},
	Type: func(args []cty.Value) (cty.Type, error) {
		v, err := one(args[0])
		if err != nil {
			return cty.NilType, err
		}
		return v.Type(), nil
	},
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return one(args[0]) },
})

func one(v cty.Value) (cty.Value, error) {
	t := v.Type()
	if !v.IsKnown() || !t.IsTupleType() && !t.IsListType() && !t.IsSetType() {
		return cty.NilVal, function.NewArgErrorf(0, "needs a list or a set")
	}
	all := listOf(v)
	switch {
	case len(all) > 1:
		return cty.NilVal, function.NewArgErrorf(0, "needs none or one element, got %d", len(all))
	case len(all) == 0 && !t.IsTupleType():
		return cty.NullVal(t.ElementType()), nil
	case len(all) == 0:
		return cty.NullVal(cty.DynamicPseudoType), nil
	}
	return all[0], nil
}

var sumFunc = dynamic("list", cty.Number, func(v cty.Value) (cty.Value, error) {
	if !v.CanIterateElements() || v.LengthInt() == 0 {
		return cty.NilVal, function.NewArgErrorf(0, "needs a list of at least one number")
	}
	sum := cty.Zero
	for _, el := range listOf(v) {
		n, err := convert.Convert(el, cty.Number)
		if err != nil || n.IsNull() {
			return cty.NilVal, function.NewArgErrorf(0, "needs a list of numbers")
		}
		if sum, err = stdlib.Add(sum, n); err != nil {
			return cty.NilVal, err // infinity less infinity
		}
	}
	return sum, nil
})

// indexFunc is the position of a value in a list, as in Terraform; go-cty's is v[key].
var indexFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType}, {Name: "value", Type: cty.DynamicPseudoType}},
	Type:   function.StaticReturnType(cty.Number),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		if t := args[0].Type(); !t.IsTupleType() && !t.IsListType() {
			return cty.NilVal, function.NewArgErrorf(0, "needs a list")
		}
		for i, el := range listOf(args[0]) {
			if eq, err := stdlib.Equal(el, args[1]); err == nil && eq.IsKnown() && eq.True() {
				return cty.NumberIntVal(int64(i)), nil
			}
		}
		return cty.NilVal, errors.New("the list does not hold the value")
	},
})

// lookupFunc is a member of a map or object, or the default.
var lookupFunc = function.New(&function.Spec{
	Params:   []function.Parameter{{Name: "map", Type: cty.DynamicPseudoType}, strParam("key")},
	VarParam: &function.Parameter{Name: "default", Type: cty.DynamicPseudoType, AllowNull: true},
	Type: func(args []cty.Value) (cty.Type, error) {
		v, err := lookup(args)
		if err != nil {
			return cty.NilType, err
		}
		return v.Type(), nil
	},
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return lookup(args) },
})

func lookup(args []cty.Value) (cty.Value, error) {
	m, key := args[0], args[1]
	if !m.IsKnown() || !key.IsKnown() {
		return cty.DynamicVal, nil
	}
	name := key.AsString()
	switch {
	case m.Type().IsObjectType():
		if m.Type().HasAttribute(name) {
			return m.GetAttr(name), nil
		}
	case m.Type().IsMapType():
		if m.HasIndex(key).True() {
			return m.Index(key), nil
		}
	default:
		return cty.NilVal, function.NewArgErrorf(0, "needs a map or an object")
	}
	switch len(args) {
	case 3:
		return args[2], nil
	case 2:
		return cty.NilVal, fmt.Errorf("there is no key %q and no default", name)
	}
	return cty.NilVal, errors.New("takes a map, a key and one default")
}

var credentialName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]*$`)

// credentialFunc names a file of the credentials directory, as systemd names it.
var credentialFunc = text(capsule, []string{"name"}, func(a []string) (cty.Value, error) {
	if !credentialName.MatchString(a[0]) || len(a[0]) > 255 {
		return cty.NilVal, function.NewArgErrorf(0, "%q is not the name of a credential: letters, digits, - _ and . only", a[0])
	}
	return cty.CapsuleVal(capsule, &plan.Secret{Credential: a[0]}), nil
})

var secretFileFunc = text(capsule, []string{"path"}, func(a []string) (cty.Value, error) {
	if !path.IsAbs(a[0]) || path.Clean(a[0]) != a[0] {
		return cty.NilVal, function.NewArgErrorf(0, "%q is not an absolute path without detours", a[0])
	}
	return cty.CapsuleVal(capsule, &plan.Secret{File: a[0]}), nil
})

// confined is a path inside of the configuration directory, or of the module's own. Files
// come from others: a module must not read /etc/shadow into a plan.
func (e *Evaluator) confined(name string) (string, error) {
	if strings.HasPrefix(e.m.Path, module.LibraryPrefix) {
		return "", errors.New("a module that comes with hafile reads no files")
	}
	if path.IsAbs(name) {
		return "", fmt.Errorf("%q is absolute: file() reads beside the configuration only", name)
	}
	full := path.Join(e.top.m.Dir, name)
	if !fs.ValidPath(full) || !under(full, e.top.m.Dir) && !under(full, e.m.Dir) {
		return "", fmt.Errorf("%q leads out of the configuration directory", name)
	}
	return full, nil
}

func under(name, dir string) bool {
	return dir == "." || name == dir || strings.HasPrefix(name, dir+"/")
}

func (e *Evaluator) fileFunc() function.Function {
	return text(cty.String, []string{"path"}, func(a []string) (cty.Value, error) {
		full, err := e.confined(a[0])
		if err != nil {
			return cty.NilVal, function.NewArgError(0, err)
		}
		if e.m.FS == nil {
			return cty.NilVal, function.NewArgErrorf(0, "there is no directory to read %q from", a[0])
		}
		read, ds := module.Read(e.m.FS, []string{full})
		if len(ds) > 0 {
			return cty.NilVal, function.NewArgErrorf(0, "%s: %s", ds[0].Summary, strings.TrimSuffix(ds[0].Detail, "."))
		}
		if !utf8.Valid(read[full]) {
			return cty.NilVal, function.NewArgErrorf(0, "%s is not UTF-8 text", a[0])
		}
		e.top.m.Hashes[full] = module.Hash(read[full])
		return cty.StringVal(string(read[full])), nil
	})
}

func (e *Evaluator) fileExistsFunc() function.Function {
	return text(cty.Bool, []string{"path"}, func(a []string) (cty.Value, error) {
		full, err := e.confined(a[0])
		if err != nil {
			return cty.NilVal, function.NewArgError(0, err)
		}
		if e.m.FS == nil {
			return cty.False, nil
		}
		info, err := fs.Stat(e.m.FS, full)
		return cty.BoolVal(err == nil && info.Mode().IsRegular()), nil
	})
}

func (e *Evaluator) envFunc() function.Function {
	return text(cty.String, []string{"name"}, func(a []string) (cty.Value, error) {
		name := a[0]
		if !strings.HasPrefix(name, "HAFILE_") && !slices.Contains(e.in.AllowEnv, name) {
			return cty.NilVal, function.NewArgErrorf(0, "%s is not declared: write hafile { env = [%q] }", name, name)
		}
		value, ok := e.env(name)
		if !ok {
			return cty.NilVal, function.NewArgErrorf(0, "%s is not set", name)
		}
		e.used[name] = module.Hash([]byte(value))
		return cty.StringVal(value), nil
	})
}
