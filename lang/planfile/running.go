package planfile

import (
	"time"

	"hafile/lang/diff"
	"hafile/lang/plan"
)

// Running is what a daemon runs, as `plan` asks for it and as the daemon knows itself.
type Running struct {
	Node    string     // empty: the daemon has not been told which node it is
	Lineage string     // made at the daemon's first start
	Serial  int        // 0: nothing was ever applied
	Plan    *plan.Plan // nil: nothing configured
	Since   time.Time  // when the plan was applied
	By      string     // who applied it
	Present diff.Present
	Peers   map[string]Peer // the other members, as the daemon knows them; nil: nobody was asked
}

// Digest of the running plan; NoBase where there is none.
func (r Running) Digest() string {
	if r.Plan == nil {
		return NoBase
	}
	return r.Plan.Digest()
}

// base is what a document says of the state it was made against.
func (r Running) base() Base {
	return Base{
		Lineage: r.Lineage, Serial: r.Serial, Digest: r.Digest(),
		Roles: r.Present.Roles, Assumed: r.Present.Assumed,
		Since: r.Since, By: r.By,
	}
}
