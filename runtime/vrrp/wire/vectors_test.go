package wire

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"os"
	"strings"
	"testing"
)

// vector is a block of testdata/vectors.txt, whose head explains the fields.
type vector struct {
	name   string
	fields map[string]string
}

func readVectors(t testing.TB) []vector {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors.txt")
	if err != nil {
		t.Fatal(err)
	}
	var list []vector
	for _, line := range strings.Split(string(text), "\n") {
		field, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case field == "" || strings.HasPrefix(field, "#"):
		case line[0] != ' ':
			list = append(list, vector{name: field, fields: map[string]string{}})
		default:
			list[len(list)-1].fields[field] = value
		}
	}
	return list
}

func (v vector) bytes(t testing.TB, field string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(v.fields[field], " ", ""))
	if err != nil {
		t.Fatalf("%s: %v", v.name, err)
	}
	return b
}

// dialect is what the vector asks of its receiver.
func (v vector) dialect(t testing.TB) *Dialect {
	t.Helper()
	d := &Dialect{}
	for _, word := range strings.Fields(v.fields["asks"]) {
		switch word {
		case "unicast":
			d.Transport = Unicast
		case "old_unicast":
			d.OldUnicast = true
		case "ah":
			d.AH = true
		case "signed":
			d.Signed = true
		default:
			t.Fatalf("%s asks %s", v.name, word)
		}
	}
	return d
}

// packet is the vector from the IP header on, nil if it is only a message.
func (v vector) packet(t testing.TB) []byte {
	if frame := v.bytes(t, "frame"); len(frame) > 14 {
		return frame[14:]
	}
	if p := v.bytes(t, "packet"); len(p) > 0 {
		return p
	}
	return nil
}

// parse reads the vector in the form in which it was written down.
func (v vector) parse(t testing.TB, d *Dialect, a *Advert) (Header, Reason) {
	t.Helper()
	if p := v.packet(t); p != nil {
		return d.Parse(p, a)
	}
	h := Header{Source: netip.MustParseAddr("10.98.1.1"), Destination: Group(), TTL: TTL}
	if from := v.fields["from"]; from != "" {
		h.Source, h.Destination = netip.MustParseAddr(from), netip.MustParseAddr(v.fields["to"])
	}
	return h, d.ParseMessage(v.bytes(t, "message"), h, a)
}

// ring has the one key of the vector, under the id that the advert names.
func (v vector) ring(t testing.TB, a *Advert) *Ring {
	t.Helper()
	k, err := NewKey(a.Trailer.ID, v.bytes(t, "key"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewRing(k.ID(), k)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestVectorsAreRead(t *testing.T) {
	for _, v := range readVectors(t) {
		t.Run(v.name, func(t *testing.T) {
			var a Advert
			_, reason := v.parse(t, v.dialect(t), &a)
			got := reason.String()
			if reason == OK {
				got = a.String()
			}
			if got != v.fields["is"] {
				t.Errorf("is %s, want %s", got, v.fields["is"])
			}
			want := NewPassword(v.fields["password"])
			if a.Auth == AuthAH {
				if !NewAHKey(want).Verify(&a) {
					t.Error("AH does not verify")
				}
			} else if a.Password != want {
				t.Errorf("password %q, want %q", a.Password[:], want[:])
			}
			if a.Signed() {
				if reason := v.ring(t, &a).Verify(&a); reason != OK {
					t.Errorf("signature: %s", reason)
				}
			}
		})
	}
}

// What a receiver has to be told to read is dropped by one that was not told.
func TestVectorsAreNotReadUnasked(t *testing.T) {
	for _, v := range readVectors(t) {
		if v.fields["asks"] == "" {
			continue
		}
		var a Advert
		if _, reason := v.parse(t, &plain, &a); reason.String() != v.fields["unasked"] {
			t.Errorf("%s is %s, want %s", v.name, reason, v.fields["unasked"])
		}
		for i, word := range strings.Fields(v.fields["asks"]) {
			d := *v.dialect(t)
			switch word {
			case "unicast":
				d.Transport = Multicast
			case "old_unicast":
				d.OldUnicast = false
			case "ah":
				d.AH = false
			case "signed":
				d.Signed = false
			}
			if _, reason := v.parse(t, &d, &a); reason == OK {
				t.Errorf("%s is read without the %d. word", v.name, i+1)
			}
		}
	}
}

// The other direction: what was read is sent as the same bytes, IP header, AH and
// signature included.
func TestVectorsAreSent(t *testing.T) {
	for _, v := range readVectors(t) {
		var a Advert
		h, reason := v.parse(t, v.dialect(t), &a)
		if reason != OK {
			continue
		}
		t.Run(v.name, func(t *testing.T) {
			if a.Auth == AuthAH {
				a.AH = AH{Sequence: a.AH.Sequence, Key: NewAHKey(NewPassword(v.fields["password"]))}
			}
			if a.Signed() {
				a.Sign(v.ring(t, &a).Active(), a.Trailer.Sequence)
			}
			want := v.packet(t)
			got := send(h, &a)
			if want == nil {
				want = v.bytes(t, "message")
				if sends := v.bytes(t, "sends"); len(sends) > 0 {
					want = sends
				}
				if !a.Over6() {
					got = got[ipv4Len:]
				}
			}
			if !bytes.Equal(got, want) {
				t.Errorf("sends %x, want %x", got, want)
			}
		})
	}
}

// send gives an IPv4 packet, or what a raw IPv6 socket takes.
func send(h Header, a *Advert) []byte {
	if a.Over6() {
		return AppendMessage(nil, h, a)
	}
	return Append(nil, h, a)
}
