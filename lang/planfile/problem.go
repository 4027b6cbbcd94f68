package planfile

// The codes of what keeps a plan from being applied. They never change their meaning.
const (
	CodeOtherNode      = "HA3001"
	CodeOtherDaemon    = "HA3002"
	CodeAlreadyApplied = "HA3003"
	CodeImpact         = "HA3004" // above what -max-impact allows
	CodeConfigMoved    = "HA3005"
	CodeRoleMoved      = "HA3006"
	CodePeersMoved     = "HA3007"
	CodeExpired        = "HA3008"
	CodeInlineSecret   = "HA3009" // a secret would be, or was left out of, the file
	CodeUnreadable     = "HA3010" // not a plan file, or damaged
	CodeOtherFormat    = "HA3011" // of a release that this one does not understand
	CodeHeld           = "HA3012" // prevent_release in the running plan
)

// The exit codes that this package answers with; docs/exit-codes.md has all of them.
const (
	ExitDone    = 0
	ExitError   = 1
	ExitRefused = 4
	ExitStale   = 5
	ExitNode    = 6
)

// Problem is one reason why a plan cannot be read, written or applied. Detail ends in
// what to do.
type Problem struct {
	Code    string `json:"code"`
	Exit    int    `json:"exit"`
	Summary string `json:"summary"`
	Detail  string `json:"detail,omitempty"`
}

func (p *Problem) Error() string {
	if p.Detail == "" {
		return p.Summary
	}
	return p.Summary + ": " + p.Detail
}
