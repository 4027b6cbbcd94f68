package vrrp

import (
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"hafile/runtime/vrrp/wire"
)

// TestEveryShortHistory steps every sequence of events up to a depth, from every role,
// and checks what doc.go says always holds after each step.
//
// Every event comes at one of three times: now, after half an interval, and at the
// deadline (whose tick is an event of its own). Routers are values, so that a history
// branches by copying one, and two histories that end in the same state go on as one.
func TestEveryShortHistory(t *testing.T) {
	depth := 5
	if testing.Short() || raceEnabled {
		depth = 3
	}
	for name, spec := range historySpecs() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			alphabet := moves(spec)
			seen := map[state]int{}
			for _, opening := range openings() {
				h := &history{t: t, seen: seen, router: *New(spec), now: beginning}
				for _, name := range opening {
					for i := range alphabet {
						if alphabet[i].name == name {
							h.play(&alphabet[i])
						}
					}
				}
				h.explore(alphabet, depth)
				if t.Failed() {
					return
				}
			}
			t.Logf("%d states", len(seen))
		})
	}
}

func historySpecs() map[string]Spec {
	v3 := standard()
	v3.Rival = 150
	v2 := standard()
	v2.Version, v2.Auth, v2.Password, v2.Rival = 2, wire.AuthPass, wire.NewPassword("1111"), 90
	v2.Interval = 2 * time.Second
	shy := standard()
	shy.Preempt, shy.StartDelay = false, 700*time.Millisecond
	patient := standard()
	patient.PreemptDelay, patient.Rival = 5*time.Second, 90
	owner := standard()
	owner.Priority = Owner
	grouped := standard()
	grouped.Grouped, grouped.Rival = true, 150
	return map[string]Spec{"grouped": grouped, "v3": v3, "v2": v2, "no preemption": shy, "preempt delay": patient, "owner": owner}
}

// move is one letter of the alphabet.
type move struct {
	name     string
	ev       Event
	wait     time.Duration // before the event
	deadline bool          // the event comes at the deadline, if there is one
	spec     *Spec         // instead of an event
	damaged  bool          // a packet that fails a check
	vrid     uint8         // a packet that only a router with this VRID gets
}

func openings() [][]string {
	return [][]string{
		{"start"},
		{"start holding"},
		{"start holding fresh"},
		{"start", "tick at the deadline", "tick at the deadline", "installed"},
		{"start", "tick at the deadline", "tick at the deadline", "installed", "stop"},
		{"start", "tick at the deadline", "tick at the deadline", "installed", "failing"},
		{"link down", "start"},
	}
}

