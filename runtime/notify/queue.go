package notify

import (
	"crypto/rand"
	"math"
	"time"

	"hafile/lang/plan"
)

// item is one change on its way.
type item struct {
	Transition
	skipped []Transition // superseded before it, oldest first
	omitted int          // more of them, over skippedMax
	id      string       // of the mail: the same for every try, so that a repeat is seen as one

	tries     int
	runs      int // of a hook: tries in which it was started
	notBefore time.Time
	paid      bool     // the rate has let it through
	left      []string // recipients that still lack it; nil: all
	lastError string
}

func newItem(t Transition) *item { return &item{Transition: t, id: rand.Text()} }

// restart makes every try count as the first, for everybody.
func (it *item) restart() { it.tries, it.runs, it.notBefore = 0, 0, time.Time{} }

// after puts the item in the place of an older one, whose change it lists.
func (it *item) after(old *item) {
	all := append(append(old.skipped, old.Transition), it.skipped...)
	it.omitted += old.omitted
	if over := len(all) - skippedMax; over > 0 {
		all = all[over:]
		it.omitted += over
	}
	it.skipped = all
}

// verdict on one try.
type verdict struct {
	err    error
	sent   bool     // told; with an error: not to everybody
	answer bool     // the other side was there and said no: no use in asking it soon
	last   bool     // do not try again
	left   []string // recipients that may still get the mail
}

// queue of one instance and one notify. Notifier.mu guards it. Its goroutine exists
// while there is something to tell.
type queue struct {
	n       *Notifier
	to      *target
	pending *item // the newest change that is not being told yet
	flying  *item // the one being told
	stale   bool  // something newer than flying has come
	running bool
	rate    rate
	woken   chan struct{}
}

func newQueue(n *Notifier, to *target) *queue {
	return &queue{n: n, to: to, woken: make(chan struct{}, 1)}
}

func (q *queue) wake() {
	select {
	case q.woken <- struct{}{}:
	default:
	}
}

func (q *queue) waiting() int {
	n := 0
	if q.pending != nil {
		n++
	}
	if q.flying != nil && !q.stale {
		n++
	}
	return n
}

// supersede puts a change in the place of what waits; nil takes that away.
func (q *queue) supersede(it *item) {
	if old := q.pending; old != nil {
		q.to.dropped++
		if it != nil {
			it.after(old)
		}
	}
	q.pending = it
	q.stale = q.flying != nil
	if it != nil && !q.running {
		q.running = true
		q.n.wg.Add(1)
		go q.run()
	}
	q.wake()
}

// run tells what is pending until nothing is, or the Notifier ends.
func (q *queue) run() {
	defer q.n.wg.Done()
	for {
		wait, more := q.due()
		if !more {
			return
		}
		if wait > 0 {
			if !q.sleep(wait) {
				return
			}
			continue
		}
		if !q.try() {
			return
		}
	}
}

// sleep until something changed or the time is over; false at the end of the Notifier.
func (q *queue) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-q.woken:
	case <-q.n.ctx.Done():
		return false
	}
	return true
}

// due is how long to wait before the next try. Without anything pending the goroutine
// ends; that is decided under the lock, so that a change never finds it leaving.
func (q *queue) due() (wait time.Duration, more bool) {
	q.n.mu.Lock()
	defer q.n.mu.Unlock()
	now := time.Now()
	retire := q.to.retireAt
	if q.pending != nil && !retire.IsZero() && !now.Before(retire) {
		q.to.dropped++
		q.pending = nil
	}
	if q.pending == nil {
		q.running = false
		return 0, false
	}
	wait = max(0, q.pending.notBefore.Sub(now))
	if q.limited() && !q.pending.paid {
		wait = max(wait, q.rate.wait(now))
	}
	if !retire.IsZero() {
		wait = min(wait, retire.Sub(now))
	}
	return wait, true
}

// limited reports whether the rate holds.
func (q *queue) limited() bool { return q.to.spec.Email != nil && !q.n.draining }

