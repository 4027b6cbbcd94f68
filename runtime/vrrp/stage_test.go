package vrrp

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"hafile/runtime/vrrp/wire"
)

// A stage plays scripts: some routers on one segment, a kernel for each that does as it
// is told within a millisecond, and a clock that only "run" moves. A line is one of
//
//	router NAME [key=value ...]             see edit for the keys
//	NAME start [holding] [fresh]            and likewise the other events:
//	NAME tick | frozen | stop | installed
//	NAME priority N | failing WHAT | link WHAT | refused WHAT    ("nothing" for none)
//	NAME hears SOURCE PRIORITY [key=value ...]
//	NAME rejects SOURCE REASON
//	NAME spec [key=value ...]               a new Spec, then its priority
//	NAME sweep [key=value ...]              the same, with the faces so far as former ones
//	NAME retire                             the former faces go
//	NAME show                               where it stands
//	kernel NAME mute                        it answers no claim any more
//	cut NAME                                neither heard nor hearing, until "mend NAME"
//	kill NAME                               gone, as a machine that lost its power
//	run DURATION
//
// and what follows from it is printed, with the time since the beginning.
type stage struct {
	t       tester
	now     Instant
	names   []string
	actors  map[string]*actor
	lost    func(f flight, to string) bool
	flights []flight
	out     strings.Builder
}

type actor struct {
	router  *Router
	mute    bool
	cut     bool
	dead    bool
	kernel  Instant // answers a claim; 0 if there is none
	effects []Effect
}

// flight is a packet under way. Packets pass the codec, as they would.
type flight struct {
	at     Instant
	from   string
	packet []byte
}

const (
	beginning = Instant(time.Hour)
	latency   = time.Millisecond / 10
	kernelLag = time.Millisecond
)

// tester is a test, or a rapid one.
type tester interface {
	Helper()
	Fatalf(string, ...any)
}

func newStage(t tester) *stage {
	return &stage{t: t, now: beginning, actors: map[string]*actor{}}
}

// play is the trace of a script.
func play(t testing.TB, script string) string {
	t.Helper()
	s := newStage(t)
	for _, line := range strings.Split(script, "\n") {
		s.line(strings.TrimSpace(line))
	}
	return s.out.String()
}

// expect compares the trace of a script; indentation does not matter.
func expect(t *testing.T, script, want string) {
	t.Helper()
	got := strings.TrimSpace(play(t, script))
	if trim(got) != trim(want) {
		t.Errorf("plays as\n%s\nwant\n%s", trim(got), trim(want))
	}
}

