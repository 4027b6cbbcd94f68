package plan

import "net/netip"

// HTTP asks for a page. Redirects are not followed.
type HTTP struct {
	URL    string `json:"url"`    // http or https, with a host
	Method string `json:"method"` // GET, HEAD or OPTIONS
	// Expect are the status codes that are good; empty: 200..299.
	Expect []int `json:"expect,omitempty"`
	// Contains is what the first 64 KiB of the answer must hold.
	Contains string            `json:"contains,omitempty"`
	Headers  map[string]string `json:"headers,omitempty"`
	// ServerName is asked for with TLS, if not the URL's host; CAFile replaces the system's
	// roots; Insecure takes any certificate.
	ServerName string `json:"server_name,omitempty"`
	CAFile     string `json:"ca_file,omitempty"`
	Insecure   bool   `json:"insecure,omitempty"`
}

// TCP opens a connection, and closes it.
type TCP struct {
	Address string `json:"address"` // HOST:PORT, the host an address
	// Send is written, and what comes back must hold Contains, within the timeout.
	Send     string `json:"send,omitempty"`
	Contains string `json:"contains,omitempty"`
}

// Process counts programs that run.
type Process struct {
	// Name is that of the program's file, or what the program calls itself.
	Name string `json:"name"`
	// Args must be the beginning of its arguments, if there are any.
	Args []string `json:"args,omitempty"`
	Min  int      `json:"min"`           // 0 with Max 0: it must not run
	Max  int      `json:"max,omitempty"` // 0: no limit, unless Min is 0 too
}

// File looks at a file. Without more it is up while the file exists.
type File struct {
	Path     string `json:"path"`
	Absent   bool   `json:"absent,omitempty"`   // up while there is none
	Contains string `json:"contains,omitempty"` // in its first 64 KiB
	MaxAgeMs int64  `json:"max_age_ms,omitempty"`
	// Value: the file holds a whole number, 0 if it is missing or no number. It multiplies
	// the weight; without a weight, another number than 0 is a failure.
	Value bool `json:"value,omitempty"`
}

// Ping sends an echo request.
type Ping struct {
	Address   netip.Addr `json:"address"`
	Interface string     `json:"interface,omitempty"` // by which it leaves; empty: as routed
}

// DNS asks a server for a name.
type DNS struct {
	Server string `json:"server"` // ADDRESS:PORT
	Name   string `json:"name"`
	Type   string `json:"type"` // A, AAAA, CNAME, MX, NS, PTR, SOA, SRV or TXT
	// Expect are answers, one of which must be there; empty: any.
	Expect []string `json:"expect,omitempty"`
}

// TrackedInterface is up while the link is up and has a carrier.
type TrackedInterface struct {
	Name  string `json:"name"`
	Netns string `json:"netns,omitempty"`
}

// TrackedRoute is up while the kernel has a route of exactly this prefix.
type TrackedRoute struct {
	To    netip.Prefix `json:"to"`
	Table uint32       `json:"table,omitempty"` // 0: MainTable
	Netns string       `json:"netns,omitempty"`
}

// TrackedInstance is up while the instance of this node is active.
type TrackedInstance struct {
	Address Addr `json:"address"`
}
