package health

import (
	"encoding/binary"
	"io"
	"net"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"hafile/lang/plan"
)

// zone is a name server with one answer for each name.
func zone(query []byte, tcp bool) []byte {
	var m dnsmessage.Message
	if m.Unpack(query) != nil {
		return nil
	}
	m.Response = true
	q := m.Questions[0]
	head := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}
	add := func(body dnsmessage.ResourceBody) {
		m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: body})
	}
	switch q.Name.String() {
	case "web.example.net.":
		switch q.Type {
		case dnsmessage.TypeA:
			add(&dnsmessage.AResource{A: [4]byte{192, 0, 2, 1}})
			add(&dnsmessage.AResource{A: [4]byte{192, 0, 2, 2}})
		case dnsmessage.TypeMX:
			add(&dnsmessage.MXResource{Pref: 10, MX: dnsmessage.MustNewName("Mail.example.net.")})
		case dnsmessage.TypeTXT:
			add(&dnsmessage.TXTResource{TXT: []string{"one ", "two"}})
		}
	case "long.example.net.":
		m.Truncated = !tcp
		if tcp {
			for i := range 200 {
				add(&dnsmessage.AResource{A: [4]byte{192, 0, 2, byte(i)}})
			}
		}
	case "fails.example.net.":
		m.RCode = dnsmessage.RCodeServerFailure
	case "silent.example.net.":
		return nil
	default:
		m.RCode = dnsmessage.RCodeNameError
	}
	raw, _ := m.Pack()
	return raw
}

func TestDNSAsksTheServerAndNobodyElse(t *testing.T) {
	s := newSegment(t)
	noLeaks(t)
	var udp net.PacketConn
	if err := s.there.Do(func() (err error) { udp, err = net.ListenPacket("udp", thereAddr+":53"); return err }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { udp.Close() })
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := udp.ReadFrom(buf)
			if err != nil {
				return
			}
			wrong := append([]byte(nil), zone(buf[:n], false)...)
			if len(wrong) > 0 {
				udp.WriteTo([]byte("x"), from) // two that are not ours come first
				wrong[0]++
				udp.WriteTo(wrong, from)
				wrong[0]--
				udp.WriteTo(wrong, from)
			}
		}
	}()
	l := s.listen(t, thereAddr+":53")
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			var n [2]byte
			io.ReadFull(conn, n[:])
			query := make([]byte, binary.BigEndian.Uint16(n[:]))
			io.ReadFull(conn, query)
			answer := zone(query, true)
			conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
			conn.Close()
		}
	}()
	tests := []struct {
		name, kind  string
		expect      []string
		found, says string
	}{
		{"web.example.net", "A", nil, "192.0.2.1, 192.0.2.2", ""},
		{"web.example.net", "A", []string{"192.0.2.9", "192.0.2.2"}, "192.0.2.1, 192.0.2.2", ""},
		{"web.example.net", "A", []string{"192.0.2.9"}, "192.0.2.1, 192.0.2.2", "expected 192.0.2.9"},
		{"web.example.net", "MX", []string{"10 mail.example.net."}, "10 Mail.example.net", ""},
		{"web.example.net", "MX", []string{"mail.example.net"}, "10 Mail.example.net", ""},
		{"web.example.net", "TXT", []string{"one two"}, "one two", ""},
		{"web.example.net", "AAAA", nil, "", "there is no AAAA of web.example.net"},
		{"none.example.net", "A", nil, "", "there is no none.example.net"},
		{"fails.example.net", "A", nil, "", "the server answers ServerFailure"},
		{"silent.example.net", "A", nil, "", "timed out after 500ms"},
		{"long.example.net", "A", []string{"192.0.2.90"}, "192.0.2.0, 192.0.2.1, 192.0.2.2 and 97 more", ""},
	}
	for _, tt := range tests {
		var o outcome
		_ = s.here.Do(func() error {
			o = once(dns{&plan.DNS{Server: thereAddr + ":53", Name: tt.name, Type: tt.kind, Expect: tt.expect}}.ask)
			return nil
		})
		t.Run(tt.name+" "+tt.kind, func(t *testing.T) { says(t, o, tt.found, tt.says) })
	}
	var o outcome
	_ = s.here.Do(func() error {
		o = once(dns{&plan.DNS{Server: thereAddr + ":54", Name: "a", Type: "A"}}.ask)
		return nil
	})
	says(t, o, "", "connection refused")
}

func FuzzDNSAnswer(f *testing.F) {
	name := dnsmessage.MustNewName("web.example.net.")
	q := dnsmessage.Question{Name: name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}
	query, err := (&dnsmessage.Message{Header: dnsmessage.Header{ID: 7}, Questions: []dnsmessage.Question{q}}).Pack()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(query)
	f.Add(zone(query, false))
	f.Fuzz(func(t *testing.T, raw []byte) {
		answers, ours, err := parseAnswer(raw, 7, q)
		if !ours && (err != nil || answers != nil) || len(answers) > answersMax {
			t.Errorf("%q %v %v", answers, ours, err)
		}
	})
}
