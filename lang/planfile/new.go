package planfile

import (
	"time"

	"hafile/lang/diag"
	"hafile/lang/diff"
	"hafile/lang/plan"
)

// Lifetime is how long a plan may be applied unless `-expires` says otherwise.
const Lifetime = 4 * time.Hour

// Input is what a document is made of.
type Input struct {
	HafileVersion string
	Plan          *plan.Plan
	Running       *Running // nil: no daemon was reached, the plan is against an empty node
	Inputs        Inputs
	Diagnostics   diag.Diagnostics
	Accepted      diag.Diagnostics
	Now           time.Time
	Lifetime      time.Duration // 0: never expires
}

// New makes the document of a plan: what it changes, what that means, and what it was
// made from.
func New(in Input) *Document {
	running := Running{}
	if in.Running != nil {
		running = *in.Running
	}
	desired := in.Plan.Clone()
	desired.Normalize()
	d := &Document{
		FormatVersion: plan.FormatVersion, HafileVersion: in.HafileVersion,
		Digest: desired.Digest(), Created: in.Now.UTC().Truncate(time.Second),
		Base: running.base(), Inputs: in.Inputs, Plan: *desired,
		Budget: diff.Budgets(desired), Diagnostics: in.Diagnostics, Accepted: in.Accepted,
	}
	if in.Lifetime > 0 {
		d.Expires = d.Created.Add(in.Lifetime)
	}
	d.Blocked = Held(running.Plan, desired, nil)
	d.Changes, d.Summary = diff.Plans(running.Plan, desired, running.Present)
	d.Base.Peers = peersThen(running.Peers, d.Changes)
	return d
}

// Reached reports whether a daemon was asked when the plan was made.
func (d *Document) Reached() bool { return d.Base.Lineage != "" }
