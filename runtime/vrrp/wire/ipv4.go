package wire

import (
	"encoding/binary"
	"net/netip"
)

// The IPv4 header (RFC 791, 3.1), by offset:
//
//	 0  version 4, length in words of 4 bytes
//	 1  type of service; sent as CS6
//	 2  total length
//	 4  identification
//	 6  flags and offset of a fragment; sent as zero
//	 8  TTL
//	 9  protocol
//	10  header checksum
//	12  source
//	16  destination
//	20  options; sent without
const (
	ipv4Len = 20
	// classSelector6 marks control traffic, as keepalived does.
	classSelector6 = 0xc0
)

// parseIPv4 checks the IP layer (RFC 9568, 7.1). What follows the total length is the
// padding of a short frame.
func parseIPv4(p []byte) (h Header, body []byte, protocol uint8, reason Reason) {
	if len(p) > 0 && p[0]>>4 == 6 {
		return h, nil, 0, UnsupportedFamily
	}
	if len(p) < ipv4Len || p[0]>>4 != 4 {
		return h, nil, 0, BadHeader
	}
	head, total := int(p[0]&0xf)*4, int(binary.BigEndian.Uint16(p[2:]))
	fragment := binary.BigEndian.Uint16(p[6:]) & 0x3fff // more-fragments and offset
	if head < ipv4Len || head > total || total > len(p) || fragment != 0 {
		return h, nil, 0, BadHeader
	}
	h = Header{
		Source: addr4(p[12:]), Destination: addr4(p[16:]),
		TTL: p[8], ID: binary.BigEndian.Uint16(p[4:]),
	}
	return h, p[head:total], p[9], OK
}

func addr4(b []byte) netip.Addr { return netip.AddrFrom4([4]byte(b)) }

// appendIPv4 writes the header of a packet of this total length; its sum is left to the
// caller.
func appendIPv4(b []byte, h *Header, total int, protocol uint8) []byte {
	src, dst := h.Source.As4(), h.Destination.As4()
	b = append(b, 4<<4|ipv4Len/4, classSelector6)
	b = binary.BigEndian.AppendUint16(b, uint16(total))
	b = binary.BigEndian.AppendUint16(b, h.ID)
	b = append(b, 0, 0, h.TTL, protocol, 0, 0)
	b = append(b, src[:]...)
	return append(b, dst[:]...)
}
