package peers

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Bounds of the server.
const (
	perSource  = 4  // connections of one member
	inAll      = 64 // and of all
	requestMax = 2 * time.Second
	answerMax  = 5 * time.Second
	pauseMax   = 10 * time.Second
	headerMax  = 2 << 10
	staleAfter = 10 * time.Second // an answer is made anew then, though nothing was said to have changed
)

// Listen opens the status address. Missing says that an address which this host does not
// have, not yet or no longer, is no error: a machine must come up with what it has.
func Listen(at netip.AddrPort, missing bool) (net.Listener, error) {
	lc := net.ListenConfig{KeepAlive: -1, Control: func(network, _ string, c syscall.RawConn) (err error) {
		if !missing {
			return nil
		}
		if cerr := c.Control(func(fd uintptr) { err = freebind(int(fd), network) }); cerr != nil {
			return cerr
		}
		return err
	}}
	l, err := lc.Listen(context.Background(), "tcp", at.String())
	if err != nil {
		return nil, fmt.Errorf("listen on the status address %s: %w", at, cause(err))
	}
	return l, nil
}

func freebind(fd int, network string) error {
	if network == "tcp6" {
		return unix.SetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_FREEBIND, 1)
	}
	return unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_FREEBIND, 1)
}

// Server answers members. It ends with Close.
type Server struct {
	source func() *Said
	http   http.Server
	gate   gate

	// mu guards the answer, which is made while it is held: whoever asks meanwhile gets
	// that one.
	mu    sync.Mutex
	stale bool
	made  time.Time
	body  []byte
	tag   string
}

// NewServer answers with what source says. It is asked again after Changed, and now and
// then.
func NewServer(source func() *Said) *Server {
	s := &Server{source: source, stale: true, gate: gate{open: map[netip.Addr]int{}}}
	s.http = http.Server{
		Handler: http.HandlerFunc(s.answer), ReadTimeout: requestMax, WriteTimeout: answerMax, IdleTimeout: pauseMax,
		MaxHeaderBytes: headerMax,
		ErrorLog:       log.New(io.Discard, "", 0), // strangers must not fill the log
	}
	return s
}

// Serve answers on a listener until that or the server is closed.
func (s *Server) Serve(l net.Listener) error { return s.http.Serve(&door{Listener: l, gate: &s.gate}) }

// Admit says whose questions are answered.
func (s *Server) Admit(members []netip.Addr) { s.gate.admit(members) }

// Changed makes the next answer a new one.
func (s *Server) Changed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stale = true
}

// Refused counts connections that were closed without a word: of strangers, and over a
// bound.
func (s *Server) Refused() (strangers, over uint64) {
	s.gate.mu.Lock()
	defer s.gate.mu.Unlock()
	return s.gate.strangers, s.gate.over
}

// Close ends the connections too.
func (s *Server) Close() { _ = s.http.Close() }

func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	if from, err := netip.ParseAddrPort(r.RemoteAddr); err != nil || !s.gate.knows(from.Addr()) {
		panic(http.ErrAbortHandler) // it was a member when it came
	}
	switch {
	case r.Method != http.MethodGet, r.ContentLength != 0:
		w.Header().Set("Connection", "close") // a body is not read
		http.Error(w, "this address only answers GET "+Path, http.StatusMethodNotAllowed)
		return
	case r.URL.Path != Path:
		w.Header().Set("Connection", "close")
		http.Error(w, "this address only answers GET "+Path, http.StatusNotFound)
		return
	}
	body, tag := s.current()
	w.Header().Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body)
}

// current takes the mark away before it looks: what changes meanwhile sets it again.
func (s *Server) current() (body []byte, tag string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stale || time.Since(s.made) > staleAfter {
		s.stale, s.made = false, time.Now()
		s.body, s.tag = encode(s.source())
	}
	return s.body, s.tag
}

// gate knows who may come in, and how many have. Its mutex is held for a look only.
type gate struct {
	mu              sync.Mutex
	members         map[netip.Addr]bool
	open            map[netip.Addr]int
	all             int
	strangers, over uint64
}

func (g *gate) admit(members []netip.Addr) {
	next := map[netip.Addr]bool{}
	for _, m := range members {
		next[m.Unmap().WithZone("")] = true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.members = next
}

func (g *gate) knows(from netip.Addr) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.members[from.Unmap().WithZone("")]
}

func (g *gate) enter(from netip.Addr) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case !g.members[from]:
		g.strangers++
		return false
	case g.open[from] >= perSource, g.all >= inAll:
		g.over++
		return false
	}
	g.open[from]++
	g.all++
	return true
}

func (g *gate) leave(from netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.all--
	if g.open[from]--; g.open[from] == 0 {
		delete(g.open, from)
	}
}

// door is a listener behind the gate.
type door struct {
	net.Listener
	gate *gate
}

func (d *door) Accept() (net.Conn, error) {
	for {
		c, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := sourceOf(c)
		if d.gate.enter(from) {
			return &conn{Conn: c, leave: sync.OnceFunc(func() { d.gate.leave(from) })}, nil
		}
		if t, ok := c.(*net.TCPConn); ok {
			_ = t.SetLinger(0) // a reset, of which the kernel keeps nothing
		}
		_ = c.Close()
	}
}

func sourceOf(c net.Conn) netip.Addr {
	t, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return t.AddrPort().Addr().Unmap().WithZone("")
}

type conn struct {
	net.Conn
	leave func()
}

func (c *conn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
