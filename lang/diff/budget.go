package diff

import "hafile/lang/plan"

// Budget is how long the clients of an instance's VIPs may wait when one member fails
// and the next takes over, from the VRRP timers (RFC 9568, 6.1).
type Budget struct {
	Instance plan.Addr `json:"instance"`
	From     string    `json:"from"` // the node that fails
	To       string    `json:"to"`   // the node that takes over
	// Checks has a row for each tracked check that can move the VIP.
	Checks []CheckBudget `json:"checks,omitempty"`
	// DownMs: machine or link dies: DownAdverts × interval + skew of the successor.
	DownMs int64 `json:"down_ms"`
	// GracefulMs: stop, drain, reboot: what new connections wait. 0 while the leaving
	// node answers until its successor's first advert.
	GracefulMs int64 `json:"graceful_ms"`
}

// CheckBudget is the time from the death of what a check watches to the takeover.
type CheckBudget struct {
	Check      plan.Addr `json:"check"`
	DetectMs   int64     `json:"detect_ms"`
	TakeoverMs int64     `json:"takeover_ms"`
	// Moves is false when the check cannot move the VIP: its weight is too small.
	Moves bool `json:"moves"`
}
