package vrrp

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"hafile/runtime/vrrp/wire"
)

// The tests of this file are one for each sentence of the RFCs, named by its section of
// RFC 9568 unless another is said. Times: version 3, 1 s, priority 100: the skew is
// 156/256 s, the down interval 3.609375 s.

func TestSkewAndDownInterval(t *testing.T) {
	cases := []struct {
		section           string
		version, priority uint8
		interval          time.Duration
		skew, down        time.Duration
	}{
		{"6.1", 3, 100, time.Second, 609375 * time.Microsecond, 3609375 * time.Microsecond},
		{"6.1, parts of a centisecond", 3, 250, 100 * time.Millisecond, 2343750, 302343750},
		{"6.1, of the active's interval", 3, 100, 10 * time.Second, 6093750 * time.Microsecond, 36093750 * time.Microsecond},
		{"RFC 3768, 6.1", 2, 100, time.Second, 609375 * time.Microsecond, 3609375 * time.Microsecond},
		{"RFC 3768, 6.1, whatever the interval", 2, 100, 10 * time.Second, 609375 * time.Microsecond, 30609375 * time.Microsecond},
		{"6.1, the owner", 3, 255, time.Second, 3906250, 3003906250},
		{"6.1, the least", 3, 1, time.Second, 996093750, 3996093750},
	}
	for _, c := range cases {
		if got := Skew(c.version, c.priority, c.interval); got != c.skew {
			t.Errorf("%s: skew %s, want %s", c.section, got, c.skew)
		}
		if got := Down(c.version, c.priority, c.interval, 3); got != c.down {
			t.Errorf("%s: down interval %s, want %s", c.section, got, c.down)
		}
	}
	if got := Down(3, 100, time.Second, 5); got != 5609375*time.Microsecond {
		t.Errorf("five missed adverts: %s", got)
	}
}

// 6.4.1: if the priority is 255, send an advertisement, announce, set the adver timer,
// go to active. The announcement waits for the kernel.
func TestOwnerStartsAsActive(t *testing.T) {
	expect(t, `
		router a priority=255
		a start
		run 1s
	`, `
		0s a advert 255
		0s a claim
		0s a waiting -> active: priority 255: it owns the addresses
		1ms a announce
		1s a advert 255
	`)
}

// 6.4.1: else set the active's interval to the own, the down timer to the down interval,
// go to backup.
func TestOthersStartAsBackup(t *testing.T) {
	expect(t, `
		router a
		a start
		a show
	`, `
		0s a waiting -> backup: started
		0s a is vrid 51 backup priority 100, deadline 3.609375s
	`)
}

func TestStartDelayComesBeforeListening(t *testing.T) {
	expect(t, `
		router a start-delay=10s
		a start
		run 14s
	`, `
		10s a waiting -> backup: start delay is over
		13.609375s a advert 100
		13.609375s a claim
		13.609375s a backup -> active: heard nobody for its whole down interval
		13.610375s a announce
	`)
}

// 6.4.2: shutdown cancels the timer and goes to initialize. Nothing is sent.
func TestBackupStopsInSilence(t *testing.T) {
	expect(t, `
		router a
		a start
		a stop
		a show
		run 10s
	`, `
		0s a waiting -> backup: started
		0s a backup -> waiting: stopped
		0s a is vrid 51 waiting priority 100
	`)
}

// 6.4.2: when the down timer fires, send, announce, set the adver timer, go to active,
// in this order.
func TestBackupTakesOverAfterSilence(t *testing.T) {
	expect(t, `
		router a
		a start
		a hears 192.0.2.2 200
		run 5s
	`, `
		0s a waiting -> backup: started
		3.609375s a advert 100
		3.609375s a claim
		3.609375s a backup -> active: 192.0.2.2 has been silent for 3.609s
		3.610375s a announce
		4.609375s a advert 100
	`)
}

func TestMissedAdvertsAreConfigurable(t *testing.T) {
	expect(t, `
		router a adverts=5
		a start
		a show
	`, `
		0s a waiting -> backup: started
		0s a is vrid 51 backup priority 100, deadline 5.609375s
	`)
}

