package sim

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"hafile/lang/plan"
	"hafile/runtime/kernel"
	"hafile/runtime/node"
	"hafile/runtime/vrrp"
	"hafile/runtime/vrrp/wire"
)

// Safety is every rule that holds at any moment and under any faults.
var Safety = []Rule{
	{"S1", S1}, {"S2", S2}, {"S3", S3}, {"S4", S4}, {"S5", S5}, {"S6", S6}, {"S7", S7}, {"S8", S8},
	{"S9", S9}, {"S10", S10}, {"S11", S11}, {"S12", S12}, {"S13", S13}, {"S16", S16}, {"S17", S17},
	{"D6", D6},
}

// grace is how long a router may keep its addresses after it gave way (package vrrp).
const grace = 20 * time.Millisecond

// site is one router of one machine.
type site struct {
	m   *Machine
	key plan.WireKey
}

func (s site) String() string {
	return fmt.Sprintf("%s VRID %d v%d on %s", s.m.Name, s.key.VRID, s.key.Version, s.key.Interface)
}

// place is one address on one machine.
type place struct {
	m *Machine
	a kernel.Address
}

// late is how long after its due moment something may happen on a machine.
func (w *World) late() time.Duration { return 2*w.opt.Host.Late + time.Millisecond }

// slow is a duration on the slowest of clocks.
func (w *World) slow(d time.Duration) time.Duration { return drifted(d, -2*w.opt.Host.Drift) }

// S1: a machine has an address installed by us only while its router is active or
// leaving, for the grace after that, or since a start that found it in place and until
// somebody else is heard.
func S1(w *World) Watch {
	ours := map[place]bool{}
	since := map[place]time.Duration{}
	waits := map[site]bool{} // has not been active since the start, nor heard anybody
	within := grace + w.opt.Host.Kernel + w.late()

	may := func(p place) bool {
		q := p.m.process
		if q == nil || q.frozen {
			return true // nobody can take it away
		}
		for i := range q.view {
			in := &q.view[i]
			if !standsFor(in, p.a) {
				continue
			}
			if in.Role == vrrp.Active || in.Role == vrrp.Leaving || in.Claimed && waits[site{p.m, in.Key}] {
				return true
			}
		}
		return false
	}
	judge := func(p place) {
		if !ours[p] || may(p) {
			delete(since, p)
			return
		}
		if since[p] != 0 {
			return
		}
		begin := w.now
		since[p] = begin
		w.After(within, func() {
			if since[p] == begin && ours[p] && !may(p) {
				w.fail("S1", "%s has %s, and no router that may hold it, for more than %s", p.m.Name, p.a, within)
			}
		})
	}
	return func(f *Fact) string {
		switch f.Kind {
		case Added:
			ours[place{f.Machine, f.Address}] = f.Ours
		case Removed:
			delete(ours, place{f.Machine, f.Address})
		case Thawed, Began:
			for p := range ours {
				if p.m == f.Machine {
					delete(since, p)
				}
			}
		case Turned:
			follow(f, waits)
			for i := range f.View {
				s := site{f.Machine, f.View[i].Key}
				switch {
				case !wasThere(f.Before, &f.View[i]):
					waits[s] = f.View[i].Role != vrrp.Active
				case f.View[i].Role == vrrp.Active, f.Cause == Heard && f.Key == s.key && f.Advert.Priority > 0 && speaks(f):
					waits[s] = false
				}
			}
		}
		if f.Machine.host == nil {
			return ""
		}
		for _, i := range f.Machine.host.installed {
			judge(place{f.Machine, i.Address})
		}
		return ""
	}
}

func standsFor(in *node.Instance, a kernel.Address) bool {
	for i := range in.Addresses {
		if in.Addresses[i].Address == a {
			return true
		}
	}
	return false
}

// speaks reports whether the router that a packet is for accepts it, as what it is or as
// what it was: version 2 drops another interval and another password.
func speaks(f *Fact) bool {
	p := f.Machine.process
	if f.Reason != wire.OK || p == nil || p.hosts.Plan == nil {
		return false
	}
	in := instanceOf(p.hosts.Plan, f.Key)
	if in == nil || f.From == p.source(in) {
		return false
	}
	return slices.ContainsFunc(faces(&p.hosts, in), func(face node.Former) bool { return accepts(&face, f.Advert) })
}

