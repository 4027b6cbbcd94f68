package smtpsink

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/textproto"
	"strings"
	"time"
)

// session is one connection.
type session struct {
	sink  *Sink
	conn  net.Conn
	read  *bufio.Reader
	hello string
	tls   bool

	inMail bool // MAIL was accepted
	from   string
	to     []string
}

func newSession(s *Sink, conn net.Conn) *session {
	return &session{sink: s, conn: conn, read: bufio.NewReaderSize(conn, lineMax)}
}

// errBye ends a session that has said what it had to.
var errBye = errors.New("the session is over")

func (s *session) run() {
	if s.sink.behaviour().Stall {
		<-s.sink.closed
		return
	}
	greeting := s.sink.refusal("CONNECT")
	if greeting != "" {
		s.say(greeting)
		return
	}
	if s.say("220 sink.hafile.invalid ESMTP") != nil {
		return
	}
	for {
		s.conn.SetReadDeadline(time.Now().Add(idleMax))
		line, err := s.read.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			s.say("500 5.5.2 line too long")
			return
		}
		if err != nil {
			return
		}
		if s.answer(strings.TrimRight(string(line), "\r\n")) != nil {
			return
		}
	}
}

// say one reply of one or more lines.
func (s *session) say(lines ...string) error {
	if how := s.sink.behaviour(); how.Delay > 0 || how.Stall {
		delay := time.NewTimer(how.Delay)
		defer delay.Stop()
		ready := delay.C
		if how.Stall {
			ready = nil
		}
		select {
		case <-ready:
		case <-s.sink.closed:
			return errBye
		}
	}
	s.conn.SetWriteDeadline(time.Now().Add(idleMax))
	_, err := io.WriteString(s.conn, strings.Join(lines, "\r\n")+"\r\n")
	return err
}

// refusal for a command; empty: none.
func (s *Sink) refusal(key string) string { return s.behaviour().Refuse[key] }

func (s *session) answer(line string) error {
	c, err := parseCommand(line)
	if err != nil {
		return s.say(err.Error())
	}
	if no := s.sink.refusal(c.verb); no != "" {
		return s.say(no)
	}
	switch c.verb {
	case "EHLO", "HELO":
		return s.greet(c)
	case "STARTTLS":
		return s.startTLS()
	case "MAIL":
		return s.mail(c.arg)
	case "RCPT":
		return s.rcpt(c.arg)
	case "DATA":
		return s.data()
	case "RSET":
		s.reset()
		return s.say("250 2.0.0 forgotten")
	case "NOOP":
		return s.say("250 2.0.0 still here")
	case "QUIT":
		s.say("221 2.0.0 bye")
		return errBye
	}
	return s.say("502 5.5.1 not known here")
}

func (s *session) reset() { s.inMail, s.from, s.to = false, "", nil }

func (s *session) greet(c command) error {
	if c.arg == "" {
		return s.say("501 5.5.4 say your name")
	}
	s.hello = c.arg
	s.reset()
	if c.verb == "HELO" {
		return s.say("250 sink.hafile.invalid")
	}
	lines := []string{"250-sink.hafile.invalid", "250-8BITMIME", "250-ENHANCEDSTATUSCODES"}
	if s.sink.opt.TLS != nil && !s.tls {
		lines = append(lines, "250-STARTTLS")
	}
	return s.say(append(lines, "250 SIZE 1048576")...)
}

func (s *session) startTLS() error {
	if s.sink.opt.TLS == nil || s.tls {
		return s.say("502 5.5.1 no TLS here")
	}
	if err := s.say("220 2.0.0 go ahead"); err != nil {
		return err
	}
	conn := tls.Server(s.conn, s.sink.opt.TLS)
	if err := conn.Handshake(); err != nil {
		return err
	}
	// RFC 3207, section 4.2: what was said before does not count.
	s.conn, s.read, s.tls, s.hello = conn, bufio.NewReaderSize(conn, lineMax), true, ""
	s.reset()
	return nil
}

func (s *session) mail(arg string) error {
	switch from, err := parsePath(arg, "FROM"); {
	case s.hello == "":
		return s.say("503 5.5.1 EHLO first")
	case s.inMail:
		return s.say("503 5.5.1 one mail at a time")
	case err != nil:
		return s.say(err.Error())
	default:
		s.inMail, s.from = true, from
		return s.say("250 2.1.0 sender taken")
	}
}

func (s *session) rcpt(arg string) error {
	to, err := parsePath(arg, "TO")
	switch {
	case !s.inMail:
		return s.say("503 5.5.1 MAIL first")
	case err != nil:
		return s.say(err.Error())
	case to == "":
		return s.say("501 5.1.3 nobody is named")
	case len(s.to) == rcptMax:
		return s.say("452 4.5.3 too many recipients")
	}
	if no := s.sink.refusal("RCPT " + strings.ToLower(to)); no != "" {
		return s.say(no)
	}
	s.to = append(s.to, to)
	return s.say("250 2.1.5 recipient taken")
}

func (s *session) data() error {
	if len(s.to) == 0 {
		return s.say("503 5.5.1 RCPT first")
	}
	if err := s.say("354 go ahead, end with a dot"); err != nil {
		return err
	}
	if s.sink.behaviour().DieInData {
		s.read.ReadSlice('\n')
		return errBye
	}
	var b bytes.Buffer
	dot := textproto.NewReader(s.read).DotReader()
	n, err := io.Copy(&b, io.LimitReader(dot, dataMax+1))
	if err != nil {
		return err
	}
	if n > dataMax {
		if _, err := io.Copy(io.Discard, dot); err != nil {
			return err
		}
		s.reset()
		return s.say("552 5.3.4 too big")
	}
	m := Message{Hello: s.hello, TLS: s.tls, From: s.from, To: s.to, Data: b.Bytes(), At: time.Now()}
	s.reset()
	if no := s.sink.refusal("."); no != "" {
		return s.say(no)
	}
	s.sink.keep(m)
	return s.say("250 2.0.0 taken")
}
