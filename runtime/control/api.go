// Package control is how a person or a program speaks to the daemon: HTTP with JSON on
// a unix socket. This file is the contract; server.go and client.go are its two ends.
package control

import (
	"net/netip"
	"time"

	"hafile/lang/diff"
	"hafile/lang/plan"
	"hafile/lang/planfile"
	"hafile/runtime/keepalived"
)

// Status is the answer of GET /v1/status.
type Status struct {
	FormatVersion string      `json:"format_version"`
	HafileVersion string      `json:"hafile_version"`
	Node          string      `json:"node,omitempty"` // empty before the first plan, if `hafile run` got no -node
	PID           int         `json:"pid"`
	Started       time.Time   `json:"started"`
	Lineage       string      `json:"lineage"`
	Plan          *PlanStatus `json:"plan,omitempty"` // nil: nothing configured
	Instances     []Instance  `json:"instances"`
	Groups        []Group     `json:"groups,omitempty"`
	Checks        []Check     `json:"checks"`
	Notifies      []Notify    `json:"notifies"`
	Engine        Engine      `json:"engine"`
	Sockets       []Socket    `json:"sockets,omitempty"`
	// ConfirmBy is when the plan before runs again, unless somebody confirms this one.
	ConfirmBy   *time.Time  `json:"confirm_deadline,omitempty"`
	Predictions Predictions `json:"predictions"`
	// Drain keeps this node from holding addresses; nil: nothing does.
	Drain *Drain `json:"drain,omitempty"`
	// Members are the other nodes of the running plan, by name.
	Members []Member `json:"members,omitempty"`
}

// Member is another node, as its status address tells.
type Member struct {
	Node   string `json:"node"`
	Speaks string `json:"speaks,omitempty"` // empty: hafile
	Status string `json:"status,omitempty"` // where it is asked
	Known  bool   `json:"known"`
	// Unknown says why nothing is known of it but its adverts. The rest is then empty.
	Unknown       string `json:"unknown,omitempty"`
	HafileVersion string `json:"hafile_version,omitempty"`
	Serial        int    `json:"serial,omitempty"` // of its plan; 0: none
	Digest        string `json:"digest,omitempty"`
	// Groups are the digests of what all members of an instance must have alike.
	Groups map[plan.Addr]string `json:"groups,omitempty"`
}

// PeersOf is what a plan says of the members; nil if there are none.
func PeersOf(members []Member) map[string]planfile.Peer {
	if len(members) == 0 {
		return nil
	}
	out := map[string]planfile.Peer{}
	for _, m := range members {
		out[m.Node] = planfile.Peer{Known: m.Known, Unknown: m.Unknown, Serial: m.Serial, Digest: m.Digest, Groups: m.Groups}
	}
	return out
}

// StatusFile is what hafile status -json prints: a status, and with -with-plan what runs,
// without the secrets in it. A plan can be made against it elsewhere.
type StatusFile struct {
	Status
	Running *plan.Plan `json:"running,omitempty"`
}

// Predictions count, since the start of the daemon, what was foretold of addresses.
type Predictions struct {
	Applied      uint64 `json:"applied"`      // plans
	VIPs         uint64 `json:"vips"`         // that were looked at after them
	Mispredicted uint64 `json:"mispredicted"` // among those: something worse happened than the plan said
	Last         string `json:"last,omitempty"`
}

// PlanStatus is the running plan.
type PlanStatus struct {
	Serial int       `json:"serial"`
	Digest string    `json:"digest"`
	Since  time.Time `json:"since"`
	By     string    `json:"by,omitempty"`   // who applied it
	From   string    `json:"from,omitempty"` // "apply", or "stored" after a start
}

// Instance is one virtual router as it is now.
type Instance struct {
	Address plan.Addr `json:"address"`
	Name    string    `json:"name"`
	Src     string    `json:"src,omitempty"` // nginx-pair.ha.hcl:54
	Wire    Wire      `json:"wire"`
	// Former are identities that it has beside Wire until apply -retire, and Unswept the
	// members of which nothing shows that they have the new one.
	Former     []Wire    `json:"former,omitempty"`
	Unswept    []string  `json:"unswept,omitempty"`
	Role       string    `json:"role"` // waiting, backup, active, leaving, fault, drained
	Since      time.Time `json:"since"`
	Why        string    `json:"why"`
	Priority   Priority  `json:"priority"`
	AdvertMs   int64     `json:"advert_ms"`
	VIPs       []VIP     `json:"vips"`
	Peers      []Peer    `json:"peers"`
	Checks     []Tracked `json:"checks"`
	LastChange time.Time `json:"last_change,omitzero"`
	// Counters: adverts sent and accepted, transitions, and dropped packets by reason.
	Counters map[string]uint64 `json:"counters"`
}

