package keepalived

import "fmt"

// Process is one of keepalived's. Start tells it from another one with its number.
type Process struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // in ticks of the kernel since the boot
}

// Daemon is a keepalived that runs.
type Daemon struct {
	Parent   Process   `json:"parent"`
	Children []Process `json:"children"`
	// Others counts the children that speak no VRRP: those of LVS and of BFD.
	Others int `json:"others,omitempty"`
}

// String names it for a person.
func (d *Daemon) String() string { return fmt.Sprintf("keepalived (process %d)", d.Parent.PID) }
