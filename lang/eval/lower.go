package eval

import (
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"hafile/lang/module"
	"hafile/lang/plan"
	"hafile/lang/schema"
)

// argument evaluates one argument and lowers it to what its kind promises. A null is as
// if it was not written: Value.V is nil.
func (e *Evaluator) argument(attr *hcl.Attribute, arg *schema.Arg, s scope) (Value, bool) {
	s.arg = arg
	if arg.Sensitive {
		e.taint(attr.Expr)
	}
	v, ok := e.value(attr.Expr, s)
	if !ok {
		return Value{}, false
	}
	secret := sensitive(v)
	v, _ = v.UnmarkDeep()
	if v.IsNull() {
		return Value{}, true
	}
	at := attr.Expr.Range()
	if secret && arg.Kind != schema.Secret {
		e.errorf("HA2103", s, at, fmt.Sprintf("%s cannot be sensitive", arg.Name),
			"The value comes from a sensitive variable, and a plan shows this argument openly. Only passwords take secrets: use one that is not sensitive here.")
		return Value{}, false
	}
	l := lowering{e, attr, arg, s}
	lowered, ok := l.lower(v)
	return Value{V: lowered, Range: module.Range(at), FromSecret: secret}, ok
}

// lowering is one argument on its way out of cty.
type lowering struct {
	*Evaluator
	attr *hcl.Attribute
	arg  *schema.Arg
	s    scope
}

func (l lowering) fail(code, summary, detail string, args ...any) (any, bool) {
	return l.failAt(l.attr.Expr.Range(), code, summary, detail, args...)
}

func (l lowering) failAt(at hcl.Range, code, summary, detail string, args ...any) (any, bool) {
	l.errorf(code, l.s, at, summary, detail, args...)
	return nil, false
}

// wrongType names what is wanted and what was given, never the value.
func (l lowering) wrongType(v cty.Value, hint string) (any, bool) {
	if v.Type() == capsule {
		return l.fail("HA1004", fmt.Sprintf("%s cannot be a secret", l.arg.Name),
			"credential() and secret_file() are references that the node resolves; only a password takes one. Write the value itself.")
	}
	if _, ok := refersTo(v); ok && l.arg.Kind != schema.Ref && l.arg.Kind != schema.Refs {
		hint = "The value is a reference to a block: name one of its attributes."
	}
	return l.fail("HA1004", fmt.Sprintf("%s needs %s, got %s", l.arg.Name, article(l.arg.Kind.String()), friendly(v.Type())), "%s", hint)
}

func friendly(t cty.Type) string {
	switch {
	case t.IsTupleType() || t.IsListType():
		return "a list"
	case t.IsObjectType() || t.IsMapType():
		return "an object"
	}
	return "a " + t.FriendlyName()
}

func (l lowering) lower(v cty.Value) (any, bool) {
	switch l.arg.Kind {
	case schema.String:
		return l.str(v)
	case schema.Int:
		return l.integer(v)
	case schema.Bool:
		return l.boolean(v)
	case schema.Duration:
		return l.duration(v)
	case schema.Strings:
		return l.strings(v)
	case schema.Map:
		return l.stringMap(v)
	case schema.Address:
		return l.address(v)
	case schema.Ref:
		r, ok := l.reference(v, l.attr.Expr.Range())
		return r, ok
	case schema.Refs:
		return l.references(v)
	case schema.Secret:
		return l.secret(v)
	case schema.Prefix:
		return l.prefix(v)
	case schema.Ints:
		return l.integers(v)
	}
	panic("eval: an argument of this kind is not lowered: " + l.arg.Name)
}

