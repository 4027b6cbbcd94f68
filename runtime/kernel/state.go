package kernel

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
)

// Tag marks our addresses in the kernel (IFA_PROTO, Linux 5.18). Of the values of
// linux/if_addr.h it is none, and keepalived's is 18.
const Tag = 0xC8

// Address is an address on an interface, with all that cannot be changed in it. The
// prefix keeps its host bits: 192.0.2.10/32, or 192.0.2.10/24 where the segment's prefix
// is installed with it.
type Address struct {
	Interface string
	Prefix    netip.Prefix
	Label     string // of IPv4; empty: the interface's name
	Scope     string // of IPv4: "link", "host" or empty, which is global
}

func (a Address) String() string { return a.Prefix.String() + " on " + a.Interface + a.options() }

// options are label and scope as ip(8) takes them.
func (a Address) options() string {
	s := ""
	if a.Label != "" {
		s += " label " + a.Label
	}
	if a.Scope != "" {
		s += " scope " + a.Scope
	}
	return s
}

// Compare orders addresses by interface, by address, by length, and by the rest.
func (a Address) Compare(b Address) int {
	return cmp.Or(
		cmp.Compare(a.Interface, b.Interface),
		a.Prefix.Addr().Compare(b.Prefix.Addr()),
		cmp.Compare(a.Prefix.Bits(), b.Prefix.Bits()),
		cmp.Compare(a.Label, b.Label),
		cmp.Compare(a.Scope, b.Scope))
}

// key is what the kernel has once: of two addresses with one key the second is refused.
// IPv4 tells lengths apart, IPv6 does not.
func (a Address) key() Address {
	k := Address{Interface: a.Interface, Prefix: a.Prefix}
	if a.Prefix.Addr().Is6() {
		k.Prefix = netip.PrefixFrom(a.Prefix.Addr(), a.Prefix.Addr().BitLen())
	}
	return k
}

// Single is the address with nothing around it: how a plan and a status name it.
func (a Address) Single() netip.Prefix {
	return netip.PrefixFrom(a.Prefix.Addr(), a.Prefix.Addr().BitLen())
}

// State is a set of addresses: sorted, each once. Nil is the empty set. Its methods
// never change the receiver.
type State []Address

// StateOf is the set of the given addresses.
func StateOf(all ...Address) State {
	s := State(slices.Clone(all))
	slices.SortFunc(s, Address.Compare)
	return slices.Compact(s)
}

// Has reports whether a is in the set.
func (s State) Has(a Address) bool {
	_, ok := slices.BinarySearchFunc(s, a, Address.Compare)
	return ok
}

// Equal reports whether both sets have the same addresses.
func (s State) Equal(o State) bool { return slices.Equal(s, o) }

// Add is the set with the given addresses.
func (s State) Add(all ...Address) State { return StateOf(slices.Concat(s, all)...) }

// Without is the set less the addresses of o.
func (s State) Without(o State) State {
	return s.filter(func(a Address) bool { return !o.Has(a) })
}

// Intersect is what both sets have.
func (s State) Intersect(o State) State { return s.filter(o.Has) }

// twin is the address of the set that the kernel takes for a, whatever it looks like.
func (s State) twin(a Address) (Address, bool) {
	k := a.key()
	for _, b := range s {
		if b.key() == k {
			return b, true
		}
	}
	return Address{}, false
}

// Like is what the kernel takes for the same as something in o, whatever it looks like.
func (s State) Like(o State) State {
	return s.filter(func(a Address) bool { _, ok := o.twin(a); return ok })
}

func (s State) filter(keep func(Address) bool) State {
	var out State
	for _, a := range s {
		if keep(a) {
			out = append(out, a)
		}
	}
	return out
}

// Link is a network interface.
type Link struct {
	Name    string
	Index   int // 0: the interface is gone
	MTU     int // bytes
	Up      bool
	Carrier bool // a cable is in, and somebody is at its other end
	MAC     net.HardwareAddr
	// Addresses in the kernel's order, so that the first of a family is the one that
	// packets leave from. Package netlink leaves out those that are ours.
	Addresses []netip.Prefix
}

// Equal reports whether nothing has changed between two looks at one link.
func (l Link) Equal(o Link) bool {
	return l.Name == o.Name && l.Index == o.Index && l.MTU == o.MTU && l.Up == o.Up &&
		l.Carrier == o.Carrier && slices.Equal(l.MAC, o.MAC) && slices.Equal(l.Addresses, o.Addresses)
}

// Report is what a ledger has to say.
type Report struct {
	Gen uint64 // of the last Want that has been carried out
	// Have is what is ours and installed, wanted or not yet removed.
	Have State
	// Refused is what is wanted and not there, or ours and cannot be removed. Each is
	// tried again until it works or is no longer wanted, except where it says so.
	Refused []Refusal
	// Removed is what somebody else's hand has taken away since the last report. It is
	// on its way back: the next report has it in Have, or in Refused.
	Removed []Address
	// Missing is what is wanted beside the addresses and cannot be had, with the reason.
	// It is tried again.
	Missing []string
	// Restored is what of it was gone since the last report, by somebody's hand or with
	// its interface. It is on its way back.
	Restored []string
}

// Refusal is an address and what is wrong with it.
type Refusal struct {
	Address
	Err string
	// Foreign: the address is installed, and not ours.
	Foreign bool
}
