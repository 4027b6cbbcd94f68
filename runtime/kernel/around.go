package kernel

import (
	"errors"
	"slices"
	"syscall"
	"time"
)

// Things are kept like addresses, with two differences. What is ours says so itself, so
// that there is no record of them; and one that cannot be had takes no router down: a
// route is often refused for what happens elsewhere, a link that is down or a gateway that
// another program has not reached yet. It is reported and tried again.

// things is the ledger's part for them.
type things struct {
	want, have Things
	looked     bool // at least once: what an earlier process has left is known
	trouble    map[string]trouble
	removals   map[string][]time.Duration
	restored   []string
	links      map[string]Link // as last seen
}

// Surround replaces what is wanted beside the addresses; the next Want counts it.
func (l *Ledger) Surround(want Things) {
	l.around.want = want.Unique()
	for k := range l.around.trouble {
		if !slices.ContainsFunc(l.around.want, func(t Thing) bool { return t.key() == k }) {
			delete(l.around.trouble, k)
		}
	}
}

// looks reports whether a look has to find things: they cost a dump of their own.
func (a *things) looks() bool { return !a.looked || len(a.want) > 0 || len(a.have) > 0 }

// see takes in a reading.
func (a *things) see(now time.Duration, r Reading, deep bool) {
	a.flapped(now, r)
	if !deep {
		return
	}
	a.looked = true
	for _, t := range a.have {
		wanted := a.want.find(t)
		if wanted == nil || !wanted.is(t) {
			continue
		}
		if there := r.Things.find(t); there == nil || !wanted.is(*there) {
			a.taken(now, t)
		}
	}
	a.have = r.Things
	for k := range a.trouble {
		if i := slices.IndexFunc(a.have, func(t Thing) bool { return t.key() == k }); i >= 0 {
			if w := a.want.find(a.have[i]); w != nil && w.is(a.have[i]) {
				delete(a.trouble, k)
			}
		}
	}
}

// flapped has what was refused tried at once when an interface has changed.
func (a *things) flapped(now time.Duration, r Reading) {
	links := make(map[string]Link, len(r.Links))
	for _, l := range r.Links {
		links[l.Name] = l
		if old := a.links[l.Name]; old.Index == l.Index && old.Up == l.Up && old.Carrier == l.Carrier {
			continue
		}
		for k, t := range a.trouble {
			t.retry = now
			a.trouble[k] = t
		}
	}
	a.links = links
}

// taken notes that somebody has taken one away, or that it went with its interface. More
// than a few times in a row it is put back once a second.
func (a *things) taken(now time.Duration, t Thing) {
	k := t.key()
	a.restored = append(a.restored, t.String())
	recent := slices.DeleteFunc(a.removals[k], func(at time.Duration) bool { return now-at >= removalsWithin })
	a.removals[k] = append(recent, now)
	if len(a.removals[k]) > removalsMax {
		a.trouble[k] = trouble{Refusal: Refusal{Err: t.String() + ": removed again and again by somebody else"}, since: now, retry: now + retrySeldom}
	}
}

// first are the operations before those on addresses: a link comes, or is set up, and what
// is to be closed is. Whatever else is done to these comes last.
func first(op Op) bool {
	switch {
	case op.Kind == Delete:
		return false
	case op.Thing.Link != nil:
		return op.Kind == Add || op.Thing.Link.Up
	}
	return op.Thing.Closed != nil
}

// divide puts links around everything.
func divide(all []Op) (before, between, after []Op) {
	for _, op := range all {
		switch {
		case first(op):
			before = append(before, op)
		case op.Thing.Link != nil, op.Thing.Closed != nil:
			after = append(after, op)
		default:
			between = append(between, op)
		}
	}
	return before, between, after
}

// ops is what to do: first what comes, then what goes, in the opposite order.
func (a *things) ops(now time.Duration) (adds, deletes []Op) {
	for i := range a.want {
		t := a.want[i]
		if why, ok := a.trouble[t.key()]; ok && now < why.retry {
			continue
		}
		switch have := a.have.find(t); {
		case have == nil:
			adds = append(adds, Op{Kind: Add, Thing: t})
		case !t.is(*have):
			adds = append(adds, Op{Kind: Replace, Thing: t})
		}
	}
	for _, t := range slices.Backward(a.have) {
		why, ok := a.trouble[t.key()]
		if a.want.find(t) == nil && !(ok && now < why.retry) {
			deletes = append(deletes, Op{Kind: Delete, Thing: t})
		}
	}
	return adds, deletes
}

// answer takes in what the kernel said.
func (a *things) answer(now time.Duration, op Op, err error) {
	k := op.Thing.key()
	gone := op.Kind == Delete && (errors.Is(err, syscall.ESRCH) || errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENODEV))
	if err == nil || gone {
		delete(a.trouble, k)
		a.have = slices.DeleteFunc(slices.Clone(a.have), func(t Thing) bool { return t.key() == k })
		if op.Kind != Delete {
			a.have = append(a.have, op.Thing)
		}
		return
	}
	t, again := a.trouble[k]
	if !again {
		t.since = now
	}
	text := err.Error()
	if errors.Is(err, syscall.EEXIST) {
		text = "is there already, and not by hafile"
	}
	t.Refusal = Refusal{Err: op.Thing.String() + ": " + text}
	t.retry = now + retrySoon
	if now-t.since >= retrySoonFor {
		t.retry = now + retrySeldom
	}
	a.trouble[k] = t
}

// open is why an address that is to be closed would not be, empty if it would, and whether
// that is about to be tried again.
func (a *things) open(now time.Duration, address Address) (why string, due bool) {
	for _, t := range a.want {
		if t.Closed != nil && slices.Contains(t.Closed.Addresses, address.Prefix.Addr()) {
			trouble := a.trouble[t.key()]
			return trouble.Err, now >= trouble.retry
		}
	}
	return "", false
}

// missing is what cannot be had, in words.
func (a *things) missing() []string {
	var out []string
	for _, t := range a.trouble {
		out = append(out, t.Err)
	}
	slices.Sort(out)
	return out
}
