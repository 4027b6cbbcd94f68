package main

import (
	"fmt"
	"slices"
	"strings"

	"hafile/lang/diag"
	"hafile/lang/plan"
	"hafile/lang/planfile"
	"hafile/lang/render"
	"hafile/runtime/control"
	"hafile/runtime/host"
)

// hostFacts are findings about this machine and its peers, to stand beside what the plan
// says. They are for the plan's own machine only: status is that of its daemon, or nil.
func hostFacts(p *plan.Plan, status *control.Status) render.Facts {
	f := render.Facts{Host: "host name " + host.Name(), Programs: map[string]string{}, Interfaces: map[string]string{}}
	if status == nil && !isHere(p) {
		return f
	}
	for _, c := range p.Desired.Checks {
		if c.Script != nil {
			f.Programs[c.Script.Command[0]] = host.LookAt(c.Script.Command[0], c.Script.User).String()
		}
	}
	for _, n := range p.Desired.Notifies {
		if n.Exec != nil {
			f.Programs[n.Exec.Command[0]] = host.LookAt(n.Exec.Command[0], n.Exec.User).String()
		}
	}
	for i := range p.Desired.Instances {
		in := &p.Desired.Instances[i]
		f.Interfaces[in.Interface] = host.DescribeLink(host.Interface(in.Interface))
	}
	if status != nil {
		f.Peers = strings.TrimSpace(unheard(status) + " " + knowledge(status.Members))
	}
	return f
}

// unsafePrograms is HA2201 of what this machine has: programs that are there and that the
// daemon would not run, because others than root can replace them. What is missing is no
// warning: apply refuses it.
func unsafePrograms(p *plan.Plan, status *control.Status) diag.Diagnostics {
	if status == nil && !isHere(p) {
		return nil
	}
	var ds diag.Diagnostics
	look := func(a plan.Addr, path, user string) {
		found := host.LookAt(path, user)
		if !found.Found || found.Refused == nil {
			return
		}
		ds = append(ds, diag.Diagnostic{
			Severity: diag.Warning, Code: "HA2201", Address: a, Node: p.Node,
			Summary: fmt.Sprintf("%s would be refused on this machine", path),
			Detail:  fmt.Sprintf("%v. hafile apply refuses the plan until that is so: give it, and the directories above it, to root, and the right to write to nobody else.", found.Refused),
		})
	}
	for _, c := range p.Desired.Checks {
		if c.Script != nil {
			look(c.Address, c.Script.Command[0], c.Script.User)
		}
	}
	for _, n := range p.Desired.Notifies {
		if n.Exec != nil {
			look(n.Address, n.Exec.Command[0], n.Exec.User)
		}
	}
	return ds
}

// isHere reports whether a plan is for the machine that this is, by its addresses.
func isHere(p *plan.Plan) bool {
	local := host.Addresses()
	return slices.ContainsFunc(p.Desired.Instances, func(in plan.Instance) bool {
		return slices.ContainsFunc(in.Members, func(m plan.Member) bool {
			return m.Node == p.Node && slices.Contains(local, m.Address)
		})
	})
}

// knowledge is a sentence on the other members.
func knowledge(members []control.Member) string {
	var runs, unknown []string
	for _, m := range members {
		switch {
		case !m.Known:
			unknown = append(unknown, fmt.Sprintf("%s (%s)", m.Node, m.Unknown))
		case m.Serial == 0:
			runs = append(runs, fmt.Sprintf("%s runs no plan", m.Node))
		default:
			runs = append(runs, fmt.Sprintf("%s runs plan %d (%s), hafile %s", m.Node, m.Serial, planfile.Short(m.Digest), m.HafileVersion))
		}
	}
	var s []string
	if len(runs) > 0 {
		s = append(s, strings.Join(runs, "; ")+".")
	}
	if len(unknown) > 0 {
		s = append(s, "What runs elsewhere is unknown: "+strings.Join(unknown, ", ")+".")
	}
	return strings.Join(s, " ")
}

// unheard names the members that have never been heard; a backup is silent, so that this
// says nothing while we are active.
func unheard(s *control.Status) string {
	var names []string
	for _, in := range s.Instances {
		for _, peer := range in.Peers {
			if in.Role != "active" && !peer.Heard && peer.Node != "" && !slices.Contains(names, peer.Node) {
				names = append(names, peer.Node)
			}
		}
	}
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("Not heard yet: %s.", strings.Join(names, ", "))
}
