package wire

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func testKey(t testing.TB, id uint8, secret string) *Key {
	t.Helper()
	k, err := NewKey(id, []byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

const secret = "correct horse battery staple, 64"

// Neither the keys, nor the hash states that are as good as them, by any way of printing.
func TestKeysNeverPrint(t *testing.T) {
	k := testKey(t, 7, secret)
	ring, err := NewRing(7, k)
	if err != nil {
		t.Fatal(err)
	}
	ah := NewAHKey(NewPassword("ahpass12"))
	a := advert(2)
	a.Auth, a.AH = AuthAH, AH{Sequence: 1, Key: ah}
	a.Sign(k, 99)
	Append(nil, source, &a) // now the keys have worked
	var log bytes.Buffer
	for _, v := range []any{k, *k, ring, *ring, ah, *ah, a, &a, []any{k, ring, ah}, map[string]any{"k": *k}} {
		fmt.Fprintf(&log, "%v %+v %#v %s %q %x %d\n", v, v, v, v, v, v, v)
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
		if shown, err := json.Marshal(v); err == nil {
			log.Write(shown)
		}
	}
	shown := strings.ToLower(log.String())
	for _, s := range []string{secret[:8], "ahpass"} {
		for _, form := range []string{s, hex.EncodeToString([]byte(s)), strings.Trim(fmt.Sprint([]byte(s)), "[]")} {
			if strings.Contains(shown, form) {
				t.Errorf("%q is shown", form)
			}
		}
	}
	if strings.Contains(shown, "scratch") || strings.Contains(shown, "ipad") {
		t.Error("the working state is shown")
	}
	if _, err := NewKey(7, []byte("too short a secret")); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("error %v", err)
	}
}

func TestKeysAreChecked(t *testing.T) {
	for _, c := range []struct {
		id     uint8
		length int
		want   string
	}{
		{0, 32, "key id 0"},
		{1, 31, "key 1 has 31 bytes, not 32 to 64"},
		{1, 65, "key 1 has 65 bytes, not 32 to 64"},
		{1, 32, ""},
		{255, 64, ""},
	} {
		_, err := NewKey(c.id, make([]byte, c.length))
		if got := fmt.Sprint(err); c.want != "" && got != c.want || c.want == "" && err != nil {
			t.Errorf("key %d of %d bytes: %v, want %s", c.id, c.length, err, c.want)
		}
	}
	one, other := testKey(t, 1, secret), testKey(t, 1, secret[1:]+"x")
	if _, err := NewRing(1, one, other); err == nil {
		t.Error("a ring took two keys with one id")
	}
	if _, err := NewRing(2, one); err == nil {
		t.Error("a ring took an active key that it has not")
	}
}

// Every bit of what is signed is covered, and what is not may change: the destination,
// the TTL and the checksum, whose damage has its own reason.
func TestSignaturesCoverTheMessage(t *testing.T) {
	k := testKey(t, 7, secret)
	a := advert(3)
	a.Sign(k, SequenceAt(time.Unix(1700000000, 0)))
	p := Append(nil, source, &a)
	d := Dialect{Signed: true}
	for bit := ipv4Len * 8; bit < len(p)*8; bit++ {
		at := bit/8 - ipv4Len
		if at == 6 || at == 7 {
			continue
		}
		p[bit/8] ^= 1 << (bit % 8)
		var got Advert
		h, m, _, _ := parseIPv4(p)
		got.Trailer = Trailer{message: m, source: h.Source}
		if k.verify(&got.Trailer) {
			t.Errorf("bit %d of byte %d is not covered", bit%8, at)
		}
		p[bit/8] ^= 1 << (bit % 8)
	}
	var got Advert
	if _, reason := d.Parse(p, &got); reason != OK || !k.verify(&got.Trailer) {
		t.Fatalf("%s", reason)
	}
	got.Trailer.source = netip.MustParseAddr("192.0.2.2")
	if k.verify(&got.Trailer) {
		t.Error("the source is not covered")
	}
	unicast := source
	unicast.Destination, unicast.TTL = netip.MustParseAddr("198.51.100.1"), 3
	other := Append(nil, unicast, &a)
	if !bytes.Equal(other[len(other)-trailerLen:], p[len(p)-trailerLen:]) {
		t.Error("another destination has another signature")
	}
}

// What routers on the way change is not covered; of all else every bit is.
func TestAHCoversThePacket(t *testing.T) {
	k := NewAHKey(NewPassword("ahpass12"))
	a := advert(2)
	a.Auth, a.AH = AuthAH, AH{Sequence: 9, Key: k}
	mutable := map[int]bool{1: true, 6: true, 7: true, 10: true, 11: true}
	for _, to := range []netip.Addr{Group(), netip.MustParseAddr("198.51.100.1")} {
		h := source
		h.Destination = to
		mutable[8] = !to.IsMulticast()
		p := Append(nil, h, &a)
		for bit := range len(p) * 8 {
			p[bit/8] ^= 1 << (bit % 8)
			got := Advert{AH: AH{packet: p}}
			// The first bits of the destination say whether the TTL counts.
			if at := bit / 8; k.Verify(&got) != mutable[at] && at != 0 {
				t.Errorf("to %s: bit %d of byte %d: covered is %v", to, bit%8, at, mutable[at])
			}
			p[bit/8] ^= 1 << (bit % 8)
		}
	}
}

// A router that reads AH reads nothing else as AH.
func TestAHIsRefusedByReason(t *testing.T) {
	k := NewAHKey(NewPassword("ahpass12"))
	whole := func() []byte {
		a := advert(2)
		a.Auth, a.AH = AuthAH, AH{Sequence: 9, Key: k}
		return Append(nil, source, &a)
	}
	set := func(at int, to byte) []byte { p := whole(); p[at] = to; return p }
	short := whole()[:ipv4Len+20]
	short[3] = byte(len(short))
	plainAuth := advert(2)
	plainAuth.Auth = AuthPass
	inner := Append(nil, source, &plainAuth)
	wrapped := append(whole()[:ipv4Len+ahLen], inner[ipv4Len:]...)
	bare := append(inner[:ipv4Len:ipv4Len], whole()[ipv4Len+ahLen:]...)
	options := append(whole()[:ipv4Len:ipv4Len], append([]byte{1, 1, 1, 1}, whole()[ipv4Len:]...)...)
	options[0], options[3] = 0x46, byte(len(options))
	for _, c := range []struct {
		name   string
		packet []byte
		want   Reason
	}{
		{"as it is", whole(), OK},
		{"next header TCP", set(20, 6), BadAH},
		{"another length", set(21, 5), BadAH},
		{"index of another source", set(27, 99), BadAH},
		{"half a header", short, BadAH},
		{"a password in it", wrapped, BadAH},
		{"IP options", options, BadAH},
		{"type AH without the header", bare, UnsupportedAuth},
	} {
		var a Advert
		if _, got := (&Dialect{AH: true}).Parse(c.packet, &a); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	var none Advert
	if k.Verify(&none) {
		t.Error("an advert without AH verifies")
	}
}

func TestMalformedTrailersAreRefused(t *testing.T) {
	a := advert(3)
	a.Sign(testKey(t, 7, secret), 99)
	for name, change := range map[string]func(trailer []byte){
		"type 2":        func(m []byte) { m[0] = 2 },
		"key 0":         func(m []byte) { m[1] = 0 },
		"reserved bits": func(m []byte) { m[3] = 1 },
	} {
		p := Append(nil, source, &a)
		change(p[len(p)-trailerLen:])
		var got Advert
		if _, reason := (&Dialect{Signed: true}).Parse(p, &got); reason != MalformedTrailer {
			t.Errorf("%s: %s", name, reason)
		}
	}
	p := Append(nil, source, &a)
	p[3]--
	var got Advert
	if _, reason := (&Dialect{Signed: true}).Parse(p, &got); reason != BadLength {
		t.Errorf("27 bytes of trailer: %s", reason)
	}
}

func TestAuthenticationDoesNotAllocate(t *testing.T) {
	k := testKey(t, 7, secret)
	ring, err := NewRing(7, k)
	if err != nil {
		t.Fatal(err)
	}
	ah := NewAHKey(NewPassword("ahpass12"))
	v2, v6 := advert(2), advert6()
	v2.Auth, v2.AH = AuthAH, AH{Sequence: 1, Key: ah}
	v2.Sign(k, 1)
	v6.Sign(k, 1)
	var got Advert
	buffer := make([]byte, 0, 1500)
	d := Dialect{AH: true, Signed: true}
	wall := time.Unix(1700000000, 0)
	p := Protection{Mode: Enforce}
	sender, replay := NewSender(p, 0), NewReplay(p, 1)
	if n := testing.AllocsPerRun(1000, func() {
		if upTo, due := sender.Reserve(wall); due {
			sender.Stored(upTo)
		}
		number, ok := sender.Next(wall)
		v2.Trailer.Sequence = number
		buffer = Append(buffer[:0], source, &v2)
		if _, reason := d.Parse(buffer, &got); !ok || reason != OK || !ah.Verify(&got) {
			t.Fatal(reason)
		}
		if reason := replay.Judge(ring, &got, wall); reason != OK {
			t.Fatal(reason)
		}
		buffer = AppendMessage(buffer[:0], source6, &v6)
		if reason := d.ParseMessage(buffer, heard6, &got); reason != OK || ring.Verify(&got) != OK {
			t.Fatal(reason)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

var (
	source6 = Header{Source: netip.MustParseAddr("fe80::1")}
	heard6  = Header{Source: source6.Source, Destination: Group6(), TTL: TTL}
)

func advert6() Advert {
	return Advert{
		Version: 3, VRID: 51, Priority: 100, Interval: time.Second,
		Addresses: []netip.Addr{netip.MustParseAddr("fe80::10"), netip.MustParseAddr("2001:db8::10")},
	}
}

func BenchmarkSignAndVerify(b *testing.B) {
	k := testKey(b, 7, secret)
	a, got := advert(3), Advert{}
	a.Sign(k, 1)
	buffer := make([]byte, 0, 1500)
	d := Dialect{Signed: true}
	b.ReportAllocs()
	for b.Loop() {
		buffer = Append(buffer[:0], source, &a)
		d.Parse(buffer, &got)
		k.verify(&got.Trailer)
	}
}