// faces are the identities of an instance, the current one first.
func faces(hosts *node.Resolved, in *plan.Instance) []node.Former {
	now := node.Former{Key: in.Wire(), AdvertMs: in.AdvertMs}
	if in.Auth != nil {
		now.Auth, now.Password = wire.AuthPass, password(in.Auth.Password)
		if in.Auth.Type == plan.AuthAH {
			now.Auth = wire.AuthAH
		}
	}
	return append([]node.Former{now}, hosts.Former[in.Address]...)
}

// accepts says so of one identity. What AH signs is not looked at.
func accepts(face *node.Former, a *wire.Advert) bool {
	if a.VRID != face.Key.VRID || a.Version != face.Key.Version {
		return false
	}
	if a.Version == 3 {
		return true
	}
	word := face.Auth != wire.AuthPass || a.Password == face.Password
	return a.Auth == face.Auth && word && a.Interval == time.Duration(face.AdvertMs)*time.Millisecond
}

func instanceOf(p *plan.Plan, key plan.WireKey) *plan.Instance {
	for i := range p.Desired.Instances {
		if p.Desired.Instances[i].Wire() == key {
			return &p.Desired.Instances[i]
		}
	}
	return nil
}

func intervalOf(in *plan.Instance) time.Duration {
	return time.Duration(in.AdvertMs) * time.Millisecond
}

// roleIn is the role of a router in a view; waiting if it is not there.
func roleIn(view []node.Instance, key plan.WireKey) vrrp.Role {
	if in := router(view, key); in != nil {
		return in.Role
	}
	return vrrp.Waiting
}

// adverts calls do for every advert that a step sends.
func adverts(f *Fact, do func(key plan.WireKey, priority uint8) string) string {
	for i := range f.Effects {
		e := &f.Effects[i]
		if e.Kind != node.Send {
			continue
		}
		if text := do(presentKey(f.View, e.Place.Key(e.Advert.VRID, e.Advert.Version)), e.Advert.Priority); text != "" {
			return text
		}
	}
	return ""
}

// wasThere reports whether a router ran before, as what it is now or was.
func wasThere(before []node.Instance, in *node.Instance) bool {
	return router(before, in.Key) != nil || slices.ContainsFunc(in.Former, func(k plan.WireKey) bool { return router(before, k) != nil })
}

// follow keeps what is known of routers that a commit gave another identity.
func follow[V any](f *Fact, known map[site]V) {
	if f.Kind != Turned || f.Cause != Committed {
		return
	}
	moved := map[site]V{}
	for s, v := range known {
		if ended(f, s.key) {
			continue // another one may have what it was
		}
		in := router(f.View, s.key)
		if was := router(f.Before, s.key); in == nil && was != nil {
			for _, k := range was.Former { // it goes on as what it was once
				if in == nil {
					in = router(f.View, k)
				}
			}
		}
		if s.m == f.Machine && in != nil && in.Key != s.key {
			moved[site{s.m, in.Key}] = v
			delete(known, s)
		}
	}
	for i := range f.View {
		if in := &f.View[i]; router(f.Before, in.Key) == nil {
			delete(known, site{f.Machine, in.Key}) // of one that had it long ago
		}
	}
	maps.Copy(known, moved)
}

// ended reports whether a router said its last word in a step.
func ended(f *Fact, key plan.WireKey) bool {
	return slices.ContainsFunc(f.Effects, func(e node.Effect) bool {
		return e.Kind == node.Transitioned && e.Transition.Key == key && e.Transition.To == vrrp.Waiting
	})
}

// facesIn is as how many identities a router speaks: each is told everything.
func facesIn(f *Fact, key plan.WireKey) int {
	for _, view := range [][]node.Instance{f.View, f.Before} {
		if in := router(view, key); in != nil {
			return in.Faces
		}
	}
	return 1
}

