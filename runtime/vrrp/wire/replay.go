package wire

import (
	"net/netip"
	"slices"
	"time"
)

// Mode is how far a group has come on its way to signatures. A group changes node by node
// without a gap from one to the next: each accepts what the one before it sends.
type Mode uint8

const (
	ReceiveOnly Mode = iota // signs nothing, verifies what is signed
	Permissive              // signs, and accepts what is not signed
	Enforce                 // signs, and accepts nothing else
)

// String is keepalived's word.
func (m Mode) String() string {
	switch m {
	case Permissive:
		return "permissive"
	case Enforce:
		return "enforce"
	}
	return "receive-only"
}

// Signs reports whether own adverts are signed.
func (m Mode) Signs() bool { return m != ReceiveOnly }

// Protection is what a router asks of signatures.
type Protection struct {
	Mode Mode
	// Window is how far the clocks of sender and receiver may be apart, in whole seconds
	// of 1 to 300. 0 is keepalived's "monotonic": no clock is asked, and a packet that
	// was recorded while we did not listen is accepted.
	Window time.Duration
}

// DefaultWindow for adverts of this interval: three of them, within 5 s and 300 s.
func DefaultWindow(interval time.Duration) time.Duration {
	return min(max(3*interval, 5*time.Second), 300*time.Second)
}

// Mark is the last number accepted from a sender.
type Mark struct {
	Sender   netip.Addr
	Sequence Sequence
	// Skew is how far the sender's clock was ahead of ours, with the time under way, or
	// with what the sender had reserved before a crash.
	Skew time.Duration
}

// Replay accepts each signed advert of a sender once, and none that is older than one it
// has accepted. It is a value without a clock; copies share their marks.
//
// A mark that is out of the window counts no more: its sender has set its clock back, and
// no packet from then is fresh now. That holds while our own clock is not set back too.
type Replay struct {
	protection Protection
	marks      []Mark // the last accepted first
}

// NewReplay remembers so many senders: the peers of a router, or with multicast as many
// as may ever be active, 4 at the least. A further one displaces whoever was silent for
// longest.
func NewReplay(p Protection, senders int) Replay {
	return Replay{protection: p, marks: make([]Mark, 0, max(senders, 4))}
}

// Judge says whether an advert is accepted, in the order of the draft: Unsigned, Stale,
// UnknownKey, BadSignature or Replayed if it is not. Nothing is remembered of what fails.
func (r *Replay) Judge(ring *Ring, a *Advert, wall time.Time) Reason {
	t := &a.Trailer
	switch {
	case !a.Signed() && r.protection.Mode == Enforce:
		return Unsigned
	case !a.Signed():
		return OK
	case !r.fresh(t.Sequence, wall):
		return Stale
	}
	if reason := ring.Verify(a); reason != OK {
		return reason
	}
	if !r.advance(t.source, t.Sequence, wall) {
		return Replayed
	}
	return OK
}

// fresh compares whole seconds, as the draft does.
func (r *Replay) fresh(s Sequence, wall time.Time) bool {
	apart := time.Duration(int32(uint32(s>>32)-uint32(wall.Unix()))) * time.Second
	return r.protection.Window == 0 || apart.Abs() <= r.protection.Window
}

func (r *Replay) advance(sender netip.Addr, s Sequence, wall time.Time) bool {
	i := slices.IndexFunc(r.marks, func(m Mark) bool { return m.Sender == sender })
	switch {
	case i >= 0 && r.fresh(r.marks[i].Sequence, wall) && !s.After(r.marks[i].Sequence):
		return false
	case i < 0 && len(r.marks) < cap(r.marks):
		r.marks = append(r.marks, Mark{})
		fallthrough
	case i < 0:
		i = len(r.marks) - 1
	}
	copy(r.marks[1:i+1], r.marks[:i])
	r.marks[0] = Mark{Sender: sender, Sequence: s, Skew: s.Sub(SequenceAt(wall))}
	return true
}

// Protect changes what is asked of signatures; nothing that was accepted counts again.
func (r *Replay) Protect(p Protection, senders int) {
	marks := r.marks
	*r = NewReplay(p, senders)
	r.Restore(marks)
}

// Marks are the senders, the last accepted first, for status and for a successor of this
// process. They are valid until the next call.
func (r *Replay) Marks() []Mark { return r.marks }

// Restore goes on where a process before this one was, in the order of Marks.
func (r *Replay) Restore(marks []Mark) {
	r.marks = append(r.marks[:0], marks[:min(len(marks), cap(r.marks))]...)
}
