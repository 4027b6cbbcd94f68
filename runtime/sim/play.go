package sim

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"hafile/lang/plan"
	"hafile/lang/story"
	"hafile/runtime/node"
	"hafile/runtime/vrrp"
)

// The world of a story is a good one, so that what comes of it is the protocol's doing:
// a wire without loss, and hosts that are hardly late. A check that fails takes the whole
// of its timeout, as `hafile plan` counts it.
var quiet = Options{
	Seed:    1,
	Network: Link{Delay: 200 * time.Microsecond},
	Host:    Timing{Late: 100 * time.Microsecond, Kernel: 200 * time.Microsecond, Fail: [2]float64{1, 1}},
}

const (
	// electionMax is how long a first election may take: an interval may be 40 s, and
	// three of them and a skew go by.
	electionMax = 5 * time.Minute
	// applyGap passes between one node and the next where a plan is applied everywhere.
	applyGap = 100 * time.Millisecond
	// tick is what the clients of a simulation count in.
	tick = time.Millisecond
)

// Player plays stories.
type Player struct {
	// Plans of all nodes at the beginning, by the node's name.
	Plans map[string]*plan.Plan
	// Apply gets the plans of a directory, as a story names it.
	Apply func(dir string) (map[string]*plan.Plan, error)
	// Trace, if it is set, is given a line for everything that happens.
	Trace func(line string)
	// Tell, if it is set, is given what a person wants to see: events, changes of role, and
	// who has which VIP.
	Tell func(Moment)
	// Seed of what is left to chance, which is little; 0 is 1.
	Seed uint64
}

// Moment is one line of a story as a person reads it.
type Moment struct {
	At    time.Duration // from time 0 of the story
	Node  string        // empty: an event of the story
	Text  string
	Owned bool // the text is about who has a VIP
}

// Play lets the story happen and says what came of it. An error is one of the story or of
// its plans: there is no such node, nobody ever owned a VIP.
//
// A VIP is owned where it is installed, as `hafile lab` counts. Requests are not made:
// Lost.Asked counts the milliseconds of the run and Lost.New those in which nobody had
// the address.
func (pl *Player) Play(run *story.Run) (*story.Outcome, error) {
	o := quiet
	o.Trace, o.Seed = pl.Trace, cmp.Or(pl.Seed, o.Seed)
	s := &stage{World: New(o), player: pl, vips: map[netip.Prefix]*tenure{}}
	s.Watch(Rule{"story", s.watch})
	if err := s.begin(pl.Plans); err != nil {
		return nil, err
	}
	for _, e := range run.Events {
		s.Run(s.zero + e.At)
		s.tell("", false, "%s", e)
		if err := s.do(e); err != nil {
			return nil, fmt.Errorf("%s: %w", e, err)
		}
	}
	s.Run(s.zero + run.Until)
	return s.outcome(run.Until), nil
}

// stage is a world in which a story is played.
type stage struct {
	*World
	player *Player
	zero   time.Duration
	vips   map[netip.Prefix]*tenure

	transitions []story.Transition
	mails       []story.Mail
}

// tenure is who has had a VIP.
type tenure struct {
	holders []string
	since   time.Duration // that they are these
	ever    bool

	unowned, double, nobody time.Duration // longest, longest, in all
}

// settle accounts for the time since the last change.
func (t *tenure) settle(now time.Duration) {
	switch d := now - t.since; {
	case len(t.holders) == 0 && t.ever:
		t.unowned, t.nobody = max(t.unowned, d), t.nobody+d
	case len(t.holders) > 1:
		t.double = max(t.double, d)
	}
	t.since = now
}

// begin boots all machines and waits until every VIP is owned: that is time 0.
func (s *stage) begin(plans map[string]*plan.Plan) error {
	names := slices.Sorted(maps.Keys(plans))
	for i, name := range names {
		m := s.Add(name, interfacesOf(name, i, plans))
		m.plan = plans[name]
		s.expect(m.plan)
	}
	for _, m := range s.machines {
		m.Boot()
	}
	for s.now < electionMax {
		if s.owned() {
			s.zero = s.now
			for _, t := range s.vips {
				*t = tenure{holders: t.holders, since: s.now, ever: true}
			}
			s.transitions, s.mails = nil, nil
			return nil
		}
		s.Run(s.now + tick)
	}
	return fmt.Errorf("after %s not every VIP was owned: %s", electionMax, s.missing())
}

