//go:build linux

package rawsock

import (
	"encoding/binary"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"hafile/runtime/vrrp/wire"
)

// Adverts of a router with a virtual MAC leave with that MAC as their source, or the
// switch would not learn where it is (RFC 9568, 7.2). They are whole frames on the
// interface itself: the macvlan that answers for the addresses has no address to send
// from, and on a backup it is down.
type virtual struct {
	fd  int
	ids *vrids
	to  unix.SockaddrLinklayer
}

// VirtualMAC is a router's (RFC 9568, 7.3).
func VirtualMAC(ipv6 bool, vrid uint8) [6]byte {
	family := byte(1)
	if ipv6 {
		family = 2
	}
	return [6]byte{0, 0, 0x5e, 0, family, vrid}
}

// SetVirtual changes which routers' multicast adverts leave with their virtual MAC.
func (p *Pair) SetVirtual(ids []uint8) error {
	before := p.virtual.Load()
	if before == nil && len(ids) == 0 {
		return nil
	}
	next := &virtual{fd: -1, ids: setOf(ids)}
	if before != nil {
		next.fd = before.fd
	} else {
		// Protocol 0: nothing is received.
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return os.NewSyscallError("socket", err)
		}
		next.fd = fd
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PRIORITY, control) // less than best without it
	}
	next.to = unix.SockaddrLinklayer{Ifindex: p.config.Index, Protocol: bigEndian(etherType(p.config.IPv6))}
	p.virtual.Store(next)
	return nil
}

func etherType(ipv6 bool) uint16 {
	if ipv6 {
		return unix.ETH_P_IPV6
	}
	return unix.ETH_P_IP
}

// bigEndian is a number in network byte order, as a host's.
func bigEndian(n uint16) uint16 { return n<<8 | n>>8 }

// frame adds an advert to the frames that the next Flush sends.
func (p *Pair) frame(v *virtual, a *wire.Advert, source netip.Addr) {
	var b []byte
	if n := len(p.frames); n < cap(p.frames) {
		b = p.frames[:n+1][n][:0] // the memory of an earlier one
	}
	b = append(b, etherGroup(p.group.address)...)
	mac := VirtualMAC(p.config.IPv6, a.VRID)
	b = append(b, mac[:]...)
	b = binary.BigEndian.AppendUint16(b, etherType(p.config.IPv6))
	h := wire.Header{Source: source, Destination: p.group.address, TTL: p.group.ttl, ID: p.identify(a)}
	if p.config.IPv6 {
		b = appendIPv6(b, h, a)
	} else {
		b = wire.Append(b, h, a)
	}
	p.frames = append(p.frames, b)
}

// appendIPv6 is a packet with its header, which no socket fills in here.
func appendIPv6(b []byte, h wire.Header, a *wire.Advert) []byte {
	start := len(b)
	b = append(b, 0x60|classSelector6>>4, classSelector6&15<<4, 0, 0, 0, 0, wire.Protocol, h.TTL)
	from, to := h.Source.As16(), h.Destination.As16()
	b = append(append(b, from[:]...), to[:]...)
	b = wire.AppendMessage(b, h, a)
	binary.BigEndian.PutUint16(b[start+4:], uint16(len(b)-start-40))
	return b
}

// etherGroup is where a multicast group is on Ethernet (RFC 1112, 6.4; RFC 2464, 7).
func etherGroup(group netip.Addr) []byte {
	if group.Is4() {
		g := group.As4()
		return []byte{1, 0, 0x5e, g[1] & 0x7f, g[2], g[3]}
	}
	g := group.As16()
	return []byte{0x33, 0x33, g[12], g[13], g[14], g[15]}
}

// flushFrames is Flush for them.
func (p *Pair) flushFrames() (sent int) {
	v := p.virtual.Load()
	for _, b := range p.frames {
		switch err := unix.Sendto(v.fd, b, unix.MSG_DONTWAIT, &v.to); err {
		case nil:
			sent++
		default:
			p.tally.fail(err)
		}
	}
	p.frames = p.frames[:0]
	return sent
}
