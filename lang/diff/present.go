package diff

import "hafile/lang/plan"

// Present is what this node is doing now. The zero value knows nothing.
type Present struct {
	// Roles by the addresses of the running plan: waiting, backup, active, leaving,
	// fault, drained. Where one is missing the preferred member is taken for active.
	Roles map[plan.Addr]string
	// Checks by the addresses of the running plan; missing is CheckUnknown.
	Checks map[plan.Addr]plan.CheckState
	// Assumed: the roles were not observed, they follow from the priorities.
	Assumed bool
}

// role of an instance of the running plan.
func (p Present) role(in *plan.Instance, node string) string {
	if r, known := p.Roles[in.Address]; known {
		return r
	}
	if rival, any := highest(in, node); any && rival.Priority > in.Priority {
		return "backup"
	}
	return "active"
}

// holds reports whether a node in this role has the addresses.
func holds(role string) bool { return role == "active" || role == "leaving" }

// check is the present state of a check of the running plan.
func (p Present) check(a plan.Addr) plan.CheckState {
	if s, known := p.Checks[a]; known {
		return s
	}
	return plan.CheckUnknown
}

// others are the members of an instance beside this node.
func others(in *plan.Instance, node string) []plan.Member {
	var rest []plan.Member
	for _, m := range in.Members {
		if m.Node != node {
			rest = append(rest, m)
		}
	}
	return rest
}

// highest is the other member that would be active without this node.
func highest(in *plan.Instance, node string) (best plan.Member, any bool) {
	for _, m := range others(in, node) {
		if !any || m.Priority > best.Priority {
			best, any = m, true
		}
	}
	return best, any
}