func (l lowering) str(v cty.Value) (any, bool) {
	c, err := convert.Convert(v, cty.String)
	if err != nil {
		return l.wrongType(v, fmt.Sprintf("Write %s = %s.", l.arg.Name, example(*l.arg)))
	}
	text := c.AsString()
	if strings.EqualFold(text, "master") && len(l.arg.Enum) > 0 {
		return l.fail("HA1019", "master is not a word of this language", masterCure)
	}
	if len(l.arg.Enum) > 0 && !slices.Contains(l.arg.Enum, text) {
		return l.fail("HA1101", fmt.Sprintf("%s cannot be %q", l.arg.Name, text), "%s It is one of %s.", nearest(text, l.arg.Enum), quoteAll(l.arg.Enum))
	}
	return text, true
}

// integer never lets a fraction through: big.Float calls 100.5 "exact" when it is put
// into a uint64.
func (l lowering) integer(v cty.Value) (any, bool) {
	c, err := convert.Convert(v, cty.Number)
	if err != nil {
		switch {
		case l.arg.Name == "router_id" && v.Type() == cty.String:
			return l.wrongType(v, "router_id is the VRID here, keepalived's virtual_router_id: write router_id = 51. The name of the machine, which keepalived calls so, stands nowhere.")
		case l.arg.Name == "priority" && (v.Type().IsObjectType() || v.Type().IsMapType()):
			return l.wrongType(v, `Members that differ have a block each: member "NAME" { priority = 100 }.`)
		}
		return l.wrongType(v, fmt.Sprintf("Write a number without quotes: %s = %s.", l.arg.Name, l.sample()))
	}
	return l.whole(c.AsBigFloat())
}

// integers is a list of whole numbers.
func (l lowering) integers(v cty.Value) (any, bool) {
	if !v.CanIterateElements() || v.Type().IsObjectType() || v.Type().IsMapType() {
		one := fmt.Sprint(l.arg.Min)
		if v.Type() == cty.Number && !v.IsNull() {
			one = decimal(v.AsBigFloat())
		}
		return l.wrongType(v, fmt.Sprintf("Write %s = [%s].", l.arg.Name, one))
	}
	out := []int64{}
	for i, el := range listOf(v) {
		c, err := convert.Convert(el, cty.Number)
		if err != nil || c.IsNull() {
			return l.failAt(l.elementRange(i), "HA1004", fmt.Sprintf("%s holds something that is no number", l.arg.Name), "Element %d is %s. Write a whole number.", i+1, friendly(el.Type()))
		}
		n, ok := l.whole(c.AsBigFloat())
		if !ok {
			return nil, false
		}
		out = append(out, n.(int64))
	}
	return out, true
}

// prefix is one of a route or rule: an address alone is a whole one.
func (l lowering) prefix(v cty.Value) (any, bool) {
	if v.Type() != cty.String {
		return l.wrongType(v, fmt.Sprintf("Write %s = \"10.0.0.0/8\".", l.arg.Name))
	}
	text := v.AsString()
	if text == "default" && l.arg.Name == "to" {
		return netip.Prefix{}, true
	}
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		return netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()), true
	}
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return l.fail("HA1116", fmt.Sprintf("%q is not a prefix", text), "%s. Write %s = \"10.0.0.0/8\".", upperFirst(errText(err)), l.arg.Name)
	case p != p.Masked():
		return l.fail("HA1116", fmt.Sprintf("%q has bits beyond its prefix", text), "Write %s = %q.", l.arg.Name, p.Masked())
	}
	return p, true
}

func (l lowering) whole(f *big.Float) (any, bool) {
	if f.IsInf() {
		return l.fail("HA1101", fmt.Sprintf("%s must be a whole number, got infinity", l.arg.Name), "Something is divided by zero. Write a number from %d to %d.", l.arg.Min, l.arg.Max)
	}
	if !f.IsInt() {
		return l.fail("HA1101", fmt.Sprintf("%s must be a whole number, got %s", l.arg.Name, f.Text('g', 10)), "Write %s or %s.", floor(f), ceil(f))
	}
	n, acc := f.Int64()
	if acc != big.Exact || n < l.arg.Min || n > l.arg.Max {
		return l.fail("HA1101", fmt.Sprintf("%s must be %d..%d, got %s", l.arg.Name, l.arg.Min, l.arg.Max, decimal(f)), "%s Write a number from %d to %d.", l.arg.Doc, l.arg.Min, l.arg.Max)
	}
	return n, true
}

