package sim

import (
	"fmt"
	"slices"
	"time"

	"hafile/lang/plan"
	"hafile/runtime/node"
	"hafile/runtime/vrrp"
)

// S9: the routers of a sync group are active on a machine together or not at all. They
// may differ for as long as one that has come to active ones listens, or one whose others
// are elsewhere holds its addresses for the successor.
func S9(w *World) Watch {
	type where struct {
		m *Machine
		g plan.Addr
	}
	since := map[where]time.Duration{}
	return func(f *Fact) string {
		p := f.Machine.process
		switch f.Kind {
		case Began, Ended, Thawed, Stalled:
			for at := range since {
				if at.m == f.Machine {
					delete(since, at)
				}
			}
			return ""
		case Turned:
		default:
			return ""
		}
		if p == nil || p.hosts.Plan == nil {
			return ""
		}
		for i := range p.hosts.Plan.Desired.Groups {
			g := &p.hosts.Plan.Desired.Groups[i]
			at := where{f.Machine, g.Address}
			text := divided(f.View, g)
			from, known := since[at]
			switch {
			case text == "" || f.Cause == Committed:
				delete(since, at)
			case !known:
				since[at] = w.now
			case w.now-from > w.slowly(w.Bounds().Joining()):
				return fmt.Sprintf("%s: %s since %s", f.Machine.Name, text, from)
			}
		}
		return ""
	}
}

// divided says how a group is of two minds; empty if it is not.
func divided(view []node.Instance, g *plan.Group) string {
	var active, not *node.Instance
	for i := range view {
		in := &view[i]
		if in.Leaving || !slices.Contains(g.Instances, in.Address) {
			continue
		}
		switch in.Role {
		case vrrp.Active:
			active = in
		case vrrp.Leaving:
		default:
			not = in
		}
	}
	if active == nil || not == nil {
		return ""
	}
	return fmt.Sprintf("%s is active and %s is %s", active.Name, not.Name, not.Role)
}

// Joining is the longest that the routers of a sync group may differ on one machine.
func (b Bounds) Joining() time.Duration { return b.Start + 2*b.Down + b.Delay + b.Slack }

// slowly is a duration on the slowest of clocks, for what must be over by then.
func (w *World) slowly(d time.Duration) time.Duration { return drifted(d, 2*w.opt.Host.Drift) }
