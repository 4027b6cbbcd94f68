// Package planfile is the plan document: what `hafile plan -out` writes, `hafile show`
// reads and `hafile apply` hands to the daemon. One node per document, self-contained,
// and bound to the state that it was made against.
package planfile

import (
	"time"

	"hafile/lang/diag"
	"hafile/lang/diff"
	"hafile/lang/plan"
)

// Document is a plan with what it was made from and what it will change.
type Document struct {
	FormatVersion string    `json:"format_version"`
	HafileVersion string    `json:"hafile_version"`
	Digest        string    `json:"digest"`
	Created       time.Time `json:"created"`
	Expires       time.Time `json:"expires,omitzero"`
	Base          Base      `json:"base"`
	Inputs        Inputs    `json:"inputs"`

	plan.Plan // language, node, sources, desired

	Changes []diff.Change `json:"changes"`
	Summary diff.Summary  `json:"summary"`
	Budget  []diff.Budget `json:"budget,omitempty"`
	// Blocked is what the daemon will say to this plan unless it is allowed by name.
	Blocked     *Problem         `json:"blocked,omitempty"`
	Diagnostics diag.Diagnostics `json:"diagnostics,omitempty"`
	// Accepted are the warnings that the files say are known.
	Accepted diag.Diagnostics `json:"accepted,omitempty"`
}

// NoBase is the digest of a daemon that has no plan yet, and what If-Match says to it.
const NoBase = "none"

// Base is the state that a plan was made against.
type Base struct {
	Lineage string               `json:"lineage,omitempty"` // made at a daemon's first start
	Serial  int                  `json:"serial"`
	Digest  string               `json:"digest"` // NoBase, or of the running plan
	Roles   map[plan.Addr]string `json:"roles,omitempty"`
	Assumed bool                 `json:"assumed,omitempty"` // the roles follow from the priorities
	Since   time.Time            `json:"since,omitzero"`    // when the running plan was applied
	By      string               `json:"by,omitempty"`
	// Peers are the other members as they were known; nil: nobody was asked.
	Peers map[string]Peer `json:"peers,omitempty"`
}

// Inputs is what the plan was compiled from, by hash.
type Inputs struct {
	Files map[string]string `json:"files,omitempty"`
	Vars  map[string]string `json:"vars,omitempty"`
	Env   map[string]string `json:"env,omitempty"`
}