// decimal writes a number for people; 1e1000000 would fill a screen for each reader.
func decimal(f *big.Float) string {
	if f.MantExp(nil) > 64 {
		return f.Text('g', 10)
	}
	return f.Text('f', 0)
}

func (l lowering) sample() string {
	if l.arg.Min < 0 {
		return "-5"
	}
	return fmt.Sprint(min(l.arg.Max, max(l.arg.Min, 100)))
}

func floor(f *big.Float) string {
	i, acc := f.Int(nil)
	if acc == big.Above { // truncated towards zero, from below
		i.Sub(i, big.NewInt(1))
	}
	return i.String()
}

func ceil(f *big.Float) string {
	i, acc := f.Int(nil)
	if acc == big.Below {
		i.Add(i, big.NewInt(1))
	}
	return i.String()
}

func (l lowering) boolean(v cty.Value) (any, bool) {
	c, err := convert.Convert(v, cty.Bool)
	if err == nil {
		return c.True(), true
	}
	if v.Type() == cty.String {
		switch strings.ToLower(v.AsString()) {
		case "on", "yes":
			return l.fail("HA1009", fmt.Sprintf("%q is not a value of %s", v.AsString(), l.arg.Name), "Write %s = true.", l.arg.Name)
		case "off", "no":
			return l.fail("HA1009", fmt.Sprintf("%q is not a value of %s", v.AsString(), l.arg.Name), "Write %s = false.", l.arg.Name)
		}
	}
	return l.wrongType(v, fmt.Sprintf("Write %s = true or %s = false.", l.arg.Name, l.arg.Name))
}

// duration takes "2s" or, as keepalived does, a bare number of seconds.
func (l lowering) duration(v cty.Value) (any, bool) {
	var d time.Duration
	switch v.Type() {
	case cty.Number:
		ms := new(big.Float).Mul(v.AsBigFloat(), big.NewFloat(1000))
		n, _ := ms.Int64()
		if !ms.IsInt() || ms.Cmp(big.NewFloat(1e12)) > 0 || ms.Cmp(big.NewFloat(-1e12)) < 0 {
			return l.fail("HA1101", fmt.Sprintf("%s is not in whole milliseconds", l.arg.Name), "A number counts seconds. Write %s = \"500ms\" or \"2s\".", l.arg.Name)
		}
		d = time.Duration(n) * time.Millisecond
	case cty.String:
		var err error
		if d, err = time.ParseDuration(v.AsString()); err != nil {
			return l.fail("HA1101", fmt.Sprintf("%s cannot be %q", l.arg.Name, v.AsString()), "A duration is a number and a unit of ms, s, m, h, without a blank. Write %s = %q.", l.arg.Name, meantDuration(v.AsString()))
		}
	default:
		return l.wrongType(v, fmt.Sprintf("Write %s = \"2s\".", l.arg.Name))
	}
	if d%time.Millisecond != 0 {
		return l.fail("HA1101", fmt.Sprintf("%s is not in whole milliseconds", l.arg.Name), "Got %s. Write %s = \"%dms\".", d, l.arg.Name, d.Milliseconds())
	}
	ms := d.Milliseconds()
	if d < 0 || l.arg.Max > 0 && (ms < l.arg.Min || ms > l.arg.Max) {
		lo, hi := time.Duration(l.arg.Min)*time.Millisecond, time.Duration(l.arg.Max)*time.Millisecond
		if l.arg.Max == 0 {
			return l.fail("HA1101", fmt.Sprintf("%s must not be negative, got %s", l.arg.Name, d), "Write %s = \"1s\".", l.arg.Name)
		}
		return l.fail("HA1101", fmt.Sprintf("%s must be %s..%s, got %s", l.arg.Name, lo, hi, d), "%s Write a duration within the bounds.", l.arg.Doc)
	}
	return ms, true
}

