package health

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"syscall"
	"time"

	"hafile/runtime/program"
)

// asking is a check that hafile makes itself: one question with a deadline. found is what
// there is, with or without an error.
type asking struct {
	timeout time.Duration
	ask     func(ctx context.Context) (found string, err error)
}

func (a *asking) Run(ctx context.Context) outcome {
	o := outcome{started: time.Now()}
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	found, err := a.ask(ctx)
	o.ended = time.Now()
	o.ok, o.output = err == nil, inShort(found)
	switch {
	case err == nil:
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded):
		o.err = fmt.Sprintf("timed out after %v", a.timeout)
	default:
		o.err = inShort(explain(err))
	}
	return o
}

// saidMax bounds what is kept of a stranger's words, in bytes.
const saidMax = 256

func inShort(s string) string { return program.Clean(s[:min(len(s), saidMax)]) }

// explain is an error without what differs from run to run, such as the port that this
// side had.
func explain(err error) string {
	if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok && e.Reason == x509.Expired {
		return fmt.Sprintf("the certificate holds from %s to %s", e.Cert.NotBefore.Format(time.DateTime), e.Cert.NotAfter.Format(time.DateTime))
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return fmt.Sprintf("the name %s: %s", e.Name, map[bool]string{true: "there is no such host", false: "the name server gives no answer"}[e.IsNotFound])
	}
	if e, ok := errors.AsType[syscall.Errno](err); ok {
		return e.Error()
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return e.Err.Error()
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err.Error()
	}
	return err.Error()
}

// within ends what a connection waits for when ctx ends. The function that it returns must
// be called before the connection is closed.
func within(ctx context.Context, c interface{ SetDeadline(time.Time) error }) (done func() bool) {
	return context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
}

// because is the end of ctx where that is why err came.
func because(ctx context.Context, err error) error { return cmp.Or(ctx.Err(), err) }

// patient asks what no deadline can break off, such as a file on a server that is gone.
// Its goroutine outlives a run whose time is over; there is never more than one, because
// the next run first waits for the question before it.
func patient(look func() (string, error)) func(context.Context) (string, error) {
	type answer struct {
		found string
		err   error
	}
	var open chan answer
	return func(ctx context.Context) (string, error) {
		if open != nil {
			select {
			case <-open: // it is about another time
			case <-ctx.Done():
				return "", ctx.Err()
			}
		}
		answered := make(chan answer, 1)
		open = answered
		go func() {
			found, err := look()
			answered <- answer{found, err}
		}()
		select {
		case a := <-answered:
			open = nil
			return a.found, a.err
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}
