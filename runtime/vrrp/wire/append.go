package wire

// Append adds a whole IPv4 packet to b and allocates only if b has no room. A zero
// destination is the group, a zero TTL is 255, and multicast has no other. An advert
// with AH needs an ID that is not zero: the kernel replaces a zero, and the header would
// no longer verify. It panics where Check fails.
func Append(b []byte, h Header, a *Advert) []byte {
	check(&h, a, false)
	start := len(b)
	total := ipv4Len + messageLen(a.Version, false, len(a.Addresses))
	protocol := uint8(Protocol)
	if a.Auth == AuthAH {
		if h.ID == 0 {
			panic("wire: AH with an identification of 0")
		}
		protocol = protocolAH
		total += ahLen
	}
	if a.Signed() {
		total += trailerLen
	}
	b = appendIPv4(b, &h, total, protocol)
	seal(b[start:], 10, 0)
	if a.Auth == AuthAH {
		b = appendAH(b, &h, a.AH.Sequence)
	}
	b = appendMessage(b, &h, a)
	if a.Auth == AuthAH {
		a.AH.Key.sealAH(b[start:])
	}
	return b
}

// AppendMessage adds what a raw IPv6 socket is given: all that follows the IP header,
// with its checksum. The header's source is what the packet will have; the rest is as
// with Append. It panics where Check fails.
func AppendMessage(b []byte, h Header, a *Advert) []byte {
	check(&h, a, true)
	return appendMessage(b, &h, a)
}

// check completes the header and panics where it does not fit the advert.
func check(h *Header, a *Advert, over6 bool) {
	if err := a.Check(); err != nil {
		panic("wire: " + err.Error())
	}
	if !h.Destination.IsValid() {
		h.Destination = group4
		if over6 {
			h.Destination = group6
		}
	}
	if a.Over6() != over6 || h.Source.Is4() == over6 || h.Destination.Is4() == over6 {
		panic("wire: " + a.String() + " from " + h.Source.String() + " to " + h.Destination.String())
	}
	if h.TTL == 0 || h.Destination.IsMulticast() {
		h.TTL = TTL
	}
}

func appendMessage(b []byte, h *Header, a *Advert) []byte {
	body := len(b)
	b = encode(b, a)
	summed := len(b)
	if a.Signed() {
		b = appendTrailer(b, body, h, a)
	}
	acc := uint32(0)
	switch {
	case a.Over6():
		summed = len(b)
		acc = pseudo(h, summed-body)
	case a.Version == 3:
		acc = a.Checksum.before(h, summed-body)
	}
	seal(b[body:summed], 6, acc)
	return b
}