func (l lowering) strings(v cty.Value) (any, bool) {
	if v.Type() == cty.String {
		if l.arg.Name == "command" {
			return l.fail("HA1004", "command needs a list, got a string", "There is no shell between: write the program and each argument as an element, command = [%s].", quoteFields(v.AsString()))
		}
		return l.fail("HA1004", fmt.Sprintf("%s needs a list, got a string", l.arg.Name), "Write %s = [%q].", l.arg.Name, v.AsString())
	}
	if !v.CanIterateElements() || v.Type().IsObjectType() || v.Type().IsMapType() {
		return l.wrongType(v, fmt.Sprintf("Write %s = [\"...\"].", l.arg.Name))
	}
	out := []string{}
	for i, el := range listOf(v) {
		c, err := convert.Convert(el, cty.String)
		if err != nil || c.IsNull() {
			if el.Type() == capsule {
				return l.wrongType(el, "")
			}
			return l.failAt(l.elementRange(i), "HA1004", fmt.Sprintf("%s holds something that is no string", l.arg.Name), "Element %d is %s. Write a string.", i+1, friendly(el.Type()))
		}
		text := c.AsString()
		if l.arg.Name == "on" && strings.EqualFold(text, "master") {
			return l.failAt(l.elementRange(i), "HA1019", "master is not a word of this language", masterCure)
		}
		if l.arg.Name == "on" && !slices.Contains(plan.NotifyEvents, text) {
			return l.failAt(l.elementRange(i), "HA1106", fmt.Sprintf("there is no event %q", text), "%s It is one of %s.", nearest(text, plan.NotifyEvents), quoteAll(plan.NotifyEvents))
		}
		out = append(out, text)
	}
	return out, true
}

func (l lowering) stringMap(v cty.Value) (any, bool) {
	if !v.Type().IsObjectType() && !v.Type().IsMapType() {
		return l.wrongType(v, fmt.Sprintf("Write %s = { KEY = \"value\" }.", l.arg.Name))
	}
	out := map[string]string{}
	for it := v.ElementIterator(); it.Next(); {
		k, el := it.Element()
		c, err := convert.Convert(el, cty.String)
		if err != nil || c.IsNull() {
			if el.Type() == capsule {
				return l.wrongType(el, "")
			}
			return l.fail("HA1004", fmt.Sprintf("%s.%s is no string", l.arg.Name, k.AsString()), "It is %s. Write a string.", friendly(el.Type()))
		}
		out[k.AsString()] = c.AsString()
	}
	return out, true
}

func (l lowering) address(v cty.Value) (any, bool) {
	if v.Type() != cty.String {
		if a, ok := refersTo(v); ok {
			return l.fail("HA1004", fmt.Sprintf("%s needs an address, got a reference", l.arg.Name), "Write %s = %s.address.", l.arg.Name, a)
		}
		return l.wrongType(v, fmt.Sprintf("Write %s = \"192.0.2.10\".", l.arg.Name))
	}
	text := v.AsString()
	if p, err := netip.ParsePrefix(text); err == nil {
		return schema.AddressValue{IP: p.Addr(), Prefix: p.Masked()}, true
	}
	a, err := netip.ParseAddr(text)
	if cure := l.addressCure(text); err != nil && cure != "" {
		return l.fail("HA1116", fmt.Sprintf("%q is not an address", text), "%s", cure)
	}
	if err != nil {
		return l.fail("HA1116", fmt.Sprintf("%q is not an address", text), "%s. Write %s = \"192.0.2.10\" or \"192.0.2.10/24\".", upperFirst(errText(err)), l.arg.Name)
	}
	if a.Zone() != "" {
		return l.fail("HA1116", fmt.Sprintf("%q names an interface", text), "Write the address without %%%s and the interface as interface = %q.", a.Zone(), a.Zone())
	}
	return schema.AddressValue{IP: a.Unmap()}, true
}