// 6.4.2: priority 0 sets the down timer to the skew; here never to a later instant.
func TestBackupWaitsSkewAfterGoodbye(t *testing.T) {
	expect(t, `
		router a
		a start
		a hears 192.0.2.2 200
		run 1s
		a hears 192.0.2.2 0
		a show
		run 600ms
		a hears 192.0.2.2 0
		a show
		run 10ms
	`, `
		0s a waiting -> backup: started
		1s a is vrid 51 backup priority 100, deadline 1.609375s
		1.6s a is vrid 51 backup priority 100, deadline 1.609375s
		1.609375s a advert 100
		1.609375s a claim
		1.609375s a backup -> active: 192.0.2.2 said goodbye
	`)
}

// 6.4.2: the skew after a goodbye is that of the active's interval, also with version 3's
// learned one.
func TestSkewFollowsTheLearnedInterval(t *testing.T) {
	expect(t, `
		router a
		a start
		a hears 192.0.2.2 200 interval=100ms
		a show
		a hears 192.0.2.2 0 interval=100ms
		a show
	`, `
		0s a waiting -> backup: started
		0s a is vrid 51 backup priority 100, deadline 360.938ms
		0s a is vrid 51 backup priority 100, deadline 60.938ms
	`)
}

// 6.4.2: priority at least ours: learn the interval, recompute, set the timer again. An
// equal one is accepted whatever its address.
func TestBackupFollowsABetterOrEqualActive(t *testing.T) {
	expect(t, `
		router a source=192.0.2.5
		a start
		run 1s
		a hears 192.0.2.2 200 interval=2s
		a show
		run 1s
		a hears 192.0.2.2 100
		a show
	`, `
		0s a waiting -> backup: started
		1s a is vrid 51 backup priority 100, deadline 8.21875s
		2s a is vrid 51 backup priority 100, deadline 5.609375s
	`)
}

// 6.4.2: a lower priority is discarded if preemption is on: the timer keeps running, the
// interval is not learned.
func TestBackupIgnoresALesserActive(t *testing.T) {
	expect(t, `
		router a
		a start
		run 1s
		a hears 192.0.2.2 99 interval=9s
		a show
	`, `
		0s a waiting -> backup: started
		1s a is vrid 51 backup priority 100, deadline 3.609375s
	`)
}

// 6.4.2, 6.1: without preemption a lesser active is followed; its silence and its
// goodbye count.
func TestWithoutPreemptionALesserActiveIsFollowed(t *testing.T) {
	expect(t, `
		router a preempt=false
		a start
		run 1s
		a hears 192.0.2.2 50
		a show
		a hears 192.0.2.2 0
		run 610ms
	`, `
		0s a waiting -> backup: started
		1s a is vrid 51 backup priority 100, deadline 4.609375s
		1.609375s a advert 100
		1.609375s a claim
		1.609375s a backup -> active: 192.0.2.2 said goodbye
	`)
}

// 6.1: the owner preempts independent of the flag.
func TestOwnerPreemptsWhateverTheFlag(t *testing.T) {
	expect(t, `
		router a preempt=false priority=200
		a start
		a spec priority=255
		run 1s
		a hears 192.0.2.2 200
		a show
	`, `
		0s a waiting -> backup: started
		1s a is vrid 51 backup priority 255, deadline 3.003906s
	`)
}

// keepalived's preempt_delay: as without preemption until it has run; a better active
// begins it anew. Then the rest of the down interval has still to pass.
func TestPreemptDelayComesBeforeTheDownInterval(t *testing.T) {
	hearEverySecond := strings.Repeat("a hears 192.0.2.2 50\n run 1s\n", 6)
	expect(t, `
		router a preempt-delay=5s
		a start
		`+hearEverySecond+`
		a show
		a hears 192.0.2.2 100
		a hears 192.0.2.2 50
		a show
		`+hearEverySecond+`
		a show
		run 2s
	`, `
		0s a waiting -> backup: started
		6s a is vrid 51 backup priority 100, deadline 7.609375s
		6s a is vrid 51 backup priority 100, deadline 9.609375s
		12s a is vrid 51 backup priority 100, deadline 13.609375s
		13.609375s a advert 100
		13.609375s a claim
		13.609375s a backup -> active: priority 100 is above the 50 of 192.0.2.2
		13.610375s a announce
	`)
}

