package announce

import (
	"encoding/binary"
	"errors"
	"net/netip"
)

const (
	ip6Len       = 40
	naLen        = 24
	naOptionLen  = 8
	protoICMPv6  = 58
	typeNS       = 135
	typeNA       = 136
	optTargetMAC = 2

	flagRouter    = 1 << 31
	flagSolicited = 1 << 30
	flagOverride  = 1 << 29
)

var (
	allNodes    = netip.MustParseAddr("ff02::1")
	allNodesMAC = MAC{0x33, 0x33, 0, 0, 0, 1}
)

// NA is a neighbour advertisement (RFC 4861, 4.4).
type NA struct {
	From, To                    netip.Addr
	Target                      netip.Addr
	TargetMAC                   MAC
	Router, Solicited, Override bool
	frameFrom, frameFor         MAC
}

// Unsolicited is a neighbour advertisement to all nodes that moves an address to a MAC:
// from the address itself, override set. router says whether this machine forwards IPv6:
// a neighbour that hears otherwise takes a router off its list (RFC 4861, 7.2.5).
func Unsolicited(mac MAC, ip netip.Addr, router bool) []byte {
	return NA{From: ip, To: allNodes, Target: ip, TargetMAC: mac, Router: router, Override: true,
		frameFrom: mac, frameFor: allNodesMAC}.frame()
}

// Solicitation asks who has ip without claiming anything: it comes from no address, as one
// for duplicate address detection does, so that nobody learns from it (RFC 4862, 5.4.2).
// Who has the address answers to all nodes.
func Solicitation(mac MAC, ip netip.Addr) []byte {
	target := as16(ip)
	group := [16]byte{0: 0xff, 1: 0x02, 11: 1, 12: 0xff, 13: target[13], 14: target[14], 15: target[15]}
	b := make([]byte, 0, etherLen+ip6Len+naLen)
	b = ether(b, MAC{0x33, 0x33, 0xff, target[13], target[14], target[15]}, mac, etherIPv6)
	b = append(b, 0x60, 0, 0, 0, 0, naLen, protoICMPv6, 255)
	b = append(append(b, make([]byte, 16)...), group[:]...)
	b = append(b, typeNS, 0, 0, 0, 0, 0, 0, 0)
	b = append(b, target[:]...)
	icmp := b[etherLen+ip6Len:]
	binary.BigEndian.PutUint16(icmp[2:], checksum([16]byte{}, group, icmp))
	return b
}

// frame panics if an address is not IPv6: that is the caller's mistake.
func (n NA) frame() []byte {
	b := make([]byte, 0, etherLen+ip6Len+naLen+naOptionLen)
	b = ether(b, n.frameFor, n.frameFrom, etherIPv6)
	b = append(b, 0x60, 0, 0, 0, 0, naLen+naOptionLen, protoICMPv6, 255)
	from, to, target := as16(n.From), as16(n.To), as16(n.Target)
	b = append(append(b, from[:]...), to[:]...)
	b = append(b, typeNA, 0, 0, 0)
	b = binary.BigEndian.AppendUint32(b, n.flags())
	b = append(b, target[:]...)
	b = append(b, optTargetMAC, 1)
	b = append(b, n.TargetMAC[:]...)
	icmp := b[etherLen+ip6Len:]
	binary.BigEndian.PutUint16(icmp[2:], checksum(from, to, icmp))
	return b
}

func as16(a netip.Addr) [16]byte {
	if !a.Is6() || a.Is4In6() {
		panic("announce: " + a.String() + " is not IPv6")
	}
	return a.As16()
}

func (n NA) flags() (f uint32) {
	for flag, set := range map[uint32]bool{flagRouter: n.Router, flagSolicited: n.Solicited, flagOverride: n.Override} {
		if set {
			f |= flag
		}
	}
	return f
}

// checksum is RFC 4443, 2.3, over a message whose own checksum field is zero; over one
// that carries it the result is zero.
func checksum(from, to [16]byte, icmp []byte) uint16 {
	sum := uint32(len(icmp)) + protoICMPv6
	for _, part := range [][]byte{from[:], to[:], icmp} {
		for len(part) > 1 {
			sum += uint32(binary.BigEndian.Uint16(part))
			part = part[2:]
		}
		if len(part) == 1 {
			sum += uint32(part[0]) << 8
		}
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

var errNotNA = errors.New("not a neighbour advertisement")

// ParseNA reads an Ethernet frame with the checks of RFC 4861, 7.1.2. Options other than
// the target's MAC are skipped; extension headers are refused.
func ParseNA(b []byte) (NA, error) {
	if len(b) < etherLen+ip6Len+naLen {
		return NA{}, errShort
	}
	ip := b[etherLen:]
	if binary.BigEndian.Uint16(b[12:]) != etherIPv6 || ip[0]>>4 != 6 || ip[6] != protoICMPv6 {
		return NA{}, errNotNA
	}
	n := NA{From: netip.AddrFrom16([16]byte(ip[8:])), To: netip.AddrFrom16([16]byte(ip[24:])),
		frameFor: MAC(b), frameFrom: MAC(b[6:])}
	icmp, length := ip[ip6Len:], int(binary.BigEndian.Uint16(ip[4:]))
	if length < naLen || length > len(icmp) {
		return NA{}, errShort
	}
	icmp = icmp[:length]
	switch {
	case ip[7] != 255:
		return NA{}, errors.New("hop limit is not 255: from another segment")
	case icmp[0] != typeNA || icmp[1] != 0:
		return NA{}, errNotNA
	case checksum(n.From.As16(), n.To.As16(), icmp) != 0:
		return NA{}, errors.New("bad checksum")
	}
	flags := binary.BigEndian.Uint32(icmp[4:])
	n.Router, n.Solicited, n.Override = flags&flagRouter != 0, flags&flagSolicited != 0, flags&flagOverride != 0
	n.Target = netip.AddrFrom16([16]byte(icmp[8:]))
	if n.Target.IsMulticast() || n.Target.Is4In6() || n.Solicited && n.To.IsMulticast() {
		return NA{}, errors.New("a target or a flag that no neighbour may send")
	}
	return n, n.options(icmp[naLen:])
}

func (n *NA) options(b []byte) error {
	for len(b) > 0 {
		if len(b) < 2 || b[1] == 0 || int(b[1])*8 > len(b) {
			return errors.New("an option of no length, or longer than the frame")
		}
		if b[0] == optTargetMAC && b[1] == 1 {
			n.TargetMAC = MAC(b[2:8])
		}
		b = b[int(b[1])*8:]
	}
	return nil
}
