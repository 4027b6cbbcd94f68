package wire

import (
	"fmt"
	"time"
)

// Sequence is the number in a signature: 32 bits of seconds since 1970, 16 bits of their
// fraction, 16 bits of counter. Of two numbers one is later, by the arithmetic of
// RFC 1982, also when the seconds wrap in 2106. 0 is no number.
type Sequence uint64

// tick is the finest step of a clock, 15 µs. The counter is below it.
const tick Sequence = 1 << 16

// SequenceAt is the number that a clock shows, with a counter of zero.
func SequenceAt(wall time.Time) Sequence {
	fraction := Sequence(wall.Nanosecond()) << 32 / Sequence(time.Second)
	return (Sequence(uint32(wall.Unix()))<<32 | fraction).clock()
}

func (s Sequence) clock() Sequence   { return s &^ (tick - 1) }
func (s Sequence) counter() Sequence { return s & (tick - 1) }

// After reports whether s is later than t.
func (s Sequence) After(t Sequence) bool { return int64(s-t) > 0 }

// Sub is the time from t to s, 68 years at the most.
func (s Sequence) Sub(t Sequence) time.Duration {
	d := int64(s - t)
	return time.Duration(d>>32)*time.Second + time.Duration(d&0xffffffff*int64(time.Second)>>32)
}

// span is a duration as a difference of numbers.
func span(d time.Duration) Sequence {
	return (Sequence(d/time.Second)<<32 + Sequence(d%time.Second)<<32/Sequence(time.Second)).clock()
}

// String is the time and the counter.
func (s Sequence) String() string {
	at := time.Unix(int64(s>>32), int64(s&0xffffffff*Sequence(time.Second)>>32)).UTC()
	return fmt.Sprintf("%s/%d", at.Format("2006-01-02T15:04:05.00000Z"), s.counter())
}

// Sender hands out the numbers of one router's adverts, each later than the one before
// and none twice, also across a crash. It is a value: it has no clock and no storage.
//
// A number is the clock's, or one tick more than the last if the clock has not moved on.
// With a window ([Protection]) receivers drop what is too far from their clock, so that
// after a clock has been set back by more than a window the numbers start from it again.
// The same times then pass a second time: the counter says how often that has happened,
// which keeps the numbers apart.
//
// Across a crash: numbers are used only up to one that the caller has stored. A process
// that starts goes on behind it. Such a reserve lasts a sixteenth to an eighth of the
// window, because a crash may cost that much of the clock's tolerance; without a window
// half a minute to a minute.
//
//	if upTo, due := s.Reserve(wall); due {
//		store(upTo)
//		s.Stored(upTo)
//	}
//	number, ok := s.Next(wall)
type Sender struct {
	window time.Duration
	last   Sequence // used, or perhaps used before a crash
	stored Sequence
}

// reserveMonotonic is how much is reserved where no clock sets a limit.
const reserveMonotonic = time.Minute

// NewSender goes on behind what a process before this one has stored; 0 if none has.
func NewSender(p Protection, stored Sequence) Sender {
	return Sender{window: p.Window, last: stored, stored: stored}
}

// Reserve says up to which number the caller has to store, and whether it is time to.
// It is before Next fails, if it is asked twice in a reserve.
func (s *Sender) Reserve(wall time.Time) (upTo Sequence, due bool) {
	ahead := span(reserveMonotonic)
	if s.window > 0 {
		ahead = span(s.window / 8)
	}
	next := s.next(wall)
	return next + ahead, !s.covers(next + ahead/2)
}

// Stored says that a number will be given to NewSender after a crash.
func (s *Sender) Stored(upTo Sequence) { s.stored = upTo }

// Next is the number for an advert that leaves now. ok is false where the reserve does
// not reach: an advert must not be signed then.
func (s *Sender) Next(wall time.Time) (number Sequence, ok bool) {
	next := s.next(wall)
	if !s.covers(next) {
		return 0, false
	}
	s.last = next
	return next, true
}

// Protect changes the window; the numbers go on.
func (s *Sender) Protect(p Protection) { s.window = p.Window }

// Last is the last number used: what to store at an end in good order, to lose none of
// the reserve.
func (s *Sender) Last() Sequence { return s.last }

func (s *Sender) next(wall time.Time) Sequence {
	now := SequenceAt(wall) | s.last.counter()
	switch {
	case s.last == 0:
		return now
	case s.window > 0 && s.last.Sub(now) > s.window:
		return now.clock() | (s.last + 1).counter()
	case now.After(s.last):
		return now
	}
	return s.last + tick
}

func (s *Sender) covers(n Sequence) bool {
	return s.stored != 0 && n.counter() == s.stored.counter() && !n.After(s.stored)
}
