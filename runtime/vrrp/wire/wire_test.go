package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

var source = Header{Source: netip.MustParseAddr("192.0.2.1"), ID: 7}

func advert(version uint8) Advert {
	return Advert{
		Version: version, VRID: 51, Priority: 100, Interval: time.Second,
		Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("192.0.2.11")},
	}
}

// edit changes one byte of a good packet and mends the sums, so that only the check in
// question can refuse it.
func edit(a Advert, change func(p []byte) []byte) []byte {
	p := change(Append(nil, source, &a))
	h, message, protocol, reason := parseIPv4(p)
	if reason != OK || protocol != Protocol {
		return p
	}
	if len(message) >= headLen {
		message[6], message[7] = 0, 0
		acc := uint32(0)
		if a.Version == 3 {
			acc = pseudo(&h, len(message))
		}
		seal(message, 6, acc)
	}
	return p
}

func TestPacketsAreRefusedByReason(t *testing.T) {
	set := func(at int, to byte) func([]byte) []byte {
		return func(p []byte) []byte { p[at] = to; return p }
	}
	cases := []struct {
		name    string
		version uint8
		change  func([]byte) []byte
		want    Reason
	}{
		{"nothing", 2, func([]byte) []byte { return nil }, BadHeader},
		{"half an IP header", 2, func(p []byte) []byte { return p[:19] }, BadHeader},
		{"IPv5", 2, set(0, 0x55), BadHeader},
		{"IPv6", 2, set(0, 0x60), UnsupportedFamily},
		{"IP header of 16 bytes", 2, set(0, 0x44), BadHeader},
		{"message of four bytes", 3, set(3, 24), Truncated},
		{"total length beyond what came", 3, set(3, 200), BadHeader},
		{"total length within the header", 3, set(3, 10), BadHeader},
		{"first fragment", 3, set(6, 0x20), BadHeader},
		{"later fragment", 3, set(7, 1), BadHeader},
		{"do not fragment is no fragment", 3, set(6, 0x40), OK},
		{"ICMP", 2, set(9, 1), WrongProtocol},
		{"AH", 2, set(9, 51), UnsupportedAH},
		{"TTL 254, 5.1.1.3", 2, set(8, 254), BadTTL},
		{"unicast", 3, set(16, 10), WrongDestination},
		{"version 1", 2, set(20, 0x11), UnsupportedVersion},
		{"version 4", 3, set(20, 0x41), UnsupportedVersion},
		{"type 2", 3, set(20, 0x32), BadType},
		{"count 0, erratum 8299", 3, set(23, 0), NoAddress},
		{"one address more than counted", 3, set(23, 1), BadLength},
		{"one address fewer than counted", 3, set(23, 3), Truncated},
		{"one address more than counted, version 2", 2, set(23, 1), BadLength},
		{"VRID 0", 2, set(21, 0), BadVRID},
		{"interval 0, erratum 8301", 3, func(p []byte) []byte { p[24], p[25] = 0xf0, 0; return p }, BadInterval},
		{"interval 0, version 2", 2, set(25, 0), BadInterval},
		{"auth type AH", 2, set(24, 2), UnsupportedAuth},
		{"auth type 9", 2, set(24, 9), UnsupportedAuth},
		{"padding of the frame", 3, func(p []byte) []byte { return append(p, make([]byte, 10)...) }, OK},
		{"auth data without auth, RFC 3768, 5.3.10", 2, set(39, 0x77), OK},
		{"reserved nibble, 5.2.6", 3, func(p []byte) []byte { p[24] |= 0xf0; return p }, OK},
	}
	for _, c := range cases {
		var a Advert
		if _, got := Parse(edit(advert(c.version), c.change), &a); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// Every single flipped bit of a message is noticed by the sum, whatever its form.
func TestFlippedBitsAreRefused(t *testing.T) {
	for _, form := range []ChecksumForm{PseudoHeader, MessageOnly} {
		a := advert(3)
		a.Checksum = form
		p := Append(nil, source, &a)
		for bit := ipv4Len * 8; bit < len(p)*8; bit++ {
			p[bit/8] ^= 1 << (bit % 8)
			var got Advert
			if _, reason := Parse(p, &got); reason == OK {
				t.Errorf("%s: bit %d passed", form, bit)
			}
			p[bit/8] ^= 1 << (bit % 8)
		}
	}
}

// A caller counts a refused packet under its router, if the packet is so far legible.
func TestRefusedPacketsShowTheirVRID(t *testing.T) {
	a := Advert{Interval: time.Hour, Addresses: []netip.Addr{netip.IPv6Loopback()}}
	p := Append(nil, source, &Advert{Version: 3, VRID: 9, Priority: 1, Interval: time.Second, Addresses: advert(3).Addresses})
	p[27] ^= 1
	if _, reason := Parse(p, &a); reason != BadChecksum || a.VRID != 9 || a.Version != 3 || a.Interval != 0 {
		t.Errorf("%s with %s", reason, &a)
	}
	p[0] = 0
	if _, reason := Parse(p, &a); reason != BadHeader || a.VRID != 0 {
		t.Errorf("%s with %s", reason, &a)
	}
}

func TestAdvertsReturnAsTheyWereSent(t *testing.T) {
	many := make([]netip.Addr, 255)
	for i := range many {
		many[i] = netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})
	}
	pass := advert(2)
	pass.Auth, pass.Password = AuthPass, NewPassword("1111")
	message := advert(3)
	message.Checksum, message.Interval = MessageOnly, 40950*time.Millisecond
	full := advert(3)
	full.Addresses, full.Priority = many, 255
	for _, a := range []Advert{advert(2), advert(3), pass, message, full} {
		var got Advert
		h, reason := Parse(Append(nil, source, &a), &got)
		if reason != OK || !reflect.DeepEqual(a, got) {
			t.Errorf("%s\ncame back as %s, %s", &a, &got, reason)
		}
		if h.Source != source.Source || h.Destination != Group() || h.TTL != 255 || h.ID != 7 {
			t.Errorf("header %+v", h)
		}
	}
}