// addressCure is for an address with something behind it that is not right.
func (l lowering) addressCure(text string) string {
	host, after, cut := strings.Cut(text, "/")
	bits, rest, _ := strings.Cut(after, " ")
	if !cut {
		host, rest, _ = strings.Cut(text, " ")
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return ""
	}
	written := strings.TrimSuffix(host+"/"+bits, "/")
	mask, isMask := netip.ParseAddr(bits)
	switch n, isNumber := strconv.Atoi(bits); {
	case strings.HasPrefix(rest, "dev "):
		return fmt.Sprintf("Write %s = %q, and the interface in an argument of its own: interface = %q.", l.arg.Name, written, strings.Fields(rest)[1])
	case rest != "":
		return fmt.Sprintf("Write %s = %q: what follows is an argument of its own, or has no place here.", l.arg.Name, written)
	case isMask == nil && mask.Is4() && a.Is4():
		ones, _ := net.IPMask(mask.AsSlice()).Size()
		return fmt.Sprintf("A prefix is a number of bits. Write %s = \"%s/%d\".", l.arg.Name, host, ones)
	case isNumber == nil && (n < 0 || n > a.BitLen()):
		return fmt.Sprintf("A prefix of this family is 0..%d bits. Write %s = \"%s/%d\", or the address alone.", a.BitLen(), l.arg.Name, host, a.BitLen()-8)
	}
	return ""
}

var spelled = regexp.MustCompile(`(?i)^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$`)

// meantDuration is what somebody means who writes "1 s", "1sec" or "2 minutes".
func meantDuration(text string) string {
	m := spelled.FindStringSubmatch(text)
	if m == nil {
		return "2s"
	}
	unit := strings.ToLower(m[2])
	switch {
	case unit == "ms" || strings.HasPrefix(unit, "mil") || strings.HasPrefix(unit, "msec"):
		return m[1] + "ms"
	case strings.HasPrefix(unit, "m"):
		return m[1] + "m"
	case strings.HasPrefix(unit, "h"):
		return m[1] + "h"
	}
	return m[1] + "s"
}

// errText is what netip says, without its prefix.
func errText(err error) string {
	text := err.Error()
	if _, after, ok := strings.Cut(text, "): "); ok {
		return after
	}
	return text
}

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func (l lowering) reference(v cty.Value, at hcl.Range) (schema.Reference, bool) {
	to, ok := refersTo(v)
	if !ok {
		l.notReference(v, at)
		return schema.Reference{}, false
	}
	if !slices.Contains(l.arg.Refs, to.Kind()) {
		l.failAt(at, "HA1008", fmt.Sprintf("%s needs %s, got %s", l.arg.Name, article(l.arg.Refs[0]), to), "%s", l.otherKind(to))
		return schema.Reference{}, false
	}
	return schema.Reference{To: to, Range: module.Range(at)}, true
}

// article of a kind: "an instance", "a script".
func article(kind string) string {
	if strings.ContainsAny(kind[:1], "aeiou") {
		return "an " + kind
	}
	return "a " + kind
}

func (l lowering) otherKind(to plan.Addr) string {
	track := []string{"script", "check", "instance"}
	if slices.Contains(track, l.arg.Name) && slices.Contains(track, to.Kind()) {
		return fmt.Sprintf("Write %s = %s.", to.Kind(), to)
	}
	if names := l.m.Names(l.arg.Refs[0]); len(names) > 0 {
		return fmt.Sprintf("Declared are %s.", strings.Join(prefixed(l.arg.Refs[0], names), ", "))
	}
	return fmt.Sprintf("Declare one: %s \"NAME\" { ... }.", l.arg.Refs[0])
}

