package eval

import (
	"fmt"
	"math/big"
	"net"
	"net/netip"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// cidrFunc is a function of a prefix or an address and numbers.
func cidrFunc(ret cty.Type, numbers []string, f func(s string, n []int64) (cty.Value, error)) function.Function {
	params := []function.Parameter{strParam("prefix")}
	for _, name := range numbers {
		params = append(params, function.Parameter{Name: name, Type: cty.Number})
	}
	return function.New(&function.Spec{
		Params: params, Type: function.StaticReturnType(ret),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			var n []int64
			for i, a := range args[1:] {
				f := a.AsBigFloat()
				v, acc := f.Int64()
				if !f.IsInt() || acc != big.Exact {
					return cty.NilVal, function.NewArgErrorf(i+1, "must be a whole number")
				}
				n = append(n, v)
			}
			return f(args[0].AsString(), n)
		},
	})
}

func prefix(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, function.NewArgErrorf(0, "%q is not a prefix like 192.0.2.0/24", s)
	}
	return p.Masked(), nil
}

// offset is the address n behind a; false beyond the end of the family.
func offset(a netip.Addr, n *big.Int) (netip.Addr, bool) {
	sum := new(big.Int).Add(new(big.Int).SetBytes(a.AsSlice()), n)
	if sum.Sign() < 0 || sum.BitLen() > a.BitLen() {
		return netip.Addr{}, false
	}
	out, ok := netip.AddrFromSlice(sum.FillBytes(make([]byte, a.BitLen()/8)))
	return out, ok
}

// cidrHost is the nth address of a prefix; below 0 it counts from the end.
var cidrHost = cidrFunc(cty.String, []string{"host"}, func(s string, n []int64) (cty.Value, error) {
	p, err := prefix(s)
	if err != nil {
		return cty.NilVal, err
	}
	at := big.NewInt(n[0])
	if n[0] < 0 {
		at.Add(at, new(big.Int).Lsh(big.NewInt(1), uint(p.Addr().BitLen()-p.Bits())))
	}
	a, ok := offset(p.Addr(), at)
	if !ok || !p.Contains(a) {
		return cty.NilVal, function.NewArgErrorf(1, "%s has no host %d", p, n[0])
	}
	return cty.StringVal(a.String()), nil
})

// cidrSubnet is the nth prefix that is newbits longer.
var cidrSubnet = cidrFunc(cty.String, []string{"newbits", "netnum"}, func(s string, n []int64) (cty.Value, error) {
	p, err := prefix(s)
	if err != nil {
		return cty.NilVal, err
	}
	bits := int64(p.Bits()) + n[0]
	if n[0] < 0 || bits > int64(p.Addr().BitLen()) {
		return cty.NilVal, function.NewArgErrorf(1, "%s cannot be %d bits longer", p, n[0])
	}
	if n[1] < 0 || n[0] < 63 && n[1] >= 1<<n[0] {
		return cty.NilVal, function.NewArgErrorf(2, "%d more bits number 0 to %d", n[0], int64(1)<<min(n[0], 62)-1)
	}
	step := new(big.Int).Lsh(big.NewInt(n[1]), uint(int64(p.Addr().BitLen())-bits))
	a, ok := offset(p.Addr(), step)
	if !ok {
		return cty.NilVal, function.NewArgErrorf(2, "%s has no such subnet", p)
	}
	return cty.StringVal(netip.PrefixFrom(a, int(bits)).String()), nil
})

var cidrNetmask = cidrFunc(cty.String, nil, func(s string, _ []int64) (cty.Value, error) {
	p, err := prefix(s)
	if err != nil {
		return cty.NilVal, err
	}
	if !p.Addr().Is4() {
		return cty.NilVal, function.NewArgErrorf(0, "only IPv4 has netmasks")
	}
	return cty.StringVal(net.IP(net.CIDRMask(p.Bits(), 32)).String()), nil
})

var cidrContains = text(cty.Bool, []string{"prefix", "address"}, func(a []string) (cty.Value, error) {
	p, err := prefix(a[0])
	if err != nil {
		return cty.NilVal, err
	}
	if inner, err := netip.ParsePrefix(a[1]); err == nil {
		return cty.BoolVal(inner.Bits() >= p.Bits() && p.Contains(inner.Addr())), nil
	}
	addr, err := netip.ParseAddr(a[1])
	if err != nil {
		return cty.NilVal, function.NewArgErrorf(1, "%q is neither an address nor a prefix", a[1])
	}
	return cty.BoolVal(p.Contains(addr)), nil
})

func address(s string) (netip.Addr, string, error) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Addr(), fmt.Sprintf("/%d", p.Bits()), nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return a, "", function.NewArgErrorf(0, "%q is not an address", s)
	}
	return a, "", nil
}

var ipFamily = cidrFunc(cty.String, nil, func(s string, _ []int64) (cty.Value, error) {
	a, _, err := address(s)
	switch {
	case err != nil:
		return cty.NilVal, err
	case a.Is4():
		return cty.StringVal("ipv4"), nil
	}
	return cty.StringVal("ipv6"), nil
})

// ipAdd is the address n behind; a prefix that was written stays.
var ipAdd = cidrFunc(cty.String, []string{"n"}, func(s string, n []int64) (cty.Value, error) {
	a, rest, err := address(s)
	if err != nil {
		return cty.NilVal, err
	}
	out, ok := offset(a, big.NewInt(n[0]))
	if !ok {
		return cty.NilVal, function.NewArgErrorf(1, "there is no address %d behind %s", n[0], a)
	}
	return cty.StringVal(out.String() + rest), nil
})
