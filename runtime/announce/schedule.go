package announce

import (
	"cmp"
	"container/heap"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"
)

// Schedule is how often an address is announced. It has the fields of a plan's.
type Schedule struct {
	Repeat    int   // times at once; at least one
	DelayMs   int64 // then as often again after this long; 0: never
	RefreshMs int64 // and once in each such interval; 0: never
}

// offsets are when the repeats of a burst are due. The first ones heal what the burst of
// a change loses (a port that is still learning, a full queue), the later ones what a
// slow device ignores.
var offsets = []time.Duration{0, 5 * time.Millisecond, 20 * time.Millisecond, 100 * time.Millisecond}

// offset is when the n-th frame of a burst is due, counted from 0.
func offset(n int) time.Duration {
	if n < len(offsets) {
		return offsets[n]
	}
	return time.Duration(n-len(offsets)+2) * 100 * time.Millisecond
}

// job is one address that is being announced.
type job struct {
	key
	schedule Schedule
	began    time.Duration
	sent     int // frames that were due so far
	due      time.Duration
	order    uint64      // among jobs that are due: as they were asked for
	silenced atomic.Bool // read between the queue and the wire
	at       int         // in the queue
}

type key struct {
	iface string
	addr  netip.Addr
}

// first reports whether the address has not been announced at all yet.
func (j *job) first() bool { return j.sent == 0 }

// advance sets the next frame's time; false: there is none.
func (j *job) advance() bool {
	j.sent++
	repeat, s := max(1, j.schedule.Repeat), j.schedule
	bursts := repeat
	if s.DelayMs > 0 {
		bursts += repeat
	}
	switch {
	case j.sent < repeat:
		j.due = j.began + offset(j.sent)
	case j.sent < bursts:
		j.due = j.began + ms(s.DelayMs) + offset(j.sent-repeat)
	case s.RefreshMs > 0:
		// From the time it was due, so that refreshes keep their rhythm, unless the
		// bursts have outlasted it.
		j.due = max(j.due, j.began+ms(s.RefreshMs)*time.Duration(j.sent-bursts+1))
	default:
		return false
	}
	return true
}

func ms(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

// queue is a heap: what has not been announced at all goes before every repeat.
type queue []*job

func (q queue) Len() int { return len(q) }

func (q queue) Less(a, b int) bool {
	x, y := q[a], q[b]
	if x.first() != y.first() {
		return x.first()
	}
	return cmp.Or(cmp.Compare(x.due, y.due), cmp.Compare(x.order, y.order)) < 0
}

func (q queue) Swap(a, b int) {
	q[a], q[b] = q[b], q[a]
	q[a].at, q[b].at = a, b
}

func (q *queue) Push(x any) {
	j := x.(*job)
	j.at = len(*q)
	*q = append(*q, j)
}

func (q *queue) Pop() any {
	last := len(*q) - 1
	j := (*q)[last]
	*q = slices.Delete(*q, last, last+1)
	return j
}

// agenda is every address that is being announced. Times are monotonic, from any start.
type agenda struct {
	queue queue
	jobs  map[key]*job
	order uint64
}

// announce begins an address's schedule, also if it runs already.
func (a *agenda) announce(now time.Duration, iface string, addrs []netip.Addr, s Schedule) {
	a.silence(iface, addrs)
	for _, addr := range addrs {
		a.order++
		j := &job{key: key{iface, addr}, schedule: s, began: now, due: now, order: a.order}
		a.jobs[j.key] = j
		heap.Push(&a.queue, j)
	}
}

// silence ends it.
func (a *agenda) silence(iface string, addrs []netip.Addr) {
	for _, addr := range addrs {
		if j := a.jobs[key{iface, addr}]; j != nil {
			j.silenced.Store(true)
			a.drop(j)
		}
	}
}

func (a *agenda) drop(j *job) {
	delete(a.jobs, j.key)
	heap.Remove(&a.queue, j.at)
}

// next is the job whose frame is due, already moved on to its next one, and whether this
// frame is the address's first. Nil: none is due.
func (a *agenda) next(now time.Duration) (j *job, first bool) {
	if len(a.queue) == 0 || a.queue[0].due > now {
		return nil, false
	}
	j = a.queue[0]
	if first = j.first(); !j.advance() {
		a.drop(j)
		return j, first
	}
	heap.Fix(&a.queue, j.at)
	return j, first
}

// due is when the next frame is; false: there is none.
func (a *agenda) due() (time.Duration, bool) {
	if len(a.queue) == 0 {
		return 0, false
	}
	return a.queue[0].due, true
}
