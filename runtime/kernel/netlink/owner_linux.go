package netlink

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"hafile/runtime/kernel"
)

const (
	auditEvery = 30 * time.Second       // a look without a reason
	lookGap    = 5 * time.Millisecond   // between two looks for events' sake
	lookAgain  = 100 * time.Millisecond // after a look that failed
)

// ErrClosed is the answer to a question after [Owner.Close].
var ErrClosed = errors.New("the owner of the addresses has ended")

// Options of an owner. The functions are called on the owner's goroutine, one at a time,
// and must not block: while one runs, nothing is put back.
type Options struct {
	// Record is what an earlier process of ours has installed. What of it is still
	// there is ours, as is everything that carries our tag.
	Record kernel.State
	// Report tells what is there: once after every Want (a later one may stand for it
	// too), and whenever it changes. An address that somebody else takes away is
	// reported missing first, and at once again when it is back.
	Report func(kernel.Report)
	// Link tells of an interface: all of them at the start, and each again when it
	// changes; with Index 0 when it is gone. A renamed one is gone and there anew.
	Link func(kernel.Link)
	// Problem tells of an error that is not an address's own: a look that failed and
	// will be repeated, events that have ended. May be nil.
	Problem func(error)
}

// Owner is this host's addresses. Its methods may be called from any goroutine.
type Owner struct {
	opt    Options
	host   *host
	events *events
	ledger *kernel.Ledger
	start  time.Time

	// The slot between callers and the owner's goroutine. The loop that calls Want is
	// in a hurry: the lock is never held for longer than a copy.
	mu      sync.Mutex
	pending *wish
	adopt   kernel.State // with the next wish
	disown  kernel.State // likewise

	wake      chan struct{} // has one token as long as the slot has news
	questions chan func()
	quit      chan struct{}
	ended     chan struct{}
	closing   sync.Once

	adoptable kernel.State
	links     map[string]kernel.Link // as last told
}

type wish struct {
	gen    uint64
	want   kernel.State
	beside kernel.Things
}

// Open makes the sockets on the calling thread, looks, and starts the owner's goroutine
// and its listener; both end with [Owner.Close]. Nothing is changed before the first
// Want.
func Open(opt Options) (*Owner, error) {
	o, err := open(opt, eventsBuffer)
	if err != nil {
		return nil, err
	}
	o.run()
	return o, nil
}

func open(opt Options, buffer int) (*Owner, error) {
	events, err := openEvents(buffer) // before the first look, so that nothing is missed
	if err != nil {
		return nil, err
	}
	host, err := openHost()
	if err != nil {
		return nil, errors.Join(err, events.close())
	}
	host.filter = openFilter()
	if host.strict, err = openStrict(); err != nil {
		host.close()
		return nil, errors.Join(err, events.close())
	}
	o := &Owner{
		opt: opt, host: host, events: events, ledger: kernel.NewLedger(opt.Record), start: time.Now(),
		wake: make(chan struct{}, 1), questions: make(chan func()),
		quit: make(chan struct{}), ended: make(chan struct{}),
	}
	err = o.ledger.Round(0, host, func(kernel.Report) {})
	if err != nil {
		host.close()
		return nil, errors.Join(err, events.close())
	}
	o.adoptable = o.ledger.Ours()
	return o, nil
}

func (o *Owner) run() {
	go func() {
		if err := o.events.listen(); err != nil {
			o.ask(func() { o.problem(err) })
		}
	}()
	go o.loop()
}

// Adoptable is what was ours and installed when Open looked.
func (o *Owner) Adoptable() kernel.State { return o.adoptable }

// Want replaces the wanted state, with what is wanted beside the addresses. It does not
// block; of several in a row the last counts.
func (o *Owner) Want(gen uint64, want kernel.State, beside kernel.Things) {
	o.mu.Lock()
	o.pending = &wish{gen, want, beside}
	o.mu.Unlock()
	o.nudge()
}

// Adopt makes these addresses ours where a stranger has installed exactly them, with the
// next Want: without it they would be removed at once, as not wanted. It does not block.
func (o *Owner) Adopt(allowed kernel.State) {
	o.mu.Lock()
	o.adopt = allowed
	o.mu.Unlock()
}

// Disown hands these addresses back with the next Want: they stay installed and are ours
// no longer. It does not block.
func (o *Owner) Disown(given kernel.State) {
	o.mu.Lock()
	o.disown = given
	o.mu.Unlock()
}

func (o *Owner) nudge() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// Conflicts looks which of the addresses a stranger has installed.
func (o *Owner) Conflicts(ctx context.Context, want kernel.State) ([]kernel.Refusal, error) {
	var out []kernel.Refusal
	var err error
	asked := o.askFor(ctx, func() {
		var r kernel.Reading
		if r, err = o.host.Read(false); err == nil {
			out = o.ledger.Conflicts(want, r)
		}
	})
	return out, errors.Join(asked, err)
}

