package host

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"

	"hafile/runtime/kernel"
)

// Name is the host name without its domain, empty if the machine has none.
func Name() string {
	name, _ := os.Hostname()
	name, _, _ = strings.Cut(name, ".")
	return name
}

// Interfaces are the machine's, with all their addresses: nothing here can tell which
// of them are hafile's.
func Interfaces() ([]kernel.Link, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list the interfaces: %w", err)
	}
	var out []kernel.Link
	for _, i := range all {
		out = append(out, link(i))
	}
	return out, nil
}

// Interface is one of them; Index 0 says that there is none of that name.
func Interface(name string) kernel.Link {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return kernel.Link{Name: name}
	}
	return link(*i)
}

func link(i net.Interface) kernel.Link {
	l := kernel.Link{
		Name: i.Name, Index: i.Index, MTU: i.MTU, MAC: i.HardwareAddr,
		Up: i.Flags&net.FlagUp != 0, Carrier: i.Flags&net.FlagRunning != 0,
	}
	addrs, _ := i.Addrs() // gone meanwhile: none
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			l.Addresses = append(l.Addresses, p)
		}
	}
	return l
}

// DescribeLink is what `plan` says of an interface: "up, 172.29.88.224/24", "missing",
// "up, no carrier, no address". Of each family the first address counts; a link-local
// one does not.
func DescribeLink(l kernel.Link) string {
	switch {
	case l.Index == 0:
		return "missing"
	case !l.Up:
		return "down"
	}
	words := []string{"up"}
	if !l.Carrier {
		words = append(words, "no carrier")
	}
	found := map[bool]bool{} // by being IPv4
	for _, p := range l.Addresses {
		if a := p.Addr(); !a.IsLinkLocalUnicast() && !found[a.Is4()] {
			found[a.Is4()] = true
			words = append(words, p.String())
		}
	}
	if len(found) == 0 {
		words = append(words, "no address")
	}
	return strings.Join(words, ", ")
}

// Addresses are those by which others know this machine: of its interfaces that are up,
// without loopback and link-local ones. Nil where they cannot be read.
func Addresses() []netip.Addr {
	links, err := Interfaces()
	if err != nil {
		return nil
	}
	var out []netip.Addr
	for _, l := range links {
		for _, p := range l.Addresses {
			if a := p.Addr(); l.Up && a.IsGlobalUnicast() {
				out = append(out, a)
			}
		}
	}
	return out
}
