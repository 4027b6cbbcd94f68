package plan

// Check is one thing whose state counts: a script (a program that is run), a probe that
// hafile makes itself, or something of this node that is watched. Exactly one of its
// kinds is set. What is tracked without a block of its own has an address made of its
// kind and name, such as interface.bond1.
type Check struct {
	Address Addr   `json:"address"`
	Name    string `json:"name"`
	Src     Src    `json:"src,omitzero"`
	Via     Via    `json:"via,omitempty"`

	Script  *Script  `json:"script,omitempty"`
	HTTP    *HTTP    `json:"http,omitempty"`
	TCP     *TCP     `json:"tcp,omitempty"`
	Process *Process `json:"process,omitempty"`
	File    *File    `json:"file,omitempty"`
	Ping    *Ping    `json:"ping,omitempty"`
	DNS     *DNS     `json:"dns,omitempty"`

	// Watched by events and not by probes: interval, timeout, fall and rise are of no use.
	Interface *TrackedInterface `json:"interface,omitempty"`
	Route     *TrackedRoute     `json:"route,omitempty"`
	Instance  *TrackedInstance  `json:"instance,omitempty"`

	IntervalMs int64 `json:"interval_ms"`
	// TimeoutMs ends a run. It is at most the interval unless written: a run that
	// outlives the interval is followed at once by the next.
	TimeoutMs int64 `json:"timeout_ms"`
	Fall      int   `json:"fall"` // failures in a row until down, 1 or more
	Rise      int   `json:"rise"` // successes in a row until up, 1 or more

	// OnFail is what a failure does where the check is tracked without a weight:
	// "hand_over" or "release".
	OnFail string `json:"on_fail"`
}

// DefaultCheck is what a script or check is before anything is written in it.
func DefaultCheck() Check {
	return Check{IntervalMs: 1000, TimeoutMs: 1000, Fall: 3, Rise: 2, OnFail: OnFailHandOver}
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
	if c.Watched() {
		return 0
	}
	return c.IntervalMs + int64(c.Fall-1)*max(c.IntervalMs, c.TimeoutMs) + c.TimeoutMs
}

// Watched reports whether the kernel tells of a change at once, so that nothing is asked.
func (c *Check) Watched() bool { return c.Interface != nil || c.Route != nil || c.Instance != nil }

// Kinds names the kinds that are set, in the words of the language.
func (c *Check) Kinds() []string {
	var kinds []string
	for _, k := range []struct {
		name string
		set  bool
	}{
		{"script", c.Script != nil}, {"http", c.HTTP != nil}, {"tcp", c.TCP != nil}, {"process", c.Process != nil},
		{"file", c.File != nil}, {"ping", c.Ping != nil}, {"dns", c.DNS != nil},
		{"interface", c.Interface != nil}, {"route", c.Route != nil}, {"instance", c.Instance != nil},
	} {
		if k.set {
			kinds = append(kinds, k.name)
		}
	}
	return kinds
}
