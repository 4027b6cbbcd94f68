package vrrp

import "hafile/runtime/vrrp/wire"

// ah is the authentication header's state of one router. Sent and heard numbers are one
// row, as keepalived has it: whoever becomes active goes on behind the active before it,
// and one that meets a lesser active goes on behind that.
type ah struct {
	keys  map[wire.Password]*wire.AHKey
	sent  uint32 // used last, by us or by whom we heard
	heard uint32 // accepted last
}

func (h *ah) key(p wire.Password) *wire.AHKey {
	k := h.keys[p]
	if k == nil {
		k = wire.NewAHKey(p)
		if h.keys == nil {
			h.keys = map[wire.Password]*wire.AHKey{}
		}
		h.keys[p] = k
	}
	return k
}

// judge verifies an advert that belongs to a face. A number that was heard before is a
// packet from then (RFC 2402, 3.4.3).
func (h *ah) judge(f Face, a *Advert) Reason {
	switch {
	case f.Auth != wire.AuthAH:
		return wire.OK
	case !h.key(f.Password).Verify(a):
		return wire.AuthFailed
	case a.AH.Sequence <= h.heard:
		return wire.Replayed
	}
	h.heard, h.sent = a.AH.Sequence, max(h.sent, a.AH.Sequence)
	return wire.OK
}

// Continue goes on with the numbers of a router before this one.
func (r *Router) Continue(before *Router) {
	r.ah, r.signatures = before.ah, before.signatures
	r.signatures.change(r.spec.Signing)
}

// sign makes the codec add the header.
func (h *ah) sign(a *Advert) {
	h.sent++
	a.AH = wire.AH{Sequence: h.sent, Key: h.key(a.Password)}
}
