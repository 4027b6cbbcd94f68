package kernel

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"
)

// Fake is a host in memory that prints itself: what it was told, in ip(8)'s words. It
// knows the rules of Linux that hafile has to live with: a subnet's secondaries go with
// its primary (net.ipv4.conf.*.promote_secondaries = 0, the default) when a stranger
// deletes that, and are promoted when the ledger does; IPv6 addresses go when the
// interface is set down, a replace clears the tag. Not for concurrent use.
type Fake struct {
	links     []Link
	installed []Installed
	things    Things
	refusals  map[Address]error
	Unmarking bool // forgets tags, as Linux before 5.18
	Unclosing bool // has no nftables
	journal   strings.Builder
}

// NewFake is a host with interfaces of these names, up and without addresses.
func NewFake(links ...string) *Fake {
	f := &Fake{refusals: map[Address]error{}}
	for _, name := range links {
		f.addLink(name)
	}
	return f
}

func (f *Fake) addLink(name string) {
	f.links = append(f.links, Link{Name: name, Index: len(f.links) + 2, MTU: 1500, Up: true, Carrier: true})
}

// Refuse makes every Add of an address end in err, until err is nil.
func (f *Fake) Refuse(a Address, err error) { f.refusals[a] = err }

// String is what Apply was told so far, with what it answered.
func (f *Fake) String() string { return f.journal.String() }

// Apply is for the ledger; strangers use [Fake.Run].
func (f *Fake) Apply(op Op) error {
	err := f.applyThing(op)
	if op.Thing == (Thing{}) {
		err = f.apply(op, true)
	}
	f.journal.WriteString(op.String())
	if err != nil {
		fmt.Fprintf(&f.journal, "  # %v", err)
	}
	f.journal.WriteByte('\n')
	return err
}

// Read implements Host.
func (f *Fake) Read(bool) (Reading, error) {
	r := Reading{Installed: slices.Clone(f.installed), Links: slices.Clone(f.links), Things: slices.Clone(f.things)}
	for i := range r.Installed {
		r.Installed[i].Secondary = f.secondary(r.Installed[i], i)
	}
	for i := range r.Links {
		for _, a := range f.installed {
			if a.Interface == r.Links[i].Name && !a.Marked {
				r.Links[i].Addresses = append(r.Links[i].Addresses, a.Prefix)
			}
		}
	}
	return r, nil
}

// Run is a stranger's hand:
//
//	ip addr add|del|replace PREFIX dev LINK [label LABEL] [scope SCOPE]
//	ip link set LINK up|down
//	ip link add|del LINK [type …]
//
// Anything else panics: it is a mistake in the test.
func (f *Fake) Run(command string) error {
	w := strings.Fields(command)
	switch {
	case len(w) > 5 && w[1] == "addr":
		kind := map[string]Kind{"add": Add, "replace": Mark, "del": Delete}[w[2]]
		a := Address{Interface: w[5], Prefix: netip.MustParsePrefix(w[3])}
		for k := 6; k+1 < len(w); k += 2 {
			*map[string]*string{"label": &a.Label, "scope": &a.Scope}[w[k]] = w[k+1]
		}
		return f.apply(Op{Kind: kind, Address: a}, false)
	case len(w) == 5 && w[2] == "set":
		return f.set(w[3], w[4] == "up")
	case len(w) > 3 && w[2] == "add":
		f.addLink(w[3])
		f.links[len(f.links)-1].Up = false
		return nil
	case len(w) == 4 && w[2] == "del":
		f.links = slices.DeleteFunc(f.links, func(l Link) bool { return l.Name == w[3] })
		f.drop(func(i Installed) bool { return i.Interface == w[3] })
		return nil
	}
	panic("kernel: the fake does not understand " + command)
}

func (f *Fake) set(name string, up bool) error {
	for i := range f.links {
		if f.links[i].Name == name {
			f.links[i].Up, f.links[i].Carrier = up, up
			if !up {
				f.things = slices.DeleteFunc(slices.Clone(f.things), func(t Thing) bool { return t.uses(name) })
				f.drop(func(a Installed) bool { return a.Interface == name && a.Prefix.Addr().Is6() })
			}
			return nil
		}
	}
	return syscall.ENODEV
}

