package wire

import (
	"encoding/binary"
	"net/netip"
	"time"
)

const (
	protocolAH  = 51
	ipv4Len     = 20
	headLen     = 8  // of both versions, before the addresses
	authLen     = 8  // behind the addresses of version 2, whatever its type
	trailerLen  = 28 // of keepalived's HMAC
	trailerType = 1
	advertType  = 1
	centisecond = 10 * time.Millisecond
)

// Parse reads an IPv4 packet as a raw socket delivers it: reassembled, its header sum
// checked, headed by the IP header. a is filled and its Addresses are reused. With a
// reason other than OK, Version and VRID are set if the packet has them and are zero
// otherwise; the rest of a is set for the reasons from UnsupportedTrailer on, which name
// a whole advert in a dialect that is not spoken here.
func Parse(packet []byte, a *Advert) (Header, Reason) {
	*a = Advert{Addresses: a.Addresses[:0]}
	h, message, reason := parseHeader(packet)
	if reason != OK {
		return h, reason
	}
	return h, ParseMessage(message, h, a)
}

// parseHeader checks the IP layer (RFC 9568, 7.1). What follows the total length is the
// padding of a short frame.
func parseHeader(p []byte) (h Header, message []byte, reason Reason) {
	if len(p) > 0 && p[0]>>4 == 6 {
		return h, nil, UnsupportedFamily
	}
	if len(p) < ipv4Len || p[0]>>4 != 4 {
		return h, nil, BadHeader
	}
	head, total := int(p[0]&0xf)*4, int(binary.BigEndian.Uint16(p[2:]))
	fragment := binary.BigEndian.Uint16(p[6:]) & 0x3fff // more-fragments and offset
	if head < ipv4Len || head > total || total > len(p) || fragment != 0 {
		return h, nil, BadHeader
	}
	h = Header{
		Source: addr4(p[12:]), Destination: addr4(p[16:]),
		TTL: p[8], ID: binary.BigEndian.Uint16(p[4:]),
	}
	switch p[9] {
	case Protocol:
		return h, p[head:total], OK
	case protocolAH:
		return h, nil, UnsupportedAH
	}
	return h, nil, WrongProtocol
}

func addr4(b []byte) netip.Addr { return netip.AddrFrom4([4]byte(b)) }

// ParseMessage reads a message whose IP layer the caller has read. What it leaves in a
// is said at Parse.
func ParseMessage(m []byte, h Header, a *Advert) Reason {
	*a = Advert{Addresses: a.Addresses[:0]}
	if len(m) >= 2 {
		a.Version, a.VRID = m[0]>>4, m[1]
	}
	if reason := inspect(m, &h, a); reason != OK {
		return reason
	}
	decode(m, a)
	switch {
	case len(m) != messageLen(a.Version, len(a.Addresses)):
		return UnsupportedTrailer
	case a.Version == 2 && a.Auth != AuthNone && a.Auth != AuthPass:
		return UnsupportedAuth
	}
	return OK
}

// messageLen is the only length that a message with so many addresses has (without a
// trailer).
func messageLen(version uint8, addresses int) int {
	if version == 2 {
		return headLen + 4*addresses + authLen
	}
	return headLen + 4*addresses
}

// inspect is RFC 9568, 7.1 and RFC 3768, 7.1 as far as one packet shows.
func inspect(m []byte, h *Header, a *Advert) Reason {
	switch {
	case !h.Source.Is4() || !h.Destination.Is4():
		return UnsupportedFamily
	case h.TTL != TTL:
		return BadTTL
	case h.Destination != group:
		return WrongDestination
	case len(m) < headLen:
		return Truncated
	case a.Version != 2 && a.Version != 3:
		return UnsupportedVersion
	case m[0]&0xf != advertType:
		return BadType
	case m[3] == 0:
		return NoAddress
	}
	want := messageLen(a.Version, int(m[3]))
	switch {
	case len(m) < want:
		return Truncated
	case len(m) != want && !trailed(m, want):
		return BadLength
	case !verify(m[:want], h, a):
		return BadChecksum
	case a.VRID == 0:
		return BadVRID
	case interval(m, a.Version) == 0:
		return BadInterval
	}
	return OK
}

// trailed reports whether a signature follows the message.
func trailed(m []byte, want int) bool {
	return len(m) == want+trailerLen && m[want] == trailerType
}

// verify checks the sum and notes which form it has. Version 2 has only one.
func verify(m []byte, h *Header, a *Advert) bool {
	acc := sum(m, 0)
	if a.Version == 2 {
		return intact(acc)
	}
	if intact(acc + pseudo(h, len(m))) {
		a.Checksum = PseudoHeader
		return true
	}
	a.Checksum = MessageOnly
	return intact(acc)
}

// interval ignores the reserved nibble of version 3 (RFC 9568, 5.2.6).
func interval(m []byte, version uint8) time.Duration {
	if version == 2 {
		return time.Duration(m[5]) * time.Second
	}
	return time.Duration(binary.BigEndian.Uint16(m[4:])&0xfff) * centisecond
}

// decode reads a message that inspect has passed. The authentication data of a packet
// without authentication means nothing (RFC 3768, 5.3.6.1).
func decode(m []byte, a *Advert) {
	a.Priority = m[2]
	a.Interval = interval(m, a.Version)
	for i := range int(m[3]) {
		a.Addresses = append(a.Addresses, addr4(m[headLen+4*i:]))
	}
	if a.Version == 2 {
		a.Auth = AuthType(m[4])
		if a.Auth == AuthPass {
			a.Password = Password(m[headLen+4*int(m[3]):][:authLen])
		}
	}
}
