package vrrp

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"hafile/runtime/vrrp/wire"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// signingKeys of the id and the byte that each is made of.
func signing(t *testing.T, mode wire.Mode, active uint8, ids ...uint8) *Signing {
	t.Helper()
	var keys []*wire.Key
	for _, id := range ids {
		k, err := wire.NewKey(id, bytes.Repeat([]byte{id}, 32))
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	ring, err := wire.NewRing(active, keys...)
	if err != nil {
		t.Fatal(err)
	}
	return &Signing{Ring: ring, Protection: wire.Protection{Mode: mode, Window: 5 * time.Second}}
}

// sent is an advert of a router as it arrives.
func sent(t *testing.T, r *Router, priority uint8, wall time.Time) *Advert {
	t.Helper()
	if upTo, due := r.Reserve(wall); r.Signs() && due {
		r.Reserved(upTo)
	}
	a := r.MessageAs(0, priority, wall)
	h := wire.Header{Source: r.Spec().Source, Destination: wire.Group(), TTL: wire.TTL}
	packet := wire.Append(nil, h, &a)
	got := &Advert{}
	if _, reason := (&wire.Dialect{Signed: true}).Parse(packet, got); reason != wire.OK {
		t.Fatal(reason)
	}
	return got
}

func pairOf(t *testing.T, ours, theirs *Signing) (us, them *Router) {
	t.Helper()
	spec := standard()
	spec.Signing = ours
	us = New(spec)
	us.Step(beginning, Event{Kind: Start}, nil)
	spec.Signing, spec.Source = theirs, netip.MustParseAddr("192.0.2.9")
	return us, New(spec)
}

// The draft: a step of the group's way to signatures is understood by the one before it
// and the one after it, and what is not is counted by its reason.
func TestWhoTakesWhat(t *testing.T) {
	none := (*Signing)(nil)
	for _, tt := range []struct {
		name         string
		ours, theirs *Signing
		want         Reason
	}{
		{"none hears receive-only", none, signing(t, wire.ReceiveOnly, 1, 1), wire.OK},
		{"none hears permissive", none, signing(t, wire.Permissive, 1, 1), wire.UnsupportedTrailer},
		{"receive-only hears none", signing(t, wire.ReceiveOnly, 1, 1), none, wire.OK},
		{"receive-only hears permissive", signing(t, wire.ReceiveOnly, 1, 1), signing(t, wire.Permissive, 1, 1), wire.OK},
		{"permissive hears none", signing(t, wire.Permissive, 1, 1), none, wire.OK},
		{"permissive hears enforce", signing(t, wire.Permissive, 1, 1), signing(t, wire.Enforce, 1, 1), wire.OK},
		{"enforce hears permissive", signing(t, wire.Enforce, 1, 1), signing(t, wire.Permissive, 1, 1), wire.OK},
		{"enforce hears none", signing(t, wire.Enforce, 1, 1), none, wire.Unsigned},
		{"enforce hears receive-only", signing(t, wire.Enforce, 1, 1), signing(t, wire.ReceiveOnly, 1, 1), wire.Unsigned},
		{"both keys hear the new one", signing(t, wire.Enforce, 1, 1, 2), signing(t, wire.Enforce, 2, 1, 2), wire.OK},
		{"the old key alone hears the new one", signing(t, wire.Enforce, 1, 1), signing(t, wire.Enforce, 2, 1, 2), wire.UnknownKey},
	} {
		us, them := pairOf(t, tt.ours, tt.theirs)
		us.Step(beginning, Event{Kind: Heard, Advert: sent(t, them, 100, noon), From: them.Spec().Source, Wall: noon}, nil)
		if tt.want == wire.OK && us.Counters().Accepted != 1 || tt.want != wire.OK && us.Counters().Dropped[tt.want] != 1 {
			t.Errorf("%s: want %s, counted %v", tt.name, tt.want, us.Counters())
		}
		if us.Role() == Fault != (tt.want == wire.UnsupportedTrailer) {
			t.Errorf("%s: then %s", tt.name, us.Role())
		}
	}
}

// What was recorded is of no use: neither at once nor later, nor what a key that is not
// ours signed. Nothing but a counter changes, also before the first claim.
func TestReplaysAndForgeriesAreCountedOnly(t *testing.T) {
	us, them := pairOf(t, signing(t, wire.Enforce, 1, 1), signing(t, wire.Enforce, 1, 1))
	hear := func(a *Advert, at time.Duration) {
		us.Step(beginning.Add(at), Event{Kind: Heard, Advert: a, From: them.Spec().Source, Wall: noon.Add(at)}, nil)
	}
	first, second := sent(t, them, 200, noon), sent(t, them, 200, noon.Add(time.Second))
	hear(first, 0)
	hear(second, time.Second)
	hear(second, time.Second)
	hear(first, 1500*time.Millisecond)
	hear(second, 20*time.Second)
	forger := New(func() Spec {
		s := *them.Spec()
		s.Signing = signing(t, wire.Enforce, 1, 1)
		s.Signing.Ring = func() *wire.Ring {
			k, _ := wire.NewKey(1, bytes.Repeat([]byte{9}, 32))
			r, _ := wire.NewRing(1, k)
			return r
		}()
		return s
	}())
	hear(sent(t, forger, 200, noon.Add(21*time.Second)), 21*time.Second)
	c := us.Counters()
	if c.Accepted != 2 || c.Dropped[wire.Replayed] != 2 || c.Dropped[wire.Stale] != 1 || c.Dropped[wire.BadSignature] != 1 || us.Role() != Backup {
		t.Errorf("%s, accepted %d, replayed %d, stale %d, bad %d", us.Role(), c.Accepted, c.Dropped[wire.Replayed], c.Dropped[wire.Stale], c.Dropped[wire.BadSignature])
	}
}

// S14: numbers only grow, over edits of the keys, a taken back departure and a crash.
func TestNumbersAreUsedOnce(t *testing.T) {
	spec := standard()
	spec.Signing = signing(t, wire.Permissive, 1, 1)
	r := New(spec)
	last := wire.Sequence(0)
	stored := last
	next := func(r *Router, wall time.Time) {
		t.Helper()
		if upTo, due := r.Reserve(wall); due {
			stored = upTo
			r.Reserved(upTo)
		}
		m := r.MessageAs(0, 100, wall)
		if !m.Trailer.Sequence.After(last) {
			t.Errorf("%s after %s", m.Trailer.Sequence, last)
		}
		if m.Trailer.Sequence.After(stored) {
			t.Errorf("%s is not below the stored %s", m.Trailer.Sequence, stored)
		}
		last = m.Trailer.Sequence
	}
	for range 3 {
		next(r, noon)
	}
	spec.Signing = signing(t, wire.Enforce, 2, 1, 2)
	r.Reconfigure(beginning, spec)
	next(r, noon)
	back := New(spec)
	back.Continue(r)
	next(back, noon)
	spec.Signing.After = stored
	next(New(spec), noon) // the clock has not gone on at all
}
