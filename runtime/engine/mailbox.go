package engine

import (
	"context"
	"sync"

	"hafile/runtime/vrrp"
)

// letter is what another goroutine wants done on the loop.
type letter func(now vrrp.Instant)

// mailbox needs its mutex because many write and the loop reads. The loop only tries to
// take it: a writer that holds it wakes the loop again when it is done.
type mailbox struct {
	mu      sync.Mutex
	letters []letter
	closed  bool
}

func (m *mailbox) put(l letter) (ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.closed {
		m.letters = append(m.letters, l)
	}
	return !m.closed
}

// take swaps the letters for an empty slice.
func (m *mailbox) take(empty []letter) []letter {
	if !m.mu.TryLock() {
		return empty
	}
	defer m.mu.Unlock()
	if len(m.letters) == 0 {
		return empty
	}
	taken := m.letters
	m.letters = empty
	return taken
}

// close refuses further letters and returns those that nobody has read.
func (m *mailbox) close() []letter {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return m.letters
}

// post has a letter done on the loop some time; false if the loop has ended.
func (e *Engine) post(l letter) bool {
	if !e.mail.put(l) {
		return false
	}
	e.clock.Wake()
	return true
}

// do has a letter done and returns when it is.
func (e *Engine) do(ctx context.Context, l letter) error {
	done := make(chan struct{})
	if !e.post(func(now vrrp.Instant) { l(now); close(done) }) {
		return ErrClosed
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-e.ended:
	}
	select {
	case <-done: // the loop's last turn
		return nil
	default:
		return ErrClosed
	}
}

// ask reads or changes the loop's state, on the loop while it runs and here when it has
// ended.
func (e *Engine) ask(l letter) {
	if e.do(context.Background(), l) == nil {
		return
	}
	<-e.ended
	e.late.Lock()
	defer e.late.Unlock()
	l(e.clock.Now())
}
