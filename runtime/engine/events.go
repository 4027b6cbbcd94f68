package engine

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"hafile/runtime/node"
)

// eventsMax bounds what waits for a reader that does not read.
const eventsMax = 4096

// Events is the queue of transitions from the loop to one reader. It never makes the
// loop wait. When it is full, transitions that later ones of the same router have
// overtaken are dropped and counted; the last one of each router is never lost.
//
// Its mutex is held for as long as it takes to append or to swap; the reader, who may
// be preempted while holding it, only swaps.
type Events struct {
	mu     sync.Mutex
	queue  []node.Transition
	closed bool
	lost   atomic.Uint64
	wake   chan struct{}
}

func (q *Events) init() { q.wake = make(chan struct{}, 1) }

func (q *Events) transition(t node.Transition) {
	q.mu.Lock()
	if len(q.queue) >= eventsMax {
		before := len(q.queue)
		q.queue = lastOfEach(q.queue)
		q.lost.Add(uint64(before - len(q.queue)))
	}
	q.queue = append(q.queue, t)
	q.mu.Unlock()
	q.poke()
}

// poke wakes the reader if it sleeps.
func (q *Events) poke() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *Events) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.poke()
}

// lastOfEach keeps the last transition of every router, in their order: an instance that
// was given another one has two of them for a moment.
func lastOfEach(all []node.Transition) []node.Transition {
	type who struct {
		key   node.WireKey
		group node.Addr
	}
	seen := map[who]bool{}
	var out []node.Transition
	for _, t := range slices.Backward(all) {
		w := who{key: t.Key}
		if t.Group() {
			w.group = t.Instance
		}
		if !seen[w] {
			seen[w] = true
			out = append(out, t)
		}
	}
	slices.Reverse(out)
	return out
}

// Next waits for transitions and returns all there are, oldest first. It answers
// ErrClosed when the engine has ended and everything has been read.
func (q *Events) Next(ctx context.Context) ([]node.Transition, error) {
	for {
		q.mu.Lock()
		taken, closed := q.queue, q.closed
		q.queue = nil
		q.mu.Unlock()
		switch {
		case len(taken) > 0:
			return taken, nil
		case closed:
			return nil, ErrClosed
		}
		select {
		case <-q.wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
