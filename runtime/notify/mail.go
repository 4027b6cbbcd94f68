package notify

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

	"hafile/lang/plan"
)

// send hands one mail to the relay: connect, EHLO, STARTTLS if offered, one transaction
// for all recipients. The timeout is for all of it.
func (n *Notifier) send(ctx context.Context, e *plan.Email, it *item) verdict {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(e.TimeoutMs)*time.Millisecond)
	defer cancel()
	to := it.left
	if to == nil {
		to = e.To
	}
	msg, err := compose(e, to, it, time.Now())
	if err != nil {
		return verdict{err: err, last: true} // an address that plan.Verify let through and no mail can carry
	}
	line, err := n.connect(ctx, e)
	if err != nil {
		return verdict{err: explain(ctx, e, err), answer: refused(err), left: to}
	}
	defer line.conn.Close()
	return line.deliver(ctx, e, to, msg)
}

// line is a connection to a relay that has said hello.
type line struct {
	conn *boundConn
	*smtp.Client
}

// connect opens a line, in TLS if the relay offers it. One that offers what it cannot
// do is asked again without.
func (n *Notifier) connect(ctx context.Context, e *plan.Email) (*line, error) {
	l, err := n.dial(ctx, e, mail.TLSOpportunistic)
	if err == nil || l.conn == nil || !l.conn.askedTLS.Load() {
		return l, err
	}
	l, plainErr := n.dial(ctx, e, mail.NoTLS)
	if plainErr != nil {
		return nil, errors.Join(fmt.Errorf("STARTTLS: %w", err), plainErr)
	}
	return l, nil
}

// dial returns its conn even beside an error, closed then.
func (n *Notifier) dial(whole context.Context, e *plan.Email, policy mail.TLSPolicy) (*line, error) {
	l := &line{}
	host, port, err := net.SplitHostPort(e.Relay)
	if err != nil {
		return l, err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return l, fmt.Errorf("port %q: %w", port, err)
	}
	open := n.opt.Dial
	if open == nil {
		open = (&net.Dialer{}).DialContext
	}
	c, err := mail.NewClient(host,
		mail.WithPort(number), mail.WithHELO(n.hello()), mail.WithoutNoop(), mail.WithoutSMTPUTF8(),
		mail.WithTimeout(time.Duration(e.TimeoutMs)*time.Millisecond),
		mail.WithTLSPolicy(policy),
		// Opportunistic: see the package comment.
		mail.WithTLSConfig(&tls.Config{ServerName: host, InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}),
		mail.WithDialContextFunc(func(ctx context.Context, network, _ string) (net.Conn, error) {
			conn, err := open(ctx, network, e.Relay)
			if err != nil {
				return nil, err
			}
			l.conn = bind(whole, conn)
			return l.conn, nil
		}),
	)
	if err != nil {
		return l, err
	}
	l.Client, err = c.DialToSMTPClientWithContext(whole)
	if err != nil && l.conn != nil {
		l.conn.Close()
	}
	return l, err
}

// deliver is one transaction. The relay answers for each recipient.
func (l *line) deliver(ctx context.Context, e *plan.Email, to []string, msg []byte) verdict {
	if err := l.Mail("<" + e.From + ">"); err != nil {
		return verdict{err: explain(ctx, e, err), answer: refused(err), left: to}
	}
	var later, never []string
	var errs []error
	for _, rcpt := range to {
		err := l.Rcpt("<" + rcpt + ">")
		switch {
		case err == nil:
			continue
		case refused(err):
			never = append(never, rcpt)
		case answered(err):
			later = append(later, rcpt)
		default:
			return verdict{err: explain(ctx, e, err), left: to}
		}
		errs = append(errs, fmt.Errorf("%s: %w", rcpt, err))
	}
	rejected := errors.Join(errs...)
	if len(never)+len(later) == len(to) {
		return verdict{err: explain(ctx, e, rejected), answer: len(later) == 0, left: to}
	}
	if err := l.data(msg); err != nil {
		return verdict{err: explain(ctx, e, err), answer: refused(err), left: to}
	}
	l.Quit() // the mail is taken, whatever the relay says to this
	if rejected == nil {
		return verdict{sent: true}
	}
	return verdict{err: explain(ctx, e, rejected), sent: true, last: len(later) == 0, left: later}
}