// 6.4.3: shutdown sends priority 0. The release waits for the successor; see doc.go.
func TestActiveSaysGoodbyeThreeTimes(t *testing.T) {
	expect(t, `
		router a rival=50
		a start
		run 4s
		a stop
		run 1s
	`, active+`
		4s a goodbye
		4s a active -> leaving: stopping
		4.005s a goodbye
		4.01s a goodbye
	`)
}

const active = `
		0s a waiting -> backup: started
		3.609375s a advert 100
		3.609375s a claim
		3.609375s a backup -> active: heard nobody for its whole down interval
		3.610375s a announce
`

// 6.4.3: where nobody else is known or was heard, shutdown is the RFC's.
func TestTheOnlyMemberLeavesAtOnce(t *testing.T) {
	expect(t, `
		router a
		a start
		run 4s
		a stop
		a show
	`, active+`
		4s a goodbye
		4s a yield
		4s a active -> waiting: stopped
		4s a is vrid 51 waiting priority 100
	`)
}

func TestAMemberThatWasHeardIsWaitedFor(t *testing.T) {
	expect(t, `
		router a
		a start
		a hears 192.0.2.2 50
		run 4s
		a stop
		a show
	`, strings.Replace(active, "heard nobody for its whole down interval", "192.0.2.2 has been silent for 3.609s", 1)+`
		4s a goodbye
		4s a active -> leaving: stopping
		4s a is vrid 51 leaving priority 100, claimed, deadline 4.005s
	`)
}

// 6.4.3: when the adver timer fires, send and set it again: from the deadline, so that
// lateness does not add up, unless a whole interval was missed.
func TestCadenceCountsFromTheDeadline(t *testing.T) {
	r := New(standard())
	r.Step(beginning, Event{Kind: Start, Holding: true, Fresh: true}, nil)
	tick := func(after, want time.Duration, sent int) {
		t.Helper()
		out := r.Step(beginning.Add(after), Event{Kind: Tick}, nil)
		if got := r.Deadline().Sub(beginning); got != want || len(out) != sent {
			t.Errorf("at %s: next at %s, want %s; %v", after, got, want, out)
		}
	}
	tick(999*time.Millisecond, time.Second, 0)
	tick(time.Second, 2*time.Second, 1)
	tick(2300*time.Millisecond, 3*time.Second, 1)
	tick(3999*time.Millisecond, 4*time.Second, 1)
	tick(9500*time.Millisecond, 10500*time.Millisecond, 1)
}

// 6.4.3: priority 0: send at once and set the adver timer again.
func TestActiveAnswersAGoodbye(t *testing.T) {
	expect(t, `
		router a
		a start
		run 4s
		a hears 192.0.2.2 0
		run 1s
	`, active+`
		4s a advert 100
		5s a advert 100
	`)
}

// 6.4.3: a higher priority, or the same from a larger address: cancel the adver timer,
// learn the interval, set the down timer, release, go to backup.
func TestActiveGivesWay(t *testing.T) {
	const follows = `
		4s a advert 100
		4s a active -> backup: 192.0.2.9 has priority %
		4s a is vrid 51 backup priority 100, claimed, deadline 4.02s
		4.02s a yield
		4.02s a is vrid 51 backup priority 100, deadline 11.21875s
	`
	for _, better := range []string{"101", "100"} {
		expect(t, `
			router a source=192.0.2.5
			a start
			run 4s
			a hears 192.0.2.9 `+better+` interval=2s
			a show
			run 20ms
			a show
		`, active+strings.ReplaceAll(follows, "%", better))
	}
}

