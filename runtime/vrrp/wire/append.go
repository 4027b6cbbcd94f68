package wire

import (
	"encoding/binary"
	"fmt"
	"time"
)

// classSelector6 marks control traffic, as keepalived does.
const classSelector6 = 0xc0

// Append adds a whole IPv4 packet to b and allocates only if b has no room. A zero
// destination is the group; the TTL is always 255. It panics where Check fails.
func Append(b []byte, h Header, a *Advert) []byte {
	if err := a.Check(); err != nil {
		panic("wire: " + err.Error())
	}
	if !h.Destination.IsValid() {
		h.Destination = group
	}
	start := len(b)
	b = appendHeader(b, &h, ipv4Len+messageLen(a.Version, len(a.Addresses)))
	body := len(b)
	b = appendMessage(b, a)
	seal(b[start:body], 10, 0)
	acc := uint32(0)
	if a.Version == 3 && a.Checksum == PseudoHeader {
		acc = pseudo(&h, len(b)-body)
	}
	seal(b[body:], 6, acc)
	return b
}

// seal writes the checksum at offset at, over everything, on top of acc.
func seal(b []byte, at int, acc uint32) {
	binary.BigEndian.PutUint16(b[at:], ^fold(sum(b, acc)))
}

func appendHeader(b []byte, h *Header, total int) []byte {
	src, dst := h.Source.As4(), h.Destination.As4()
	b = append(b, 4<<4|ipv4Len/4, classSelector6)
	b = binary.BigEndian.AppendUint16(b, uint16(total))
	b = binary.BigEndian.AppendUint16(b, h.ID)
	b = append(b, 0, 0, TTL, Protocol, 0, 0)
	b = append(b, src[:]...)
	return append(b, dst[:]...)
}

func appendMessage(b []byte, a *Advert) []byte {
	b = append(b, a.Version<<4|advertType, a.VRID, a.Priority, uint8(len(a.Addresses)))
	if a.Version == 2 {
		b = append(b, uint8(a.Auth), uint8(a.Interval/time.Second))
	} else {
		b = binary.BigEndian.AppendUint16(b, uint16(a.Interval/centisecond))
	}
	b = append(b, 0, 0)
	for _, addr := range a.Addresses {
		raw := addr.As4()
		b = append(b, raw[:]...)
	}
	if a.Version == 2 {
		secret := a.Password
		if a.Auth != AuthPass {
			secret = Password{}
		}
		b = append(b, secret[:]...)
	}
	return b
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
	case a.Auth != AuthNone && (a.Version != 2 || a.Auth != AuthPass):
		return fmt.Errorf("authentication %s in version %d", a.Auth, a.Version)
	case a.Checksum >= ChecksumForms:
		return fmt.Errorf("checksum form %d", a.Checksum)
	}
	for _, addr := range a.Addresses {
		if !addr.Is4() {
			return fmt.Errorf("address %s in an IPv4 advert", addr)
		}
	}
	return nil
}
