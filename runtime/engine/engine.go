package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"hafile/runtime/kernel"
	"hafile/runtime/node"
	"hafile/runtime/vrrp"
	"hafile/runtime/vrrp/wire"
)

// ErrClosed is the answer of an engine that runs no longer.
var ErrClosed = errors.New("the engine is closed")

// drainMax bounds how many packets of one socket are read in one turn: a flood delays no
// advert of ours by more than about a millisecond.
const drainMax = 1024

// Options of an engine. Kernel and Announcer must be set.
type Options struct {
	Kernel    Kernel
	Announcer Announcer
	// Clock is an Epoll if it is nil. The engine closes it.
	Clock Clock
	// Stamp, if set, is given the instant of every batch with an advert above priority 0.
	// It lies in memory that outlives the process, so that a successor knows whether
	// anybody can have missed it.
	Stamp *atomic.Int64
	// Reserve, needed with signatures, writes a number down where a process after this one
	// finds it, before it returns. It must not block.
	Reserve func(of node.WireKey, upTo wire.Sequence)
	// Normal leaves the scheduling of the thread alone.
	Normal bool
}

// Engine runs a node. Its exported methods are for other goroutines.
type Engine struct {
	options Options
	clock   Clock
	mail    mailbox
	events  Events
	ended   chan struct{}
	late    sync.Mutex // orders those who ask after the end

	// The rest belongs to the loop.
	node    *node.Node
	sockets map[node.Place]*port
	byFD    map[int]*port
	ready   []int
	out     []node.Effect
	letters []letter
	queued  []*port // with something to flush
	alive   bool    // and among it an advert above priority 0
	stats   Stats
	asleep  time.Duration
	armed   vrrp.Instant
	gone    chan struct{} // not nil: closed when the node is gone
	closing bool
}

type port struct {
	place  node.Place
	socket Socket
	queued bool
}

// Start begins the loop on a thread of its own. It ends with Close.
func Start(o Options) (*Engine, error) {
	if o.Clock == nil {
		clock, err := NewEpoll()
		if err != nil {
			return nil, err
		}
		o.Clock = clock
	}
	e := &Engine{
		options: o, clock: o.Clock, ended: make(chan struct{}), node: node.New(),
		sockets: map[node.Place]*port{}, byFD: map[int]*port{},
	}
	e.events.init()
	started := make(chan struct{})
	go e.run(started)
	<-started
	return e, nil
}

// Commit makes a verified plan the running one and returns when it is. It cannot fail:
// ctx bounds the wait only, and a commit that was waited for in vain takes place.
func (e *Engine) Commit(ctx context.Context, r node.Resolved) error {
	return e.do(ctx, func(now vrrp.Instant) {
		e.out = e.node.Commit(now, r, e.out[:0])
	})
}

// Check is the state of a check.
func (e *Engine) Check(check node.Addr, state node.CheckState) {
	e.post(func(now vrrp.Instant) {
		e.out = e.node.Check(now, check, state, e.out[:0])
	})
}

// Drain makes the node give its addresses away, or be a candidate again, and returns when
// it has begun.
func (e *Engine) Drain(ctx context.Context, drained bool) error {
	return e.do(ctx, func(now vrrp.Instant) {
		e.out = e.node.Drain(now, drained, e.out[:0])
	})
}

// Link says what is wrong with an interface; empty if nothing is.
func (e *Engine) Link(iface, wrong string) {
	e.post(func(now vrrp.Instant) {
		e.out = e.node.Link(now, iface, wrong, e.out[:0])
	})
}

// KernelReport is what the kernel has.
func (e *Engine) KernelReport(r kernel.Report) {
	e.post(func(now vrrp.Instant) {
		e.out = e.node.Kernel(now, r, e.out[:0])
	})
}

// Stop makes every router leave and returns when all are gone, which package vrrp bounds
// by three intervals and the largest skew. Close follows.
func (e *Engine) Stop(ctx context.Context) error {
	var gone chan struct{}
	err := e.do(ctx, func(now vrrp.Instant) {
		if e.gone == nil {
			e.gone = make(chan struct{})
		}
		gone = e.gone
		e.out = e.node.Stop(now, e.out[:0])
	})
	if err != nil {
		return err
	}
	select {
	case <-gone:
		return nil
	case <-e.ended:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close ends the loop without a word to anybody and returns when it has ended. It may be
// called again.
func (e *Engine) Close() {
	e.post(func(vrrp.Instant) { e.closing = true })
	<-e.ended
}

// Snapshot is the node as it is; the last one when the engine is closed.
func (e *Engine) Snapshot() node.Snapshot {
	var s node.Snapshot
	e.ask(func(now vrrp.Instant) { s = e.node.Snapshot(now) })
	return s
}

// Stats of the loop; the last ones when the engine is closed.
func (e *Engine) Stats() Stats {
	var s Stats
	e.ask(func(vrrp.Instant) { s = e.stats })
	s.EventsLost = e.events.lost.Load()
	return s
}

// Events that have happened since the start, for one reader.
func (e *Engine) Events() *Events { return &e.events }

// WallTime is when an instant was or will be.
func (e *Engine) WallTime(i vrrp.Instant) time.Time {
	return time.Now().Add(i.Sub(e.clock.Now()))
}

// AddSocket gives the loop the socket for a place. The one that it had for it, if any, is
// given back for the caller to close.
func (e *Engine) AddSocket(at node.Place, s Socket) (old Socket, err error) {
	asked := e.do(context.Background(), func(vrrp.Instant) {
		old = e.remove(at)
		if err = e.clock.Watch(s.FD()); err != nil {
			err = fmt.Errorf("watch the socket of %s: %w", at.Interface, err)
			return
		}
		p := &port{place: at, socket: s}
		e.sockets[at], e.byFD[s.FD()] = p, p
	})
	return old, errors.Join(asked, err)
}

// RemoveSocket gives a socket back for the caller to close; nil if there was none.
func (e *Engine) RemoveSocket(at node.Place) (old Socket) {
	e.ask(func(vrrp.Instant) { old = e.remove(at) })
	return old
}

func (e *Engine) remove(at node.Place) Socket {
	p := e.sockets[at]
	if p == nil {
		return nil
	}
	delete(e.sockets, at)
	delete(e.byFD, p.socket.FD())
	// A descriptor that cannot be unwatched is closed by the caller, which unwatches it.
	_ = e.clock.Unwatch(p.socket.FD())
	return p.socket
}
