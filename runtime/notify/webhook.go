package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"hafile/lang/plan"
)

// Bounds in bytes: of a file of certificates, of an answer's headers, and of an answer,
// which is read so that the server sees a client that listens, and then thrown away.
const (
	caMax     = 4 << 20
	headMax   = 64 << 10
	answerMax = 64 << 10
)

// event is what a webhook posts. Fields are only ever added.
type event struct {
	ID        string        `json:"id"` // the same for every try: a repeat is seen as one
	Event     string        `json:"event"`
	Node      string        `json:"node"`
	Instance  plan.Addr     `json:"instance,omitempty"`
	Group     plan.Addr     `json:"group,omitempty"` // the sync group that it is about, in the place of an instance
	Name      string        `json:"name"`
	From      string        `json:"from"`
	FromSince *time.Time    `json:"from_since,omitempty"`
	Why       string        `json:"why"`
	At        time.Time     `json:"at"`
	Priority  uint8         `json:"priority"`
	VIPs      []string      `json:"vips"`
	Interface string        `json:"interface,omitempty"`
	Family    plan.Family   `json:"family,omitempty"`
	RouterID  uint8         `json:"router_id,omitempty"`
	Version   uint8         `json:"version,omitempty"`
	Try       int           `json:"try"`               // from 1
	Skipped   []passedEvent `json:"skipped,omitempty"` // changes before it that got no post of their own
	Omitted   int           `json:"omitted,omitempty"` // older ones of those
}

type passedEvent struct {
	Event string    `json:"event"`
	At    time.Time `json:"at"`
	Why   string    `json:"why"`
}

func eventOf(it *item) event {
	t := &it.Transition
	e := event{
		ID: it.id, Event: t.Event, Node: t.Node, Instance: t.Instance, Name: t.Name, From: t.From, Why: oneLine(t.Why, lineMax), At: t.At.UTC(),
		Priority: t.Priority, VIPs: vips(t.VIPs), Interface: t.Wire.Interface, Family: t.Wire.Family,
		RouterID: t.Wire.VRID, Version: t.Wire.Version, Try: it.tries + 1, Omitted: it.omitted,
	}
	if t.Group {
		e.Instance, e.Group = "", t.Instance
	}
	if !t.FromSince.IsZero() {
		since := t.FromSince.UTC()
		e.FromSince = &since
	}
	for i := range it.skipped {
		s := &it.skipped[i]
		e.Skipped = append(e.Skipped, passedEvent{Event: s.Event, At: s.At.UTC(), Why: oneLine(s.Why, lineMax)})
	}
	return e
}

// post hands one change to a server. It is told when the server answers 2xx. A server that
// does not answer, or says 408, 429 or 5xx, may take it later; any other answer is a no.
func (n *Notifier) post(ctx context.Context, w *plan.Webhook, it *item) verdict {
	limit := time.Duration(w.TimeoutMs) * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	answer, err := n.roundTrip(ctx, w, it)
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return verdict{err: fmt.Errorf("webhook %s: no answer within %v", place(w.URL), limit)}
	case err != nil:
		return verdict{err: fmt.Errorf("webhook %s: %s", place(w.URL), oneLine(plainly(err), lineMax))}
	case answer.StatusCode >= 200 && answer.StatusCode <= 299:
		return verdict{sent: true}
	}
	later := answer.StatusCode >= 500 || answer.StatusCode == http.StatusRequestTimeout || answer.StatusCode == http.StatusTooManyRequests
	return verdict{err: fmt.Errorf("webhook %s: got %s", place(w.URL), oneLine(answer.Status, lineMax)), answer: !later}
}

// roundTrip sends the request over a connection of its own: changes are rare. No proxy of
// the environment is asked and no redirect followed, which would show the token around.
func (n *Notifier) roundTrip(ctx context.Context, w *plan.Webhook, it *item) (*http.Response, error) {
	body, err := json.Marshal(eventOf(it))
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "hafile")
	for name, value := range w.Headers {
		if strings.EqualFold(name, "Host") { // the library takes it from elsewhere
			req.Host = value
			continue
		}
		req.Header.Set(name, value)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", it.id)
	if w.Token != (plan.Secret{}) {
		token := n.opt.Secret(w.Token)
		if token == "" {
			return nil, errors.New("its token is not there")
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	roots, err := authorities(w.CAFile)
	if err != nil {
		return nil, err
	}
	dial := n.opt.Dial
	if dial == nil {
		dial = (&net.Dialer{Resolver: &net.Resolver{PreferGo: true}}).DialContext
	}
	transport := &http.Transport{
		DialContext: dial, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		DisableKeepAlives: true, MaxResponseHeaderBytes: headMax,
	}
	answer, err := transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, answerMax))
	return answer, answer.Body.Close()
}

// authorities reads the certificates anew for each request; nil are the system's.
func authorities(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) // a pipe must not hold us up
	if err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, caMax))
	if err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(raw) {
		return nil, fmt.Errorf("ca_file: %s holds no certificate", path)
	}
	return pool, nil
}

// place is where a webhook is, without its path and query: those of many services are a
// password.
func place(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "(unreadable)"
	}
	return u.Scheme + "://" + u.Host
}

// plainly leaves out what repeats the address.
func plainly(err error) string {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	return err.Error()
}
