package lab

import (
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"hafile/lang/story"
)

// recorder keeps what was seen: who held which VIP when, and how the clients fared. It
// is written by the watchers of each node and by the client, and read by the story.
type recorder struct {
	mu    sync.Mutex
	start time.Time
	vips  map[netip.Addr]*vipRecord
	still time.Duration // that the client did not run
	lost  []Loss        // the last ones
	addrs []AddressEvent
	moved chan struct{} // closed and replaced at each change of owner
}

// Loss is one request that got no answer.
type Loss struct {
	VIP          netip.Addr
	Asked, Ended time.Time
	Connected    bool
}

// AddressEvent is one message of a machine's kernel about a VIP.
type AddressEvent struct {
	At    time.Time
	Node  string
	VIP   netip.Addr
	Link  int  // the index of the interface
	Added bool // RTM_NEWADDR, which also says that something about an address has changed
}

// Seen is what the clients of one VIP saw.
type Seen struct {
	Gap  time.Duration // the longest time without an answer
	Lost story.Lost
}

// lossesMax is how many losses are kept one by one.
const lossesMax = 1000

// vipRecord is one VIP's history. A window is the time between two events of a story.
type vipRecord struct {
	holders map[string]bool
	since   time.Time // of the present set of holders
	ever    bool      // somebody has held it

	unowned, double time.Duration // longest so far

	total  story.Lost
	window window
}

// window is what the clients of a VIP saw since the last event.
type window struct {
	lost     story.Lost
	lastGood time.Time     // the last answered request's end
	gap      time.Duration // the longest time between two answers
}

func newRecorder(vips []netip.Addr, now time.Time) *recorder {
	r := &recorder{start: now, vips: map[netip.Addr]*vipRecord{}, moved: make(chan struct{})}
	for _, vip := range vips {
		r.vips[vip] = &vipRecord{holders: map[string]bool{}, since: now}
	}
	return r
}

// held notes that a node has got or lost an address.
func (r *recorder) held(node string, vip netip.Addr, holds bool, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := r.vips[vip]
	if v == nil || v.holders[node] == holds {
		return
	}
	v.settle(now)
	if holds {
		v.holders[node] = true
	} else {
		delete(v.holders, node)
	}
	v.ever = v.ever || holds
	close(r.moved)
	r.moved = make(chan struct{})
}

// settle accounts for the time since the last change.
func (v *vipRecord) settle(now time.Time) {
	switch d := now.Sub(v.since); {
	case len(v.holders) == 0 && v.ever:
		v.unowned = max(v.unowned, d)
	case len(v.holders) > 1:
		v.double = max(v.double, d)
	}
	v.since = now
}

// replied notes the end of a request. Before the first owner nobody can answer, and
// nothing counts.
func (r *recorder) replied(p reply) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := r.vips[p.vip]
	if v == nil || !v.ever || v.window.lastGood.IsZero() && p.loss != answered {
		return
	}
	for _, l := range []*story.Lost{&v.total, &v.window.lost} {
		l.Asked++
		switch p.loss {
		case lostNew:
			l.New++
		case lostFlight:
			l.InFlight++
		}
	}
	if p.loss != answered {
		r.lost = append(r.lost, Loss{p.vip, p.asked, p.ended, p.loss == lostFlight})
		r.lost = r.lost[max(0, len(r.lost)-lossesMax):]
	}
	if p.loss == answered {
		if !v.window.lastGood.IsZero() {
			v.window.gap = max(v.window.gap, p.ended.Sub(v.window.lastGood))
		}
		v.window.lastGood = p.ended
	}
}

// stood notes that the client did not run: it asked nothing, so that nobody waited.
func (r *recorder) stood(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.still += d
	for _, v := range r.vips {
		if !v.window.lastGood.IsZero() {
			v.window.lastGood = v.window.lastGood.Add(d)
		}
	}
}

// losses since t, the last lossesMax at most.
func (r *recorder) losses(t time.Time) []Loss {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.lost, func(l Loss) bool { return !l.Asked.Before(t) })
	if i < 0 {
		return nil
	}
	return slices.Clone(r.lost[i:])
}

func (r *recorder) stoodStill() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.still
}

// restart begins counting anew: the run starts when every VIP is owned and answers.
func (r *recorder) restart(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.start, r.still = now, 0
	for _, v := range r.vips {
		v.since, v.unowned, v.double, v.total = now, 0, 0, story.Lost{}
		v.window = window{lastGood: now}
	}
}

// cutWindow returns what the clients saw since the last call, worst VIP first, and
// begins a new window. A silence that still lasts counts up to now, and goes on.
func (r *recorder) cutWindow(now time.Time) (gap time.Duration, lost story.Lost) {
	for _, s := range r.cutEach(now) {
		gap = max(gap, s.Gap)
		lost.Asked += s.Lost.Asked
		lost.New += s.Lost.New
		lost.InFlight += s.Lost.InFlight
	}
	return gap, lost
}

// cutEach is the same, for each VIP.
func (r *recorder) cutEach(now time.Time) map[netip.Addr]Seen {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make(map[netip.Addr]Seen, len(r.vips))
	for vip, v := range r.vips {
		w := v.window
		if !w.lastGood.IsZero() && now.Sub(w.lastGood) > patience {
			w.gap = max(w.gap, now.Sub(w.lastGood))
		}
		out[vip] = Seen{Gap: w.gap, Lost: w.lost}
		v.window = window{lastGood: w.lastGood}
	}
	return out
}

// forget that a VIP has ever answered: it was not asked for a while.
func (r *recorder) forget(vip netip.Addr) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.vips[vip].window.lastGood = time.Time{}
}

func (r *recorder) changed(e AddressEvent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.addrs = append(r.addrs, e)
}

func (r *recorder) addressEvents(t time.Time) []AddressEvent {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.addrs, func(e AddressEvent) bool { return e.At.After(t) })
	if i < 0 {
		return nil
	}
	return slices.Clone(r.addrs[i:])
}

// lostNow is how many requests were lost in the present window.
func (r *recorder) lostNow() (lost story.Lost) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range r.vips {
		lost.Asked += v.window.lost.Asked
		lost.New += v.window.lost.New
		lost.InFlight += v.window.lost.InFlight
	}
	return lost
}

// owners are the nodes that hold a VIP at present, sorted.
func (r *recorder) owners(vip netip.Addr) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.vips[vip].holders))
}

// allAnswered reports whether every VIP is held and has answered, and otherwise what to
// wait for.
func (r *recorder) allAnswered() (bool, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range r.vips {
		if len(v.holders) == 0 || v.window.lastGood.IsZero() {
			return false, r.moved
		}
	}
	return true, nil
}

// outcome fills in what the recorder knows.
func (r *recorder) outcome(o *story.Outcome, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	o.Owner, o.Unowned, o.Double = map[string]string{}, map[string]float64{}, map[string]float64{}
	o.Lost = map[string]story.Lost{}
	for vip, v := range r.vips {
		v.settle(now)
		key := netip.PrefixFrom(vip, vip.BitLen()).String()
		o.Owner[key] = ""
		if holders := slices.Sorted(maps.Keys(v.holders)); len(holders) == 1 {
			o.Owner[key] = holders[0]
		}
		o.Unowned[key], o.Double[key] = v.unowned.Seconds(), v.double.Seconds()
		o.Lost[key] = v.total
	}
}