// 6.4.3, new in RFC 9568: a lesser advert is answered at once. Version 2 does the same.
func TestActiveAssertsItself(t *testing.T) {
	for _, lesser := range []string{"192.0.2.9 99", "192.0.2.2 100"} {
		for _, version := range []string{"2", "3"} {
			expect(t, `
				router a source=192.0.2.5 version=`+version+`
				a start
				run 4s
				a hears `+lesser+`
				run 1s
			`, active+`
				4s a advert 100
				4s a announce
				5s a advert 100
			`)
		}
	}
}

// 5.2.4 and 5.1.1.2: sources are compared as unsigned numbers.
func TestTiesGoToTheLargerAddress(t *testing.T) {
	own := netip.MustParseAddr("192.0.2.5")
	for from, want := range map[string]bool{
		"192.0.2.4": false, "192.0.2.5": false, "192.0.2.6": true, "10.255.255.255": false, "223.0.0.1": true,
	} {
		a := Advert{Priority: 100}
		if got := outranks(&a, netip.MustParseAddr(from), 100, own); got != want {
			t.Errorf("%s: %t", from, got)
		}
		if a.Priority = 99; outranks(&a, netip.MustParseAddr(from), 100, own) {
			t.Errorf("%s with 99 outranks 100", from)
		}
		if a.Priority = 101; !outranks(&a, netip.MustParseAddr(from), 100, own) {
			t.Errorf("%s with 101 does not outrank 100", from)
		}
	}
}

// Erratum 8298: an owner that hears another owner does not drop it but runs the election.
func TestTwoOwnersElect(t *testing.T) {
	expect(t, `
		router a priority=255 source=192.0.2.1
		router b priority=255 source=192.0.2.2
		a start
		run 500ms
		b start
		run 1001ms
	`, `
		0s a advert 255
		0s a claim
		0s a waiting -> active: priority 255: it owns the addresses
		1ms a announce
		500ms b advert 255
		500ms b claim
		500ms b waiting -> active: priority 255: it owns the addresses
		500.1ms a advert 255
		500.1ms a active -> backup: 192.0.2.2 has priority 255
		500.2ms b advert 255
		501ms b announce
		520.1ms a yield
		1.5002s b advert 255
	`)
}

// 7.1, RFC 3768, 7.1: what the receiver must compare, and what version 3 must not.
func TestForeignAdvertsAreDropped(t *testing.T) {
	cases := []struct {
		name    string
		version uint8
		change  func(*Advert)
		want    wire.Reason
	}{
		{"version", 3, func(a *Advert) { a.Version = 2 }, wire.VersionMismatch},
		{"version", 2, func(a *Advert) { a.Version = 3 }, wire.VersionMismatch},
		{"no password", 2, func(a *Advert) { a.Auth = wire.AuthNone }, wire.AuthTypeMismatch},
		{"another password", 2, func(a *Advert) { a.Password[7] = 'x' }, wire.AuthFailed},
		{"another interval", 2, func(a *Advert) { a.Interval *= 2 }, wire.IntervalMismatch},
		{"another interval", 3, func(a *Advert) { a.Interval *= 2 }, wire.OK},
		{"another checksum form", 3, func(a *Advert) { a.Checksum = wire.MessageOnly }, wire.OK},
		{"other addresses", 2, func(a *Advert) { a.Addresses = []netip.Addr{netip.MustParseAddr("192.0.2.7")} }, wire.OK},
		{"other addresses", 3, func(a *Advert) { a.Addresses = []netip.Addr{netip.MustParseAddr("192.0.2.7")} }, wire.OK},
	}
	for _, c := range cases {
		spec := standard()
		if spec.Version = c.version; c.version == 2 {
			spec.Auth, spec.Password = wire.AuthPass, wire.NewPassword("1111")
		}
		r := New(spec)
		a := r.Message(200)
		c.change(&a)
		r.Step(beginning, Event{Kind: Start, Holding: true, Fresh: true}, nil)
		r.Step(beginning, Event{Kind: Heard, Advert: &a, From: netip.MustParseAddr("192.0.2.9")}, nil)
		counters := r.Counters()
		if c.want == wire.OK {
			if counters.Accepted != 1 || r.Role() != Backup {
				t.Errorf("%s, version %d: dropped", c.name, c.version)
			}
		} else if counters.Dropped[c.want] != 1 || counters.Accepted != 0 || r.Role() != Active {
			t.Errorf("%s, version %d: %+v", c.name, c.version, counters)
		}
		said := Describe(spec, &a, netip.MustParseAddr("192.0.2.9"))
		if (said == "") != (c.want == wire.OK) || strings.Contains(said, "1111") {
			t.Errorf("%s, version %d is described as %q", c.name, c.version, said)
		}
	}
}

