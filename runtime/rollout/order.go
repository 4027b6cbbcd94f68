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
	"hafile/lang/plan"
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
	Digest  string     `json:"digest,omitempty"` // of the plan that an apply makes run
	Changes int        `json:"changes,omitempty"`
	Worst   diff.Class `json:"worst,omitempty"`
	Why     string     `json:"why"`
	// PauseMs is how long an edited check takes to show what it says there.
	PauseMs int64 `json:"pause_ms,omitempty"`
	// Together with the steps beside it: until all have the edit, members are deaf to each
	// other.
	Together bool `json:"together,omitempty"`
}

// Order is the order in which nodes are edited: those that hold nothing first, among them
// the one that would be the last to take over, so that whoever holds an address has
// members that know the edit already. Who leaves a group goes before all, and who joins
// one after all: members that are named to each other (unicast) must not be deaf to the
// one that is active. Nodes without a change are left out. Edits of what the wire sees
// take a second sweep when all have the first, and so does what a rollout that was halted
// has left of one. Edits that no sweep can take are last, and at one moment.
func Order(docs []*planfile.Document, now Statuses) []Step {
	docs = slices.Clone(docs)
	slices.SortStableFunc(docs, func(a, b *planfile.Document) int {
		if byTurn := cmp.Compare(turn(a, docs), turn(b, docs)); byTurn != 0 {
			return byTurn
		}
		if turn(a, docs) == joins {
			return cmp.Compare(highest(b), highest(a)) // an address comes up where it belongs
		}
		return cmp.Or(cmp.Compare(len(held(a)), len(held(b))), cmp.Compare(highest(a), highest(b)))
	})
	var steps, second []Step
	for _, d := range docs {
		if len(d.Changes) > 0 {
			steps = append(steps, Step{
				Node: d.Node, Action: Apply, Digest: d.Digest, Changes: len(d.Changes), Worst: d.Summary.Worst, Why: why(d, docs), PauseMs: pause(d),
				Together: together(d),
			})
		}
		if len(swept(d, now)) > 0 {
			second = append(second, Step{Node: d.Node, Action: Retire, Why: "every member has the new identity by then, and the old one goes"})
		}
	}
	slices.SortStableFunc(steps, func(a, b Step) int {
		switch {
		case a.Together == b.Together:
			return 0
		case b.Together:
			return -1
		}
		return 1
	})
	return append(steps, second...)
}

// together: an outage from the moment at which the first member has the edit until the
// last one has it.
func together(d *planfile.Document) bool {
	apart := func(i *diff.Impact) bool { return i != nil && i.Pairwise && i.Class == diff.Outage }
	return slices.ContainsFunc(d.Changes, func(c diff.Change) bool {
		return apart(&c.Impact) || slices.ContainsFunc(c.Fields, func(f diff.Field) bool { return apart(f.Impact) })
	})
}

// The turns of nodes.
const (
	leaves = iota
	stays
	joins
)

// turn tells who leaves a group or joins one that others are in.
func turn(d *planfile.Document, all []*planfile.Document) int {
	if d.Base.Digest == planfile.NoBase {
		return joins
	}
	out := stays
	for i := range d.Changes {
		c := &d.Changes[i]
		others := slices.ContainsFunc(all, func(o *planfile.Document) bool { return o.Node != d.Node && edits(o, c.Address) })
		switch {
		case !others:
		case c.Action == diff.Remove:
			return leaves
		case c.Action == diff.Add:
			out = joins
		}
	}
	return out
}

// edits reports whether a node has an instance, before and afterwards, that changes.
func edits(d *planfile.Document, instance plan.Addr) bool {
	return d.Desired.Instance(instance) != nil && slices.ContainsFunc(d.Changes, func(c diff.Change) bool {
		return c.Address == instance && c.Action == diff.Update
	})
}

func why(d *planfile.Document, all []*planfile.Document) string {
	assumed := ""
	if d.Base.Assumed {
		assumed = ", as is assumed"
	}
	h := held(d)
	switch t := turn(d, all); {
	case together(d):
		return "at one moment with the others: members without it are deaf to those who have it"
	case d.Base.Digest == planfile.NoBase:
		return "runs nothing yet: after those that do, the preferred one first"
	case t == joins:
		return "joins a group: after its members, which know of it then"
	case t == leaves:
		return "leaves a group: before its members, which listen to it until then"
	case len(h) > 0:
		return fmt.Sprintf("active for %s%s: after those that hold less", some(h), assumed)
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

// swept are the instances of a node that have an identity beside their own when all nodes
// have the edit: because of this edit, or still.
func swept(d *planfile.Document, now Statuses) []plan.Addr {
	var out []plan.Addr
	for i := range d.Changes {
		if retires(&d.Changes[i]) {
			out = append(out, d.Changes[i].Address)
		}
	}
	if s := now[d.Node]; s != nil {
		for i := range s.Instances {
			if in := &s.Instances[i]; len(in.Former) > 0 && !slices.Contains(out, in.Address) {
				out = append(out, in.Address)
			}
		}
	}
	return out
}

func retires(c *diff.Change) bool {
	return c.Impact.Retire || slices.ContainsFunc(c.Fields, func(f diff.Field) bool { return f.Impact != nil && f.Impact.Retire })
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

// Absent are members that would need a second sweep and are not part of the rollout.
func Absent(docs []*planfile.Document, now Statuses) []string {
	var out []string
	for _, d := range docs {
		for _, m := range members(d, now) {
			here := slices.ContainsFunc(docs, func(o *planfile.Document) bool { return o.Node == m })
			if !here && !slices.Contains(out, m) {
				out = append(out, m)
			}
		}
	}
	return out
}

// members of the groups that a node sweeps, other than itself.
func members(d *planfile.Document, now Statuses) []string {
	var out []string
	for _, a := range swept(d, now) {
		in := d.Desired.Instance(a)
		if in == nil {
			continue
		}
		for _, m := range in.Members {
			if m.Node != d.Node && m.Speaks == "" {
				out = append(out, m.Node)
			}
		}
	}
	return out
}
