// Package plan is the seam between the compiler and the runtime: what one node is
// to do, as typed values. It uses the standard library only, and both sides trust
// one rule book, [Verify].
//
// Every quantity has its unit in its name; every duration is whole milliseconds.
// The zero value of a type here is never what an operator gets by leaving an
// argument out: DefaultInstance and its siblings are, and JSON leaves out what
// equals them, so that a release which adds a field changes no digest.
package plan

import (
	"net/netip"
	"slices"
)

// FormatVersion of every JSON document that hafile writes. A new minor version adds
// fields and readers ignore what they do not know outside of `desired`; readers
// refuse another major version.
const FormatVersion = "1.0"

// Language is the meaning of the HCL files that this release compiles.
const Language = 1

// Plan is what one node is to do. It holds no clock, no host fact and no secret
// that was written as a reference.
type Plan struct {
	Language int      `json:"language"`
	Node     string   `json:"node"`
	Sources  []Source `json:"sources,omitempty"`
	Desired  Desired  `json:"desired"`

	// Moved and Removed say what an edit means, and nothing of what is desired: they are
	// in no digest.
	Moved   []Move    `json:"moved,omitempty"`
	Removed []Removal `json:"removed,omitempty"`
}

// Source is one file that went into a plan.
type Source struct {
	File   string `json:"file"`
	SHA256 string `json:"sha256"`
}

// Src is a position: index into Plan.Sources, then line and column (from 1) of the
// start and of the end. The zero value is "not known". Positions never enter a
// digest: to move a line is not a change.
type Src [5]int

// IsZero reports whether the position is not known; encoding/json's omitzero asks it.
func (s Src) IsZero() bool { return s == Src{} }

// Desired is the part of a plan that the digest covers. Its lists are sorted by
// address (see [Plan.Normalize]).
type Desired struct {
	Instances []Instance `json:"instances,omitempty"`
	Groups    []Group    `json:"groups,omitempty"`
	Checks    []Check    `json:"checks,omitempty"`
	Notifies  []Notify   `json:"notifies,omitempty"`
}

// Instance finds an instance by address; nil if there is none.
func (d *Desired) Instance(a Addr) *Instance {
	for i := range d.Instances {
		if d.Instances[i].Address == a {
			return &d.Instances[i]
		}
	}
	return nil
}

// Check finds a script or check by address; nil if there is none.
func (d *Desired) Check(a Addr) *Check {
	for i := range d.Checks {
		if d.Checks[i].Address == a {
			return &d.Checks[i]
		}
	}
	return nil
}

// Group finds a sync group by address; nil if there is none.
func (d *Desired) Group(a Addr) *Group {
	for i := range d.Groups {
		if d.Groups[i].Address == a {
			return &d.Groups[i]
		}
	}
	return nil
}

// GroupOf finds the sync group that an instance is in; nil if it goes its own way.
func (d *Desired) GroupOf(instance Addr) *Group {
	for i := range d.Groups {
		if slices.Contains(d.Groups[i].Instances, instance) {
			return &d.Groups[i]
		}
	}
	return nil
}

// Tracks is what moves an instance: what it tracks, and what its sync group does.
func (d *Desired) Tracks(i *Instance) []Track {
	g := d.GroupOf(i.Address)
	if g == nil {
		return i.Track
	}
	all := slices.Clone(i.Track)
	for _, t := range g.Track {
		if !slices.ContainsFunc(all, func(o Track) bool { return o.Check == t.Check }) {
			all = append(all, t)
		}
	}
	return all
}

// Notify finds a notify by address; nil if there is none.
func (d *Desired) Notify(a Addr) *Notify {
	for i := range d.Notifies {
		if d.Notifies[i].Address == a {
			return &d.Notifies[i]
		}
	}
	return nil
}

// Member is one machine of an instance's group. The list is the same on all nodes.
type Member struct {
	Node     string     `json:"node"`
	Address  netip.Addr `json:"address,omitzero"`
	Priority uint8      `json:"priority"`
	// Speaks is what runs there during a migration: "keepalived-2.2", "keepalived-2.4",
	// "frr" or "other"; empty: hafile.
	Speaks string `json:"speaks,omitempty"`
	// Status is where its daemon answers read-only questions, ADDRESS:PORT; on the node
	// itself, where it listens. Empty: nothing is known of it but its adverts.
	Status string `json:"status,omitempty"`
}