// S2: adverts with a priority above 0 leave only while active; goodbyes only when a
// router leaves, three at the most for each departure.
func S2(*World) Watch {
	said, most := map[site]int{}, map[site]int{}
	return func(f *Fact) string {
		follow(f, said)
		follow(f, most)
		return adverts(f, func(key plan.WireKey, priority uint8) string {
			s := site{f.Machine, key}
			before, now := roleIn(f.Before, key), roleIn(f.View, key)
			if in := router(f.Before, key); f.Cause == Committed && in != nil && in.Leaving {
				said[s], most[s] = 0, 0 // it is taken back, and may leave again
			}
			if priority > 0 {
				said[s], most[s] = 0, 0
				if before != vrrp.Active && now != vrrp.Active && !passed(f, key, vrrp.Active) {
					return fmt.Sprintf("%s sends priority %d as %s, then %s", s, priority, before, now)
				}
				return ""
			}
			// As many identities as it had at most: one may be retired in between.
			most[s] = max(most[s], facesIn(f, key))
			if said[s]++; said[s] > 3*most[s] {
				return fmt.Sprintf("%s says goodbye for the fourth time", s)
			}
			if before != vrrp.Leaving && now != vrrp.Leaving && before != vrrp.Active {
				return fmt.Sprintf("%s says goodbye as %s, then %s", s, before, now)
			}
			return ""
		})
	}
}

// passed reports whether a router was in a role for a moment within one step.
func passed(f *Fact, key plan.WireKey, role vrrp.Role) bool {
	in := router(f.View, key)
	for i := range f.Effects {
		t := &f.Effects[i].Transition
		if f.Effects[i].Kind == node.Transitioned && in != nil && t.Instance == in.Address && t.To == role {
			return true
		}
	}
	return false
}

// S3: an active that runs sends at least once in an interval.
func S3(w *World) Watch {
	type beat struct {
		last  time.Duration
		every time.Duration // the longest interval that it may keep
		until time.Duration // of what every was before
		old   time.Duration
	}
	beats := map[site]*beat{}
	check := func(s site, b *beat) string {
		every := b.every
		if w.now < b.until {
			every = max(every, b.old)
		}
		if gap := w.now - b.last; w.slow(gap) > every+w.late() {
			return fmt.Sprintf("%s sent nothing for %s, its interval is %s", s, gap, every)
		}
		return ""
	}
	var sweep func()
	sweep = func() { // for one that sends nothing any more
		for s, b := range beats {
			if text := check(s, b); text != "" {
				w.fail("S3", "%s", text)
			}
		}
		w.After(time.Second, sweep)
	}
	w.After(0, sweep)
	return func(f *Fact) string {
		switch f.Kind {
		case Stalled, Thawed, Ended:
			for s := range beats {
				if s.m == f.Machine {
					delete(beats, s)
				}
			}
		case Turned:
			follow(f, beats)
			for i := range f.View {
				in := &f.View[i]
				s := site{f.Machine, in.Key}
				if in.Role != vrrp.Active || f.Machine.process.frozen {
					delete(beats, s)
				} else if b := beats[s]; b != nil && f.Cause == Committed {
					if p := instanceOf(f.Machine.process.hosts.Plan, in.Key); p != nil && intervalOf(p) != b.every {
						// A longer one is announced in three adverts at the old cadence.
						if w.now >= b.until {
							b.old = 0
						}
						b.old = max(b.old, b.every)
						b.until = w.now + 5*max(b.old, intervalOf(p))
						b.every = intervalOf(p)
					}
				}
			}
			return adverts(f, func(key plan.WireKey, priority uint8) string {
				s := site{f.Machine, key}
				if priority == 0 || roleIn(f.View, key) != vrrp.Active {
					return ""
				}
				b := beats[s]
				if b == nil {
					p := instanceOf(f.Machine.process.hosts.Plan, key)
					if p == nil {
						return ""
					}
					beats[s] = &beat{last: w.now, every: intervalOf(p)}
					return ""
				}
				text := check(s, b)
				b.last = w.now
				return text
			})
		}
		return ""
	}
}

