package vrrp

import (
	"time"

	"hafile/runtime/vrrp/wire"
)

// Signing is what a router does with signatures: the trailer of keepalived 2.4.2 and
// later, in any version. It is not part of a face, because a group comes to signatures, and
// from one key to the next, by steps of which each understands the one before it: keys are
// taken before they sign, and unsigned adverts are taken until everybody signs.
type Signing struct {
	Ring       *wire.Ring // of the router's goroutine
	Protection wire.Protection
	Senders    int // how many the marks of the last numbers are for
	// After counts when the router is new: its numbers are above it, and so above those of
	// a process before this one.
	After wire.Sequence
}

// signatures is the state of signing and judging. The numbers go on whatever a new Spec
// says, also where it signs no more.
type signatures struct {
	with   *Signing // nil: a signed advert is another dialect
	begun  bool
	sender wire.Sender
	replay wire.Replay
}

func (s *signatures) change(next *Signing) {
	s.with = next
	switch {
	case next == nil:
	case !s.begun:
		s.begun = true
		s.sender = wire.NewSender(next.Protection, next.After)
		s.replay = wire.NewReplay(next.Protection, next.Senders)
	default:
		s.sender.Protect(next.Protection)
		s.replay.Protect(next.Protection, next.Senders)
	}
}

// judge is the order of the draft, behind what the version asks.
func (s *signatures) judge(a *Advert, wall time.Time) Reason {
	if s.with != nil {
		return s.replay.Judge(s.with.Ring, a, wall)
	}
	if a.Signed() {
		return wire.UnsupportedTrailer
	}
	return wire.OK
}

// tells reports whether an advert that fails for this reason is a neighbour's that is set
// up otherwise, to be named. Where signatures are enforced nothing that fails changes more
// than a counter: anybody may have sent it.
func (s *signatures) tells(reason Reason) bool {
	switch reason {
	case wire.UnsupportedTrailer:
		return true
	case wire.UnknownKey, wire.BadSignature:
		return s.with.Protection.Mode != wire.Enforce
	}
	return false
}

func (s *signatures) signs() bool { return s.with != nil && s.with.Protection.Mode.Signs() }

// Signs reports whether adverts are signed.
func (r *Router) Signs() bool { return r.signatures.signs() }

// Marks are the last numbers accepted from others, with how far their clocks are ahead.
func (r *Router) Marks() []wire.Mark { return r.signatures.replay.Marks() }

// Reserve says up to which number the caller has to store before the next advert, and
// whether it is time to; see [wire.Sender]. Reserved says that it is stored.
func (r *Router) Reserve(wall time.Time) (upTo wire.Sequence, due bool) {
	return r.signatures.sender.Reserve(wall)
}

// Reserved follows Reserve.
func (r *Router) Reserved(upTo wire.Sequence) { r.signatures.sender.Stored(upTo) }

// sign panics where nothing was reserved: a number must not be used that a process after
// this one does not know of.
func (s *signatures) sign(a *Advert, wall time.Time) {
	number, ok := s.sender.Next(wall)
	if !ok {
		panic("vrrp: signed without a reserve")
	}
	a.Sign(s.with.Ring.Active(), number)
}

// foreign is what tells an advert from those of the router's group without looking at its
// signature, whose packet may be gone.
func (s *Signing) foreign(a *Advert) Reason {
	switch {
	case s == nil && a.Signed():
		return wire.UnsupportedTrailer
	case s == nil || !a.Signed() && s.Protection.Mode != wire.Enforce:
		return wire.OK
	case !a.Signed():
		return wire.Unsigned
	case !s.Ring.Has(a.Trailer.ID):
		return wire.UnknownKey
	}
	return wire.OK
}
