package wire

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Protocol is VRRP's number in the IP header.
const Protocol = 112

// TTL is what every advert is sent with; a lesser one has crossed a router and proves
// that its sender is not on this segment (RFC 9568, 5.1.1.3).
const TTL = 255

// group is where adverts go.
var group = netip.AddrFrom4([4]byte{224, 0, 0, 18})

// Group is the address that adverts over IPv4 are sent to (RFC 9568, 5.1.1.2).
func Group() netip.Addr { return group }

// Header is what the IP layer says of an advert.
type Header struct {
	Source      netip.Addr
	Destination netip.Addr
	TTL         uint8
	ID          uint16 // IPv4 identification; only sending uses it
}

// Advert is the message of RFC 9568, 5 and of RFC 3768, 5.
type Advert struct {
	Version  uint8         // 2 or 3
	VRID     uint8         // 1..255
	Priority uint8         // 0 says goodbye, 255 is the owner of the addresses
	Interval time.Duration // version 2: whole seconds, 1..255; version 3: 10 ms to 40.95 s in steps of 10 ms
	Auth     AuthType      // version 2 only
	Password Password      // with AuthPass
	Checksum ChecksumForm  // version 3 only
	// Addresses are 1 to 255, in the order of the packet.
	Addresses []netip.Addr
}

// AuthType is version 2's authentication type, by its number on the wire.
type AuthType uint8

const (
	AuthNone AuthType = 0
	AuthPass AuthType = 1
)

// String is the name that keepalived's auth_type gives it.
func (t AuthType) String() string {
	switch t {
	case AuthNone:
		return "none"
	case AuthPass:
		return "PASS"
	case 2:
		return "AH"
	}
	return "type " + strconv.Itoa(int(t))
}

// ChecksumForm is what the checksum of version 3 over IPv4 covers. RFC 5798 was read by
// some as asking for a pseudo header; RFC 9568, 5.2.8 says that IPv4 has none.
type ChecksumForm uint8

const (
	PseudoHeader ChecksumForm = iota // what keepalived and FRR send, and keepalived accepts
	MessageOnly
	ChecksumForms // how many there are
)

// String is the RFC that the form is named for.
func (f ChecksumForm) String() string {
	if f == MessageOnly {
		return "rfc9568"
	}
	return "rfc5798"
}

// String is the advert on one line, without its password.
func (a *Advert) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "v%d vrid %d priority %d every %s", a.Version, a.VRID, a.Priority, a.Interval)
	if a.Version == 2 {
		fmt.Fprintf(&b, " %s", a.Auth)
	} else {
		fmt.Fprintf(&b, " %s", a.Checksum)
	}
	for _, addr := range a.Addresses {
		fmt.Fprintf(&b, " %s", addr)
	}
	return b.String()
}