func trim(text string) string {
	var lines []string
	for _, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

func (s *stage) line(line string) {
	words := strings.Fields(line)
	if len(words) == 0 || strings.HasPrefix(line, "#") {
		return
	}
	switch words[0] {
	case "router":
		spec := standard()
		s.edit(&spec, words[2:])
		s.names = append(s.names, words[1])
		s.actors[words[1]] = &actor{router: New(spec)}
	case "run":
		d, err := time.ParseDuration(words[1])
		s.must(err, line)
		s.run(s.now.Add(d))
	case "kernel":
		s.actors[words[1]].mute = true
	case "cut":
		s.actors[words[1]].cut = true
	case "mend":
		s.actors[words[1]].cut = false
	case "kill":
		s.actors[words[1]].dead = true
	default:
		s.order(words, line)
	}
}

func (s *stage) must(err error, line string) {
	if err != nil {
		s.t.Helper()
		s.t.Fatalf("%s: %v", line, err)
	}
}

// standard is the router of the scripts unless they say otherwise.
func standard() Spec {
	return Spec{
		Version: 3, VRID: 51, Source: netip.MustParseAddr("192.0.2.1"), Priority: 100,
		Interval: time.Second, DownAdverts: 3, Preempt: true,
		Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.100")},
	}
}

func (s *stage) edit(spec *Spec, settings []string) {
	for _, setting := range settings {
		key, value, _ := strings.Cut(setting, "=")
		var err error
		switch key {
		case "version":
			spec.Version = s.number(value)
		case "vrid":
			spec.VRID = s.number(value)
		case "source":
			spec.Source, err = netip.ParseAddr(value)
		case "priority":
			spec.Priority = s.number(value)
		case "interval":
			spec.Interval, err = time.ParseDuration(value)
		case "adverts":
			spec.DownAdverts = int(s.number(value))
		case "preempt":
			spec.Preempt = value == "true"
		case "preempt-delay":
			spec.PreemptDelay, err = time.ParseDuration(value)
		case "start-delay":
			spec.StartDelay, err = time.ParseDuration(value)
		case "password":
			spec.Auth, spec.Password = wire.AuthPass, wire.NewPassword(value)
		case "plain":
			spec.Auth, spec.Password = wire.AuthNone, wire.Password{}
		case "rival":
			spec.Rival = s.number(value)
		case "checksum":
			spec.Checksum = wire.MessageOnly
		case "vips":
			spec.Addresses = nil
			for _, vip := range strings.Split(value, ",") {
				spec.Addresses = append(spec.Addresses, netip.MustParseAddr(vip))
			}
		default:
			s.t.Fatalf("no setting %q", key)
		}
		s.must(err, setting)
	}
}

func (s *stage) number(text string) uint8 {
	n, err := strconv.ParseUint(text, 10, 8)
	s.must(err, text)
	return uint8(n)
}

// order is a line that begins with a router's name.
func (s *stage) order(words []string, line string) {
	name := words[0]
	a := s.actors[name]
	if a == nil || len(words) < 2 {
		s.t.Fatalf("%s: no such line", line)
	}
	what := strings.Join(words[2:], " ")
	if what == "nothing" {
		what = ""
	}
	ev := Event{}
	switch words[1] {
	case "start":
		ev = Event{Kind: Start, Holding: strings.Contains(what, "holding"), Fresh: strings.Contains(what, "fresh")}
	case "tick":
		ev.Kind = Tick
	case "frozen":
		ev.Kind = Frozen
	case "stop":
		ev.Kind = Stop
	case "installed":
		ev.Kind = Installed
	case "priority":
		ev = Event{Kind: Priority, Priority: s.number(what)}
	case "failing":
		ev = Event{Kind: Failing, Failing: what}
	case "link":
		ev = Event{Kind: Link, Link: what}
	case "refused":
		ev = Event{Kind: Refused, Refusal: what}
	case "hears":
		ev = s.hearing(a.router, words[2:])
	case "rejects":
		ev = s.hearing(a.router, []string{words[2], "100"})
		ev.Kind, ev.Advert.Auth = Rejected, 2
		for ev.Reason = wire.OK; ev.Reason.String() != words[3]; ev.Reason++ {
		}
	case "spec", "sweep", "retire":
		spec := *a.router.Spec()
		if words[1] == "sweep" {
			spec.Former = sweep(&spec, func(next *Spec) { s.edit(next, words[2:]) })
		}
		if words[1] == "retire" {
			spec.Former = nil
		}
		s.edit(&spec, words[2:])
		a.router.Reconfigure(s.now, spec)
		ev = Event{Kind: Priority, Priority: spec.Priority}
	case "show":
		s.show(name)
		return
	default:
		s.t.Fatalf("%s: no such line", line)
	}
	s.step(name, ev)
}

// sweep is what an edit leaves behind: every face that the router had, but for the one
// that it has from now on.
func sweep(spec *Spec, edit func(*Spec)) []Face {
	next := *spec
	edit(&next)
	var former []Face
	for k := range spec.faces() {
		if f := spec.face(k); f.Identity() != next.face(0).Identity() {
			former = append(former, f)
		}
	}
	return former
}

// hearing is an advert from somebody who is configured as the router is, but for the
// settings.
func (s *stage) hearing(r *Router, words []string) Event {
	spec := *r.Spec()
	s.edit(&spec, words[2:])
	m := New(spec).Message(s.number(words[1]))
	return Event{Kind: Heard, Advert: &m, From: netip.MustParseAddr(words[0])}
}

func (s *stage) print(name string, what any) {
	fmt.Fprintf(&s.out, "%s %s %s\n", s.since(s.now), name, what)
}

func (s *stage) since(at Instant) time.Duration {
	return at.Sub(beginning).Round(time.Microsecond)
}

func (s *stage) show(name string) {
	r := s.actors[name].router
	text := fmt.Sprintf("is %s", r)
	if r.Claimed() {
		text += ", claimed"
	}
	if stale := r.Stale(); stale.IsValid() {
		text += fmt.Sprintf(", does not know %s", stale)
	}
	if d := r.Deadline(); d != 0 {
		text += fmt.Sprintf(", deadline %s", s.since(d))
	}
	for reason, n := range r.Counters().Dropped {
		if n > 0 {
			text += fmt.Sprintf(", dropped %d %s", n, wire.Reason(reason))
		}
	}
	s.print(name, text)
}

func (s *stage) step(name string, ev Event) {
	a := s.actors[name]
	if a.dead {
		return
	}
	a.effects = a.router.Step(s.now, ev, a.effects[:0])
	for _, e := range a.effects {
		s.print(name, e)
		switch e.Kind {
		case Send:
			s.send(name, e)
		case Claim:
			a.kernel = s.now.Add(kernelLag)
		case Yield:
			a.kernel = 0
		}
	}
}

func (s *stage) send(name string, e Effect) {
	a := s.actors[name]
	if a.cut {
		return
	}
	m := a.router.MessageAs(e.Face, e.Priority, time.Time{})
	h := wire.Header{Source: a.router.Spec().Source}
	s.flights = append(s.flights, flight{s.now.Add(latency), name, wire.Append(nil, h, &m)})
}

// knows: what a socket's filter lets through.
func knows(r *Router, vrid uint8) bool {
	for k := range r.spec.faces() {
		if r.spec.face(k).VRID == vrid {
			return true
		}
	}
	return false
}

// run moves the clock to every instant at which something is due. Packets come before
// timers (architecture, rule 3).
func (s *stage) run(until Instant) {
	for {
		next := s.next()
		if next == 0 || next > until {
			s.now = until
			return
		}
		s.now = next
		s.deliver()
		for _, name := range s.names {
			a := s.actors[name]
			if a.kernel != 0 && a.kernel <= s.now {
				a.kernel = 0
				if !a.mute {
					s.step(name, Event{Kind: Installed})
				}
			}
			if d := a.router.Deadline(); d != 0 && d <= s.now {
				s.step(name, Event{Kind: Tick})
			}
		}
	}
}

func (s *stage) next() Instant {
	var next Instant
	for _, f := range s.flights {
		next = earliest(next, f.at)
	}
	for _, a := range s.actors {
		if !a.dead {
			next = earliest(next, earliest(a.kernel, a.router.Deadline()))
		}
	}
	return next
}

func (s *stage) deliver() {
	due := 0
	for due < len(s.flights) && s.flights[due].at <= s.now {
		due++
	}
	arrived := slices.Clone(s.flights[:due])
	s.flights = s.flights[due:]
	for _, f := range arrived {
		for _, name := range s.names {
			if a := s.actors[name]; name != f.from && !a.cut {
				var advert Advert
				h, reason := wire.Parse(f.packet, &advert)
				if reason != wire.OK {
					s.t.Fatalf("%s sent %x: %s", f.from, f.packet, reason)
				}
				if s.lost != nil && s.lost(f, name) || !knows(a.router, advert.VRID) {
					continue
				}
				s.step(name, Event{Kind: Heard, Advert: &advert, From: h.Source})
			}
		}
	}
}
