//go:build linux

package rawsock

import (
	"fmt"
	"net/netip"

	"hafile/runtime/vrrp/wire"
)

// Config of a pair. What is not set is IPv4 multicast to the group of the RFC.
type Config struct {
	Interface string
	Index     int     // of the interface
	VRIDs     []uint8 // that are received

	IPv6      bool
	Transport wire.Transport
	// Virtual are those whose multicast adverts leave with their virtual MAC.
	Virtual []uint8
	// AH receives packets with an authentication header, and no others; IPv4 only.
	AH bool
	// Signed delivers signed adverts as whole ones, which the caller has to verify.
	Signed bool
	// Group of multicast; zero is that of the RFC.
	Group netip.Addr
	// Source of unicast: the address that is received at. It need not be on the
	// interface.
	Source netip.Addr
	// Peers of unicast.
	Peers []Peer
}

// check says what contradicts itself.
func (c *Config) check() error {
	unicast := c.Transport == wire.Unicast
	switch {
	case c.AH && c.IPv6:
		return fmt.Errorf("an authentication header over IPv6")
	case unicast && !c.fits(c.Source):
		return fmt.Errorf("unicast from %s", c.Source)
	case !unicast && len(c.Peers) > 0:
		return fmt.Errorf("peers with multicast")
	case !unicast && c.Group.IsValid() && (!c.fits(c.Group) || !c.Group.IsMulticast()):
		return fmt.Errorf("multicast to %s", c.Group)
	}
	for _, p := range c.Peers {
		if p.VRID == 0 || !c.fits(p.Address) || p.Address.IsMulticast() {
			return fmt.Errorf("peer %s of VRID %d", p.Address, p.VRID)
		}
	}
	return nil
}

// fits reports whether an address is of the pair's family.
func (c *Config) fits(a netip.Addr) bool {
	if c.IPv6 {
		return a.Is6() && !a.Is4In6()
	}
	return a.Is4()
}

// group is where multicast goes.
func (c *Config) group() netip.Addr {
	switch {
	case c.Group.IsValid():
		return c.Group.WithZone("")
	case c.IPv6:
		return wire.Group6()
	}
	return wire.Group()
}

// dialect that packets to this pair are read in; unicast peers have their own.
func (c *Config) dialect() wire.Dialect {
	d := wire.Dialect{Transport: c.Transport, AH: c.AH, Signed: c.Signed}
	if c.Transport == wire.Multicast {
		d.Group = c.group()
	}
	return d
}

// protocol in the IP header of what is received.
func (c *Config) protocol() int {
	if c.AH {
		return protocolAH
	}
	return wire.Protocol
}

// layout of what is received.
func (c *Config) layout() layout {
	switch {
	case c.IPv6:
		return atStart
	case c.AH:
		return behindAH
	}
	return behindIPv4
}

const protocolAH = 51