// Installed looks which of the addresses are installed, whoever did it, and how they look
// there.
func (o *Owner) Installed(ctx context.Context, want kernel.State) (kernel.State, error) {
	var out kernel.State
	var err error
	asked := o.askFor(ctx, func() {
		var r kernel.Reading
		if r, err = o.host.Read(false); err == nil {
			for _, i := range r.Installed {
				out = out.Add(i.Address)
			}
			out = out.Like(want)
		}
	})
	return out, errors.Join(asked, err)
}

// Links looks at the interfaces.
func (o *Owner) Links(ctx context.Context) ([]kernel.Link, error) {
	var out []kernel.Link
	var err error
	asked := o.askFor(ctx, func() {
		var r kernel.Reading
		if r, err = o.host.Read(false); err == nil {
			out = o.own(r.Links)
		}
	})
	return out, errors.Join(asked, err)
}

// Lost is how often the kernel's events overflowed their buffer. Each cost one look.
func (o *Owner) Lost() uint64 { return o.events.lost.Load() }

// ask has the owner's goroutine call fn, and returns when it has.
func (o *Owner) ask(fn func()) { _ = o.askFor(context.Background(), fn) }

func (o *Owner) askFor(ctx context.Context, fn func()) error {
	done := make(chan struct{})
	select {
	case o.questions <- func() { defer close(done); fn() }:
		<-done
		return nil
	case <-o.ended:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close ends the owner. Addresses stay as they are: to release them, Want nothing and
// wait for the report.
func (o *Owner) Close() error {
	var err error
	o.closing.Do(func() {
		close(o.quit)
		<-o.ended
		o.host.close()
		err = o.events.close()
	})
	return err
}

func (o *Owner) now() time.Duration { return time.Since(o.start) }

func (o *Owner) loop() {
	defer close(o.ended)
	due := time.Duration(0)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for last := time.Duration(0); ; {
		timer.Reset(due - o.now())
		select {
		case <-o.quit:
			return
		case fn := <-o.questions:
			fn()
			continue
		case <-o.wake:
		case <-timer.C:
		case <-o.events.changed:
			if due = min(due, last+lookGap); due > o.now() {
				continue
			}
		}
		due = o.round()
		last = o.now()
	}
}

// round does what is to be done and returns when the next one is due.
func (o *Owner) round() time.Duration {
	o.mu.Lock()
	wish := o.pending
	if wish != nil {
		o.ledger.Adopt(o.adopt)
		o.ledger.Disown(o.disown)
		o.pending, o.adopt, o.disown = nil, nil, nil
	}
	o.mu.Unlock()
	if wish != nil {
		closes := slices.ContainsFunc(wish.beside, func(t kernel.Thing) bool { return t.Closed != nil })
		if err := o.events.follow(prefixesOf(wish.beside), len(wish.beside) > 0, closes); err != nil {
			o.problem(err) // the audit looks all the same
		}
		o.ledger.Surround(wish.beside)
		o.ledger.Want(wish.gen, wish.want)
	}
	if err := o.ledger.Round(o.now(), watched{o}, o.opt.Report); err != nil {
		o.problem(err)
		return o.now() + lookAgain
	}
	due := o.now() + auditEvery
	if at, ok := o.ledger.Deadline(); ok {
		due = min(due, at)
	}
	return due
}

func (o *Owner) problem(err error) {
	if o.opt.Problem != nil {
		o.opt.Problem(err)
	}
}

// watched is the host of a round: every look also tells what has become of the links,
// before the ledger acts on it.
type watched struct{ o *Owner }

func (w watched) Apply(op kernel.Op) error { return w.o.host.Apply(op) }

func (w watched) Read(things bool) (kernel.Reading, error) {
	r, err := w.o.host.Read(things)
	if err == nil {
		w.o.tell(w.o.own(r.Links))
	}
	return r, err
}

// own takes out of the links' addresses those that are ours without a tag.
func (o *Owner) own(links []kernel.Link) []kernel.Link {
	for i := range links {
		var rest []netip.Prefix
		for _, p := range links[i].Addresses {
			if !o.ledger.Claims(kernel.Address{Interface: links[i].Name, Prefix: p}) {
				rest = append(rest, p)
			}
		}
		links[i].Addresses = rest
	}
	return links
}

// tell reports links that differ from the last time; first those that are gone.
func (o *Owner) tell(links []kernel.Link) {
	now := make(map[string]kernel.Link, len(links))
	for _, l := range links {
		now[l.Name] = l
	}
	for name := range o.links {
		if _, there := now[name]; !there {
			o.opt.Link(kernel.Link{Name: name})
		}
	}
	for _, l := range links {
		if old, known := o.links[l.Name]; !known || !old.Equal(l) {
			o.opt.Link(l)
		}
	}
	o.links = now
}
