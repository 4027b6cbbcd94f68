package wire

import (
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func TestSequenceIsTheClock(t *testing.T) {
	at := time.Unix(0x6b02c989, 0xd09e*int64(time.Second)>>16).Add(time.Microsecond)
	if s := SequenceAt(at); s != 0x6b02c989d09e0000 {
		t.Errorf("%x", uint64(s))
	}
	for _, d := range []time.Duration{0, time.Second, -time.Hour, 90 * time.Minute, 250 * time.Millisecond} {
		if got := SequenceAt(noon.Add(d)).Sub(SequenceAt(noon)); got != d {
			t.Errorf("%s is %s", d, got)
		}
	}
}

// RFC 1982: after the last second of 32 bits comes the first.
func TestSequenceWrapsIn2106(t *testing.T) {
	last := time.Unix(1<<32-1, 0)
	if a, b := SequenceAt(last), SequenceAt(last.Add(time.Second)); !b.After(a) || a.After(b) || b.Sub(a) != time.Second {
		t.Errorf("%s, then %s", a, b)
	}
}

// take reserves as an owner does whose storage never fails.
func take(t interface{ Fatalf(string, ...any) }, s *Sender, stored *Sequence, wall time.Time) Sequence {
	if upTo, due := s.Reserve(wall); due {
		*stored = upTo
		s.Stored(upTo)
	}
	n, ok := s.Next(wall)
	if !ok {
		t.Fatalf("no number at %s: %+v", wall, *s)
	}
	return n
}

func TestNothingIsSignedBeyondTheReserve(t *testing.T) {
	s := NewSender(Protection{Window: 8 * time.Second}, 0)
	if _, ok := s.Next(noon); ok {
		t.Error("a number without a reserve")
	}
	upTo, due := s.Reserve(noon)
	if !due || upTo.Sub(SequenceAt(noon)) != time.Second {
		t.Errorf("reserve up to %s, due %v", upTo, due)
	}
	s.Stored(upTo)
	if n, ok := s.Next(noon); !ok || n != SequenceAt(noon) {
		t.Errorf("first number %s", n)
	}
	if _, due := s.Reserve(noon.Add(499 * time.Millisecond)); due {
		t.Error("due before half of it is used")
	}
	if _, due := s.Reserve(noon.Add(501 * time.Millisecond)); !due {
		t.Error("not due when half of it is used")
	}
	if n, ok := s.Next(noon.Add(time.Second)); !ok || n != upTo {
		t.Errorf("the last number of the reserve is %s", n)
	}
	if _, ok := s.Next(noon.Add(1001 * time.Millisecond)); ok {
		t.Error("a number beyond the reserve")
	}
}

// A process that starts goes on behind the reserve of the one that crashed, and receivers
// take its numbers for fresh.
func TestACrashReusesNothing(t *testing.T) {
	p := Protection{Window: 5 * time.Second}
	var stored Sequence
	s := NewSender(p, 0)
	last := take(t, &s, &stored, noon)
	s = NewSender(p, stored)
	next := take(t, &s, &stored, noon.Add(time.Millisecond))
	if !next.After(last) {
		t.Errorf("%s after %s", next, last)
	}
	r := NewReplay(p, 1)
	if ahead := next.Sub(SequenceAt(noon)); ahead > p.Window/8+time.Millisecond || !r.fresh(next, noon) {
		t.Errorf("%s ahead of the clock", ahead)
	}
}

// A clock that was set back by more than a window: receivers would drop what is ahead of
// it. Set back by less, the numbers go on.
func TestAClockSetBackStartsAnew(t *testing.T) {
	p := Protection{Window: 5 * time.Second}
	var stored Sequence
	s := NewSender(p, 0)
	first := take(t, &s, &stored, noon)
	if n := take(t, &s, &stored, noon.Add(-4*time.Second)); n != first+tick {
		t.Errorf("4 s back: %s", n)
	}
	if n := take(t, &s, &stored, noon.Add(-time.Hour)); n != SequenceAt(noon.Add(-time.Hour))+1 {
		t.Errorf("an hour back: %s", n)
	}
	s = NewSender(p, stored)
	if n := take(t, &s, &stored, noon); n != first+1 {
		t.Errorf("the same time again: %s after %s", n, first)
	}
	s = NewSender(Protection{}, 0)
	first = take(t, &s, &stored, noon)
	if n := take(t, &s, &stored, noon.Add(-time.Hour)); n != first+tick {
		t.Errorf("monotonic, an hour back: %s", n)
	}
}

// Whatever the clock does and whenever the process dies, no number is used twice, and
// with a window none is too far ahead of the clock for a receiver with the same clock.
func TestNoNumberIsUsedTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Protection{Window: time.Duration(rapid.SampledFrom([]int{0, 1, 5, 300}).Draw(t, "window")) * time.Second}
		wall := noon
		var stored Sequence
		s := NewSender(p, 0)
		used := map[Sequence]bool{}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0:
				s = NewSender(p, stored)
			case 1: // stored, and then killed before the first advert
				upTo, _ := s.Reserve(wall)
				stored = upTo
				s = NewSender(p, stored)
			case 2: // the clock is set, to where it was before as well
				wall = noon.Add(time.Duration(rapid.IntRange(-20, 20).Draw(t, "to")) * time.Second)
			case 3: // an end in good order
				stored = s.Last()
				s = NewSender(p, stored)
			default:
				wall = wall.Add(time.Duration(rapid.IntRange(0, 400).Draw(t, "ms")) * time.Millisecond)
				n := take(t, &s, &stored, wall)
				if used[n] {
					t.Fatalf("%s again", n)
				}
				used[n] = true
				if ahead := n.Sub(SequenceAt(wall)); p.Window > 0 && ahead > p.Window+time.Second/65536 {
					t.Fatalf("%s ahead of the clock", ahead)
				}
			}
		}
	})
}