func (l *line) data(msg []byte) error {
	w, err := l.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(msg); err != nil {
		return err
	}
	return w.Close()
}

// boundConn keeps to the end of one delivery: the library's deadline begins anew with
// each phase and knows no cancelling.
type boundConn struct {
	net.Conn
	ctx      context.Context
	unbind   func() bool
	askedTLS atomic.Bool // STARTTLS went out: what fails afterwards may be the TLS
}

func bind(ctx context.Context, conn net.Conn) *boundConn {
	b := &boundConn{Conn: conn, ctx: ctx}
	b.unbind = context.AfterFunc(ctx, func() { conn.Close() })
	return b
}

func (b *boundConn) SetDeadline(t time.Time) error {
	if end, ok := b.ctx.Deadline(); ok && (t.IsZero() || t.After(end)) {
		t = end
	}
	return b.Conn.SetDeadline(t)
}

func (b *boundConn) Write(p []byte) (int, error) {
	if bytes.HasPrefix(p, []byte("STARTTLS")) {
		b.askedTLS.Store(true)
	}
	return b.Conn.Write(p)
}

func (b *boundConn) Close() error {
	b.unbind()
	return b.Conn.Close()
}

// compose is the mail as it goes over the wire.
func compose(e *plan.Email, to []string, it *item, now time.Time) ([]byte, error) {
	m := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := m.From(e.From); err != nil {
		return nil, fmt.Errorf("from: %w", err)
	}
	if err := m.To(to...); err != nil {
		return nil, fmt.Errorf("to: %w", err)
	}
	m.Subject(subject(&it.Transition))
	m.SetDateWithValue(it.At)
	m.SetMessageIDWithValue(it.id + "@" + cmp.Or(hostName(it.Node), "hafile.invalid"))
	// RFC 3834, section 5: nobody's out-of-office reply is wanted.
	m.SetGenHeader("Auto-Submitted", "auto-generated")
	m.SetUserAgent("hafile")
	for header, value := range map[mail.Header]string{
		"X-Hafile-Node": it.Node, "X-Hafile-Instance": string(it.Instance), "X-Hafile-Event": it.Event,
	} {
		m.SetGenHeader(header, oneLine(value, lineMax))
	}
	m.SetBodyString(mail.TypeTextPlain, body(it, now))
	var b bytes.Buffer
	if _, err := m.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("write the mail: %w", err)
	}
	return b.Bytes(), nil
}

// hello is the name in EHLO. RFC 5321, section 4.1.4: a client without a meaningful
// name says its address; many relays refuse that, and none refuses localhost.
func (n *Notifier) hello() string {
	if n.opt.Hello != "" {
		return cmp.Or(hostName(n.opt.Hello), "localhost")
	}
	name, err := os.Hostname()
	if err != nil {
		return "localhost"
	}
	return cmp.Or(hostName(name), "localhost")
}

// hostName is s as far as it may stand in a domain.
func hostName(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '.':
			return r
		case r == '_':
			return '-'
		}
		return -1
	}, s)
	return strings.Trim(s, "-.")
}

// refused reports whether the relay answered that it never will (RFC 5321, 4.2.1: 5yz).
func refused(err error) bool {
	answer, ok := errors.AsType[*textproto.Error](err)
	return ok && answer.Code >= 500
}

func answered(err error) bool {
	_, ok := errors.AsType[*textproto.Error](err)
	return ok
}

// explain is the error for status and log: whom was asked, and what came back, in one line.
func explain(ctx context.Context, e *plan.Email, err error) error {
	if timedOut(ctx, err) {
		return fmt.Errorf("relay %s: no answer within %v", e.Relay, time.Duration(e.TimeoutMs)*time.Millisecond)
	}
	return fmt.Errorf("relay %s: %s", e.Relay, oneLine(strings.ReplaceAll(err.Error(), "\n", "; "), lineMax))
}

func timedOut(ctx context.Context, err error) bool {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return true
	}
	n, ok := errors.AsType[net.Error](err)
	return ok && n.Timeout()
}
