package health

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"hafile/lang/plan"
	"hafile/runtime/lab/netns"
)

// segment is two machines on one wire: servers are on there, and checks are made on here.
type segment struct {
	*netns.Segment
	here, there *netns.NS
}

const thereAddr = "10.9.0.2"

func newSegment(t *testing.T) segment {
	s := segment{Segment: netns.SegmentT(t)}
	s.here = netns.NodeT(t, s.Segment, netns.Port{Name: "eth0", Addresses: []netip.Prefix{netip.MustParsePrefix("10.9.0.1/24"), netip.MustParsePrefix("fd09::1/64")}})
	s.there = netns.NodeT(t, s.Segment, netns.Port{Name: "eth0", Addresses: []netip.Prefix{netip.MustParsePrefix("10.9.0.2/24"), netip.MustParsePrefix("fd09::2/64")}})
	s.await(t)
	return s
}

// await waits until the wire carries: the first packets find its links coming up.
func (s segment) await(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		_, err := s.dial(ctx, "tcp", thereAddr+":1")
		cancel()
		if errors.Is(err, syscall.ECONNREFUSED) {
			return
		}
	}
	t.Fatal("the wire never carried a packet")
}

// dial opens connections on here, on whatever thread it is called.
func (s segment) dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	err = s.here.Do(func() error {
		conn, err = (&net.Dialer{}).DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

func (s segment) listen(t *testing.T, address string) net.Listener {
	t.Helper()
	var l net.Listener
	err := s.there.Do(func() (err error) { l, err = net.Listen("tcp", address); return err })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// once makes a run with 500 ms of patience.
func once(ask func(context.Context) (string, error)) outcome {
	return (&asking{timeout: 500 * time.Millisecond, ask: ask}).Run(context.Background())
}

func says(t *testing.T, o outcome, output, err string) {
	t.Helper()
	if o.ok != (err == "") || o.output != output || !strings.Contains(o.err, err) || o.exit != nil {
		t.Errorf("ok %v, found %q, error %q; want %q, %q", o.ok, o.output, o.err, output, err)
	}
	if took := o.ended.Sub(o.started); took > time.Second {
		t.Errorf("it took %v, its timeout is 500ms", took)
	}
}

// noLeaks fails the test if goroutines are left of it.
func noLeaks(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				buf := make([]byte, 1<<20)
				t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
			}
		}
	})
}

// web answers: /CODE that code, /to a redirect, /flood for ever, /slow late, /echo who asks.
func web(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/to":
		http.Redirect(w, r, "/200", http.StatusFound)
	case "/flood":
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	case "/slow":
		select {
		case <-r.Context().Done():
		case <-time.After(5 * time.Second):
		}
	case "/half":
		w.Header().Set("Content-Length", "10")
		io.WriteString(w, "half")
	case "/echo":
		fmt.Fprintf(w, "%s %s %s", r.Method, r.Host, r.Header.Get("X-Who"))
	case "/late": // the text lies across what one read brings, near the bound
		io.WriteString(w, strings.Repeat("x", readMax-4)+"needle"+strings.Repeat("x", 100))
	case "/near":
		io.WriteString(w, strings.Repeat("x", readMax-6)+"needle")
	default:
		code := 0
		fmt.Sscanf(r.URL.Path, "/%d", &code)
		w.WriteHeader(code)
	}
}

func TestHTTPSaysWhatItGot(t *testing.T) {
	s := newSegment(t)
	noLeaks(t)
	server := &http.Server{Handler: http.HandlerFunc(web)}
	go server.Serve(s.listen(t, thereAddr+":80"))
	t.Cleanup(func() { server.Close() })
	t.Setenv("http_proxy", "http://10.9.0.77:3128")
	t.Setenv("HTTP_PROXY", "http://10.9.0.77:3128")
	silent := s.listen(t, thereAddr+":81")
	_ = silent // it takes connections, and never says anything
	tests := []struct {
		claim       string
		spec        plan.HTTP
		found, says string
	}{
		{"any 2xx is good where nothing is expected", plan.HTTP{URL: "/204"}, "204 No Content", ""},
		{"what is listed is good", plan.HTTP{URL: "/404", Expect: []int{200, 404}}, "404 Not Found", ""},
		{"what is not is not", plan.HTTP{URL: "/503", Expect: []int{200}}, "503 Service Unavailable", "got 503, expected 200"},
		{"a redirect is not followed", plan.HTTP{URL: "/to"}, "302 Found", "got 302, expected 200 to 299"},
		{"a redirect may be what is expected", plan.HTTP{URL: "/to", Expect: []int{302}}, "302 Found", ""},
		{"an answer without end is not read", plan.HTTP{URL: "/flood"}, "200 OK", ""},
		{"nor for its text", plan.HTTP{URL: "/flood", Contains: "x"}, "200 OK", "first 64 KiB"},
		{"a text", plan.HTTP{URL: "/near", Contains: "needle"}, "200 OK", ""},
		{"a text behind the bound", plan.HTTP{URL: "/late", Contains: "needle"}, "200 OK", "do not hold the text"},
		{"a server that hangs", plan.HTTP{URL: "/slow"}, "", "timed out after 500ms"},
		{"a server that says nothing", plan.HTTP{URL: ":81/"}, "", "timed out after 500ms"},
		{"an answer that breaks off", plan.HTTP{URL: "/half"}, "200 OK", "the answer broke off: unexpected EOF"},
		{"nobody listens", plan.HTTP{URL: ":82/"}, "", "connection refused"},
		{"no machine", plan.HTTP{URL: "http://10.9.0.9/"}, "", "timed out after 500ms"},
		{"headers and the host among them", plan.HTTP{URL: "/echo", Headers: map[string]string{"host": "www.example.net", "x-who": "me"}, Contains: "GET www.example.net me"}, "200 OK", ""},
		{"HEAD", plan.HTTP{URL: "/200", Method: "HEAD"}, "200 OK", ""},
	}
	for _, tt := range tests {
		t.Run(tt.claim, func(t *testing.T) {
			if !strings.HasPrefix(tt.spec.URL, "http") {
				tt.spec.URL = "http://" + thereAddr + tt.spec.URL
			}
			if tt.spec.Method == "" {
				tt.spec.Method = "GET"
			}
			says(t, once((&webPage{spec: &tt.spec, dial: s.dial}).ask), tt.found, tt.says)
		})
	}
}