func (f *Fake) apply(op Op, marked bool) error {
	link := Reading{Links: f.links}.link(op.Interface)
	at := slices.IndexFunc(f.installed, func(i Installed) bool { return i.key() == op.key() })
	switch {
	case link == nil:
		return syscall.ENODEV
	case op.Kind == Delete && at < 0:
		return syscall.EADDRNOTAVAIL
	case op.Kind == Delete:
		f.remove(at, marked)
	case op.Kind == Replace:
		if err := f.apply(Op{Kind: Delete, Address: op.Old}, marked); err != nil {
			return err
		}
		return f.apply(Op{Kind: Add, Address: op.Address}, marked)
	case op.Kind == Add && f.refusals[op.Address] != nil:
		return f.refusals[op.Address]
	case op.Kind == Add && at >= 0:
		return syscall.EEXIST
	case at >= 0:
		f.installed[at].Marked = marked && op.Kind != Unmark && !f.Unmarking
	default:
		f.insert(Installed{Address: op.Address, Marked: marked && !f.Unmarking})
	}
	return nil
}

// applyThing keeps routes and rules. A route needs its interfaces.
func (f *Fake) applyThing(op Op) error {
	if op.Thing == (Thing{}) {
		return nil
	}
	at := slices.IndexFunc(f.things, func(t Thing) bool { return t.key() == op.Thing.key() })
	down := slices.ContainsFunc(f.links, func(l Link) bool { return !l.Up && op.Thing.uses(l.Name) })
	switch {
	case op.Kind == Delete && at < 0:
		return syscall.ESRCH
	case op.Kind == Delete:
		f.things = slices.Delete(slices.Clone(f.things), at, at+1)
		if v := op.Thing.Link; v != nil {
			_ = f.Run("ip link del " + v.Name)
		}
	case down:
		return syscall.ENETDOWN
	case f.Unclosing && op.Thing.Closed != nil:
		return syscall.EOPNOTSUPP
	case at >= 0:
		f.things = slices.Clone(f.things)
		f.things[at] = op.Thing
	default:
		f.things = append(slices.Clone(f.things), op.Thing)
		if v := op.Thing.Link; v != nil {
			f.addLink(v.Name)
		}
	}
	if v := op.Thing.Link; v != nil && op.Kind != Delete {
		_ = f.set(v.Name, v.Up)
	}
	return nil
}

// insert puts primaries before secondaries, and those of the narrowest scope first, as
// the kernel keeps them.
func (f *Fake) insert(i Installed) {
	at := len(f.installed)
	if !f.secondary(i, at) {
		at = 0
		for k, p := range f.installed {
			if !f.secondary(p, k) && narrow[p.Scope] >= narrow[i.Scope] {
				at = k + 1
			}
		}
	}
	f.installed = slices.Insert(f.installed, at, i)
}

var narrow = map[string]int{"": 0, "link": 1, "host": 2}

// secondary reports whether one of the first n addresses is i's primary.
func (f *Fake) secondary(i Installed, n int) bool {
	return i.Prefix.Addr().Is4() && slices.ContainsFunc(f.installed[:n], func(p Installed) bool {
		return p.Interface == i.Interface && p.Address != i.Address && p.Prefix.Masked() == i.Prefix.Masked()
	})
}

func (f *Fake) remove(at int, promotes bool) {
	gone := f.installed[at]
	alone := promotes || f.secondary(gone, at) || gone.Prefix.Addr().Is6()
	f.drop(func(i Installed) bool {
		return i.Address == gone.Address ||
			!alone && i.Interface == gone.Interface && i.Prefix.Masked() == gone.Prefix.Masked()
	})
	var rest []Installed
	rest, f.installed = f.installed, nil
	for _, i := range rest { // a promoted one moves to the primaries
		f.insert(i)
	}
}

func (f *Fake) drop(gone func(Installed) bool) { f.installed = slices.DeleteFunc(f.installed, gone) }
