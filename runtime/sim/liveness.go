package sim

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"hafile/lang/plan"
	"hafile/runtime/kernel"
	"hafile/runtime/node"
	"hafile/runtime/vrrp"
)

// Member is one router of a group as it stands now.
type Member struct {
	*Machine
	Router *node.Instance
	Plan   *plan.Instance // nil: its plan has it no longer
}

// Groups are the routers that run, by what the network sees of them. A machine that is
// asleep or unplugged is no member.
func (w *World) Groups() map[plan.WireKey][]Member {
	groups := map[plan.WireKey][]Member{}
	for _, m := range w.machines {
		p := m.process
		if p == nil || p.frozen {
			continue
		}
		for i := range p.view {
			in := &p.view[i]
			if !m.plugged(in.Key.Interface) {
				continue
			}
			groups[in.Key] = append(groups[in.Key], Member{m, in, instanceOf(p.hosts.Plan, in.Key)})
		}
	}
	return groups
}

// keys of groups in an order.
func keys(groups map[plan.WireKey][]Member) []plan.WireKey {
	return slices.SortedFunc(maps.Keys(groups), func(a, b plan.WireKey) int {
		return cmp.Or(cmp.Compare(a.Interface, b.Interface), cmp.Compare(a.VRID, b.VRID), cmp.Compare(a.Version, b.Version))
	})
}

// Settled says what keeps the world from being as L4 has it: in each group that has a
// member that is fit, exactly one is active, it holds the addresses alone, and no member
// that preempts has a strictly higher priority. Of equal ones any may be active.
func (w *World) Settled() string {
	groups := w.Groups()
	for _, key := range keys(groups) {
		if text := settled(w, key, groups[key]); text != "" {
			return fmt.Sprintf("VRID %d v%d on %s: %s", key.VRID, key.Version, key.Interface, text)
		}
	}
	return ""
}

func settled(w *World, key plan.WireKey, members []Member) string {
	var active *Member
	fit := 0
	for i := range members {
		r := members[i].Router
		if r.Leaving || r.Role == vrrp.Leaving {
			return members[i].Name + " is still leaving"
		}
		if r.Role != vrrp.Fault {
			fit++
		}
		if r.Role != vrrp.Active {
			continue
		}
		if active != nil {
			return fmt.Sprintf("%s and %s are active", active.Name, members[i].Name)
		}
		active = &members[i]
	}
	if active == nil {
		if fit > 0 {
			return fmt.Sprintf("of %d fit members none is active", fit)
		}
		return ""
	}
	for _, m := range members {
		if m.Name == active.Name || m.Router.Role != vrrp.Backup {
			continue
		}
		if m.Plan.Preempt && m.Router.Effective > active.Router.Effective && !m.Router.Stale.IsValid() {
			return fmt.Sprintf("%s is active with %d beside %s with %d", active.Name, active.Router.Effective, m.Name, m.Router.Effective)
		}
	}
	for _, a := range active.Router.Addresses {
		if holders := w.Holders(a.Address); !slices.Equal(holders, []string{active.Name}) {
			return fmt.Sprintf("%s is active and %s is held by %v", active.Name, a.Address, holders)
		}
	}
	return ""
}

// Holders of an address, by name. A machine that is switched off holds nothing.
func (w *World) Holders(a kernel.Address) []string {
	var names []string
	for _, m := range w.machines {
		if m.Holds(a) {
			names = append(names, m.Name)
		}
	}
	return names
}

// Bounds of a group, from the plans that run.
type Bounds struct {
	Interval time.Duration // the longest
	Down     time.Duration // the longest down interval of any member
	Skew     time.Duration // the longest
	Leave    time.Duration // what a departure takes at most
	Delay    time.Duration // the longest preemption delay
	Start    time.Duration // the longest start delay
	Slack    time.Duration // network, lateness, clocks, kernel
}

// Bounds over all instances of all machines.
func (w *World) Bounds() Bounds {
	var b Bounds
	for _, m := range w.machines {
		if m.plan == nil {
			continue
		}
		for i := range m.plan.Desired.Instances {
			in := &m.plan.Desired.Instances[i]
			every := intervalOf(in)
			b.Interval = max(b.Interval, every)
			b.Down = max(b.Down, vrrp.Down(in.Version, 1, every, in.DownAdverts))
			b.Skew = max(b.Skew, vrrp.Skew(in.Version, 1, every))
			b.Leave = max(b.Leave, vrrp.Down(in.Version, 1, every, 3))
			b.Delay = max(b.Delay, time.Duration(in.PreemptDelayMs)*time.Millisecond)
			b.Start = max(b.Start, time.Duration(in.StartDelayMs)*time.Millisecond)
		}
	}
	b.Slack = w.longestDelay() + 2*w.late() + w.opt.Host.Kernel + grace + (b.Down+b.Delay)*time.Duration(2*w.opt.Host.Drift+1)/1e9
	return b
}

// The bounds of the liveness rules, each from the moment at which the last fault ended or
// the named one happened.

// L1 is the longest until somebody is active after the active machine has died.
func (b Bounds) L1() time.Duration { return b.Down + b.Slack }

// L2 is the longest until somebody is active after the active one has left.
func (b Bounds) L2() time.Duration { return b.Skew + b.Slack }

// L3 is the longest that two are active after a partition has healed.
func (b Bounds) L3() time.Duration { return b.Interval + b.Slack }

// L4 is the longest until the world is settled after all faults have ended: starts and
// departures under way end, a silence is sat out, and a better member is let in.
func (b Bounds) L4() time.Duration {
	return b.Start + b.Leave + 2*b.Down + b.Delay + 3*b.Interval + 2*b.Slack
}

// L5 is the longest until a better member that has come back owns the addresses.
func (b Bounds) L5() time.Duration { return b.Start + b.Down + b.Delay + 2*b.Interval + b.Slack }

// L6 is the longest until an address is back that somebody else has removed.
func (b Bounds) L6() time.Duration { return 50 * time.Millisecond }

// L9 is the longest that two are active after a frozen active has been thawed.
func (b Bounds) L9() time.Duration { return b.Interval + b.Slack }

// L11 is the longest until an instance is ready again after its interface came back.
func (b Bounds) L11() time.Duration { return b.L4() }
