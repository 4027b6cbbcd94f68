package health

import (
	"net/netip"
	"strings"
	"testing"

	"hafile/lang/plan"
)

func TestPingIsAnsweredOrNot(t *testing.T) {
	s := newSegment(t)
	noLeaks(t)
	for _, kind := range []struct{ name, groups string }{{"raw socket", "1 0"}, {"ping socket", "0 0"}} {
		if err := s.here.Sysctl("net.ipv4.ping_group_range", kind.groups); err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			address, iface, says string
		}{
			{thereAddr, "", ""},
			{thereAddr, "eth0", ""},
			{"fd09::2", "", ""},
			{"127.0.0.1", "", ""},
			{"10.9.0.9", "", "timed out after 500ms"},
			{"192.0.2.1", "", "network is unreachable"},
			{thereAddr, "eth7", "interface eth7: no such device"},
		} {
			var o outcome
			_ = s.here.Do(func() error {
				o = once(ping{&plan.Ping{Address: netip.MustParseAddr(tt.address), Interface: tt.iface}}.ask)
				return nil
			})
			if o.ok != (tt.says == "") || !strings.Contains(o.err, strings.TrimPrefix(tt.says, "interface eth7: ")) || o.ok && !strings.HasPrefix(o.output, "answered in ") {
				t.Errorf("%s, %s by %q: ok %v, %q, %q", kind.name, tt.address, tt.iface, o.ok, o.output, o.err)
			}
		}
	}
}

func TestTheChecksumIsThatOfRFC1071(t *testing.T) {
	if got := checksum([]byte{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}); got != ^uint16(0xddf2) {
		t.Errorf("%#x", got) // the example of RFC 1071, section 3
	}
}

func FuzzEchoAnswer(f *testing.F) {
	token := []byte("0123456789abcdef")
	request := echoRequest(false, token)
	request[0] = answer4
	f.Add(false, request)
	f.Add(false, append(append([]byte{0x45}, make([]byte, 19)...), request...))
	f.Add(true, echoRequest(true, token))
	f.Fuzz(func(t *testing.T, v6 bool, b []byte) {
		if isAnswer(v6, b, token) && !strings.HasSuffix(string(b), string(token)) {
			t.Errorf("%x is taken for an answer", b)
		}
	})
}
