package plan

import "net/netip"

// Transport is how adverts travel.
type Transport string

const (
	Multicast Transport = "multicast"
	Unicast   Transport = "unicast"
)

// Instance is one VRRP virtual router as this node runs it.
type Instance struct {
	Address Addr `json:"address"`
	// Name is what hooks, mails and status call it; a converted instance keeps the
	// name it had in keepalived.conf even where that is no legal label.
	Name string `json:"name"`
	Src  Src    `json:"src,omitzero"`

	Interface string `json:"interface"`
	Family    Family `json:"family"`
	VRID      uint8  `json:"vrid"`     // 1..255
	Version   uint8  `json:"version"`  // 2 or 3
	Priority  uint8  `json:"priority"` // 1..254; 255 is the address owner's (RFC 9568, 5.2.4)
	// AdvertMs is the advert interval: 1000..255000 in whole seconds with version 2,
	// 10..40950 in whole centiseconds with version 3 (RFC 9568, 6.1).
	AdvertMs  int64     `json:"advert_ms"`
	Transport Transport `json:"transport"`
	// SourceAddress is the address that adverts come from; it decides ties. Not set:
	// the first address of the family on the interface.
	SourceAddress netip.Addr `json:"source_address,omitzero"`
	// Checksum of version 3 over IPv4: "rfc5798" with the pseudo header, as keepalived
	// and FRR send it, or "rfc9568" without.
	Checksum string `json:"checksum"`

	Preempt bool `json:"preempt"`
	// PreemptDelayMs is how long a backup waits before it takes over from an active
	// of lower priority. 0..1000000.
	PreemptDelayMs int64 `json:"preempt_delay_ms"`
	// StartDelayMs is how long the instance listens before its timers start.
	StartDelayMs int64 `json:"start_delay_ms"`
	// DownAdverts is how many missed adverts make a backup take over; 3 in every RFC.
	DownAdverts int `json:"down_adverts"`

	Auth     *Auth    `json:"auth,omitempty"`
	Members  []Member `json:"members,omitempty"`
	VIPs     []VIP    `json:"vips,omitempty"`
	Track    []Track  `json:"track,omitempty"`
	Notify   []Addr   `json:"notify,omitempty"`
	Announce Announce `json:"announce"`
}

// DefaultInstance is what an instance is before anything is written in it.
func DefaultInstance() Instance {
	return Instance{
		Family: IPv4, Version: 3, Priority: 100, AdvertMs: 1000,
		Transport: Multicast, Checksum: "rfc5798", Preempt: true, DownAdverts: 3,
		Announce: Announce{Repeat: 5, DelayMs: 5000, RefreshMs: 60000},
	}
}

// Announce is how an active tells the segment where the addresses are: every VIP
// Repeat times, once more as often after DelayMs, and once each RefreshMs (0: never).
type Announce struct {
	Repeat    int   `json:"repeat"`
	DelayMs   int64 `json:"delay_ms"`
	RefreshMs int64 `json:"refresh_ms"`
}

// Auth is VRRPv2 authentication as keepalived still speaks it (RFC 2338, 5.3.6).
type Auth struct {
	Type     string `json:"type"` // "pass"
	Password Secret `json:"password"`
}

// VIP is one virtual address: a host route is installed whatever prefix was written.
type VIP struct {
	Address netip.Prefix `json:"address"` // 172.29.88.222/32
	// Interface on which it is installed, if not the instance's own.
	Interface string `json:"interface,omitempty"`
	Src       Src    `json:"src,omitzero"`
}

// Track ties the state of a check to an instance's priority.
type Track struct {
	Check Addr `json:"check"`
	// Weight as in keepalived: below 0 it is added while the check is down, above 0
	// while it is up; -253..253. 0: no weight, a failure hands the addresses over.
	Weight int `json:"weight,omitempty"`
	Src    Src `json:"src,omitzero"`
}