// notReference explains what stands where a reference is meant.
func (l lowering) notReference(v cty.Value, at hcl.Range) {
	kind := l.arg.Refs[0]
	switch {
	case v.Type() == cty.String && !v.IsNull():
		name := v.AsString()
		name = strings.TrimPrefix(name, kind+".")
		detail := fmt.Sprintf("A string is never matched to a name. Write %s.%s without quotes.", kind, name)
		if !l.declared(kind, name) {
			meant, _ := l.meant(kind, name)
			detail = fmt.Sprintf("A string is never matched to a name. Write %s.NAME without quotes. %s", kind, meant)
		}
		l.failAt(at, "HA1008", fmt.Sprintf("%s needs a reference, got a string", l.arg.Name), "%s", detail)
	case v.Type().IsObjectType():
		for key, el := range v.AsValueMap() {
			if to, ok := refersTo(el); ok && strings.HasSuffix(string(to), "]") {
				l.failAt(at, "HA1008", fmt.Sprintf("%s needs one %s, got several", l.arg.Name, kind), "The block has for_each. Name one of its objects: %s (the key is %q).", to, key)
				return
			}
		}
		fallthrough
	default:
		l.failAt(at, "HA1008", fmt.Sprintf("%s needs a reference, got %s", l.arg.Name, friendly(v.Type())), "Write %s.NAME without quotes.", kind)
	}
}

func (l lowering) references(v cty.Value) (any, bool) {
	if to, ok := refersTo(v); ok {
		return l.fail("HA1008", fmt.Sprintf("%s needs a list, got one reference", l.arg.Name), "Write %s = [%s].", l.arg.Name, to)
	}
	if v.Type() == cty.String {
		l.notReference(v, l.attr.Expr.Range())
		return nil, false
	}
	if !v.CanIterateElements() || v.Type().IsMapType() || v.Type().IsObjectType() {
		return l.wrongType(v, fmt.Sprintf("Write %s = [%s.NAME], or values(...) of a map.", l.arg.Name, l.arg.Refs[0]))
	}
	refs, good := []schema.Reference{}, true
	for i, el := range listOf(v) {
		r, ok := l.reference(el, l.elementRange(i))
		if !ok {
			good = false
			continue
		}
		if at := slices.IndexFunc(refs, func(o schema.Reference) bool { return o.To == r.To }); at >= 0 {
			l.failAt(l.elementRange(i), "HA1006", fmt.Sprintf("%s stands in %s twice", r.To, l.arg.Name), "Remove one.")
			good = false
			continue
		}
		refs = append(refs, r)
	}
	return refs, good
}

func (l lowering) secret(v cty.Value) (any, bool) {
	if v.Type() == capsule {
		return *v.EncapsulatedValue().(*plan.Secret), true
	}
	c, err := convert.Convert(v, cty.String)
	if err != nil {
		return l.wrongType(v, fmt.Sprintf("Write %s = credential(\"NAME\").", l.arg.Name))
	}
	if c.AsString() == "" {
		return l.fail("HA1114", fmt.Sprintf("%s is empty", l.arg.Name), "Write %s = credential(\"NAME\").", l.arg.Name)
	}
	return plan.Secret{Value: c.AsString()}, true
}

// elementRange is where one element of a list stands, so that it alone is underlined.
func (l lowering) elementRange(i int) hcl.Range {
	list, hd := hcl.ExprList(l.attr.Expr)
	if hd.HasErrors() || i >= len(list) {
		return l.attr.Expr.Range()
	}
	return list[i].Range()
}

func listOf(v cty.Value) []cty.Value {
	var out []cty.Value
	for it := v.ElementIterator(); it.Next(); {
		_, el := it.Element()
		out = append(out, el)
	}
	return out
}

func quoteAll(words []string) string {
	var out []string
	for _, w := range words {
		out = append(out, fmt.Sprintf("%q", w))
	}
	return strings.Join(out, ", ")
}

func quoteFields(s string) string { return quoteAll(strings.Fields(s)) }