func TestWhatCannotBeSentPanics(t *testing.T) {
	for name, change := range map[string]func(*Advert){
		"version":           func(a *Advert) { a.Version = 4 },
		"VRID":              func(a *Advert) { a.VRID = 0 },
		"no address":        func(a *Advert) { a.Addresses = nil },
		"256 addresses":     func(a *Advert) { a.Addresses = make([]netip.Addr, 256) },
		"IPv6":              func(a *Advert) { a.Addresses = []netip.Addr{netip.IPv6Loopback()} },
		"interval 0":        func(a *Advert) { a.Interval = 0 },
		"interval of 41 s":  func(a *Advert) { a.Interval = 41 * time.Second },
		"interval of 15 ms": func(a *Advert) { a.Interval = 15 * time.Millisecond },
		"auth in version 3": func(a *Advert) { a.Auth = AuthPass },
		"checksum form":     func(a *Advert) { a.Checksum = ChecksumForms },
	} {
		a := advert(3)
		change(&a)
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: sent", name)
				}
			}()
			Append(nil, source, &a)
		}()
	}
	if a := advert(2); a.Check() != nil {
		t.Error(a.Check())
	}
	if a := (Advert{Version: 2, VRID: 1, Interval: 1500 * time.Millisecond, Addresses: advert(2).Addresses}); a.Check() == nil {
		t.Error("version 2 took an interval of one and a half seconds")
	}
}

func TestPasswordsNeverPrint(t *testing.T) {
	a := advert(2)
	a.Auth, a.Password = AuthPass, NewPassword("s3cr3t")
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "password", a.Password, "advert", a)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "password", a.Password, "advert", a)
	shown, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&log, "%s %v %+v %#v %q %x %d %v %s %s", a.Password, a, a, a, a.Password, a.Password, a.Password, &a, &a, shown)
	for _, secret := range []string{"s3cr3t", "733363", "115 51 99", "0x73"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("%q in %s", secret, &log)
		}
	}
}

// The labels are read by other people's dashboards.
func TestEveryReasonHasItsLabel(t *testing.T) {
	seen := map[string]bool{}
	for r := range Reasons {
		if name := r.String(); name == "" || seen[name] {
			t.Errorf("reason %d is named %q", r, name)
		} else {
			seen[name] = true
		}
	}
}

func TestSteadyTrafficDoesNotAllocate(t *testing.T) {
	a, got := advert(3), Advert{}
	buffer := make([]byte, 0, 1500)
	if n := testing.AllocsPerRun(1000, func() {
		buffer = Append(buffer[:0], source, &a)
		if _, reason := Parse(buffer, &got); reason != OK {
			t.Fatal(reason)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAppendAndParse(b *testing.B) {
	a, got := advert(3), Advert{}
	buffer := make([]byte, 0, 1500)
	b.ReportAllocs()
	for b.Loop() {
		buffer = Append(buffer[:0], source, &a)
		Parse(buffer, &got)
	}
}
