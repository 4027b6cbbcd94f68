package wire

import (
	"crypto/hmac"
	"crypto/md5"
	"encoding/binary"
	"fmt"
)

// The authentication header (RFC 2402, 2), as keepalived puts it between IPv4 and
// version 2, by offset:
//
//	 0  next header 112
//	 1  length 4: in words of 4 bytes, two of them not counted
//	 2  reserved
//	 4  security parameters index: keepalived has the source address here
//	 8  sequence number
//	12  integrity check value, 12 bytes of an HMAC-MD5 (RFC 2403)
//
// The value covers the IP header without what routers change, the header above with the
// value as zero, and the message. It is here to talk to what exists: MD5 with a key of
// eight bytes keeps nobody out for long.
const (
	protocolAH = 51
	ahLen      = 24
	icvAt      = 12
	icvLen     = 12
	// AHOverhead is how many bytes the header adds to a packet.
	AHOverhead = ahLen
)

// AH is the authentication header of one advert.
type AH struct {
	// Sequence is above that of every advert before it, or receivers drop it.
	Sequence uint32
	// Key that Append signs with. Parse leaves it nil.
	Key *AHKey

	packet []byte // what was received, for Verify
}

// AHKey signs and verifies authentication headers. It belongs to one goroutine.
type AHKey struct{ keyed }

// NewAHKey is the key that keepalived makes of auth_pass.
func NewAHKey(secret Password) *AHKey { return &AHKey{newKeyed(md5.New, secret[:])} }

// Format writes a placeholder whatever the verb.
func (AHKey) Format(s fmt.State, _ rune) { hide(s) }

// MarshalText writes a placeholder; encoding/json and log/slog ask it.
func (AHKey) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// Verify reports whether a was sent by somebody with the key, in constant time. It reads
// the packet that a was parsed from, which must not have changed since. Whether its
// sequence number is new is for the router to say.
func (k *AHKey) Verify(a *Advert) bool {
	p := a.AH.packet
	return p != nil && hmac.Equal(k.icv(p), p[ipv4Len+icvAt:][:icvLen])
}

// icv of a packet with an IP header of 20 bytes; valid until the key is used again.
func (k *AHKey) icv(packet []byte) []byte {
	head := k.scratch[:ipv4Len+ahLen]
	copy(head, packet)
	head[1] = 0        // type of service
	clear(head[6:8])   // fragment
	clear(head[10:12]) // checksum
	if head[16]>>4 != 0xe {
		head[8] = 0 // the TTL of multicast stays, says keepalived
	}
	clear(head[ipv4Len+icvAt:])
	return k.sum(head, packet[ipv4Len+ahLen:])[:icvLen]
}

// parseAH takes the header off what follows the IP header.
func parseAH(packet, body []byte, h *Header, a *Advert) ([]byte, Reason) {
	switch {
	case len(packet)-len(body) != ipv4Len, len(body) < ahLen,
		body[0] != Protocol, body[1] != ahLen/4-2, addr4(body[4:]) != h.Source:
		return nil, BadAH
	}
	a.AH = AH{Sequence: binary.BigEndian.Uint32(body[8:]), packet: packet}
	return body[ahLen:], OK
}

// appendAH leaves the value as zero.
func appendAH(b []byte, h *Header, sequence uint32) []byte {
	src := h.Source.As4()
	b = append(b, Protocol, ahLen/4-2, 0, 0)
	b = append(b, src[:]...)
	b = binary.BigEndian.AppendUint32(b, sequence)
	return append(b, make([]byte, icvLen)...)
}

// sealAH puts the value into a packet that is otherwise complete.
func (k *AHKey) sealAH(packet []byte) { copy(packet[ipv4Len+icvAt:][:icvLen], k.icv(packet)) }