// interfacesOf gives a machine every interface of its plan: with the address that it has
// there as a member, else one of its own.
func interfacesOf(name string, number int, plans map[string]*plan.Plan) map[string]netip.Prefix {
	all := map[string]netip.Prefix{}
	for _, p := range plans {
		for i := range p.Desired.Instances {
			in := &p.Desired.Instances[i]
			for _, iface := range append(devicesOf(in), in.Interface) {
				if _, known := all[iface]; !known {
					all[iface] = netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 18, byte(len(all)), byte(number + 1)}), 24)
				}
			}
		}
	}
	for i := range plans[name].Desired.Instances {
		in := &plans[name].Desired.Instances[i]
		if a := ownAddress(in, name); a.Is4() {
			all[in.Interface] = netip.PrefixFrom(a, 24)
		}
	}
	return all
}

func devicesOf(in *plan.Instance) []string {
	var all []string
	for _, v := range in.VIPs {
		all = append(all, in.DeviceOf(v))
	}
	return all
}

func ownAddress(in *plan.Instance, name string) netip.Addr {
	if in.SourceAddress.IsValid() {
		return in.SourceAddress
	}
	for _, m := range in.Members {
		if m.Node == name {
			return m.Address
		}
	}
	return netip.Addr{}
}

// expect has the VIPs of a plan counted.
func (s *stage) expect(p *plan.Plan) {
	for i := range p.Desired.Instances {
		for _, v := range p.Desired.Instances[i].VIPs {
			if s.vips[v.Address] == nil {
				s.vips[v.Address] = &tenure{since: s.now}
			}
		}
	}
}

func (s *stage) owned() bool { return s.missing() == "" }

func (s *stage) missing() string {
	var none []string
	for v, t := range s.vips {
		if len(t.holders) == 0 {
			none = append(none, v.String())
		}
	}
	slices.Sort(none)
	return strings.Join(none, ", ")
}

// watch follows who holds what, and what nodes tell.
func (s *stage) watch(*World) Watch {
	return func(f *Fact) string {
		switch f.Kind {
		case Added, Removed:
			s.held(f.Machine.Name, f.Address.Single(), f.Kind == Added || f.Machine.answers(f.Address))
		case Turned:
			for i := range f.Effects {
				if f.Effects[i].Kind == node.Transitioned {
					s.told(f.Machine, &f.Effects[i].Transition)
				}
			}
		}
		return ""
	}
}

func (s *stage) held(name string, vip netip.Prefix, holds bool) {
	t := s.vips[vip]
	if t == nil {
		return
	}
	t.settle(s.now)
	t.holders = slices.DeleteFunc(slices.Clone(t.holders), func(n string) bool { return n == name })
	what := "released"
	if holds {
		t.holders = append(t.holders, name)
		t.ever = true
		what = "has"
	}
	s.tell(name, true, "%s %s (%s)", what, vip.Addr(), heldBy(t.holders))
}

func heldBy(names []string) string {
	if len(names) == 0 {
		return "nobody has it"
	}
	return "held by " + strings.Join(names, " and ")
}

// tell says something to whoever follows the story, once it has begun.
func (s *stage) tell(name string, owned bool, format string, args ...any) {
	if s.player.Tell != nil && s.zero > 0 {
		s.player.Tell(Moment{At: s.now - s.zero, Node: name, Owned: owned, Text: fmt.Sprintf(format, args...)})
	}
}

func (s *stage) told(m *Machine, t *node.Transition) {
	at := (s.now - s.zero).Seconds()
	s.tell(m.Name, false, "%s %s -> %s: %s", t.Name, t.From, t.To, t.Why)
	s.transitions = append(s.transitions, story.Transition{
		At: at, Node: m.Name, Instance: string(t.Instance), From: t.From.String(), To: t.To.String(),
	})
	var notify []plan.Addr
	if in := m.plan.Desired.Instance(t.Instance); in != nil {
		notify = in.Notify
	} else if g := m.plan.Desired.Group(t.Instance); g != nil {
		notify = g.Notify
	}
	event, verb := eventOf(t.To)
	for _, a := range notify {
		n := m.plan.Desired.Notify(a)
		if n == nil || n.Email == nil || !slices.Contains(n.On, event) {
			continue
		}
		s.mails = append(s.mails, story.Mail{
			At: at, Node: m.Name, To: n.Email.To, Subject: fmt.Sprintf("[%s] %s %s: %s", m.Name, t.Name, verb, t.Why),
		})
	}
}

