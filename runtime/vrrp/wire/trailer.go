package wire

import (
	"crypto/hmac"
	"encoding/binary"
	"net/netip"
)

// The signature that keepalived 2.4 adds behind the message when it has auth_hmac
// (draft-cassen-vrrp-auth-hmac), in any version, family and transport, by offset:
//
//	 0  type 1: HMAC-SHA256, of which 16 bytes are sent
//	 1  id of the key, 1..255
//	 2  reserved, zero
//	 4  sequence number: seconds since 1970, 1/65536 s, counter
//	12  16 bytes of the HMAC
//
// The HMAC covers a pseudo header of 20 bytes (family 4 or 6, version, id of the virtual
// router, zero, source address padded to 16 bytes), the message with its checksum as
// zero, and the trailer with its HMAC as zero. It covers neither the destination nor the
// TTL, so that one signature serves every peer.
//
// Over IPv4 the checksum of the message, and the length in its pseudo header, leave the
// trailer out; over IPv6 they include it.
const (
	trailerType = 1
	trailerLen  = 28
	macAt       = 12
	macLen      = 16
	// TrailerOverhead is how many bytes a signature adds to a packet.
	TrailerOverhead = trailerLen
)

// Trailer is the signature of one advert.
type Trailer struct {
	ID uint8 // of the key; 0: the advert is not signed
	// Sequence is above that of every advert before it, see [Sender].
	Sequence Sequence
	// Key that Append signs with, whose id is ID. Parse leaves it nil.
	Key *Key

	// What was received, for Ring.Verify.
	message []byte // with the trailer
	source  netip.Addr
}

// Sign makes Append sign with a key.
func (a *Advert) Sign(k *Key, s Sequence) { a.Trailer = Trailer{ID: k.ID(), Sequence: s, Key: k} }

// parseTrailer reads what follows the first want bytes.
func parseTrailer(m []byte, want int, h *Header, a *Advert) Reason {
	t := m[want:]
	if t[0] != trailerType || t[1] == 0 || t[2] != 0 || t[3] != 0 {
		return MalformedTrailer
	}
	a.Trailer = Trailer{
		ID: t[1], Sequence: Sequence(binary.BigEndian.Uint64(t[4:])),
		message: m, source: h.Source,
	}
	return OK
}

// appendTrailer signs the message, which starts at offset body of b.
func appendTrailer(b []byte, body int, h *Header, a *Advert) []byte {
	message := len(b)
	b = append(b, trailerType, a.Trailer.ID, 0, 0)
	b = binary.BigEndian.AppendUint64(b, uint64(a.Trailer.Sequence))
	b = append(b, make([]byte, macLen)...)
	copy(b[message+macAt:], a.Trailer.Key.mac(b[body:], h.Source))
	return b
}

// mac of a message with its trailer, valid until the key is used again.
func (k *Key) mac(m []byte, source netip.Addr) []byte {
	zeros := k.scratch[32:][:macLen]
	clear(k.scratch[:])
	head := append(k.scratch[:0], 6, m[0]>>4, m[1], 0)
	if source.Is4() {
		raw := source.As4()
		head[0] = 4
		copy(k.scratch[4:], raw[:])
	} else {
		raw := source.As16()
		copy(k.scratch[4:], raw[:])
	}
	return k.sum(k.scratch[:20], m[:6], zeros[:2], m[8:len(m)-macLen], zeros)[:macLen]
}

// verify reports in constant time whether the key has signed what was received.
func (k *Key) verify(t *Trailer) bool {
	m := t.message
	return m != nil && hmac.Equal(k.mac(m, t.source), m[len(m)-macLen:])
}
