//go:build linux

package rawsock

import (
	"cmp"
	"net"
	"net/netip"

	"hafile/runtime/vrrp/wire"
)

// Peer is another member of a unicast router.
type Peer struct {
	VRID    uint8
	Address netip.Addr
	// TTL or hop limit of what is sent to it; 0 is 255.
	TTL uint8
	// MinTTL and MaxTTL bound the TTL or hop limit of what it sends, both included; a
	// MaxTTL of 0 is 255.
	MinTTL, MaxTTL uint8
	// OldChecksum also accepts the form of keepalived up to 1.3.6.
	OldChecksum bool
}

// peers is a table of them, never changed. Without one, everybody is heard.
type peers struct {
	dialects map[peer]*wire.Dialect
	of       [256][]target // by VRID, in the order of the configuration
}

type peer struct {
	vrid    uint8
	address netip.Addr
}

// target is an address as package wire and as package ipv4 want to see it.
type target struct {
	address netip.Addr
	net     *net.IPAddr
	ttl     uint8
}

// targetAt has no zone: the socket is bound to its interface.
func targetAt(a netip.Addr) target {
	a = a.WithZone("")
	return target{a, &net.IPAddr{IP: a.AsSlice()}, wire.TTL}
}

func tableOf(c *Config, list []Peer) *peers {
	t := &peers{dialects: map[peer]*wire.Dialect{}}
	for _, p := range list {
		to := targetAt(p.Address)
		to.ttl = cmp.Or(p.TTL, wire.TTL)
		key := peer{p.VRID, to.address}
		if t.dialects[key] == nil {
			t.of[p.VRID] = append(t.of[p.VRID], to)
		}
		d := c.dialect()
		d.MinTTL, d.MaxTTL, d.OldUnicast = p.MinTTL, p.MaxTTL, p.OldChecksum
		t.dialects[key] = &d
	}
	return t
}

// SetPeers changes whom a unicast pair hears and speaks to, from one packet to the next.
func (p *Pair) SetPeers(list []Peer) error {
	c := p.config
	c.Peers = list
	if err := c.check(); err != nil {
		return err
	}
	if c.Transport == wire.Unicast {
		p.ear.peers.Store(tableOf(&c, list))
	}
	return nil
}