func moves(spec Spec) []move {
	low, high := netip.MustParseAddr("192.0.2.0"), netip.MustParseAddr("192.0.2.9")
	m := map[string]move{
		"start":                {ev: Event{Kind: Start}},
		"start holding":        {ev: Event{Kind: Start, Holding: true}},
		"start holding fresh":  {ev: Event{Kind: Start, Holding: true, Fresh: true}},
		"tick at the deadline": {ev: Event{Kind: Tick}, deadline: true},
		"tick late":            {ev: Event{Kind: Tick}, wait: 5 * time.Second},
		"tick early":           {ev: Event{Kind: Tick}, wait: 4 * time.Millisecond},
		"priority 50":          {ev: Event{Kind: Priority, Priority: 50}},
		"priority 160":         {ev: Event{Kind: Priority, Priority: 160}},
		"failing":              {ev: Event{Kind: Failing, Failing: "nginx"}},
		"failing no more":      {ev: Event{Kind: Failing}},
		"link down":            {ev: Event{Kind: Link, Link: "eth0 is down"}},
		"link up":              {ev: Event{Kind: Link}},
		"installed":            {ev: Event{Kind: Installed}},
		"refused":              {ev: Event{Kind: Refused, Refusal: "no"}},
		"frozen":               {ev: Event{Kind: Frozen}},
		"stop":                 {ev: Event{Kind: Stop}},
	}
	if spec.Grouped {
		m["join"] = move{ev: Event{Kind: Join}}
		m["follow"] = move{ev: Event{Kind: Follow, Away: "the other is elsewhere"}}
		m["follow nothing"] = move{ev: Event{Kind: Follow}}
		m["failing for good"] = move{ev: Event{Kind: Failing, Failing: "nginx", Release: true}}
	}
	hear := func(name string, priority uint8, from netip.Addr, change func(*Advert)) {
		a := New(spec).Message(priority)
		if change != nil {
			change(&a)
		}
		m[name] = move{ev: Event{Kind: Heard, Advert: &a, From: from}, wait: 10 * time.Millisecond}
	}
	hear("hear goodbye", 0, high, nil)
	hear("hear 40", 40, high, nil)
	hear("hear equal, smaller", spec.Priority, low, nil)
	hear("hear equal, larger", spec.Priority, high, nil)
	hear("hear 200", 200, high, nil)
	hear("hear 200 every 40.95 s", 200, high, func(a *Advert) { a.Interval = 40950 * time.Millisecond })
	hear("hear itself", 200, spec.Source, nil)
	hear("hear the other version", 200, high, func(a *Advert) { a.Version = 5 - a.Version })
	hear("hear other addresses", 40, high, func(a *Advert) { a.Addresses = []netip.Addr{low} })
	a := New(spec).Message(200)
	m["hear damage"] = move{ev: Event{Kind: Rejected, Advert: &a, From: high, Reason: wire.BadChecksum}}
	m["hear a signature"] = move{ev: Event{Kind: Rejected, Advert: &a, From: high, Reason: wire.UnsupportedTrailer}}
	respec := func(name string, change func(*Spec)) {
		next := spec
		change(&next)
		m[name] = move{spec: &next, wait: 300 * time.Millisecond}
	}
	respec("spec: faster", func(s *Spec) { s.Interval, s.DownAdverts = s.Interval/2, 2 })
	respec("spec: slower", func(s *Spec) { s.Interval = 4 * time.Second })
	respec("spec: rival 200", func(s *Spec) { s.Rival = 200 })
	swept := func(s *Spec) {
		s.VRID, s.Interval, s.Former = 52, 4*time.Second, []Face{spec.face(0)}
	}
	respec("spec: swept", swept)
	respec("spec: retired", func(s *Spec) { swept(s); s.Former = nil })
	hear("hear 200 as 52", 200, high, func(a *Advert) { a.VRID, a.Interval = 52, 4*time.Second })
	hear("hear 40 as 52", 40, high, func(a *Advert) { a.VRID, a.Interval = 52, 4*time.Second })
	var list []move
	for _, name := range slices.Sorted(maps.Keys(m)) {
		move := m[name]
		move.name = name
		move.damaged = damaged(name, spec)
		if a := move.ev.Advert; a != nil {
			move.vrid = a.VRID
		}
		list = append(list, move)
	}
	return list
}

func damaged(name string, spec Spec) bool {
	switch name {
	case "hear itself", "hear the other version", "hear damage", "hear a signature":
		return true
	}
	return spec.Version == 2 && name == "hear 200 every 40.95 s" // RFC 3768, 7.1
}

// history is a router, what is known of its outside, and how it came here.
type history struct {
	t      *testing.T
	seen   map[state]int // how much deeper a state was explored
	router Router
	now    Instant
	trail  *step

	claimed bool // by its effects
	up      bool // the kernel has been told so
	found   bool // the addresses were there before the start, and nobody was heard since
	effects []Effect
}

func (h *history) explore(alphabet []move, depth int) {
	key := h.state()
	if depth <= h.seen[key] || h.t.Failed() {
		return
	}
	h.seen[key] = depth
	for i := range alphabet {
		m := &alphabet[i]
		if m.ev.Kind == Start && !h.router.Gone() || m.vrid != 0 && !knows(&h.router, m.vrid) {
			continue
		}
		next := *h
		next.trail = &step{m.name, h.trail}
		next.play(m)
		h.effects = next.effects[:0]
		next.explore(alphabet, depth-1)
	}
}

// step is the way back to the beginning.
type step struct {
	name   string
	before *step
}

func (s *step) String() string {
	if s == nil {
		return "(opening)"
	}
	return s.before.String() + ", " + s.name
}

