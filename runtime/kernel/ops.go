package kernel

import (
	"net/netip"
	"strings"
)

// Kind of an operation.
type Kind uint8

const (
	// Add an address.
	Add Kind = iota + 1
	// Mark an address that is installed as ours.
	Mark
	// Delete an address.
	Delete
	// Replace one of ours by an address that the kernel cannot have beside it: Old goes,
	// and Address comes.
	Replace
	// Unmark an address that is handed back to whoever installed it.
	Unmark
)

// Op is one operation on the kernel.
type Op struct {
	Kind Kind
	Address
	Old Address // Replace

	Thing Thing // what the operation is about, if it is not an address
}

// StandIn is what a host adds before it carries out a Replace and deletes after it, so
// that packets find the address all the time: IPv4 has one address in two lengths. IPv6
// has no such thing; its gap is of microseconds.
func (o Op) StandIn() (Address, bool) {
	if o.Kind != Replace || !o.Prefix.Addr().Is4() {
		return Address{}, false
	}
	bits := o.Prefix.Addr().BitLen()
	if o.Prefix.IsSingleIP() {
		bits--
	}
	return Address{Interface: o.Interface, Prefix: netip.PrefixFrom(o.Prefix.Addr(), bits)}, true
}

// String is the operation as ip(8) would be told.
func (o Op) String() string {
	if o.Thing != (Thing{}) {
		kind, rest, _ := strings.Cut(o.Thing.String(), " ")
		verb := map[Kind]string{Add: "add", Replace: "replace", Delete: "del"}[o.Kind]
		if o.Thing.Closed != nil {
			return "nft " + verb + " table inet " + rest
		}
		if o.Thing.Link != nil {
			return "ip link " + verb + " " + rest
		}
		return "ip " + kind + " " + verb + " " + rest + " proto 200"
	}
	where := inWords(o.Address)
	switch o.Kind {
	case Add:
		return "ip addr add " + where + " proto 0xc8"
	case Mark:
		return "ip addr replace " + where + " proto 0xc8"
	case Replace:
		return "ip addr del " + o.Old.Prefix.String() + " dev " + o.Interface + " && ip addr add " + where + " proto 0xc8"
	case Unmark:
		return "ip addr replace " + where
	}
	return "ip addr del " + o.Prefix.String() + " dev " + o.Interface
}

func inWords(a Address) string { return a.Prefix.String() + " dev " + a.Interface + a.options() }

// Ops is what turns have into want, adds before deletes. Only what is in ours is ever
// deleted. An address that is wanted and there is no operation, whoever put it there.
func Ops(want, have, ours State) []Op {
	var out []Op
	left := have.Intersect(ours).Without(want)
	for _, a := range want.Without(have) {
		if old, ok := left.twin(a); ok {
			out = append(out, Op{Kind: Replace, Address: a, Old: old})
			left = left.Without(State{old})
			continue
		}
		out = append(out, Op{Kind: Add, Address: a})
	}
	for _, a := range left {
		out = append(out, Op{Kind: Delete, Address: a})
	}
	return out
}
