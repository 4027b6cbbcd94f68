package plan

// Check is a script (a program that is run) or, in later releases, a probe that
// hafile makes itself.
type Check struct {
	Address Addr   `json:"address"`
	Name    string `json:"name"`
	Src     Src    `json:"src,omitzero"`

	Script *Script `json:"script,omitempty"`

	IntervalMs int64 `json:"interval_ms"`
	// TimeoutMs ends a run. It is at most the interval unless written: a run that
	// outlives the interval is followed at once by the next.
	TimeoutMs int64 `json:"timeout_ms"`
	Fall      int   `json:"fall"` // failures in a row until down, 1 or more
	Rise      int   `json:"rise"` // successes in a row until up, 1 or more
}

// DefaultCheck is what a script or check is before anything is written in it.
func DefaultCheck() Check {
	return Check{IntervalMs: 1000, TimeoutMs: 1000, Fall: 3, Rise: 2}
}

// Script is a program that is run as it is: no shell between.
type Script struct {
	Command []string `json:"command"`
	// User that runs it; not set: the user who runs the daemon's scripts (nobody is
	// root by accident, see Verify).
	User string            `json:"user,omitempty"`
	Env  map[string]string `json:"env,omitempty"`
}

// DetectMs is the longest time from the moment when what is checked dies until the
// check is down: up to an interval passes until the next run starts, and fall runs must
// fail. They start an interval apart, or one behind the other where a run may outlive
// the interval, and the last one may use its whole timeout.
func (c *Check) DetectMs() int64 {
	return c.IntervalMs + int64(c.Fall-1)*max(c.IntervalMs, c.TimeoutMs) + c.TimeoutMs
}
