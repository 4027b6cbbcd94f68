package notify

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"hafile/lang/plan"
	"hafile/runtime/lab/netns"
	"hafile/runtime/notify/smtpsink"
)

const relayAddress = "192.0.2.25:25"

// network is a node and a relay in namespaces of their own on one segment.
type network struct {
	segment     *netns.Segment
	node, relay *netns.NS
}

func newNetwork(t *testing.T) *network {
	t.Helper()
	s := netns.SegmentT(t)
	return &network{
		segment: s,
		node:    netns.NodeT(t, s, netns.Port{Name: "eth0", Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24")}}),
		relay:   netns.NodeT(t, s, netns.Port{Name: "eth0", Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.25/24")}}),
	}
}

// sink listens at the relay's address.
func (w *network) sink(t *testing.T, opt smtpsink.Options) *smtpsink.Sink {
	t.Helper()
	var l net.Listener
	err := w.relay.Do(func() (err error) {
		l, err = net.Listen("tcp", relayAddress)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s := smtpsink.Serve(l, opt)
	t.Cleanup(s.Close)
	return s
}

// notifier of the node.
func (w *network) notifier(t *testing.T) *Notifier {
	t.Helper()
	n := New(Options{Log: quiet, Hello: "nginx01.example.net", Dial: func(ctx context.Context, network, address string) (c net.Conn, err error) {
		err = w.node.Do(func() (err error) {
			c, err = (&net.Dialer{}).DialContext(ctx, network, address)
			return err
		})
		return c, err
	}})
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		n.Drain(ctx)
	})
	return n
}

func became(event string) Transition {
	t := change(event, "eth0", "m")
	t.Why, t.Priority, t.From = "no advert from nginx02 for 6.609s", 101, Backup
	t.At = time.Now()
	t.FromSince = t.At.Add(-252 * time.Second)
	t.VIPs = []netip.Prefix{netip.MustParsePrefix("172.29.88.222/32")}
	return t
}

func email(timeout time.Duration) *plan.Email {
	e := *mailTo("m").Email
	e.TimeoutMs = timeout.Milliseconds()
	return &e
}

func TestAMailSaysWhatHappened(t *testing.T) {
	w := newNetwork(t)
	s := w.sink(t, smtpsink.Options{})
	n := w.notifier(t)
	n.Apply([]plan.Notify{mailTo("m")})
	n.Notify(became(Active))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	all, err := s.Wait(ctx, 1)
	if err != nil {
		t.Fatalf("no mail: %v, %+v", err, n.Status())
	}
	m := all[0]
	if m.From != "ha@nginx01.example.net" || strings.Join(m.To, " ") != "ops@example.net oncall@example.net" || m.Hello != "nginx01.example.net" {
		t.Errorf("from %s to %s by %s", m.From, m.To, m.Hello)
	}
	if want := "[nginx01] VI_1 is active: no advert from nginx02 for 6.609s"; m.Subject() != want {
		t.Errorf("subject %q, want %q", m.Subject(), want)
	}
	text, err := m.Text()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"VI_1 on nginx01 is active; it was backup for 4m12s.\n",
		"why        no advert from nginx02 for 6.609s\n",
		"priority   101\n",
		"addresses  172.29.88.222: this node answers for them\n",
		"VRID 51 v2", "since      20",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for name, want := range map[string]string{
		"Auto-Submitted": "auto-generated", "X-Hafile-Event": "active", "X-Hafile-Instance": "instance.VI_1", "X-Hafile-Node": "nginx01",
	} {
		if got := m.Header(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if id := m.Header("Message-ID"); !strings.HasSuffix(id, "@nginx01>") {
		t.Errorf("message id %s", id)
	}
}

// try sends one mail once.
func try(t *testing.T, n *Notifier, e *plan.Email, it *item) verdict {
	t.Helper()
	return n.send(t.Context(), e, it)
}

func TestRelays(t *testing.T) {
	const wait = 700 * time.Millisecond
	tests := []struct {
		claim   string
		how     smtpsink.Behaviour
		timeout time.Duration
		want    string // of the error; "" is sent
		verdict verdict
		left    []string
		mails   int
	}{
		{claim: "good", timeout: 10 * time.Second, verdict: verdict{sent: true}, mails: 1},
		{claim: "slow, but within the time", how: smtpsink.Behaviour{Delay: 20 * time.Millisecond}, timeout: 10 * time.Second,
			verdict: verdict{sent: true}, mails: 1},
		{claim: "each answer in time, all of them not", how: smtpsink.Behaviour{Delay: 300 * time.Millisecond}, timeout: wait,
			want: "relay " + relayAddress + ": no answer within 700ms"},
		{claim: "accepts and says nothing", how: smtpsink.Behaviour{Stall: true}, timeout: wait,
			want: "relay " + relayAddress + ": no answer within 700ms"},
		{claim: "refuses the connection politely", how: refuse("CONNECT", "554 5.3.2 go away"), timeout: 10 * time.Second,
			want: "relay " + relayAddress + ": 554 5.3.2 go away", verdict: verdict{answer: true}},
		{claim: "refuses the sender", how: refuse("MAIL", "550 5.7.1 no relaying"), timeout: 10 * time.Second,
			want: "relay " + relayAddress + ": 550 5.7.1 no relaying", verdict: verdict{answer: true}},
		{claim: "refuses everybody", how: refuse("RCPT", "550 5.1.1 unknown"), timeout: 10 * time.Second,
			want:    "relay " + relayAddress + ": ops@example.net: 550 5.1.1 unknown; oncall@example.net: 550 5.1.1 unknown",
			verdict: verdict{answer: true}},
		{claim: "refuses one: the other gets it, and that is that", how: refuse("RCPT ops@example.net", "550 5.1.1 unknown"), timeout: 10 * time.Second,
			want: "relay " + relayAddress + ": ops@example.net: 550 5.1.1 unknown", verdict: verdict{sent: true, last: true}, left: []string{}, mails: 1},
		{claim: "takes one later: it is still due", how: refuse("RCPT ops@example.net", "451 4.7.1 greylisted"), timeout: 10 * time.Second,
			want: "relay " + relayAddress + ": ops@example.net: 451 4.7.1 greylisted", verdict: verdict{sent: true}, left: []string{"ops@example.net"}, mails: 1},
		{claim: "refuses the data for now", how: refuse(".", "452 4.3.1 disk full"), timeout: 10 * time.Second,
			want: "relay " + relayAddress + ": 452 4.3.1 disk full"},
		{claim: "refuses the data for ever", how: refuse(".", "554 5.6.0 spam"), timeout: 10 * time.Second,
			want: "relay " + relayAddress + ": 554 5.6.0 spam", verdict: verdict{answer: true}},
		{claim: "dies in the data", how: smtpsink.Behaviour{DieInData: true}, timeout: 10 * time.Second,
			want: "relay " + relayAddress + ": "},
		{claim: "speaks with control characters", how: refuse("MAIL", "550 \x1b[31mno\x07"), timeout: 10 * time.Second,
			want: "relay " + relayAddress + ": 550 ", verdict: verdict{answer: true}},
	}
	w := newNetwork(t)
	s := w.sink(t, smtpsink.Options{})
	n := w.notifier(t)
	for _, tt := range tests {
		t.Run(tt.claim, func(t *testing.T) {
			s.Behave(tt.how)
			before := len(s.Messages())
			e := email(tt.timeout)
			began := time.Now()
			v := try(t, n, e, newItem(became(Active)))
			if took := time.Since(began); took > tt.timeout+2*time.Second {
				t.Errorf("took %v of %v", took, tt.timeout)
			}
			got := ""
			if v.err != nil {
				// How the library quotes a reply is its own business.
				got = strings.ReplaceAll(v.err.Error(), `"`, "")
			}
			if strings.ContainsAny(got, "\x1b\x07\r\n") {
				t.Errorf("%q has control characters", got)
			}
			if !strings.HasPrefix(got, tt.want) || (tt.want == "") != (got == "") {
				t.Errorf("says %q\nwant %q", got, tt.want)
			}
			if v.sent != tt.verdict.sent || v.answer != tt.verdict.answer || v.last != tt.verdict.last {
				t.Errorf("%+v", v)
			}
			left := tt.left
			if left == nil && !tt.verdict.sent {
				left = e.To
			}
			if v.err != nil && !slices.Equal(v.left, left) {
				t.Errorf("left for %q, want %q", v.left, left)
			}
			if got := len(s.Messages()) - before; got != tt.mails {
				t.Errorf("%d mails were taken, want %d", got, tt.mails)
			}
		})
	}
}

func refuse(key, reply string) smtpsink.Behaviour {
	return smtpsink.Behaviour{Refuse: map[string]string{key: reply}}
}

func TestNothingListens(t *testing.T) {
	w := newNetwork(t)
	v := try(t, w.notifier(t), email(10*time.Second), newItem(became(Active)))
	if v.err == nil || !strings.Contains(v.err.Error(), "connection refused") || v.answer {
		t.Errorf("%+v", v)
	}
}

func TestABlackHoleIsGivenUpInTime(t *testing.T) {
	w := newNetwork(t)
	n := w.notifier(t)
	if err := w.segment.Block(w.relay, "eth0"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	v := try(t, n, email(500*time.Millisecond), newItem(became(Active)))
	if v.err == nil || v.err.Error() != "relay 192.0.2.25:25: no answer within 500ms" || time.Since(began) > 3*time.Second {
		t.Errorf("%+v after %v", v, time.Since(began))
	}
}

func TestTheFinalStateArrivesWhenTheRelayComesBack(t *testing.T) {
	w := newNetwork(t)
	n := w.notifier(t)
	n.Apply([]plan.Notify{mailTo("m")})
	n.Notify(became(Active))
	end := time.Now().Add(20 * time.Second)
	for n.Status()[0].Failed == 0 {
		if time.Now().After(end) {
			t.Fatal("the dead relay was never tried")
		}
		time.Sleep(time.Millisecond)
	}
	n.Notify(became(Fault))
	s := w.sink(t, smtpsink.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	all, err := s.Wait(ctx, 1)
	if err != nil {
		t.Fatalf("%v, %+v", err, n.Status())
	}
	text, _ := all[0].Text()
	if all[0].Header("X-Hafile-Event") != Fault || !strings.Contains(text, "got no mail of their own:\n") || !strings.Contains(text, "UTC active: no advert") {
		t.Errorf("subject %q\n%s", all[0].Subject(), text)
	}
}

func TestAMailThatIsRepeatedKeepsItsMessageID(t *testing.T) {
	w := newNetwork(t)
	s := w.sink(t, smtpsink.Options{Behaviour: refuse("RCPT ops@example.net", "451 4.7.1 greylisted")})
	n := w.notifier(t)
	n.Apply([]plan.Notify{mailTo("m")})
	n.Notify(became(Active))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := s.Wait(ctx, 1); err != nil {
		t.Fatal(err)
	}
	s.Behave(smtpsink.Behaviour{})
	all, err := s.Wait(ctx, 2)
	if err != nil {
		t.Fatalf("%v, %+v", err, n.Status())
	}
	if strings.Join(all[0].To, " ") != "oncall@example.net" || strings.Join(all[1].To, " ") != "ops@example.net" {
		t.Errorf("to %s, then to %s", all[0].To, all[1].To)
	}
	if a, b := all[0].Header("Message-ID"), all[1].Header("Message-ID"); a == "" || a != b {
		t.Errorf("message ids %s and %s", a, b)
	}
}

func TestDrainBreaksOffAStalledRelay(t *testing.T) {
	w := newNetwork(t)
	w.sink(t, smtpsink.Options{Behaviour: smtpsink.Behaviour{Stall: true}})
	n := w.notifier(t)
	n.Apply([]plan.Notify{mailTo("m")})
	n.Notify(became(Stop))
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := n.Drain(ctx); err == nil || time.Since(began) > 3*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestTLSIsOpportunistic(t *testing.T) {
	tests := []struct {
		claim  string
		server *tls.Config
		how    smtpsink.Behaviour
		tls    bool
	}{
		{"a self-signed, expired certificate of nobody will do", &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}}, smtpsink.Behaviour{}, true},
		{"a handshake that fails falls back to clear", &tls.Config{}, smtpsink.Behaviour{}, false},
		{"an offer that is withdrawn falls back to clear", &tls.Config{}, refuse("STARTTLS", "454 4.7.0 not now"), false},
	}
	for _, tt := range tests {
		t.Run(tt.claim, func(t *testing.T) {
			w := newNetwork(t)
			s := w.sink(t, smtpsink.Options{TLS: tt.server, Behaviour: tt.how})
			v := try(t, w.notifier(t), email(10*time.Second), newItem(became(Active)))
			if v.err != nil || !v.sent {
				t.Fatalf("%+v", v)
			}
			if m := s.Messages(); len(m) != 1 || m[0].TLS != tt.tls {
				t.Errorf("%d mails, TLS %v", len(m), m[0].TLS)
			}
		})
	}
}
