package peers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// Pace of the questions.
const (
	every   = time.Second
	askMax  = time.Second     // for one question
	believe = 3 * time.Second // an answer is worth something: three questions
)

// Peer is what is known of one member.
type Peer struct {
	Node   string
	Status netip.AddrPort
	Said   *Said // nil: unknown. It is shared and never changed.
	At     time.Time
	Why    string // unknown because
}

// Watcher asks the others. It ends with Close.
type Watcher struct {
	changed func()

	// mu guards the set of whom it asks: plans and readers come on goroutines of their own.
	mu    sync.Mutex
	from  netip.Addr
	asked map[string]*asked
}

// NewWatcher asks nobody yet. changed is called after an answer that is another than the
// one before, on a goroutine of the watcher.
func NewWatcher(changed func()) *Watcher {
	return &Watcher{changed: changed, asked: map[string]*asked{}}
}

// Watch says whom to ask, by node, and from which address: the one that the others know;
// the zero address leaves it to the kernel.
func (w *Watcher) Watch(from netip.Addr, whom map[string]netip.AddrPort) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for node, a := range w.asked {
		if whom[node] != a.at || from != w.from {
			a.stop()
			delete(w.asked, node)
		}
	}
	w.from = from
	for node, at := range whom {
		if w.asked[node] == nil {
			w.asked[node] = begin(from, node, at, w.changed)
		}
	}
}

// Known is what the last answers say.
func (w *Watcher) Known() map[string]Peer {
	out := map[string]Peer{}
	for node, a := range w.all() {
		out[node] = a.known(time.Now())
	}
	return out
}

// Ask asks all of them now, and waits no longer than for one question. What was said
// before counts for nothing.
func (w *Watcher) Ask(ctx context.Context) map[string]Peer {
	var wg sync.WaitGroup
	begin, all, out := time.Now(), w.all(), map[string]Peer{}
	for _, a := range all {
		wg.Go(func() { a.ask(ctx) })
	}
	wg.Wait()
	for node, a := range all {
		p := a.known(time.Now())
		if p.At.Before(begin) {
			p.Said, p.Why = nil, cmp.Or(a.reason(), p.Why)
		}
		out[node] = p
	}
	return out
}

func (w *Watcher) all() map[string]*asked {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.asked)
}

// Close asks no more.
func (w *Watcher) Close() { w.Watch(netip.Addr{}, nil) }

// asked is one member.
type asked struct {
	node    string
	at      netip.AddrPort
	client  http.Client
	stop    context.CancelFunc
	changed func()

	// mu guards what it has said: it is asked on its own goroutine and on those of Ask.
	mu   sync.Mutex
	said *Said
	tag  string
	when time.Time
	why  string
}

// begin asks at once and then every second. The goroutine ends with stop.
func begin(from netip.Addr, node string, at netip.AddrPort, changed func()) *asked {
	dialer := net.Dialer{Timeout: askMax}
	if from.IsValid() && from.Is4() == at.Addr().Is4() {
		dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
	}
	ctx, stop := context.WithCancel(context.Background())
	a := &asked{node: node, at: at, stop: stop, changed: changed, why: "it was not asked yet"}
	a.client = http.Client{
		Timeout:       askMax,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: dialer.DialContext, DisableCompression: true,
			MaxConnsPerHost: 2, MaxIdleConnsPerHost: 1, IdleConnTimeout: 5 * time.Second, MaxResponseHeaderBytes: 4 << 10,
		},
	}
	go func() {
		defer a.client.CloseIdleConnections()
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			a.ask(ctx)
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return a
}

func (a *asked) ask(ctx context.Context) {
	a.mu.Lock()
	said, tag := a.said, a.tag
	a.mu.Unlock()
	now, tag, err := a.fetch(ctx, said, tag)
	if a.note(now, tag, err) {
		a.changed()
	}
}

// note keeps an answer, or why there was none; what was said before stays good for a
// while.
func (a *asked) note(now *Said, tag string, err error) (changed bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		a.why = err.Error()
		return false
	}
	changed = a.said != now
	a.said, a.tag, a.when, a.why = now, tag, time.Now(), ""
	return changed
}

func (a *asked) reason() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.why
}

func (a *asked) known(now time.Time) Peer {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := Peer{Node: a.node, Status: a.at, Said: a.said, At: a.when, Why: a.why}
	if a.said != nil && now.Sub(a.when) > believe {
		p.Said = nil
	}
	if p.Said == nil && p.Why == "" {
		p.Why = "it does not answer"
	}
	if p.Said != nil {
		p.Why = ""
	}
	return p
}

// fetch asks once. An answer that is still the same is not sent again.
func (a *asked) fetch(ctx context.Context, said *Said, tag string) (*Said, string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+a.at.String()+Path, nil)
	if err != nil {
		return nil, "", err
	}
	if said != nil {
		r.Header.Set("If-None-Match", tag)
	}
	resp, err := a.client.Do(r)
	if err != nil {
		return nil, "", cause(err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotModified && said != nil:
		return said, tag, nil
	case resp.StatusCode != http.StatusOK:
		return nil, "", fmt.Errorf("it answers %d: is it hafile?", resp.StatusCode)
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, bodyMax+1))
	if err != nil {
		return nil, "", cause(err)
	}
	if len(raw) > bodyMax {
		return nil, "", errors.New("its answer has no end")
	}
	said, err = decode(raw, a.node)
	return said, resp.Header.Get("ETag"), err
}

// cause is the error without the made-up URL around it, in words that do not differ from
// one question to the next.
func cause(err error) error {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return errors.New("it does not answer in time")
	}
	if errors.Is(err, io.EOF) {
		return errors.New("it closes the connection: this node's address may be none of its members'")
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}
