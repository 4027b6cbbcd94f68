package kernel

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"
)

const (
	// An address that the kernel refuses is tried again soon while its router still
	// waits for it, then seldom.
	retrySoon    = 100 * time.Millisecond
	retrySoonFor = time.Second
	retrySeldom  = time.Second

	// An address that somebody else removes for the sixth time in ten seconds is left
	// alone: two hands on one address are a fault, and the router must know.
	removalsMax    = 6
	removalsWithin = 10 * time.Second

	// A round that still finds something to do after as many looks leaves it to the next.
	looksMax = 8
)

// Ledger knows what is wanted, what is ours and what went wrong, and decides what to do.
// Times are monotonic, from any start. It is not for concurrent use.
type Ledger struct {
	gen, done uint64 // asked for, carried out
	asked     bool   // there has been a Want: before it nothing is changed
	want      State
	adopt     State // becomes ours at the next want, though a stranger installed it
	disown    State // is handed back at the next want

	ours   State // has a claim of ours, installed or about to be again
	have   State // is installed, whoever did it
	marked State
	// markTried is where a mark was tried and not yet seen: an older kernel takes the
	// command and forgets the tag.
	markTried State

	trouble  map[Address]trouble
	removals map[Address][]time.Duration
	removed  []Address

	around things

	last Report
}

// trouble is what keeps an address from being added, or from being deleted.
type trouble struct {
	Refusal
	since time.Duration
	retry time.Duration // never, if it is 0
}

// NewLedger makes a ledger that takes the addresses of record for ours where it finds
// them installed. Nothing is changed before the first Want.
func NewLedger(record State) *Ledger {
	return &Ledger{
		ours:     StateOf(record...),
		trouble:  map[Address]trouble{},
		removals: map[Address][]time.Duration{},
		around:   things{trouble: map[string]trouble{}, removals: map[string][]time.Duration{}},
	}
}

// Want replaces the wanted state. The report that answers it carries gen.
func (l *Ledger) Want(gen uint64, want State) {
	l.gen, l.want, l.asked = gen, want, true
	for a := range l.removals {
		if !want.Has(a) {
			delete(l.removals, a)
		}
	}
}

// Adopt makes these addresses ours where a stranger has installed exactly them. What is
// not wanted of them is then removed like everything that is ours. It is carried out with
// the next round.
func (l *Ledger) Adopt(allowed State) { l.adopt = allowed }

// Disown hands these addresses back: they stay installed and are ours no longer. It is
// carried out with the next round.
func (l *Ledger) Disown(given State) { l.disown = given }

// Ours is what is ours and installed.
func (l *Ledger) Ours() State { return l.ours.Intersect(l.have) }

// Claims reports whether a is ours, whatever its label and scope, or will be as soon as it
// is installed again.
func (l *Ledger) Claims(a Address) bool {
	_, ok := l.ours.twin(a)
	return ok
}

// Round looks at the host, carries out what is to be done, looks again, and tells say
// whenever a look or its end brings something to report. An error is one of looking: the
// round is to be repeated.
func (l *Ledger) Round(now time.Duration, h Host, say func(Report)) error {
	for range looksMax {
		deep := l.around.looks()
		reading, err := h.Read(deep)
		if err != nil {
			return err
		}
		l.look(now, reading)
		l.around.see(now, reading, deep)
		ops := l.ops(now, reading)
		if len(ops) == 0 {
			l.done = l.gen
		}
		l.report(say)
		if len(ops) == 0 {
			return nil
		}
		for _, op := range ops {
			err := h.Apply(op)
			if op.Thing != (Thing{}) {
				l.around.answer(now, op, err)
				if err != nil && op.Thing.Closed != nil {
					break // an address must not be open for a moment: look again
				}
				continue
			}
			l.answer(now, op, err)
		}
	}
	return nil
}

// Deadline is when the next round is due without an event; false: there is none.
func (l *Ledger) Deadline() (at time.Duration, ok bool) {
	due := func(t trouble) {
		if t.retry != 0 && (!ok || t.retry < at) {
			at, ok = t.retry, true
		}
	}
	for _, t := range l.trouble {
		due(t)
	}
	for _, t := range l.around.trouble {
		due(t)
	}
	return at, ok
}