// state is all of a history that its future depends on, with times counted from now.
type state struct {
	spec                     specState
	role                     Role
	effective                uint8
	failing, linked          bool
	adopted                  time.Duration
	start, armed, down       Instant
	preempt, advert, release Instant
	refused, fault, assert   Instant
	cadence                  cadence
	leave                    leave
	claimed, installed       bool
	hasClaimed, outdone      bool
	stale, heard, up, found  bool
	stranger, heardLately    bool
	denied                   bool
	lane, former             int
	follow                   Instant
	ready, behind, forsake   bool
}

// specState is what the moves change of a spec.
type specState struct {
	interval time.Duration
	adverts  int
	rival    uint8
	vrid     uint8
}

func (h *history) state() state {
	r := &h.router
	left := func(at Instant) Instant {
		if at == 0 {
			return 0
		}
		return at - h.now + beginning
	}
	s := state{
		spec: specState{r.spec.Interval, r.spec.DownAdverts, r.spec.Rival, r.spec.VRID},
		role: r.role, effective: r.effective, failing: r.failing != "", linked: r.link == "",
		adopted: r.adopted, start: left(r.startAt), fault: left(r.faultTill), release: left(r.releaseAt),
		assert: left(r.lastAssert), cadence: r.cadence, claimed: r.claimed, installed: r.installed,
		hasClaimed: r.hasClaimed, outdone: r.outdone, stale: r.stale.IsValid(), heard: r.heard.At != 0,
		up: h.up, found: h.found, stranger: r.stranger.IsValid(), denied: r.refusal != "", heardLately: r.heard.Address.IsValid() && h.now.Sub(r.heard.At) < r.downInterval(),
		lane: r.lane, former: len(r.spec.Former), ready: r.ready, behind: r.behind, forsake: r.forsake,
	}
	switch r.role {
	case Backup:
		s.armed, s.down, s.preempt = left(r.armedAt), left(r.downAt), left(r.preemptAt)
	case Active:
		s.advert, s.refused, s.follow = left(r.advertAt), left(r.refusedAt), left(r.followAt)
	case Leaving:
		s.leave = leave{r.leave.offer, r.leave.follow, r.leave.left, left(r.leave.next), left(r.leave.until)}
	}
	return s
}

func (h *history) fail(format string, args ...any) {
	h.t.Errorf("%s\n%v\n%s", h.trail, h.effects, fmt.Sprintf(format, args...))
}

func (h *history) play(m *move) {
	h.now = h.now.Add(m.wait)
	if d := h.router.Deadline(); m.deadline && d > h.now {
		h.now = d
	}
	before := h.router
	if m.spec != nil {
		h.router.Reconfigure(h.now, *m.spec)
		h.checkSpec(&before)
		h.step(Event{Kind: Priority, Priority: m.spec.Priority})
		return
	}
	h.step(m.ev)
	accepted := h.router.counters.Accepted > before.counters.Accepted
	switch {
	case m.damaged && accepted:
		h.fail("damage was accepted")
	case m.ev.Advert != nil && !accepted:
		h.checkDamage(&before)
	}
	if m.ev.Kind == Tick {
		h.checkTick(&before)
	}
}

func (h *history) step(ev Event) {
	before := h.router
	if ev.Kind == Start {
		h.found, h.up = ev.Holding, ev.Holding
	}
	if ev.Kind == Installed && before.Claimed() {
		h.up = true
	}
	if ev.Kind == Refused {
		h.up = false
	}
	h.effects = h.router.Step(h.now, ev, h.effects[:0])
	if h.router.counters.Accepted > before.counters.Accepted && ev.Advert.Priority > 0 {
		h.found = false
	}
	h.checkEffects(&before, ev)
	h.checkState()
}