// judge stands for a packet that was signed with a key, or with another.
type judge struct {
	t      *testing.T
	ring   *Ring
	keys   map[uint8]*Key
	replay Replay
}

func newJudge(t *testing.T, p Protection, senders int) *judge {
	j := &judge{t: t, keys: map[uint8]*Key{
		1: testKey(t, 1, secret), 2: testKey(t, 2, secret+"two"), 3: testKey(t, 3, secret+"three"),
	}, replay: NewReplay(p, senders)}
	var err error
	if j.ring, err = NewRing(1, j.keys[1], j.keys[2]); err != nil {
		t.Fatal(err)
	}
	return j
}

func (j *judge) packet(from string, key uint8, s Sequence, d *Dialect) Advert {
	a := advert(3)
	if key != 0 {
		a.Sign(j.keys[key], s)
	}
	var got Advert
	if _, reason := d.Parse(Append(nil, Header{Source: netip.MustParseAddr(from)}, &a), &got); reason != OK {
		j.t.Fatal(reason)
	}
	return got
}

func (j *judge) of(from string, key uint8, s Sequence, wall time.Time) Reason {
	a := j.packet(from, key, s, &Dialect{Signed: true})
	return j.replay.Judge(j.ring, &a, wall)
}

func TestModesAskForSignatures(t *testing.T) {
	for mode, want := range map[Mode]Reason{ReceiveOnly: OK, Permissive: OK, Enforce: Unsigned} {
		j := newJudge(t, Protection{Mode: mode, Window: 5 * time.Second}, 1)
		if got := j.of("192.0.2.1", 0, 0, noon); got != want {
			t.Errorf("%s: unsigned is %s", mode, got)
		}
		if got := j.of("192.0.2.1", 3, SequenceAt(noon), noon); got != UnknownKey {
			t.Errorf("%s: signed with an unknown key is %s", mode, got)
		}
		if got := j.of("192.0.2.1", 2, SequenceAt(noon), noon); got != OK {
			t.Errorf("%s: signed is %s", mode, got)
		}
		if mode.Signs() != (mode != ReceiveOnly) {
			t.Errorf("%s signs: %v", mode, mode.Signs())
		}
	}
}