// look takes in a reading.
func (l *Ledger) look(now time.Duration, r Reading) {
	var installed, marked []Address
	for _, i := range r.Installed {
		installed = append(installed, i.Address)
		if i.Marked {
			marked = append(marked, i.Address)
		}
	}
	have := StateOf(installed...)
	l.marked = StateOf(marked...)
	l.markTried = l.markTried.Intersect(have).Without(l.marked)
	l.ours = l.ours.Add(marked...)
	for _, a := range l.ours.Without(have) {
		switch {
		case !l.want.Has(a):
			l.ours = l.ours.Without(State{a})
		case l.have.Has(a) && !excused(a, r):
			l.taken(now, a)
		}
	}
	l.have = have
	l.forget()
}

// forget drops what is trouble no longer.
func (l *Ledger) forget() {
	for a := range l.trouble {
		missing := l.want.Has(a) && !l.Ours().Has(a)
		left := !l.want.Has(a) && l.Ours().Has(a)
		if !missing && !left {
			delete(l.trouble, a)
		}
	}
}

// excused tells an address that went with its interface from one that was removed. The
// kernel drops IPv6 addresses when an interface is set down.
func excused(a Address, r Reading) bool {
	link := r.link(a.Interface)
	return link == nil || a.Prefix.Addr().Is6() && !link.Up
}

// taken notes that somebody else has removed an address that is wanted.
func (l *Ledger) taken(now time.Duration, a Address) {
	l.removed = append(l.removed, a)
	recent := slices.DeleteFunc(l.removals[a], func(t time.Duration) bool { return now-t >= removalsWithin })
	l.removals[a] = append(recent, now)
	if len(l.removals[a]) < removalsMax {
		return
	}
	delete(l.removals, a)
	l.trouble[a] = trouble{since: now, Refusal: Refusal{Address: a, Err: fmt.Sprintf(
		"removed by somebody else %d times in %v; left alone until it is wanted anew", removalsMax, removalsWithin)}}
}

// ops is what to do now.
func (l *Ledger) ops(now time.Duration, r Reading) []Op {
	if !l.asked {
		return nil
	}
	if back := l.handBack(); len(back) > 0 {
		return back
	}
	l.ours = l.ours.Add(l.adopted()...)
	l.adopt = nil
	l.forget()
	var adds, deletes []Op
	for _, op := range append(Ops(l.want, l.have, l.ours), l.demoted(r)...) {
		switch {
		case op.Kind == Delete && !l.blocked(now, op.Address):
			deletes = append(deletes, op)
		case op.Kind != Delete && !l.foreign(now, op.Address, r) && !l.blocked(now, op.Address):
			switch why, due := l.around.open(now, op.Address); {
			case why == "":
				adds = append(adds, op)
			case due: // it is tried in this round, and the next look knows
				delete(l.trouble, op.Address)
			default:
				l.troubled(now, op.Address, errors.New(why))
			}
		}
	}
	for _, a := range l.want.Intersect(l.have).Without(l.ours) {
		l.foreign(now, a, r)
	}
	for _, a := range l.want.Intersect(l.Ours()).Without(l.marked).Without(l.markTried) {
		adds = append(adds, Op{Kind: Mark, Address: a})
	}
	beside, obsolete := l.around.ops(now)
	before, beside, after := divide(beside)
	_, obsolete, gone := divide(obsolete)
	return slices.Concat(before, adds, beside, obsolete, deletes, after, gone)
}

// adopted are strangers' addresses that become ours as they are. Where one differs from
// what is wanted in its label or the like, it is replaced like one of ours.
func (l *Ledger) adopted() []Address {
	var out []Address
	for _, a := range l.adopt {
		if there, ok := l.have.twin(a); ok {
			out = append(out, there)
		}
	}
	return out
}

// demoted puts ours behind a stranger's of the same subnet. The kernel has the first one
// lead the subnet: the others get no route to it, are no source of packets, and go with
// the leader. A VIP that is installed with its prefix must not lead where the machine has
// an address of its own, which somebody may remove and add again (DHCP does).
func (l *Ledger) demoted(r Reading) []Op {
	var out []Op
	for _, a := range l.want.Intersect(l.Ours()) {
		if a.Prefix.IsSingleIP() || !a.Prefix.Addr().Is4() {
			continue
		}
		subnet := func(i Installed) bool {
			return i.Interface == a.Interface && i.Prefix.Masked() == a.Prefix.Masked()
		}
		first := slices.IndexFunc(r.Installed, func(i Installed) bool { return subnet(i) && !l.ours.Has(i.Address) })
		own := slices.IndexFunc(r.Installed, func(i Installed) bool { return i.Address == a })
		if first >= 0 && own < first && r.Installed[first].Secondary {
			out = append(out, Op{Kind: Replace, Address: a, Old: a})
		}
	}
	return out
}

