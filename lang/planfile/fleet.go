package planfile

import (
	"net/netip"
	"slices"
	"time"

	"hafile/lang/diff"
	"hafile/lang/plan"
)

// Fleet sums up the plans of several nodes: fleet.json beside them, and the first table
// of a review.
type Fleet struct {
	FormatVersion string      `json:"format_version"`
	HafileVersion string      `json:"hafile_version"`
	Created       time.Time   `json:"created"`
	Against       []string    `json:"against,omitempty"`
	Worst         diff.Class  `json:"worst"`
	Nodes         []FleetNode `json:"nodes"`
	// Gone are nodes that run something and have no plan any more: they go on with it.
	Gone []string `json:"gone,omitempty"`
}

// FleetNode is one plan in short.
type FleetNode struct {
	Node    string       `json:"node"`
	File    string       `json:"file,omitempty"`
	Digest  string       `json:"digest"`
	Base    string       `json:"base_digest"`
	Assumed bool         `json:"roles_assumed,omitempty"`
	Changes int          `json:"changes"`
	Summary diff.Summary `json:"summary"`
	VIPs    []FleetVIP   `json:"vips,omitempty"`
	// Unknown are the members of which its daemon knew nothing but their adverts.
	Unknown []string `json:"unknown_peers,omitempty"`
}

// FleetVIP is an address that changes its owner, or is without one, in the order of harm.
type FleetVIP struct {
	Address netip.Prefix `json:"address"`
	Class   diff.Class   `json:"class"`
}

// NewFleet sums up documents. File names stay empty.
func NewFleet(docs []*Document, now time.Time) *Fleet {
	f := &Fleet{FormatVersion: plan.FormatVersion, Created: now.UTC().Truncate(time.Second), Worst: diff.None, Nodes: []FleetNode{}}
	for _, d := range docs {
		f.HafileVersion = d.HafileVersion
		if d.Summary.Worst.Rank() > f.Worst.Rank() {
			f.Worst = d.Summary.Worst
		}
		f.Nodes = append(f.Nodes, FleetNode{
			Node: d.Node, Digest: d.Digest, Base: d.Base.Digest, Assumed: d.Base.Assumed,
			Changes: len(d.Changes), Summary: d.Summary, VIPs: harmed(d.Changes), Unknown: d.Base.UnknownPeers(),
		})
	}
	return f
}

func harmed(changes []diff.Change) []FleetVIP {
	var out []FleetVIP
	for v, class := range diff.PerVIP(changes) {
		if class.Rank() >= diff.Moves.Rank() {
			out = append(out, FleetVIP{v, class})
		}
	}
	slices.SortFunc(out, func(a, b FleetVIP) int {
		if a.Class != b.Class {
			return b.Class.Rank() - a.Class.Rank()
		}
		return a.Address.Addr().Compare(b.Address.Addr())
	})
	return out
}
