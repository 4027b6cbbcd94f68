package diff

import (
	"slices"

	"hafile/lang/plan"
)

// Budget is how long the clients of an instance's VIPs may wait when one member fails
// and the next takes over, from the VRRP timers (RFC 9568, 6.1).
type Budget struct {
	Instance plan.Addr `json:"instance"`
	From     string    `json:"from"` // the node that fails
	To       string    `json:"to"`   // the node that takes over
	// Checks has a row for each tracked check; Moves says whether it can move the VIP.
	Checks []CheckBudget `json:"checks,omitempty"`
	// DownMs: machine or link dies: DownAdverts × interval + skew of the successor.
	DownMs int64 `json:"down_ms"`
	// GracefulMs: stop, drain, reboot: what new connections wait. 0 while the leaving
	// node answers until its successor's first advert.
	GracefulMs int64 `json:"graceful_ms"`
}

// CheckBudget is the time from the death of what a check watches to the takeover.
type CheckBudget struct {
	Check      plan.Addr `json:"check"`
	DetectMs   int64     `json:"detect_ms"`
	TakeoverMs int64     `json:"takeover_ms"`
	// Moves is false when the check cannot move the VIP: its weight is too small.
	Moves bool `json:"moves"`
}

// Budgets lists, for each instance and each ordered pair of its members, how long the
// clients wait when the first fails and the second takes over. The waits are the
// longest that the timers allow, with nothing else failing.
func Budgets(p *plan.Plan) []Budget {
	var all []Budget
	for i := range p.Desired.Instances {
		in := withGroups(p, &p.Desired.Instances[i])
		for _, from := range in.Members {
			for _, to := range in.Members {
				if from.Node != to.Node {
					all = append(all, budget(p, in, from, to))
				}
			}
		}
	}
	return all
}

// withGroups is an instance that tracks what its sync groups track: what moves one of
// them moves them all.
func withGroups(p *plan.Plan, in *plan.Instance) *plan.Instance {
	out := *in
	out.Track = slices.Clone(in.Track)
	for _, g := range p.Desired.Groups {
		if !slices.Contains(g.Instances, in.Address) {
			continue
		}
		for _, t := range g.Track {
			if !slices.ContainsFunc(out.Track, func(o plan.Track) bool { return o.Check == t.Check }) {
				out.Track = append(out.Track, t)
			}
		}
	}
	return &out
}

func budget(p *plan.Plan, in *plan.Instance, from, to plan.Member) Budget {
	b := Budget{Instance: in.Address, From: from.Node, To: to.Node, DownMs: millis(downInterval(in, to.Priority))}
	for _, t := range in.Track {
		if c := p.Desired.Check(t.Check); c != nil {
			b.Checks = append(b.Checks, checkBudget(in, c, from, to))
		}
	}
	return b
}

// checkBudget has this one check down on the member that fails, every other one up.
func checkBudget(in *plan.Instance, c *plan.Check, from, to plan.Member) CheckBudget {
	lowered, _, failed := plan.Effective(from.Priority, in.Track, func(a plan.Addr) plan.CheckState {
		if a == c.Address {
			return plan.CheckDown
		}
		return plan.CheckUp
	})
	wait, moves := takeover(in, lowered, failed, to)
	return CheckBudget{Check: c.Address, DetectMs: c.DetectMs(), TakeoverMs: millis(wait), Moves: moves}
}

// FirstStartMs is how long an instance listens before it is active where nobody else is
// (RFC 9568, 6.4.1): nothing for the owner of the addresses.
func FirstStartMs(in *plan.Instance) int64 {
	if in.Priority == plan.OwnerPriority {
		return in.StartDelayMs
	}
	return in.StartDelayMs + millis(downInterval(in, in.Priority))
}

// PriorityWhile is the priority of an instance while one check is down, or up, and
// nothing else counts. moves is false where that is the configured priority.
func PriorityWhile(in *plan.Instance, check plan.Addr, up bool) (priority uint8, moves bool) {
	with := func(s plan.CheckState) uint8 {
		p, _, _ := plan.Effective(in.Priority, in.Track, func(a plan.Addr) plan.CheckState {
			if a == check {
				return s
			}
			return plan.CheckUnknown
		})
		return p
	}
	if up {
		return with(plan.CheckUp), with(plan.CheckUp) != in.Priority
	}
	return with(plan.CheckDown), with(plan.CheckDown) != in.Priority
}
