package wire

import "encoding/binary"

// ChecksumForm is what the checksum of version 3 over IPv4 covers. RFC 5798 was read by
// some as asking for a pseudo header; RFC 9568, 5.2.8 says that IPv4 has none. Over IPv6
// there is one form only, with the pseudo header of RFC 8200, 8.1 and over everything
// behind the IP header, a signature included.
type ChecksumForm uint8

const (
	PseudoHeader ChecksumForm = iota // what keepalived and FRR send, and keepalived accepts
	MessageOnly
	// OldUnicast has 224.0.0.18 in the pseudo header of a unicast packet: what
	// keepalived up to 1.3.6 sends.
	OldUnicast
	ChecksumForms // how many there are
)

// String is the RFC that the form is named for, if there is one.
func (f ChecksumForm) String() string {
	switch f {
	case MessageOnly:
		return "rfc9568"
	case OldUnicast:
		return "old_unicast"
	}
	return "rfc5798"
}

// Mirror is the answer to "auto": the form of the last advert that was accepted, so that
// a router which takes over speaks as the one before it did. The zero Mirror sends
// [PseudoHeader].
type Mirror struct{ form ChecksumForm }

// Heard is told what was accepted while backup. Only version 3 over IPv4 has a choice.
func (m *Mirror) Heard(a *Advert) {
	if a.Version == 3 && !a.Over6() {
		m.form = a.Checksum
	}
}

// Form to send.
func (m Mirror) Form() ChecksumForm { return m.form }

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

// seal writes the checksum at offset at, over everything, on top of acc.
func seal(b []byte, at int, acc uint32) {
	binary.BigEndian.PutUint16(b[at:], ^fold(sum(b, acc)))
}

// pseudo is the sum of the pseudo header before so many bytes. Both families add the
// same words: the addresses, the length and the protocol.
func pseudo(h *Header, length int) uint32 {
	acc := Protocol + uint32(length)
	if h.Source.Is4() {
		src, dst := h.Source.As4(), h.Destination.As4()
		return sum(src[:], sum(dst[:], acc))
	}
	src, dst := h.Source.As16(), h.Destination.As16()
	return sum(src[:], sum(dst[:], acc))
}

// before is what is summed in front of a message of this form.
func (f ChecksumForm) before(h *Header, length int) uint32 {
	switch f {
	case PseudoHeader:
		return pseudo(h, length)
	case OldUnicast:
		return pseudo(&Header{Source: h.Source, Destination: group4}, length)
	}
	return 0
}
