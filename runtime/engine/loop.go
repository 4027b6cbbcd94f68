package engine

import (
	"runtime"
	"time"

	"hafile/runtime/node"
	"hafile/runtime/vrrp"
	"hafile/runtime/vrrp/wire"
)

// stallMin is the least lateness that the node is asked about. Which routers it
// matters to is for the node to say.
const stallMin = 5 * time.Millisecond

// looksMax bounds how often a turn looks for packets before its deadlines: a flood must
// not keep them from being met.
const looksMax = 4

// run is the goroutine of the loop. It never unlocks its thread, which the Go runtime
// therefore ends with it: a thread in real time is not given to others.
func (e *Engine) run(started chan<- struct{}) {
	runtime.LockOSThread()
	e.stats.Scheduling = "normal"
	if !e.options.Normal {
		e.stats.Scheduling = prioritize()
	}
	e.asleep = e.clock.Asleep()
	close(started)
	for !e.closing {
		e.armed = e.node.Deadline()
		e.ready = e.clock.Wait(e.armed, e.ready[:0])
		e.turn()
	}
	e.end()
}

// end does what was asked for too late, so that nobody waits for ever.
func (e *Engine) end() {
	for at := range e.sockets {
		e.remove(at)
	}
	for _, l := range e.mail.close() {
		l(e.clock.Now())
		e.perform()
	}
	e.events.close()
	_ = e.clock.Close()
	close(e.ended)
}

// turn is described in doc.go.
func (e *Engine) turn() {
	now := e.clock.Now()
	e.node.Wall(now, time.Now())
	e.stats.Wakeups++
	e.stalled(now)
	e.drain(now)
	e.read(now)
	due := e.node.Deadline()
	if due == 0 || due > now {
		return
	}
	for range looksMax {
		e.ready = e.clock.Wait(due, e.ready[:0])
		if len(e.ready) == 0 {
			break
		}
		e.drain(now)
	}
	e.out = e.node.Tick(now, e.out[:0])
	e.perform()
}

// stalled tells the node when the loop could not run: the process was stopped, the CPU
// was somebody else's, or the machine slept, which the monotonic clock does not count.
func (e *Engine) stalled(now vrrp.Instant) {
	stall := time.Duration(0)
	if e.armed != 0 {
		stall = now.Sub(e.armed)
	}
	if asleep := e.clock.Asleep(); asleep > e.asleep+stallMin {
		stall += asleep - e.asleep
		e.asleep = asleep
		e.stats.Suspended++
	}
	if stall < stallMin {
		return
	}
	e.stats.Stalls++
	e.stats.StallMax = max(e.stats.StallMax, stall)
	e.out = e.node.Frozen(now, stall, e.out[:0])
	e.perform()
}

// drain steps everything that has arrived on the sockets that are ready.
func (e *Engine) drain(now vrrp.Instant) {
	for _, fd := range e.ready {
		p := e.byFD[fd]
		if p == nil {
			continue // removed by a letter of this turn
		}
		for range drainMax {
			a, from, reason, ok := p.socket.Next()
			if !ok {
				break
			}
			if reason == wire.OK {
				e.out = e.node.Heard(now, p.place, a, from, e.out[:0])
			} else {
				e.out = e.node.Rejected(now, p.place, a, from, reason, e.out[:0])
			}
			e.perform()
		}
	}
}

// read does what other goroutines have asked for.
func (e *Engine) read(now vrrp.Instant) {
	e.letters = e.mail.take(e.letters[:0])
	for i, l := range e.letters {
		l(now)
		e.letters[i] = nil
		e.perform()
	}
}

// perform hands effects on, in their order. Adverts in a row leave together.
func (e *Engine) perform() {
	for i := range e.out {
		f := &e.out[i]
		if f.Kind == node.Send {
			e.queue(f)
			continue
		}
		e.flush()
		switch f.Kind {
		case node.Reserve:
			e.options.Reserve(f.Key, f.UpTo)
		case node.Silence:
			e.options.Announcer.Silence(f.Interface, f.Addresses)
		case node.Want:
			e.options.Kernel.Want(f.Gen, f.Want, f.Beside)
		case node.Transitioned:
			e.events.transition(f.Transition)
		case node.Announce:
			e.options.Announcer.Announce(f.Interface, f.Addresses, f.How)
		}
	}
	e.flush()
	clear(e.out)
	e.out = e.out[:0]
	if e.gone != nil && e.node.Gone() {
		close(e.gone)
		e.gone = nil
	}
}

func (e *Engine) queue(f *node.Effect) {
	p := e.sockets[f.Place]
	if p == nil {
		e.stats.Unsent++
		return
	}
	p.socket.Queue(&f.Advert, f.Source)
	if !p.queued {
		p.queued = true
		e.queued = append(e.queued, p)
	}
	e.alive = e.alive || f.Advert.Priority > 0
}

// flush sends what is queued on every socket.
func (e *Engine) flush() {
	if len(e.queued) == 0 {
		return
	}
	sent := 0
	for i, p := range e.queued {
		sent += p.socket.Flush()
		p.queued = false
		e.queued[i] = nil
	}
	e.queued = e.queued[:0]
	if e.alive && sent > 0 && e.options.Stamp != nil {
		e.options.Stamp.Store(int64(e.clock.Now()))
	}
	e.alive = false
}