func TestChecksumFormsAreCounted(t *testing.T) {
	r := New(standard())
	r.Step(beginning, Event{Kind: Start}, nil)
	for _, form := range []wire.ChecksumForm{wire.PseudoHeader, wire.MessageOnly, wire.MessageOnly} {
		a := r.Message(200)
		a.Checksum = form
		r.Step(beginning, Event{Kind: Heard, Advert: &a, From: netip.MustParseAddr("192.0.2.9")}, nil)
	}
	if got := r.Counters().Forms; got != [wire.ChecksumForms]uint64{1, 2} {
		t.Error(got)
	}
}

// A learned interval is capped at ten of the own, or 10 s if that is more: an advert of
// 40.95 s must not take a backup out of service.
func TestLearnedIntervalsAreCapped(t *testing.T) {
	for own, want := range map[time.Duration]time.Duration{
		100 * time.Millisecond: 10 * time.Second, time.Second: 10 * time.Second, 3 * time.Second: 30 * time.Second,
	} {
		spec := standard()
		spec.Interval = own
		r := New(spec)
		r.Step(beginning, Event{Kind: Start}, nil)
		a := r.Message(200)
		a.Interval = 40950 * time.Millisecond
		r.Step(beginning, Event{Kind: Heard, Advert: &a, From: netip.MustParseAddr("192.0.2.9")}, nil)
		if got := r.Deadline().Sub(beginning); got != Down(3, 100, want, 3) {
			t.Errorf("own %s: down interval %s, want that of %s", own, got, want)
		}
	}
}

// A tracked priority is in the next advert; the peers decide.
func TestNextAdvertCarriesTheNewPriority(t *testing.T) {
	expect(t, `
		router a rival=60
		a start
		run 4s
		a priority 70
		run 2s
	`, active+`
		4.609375s a advert 70
		5.609375s a advert 70
	`)
}

// A priority that goes up and down again costs nothing of the down interval, and a rise
// brings the deadline forward by the skew alone.
func TestFlappingPriorityDoesNotWearTheDeadlineDown(t *testing.T) {
	expect(t, `
		router a
		a start
		`+strings.Repeat("a priority 200\n a priority 100\n", 20)+`
		a show
	`, `
		0s a waiting -> backup: started
		0s a is vrid 51 backup priority 100, deadline 3.21875s
	`)
}

// A new Spec leaves the deadlines of a backup alone or brings them closer.
func TestNewSpecNeverMovesADeadlineAway(t *testing.T) {
	expect(t, `
		router a start-delay=10s
		a start
		a spec start-delay=20s
		a show
		a spec start-delay=1s
		a show
		run 1s
		a spec interval=5s
		a show
		a spec interval=500ms
		a show
		router b version=2 interval=2s source=192.0.2.2
		b start
		b hears 192.0.2.9 200
		run 1s
		b spec version=2 interval=1s
		b show
	`, `
		0s a is vrid 51 waiting priority 100, deadline 10s
		0s a is vrid 51 waiting priority 100, deadline 1s
		1s a waiting -> backup: start delay is over
		1s a is vrid 51 backup priority 100, deadline 4.609375s
		1s a is vrid 51 backup priority 100, deadline 2.804688s
		1s b waiting -> backup: started
		2s b is vrid 51 backup priority 100, deadline 5.609375s
	`)
}