func TestHTTPSChecksWhoAnswers(t *testing.T) {
	s := newSegment(t)
	noLeaks(t)
	server := httptest.NewUnstartedServer(http.HandlerFunc(web))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Listener.Close()
	server.Listener = s.listen(t, thereAddr+":443")
	server.StartTLS()
	t.Cleanup(server.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(ca, cert, 0o644); err != nil {
		t.Fatal(err)
	}
	url := "https://" + thereAddr + "/200"
	tests := []struct {
		claim       string
		spec        plan.HTTP
		found, says string
	}{
		{"an authority that nobody knows", plan.HTTP{URL: url, ServerName: "example.com"}, "", "certificate signed by unknown authority"},
		{"another name than in the certificate", plan.HTTP{URL: url, CAFile: ca}, "", "certificate is valid for"},
		{"the name that is asked for", plan.HTTP{URL: url, CAFile: ca, ServerName: "example.com"}, "200 OK", ""},
		{"insecure", plan.HTTP{URL: url, Insecure: true}, "200 OK", ""},
		{"no such file of certificates", plan.HTTP{URL: url, CAFile: ca + "x"}, "", "ca_file: no such file or directory"},
		{"plain where TLS is spoken", plan.HTTP{URL: "http://" + thereAddr + ":443/"}, "400 Bad Request", "got 400"},
	}
	for _, tt := range tests {
		t.Run(tt.claim, func(t *testing.T) {
			tt.spec.Method = "GET"
			says(t, once((&webPage{spec: &tt.spec, dial: s.dial}).ask), tt.found, tt.says)
		})
	}
}

func TestTCPOpensSaysAndHears(t *testing.T) {
	s := newSegment(t)
	noLeaks(t)
	l := s.listen(t, thereAddr+":6379")
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				buf := make([]byte, 6)
				if _, err := io.ReadFull(conn, buf); err == nil && string(buf) == "PING\r\n" {
					io.WriteString(conn, "+PONG\r\n")
				}
			}()
		}
	}()
	tests := []struct {
		claim string
		spec  plan.TCP
		says  string
	}{
		{"a connection is enough", plan.TCP{Address: thereAddr + ":6379"}, ""},
		{"the answer", plan.TCP{Address: thereAddr + ":6379", Send: "PING\r\n", Contains: "PONG"}, ""},
		{"another answer", plan.TCP{Address: thereAddr + ":6379", Send: "PING\r\n", Contains: "LOADED"}, "what came back does not hold the text"},
		{"no answer", plan.TCP{Address: thereAddr + ":6379", Contains: "+OK"}, "timed out after 500ms"},
		{"nobody listens", plan.TCP{Address: thereAddr + ":6380"}, "connection refused"},
		{"no machine", plan.TCP{Address: "10.9.0.9:80"}, "timed out after 500ms"},
	}
	for _, tt := range tests {
		t.Run(tt.claim, func(t *testing.T) {
			o := once((&connection{spec: &tt.spec, dial: s.dial}).ask)
			if tt.says == "" && !strings.HasPrefix(o.output, "connected in ") {
				t.Errorf("found %q", o.output)
			}
			says(t, o, o.output, tt.says)
		})
	}
}

// A run ends with its check: an edit must not wait for somebody else's timeout.
func TestARunEndsAtOnceWithItsCheck(t *testing.T) {
	s := newSegment(t)
	noLeaks(t)
	s.listen(t, thereAddr+":80") // and never accepts
	for kind, ask := range map[string]func(context.Context) (string, error){
		"http": (&webPage{spec: &plan.HTTP{URL: "http://" + thereAddr, Method: "GET"}, dial: s.dial}).ask,
		"tcp":  (&connection{spec: &plan.TCP{Address: thereAddr + ":80", Contains: "x"}, dial: s.dial}).ask,
		"file": patient(func() (string, error) { time.Sleep(time.Second); return "", nil }),
	} {
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		o := (&asking{timeout: time.Minute, ask: ask}).Run(ctx)
		cancel()
		if took := o.ended.Sub(o.started); o.ok || took > 400*time.Millisecond {
			t.Errorf("%s: ok %v after %v", kind, o.ok, took)
		}
	}
}

// What hangs in the kernel holds one goroutine, however often it is asked.
func TestAQuestionThatHangsIsAskedOnce(t *testing.T) {
	noLeaks(t)
	release, asked := make(chan struct{}), make(chan struct{}, 10)
	ask := patient(func() (string, error) { asked <- struct{}{}; <-release; return "it", nil })
	a := &asking{timeout: 20 * time.Millisecond, ask: ask}
	for range 3 {
		if o := a.Run(t.Context()); o.err != "timed out after 20ms" {
			t.Errorf("says %q", o.err)
		}
	}
	if len(asked) != 1 {
		t.Errorf("asked %d times", len(asked))
	}
	close(release)
	a.timeout = 5 * time.Second
	if o := a.Run(t.Context()); !o.ok || o.output != "it" || len(asked) != 2 {
		t.Errorf("%+v after %d questions: what was found for a run that is over counts for none", o, len(asked))
	}
}
