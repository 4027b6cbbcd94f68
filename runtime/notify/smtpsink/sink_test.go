package smtpsink

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// talk has a conversation with a sink over a pipe: lines sent, and the code that must
// come back for each ("" for none).
func talk(t *testing.T, s *Sink, conn net.Conn, script ...[2]string) {
	t.Helper()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	r := bufio.NewReader(conn)
	for _, step := range script {
		if step[0] != "" {
			if _, err := fmt.Fprintf(conn, "%s\r\n", step[0]); err != nil {
				t.Fatalf("say %q: %v", step[0], err)
			}
		}
		if step[1] == "" {
			continue
		}
		line, err := r.ReadString('\n')
		for err == nil && len(line) > 3 && line[3] == '-' {
			line, err = r.ReadString('\n')
		}
		if err != nil || !strings.HasPrefix(line, step[1]) {
			t.Fatalf("%q is answered by %q, %v; want %s", step[0], line, err, step[1])
		}
	}
}

// pipes is a listener whose connections are made by dial: no network.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }
func (p *pipes) dial() net.Conn {
	here, there := net.Pipe()
	p.conns <- there
	return here
}

func serve(t *testing.T, opt Options) (*Sink, *pipes) {
	p := newPipes()
	s := Serve(p, opt)
	t.Cleanup(s.Close)
	return s, p
}

func TestTakesAMail(t *testing.T) {
	s, p := serve(t, Options{})
	c := p.dial()
	defer c.Close()
	talk(t, s, c, [][2]string{
		{"", "220"}, {"EHLO me.example", "250 "}, {"mail from:<a@b.example> SIZE=12", "250"},
		{"RCPT TO:<c@d.example>", "250"}, {"RCPT TO: <e@f.example>", "250"}, {"DATA", "354"},
		{"Subject: =?UTF-8?q?caf=C3=A9?=\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\none=3D\r\n..two\r\n.", "250"},
		{"QUIT", "221"},
	}...)
	m := s.Messages()
	if len(m) != 1 || m[0].From != "a@b.example" || strings.Join(m[0].To, " ") != "c@d.example e@f.example" || m[0].Hello != "me.example" {
		t.Fatalf("%+v", m)
	}
	text, err := m[0].Text()
	if m[0].Subject() != "café" || text != "one=\n.two\n" || err != nil {
		t.Errorf("subject %q, text %q, %v", m[0].Subject(), text, err)
	}
}

func TestOrderOfCommands(t *testing.T) {
	s, p := serve(t, Options{})
	c := p.dial()
	defer c.Close()
	talk(t, s, c, [][2]string{
		{"", "220"}, {"MAIL FROM:<a@b>", "503"}, {"EHLO", "501"}, {"HELO x", "250"}, {"RCPT TO:<a@b>", "503"}, {"DATA", "503"},
		{"MAIL FROM:<a@b>", "250"}, {"MAIL FROM:<a@b>", "503"}, {"DATA", "503"}, {"RCPT TO:<>", "501"}, {"RSET", "250"}, {"RCPT TO:<a@b>", "503"},
		{"MAIL FROM:<>", "250"}, {"NOOP", "250"}, {"VRFY x", "502"}, {"\x01", "500"}, {"STARTTLS", "502"}, {"MAIL nonsense", "503"},
	}...)
	go fmt.Fprintf(c, "%s\r\n", strings.Repeat("x", 2*lineMax)) // ends when the sink hangs up
	talk(t, s, c, [2]string{"", "500"})
}

func TestBadRelays(t *testing.T) {
	s, p := serve(t, Options{Behaviour: Behaviour{Refuse: map[string]string{
		"RCPT no@b": "550 5.1.1 nobody", ".": "451 4.3.0 disk full",
	}}})
	c := p.dial()
	defer c.Close()
	talk(t, s, c, [][2]string{
		{"", "220"}, {"EHLO x", "250 "}, {"MAIL FROM:<a@b>", "250"}, {"RCPT TO:<NO@b>", "550"}, {"RCPT TO:<yes@b>", "250"},
		{"DATA", "354"}, {"hello", ""}, {".", "451"},
	}...)
	s.Behave(Behaviour{DieInData: true})
	talk(t, s, c, [][2]string{{"MAIL FROM:<a@b>", "250"}, {"RCPT TO:<a@b>", "250"}, {"DATA", "354"}, {"Subject: x", ""}}...)
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("it lives on after DieInData")
	}
	s.Behave(Behaviour{Refuse: map[string]string{"CONNECT": "554 5.7.1 go away"}})
	c = p.dial()
	defer c.Close()
	talk(t, s, c, [2]string{"", "554"})
	if n := len(s.Messages()); n != 0 {
		t.Errorf("%d messages were kept", n)
	}
}

func TestCloseEndsAStall(t *testing.T) {
	s, p := serve(t, Options{Behaviour: Behaviour{Stall: true}})
	c := p.dial()
	defer c.Close()
	s.Close()
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("a stalled session said something")
	}
}

func TestPaths(t *testing.T) {
	for in, want := range map[string]string{
		"FROM:<a@b>": "a@b", "from: <a@b> BODY=8BITMIME": "a@b", "FROM:<>": "",
		"FROM:a@b": "!", "TO:<a@b>": "!", "FROM<a@b>": "!", "FROM:<a@b": "!", "FROM:<a@b>x": "!", "FROM:<a b@c>": "!",
	} {
		got, err := parsePath(in, "FROM")
		if err != nil {
			got = "!"
		}
		if got != want {
			t.Errorf("parsePath(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzCommand(f *testing.F) {
	for _, s := range []string{"EHLO a", "MAIL FROM:<a@b> SIZE=1", "rcpt to:<x@y>", "\x00", " ", "DATA\t", "MAIL FROM:<\r\n>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		c, err := parseCommand(line)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "5") {
				t.Errorf("%q: the error %q is no reply", line, err)
			}
			return
		}
		if c.verb == "" || strings.ContainsAny(c.verb+c.arg, "\r\n\x00") {
			t.Errorf("%q: %+v", line, c)
		}
		again, err := parseCommand(strings.TrimSpace(c.verb + " " + c.arg))
		if err != nil || again != c {
			t.Errorf("%q: %+v, again %+v, %v", line, c, again, err)
		}
		for _, key := range []string{"FROM", "TO"} {
			addr, err := parsePath(c.arg, key)
			if err == nil && strings.ContainsAny(addr, "<> \t\r\n") {
				t.Errorf("%q: address %q", line, addr)
			}
		}
	})
}

// A whole session against a client that says anything: it ends and keeps no mail that
// has no recipient.
func FuzzSession(f *testing.F) {
	f.Add("EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n.\r\nQUIT\r\n")
	f.Add("DATA\r\n\x00\r\n")
	f.Fuzz(func(t *testing.T, said string) {
		p := newPipes()
		s := Serve(p, Options{})
		c := p.dial()
		go func() {
			c.Write([]byte(said))
			c.Close()
		}()
		buf := make([]byte, 4096)
		for {
			if _, err := c.Read(buf); err != nil {
				break
			}
		}
		s.Close()
		for _, m := range s.Messages() {
			if len(m.To) == 0 || m.Hello == "" {
				t.Errorf("%q made %+v", said, m)
			}
		}
	})
}
