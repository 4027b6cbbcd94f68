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

// parse reads the vector in the form in which it was written down.
func (v vector) parse(t testing.TB, a *Advert) (Header, []byte, Reason) {
	t.Helper()
	packet := v.bytes(t, "packet")
	if frame := v.bytes(t, "frame"); len(frame) > 14 {
		packet = frame[14:]
	}
	if len(packet) > 0 {
		h, reason := Parse(packet, a)
		return h, packet[min(ipv4Len, len(packet)):], reason
	}
	h := Header{Source: netip.MustParseAddr("10.98.1.1"), Destination: Group(), TTL: TTL}
	if from := v.fields["from"]; from != "" {
		h.Source, h.Destination = netip.MustParseAddr(from), netip.MustParseAddr(v.fields["to"])
	}
	m := v.bytes(t, "message")
	return h, m, ParseMessage(m, h, a)
}

func TestVectorsAreRead(t *testing.T) {
	for _, v := range readVectors(t) {
		t.Run(v.name, func(t *testing.T) {
			var a Advert
			_, _, reason := v.parse(t, &a)
			got := reason.String()
			if reason == OK {
				got = a.String()
			}
			if got != v.fields["is"] {
				t.Errorf("is %s, want %s", got, v.fields["is"])
			}
			if want := NewPassword(v.fields["password"]); a.Password != want {
				t.Errorf("password %q, want %q", a.Password[:], want[:])
			}
			if want := v.fields["signed"]; want != "" && a.String() != want {
				t.Errorf("signed is %s, want %s", &a, want)
			}
		})
	}
}

// The other direction: what was read is sent as the same bytes, IP header included.
func TestVectorsAreSent(t *testing.T) {
	for _, v := range readVectors(t) {
		var a Advert
		h, message, reason := v.parse(t, &a)
		if reason != OK {
			continue
		}
		t.Run(v.name, func(t *testing.T) {
			if sends := v.bytes(t, "sends"); len(sends) > 0 {
				message = sends
			}
			got := Append(nil, h, &a)
			if !bytes.Equal(got[ipv4Len:], message) {
				t.Errorf("sends %x, want %x", got[ipv4Len:], message)
			}
			if packet := v.bytes(t, "packet"); len(packet) > 0 && !bytes.Equal(got, packet) {
				t.Errorf("sends %x, want %x", got, packet)
			}
		})
	}
}
