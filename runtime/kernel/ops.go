package kernel

// Kind of an operation.
type Kind uint8

const (
	// Add an address.
	Add Kind = iota + 1
	// Mark an address that is installed as ours.
	Mark
	// Delete an address.
	Delete
)

// Op is one operation on the kernel.
type Op struct {
	Kind Kind
	Address
}

// String is the operation as ip(8) would be told.
func (o Op) String() string {
	where := o.Prefix.String() + " dev " + o.Interface
	switch o.Kind {
	case Add:
		return "ip addr add " + where + " proto 0xc8"
	case Mark:
		return "ip addr replace " + where + " proto 0xc8"
	}
	return "ip addr del " + where
}

// Ops is what turns have into want, adds before deletes. Only what is in ours is ever
// deleted. An address that is wanted and there is no operation, whoever put it there.
func Ops(want, have, ours State) []Op {
	var out []Op
	for _, a := range want.Without(have) {
		out = append(out, Op{Add, a})
	}
	for _, a := range have.Intersect(ours).Without(want) {
		out = append(out, Op{Delete, a})
	}
	return out
}
