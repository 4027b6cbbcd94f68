package wire

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// The message, by offset:
//
//	   version 2 (RFC 3768, 5)      version 3 (RFC 9568, 5.2)
//	0  version 2, type 1            version 3, type 1
//	1  virtual router id            virtual router id
//	2  priority                     priority
//	3  count of addresses           count of addresses
//	4  authentication type          4 reserved bits, 12 bits interval in centiseconds
//	5  interval in seconds
//	6  checksum                     checksum
//	8  addresses of 4 bytes         addresses of 4 or 16 bytes
//	   8 bytes of authentication
//	   data, whatever the type
const (
	headLen     = 8
	authLen     = 8
	advertType  = 1
	centisecond = 10 * time.Millisecond
)

// messageLen is the only length that a message with so many addresses has (without a
// trailer).
func messageLen(version uint8, over6 bool, addresses int) int {
	switch {
	case over6:
		return headLen + 16*addresses
	case version == 2:
		return headLen + 4*addresses + authLen
	}
	return headLen + 4*addresses
}

// interval ignores the reserved nibble of version 3 (RFC 9568, 5.2.6).
func interval(m []byte, version uint8) time.Duration {
	if version == 2 {
		return time.Duration(m[5]) * time.Second
	}
	return time.Duration(binary.BigEndian.Uint16(m[4:])&0xfff) * centisecond
}

// decode reads a message whose length and version have been checked. The authentication
// data of a packet without authentication means nothing (RFC 3768, 5.3.10).
func decode(m []byte, over6 bool, a *Advert) {
	a.Priority = m[2]
	a.Interval = interval(m, a.Version)
	for i := range int(m[3]) {
		a.Addresses = append(a.Addresses, addressAt(m, over6, i))
	}
	if a.Version == 2 {
		a.Auth = AuthType(m[4])
		if a.Auth == AuthPass {
			a.Password = Password(m[headLen+4*int(m[3]):][:authLen])
		}
	}
}

func addressAt(m []byte, over6 bool, i int) netip.Addr {
	if over6 {
		return netip.AddrFrom16([16]byte(m[headLen+16*i:]))
	}
	return addr4(m[headLen+4*i:])
}

// encode adds the message with a checksum of zero.
func encode(b []byte, a *Advert) []byte {
	b = append(b, a.Version<<4|advertType, a.VRID, a.Priority, uint8(len(a.Addresses)))
	if a.Version == 2 {
		b = append(b, uint8(a.Auth), uint8(a.Interval/time.Second))
	} else {
		b = binary.BigEndian.AppendUint16(b, uint16(a.Interval/centisecond))
	}
	b = append(b, 0, 0)
	for _, addr := range a.Addresses {
		if addr.Is4() {
			raw := addr.As4()
			b = append(b, raw[:]...)
		} else {
			raw := addr.As16()
			b = append(b, raw[:]...)
		}
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