// A stale advert of an active that has fallen silent before us is not a successor's; one
// that is really there answers the next goodbye.
func TestAdvertsUnderWayDoNotEndADeparture(t *testing.T) {
	expect(t, `
		router a rival=50
		a start
		run 4s
		a stop
		a hears 192.0.2.2 50
		a show
		run 10ms
		a hears 192.0.2.2 50
	`, active+`
		4s a goodbye
		4s a active -> leaving: stopping
		4s a is vrid 51 leaving priority 100, claimed, deadline 4.005s
		4.005s a goodbye
		4.01s a goodbye
		4.01s a leaving -> waiting: stopped; 192.0.2.2 has the addresses
	`)
}

// An offer that has lost its reason is taken back at once, and one that has another
// reason left is not.
func TestOfferIsTakenBack(t *testing.T) {
	expect(t, `
		router a rival=90
		a start
		run 4s
		a priority 80
		a failing nginx
		a failing nothing
		a priority 95
	`, active+`
		4s a goodbye
		4s a active -> leaving: its priority is 80, another member may have 90
		4s a advert 95
		4s a leaving -> active: its priority rose again
		4s a announce
	`)
}

func TestWithoutPreemptionNothingIsOffered(t *testing.T) {
	expect(t, `
		router a rival=90 preempt=false
		a start
		run 4s
		a priority 80
		a show
	`, active+`
		4s a is vrid 51 active priority 80, claimed, deadline 4.609375s
	`)
}

// A stop that comes during an offer turns it into a departure for good.
func TestStopDuringAnOffer(t *testing.T) {
	expect(t, `
		router a rival=150
		a start
		run 4s
		a priority 80
		a stop
		run 20ms
		a hears 192.0.2.2 20
		run 20ms
		a show
	`, active+`
		4s a goodbye
		4s a active -> leaving: its priority is 80, another member may have 150
		4.005s a goodbye
		4.01s a goodbye
		4.02s a leaving -> waiting: stopped; 192.0.2.2 has the addresses
		4.04s a yield
		4.04s a is vrid 51 waiting priority 80
	`)
}

// The core is called for every packet and every advert of every router.
func TestSteadyStepsDoNotAllocate(t *testing.T) {
	spec := standard()
	spec.Rival = 200
	a := New(spec)
	b := New(spec)
	now := beginning
	a.Step(now, Event{Kind: Start, Holding: true, Fresh: true}, nil)
	b.Step(now, Event{Kind: Start}, nil)
	lesser, equal := a.Message(50), a.Message(100)
	from := netip.MustParseAddr("192.0.2.0")
	out := make([]Effect, 0, 8)
	if n := testing.AllocsPerRun(1000, func() {
		now = a.Deadline()
		out = a.Step(now, Event{Kind: Tick}, out[:0])
		out = a.Step(now, Event{Kind: Heard, Advert: &lesser, From: from}, out[:0])
		out = a.Step(now, Event{Kind: Priority, Priority: 100}, out[:0])
		out = a.Step(now, Event{Kind: Rejected, Advert: &lesser, From: from, Reason: wire.BadChecksum}, out[:0])
		out = b.Step(now, Event{Kind: Heard, Advert: &equal, From: from}, out[:0])
		b.Deadline()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if a.Role() != Active || b.Role() != Backup {
		t.Error(a, b)
	}
}

func BenchmarkActiveTick(b *testing.B) {
	r := New(standard())
	r.Step(beginning, Event{Kind: Start, Holding: true, Fresh: true}, nil)
	out := make([]Effect, 0, 8)
	b.ReportAllocs()
	for b.Loop() {
		out = r.Step(r.Deadline(), Event{Kind: Tick}, out[:0])
	}
}

func BenchmarkBackupHears(b *testing.B) {
	r := New(standard())
	r.Step(beginning, Event{Kind: Start}, nil)
	a := r.Message(200)
	ev := Event{Kind: Heard, Advert: &a, From: netip.MustParseAddr("192.0.2.9")}
	b.ReportAllocs()
	for b.Loop() {
		r.Step(beginning, ev, nil)
		r.Deadline()
	}
}
