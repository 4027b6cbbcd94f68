package wire

import (
	"bytes"
	"net/netip"
	"reflect"
	"testing"
)

// dialectOf draws a dialect from the bits of a byte.
func dialectOf(bits uint8) *Dialect {
	return &Dialect{
		Transport:  Transport(bits & 1),
		OldUnicast: bits&2 != 0,
		AH:         bits&4 != 0,
		Signed:     bits&8 != 0,
	}
}

var (
	fuzzAH   = NewAHKey(NewPassword("ahpass12"))
	fuzzKeys = func() (keys [256]*Key) {
		for id := 1; id < 256; id++ {
			keys[id], _ = NewKey(uint8(id), bytes.Repeat([]byte{byte(id)}, KeyMin))
		}
		return keys
	}()
)

// withKeys makes what was read ready to be sent, signed anew.
func withKeys(a Advert) Advert {
	if a.Auth == AuthAH {
		a.AH = AH{Sequence: a.AH.Sequence, Key: fuzzAH}
	}
	if a.Signed() {
		a.Sign(fuzzKeys[a.Trailer.ID], a.Trailer.Sequence)
	}
	return a
}

// genuine reports whether what was read has our signatures, if any.
func genuine(a *Advert) bool {
	if a.Auth == AuthAH && !fuzzAH.Verify(a) {
		return false
	}
	return !a.Signed() || fuzzKeys[a.Trailer.ID].verify(&a.Trailer)
}

// same lets a checksum that fits several forms come back as either, and leaves out what
// only the receiver has.
func same(a, b Advert) bool {
	for _, x := range []*Advert{&a, &b} {
		x.Checksum = 0
		x.AH = AH{Sequence: x.AH.Sequence}
		x.Trailer = Trailer{ID: x.Trailer.ID, Sequence: x.Trailer.Sequence}
	}
	return reflect.DeepEqual(a, b)
}

// looksAway clears what a receiver ignores or has no key for, and the sum that covers it.
func looksAway(message []byte, a *Advert) []byte {
	m := bytes.Clone(message)
	m[6], m[7] = 0, 0
	n := messageLen(a.Version, a.Over6(), len(a.Addresses))
	if a.Version == 3 {
		m[4] &= 0xf
	} else if a.Auth != AuthPass {
		clear(m[n-authLen : n])
	}
	if a.Signed() {
		clear(m[n+macAt:])
	}
	return m
}

// What is accepted can be sent, is read back as the same advert, and differs from what
// came only where the receiver has to look away.
func FuzzParse(f *testing.F) {
	for _, v := range readVectors(f) {
		if p := v.packet(f); p != nil {
			f.Add(p, uint8(15))
			f.Add(p, uint8(12))
		} else if m := v.bytes(f, "message"); v.fields["from"] == "" || v.fields["from"][0] == '1' {
			head := appendIPv4(nil, &Header{Source: netip.MustParseAddr("10.98.1.1"), Destination: Group(), TTL: TTL}, ipv4Len+len(m), Protocol)
			f.Add(append(head, m...), uint8(8))
		}
	}
	f.Fuzz(func(t *testing.T, packet []byte, bits uint8) {
		d := dialectOf(bits)
		var a, back Advert
		h, reason := d.Parse(packet, &a)
		if reason != OK {
			return
		}
		genuine(&a) // must not panic
		before := looksAway(bodyOf(packet, &a), &a)
		if h.TTL == 0 {
			h.TTL = TTL
		}
		if h.ID == 0 {
			h.ID = 1
		}
		out := withKeys(a)
		sent := Append(nil, h, &out)
		again, reason := d.Parse(sent, &back)
		if reason != OK || again != h || !same(a, back) || !genuine(&back) {
			t.Fatalf("%s\nsent as %x\nread as %s, %s", &a, sent, &back, reason)
		}
		if got := looksAway(bodyOf(sent, &a), &a); !bytes.Equal(got, before) {
			t.Fatalf("%x was sent as %x", before, got)
		}
	})
}

// bodyOf is the message of a packet that was accepted.
func bodyOf(packet []byte, a *Advert) []byte {
	_, body, _, _ := parseIPv4(packet)
	if a.Auth == AuthAH {
		body = body[ahLen:]
	}
	return body
}

// The same for what a raw IPv6 socket delivers.
func FuzzParseMessage(f *testing.F) {
	for _, v := range readVectors(f) {
		if from, err := netip.ParseAddr(v.fields["from"]); err == nil && from.Is6() {
			to := netip.MustParseAddr(v.fields["to"]).As16()
			src := from.As16()
			f.Add(v.bytes(f, "message"), src[:], to[:], uint8(TTL), uint8(8))
			f.Add(v.bytes(f, "message"), src[:], to[:], uint8(64), uint8(9))
		}
	}
	f.Fuzz(func(t *testing.T, message, from, to []byte, hops, bits uint8) {
		src, ok := netip.AddrFromSlice(from)
		dst, ok2 := netip.AddrFromSlice(to)
		if !ok || !ok2 {
			return
		}
		d := dialectOf(bits)
		h := Header{Source: src, Destination: dst, TTL: hops}
		var a, back Advert
		if d.ParseMessage(message, h, &a) != OK {
			return
		}
		genuine(&a)
		if !src.Is6() {
			return // FuzzParse
		}
		out := withKeys(a)
		sent := AppendMessage(nil, h, &out)
		if reason := d.ParseMessage(sent, h, &back); reason != OK || !same(a, back) || !genuine(&back) {
			t.Fatalf("%s\nsent as %x\nread as %s, %s", &a, sent, &back, reason)
		}
		if got, want := looksAway(sent, &a), looksAway(message, &a); !bytes.Equal(got, want) {
			t.Fatalf("%x was sent as %x", want, got)
		}
	})
}