// Group is a sync group: its instances are active together, or none of them is.
type Group struct {
	Address   plan.Addr   `json:"address"`
	Name      string      `json:"name"`
	Src       string      `json:"src,omitempty"`
	Instances []plan.Addr `json:"instances"`
	Role      string      `json:"role"` // as hooks have heard it
	Since     time.Time   `json:"since,omitzero"`
	Why       string      `json:"why,omitempty"`
}

// Wire is how the network sees an instance.
type Wire struct {
	Interface string         `json:"interface"`
	Family    plan.Family    `json:"family"`
	VRID      uint8          `json:"vrid"`
	Version   uint8          `json:"version"`
	Transport plan.Transport `json:"transport"`
	Group     netip.Addr     `json:"group,omitzero"` // of multicast, if it is not the usual one
	Source    netip.Addr     `json:"source,omitzero"`
}

// Priority and what it is made of.
type Priority struct {
	Configured uint8          `json:"configured"`
	Effective  uint8          `json:"effective"`
	Parts      []PriorityPart `json:"parts,omitempty"`
}

// PriorityPart is what one check adds to the priority at present.
type PriorityPart struct {
	Check plan.Addr `json:"check"`
	Delta int       `json:"delta"`
}

// VIP as the kernel has it.
type VIP struct {
	Address   netip.Prefix `json:"address"`
	Interface string       `json:"interface"`
	Present   bool         `json:"present"`
}

// Peer is a member, or a stranger that was heard.
type Peer struct {
	Node         string     `json:"node,omitempty"`
	Address      netip.Addr `json:"address"`
	LastAdvertMs *int64     `json:"last_advert_ms"` // age; nil: never heard
	Priority     uint8      `json:"priority"`       // as heard, else as planned
	Heard        bool       `json:"heard"`
	// Role is what the member says that it is, and Ready whether it would answer for the
	// addresses; empty: unknown.
	Role  string `json:"role,omitempty"`
	Ready *bool  `json:"ready,omitempty"`
}

// Tracked is a check as an instance sees it.
type Tracked struct {
	Address plan.Addr `json:"address"`
	State   string    `json:"state"`
	Weight  int       `json:"weight"`
}

// Check is a script and its last run.
type Check struct {
	Address    plan.Addr `json:"address"`
	State      string    `json:"state"` // unknown, up, down
	Since      time.Time `json:"since,omitzero"`
	Streak     int       `json:"streak"`                // runs in a row with the last result
	LastExit   *int      `json:"last_exit"`             // nil: has not ended yet; -1: killed
	LastOutput string    `json:"last_output,omitempty"` // its last bytes, cleaned
	LastError  string    `json:"last_error,omitempty"`  // timed out after 2s, not started: …
	LastRunMs  int64     `json:"last_run_ms"`
	LastEnd    time.Time `json:"last_end,omitzero"`
}

// Notify is the state of one notify's queues.
type Notify struct {
	Address   plan.Addr `json:"address"`
	Sent      uint64    `json:"sent"`
	Failed    uint64    `json:"failed"`
	Dropped   uint64    `json:"dropped"` // superseded by a newer state, or over the rate
	Pending   int       `json:"pending"`
	LastError string    `json:"last_error,omitempty"`
}

// Engine is how punctual the loop is.
type Engine struct {
	Scheduling    string  `json:"scheduling"` // "SCHED_RR 10", "nice -20 (no CAP_SYS_NICE)"
	LatenessMaxMs float64 `json:"lateness_max_ms"`
	Wakeups       uint64  `json:"wakeups"`
	AdvertsLate   uint64  `json:"adverts_late"` // by more than a tenth of their interval
}

// Socket counts what arrived on one socket pair.
type Socket struct {
	Interface string            `json:"interface"`
	Family    plan.Family       `json:"family"`
	Transport plan.Transport    `json:"transport"`
	Group     netip.Addr        `json:"group,omitzero"`  // of multicast, if it is not the usual one
	Source    netip.Addr        `json:"source,omitzero"` // of unicast
	AH        bool              `json:"ah,omitempty"`
	Received  uint64            `json:"received"`
	Dropped   map[string]uint64 `json:"dropped,omitempty"` // by reason
	Sent      uint64            `json:"sent"`
	// SendErrors counts adverts that did not leave; LastSendError is the last cause.
	SendErrors    uint64 `json:"send_errors,omitempty"`
	LastSendError string `json:"last_send_error,omitempty"`
}

// ApplyRequest is the body of POST /v1/plan. If-Match carries the digest that the plan
// was made against (planfile.NoBase on an empty daemon); ?dry_run=1 stops before
// anything changes.
type ApplyRequest struct {
	Plan      *planfile.Document `json:"plan"`
	MaxImpact diff.Class         `json:"max_impact,omitempty"`
	Allow     []string           `json:"allow,omitempty"`
	WaitMs    int64              `json:"wait_ms,omitempty"`    // how long to settle; 0: do not wait
	ConfirmMs int64              `json:"confirm_ms,omitempty"` // keep it only if a confirmation arrives within; 0: keep it
	Adopt     bool               `json:"adopt,omitempty"`      // take over addresses that are installed and not ours
	By        string             `json:"by,omitempty"`
	// Signed is a plan file as it was signed, and Signature its SSHSIG in armour. They
	// stand in the place of Plan.
	Signed    []byte `json:"signed,omitempty"`
	Signature string `json:"signature,omitempty"`
	// Takeover is the keepalived on this machine whose place the plan takes, with what it
	// has installed: it stands still from just before the commit on, and is killed when
	// the plan runs, or goes on if that cannot be. It is for the first plan of a daemon.
	Takeover *keepalived.Daemon `json:"takeover,omitempty"`
}