// S4: a damaged packet changes nothing but a counter. Two reasons name whole adverts in
// a dialect that is not spoken here; they may put a router into fault.
func S4(*World) Watch {
	return func(f *Fact) string {
		if f.Kind != Turned || f.Cause != Rejected || f.Reason == wire.UnsupportedTrailer || f.Reason == wire.UnsupportedAuth {
			return ""
		}
		if now := f.Machine.process.node.Deadline(); len(f.Effects) > 0 || now != f.Deadline {
			return fmt.Sprintf("%s: a packet dropped for %s has %d effects and moves the deadline by %s",
				f.Machine.Name, f.Reason, len(f.Effects), now.Sub(f.Deadline))
		}
		return ""
	}
}

// edges lists what may make a router go from one role to another.
var edges = map[[2]vrrp.Role][]Cause{
	{vrrp.Waiting, vrrp.Backup}:  {Committed, Tick},
	{vrrp.Waiting, vrrp.Active}:  {Committed, Tick}, // priority 255, or adopted
	{vrrp.Waiting, vrrp.Leaving}: {Committed},       // adopted, and a check fails
	{vrrp.Waiting, vrrp.Fault}:   {Committed, Tick, LinkChanged, Heard, Rejected},
	{vrrp.Backup, vrrp.Active}:   {Tick},
	{vrrp.Backup, vrrp.Fault}:    {Committed, CheckChanged, LinkChanged, Heard, Rejected},
	{vrrp.Backup, vrrp.Waiting}:  {Committed, Stopped},
	{vrrp.Active, vrrp.Backup}:   {Heard},
	{vrrp.Active, vrrp.Leaving}:  {Committed, CheckChanged, Stopped},
	{vrrp.Active, vrrp.Fault}:    {Committed, Tick, LinkChanged, Heard},
	{vrrp.Active, vrrp.Waiting}:  {Committed, Stopped}, // nobody else is known
	{vrrp.Leaving, vrrp.Active}:  {Committed, CheckChanged, Heard, Tick},
	{vrrp.Leaving, vrrp.Backup}:  {Committed, Heard},
	{vrrp.Leaving, vrrp.Fault}:   {Committed, Heard, LinkChanged},
	{vrrp.Leaving, vrrp.Waiting}: {Committed, Heard, Tick, LinkChanged},
	{vrrp.Fault, vrrp.Backup}:    {Committed, CheckChanged, LinkChanged, Tick, Heard}, // the stranger speaks as we do now
	{vrrp.Fault, vrrp.Active}:    {Committed, CheckChanged, LinkChanged, Tick, Heard}, // priority 255
	{vrrp.Fault, vrrp.Waiting}:   {Committed, Stopped},
}

// together are the edges that a sync group adds: its routers go where one of them went,
// when whatever moved that one happens.
var together = map[[2]vrrp.Role][]Cause{
	{vrrp.Backup, vrrp.Fault}:   {Tick},
	{vrrp.Active, vrrp.Leaving}: {Tick, Heard, Rejected, LinkChanged},
	{vrrp.Leaving, vrrp.Active}: {LinkChanged},
	{vrrp.Leaving, vrrp.Backup}: {Tick},
	{vrrp.Leaving, vrrp.Fault}:  {Tick},
}

// S5: roles change only along the listed edges, each with a cause and words for it. A
// backup becomes active by its own deadline and nothing else.
func S5(*World) Watch {
	return func(f *Fact) string {
		for i := range f.Effects {
			if f.Effects[i].Kind != node.Transitioned {
				continue
			}
			t := &f.Effects[i].Transition
			if t.Group() {
				continue
			}
			edge := [2]vrrp.Role{t.From, t.To}
			allowed := slices.Contains(edges[edge], f.Cause)
			if p := f.Machine.process.hosts.Plan; p != nil && p.Desired.GroupOf(t.Instance) != nil {
				allowed = allowed || slices.Contains(together[edge], f.Cause)
			}
			if !allowed || t.Why == "" {
				return fmt.Sprintf("%s: %s by %s", f.Machine.Name, t, f.Cause)
			}
		}
		return ""
	}
}
