package wire

import "encoding/binary"

// sum adds 16-bit words in network order (RFC 1071); an odd last byte is the high half
// of a word. The longest message fits many times into 32 bits.
func sum(b []byte, acc uint32) uint32 {
	for ; len(b) > 1; b = b[2:] {
		acc += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		acc += uint32(b[0]) << 8
	}
	return acc
}

// fold makes the ones' complement sum of what was added.
func fold(acc uint32) uint16 {
	for acc > 0xffff {
		acc = acc>>16 + acc&0xffff
	}
	return uint16(acc)
}

// intact reports whether the sum over everything, the checksum included, is whole.
func intact(acc uint32) bool { return fold(acc) == 0xffff }

// pseudo is the sum of the pseudo header that stands before a message of this length.
func pseudo(h *Header, length int) uint32 {
	src, dst := h.Source.As4(), h.Destination.As4()
	return sum(src[:], sum(dst[:], Protocol+uint32(length)))
}