// checkEffects walks the effects with the role that holds at each.
func (h *history) checkEffects(before *Router, ev Event) {
	role, after := before.Role(), h.router.Role()
	face := len(h.router.spec.Former) // that is due
	for _, e := range h.effects {
		switch e.Kind {
		case Send:
			if e.Face != face {
				h.fail("sent as %d, %d was due", e.Face, face)
			}
			if face--; face < 0 {
				face = len(h.router.spec.Former)
			}
			if e.Priority > 0 && role != Active && after != Active {
				h.fail("an advert from %s to %s", role, after)
			}
			if e.Priority == 0 && role != Active && role != Leaving && !(ev.Kind == Start && ev.Fresh) {
				h.fail("a goodbye from %s", role)
			}
		case Claim, Yield:
			if h.claimed == (e.Kind == Claim) {
				h.fail("%s twice", e)
			}
			h.claimed = e.Kind == Claim
			h.up = h.up && h.claimed
		case Announce:
			if !h.claimed || !h.up {
				h.fail("announced before the kernel has it")
			}
		case Change:
			if e.From != role || e.To == role || e.Why == "" {
				h.fail("a change from %s in %s", e.From, role)
			}
			role = e.To
		}
	}
	if face != len(h.router.spec.Former) {
		h.fail("not sent as %d", face)
	}
	if role != after {
		h.fail("role %s without a change", after)
	}
	heard := h.router.counters.Accepted > before.counters.Accepted
	if before.Role() == Backup && after == Backup && !heard && ev.Kind != Frozen && !before.ready && h.router.downAt > before.downAt {
		h.fail("%s moved the end of the silence away", ev)
	}
	joined := ev.Kind == Join && before.ready
	if before.Role() == Backup && after == Active && !joined && (ev.Kind != Tick || before.downAt > h.now || before.spec.Grouped) {
		h.fail("became active by %s, %s before its deadline", ev, before.downAt.Sub(h.now))
	}
}

// checkState is what holds between events.
func (h *history) checkState() {
	r := &h.router
	if r.Claimed() != h.claimed {
		h.fail("claimed is %t by the effects, %t by the router", h.claimed, r.Claimed())
	}
	switch r.Role() {
	case Active, Leaving:
		if !h.claimed {
			h.fail("%s without the addresses", r.Role())
		}
	case Waiting, Backup, Fault:
		graced := r.releaseAt != 0 && r.releaseAt <= h.now.Add(graceMax)
		if h.claimed && !graced && !(h.found && r.Role() != Fault) {
			h.fail("%s holds the addresses", r.Role())
		}
	}
	running := r.Role() == Backup || r.Role() == Active || r.Role() == Leaving
	if running && !r.ready && r.Deadline() == 0 {
		h.fail("%s without a deadline", r.Role())
	}
	if r.Role() == Fault && r.link == "" && r.failing == "" && r.faultTill == 0 {
		h.fail("in fault for ever")
	}
	if r.link != "" && running {
		h.fail("%s without a link", r.Role())
	}
	if r.Role() == Active && r.advertAt > h.now.Add(max(r.cadence.interval, r.spec.Interval)) {
		h.fail("active and silent")
	}
	if r.ready && (r.Role() != Backup || !r.spec.Grouped) {
		h.fail("%s and ready", r.Role())
	}
	if p := r.Advertised(); p == 0 || p == Owner && r.spec.Priority != Owner {
		h.fail("advertises %d", p)
	}
}

// checkTick: a loop that ticks at the deadline always moves on.
func (h *history) checkTick(before *Router) {
	if d := h.router.Deadline(); d != 0 && d <= h.now {
		h.fail("deadline %d has passed at %d, was %d", d, h.now, before.Deadline())
	}
}

// checkSpec: no deadline moves to a later instant.
func (h *history) checkSpec(before *Router) {
	was, is := before.Deadline(), h.router.Deadline()
	if (was == 0) != (is == 0) || is > was || h.router.Role() != before.Role() {
		h.fail("a new spec moved the deadline by %s", is.Sub(was))
	}
}

// checkDamage: nothing but counters, or fault before the first claim.
func (h *history) checkDamage(before *Router) {
	was, is := *before, h.router
	was.counters, is.counters = Counters{}, Counters{}
	if !before.hasClaimed {
		if is.role == Fault {
			return
		}
	}
	if !reflect.DeepEqual(was, is) || len(h.effects) > 0 {
		h.fail("damage changed the router")
	}
}
