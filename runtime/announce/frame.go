package announce

import (
	"encoding/binary"
	"errors"
	"net/netip"
)

// MAC is an Ethernet address.
type MAC [6]byte

var broadcast = MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

const (
	etherARP  = 0x0806
	etherIPv6 = 0x86dd
	etherLen  = 14
	arpLen    = 28
)

// Operations of ARP (RFC 826).
const (
	ARPRequest = 1
	ARPReply   = 2
)

// ARP is an ARP packet for IPv4 over Ethernet.
type ARP struct {
	Op                  uint16
	SenderMAC           MAC
	SenderIP            netip.Addr
	TargetMAC           MAC
	TargetIP            netip.Addr
	frameFrom, frameFor MAC
}

// Gratuitous is a broadcast request in which sender and target are the address itself,
// with the target's MAC all ones: the form that keepalived sends.
func Gratuitous(mac MAC, ip netip.Addr) []byte {
	return ARP{Op: ARPRequest, SenderMAC: mac, SenderIP: ip, TargetMAC: broadcast, TargetIP: ip,
		frameFrom: mac, frameFor: broadcast}.frame()
}

// GratuitousReply is the form for devices that learn from replies only.
func GratuitousReply(mac MAC, ip netip.Addr) []byte {
	return ARP{Op: ARPReply, SenderMAC: mac, SenderIP: ip, TargetMAC: mac, TargetIP: ip,
		frameFrom: mac, frameFor: broadcast}.frame()
}

// ProbeFrame asks who has ip without claiming anything: the sender's IP is zero, so that
// nobody learns from it (RFC 5227, 2.1.1).
func ProbeFrame(mac MAC, ip netip.Addr) []byte {
	return ARP{Op: ARPRequest, SenderMAC: mac, SenderIP: netip.IPv4Unspecified(), TargetIP: ip,
		frameFrom: mac, frameFor: broadcast}.frame()
}

// frame panics if an address is not IPv4: that is the caller's mistake.
func (a ARP) frame() []byte {
	b := make([]byte, 0, etherLen+arpLen)
	b = ether(b, a.frameFor, a.frameFrom, etherARP)
	b = append(b, 0, 1, 8, 0, 6, 4) // Ethernet, IPv4, and the lengths of their addresses
	b = binary.BigEndian.AppendUint16(b, a.Op)
	sender, target := a.SenderIP.As4(), a.TargetIP.As4()
	b = append(append(b, a.SenderMAC[:]...), sender[:]...)
	return append(append(b, a.TargetMAC[:]...), target[:]...)
}

func ether(b []byte, to, from MAC, kind uint16) []byte {
	b = append(append(b, to[:]...), from[:]...)
	return binary.BigEndian.AppendUint16(b, kind)
}

var (
	errNotARP = errors.New("not ARP for IPv4 over Ethernet")
	errShort  = errors.New("frame too short")
)

// ParseARP reads an Ethernet frame. What follows the packet is padding.
func ParseARP(b []byte) (ARP, error) {
	if len(b) < etherLen+arpLen {
		return ARP{}, errShort
	}
	p := b[etherLen:]
	if binary.BigEndian.Uint16(b[12:]) != etherARP || [6]byte(p) != [6]byte{0, 1, 8, 0, 6, 4} {
		return ARP{}, errNotARP
	}
	return ARP{
		Op:        binary.BigEndian.Uint16(p[6:]),
		SenderMAC: MAC(p[8:]), SenderIP: netip.AddrFrom4([4]byte(p[14:])),
		TargetMAC: MAC(p[18:]), TargetIP: netip.AddrFrom4([4]byte(p[24:])),
		frameFor: MAC(b), frameFrom: MAC(b[6:]),
	}, nil
}
