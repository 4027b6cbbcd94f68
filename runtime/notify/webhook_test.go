package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hafile/lang/plan"
	"hafile/runtime/lab/netns"
)

const secretToken = "t0psecret"

// receiver is an HTTPS server on a machine of its own, and what it was told.
type receiver struct {
	url, ca string
	dial    func(ctx context.Context, network, address string) (net.Conn, error)

	mu     sync.Mutex
	answer func(w http.ResponseWriter, r *http.Request)
	got    []event
	heads  []http.Header
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	ns := netns.NewT(t)
	r := &receiver{answer: func(http.ResponseWriter, *http.Request) {}}
	server := httptest.NewUnstartedServer(r)
	server.Listener.Close()
	if err := ns.Do(func() (err error) { server.Listener, err = net.Listen("tcp", "127.0.0.1:443"); return err }); err != nil {
		t.Fatal(err)
	}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	r.dial = func(ctx context.Context, network, address string) (conn net.Conn, err error) {
		err = ns.Do(func() error {
			conn, err = (&net.Dialer{}).DialContext(ctx, network, address)
			return err
		})
		return conn, err
	}
	r.url, r.ca = "https://127.0.0.1/hooks/in-the-path", filepath.Join(t.TempDir(), "ca.pem")
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(r.ca, cert, 0o644); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	var e event
	err := json.NewDecoder(req.Body).Decode(&e)
	r.mu.Lock()
	answer := r.answer
	if err == nil {
		r.got, r.heads = append(r.got, e), append(r.heads, req.Header.Clone())
	}
	r.mu.Unlock()
	answer(w, req)
}

func (r *receiver) set(answer func(http.ResponseWriter, *http.Request)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

func (r *receiver) told() []event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

func awaitWebhook(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it never came to " + what)
		}
	}
}

func TestAWebhookGetsEveryChangeInOrder(t *testing.T) {
	r := newReceiver(t)
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:9")
	var logged bytes.Buffer
	n := New(Options{
		Log: slog.New(slog.NewTextHandler(&logged, nil)), Dial: r.dial,
		Secret: func(s plan.Secret) string { return map[string]string{"hook": secretToken}[s.Credential] },
	})
	w := plan.DefaultWebhook()
	w.URL, w.CAFile, w.Token, w.TimeoutMs, w.Headers = r.url, r.ca, plan.Secret{Credential: "hook"}, 300, map[string]string{"X-Team": "web"}
	spec := plan.Notify{Address: "notify.hook", On: plan.NotifyEvents, Webhook: &w}
	n.Apply([]plan.Notify{spec})
	change := func(event string) {
		n.Notify(Transition{
			Instance: "instance.web", Name: "web", Notify: []plan.Addr{"notify.hook"}, Node: "lb1", Event: event, Why: "a test", At: time.Now(),
			Priority: 101, VIPs: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}, Wire: plan.WireKey{Interface: "eth0", Family: plan.IPv4, VRID: 51, Version: 3},
		})
	}
	told := func(count int) { awaitWebhook(t, "so many posts", func() bool { return len(r.told()) == count }) }
	status := func() Status { return n.Status()[0] }

	change(Active)
	told(1)
	if e, h := r.told()[0], r.heads[0]; e.Event != "active" || e.Node != "lb1" || e.VIPs[0] != "192.0.2.1" || e.RouterID != 51 || e.Try != 1 ||
		h.Get("Authorization") != "Bearer "+secretToken || h.Get("X-Team") != "web" || h.Get("Idempotency-Key") != e.ID {
		t.Errorf("told %+v, headers %v", e, h)
	}

	// 503: soon again, the same change.
	r.set(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
	change(Backup)
	told(2)
	awaitWebhook(t, "a failure", func() bool { return status().LastError == "webhook https://127.0.0.1: got 503 Service Unavailable" })
	r.set(func(http.ResponseWriter, *http.Request) {})
	told(3)
	if a, b := r.told()[1], r.told()[2]; a.ID != b.ID || b.Try != 2 {
		t.Errorf("a repeat is not the same: %+v, then %+v", a, b)
	}

	// Silence ends at the timeout, and what waits meanwhile is told with what it replaces.
	hang := make(chan struct{})
	r.set(func(_ http.ResponseWriter, req *http.Request) { <-hang })
	change(Fault)
	told(4)
	change(Backup)
	change(Active)
	r.set(func(http.ResponseWriter, *http.Request) {})
	told(5)
	close(hang)
	if e := r.told()[4]; e.Event != "active" || len(e.Skipped) != 2 || e.Skipped[0].Event != "fault" {
		t.Errorf("after silence %+v", e)
	}

	// A redirect is a no: it would carry the token elsewhere.
	r.set(func(w http.ResponseWriter, req *http.Request) { http.Redirect(w, req, "/elsewhere", http.StatusFound) })
	change(Backup)
	told(6)
	awaitWebhook(t, "a refusal", func() bool { return strings.HasSuffix(status().LastError, "got 302 Found") })

	// An unknown authority is an error, and nothing is told to whoever it is.
	unknown := w
	unknown.CAFile = ""
	spec.Webhook = &unknown
	n.Apply([]plan.Notify{spec})
	awaitWebhook(t, "an error", func() bool { return strings.Contains(status().LastError, "unknown authority") })
	if len(r.told()) != 6 {
		t.Error("it was told without being trusted")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = n.Drain(ctx)
	for _, said := range []string{logged.String(), spec.Webhook.Token.String()} {
		if strings.Contains(said, secretToken) || strings.Contains(said, "in-the-path") {
			t.Errorf("a secret is shown:\n%s", said)
		}
	}
}

func TestAWebhookWithoutItsTokenIsNotPosted(t *testing.T) {
	r := newReceiver(t)
	n := New(Options{Log: quiet, Dial: r.dial, Secret: func(plan.Secret) string { return "" }})
	w := plan.DefaultWebhook()
	w.URL, w.CAFile, w.Token = r.url, r.ca, plan.Secret{Credential: "hook"}
	if v := n.post(t.Context(), &w, newItem(Transition{Event: Active})); v.sent || v.err == nil || len(r.told()) != 0 {
		t.Errorf("%+v, told %v", v, r.told())
	}
}
