package notify

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"hafile/lang/plan"
)

// Notifier owns the queues. Its methods may be called from any goroutine, and only
// Drain waits.
type Notifier struct {
	opt    Options
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup // one per queue that has something to do
	mails  chan struct{}  // deliveries at once
	hooks  chan struct{}

	// mu guards everything below, targets and queues too: changes, plans and the ends
	// of deliveries come from different goroutines.
	mu       sync.Mutex
	targets  map[plan.Addr]*target
	queues   map[queueKey]*queue
	draining bool
	closed   bool
}

// target is one notify of the plan.
type target struct {
	addr plan.Addr
	spec plan.Notify
	// retireAt is when what is left for a notify that the plan no longer has is given
	// up. It still takes changes until then: the last ones of an instance that leaves
	// with it come after the plan.
	retireAt time.Time

	sent, failed, dropped uint64
	lastError             string
}

type queueKey struct {
	wire   plan.WireKey
	group  plan.Addr // of a sync group, which has no wire
	target *target
}

// New is a Notifier that knows nobody. Drain ends it.
func New(opt Options) *Notifier {
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	if opt.Secret == nil {
		opt.Secret = func(s plan.Secret) string { return s.Value }
	}
	n := &Notifier{
		opt: opt, mails: make(chan struct{}, mailsAtOnce), hooks: make(chan struct{}, hooksAtOnce),
		targets: map[plan.Addr]*target{}, queues: map[queueKey]*queue{},
	}
	if n.opt.deliver == nil {
		n.opt.deliver = n.deliver
	}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	return n
}

// Apply makes the notifies the known ones. Queues keep what they hold: under a new name
// if only the name changed, for the new relay or program if that did (at once: the edit
// may be the cure). What is left for a removed notify is tried for one more minute.
func (n *Notifier) Apply(notifies []plan.Notify) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return
	}
	next := make(map[plan.Addr]*target, len(notifies))
	for _, spec := range notifies {
		if t := n.targets[spec.Address]; t != nil {
			next[spec.Address] = t
		}
	}
	for _, spec := range notifies {
		t := next[spec.Address]
		if t == nil {
			t = n.renamed(spec, next, notifies)
		}
		if t == nil {
			t = &target{spec: spec}
		}
		if contentKey(t.spec) != contentKey(spec) {
			n.hurry(t)
		}
		t.addr, t.spec, t.retireAt = spec.Address, spec, time.Time{}
		next[spec.Address] = t
	}
	n.retire(next)
	n.targets = next
	n.prune()
}

// renamed finds the target that did the same under a name that is gone.
func (n *Notifier) renamed(spec plan.Notify, next map[plan.Addr]*target, notifies []plan.Notify) *target {
	for addr, t := range n.targets {
		gone := !slices.ContainsFunc(notifies, func(s plan.Notify) bool { return s.Address == addr })
		if gone && !inUse(next, t) && contentKey(t.spec) == contentKey(spec) {
			return t
		}
	}
	return nil
}

func inUse(next map[plan.Addr]*target, t *target) bool {
	for _, other := range next {
		if other == t {
			return true
		}
	}
	return false
}

// retire keeps targets that are gone from the plan until their time is over.
func (n *Notifier) retire(next map[plan.Addr]*target) {
	for addr, t := range n.targets {
		if inUse(next, t) {
			continue
		}
		if t.retireAt.IsZero() {
			t.retireAt = time.Now().Add(retireFor)
		}
		if next[addr] == nil && time.Now().Before(t.retireAt) {
			next[addr] = t
		}
		n.wake(t)
	}
}

// prune forgets queues that are empty and owe the rate nothing.
func (n *Notifier) prune() {
	for key, q := range n.queues {
		if !q.running && q.pending == nil && q.rate.full(time.Now()) {
			delete(n.queues, key)
		}
	}
}

// hurry makes what waits for another try due now.
func (n *Notifier) hurry(t *target) {
	for key, q := range n.queues {
		if key.target == t && q.pending != nil {
			q.pending.restart()
		}
	}
	n.wake(t)
}

// wake makes the queues of a target look again.
func (n *Notifier) wake(t *target) {
	for key, q := range n.queues {
		if key.target == t {
			q.wake()
		}
	}
}

// contentKey is what a notify does, without its name and position.
func contentKey(spec plan.Notify) string {
	spec.Address, spec.Src = "", plan.Src{}
	raw, err := json.Marshal(spec)
	if err != nil {
		panic(fmt.Sprintf("notify: a notify that cannot be written: %v", err))
	}
	return string(raw)
}

// Notify takes a change and returns at once.
//
// A notify that the plan does not have is not told: plan.Verify refuses such a plan.
func (n *Notifier) Notify(t Transition) {
	if !slices.Contains(plan.NotifyEvents, t.Event) {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return
	}
	for _, addr := range t.Notify {
		to := n.targets[addr]
		if to == nil {
			continue
		}
		key := queueKey{wire: t.Wire, target: to}
		if t.Group {
			key.group = t.Instance
		}
		q := n.queues[key]
		if !slices.Contains(to.spec.On, t.Event) {
			if q != nil && to.spec.Exec != nil {
				q.supersede(nil)
			}
			continue
		}
		if q == nil {
			q = newQueue(n, to)
			n.queues[key] = q
		}
		q.supersede(newItem(t))
	}
}

// Status of every notify of the plan, by address.
func (n *Notifier) Status() []Status {
	n.mu.Lock()
	defer n.mu.Unlock()
	list := make([]Status, 0, len(n.targets))
	for _, t := range n.targets {
		if !t.retireAt.IsZero() {
			continue
		}
		s := Status{Address: t.addr, Sent: t.sent, Failed: t.failed, Dropped: t.dropped, LastError: t.lastError}
		for key, q := range n.queues {
			if key.target == t {
				s.Pending += q.waiting()
			}
		}
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b Status) int { return cmp.Compare(a.Address, b.Address) })
	return list
}

// Drain tells what is still to be told, without rate and with short pauses between
// tries, until all is told or ctx ends; then deliveries in flight are broken off and
// hooks killed. It ends the Notifier: a change that comes after Drain has begun is
// ignored, so call it after the last one. Its error counts what was lost.
func (n *Notifier) Drain(ctx context.Context) error {
	n.beginDrain()
	idle := make(chan struct{})
	go func() { // ends with the queues, at the latest after the cancel below
		defer close(idle)
		n.wg.Wait()
	}()
	select {
	case <-idle:
	case <-ctx.Done():
	}
	n.cancel()
	<-idle
	return n.lost()
}

func (n *Notifier) beginDrain() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.draining, n.closed = true, true
	for _, q := range n.queues {
		if q.pending != nil {
			q.pending.restart()
		}
		q.wake()
	}
}

// lost is nil if everything was told.
func (n *Notifier) lost() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	lost, lastError := 0, ""
	for key, q := range n.queues {
		if q.waiting() > 0 {
			lost += q.waiting()
			lastError = key.target.lastError
		}
	}
	if lost == 0 {
		return nil
	}
	return fmt.Errorf("%d notifications were not delivered: %s", lost, cmp.Or(lastError, "no time was left"))
}
