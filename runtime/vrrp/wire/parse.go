package wire

import "net/netip"

// Transport is whom adverts are sent to.
type Transport uint8

const (
	Multicast Transport = iota
	Unicast             // to each peer; an extension of keepalived
)

// String is the word of the plan.
func (t Transport) String() string {
	if t == Unicast {
		return "unicast"
	}
	return "multicast"
}

// Dialect is what a receiver reads of what is sent to it. The zero Dialect reads
// multicast to the group of the RFC, neither authenticated by AH nor signed.
type Dialect struct {
	Transport Transport
	// Group that multicast must have come to; zero is that of the RFC.
	Group netip.Addr
	// MinTTL and MaxTTL bound the TTL or hop limit of unicast, both included; a MaxTTL
	// of 0 is 255. Multicast has 255 (RFC 9568, 7.1).
	MinTTL, MaxTTL uint8
	// OldUnicast also reads what keepalived up to 1.3.6 sends, see [OldUnicast].
	OldUnicast bool
	// AH also reads packets with an authentication header. The caller has to verify it.
	AH bool
	// Signed also reads packets with a signature. The caller has to verify it.
	Signed bool
}

var plain Dialect

// Parse is [Dialect.Parse] of the zero Dialect.
func Parse(packet []byte, a *Advert) (Header, Reason) { return plain.Parse(packet, a) }

// ParseMessage is [Dialect.ParseMessage] of the zero Dialect.
func ParseMessage(m []byte, h Header, a *Advert) Reason { return plain.ParseMessage(m, h, a) }

// Parse reads an IPv4 packet as a raw socket delivers it: reassembled, its header sum
// checked, headed by the IP header. a is filled and its Addresses are reused; what is
// there to be verified stays in packet. With a reason other than OK, Version and VRID
// are set if the packet has them and are zero otherwise; the rest of a counts for the
// reasons from UnsupportedTrailer to MalformedTrailer, which name a whole advert in a
// dialect that is not spoken here.
func (d *Dialect) Parse(packet []byte, a *Advert) (Header, Reason) {
	*a = Advert{Addresses: a.Addresses[:0]}
	h, body, protocol, reason := parseIPv4(packet)
	switch {
	case reason != OK:
		return h, reason
	case protocol == Protocol:
		return h, d.parse(body, &h, a)
	case protocol != protocolAH:
		return h, WrongProtocol
	case !d.AH:
		return h, UnsupportedAH
	}
	head := int(packet[0]&0xf) * 4
	message, reason := parseAH(packet[:head+len(body)], body, &h, a)
	if reason != OK {
		return h, reason
	}
	return h, d.parse(message, &h, a)
}

// ParseMessage reads a message whose IP layer the caller has read: what a raw IPv6
// socket delivers, with the hop limit and the addresses from its control messages. What
// it leaves in a is said at Parse.
func (d *Dialect) ParseMessage(m []byte, h Header, a *Advert) Reason {
	*a = Advert{Addresses: a.Addresses[:0]}
	return d.parse(m, &h, a)
}

func (d *Dialect) parse(m []byte, h *Header, a *Advert) Reason {
	if len(m) >= 2 {
		a.Version, a.VRID = m[0]>>4, m[1]
	}
	over6, want, reason := d.inspect(m, h, a)
	if reason != OK {
		return reason
	}
	decode(m, over6, a)
	switch {
	case len(m) != want && !d.Signed:
		return UnsupportedTrailer
	case a.Version == 2 && a.Auth > AuthAH, a.Auth == AuthAH && a.AH.packet == nil:
		return UnsupportedAuth
	case a.AH.packet != nil && a.Auth != AuthAH:
		return BadAH
	case len(m) != want:
		return parseTrailer(m, want, h, a)
	}
	return OK
}

// inspect is RFC 9568, 7.1 and RFC 3768, 7.1 as far as one packet shows. want is the
// length of the message without a trailer.
func (d *Dialect) inspect(m []byte, h *Header, a *Advert) (over6 bool, want int, reason Reason) {
	over6 = !h.Source.Is4()
	switch {
	case over6 != !h.Destination.Is4() || over6 && !(h.Source.Is6() && h.Destination.Is6()):
		return over6, 0, UnsupportedFamily
	case !d.near(h.TTL):
		return over6, 0, BadTTL
	case !d.meant(h.Destination):
		return over6, 0, WrongDestination
	case len(m) < headLen:
		return over6, 0, Truncated
	case a.Version != 3 && (a.Version != 2 || over6):
		return over6, 0, UnsupportedVersion
	case m[0]&0xf != advertType:
		return over6, 0, BadType
	case m[3] == 0:
		return over6, 0, NoAddress
	}
	want = messageLen(a.Version, over6, int(m[3]))
	switch {
	case len(m) < want:
		return over6, want, Truncated
	case len(m) != want && !d.trailed(m, want):
		return over6, want, BadLength
	case !d.summed(m, want, over6, h, a):
		return over6, want, BadChecksum
	case a.VRID == 0:
		return over6, want, BadVRID
	case interval(m, a.Version) == 0:
		return over6, want, BadInterval
	case over6 && !addressAt(m, true, 0).IsLinkLocalUnicast():
		return over6, want, NotLinkLocal
	}
	return over6, want, OK
}

// near reports whether a packet with this TTL may have come from its sender.
func (d *Dialect) near(ttl uint8) bool {
	if d.Transport == Multicast {
		return ttl == TTL
	}
	return ttl >= d.MinTTL && (ttl <= d.MaxTTL || d.MaxTTL == 0)
}

// meant reports whether a packet to this address is for the receiver. Which unicast
// address is its own the kernel knows.
func (d *Dialect) meant(to netip.Addr) bool {
	switch {
	case d.Transport == Unicast:
		return !to.IsMulticast()
	case d.Group.IsValid():
		return to == d.Group
	}
	return to == group4 || to == group6
}

// trailed reports whether a signature follows the message. Who reads signatures wants
// to hear of a malformed one.
func (d *Dialect) trailed(m []byte, want int) bool {
	return len(m) == want+trailerLen && (d.Signed || m[want] == trailerType)
}

// summed checks the sum and notes which form it has. Version 2 and IPv6 have only one.
func (d *Dialect) summed(m []byte, want int, over6 bool, h *Header, a *Advert) bool {
	if over6 {
		return intact(sum(m, pseudo(h, len(m))))
	}
	m = m[:want]
	acc := sum(m, 0)
	if a.Version == 2 {
		return intact(acc)
	}
	for form := range ChecksumForms {
		if form == OldUnicast && !(d.OldUnicast && d.Transport == Unicast) {
			continue
		}
		if intact(acc + form.before(h, len(m))) {
			a.Checksum = form
			return true
		}
	}
	return false
}
