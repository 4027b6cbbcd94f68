package kernel

import (
	"fmt"
	"strings"
)

// Host is a kernel's network: the real one, or a [Fake].
type Host interface {
	// Read looks at all addresses and links, and at things only if that is asked for.
	Read(things bool) (Reading, error)
	// Apply carries out one operation. The errors are those of the system: EEXIST for
	// an address that is there, EADDRNOTAVAIL for one that is not, ENODEV for an
	// interface that is not; ESRCH or ENOENT for a thing that is not.
	Apply(Op) error
}

// Reading is one look at a host.
type Reading struct {
	Installed []Installed // in the kernel's order within an interface
	Links     []Link
	Things    Things // with our tag
}

// Installed is an address as the kernel has it.
type Installed struct {
	Address
	Marked bool // carries our tag
	// Secondary: another IPv4 address of the subnet was there first. It goes with that
	// one (unless promote_secondaries is set), and brings the subnet no route.
	Secondary bool
}

// link is the link of that name, nil if there is none.
func (r Reading) link(name string) *Link {
	for i := range r.Links {
		if r.Links[i].Name == name {
			return &r.Links[i]
		}
	}
	return nil
}

// String has a line for each link: "eth0 up: 192.0.2.1/24 192.0.2.10/32 proto 0xc8".
func (r Reading) String() string {
	var b strings.Builder
	for _, l := range r.Links {
		fmt.Fprintf(&b, "%s %s:", l.Name, map[bool]string{true: "up", false: "down"}[l.Up])
		for _, i := range r.Installed {
			if i.Interface != l.Name {
				continue
			}
			b.WriteString(" " + i.Prefix.String())
			for _, word := range [][2]string{{"label", i.Label}, {"scope", i.Scope}} {
				if word[1] != "" {
					b.WriteString(" " + word[0] + " " + word[1])
				}
			}
			if i.Marked {
				b.WriteString(" proto 0xc8")
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}