// The order of the draft: what is stale is not verified, and what does not verify leaves
// no mark.
func TestAdvertsAreJudgedInOrder(t *testing.T) {
	const a, b = "192.0.2.1", "192.0.2.2"
	at := func(d time.Duration) Sequence { return SequenceAt(noon.Add(d)) }
	j := newJudge(t, Protection{Mode: Enforce, Window: 5 * time.Second}, 4)
	forged := j.packet(a, 1, at(4*time.Second), &Dialect{Signed: true})
	forged.Trailer.message[len(forged.Trailer.message)-1]++
	if got := j.replay.Judge(j.ring, &forged, noon); got != BadSignature {
		t.Errorf("forged: %s", got)
	}
	for _, c := range []struct {
		name     string
		from     string
		key      uint8
		sequence Sequence
		want     Reason
	}{
		{"first", a, 1, at(0), OK},
		{"the same again", a, 1, at(0), Replayed},
		{"the same again, signed anew", a, 2, at(0), Replayed},
		{"an older one", a, 1, at(-time.Second), Replayed},
		{"a newer one", a, 2, at(time.Second), OK},
		{"an older one of another sender", b, 1, at(-time.Second), OK},
		{"five seconds ahead", b, 1, at(5 * time.Second), OK},
		{"six seconds ahead", b, 1, at(6 * time.Second), Stale},
		{"six seconds behind, unknown key", b, 3, at(-6 * time.Second), Stale},
	} {
		if got := j.of(c.from, c.key, c.sequence, noon); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	marks := j.replay.Marks()
	if len(marks) != 2 || marks[0].Sender.String() != b || marks[0].Skew != 5*time.Second || marks[1].Skew != time.Second {
		t.Errorf("marks %v", marks)
	}
	next := NewReplay(Protection{Mode: Enforce, Window: 5 * time.Second}, 4)
	next.Restore(marks)
	j.replay = next
	if got := j.of(a, 1, at(time.Second), noon); got != Replayed {
		t.Errorf("after a restart: %s", got)
	}
}

// A sender whose clock was an hour fast is heard again, a window after its last number
// has passed out of the window.
func TestAMarkOutsideTheWindowExpires(t *testing.T) {
	j := newJudge(t, Protection{Mode: Enforce, Window: 5 * time.Second}, 1)
	wrong := noon.Add(time.Hour)
	if got := j.of("192.0.2.1", 1, SequenceAt(wrong), wrong); got != OK {
		t.Error(got)
	}
	if got := j.of("192.0.2.1", 1, SequenceAt(noon), noon); got != OK {
		t.Errorf("when both clocks are right again: %s", got)
	}
	j = newJudge(t, Protection{Mode: Enforce}, 1)
	j.of("192.0.2.1", 1, SequenceAt(wrong), wrong)
	if got := j.of("192.0.2.1", 1, SequenceAt(noon), noon); got != Replayed {
		t.Errorf("monotonic: %s", got)
	}
}

// With more senders than there is room for, the one silent for longest is forgotten.
func TestTheSilentSenderIsForgotten(t *testing.T) {
	j := newJudge(t, Protection{}, 4)
	for _, from := range []string{"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.1", "10.0.0.5"} {
		j.of(from, 1, SequenceAt(noon)+Sequence(len(j.replay.Marks())), noon)
	}
	var left []string
	for _, m := range j.replay.Marks() {
		left = append(left, m.Sender.String())
	}
	if len(left) != 4 || left[0] != "10.0.0.5" || left[1] != "10.0.0.1" || left[3] != "10.0.0.3" {
		t.Errorf("remembers %v", left)
	}
}

// No packet is accepted twice, whatever is recorded and sent again in whatever order,
// while our clock runs on.
func TestNothingIsAcceptedTwice(t *testing.T) {
	j := newJudge(t, Protection{}, 1)
	rapid.Check(t, func(t *rapid.T) {
		j.replay = NewReplay(Protection{Mode: Enforce, Window: time.Duration(rapid.SampledFrom([]int{0, 5}).Draw(t, "window")) * time.Second}, 3)
		type copyOf struct {
			from int
			s    Sequence
		}
		var recorded []copyOf
		accepted := map[copyOf]bool{}
		wall := noon
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			wall = wall.Add(time.Duration(rapid.IntRange(0, 3000).Draw(t, "ms")) * time.Millisecond)
			var c copyOf
			if len(recorded) > 0 && rapid.Bool().Draw(t, "replayed") {
				c = rapid.SampledFrom(recorded).Draw(t, "which")
			} else {
				c = copyOf{rapid.IntRange(1, 3).Draw(t, "from"), SequenceAt(wall.Add(time.Duration(rapid.IntRange(-7, 7).Draw(t, "skew")) * time.Second))}
				recorded = append(recorded, c)
			}
			from := netip.AddrFrom4([4]byte{10, 0, 0, byte(c.from)}).String()
			if j.of(from, 1, c.s, wall) == OK {
				if accepted[c] {
					t.Fatalf("%v accepted twice", c)
				}
				accepted[c] = true
			}
		}
	})
}

// What a sender signs, in time or after a crash, every receiver with about its clock
// accepts once.
func TestSenderAndReceiverAgree(t *testing.T) {
	j := newJudge(t, Protection{}, 1)
	rapid.Check(t, func(t *rapid.T) {
		p := Protection{Mode: Enforce, Window: 5 * time.Second}
		j.replay = NewReplay(p, 1)
		skew := time.Duration(rapid.IntRange(-2000, 2000).Draw(t, "skew")) * time.Millisecond
		var stored Sequence
		s := NewSender(p, 0)
		wall := noon
		crashes := 0
		for range rapid.IntRange(1, 40).Draw(t, "adverts") {
			wall = wall.Add(time.Duration(rapid.IntRange(10, 1000).Draw(t, "ms")) * time.Millisecond)
			if crashes < 3 && rapid.IntRange(0, 9).Draw(t, "crash") == 0 {
				crashes++
				s = NewSender(p, stored)
			}
			n := take(t, &s, &stored, wall.Add(skew))
			if got := j.of("192.0.2.1", 1, n, wall); got != OK {
				t.Fatalf("%s at %s: %s", n, wall, got)
			}
		}
	})
}
