// Package rollout takes an edit through the machines of a fleet: who is first and why,
// one at a time, and what must hold before the next one is touched. It owns no
// connection: a [Remote] runs hafile on a node, and the plans come from its caller.
package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"hafile/lang/diff"
	"hafile/lang/planfile"
)

// What a step does on its node.
const (
	Apply  = "apply"
	Retire = "retire" // the second sweep: the identities of before go
)

// Step is one command on one node.
type Step struct {
	Node    string     `json:"node"`
	Action  string     `json:"action"`
	Changes int        `json:"changes,omitempty"`
	Worst   diff.Class `json:"worst,omitempty"`
	Why     string     `json:"why"`
	// PauseMs is how long an edited check takes to show what it says there.
	PauseMs int64 `json:"pause_ms,omitempty"`
}

// Order is the order in which nodes are edited: those that hold nothing first, among them
// the one that would be the last to take over, so that whoever holds an address has
// members that know the edit already. Nodes without a change are left out. Edits of what
// the wire sees take a second sweep when all have the first.
func Order(docs []*planfile.Document) []Step {
	var edited []*planfile.Document
	sweeps := false
	for _, d := range docs {
		if len(d.Changes) > 0 {
			edited = append(edited, d)
			sweeps = sweeps || retires(d.Changes)
		}
	}
	slices.SortStableFunc(edited, func(a, b *planfile.Document) int {
		return cmp.Or(cmp.Compare(len(held(a)), len(held(b))), cmp.Compare(highest(a), highest(b)))
	})
	var steps []Step
	for _, d := range edited {
		steps = append(steps, Step{
			Node: d.Node, Action: Apply, Changes: len(d.Changes), Worst: d.Summary.Worst, Why: why(d), PauseMs: pause(d),
		})
	}
	if sweeps {
		for _, d := range edited {
			steps = append(steps, Step{Node: d.Node, Action: Retire, Why: "every member has the new identity by then, and the old one goes"})
		}
	}
	return steps
}

func why(d *planfile.Document) string {
	assumed := ""
	if d.Base.Assumed {
		assumed = ", as is assumed"
	}
	if h := held(d); len(h) > 0 {
		return fmt.Sprintf("active for %s%s: after those that hold less", some(h), assumed)
	}
	if d.Base.Digest == planfile.NoBase {
		return "runs nothing yet"
	}
	return "holds no address" + assumed + ": nobody notices if it goes wrong here"
}

// some names of many.
func some(all []string) string {
	const most = 3
	if len(all) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(all[:most], ", "), len(all)-most)
	}
	return strings.Join(all, ", ")
}

// held are the instances that the node has the addresses of.
func held(d *planfile.Document) []string {
	var out []string
	for a, role := range d.Base.Roles {
		if role == "active" || role == "leaving" {
			out = append(out, string(a))
		}
	}
	slices.Sort(out)
	return out
}

// highest priority with which the node stands anywhere.
func highest(d *planfile.Document) uint8 {
	var most uint8
	for i := range d.Desired.Instances {
		most = max(most, d.Desired.Instances[i].Priority)
	}
	return most
}

func retires(changes []diff.Change) bool {
	return slices.ContainsFunc(changes, func(c diff.Change) bool {
		return c.Impact.Retire || slices.ContainsFunc(c.Fields, func(f diff.Field) bool { return f.Impact != nil && f.Impact.Retire })
	})
}

// pause is how long an added or edited check may take until it is down: the next node is
// not touched before the check has had the time to fail here.
func pause(d *planfile.Document) int64 {
	var longest int64
	for i := range d.Changes {
		if check := d.Desired.Check(d.Changes[i].Address); check != nil && d.Changes[i].Action != diff.Rename {
			longest = max(longest, check.IntervalMs*int64(check.Fall)+check.TimeoutMs)
		}
	}
	return longest
}

// members of the groups that a plan edits with a second sweep.
func members(d *planfile.Document) []string {
	var out []string
	for i := range d.Changes {
		in := d.Desired.Instance(d.Changes[i].Address)
		if in == nil || !retires(d.Changes[i:i+1]) {
			continue
		}
		for _, m := range in.Members {
			if m.Node != d.Node && m.Speaks == "" && !slices.Contains(out, m.Node) {
				out = append(out, m.Node)
			}
		}
	}
	return out
}

// Absent are members that would need a second sweep and are not part of the rollout.
func Absent(docs []*planfile.Document) []string {
	var out []string
	for _, d := range docs {
		for _, m := range members(d) {
			here := slices.ContainsFunc(docs, func(o *planfile.Document) bool { return o.Node == m })
			if !here && !slices.Contains(out, m) {
				out = append(out, m)
			}
		}
	}
	return out
}