// eventOf is what people ask to be told of, and how a mail says it.
func eventOf(to vrrp.Role) (event, verb string) {
	switch to {
	case vrrp.Active:
		return "active", "is active"
	case vrrp.Backup:
		return "backup", "is backup"
	case vrrp.Fault:
		return "fault", "is in fault"
	case vrrp.Waiting:
		return "stop", "stops"
	}
	return "", "" // a departure is told when it has ended
}

// do lets one event happen.
func (s *stage) do(e story.Event) error {
	if e.Kind == story.Apply {
		return s.apply(e)
	}
	m, err := s.machine(cmp.Or(e.On, e.From))
	if err != nil {
		return err
	}
	switch e.Kind {
	case story.Fail, story.Recover:
		if m.plan.Desired.Check(e.What) == nil {
			return fmt.Errorf("%s has no %s", m.Name, e.What)
		}
		m.Fail(e.What, e.Kind == story.Fail)
	case story.Stop:
		m.Stop()
	case story.Kill:
		m.Kill()
	case story.Start:
		m.Start()
	case story.Freeze:
		m.Freeze()
	case story.Thaw:
		m.Thaw()
	case story.Cut, story.Heal:
		return s.link(m, e)
	default:
		return fmt.Errorf("the simulator does not know how to %s", e.Kind)
	}
	return nil
}

func (s *stage) machine(name string) (*Machine, error) {
	for _, m := range s.machines {
		if m.Name == name {
			return m, nil
		}
	}
	return nil, fmt.Errorf("there is no node %q", name)
}

// link cuts or heals one direction, which no machine notices, or the cables of a machine,
// which it does.
func (s *stage) link(m *Machine, e story.Event) error {
	if e.From == "" {
		for _, iface := range m.interfaces() {
			if e.Kind == story.Cut {
				m.Unplug(iface)
			} else {
				m.Plug(iface)
			}
		}
		return nil
	}
	for _, name := range []string{e.From, e.To} {
		if _, err := s.machine(name); err != nil {
			return err
		}
	}
	s.Link(e.From, e.To).Cut = e.Kind == story.Cut
	return nil
}

// apply gives everybody, or one node, another plan: those that hold no VIP first.
func (s *stage) apply(e story.Event) error {
	if s.player.Apply == nil {
		return fmt.Errorf("there is nobody to read %s", e.Dir)
	}
	plans, err := s.player.Apply(e.Dir)
	if err != nil {
		return err
	}
	var turn []*Machine
	for _, m := range s.machines {
		if e.On == "" || e.On == m.Name {
			turn = append(turn, m)
		}
	}
	if len(turn) == 0 {
		return fmt.Errorf("there is no node %q", e.On)
	}
	slices.SortStableFunc(turn, func(a, b *Machine) int { return cmp.Compare(s.holding(a), s.holding(b)) })
	for i, m := range turn {
		p := plans[m.Name]
		if p == nil {
			return fmt.Errorf("%s has no plan for %s", e.Dir, m.Name)
		}
		if missing := m.missing(p); missing != "" {
			return fmt.Errorf("%s has no interface %s, which %s needs", m.Name, missing, e.Dir)
		}
		s.expect(p)
		s.After(time.Duration(i)*applyGap, func() { m.Apply(p) })
	}
	return nil
}

// holding is 1 for a machine that has a VIP.
func (s *stage) holding(m *Machine) int {
	for _, t := range s.vips {
		if slices.Contains(t.holders, m.Name) {
			return 1
		}
	}
	return 0
}

// missing is an interface that a plan needs and the machine has not.
func (m *Machine) missing(p *plan.Plan) string {
	for i := range p.Desired.Instances {
		in := &p.Desired.Instances[i]
		for _, iface := range append(devicesOf(in), in.Interface) {
			if m.links[iface] == nil {
				return iface
			}
		}
	}
	return ""
}

func (s *stage) outcome(lasted time.Duration) *story.Outcome {
	o := &story.Outcome{
		Owner: map[string]string{}, Unowned: map[string]float64{}, Double: map[string]float64{}, Lost: map[string]story.Lost{},
		Transitions: s.transitions, Mails: s.mails,
	}
	for vip, t := range s.vips {
		t.settle(s.now)
		key := vip.String()
		o.Owner[key] = ""
		if len(t.holders) == 1 {
			o.Owner[key] = t.holders[0]
		}
		o.Unowned[key], o.Double[key] = t.unowned.Seconds(), t.double.Seconds()
		o.Lost[key] = story.Lost{Asked: int(lasted / tick), New: int(t.nobody / tick)}
	}
	return o
}