// try tells the pending change once; false at the end of the Notifier.
func (q *queue) try() bool {
	slots := q.slots()
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
	case <-q.n.ctx.Done():
		return false
	}
	it, spec := q.take()
	if it == nil {
		return true
	}
	v := q.n.opt.deliver(q.n.ctx, spec, it)
	q.done(it, v)
	return q.n.ctx.Err() == nil
}

func (q *queue) slots() chan struct{} {
	q.n.mu.Lock()
	defer q.n.mu.Unlock()
	if q.to.spec.Email != nil {
		return q.n.mails
	}
	return q.n.hooks
}

// take moves the pending change into flight, with the notify as it is now.
func (q *queue) take() (*item, *plan.Notify) {
	q.n.mu.Lock()
	defer q.n.mu.Unlock()
	it := q.pending
	if it == nil {
		return nil, nil
	}
	if q.limited() && !it.paid {
		q.rate.take(time.Now())
	}
	it.paid = true
	q.pending, q.flying, q.stale = nil, it, false
	spec := q.to.spec
	return it, &spec
}

// done counts a try. What failed waits for the next one, unless something newer came.
func (q *queue) done(it *item, v verdict) {
	tries := it.tries + 1
	said := it.lastError
	outcome, pause := q.settle(it, v)
	// Not under the lock: a log that blocks must not block who reports a change.
	log := q.n.opt.Log.With("instance", it.Name, "event", it.Event, "tries", tries)
	switch {
	case v.err == nil && tries > 1:
		log.Info("notification delivered")
	case v.err == nil, outcome == brokenOff:
	case outcome != retried:
		log.Warn("notification "+outcome, "error", v.err)
	case v.err.Error() != said:
		log.Warn("notification failed", "error", v.err, "retry_in", pause)
	}
}

// What becomes of a change after a try.
const (
	told       = "told"
	retried    = "retried"
	givenUp    = "given up"
	superseded = "superseded"
	brokenOff  = "broken off"
)

func (q *queue) settle(it *item, v verdict) (outcome string, pause time.Duration) {
	q.n.mu.Lock()
	defer q.n.mu.Unlock()
	stale := q.stale
	q.flying, q.stale = nil, false
	if v.err != nil && q.n.ctx.Err() != nil {
		// Broken off by the end of the Notifier: that is no answer, and must not hide
		// the reason why it was still on its way.
		if !stale {
			q.pending = it
		}
		return brokenOff, 0
	}
	if v.sent {
		q.to.sent++
	}
	if v.err == nil {
		q.to.lastError = ""
		return told, 0
	}
	it.tries++
	it.left = v.left
	it.lastError = v.err.Error()
	q.to.failed++
	q.to.lastError = it.lastError
	switch {
	case v.last:
		return givenUp, 0
	case stale:
		q.to.dropped++
		if q.pending != nil {
			q.pending.after(it)
		}
		return superseded, 0
	}
	pause = q.pause(it, v)
	it.notBefore = time.Now().Add(pause)
	q.pending = it
	return retried, pause
}

// pause before the next try.
func (q *queue) pause(it *item, v verdict) time.Duration {
	switch {
	case q.n.draining:
		return retryDrain
	case v.answer:
		return retryRefused
	}
	return min(retryFirst<<min(it.tries-1, 16), retryMax)
}

// rate is a bucket of mailBurst tokens that gains one each mailEvery. The zero value is
// full.
type rate struct {
	used float64
	at   time.Time
}

func (r *rate) settle(now time.Time) {
	if !r.at.IsZero() {
		r.used = math.Max(0, r.used-float64(now.Sub(r.at))/float64(mailEvery))
	}
	r.at = now
}

// wait is the time until a token is there.
func (r *rate) wait(now time.Time) time.Duration {
	r.settle(now)
	over := r.used - (mailBurst - 1)
	if over <= 0 {
		return 0
	}
	return time.Duration(math.Ceil(over * float64(mailEvery)))
}

func (r *rate) take(now time.Time) {
	r.settle(now)
	r.used++
}

func (r *rate) full(now time.Time) bool {
	r.settle(now)
	return r.used == 0
}
