package peers

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hafile/lang/plan"
)

func sample(node string) *Said {
	return &Said{
		FormatVersion: plan.FormatVersion, HafileVersion: "test", Node: node, Serial: 3, Digest: "sha256:00",
		Instances: []Instance{{
			Address: "instance.web", Role: "backup", Priority: 100, Ready: true, Group: "ab",
			Identities: []Identity{{plan.IPv4, 51, 3}}, VIPs: []netip.Prefix{netip.MustParsePrefix("192.0.2.10/32")},
		}},
	}
}

// rig is a server on loopback, which stands for a member's address.
type rig struct {
	*Server
	at    netip.AddrPort
	asked atomic.Int32 // how often an answer was made
}

func serve(t *testing.T, admit ...netip.Addr) *rig {
	t.Helper()
	l, err := Listen(netip.MustParseAddrPort("127.0.0.1:0"), false)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{at: l.Addr().(*net.TCPAddr).AddrPort()}
	r.Server = NewServer(func() *Said { r.asked.Add(1); return sample("b") })
	r.Admit(admit)
	done := make(chan struct{})
	go func() { _ = r.Serve(l); close(done) }()
	t.Cleanup(func() { r.Close(); <-done })
	return r
}

var loopback = netip.MustParseAddr("127.0.0.1")

func (r *rig) dial(t *testing.T) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", r.at.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// besiege opens a connection, says something and keeps it. It may be closed at any moment.
func (r *rig) besiege(t *testing.T, raw string) {
	t.Helper()
	c, err := net.Dial("tcp", r.at.String())
	if err != nil {
		return
	}
	t.Cleanup(func() { c.Close() })
	_, _ = io.WriteString(c, raw)
}

// ask sends bytes and reads what comes until the other end closes.
func (r *rig) ask(t *testing.T, raw string) string {
	t.Helper()
	c := r.dial(t)
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = io.WriteString(c, raw)
	all, _ := io.ReadAll(c)
	return string(all)
}

func watcher(t *testing.T, at netip.AddrPort) *Watcher {
	w := NewWatcher(func() {})
	t.Cleanup(w.Close)
	w.Watch(netip.Addr{}, map[string]netip.AddrPort{"b": at})
	return w
}

func TestAMemberIsAskedAndKnown(t *testing.T) {
	r := serve(t, loopback)
	p := watcher(t, r.at).Ask(t.Context())["b"]
	if p.Said == nil || p.Why != "" || p.Said.Serial != 3 {
		t.Fatalf("%+v", p)
	}
	in := p.Said.Of("instance.renamed", Identity{plan.IPv4, 51, 3})
	if in == nil || !in.Ready || !in.Covers([]netip.Prefix{netip.MustParsePrefix("192.0.2.10/32")}) || in.Covers([]netip.Prefix{netip.MustParsePrefix("192.0.2.11/32")}) {
		t.Errorf("by its identity: %+v", in)
	}
	if p.Said.Of("instance.renamed", Identity{plan.IPv4, 52, 3}) != nil {
		t.Error("another identity is taken for it")
	}
}

func TestTheSameAnswerIsNotMadeOrSentAgain(t *testing.T) {
	r := serve(t, loopback)
	w := watcher(t, r.at)
	first := w.Ask(t.Context())["b"].Said
	if again := w.Ask(t.Context())["b"].Said; again != first || r.asked.Load() != 1 {
		t.Errorf("made %d times", r.asked.Load())
	}
	r.Changed()
	w.Ask(t.Context())
	if r.asked.Load() != 2 {
		t.Errorf("after a change it was made %d times in all", r.asked.Load())
	}
}

// What is not known is said with its reason, and what was known is forgotten soon.
func TestUnknownHasAReason(t *testing.T) {
	stranger := serve(t)
	other := serve(t, loopback)
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := gone.Addr().(*net.TCPAddr).AddrPort()
	gone.Close()
	w := NewWatcher(func() {})
	defer w.Close()
	w.Watch(netip.Addr{}, map[string]netip.AddrPort{"b": stranger.at, "c": other.at, "d": nobody})
	known := w.Ask(t.Context())
	for node, why := range map[string]string{"b": "", "c": `it says that it is "b"`, "d": "refused"} {
		if p := known[node]; p.Said != nil || p.Why == "" || !strings.Contains(p.Why, why) {
			t.Errorf("%s: %+v", node, p)
		}
	}
	a := &asked{said: sample("b"), when: time.Now(), why: "it does not answer in time"}
	if p := a.known(time.Now().Add(believe - time.Second)); p.Said == nil {
		t.Error("a question that failed makes it unknown at once")
	}
	if p := a.known(time.Now().Add(believe + time.Second)); p.Said != nil || p.Why == "" {
		t.Error("an old answer is believed for ever")
	}
}

