package plan

import (
	"fmt"
	"net/netip"
	"strings"
)

// Addr is how people name a thing: "instance.VI_1", "script.chk_nginx",
// `module.web["fra"].instance.web`. It is a label: state is keyed by [WireKey],
// so that a rename costs nothing.
type Addr string

// Kind is the block type that the address names: "instance" for "instance.VI_1".
func (a Addr) Kind() string {
	kind, _ := a.split()
	return kind
}

// Name is what follows the kind: "VI_1" for "instance.VI_1", `v4["a"]` for `instance.v4["a"]`.
func (a Addr) Name() string {
	_, name := a.split()
	return name
}

// split skips leading `module.NAME["key"].` pairs. A for_each key may hold dots,
// so that the scan leaves out everything between brackets.
func (a Addr) split() (kind, name string) {
	rest := string(a)
	for {
		kind, after, ok := strings.Cut(rest, ".")
		if !ok {
			return rest, ""
		}
		if kind != "module" {
			return kind, after
		}
		end := labelEnd(after)
		if end == len(after) {
			return kind, after
		}
		rest = after[end+1:]
	}
}

// labelEnd is the index of the dot that ends a label, or the length of s.
func labelEnd(s string) int {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quoted:
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == '.' && !quoted:
			return i
		}
	}
	return len(s)
}

// Family is the address family of an instance: one virtual router speaks one.
type Family string

const (
	IPv4 Family = "ipv4"
	IPv6 Family = "ipv6"
)

// FamilyOf is the family of an address. It panics on the zero address: a plan
// never carries one where a family is asked for.
func FamilyOf(a netip.Addr) Family {
	switch {
	case !a.IsValid():
		panic("plan: family of no address")
	case a.Unmap().Is4():
		return IPv4
	}
	return IPv6
}

// WireKey is how the network sees an instance. Two instances with one key are the
// same virtual router, whatever they are called.
type WireKey struct {
	Interface string
	Family    Family
	VRID      uint8
	Version   uint8
	Transport Transport
	Netns     string     `json:",omitzero"`
	Group     netip.Addr `json:",omitzero"` // a multicast group that is not the usual one
	Source    netip.Addr `json:",omitzero"` // of unicast: several may share a VRID
}

func (k WireKey) String() string {
	s := fmt.Sprintf("%s %s VRID %d v%d %s", k.Interface, k.Family, k.VRID, k.Version, k.Transport)
	if k.Group.IsValid() {
		s += " to " + k.Group.String()
	}
	if k.Source.IsValid() {
		s += " from " + k.Source.String()
	}
	if k.Netns != "" {
		s += " in " + k.Netns
	}
	return s
}

// Wire is the key under which this instance's state is kept.
func (i *Instance) Wire() WireKey {
	k := WireKey{
		Interface: i.Interface, Family: i.Family, VRID: i.VRID,
		Version: i.Version, Transport: i.Transport, Netns: i.Netns,
	}
	if i.Transport == Unicast {
		k.Source = i.SourceAddress
	} else {
		k.Group = i.MulticastGroup
	}
	return k
}