// handBack is what takes the mark off those that are handed back. As long as one has it,
// every look makes it ours again, so that nothing else happens before.
func (l *Ledger) handBack() (ops []Op) {
	l.ours = l.ours.Without(l.disown)
	for _, a := range l.disown.Intersect(l.marked) {
		ops = append(ops, Op{Kind: Unmark, Address: a})
	}
	l.disown = nil
	return ops
}

func (l *Ledger) blocked(now time.Duration, a Address) bool {
	t, ok := l.trouble[a]
	return ok && (t.retry == 0 || now < t.retry)
}

// foreign notes whether a stranger has the address.
func (l *Ledger) foreign(now time.Duration, a Address, r Reading) bool {
	if refusal, ok := l.stranger(a, r); ok {
		l.trouble[a] = trouble{Refusal: refusal, since: now}
		return true
	}
	if l.trouble[a].Foreign {
		delete(l.trouble, a)
	}
	return false
}

// stranger looks for an address that somebody else has installed on the same interface,
// with this prefix length or with another. Another length could be added beside it, but
// then the address would stay when ours goes.
func (l *Ledger) stranger(a Address, r Reading) (Refusal, bool) {
	for _, i := range r.Installed {
		if i.Interface == a.Interface && i.Prefix.Addr() == a.Prefix.Addr() && !i.Marked && !l.ours.Has(i.Address) {
			return Refusal{Address: a, Foreign: true, Err: i.Prefix.String() + " is installed already, and not by hafile"}, true
		}
	}
	return Refusal{}, false
}

// Conflicts is which of the addresses would be refused because a stranger has them. An
// exact one would not be if it were adopted.
func (l *Ledger) Conflicts(want State, r Reading) []Refusal {
	var out []Refusal
	for _, a := range want {
		if refusal, ok := l.stranger(a, r); ok {
			out = append(out, refusal)
		}
	}
	return out
}

// answer takes in what the kernel said to an operation.
func (l *Ledger) answer(now time.Duration, op Op, err error) {
	a := op.Address
	switch {
	case op.Kind == Mark:
		l.markTried = l.markTried.Add(a) // a hint only: without it the record is enough
	case op.Kind == Replace:
		l.replaced(now, op, err)
	case op.Kind == Unmark: // where it fails, the next look finds it ours
		l.ours = l.ours.Without(State{a})
	case op.Kind == Add && (err == nil || errors.Is(err, syscall.EEXIST) && l.ours.Has(a)):
		l.ours, l.have = l.ours.Add(a), l.have.Add(a)
		delete(l.trouble, a)
	case op.Kind == Delete && (err == nil || errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.ENODEV)):
		l.ours, l.have = l.ours.Without(State{a}), l.have.Without(State{a})
		delete(l.trouble, a)
	default:
		l.troubled(now, a, err)
	}
}

// replaced takes in a Replace. One that failed may have taken the old address away; the
// next look tells.
func (l *Ledger) replaced(now time.Duration, op Op, err error) {
	if err != nil {
		l.have = l.have.Without(State{op.Old})
		l.troubled(now, op.Address, err)
		return
	}
	l.ours = l.ours.Without(State{op.Old}).Add(op.Address)
	l.have = l.have.Without(State{op.Old}).Add(op.Address)
	delete(l.trouble, op.Address)
}

func (l *Ledger) troubled(now time.Duration, a Address, err error) {
	t, again := l.trouble[a]
	if !again {
		t.since = now
	}
	t.Refusal = Refusal{Address: a, Err: err.Error()}
	t.retry = now + retrySoon
	if now-t.since >= retrySoonFor {
		t.retry = now + retrySeldom
	}
	l.trouble[a] = t
}

// report tells say what has changed since the last time.
func (l *Ledger) report(say func(Report)) {
	r := Report{Gen: l.done, Have: l.Ours(), Removed: l.removed}
	for _, t := range l.trouble {
		r.Refused = append(r.Refused, t.Refusal)
	}
	slices.SortFunc(r.Refused, func(a, b Refusal) int { return a.Compare(b.Address) })
	r.Missing, r.Restored = l.around.missing(), l.around.restored
	if r.Gen == l.last.Gen && r.Have.Equal(l.last.Have) && slices.Equal(r.Refused, l.last.Refused) &&
		slices.Equal(r.Missing, l.last.Missing) && len(r.Removed)+len(r.Restored) == 0 {
		return
	}
	l.last, l.removed, l.around.restored = r, nil, nil
	say(r)
}