// A thousand connections of strangers get nothing, hold nothing and keep no member out.
func TestAThousandStrangersKeepNoMemberOut(t *testing.T) {
	r := serve(t, netip.MustParseAddr("127.0.0.2"))
	for range 1000 {
		r.besiege(t, "GET ")
	}
	w := NewWatcher(func() {})
	defer w.Close()
	w.Watch(netip.MustParseAddr("127.0.0.2"), map[string]netip.AddrPort{"b": r.at})
	begin := time.Now()
	if p := w.Ask(t.Context())["b"]; p.Said == nil {
		t.Errorf("after %s: %s", time.Since(begin), p.Why)
	}
	strangers, _ := r.Refused()
	r.gate.mu.Lock()
	all := r.gate.all
	r.gate.mu.Unlock()
	if strangers < 1000 || all > 2 { // the watcher's two
		t.Errorf("%d were turned away, %d are inside", strangers, all)
	}
}

// A member that opens connections and says nothing, or half of it, or too much, is bounded
// by itself, and another member is answered meanwhile.
func TestAMemberThatMisbehavesIsBounded(t *testing.T) {
	t.Parallel()
	r := serve(t, loopback, netip.MustParseAddr("127.0.0.2"))
	for i := range 1000 {
		r.besiege(t, []string{"", "GET", "GET /v1/peer HTTP/1.1\r\nHost: b\r\nX: "}[i%3])
	}
	w := NewWatcher(func() {})
	defer w.Close()
	w.Watch(netip.MustParseAddr("127.0.0.2"), map[string]netip.AddrPort{"b": r.at})
	if p := w.Ask(t.Context())["b"]; p.Said == nil {
		t.Error(p.Why)
	}
	r.gate.mu.Lock()
	inside := r.gate.open[loopback]
	r.gate.mu.Unlock()
	if inside > perSource {
		t.Errorf("%d connections of one member", inside)
	}
	for end := time.Now().Add(3 * requestMax); ; time.Sleep(20 * time.Millisecond) {
		r.gate.mu.Lock()
		inside := r.gate.open[loopback]
		r.gate.mu.Unlock()
		if inside == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d that say nothing are still waited for", inside)
		}
	}
}

func TestBodiesAndLongHeadersAreNotRead(t *testing.T) {
	r := serve(t, loopback)
	for name, raw := range map[string]string{
		"a body":      "GET /v1/peer HTTP/1.1\r\nHost: b\r\nContent-Length: 1000000000\r\n\r\nxxxx",
		"chunks":      "POST /v1/peer HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\nxxxx",
		"a post":      "POST /v1/peer HTTP/1.1\r\nHost: b\r\nContent-Length: 0\r\n\r\n",
		"another":     "GET /v1/plan HTTP/1.1\r\nHost: b\r\n\r\n",
		"long header": "GET /v1/peer HTTP/1.1\r\nHost: b\r\nX: " + strings.Repeat("x", 1<<20) + "\r\n\r\n",
	} {
		if got := r.ask(t, raw); strings.HasPrefix(got, "HTTP/1.1 2") {
			t.Errorf("%s: %q", name, got)
		}
	}
	if r.asked.Load() != 0 {
		t.Error("an answer was made for one of them")
	}
}

// A reader that does not read gives its connection back.
func TestASlowReaderIsCut(t *testing.T) {
	t.Parallel()
	r := serve(t, loopback)
	big := sample("b")
	for range 60000 {
		big.Instances = append(big.Instances, big.Instances[0])
	}
	r.source = func() *Said { return big }
	c := r.dial(t)
	if err := c.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: b\r\n\r\n", Path); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(2 * answerMax); ; time.Sleep(50 * time.Millisecond) {
		r.gate.mu.Lock()
		inside := r.gate.all
		r.gate.mu.Unlock()
		if inside == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatal("it is still written to")
		}
	}
}

func TestOneWhoIsNoMemberAnyMoreIsNotAnsweredOnAnOldConnection(t *testing.T) {
	r := serve(t, loopback)
	c := r.dial(t)
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	ask := func() (string, error) {
		_, _ = fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: b\r\n\r\n", Path)
		b := make([]byte, 1<<16)
		n, err := c.Read(b)
		return string(b[:n]), err
	}
	if got, err := ask(); err != nil || !strings.Contains(got, "200 OK") {
		t.Fatalf("%q, %v", got, err)
	}
	r.Admit(nil)
	if got, err := ask(); err == nil {
		t.Errorf("it is answered: %q", got)
	}
}

func FuzzDecode(f *testing.F) {
	body, _ := encode(sample("b"))
	f.Add(body)
	f.Add(bytes.Replace(body, []byte("backup"), []byte("\x1b[31m"), 1))
	f.Add([]byte(`{"format_version":"1.0","node":"b","instances":[{"role":"active","vips":["::/0"]}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := decode(raw, "b")
		if err != nil {
			if !plain(strings.ToValidUTF8(err.Error(), "")) && len(err.Error()) < wordMax {
				t.Errorf("the reason has words that are none: %q", err)
			}
			return
		}
		for _, in := range s.Instances {
			if !plain(string(in.Address)) || !plain(in.Role) || !plain(in.Group) {
				t.Errorf("%+v", in)
			}
		}
		_, _ = encode(s)
	})
}
