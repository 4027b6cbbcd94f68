package wire

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Protocol is VRRP's number in the IP header, and its next header in IPv6's.
const Protocol = 112

// TTL is what adverts are sent with; a lesser one has crossed a router and proves that
// its sender is not on this segment (RFC 9568, 5.1.1.3 and 5.1.2.3).
const TTL = 255

var (
	group4 = netip.AddrFrom4([4]byte{224, 0, 0, 18})
	group6 = netip.AddrFrom16([16]byte{0xff, 0x02, 15: 0x12})
)

// Group is the address that adverts over IPv4 are sent to (RFC 9568, 5.1.1.2).
func Group() netip.Addr { return group4 }

// Group6 is the address that adverts over IPv6 are sent to (RFC 9568, 5.1.2.2).
func Group6() netip.Addr { return group6 }

// Header is what the IP layer says of an advert. Its addresses have no zone.
type Header struct {
	Source      netip.Addr
	Destination netip.Addr
	TTL         uint8  // hop limit of IPv6
	ID          uint16 // IPv4 identification; only sending uses it
}

// Advert is the message of RFC 9568, 5 and of RFC 3768, 5, with what authenticates it.
type Advert struct {
	Version  uint8         // 2 or 3
	VRID     uint8         // 1..255
	Priority uint8         // 0 says goodbye, 255 is the owner of the addresses
	Interval time.Duration // version 2: whole seconds, 1..255; version 3: 10 ms to 40.95 s in steps of 10 ms
	Auth     AuthType      // version 2 only
	Password Password      // with AuthPass
	Checksum ChecksumForm  // version 3 over IPv4 only
	// Addresses are 1 to 255 of one family, in the order of the packet. Over IPv6 the
	// first is link-local (RFC 9568, 5.2.9).
	Addresses []netip.Addr

	AH      AH      // with AuthAH
	Trailer Trailer // of a signed advert
}

// AuthType is version 2's authentication type, by its number on the wire.
type AuthType uint8

const (
	AuthNone AuthType = 0
	AuthPass AuthType = 1
	AuthAH   AuthType = 2
)

// String is the name that keepalived's auth_type gives it.
func (t AuthType) String() string {
	switch t {
	case AuthNone:
		return "none"
	case AuthPass:
		return "PASS"
	case AuthAH:
		return "AH"
	}
	return "type " + strconv.Itoa(int(t))
}

// Signed reports whether an HMAC trailer follows the message.
func (a *Advert) Signed() bool { return a.Trailer.ID != 0 }

// Over6 reports whether the advert goes over IPv6: its addresses say so.
func (a *Advert) Over6() bool { return len(a.Addresses) > 0 && !a.Addresses[0].Is4() }

// String is the advert on one line, without its password.
func (a *Advert) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "v%d vrid %d priority %d every %s", a.Version, a.VRID, a.Priority, a.Interval)
	switch {
	case a.Version == 2:
		fmt.Fprintf(&b, " %s", a.Auth)
	case !a.Over6():
		fmt.Fprintf(&b, " %s", a.Checksum)
	}
	for _, addr := range a.Addresses {
		fmt.Fprintf(&b, " %s", addr)
	}
	if a.Auth == AuthAH {
		fmt.Fprintf(&b, " sequence %d", a.AH.Sequence)
	}
	if a.Signed() {
		fmt.Fprintf(&b, " key %d sequence %s", a.Trailer.ID, a.Trailer.Sequence)
	}
	return b.String()
}

// Check says what keeps an advert from being sent. The plan's bounds are narrower, so
// that an error here is a mistake in code.
func (a *Advert) Check() error {
	unit, limit := centisecond, 4095*centisecond
	if a.Version == 2 {
		unit, limit = time.Second, 255*time.Second
	}
	switch {
	case a.Version != 2 && a.Version != 3:
		return fmt.Errorf("version %d", a.Version)
	case a.VRID == 0:
		return fmt.Errorf("virtual router id 0")
	case len(a.Addresses) == 0 || len(a.Addresses) > 255:
		return fmt.Errorf("%d addresses", len(a.Addresses))
	case a.Interval < unit || a.Interval > limit || a.Interval%unit != 0:
		return fmt.Errorf("interval %s in version %d", a.Interval, a.Version)
	case a.Auth != AuthNone && (a.Version != 2 || a.Auth > AuthAH):
		return fmt.Errorf("authentication %s in version %d", a.Auth, a.Version)
	case a.Auth == AuthAH && a.AH.Key == nil:
		return fmt.Errorf("authentication AH without a key")
	case a.Signed() && (a.Trailer.Key == nil || a.Trailer.Key.ID() != a.Trailer.ID):
		return fmt.Errorf("signature without the key %d", a.Trailer.ID)
	case a.Checksum >= ChecksumForms:
		return fmt.Errorf("checksum form %d", a.Checksum)
	}
	if a.Over6() {
		return a.check6()
	}
	for _, addr := range a.Addresses {
		if !addr.Is4() {
			return fmt.Errorf("address %s in an IPv4 advert", addr)
		}
	}
	return nil
}

func (a *Advert) check6() error {
	switch {
	case a.Version != 3:
		return fmt.Errorf("version %d over IPv6", a.Version)
	case a.Checksum != PseudoHeader:
		return fmt.Errorf("checksum form %s over IPv6", a.Checksum)
	case !a.Addresses[0].IsLinkLocalUnicast():
		return fmt.Errorf("first address %s is not link-local", a.Addresses[0])
	}
	for _, addr := range a.Addresses {
		if !addr.Is6() || addr.Is4In6() || addr.Zone() != "" {
			return fmt.Errorf("address %s in an IPv6 advert", addr)
		}
	}
	return nil
}