// RollbackRequest is the body of POST /v1/rollback.
type RollbackRequest struct {
	Serial    int        `json:"serial,omitempty"` // of the history; 0: the plan before
	MaxImpact diff.Class `json:"max_impact,omitempty"`
	Allow     []string   `json:"allow,omitempty"`
	WaitMs    int64      `json:"wait_ms,omitempty"`
	DryRun    bool       `json:"dry_run,omitempty"`
	By        string     `json:"by,omitempty"`
}

// RetireRequest is the body of POST /v1/retire. Allow has retire:NODE for each member that
// has the new identity by somebody's word.
type RetireRequest struct {
	Allow []string `json:"allow,omitempty"`
	By    string   `json:"by,omitempty"`
}

// Drain is a person's word that a node shall not hold addresses.
type Drain struct {
	Reason string    `json:"reason,omitempty"`
	By     string    `json:"by,omitempty"`
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until,omitzero"` // zero: until somebody takes it back
}

// DrainRequest is the body of POST /v1/drain, and of POST /v1/handover with To.
type DrainRequest struct {
	Reason string `json:"reason,omitempty"`
	ForMs  int64  `json:"for_ms,omitempty"` // 0: until hafile undrain
	Force  bool   `json:"force,omitempty"`  // though nobody is known to be able to take the addresses
	To     string `json:"to,omitempty"`     // the node that is to have them
	By     string `json:"by,omitempty"`
}

// UndrainRequest is the body of POST /v1/undrain.
type UndrainRequest struct {
	By string `json:"by,omitempty"`
}

// History is the answer of GET /v1/history: the plans that can be returned to, the newest
// first.
type History struct {
	Lineage   string       `json:"lineage"`
	Running   int          `json:"running"` // serial; 0: nothing
	ConfirmBy *time.Time   `json:"confirm_deadline,omitempty"`
	Plans     []PlanStatus `json:"plans"`
}

// Event is one JSON line of GET /v1/events and of the answer to POST /v1/plan.
type Event struct {
	Type string    `json:"type"` // snapshot, transition, check, kernel, step, note, result
	Time time.Time `json:"time"`

	Status     *Status      `json:"status,omitempty"`     // snapshot
	Transition *Transition  `json:"transition,omitempty"` // transition
	Check      *CheckChange `json:"check,omitempty"`      // check
	Step       *Step        `json:"step,omitempty"`       // step of an apply
	Result     *Result      `json:"result,omitempty"`     // result, the last line
	Message    string       `json:"message,omitempty"`
}

// Transition is a change of role.
type Transition struct {
	Instance plan.Addr `json:"instance,omitempty"` // empty: Group changed
	Group    plan.Addr `json:"group,omitempty"`    // the sync group, if it is about one
	Name     string    `json:"name"`
	From     string    `json:"from"`
	To       string    `json:"to"`
	Why      string    `json:"why"`
	Priority uint8     `json:"priority"`
}

// CheckChange is a check that has come up or gone down.
type CheckChange struct {
	Check plan.Addr `json:"check"`
	State string    `json:"state"`
}

// Step of an apply that has ended: prepare, commit, settle, or one part of them.
type Step struct {
	Phase   string  `json:"phase"`
	What    string  `json:"what"`
	OK      bool    `json:"ok"`
	TookMs  float64 `json:"took_ms"`
	Problem string  `json:"problem,omitempty"`
}

// Result ends an apply. Exit is the code of the table in docs/exit-codes.md.
type Result struct {
	Exit    int          `json:"exit"`
	Message string       `json:"message"`
	Serial  int          `json:"serial,omitempty"`
	Digest  string       `json:"digest,omitempty"`
	Summary diff.Summary `json:"summary,omitzero"`
}

// Problem is the body of every answer that is not 200.
type Problem struct {
	Exit    int    `json:"exit"`
	Code    string `json:"code"` // HA3001
	Summary string `json:"summary"`
	Detail  string `json:"detail,omitempty"` // ends in the next step
}

func (p *Problem) Error() string {
	if p.Detail == "" {
		return p.Summary
	}
	return p.Summary + ": " + p.Detail
}

// RunningPlan is the answer of GET /v1/plan; its ETag is the digest.
type RunningPlan struct {
	FormatVersion string     `json:"format_version"`
	Status        PlanStatus `json:"status"`
	Lineage       string     `json:"lineage"`
	Plan          *plan.Plan `json:"plan"`
}
