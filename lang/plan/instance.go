package plan

import "net/netip"

// Transport is how adverts travel.
type Transport string

const (
	Multicast Transport = "multicast"
	Unicast   Transport = "unicast"
)

// What an active does with its addresses, and a check with them: see Instance.Lease,
// Instance.Release and Check.OnFail.
const (
	LeaseHandover = "handover" // lapses within 100 ms after the peers' takeover
	LeaseStrict   = "strict"   // lapses before it: never two owners
	LeaseKeep     = "keep"     // there is none

	ReleaseHandOver = "hand_over" // answer until the successor's first advert
	ReleaseAtOnce   = "at_once"   // where two writers would be worse than nobody

	OnFailHandOver = "hand_over" // the last candidate stays active, and says so
	OnFailRelease  = "release"   // nobody is better than this node
)

// Instance is one VRRP virtual router as this node runs it.
type Instance struct {
	Address Addr `json:"address"`
	// Name is what hooks, mails and status call it; a converted instance keeps the
	// name it had in keepalived.conf even where that is no legal label.
	Name string `json:"name"`
	Src  Src    `json:"src,omitzero"`
	Via  Via    `json:"via,omitempty"`

	Interface string `json:"interface"`
	// Netns is the network namespace that holds the interface, as ip netns names it;
	// empty: the daemon's own.
	Netns    string `json:"netns"`
	Family   Family `json:"family"`
	VRID     uint8  `json:"vrid"`     // 1..255
	Version  uint8  `json:"version"`  // 2 or 3
	Priority uint8  `json:"priority"` // 1..254; 255 is the address owner's (RFC 9568, 5.2.4)
	// AdvertMs is the advert interval: 1000..255000 in whole seconds with version 2,
	// 10..40950 in whole centiseconds with version 3 (RFC 9568, 6.1).
	AdvertMs  int64     `json:"advert_ms"`
	Transport Transport `json:"transport"`
	// MulticastGroup replaces 224.0.0.18 or ff02::12.
	MulticastGroup netip.Addr `json:"multicast_group,omitzero"`
	// TTL of unicast adverts, and which of the peers' are taken, all 0..255. Multicast
	// sends 255 and takes nothing else (RFC 9568, 5.1.1.3).
	TTL    uint8 `json:"ttl"`
	MinTTL uint8 `json:"min_ttl"`
	MaxTTL uint8 `json:"max_ttl"`
	// SourceAddress is the address that adverts come from; it decides ties. Not set:
	// the first address of the family on the interface.
	SourceAddress netip.Addr `json:"source_address,omitzero"`
	// Checksum of version 3 over IPv4: "rfc5798" with the pseudo header, as keepalived
	// and FRR send it, or "rfc9568" without.
	Checksum string `json:"checksum"`

	// VirtualMAC: the addresses answer from 00-00-5E-00-01-VRID, or -02- with IPv6
	// (RFC 9568, 7.3), on a macvlan.
	VirtualMAC bool `json:"virtual_mac"`
	// Accept: the active takes packets for the addresses although it does not own them
	// (RFC 9568, 6.1: Accept_Mode).
	Accept bool `json:"accept"`
	// Lease is what happens to the addresses of a node that no longer sends adverts:
	// "handover", "strict" or "keep".
	Lease string `json:"lease"`
	// Release is how an active leaves on purpose: "hand_over" or "at_once".
	Release string `json:"release"`

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
	Routes   []Route  `json:"routes,omitempty"`
	Rules    []Rule   `json:"rules,omitempty"`
	Track    []Track  `json:"track,omitempty"`
	Notify   []Addr   `json:"notify,omitempty"`
	Announce Announce `json:"announce"`

	// PreventRelease: an edit that takes addresses away needs the operator's word for
	// each. The running plan's value counts, so that to delete the block is no way round.
	PreventRelease bool   `json:"prevent_release"`
	Guard          *Guard `json:"guard,omitempty"`
}

// DefaultInstance is what an instance is before anything is written in it.
func DefaultInstance() Instance {
	return Instance{
		Family: IPv4, Version: 3, Priority: 100, AdvertMs: 1000,
		Transport: Multicast, TTL: 255, MaxTTL: 255, Checksum: "rfc5798", Preempt: true, DownAdverts: 3,
		Accept: true, Lease: LeaseHandover, Release: ReleaseHandOver,
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

// Peers are the addresses of the other members: where unicast adverts go, and whose are
// taken. A member without an address of the family is left out.
func (i *Instance) Peers(node string) []netip.Addr {
	var peers []netip.Addr
	for _, m := range i.Members {
		if m.Node != node && m.Address.IsValid() {
			peers = append(peers, m.Address)
		}
	}
	return peers
}

// VIP is one virtual address: a host route is installed whatever prefix was written,
// unless InstallPrefix says so.
type VIP struct {
	Address netip.Prefix `json:"address"` // 172.29.88.222/32, always the whole address
	// Interface on which it is installed, if not the instance's own.
	Interface string `json:"interface,omitempty"`
	// InstallPrefix is the length with which it is installed; 0: the whole address.
	InstallPrefix int `json:"install_prefix,omitempty"`
	// Label of the address, up to 15 bytes and beginning with the interface; IPv4 only.
	Label string `json:"label,omitempty"`
	// Scope is "link" or "host"; empty: global. IPv4 only.
	Scope string `json:"scope,omitempty"`
	// Unadvertised: installed with the others, and in no advert.
	Unadvertised bool `json:"unadvertised,omitempty"`
	Src          Src  `json:"src,omitzero"`
	Via          Via  `json:"via,omitempty"`
}

// Track ties the state of a check to an instance's priority.
type Track struct {
	Check Addr `json:"check"`
	// Weight as in keepalived: below 0 it is added while the check is down, above 0
	// while it is up; -253..253. 0: no weight, a failure hands the addresses over.
	Weight int `json:"weight,omitempty"`
	// Reverse turns it round: the sign of what is added, and without weight the check
	// fails while it is up.
	Reverse bool `json:"reverse,omitempty"`
	Src     Src  `json:"src,omitzero"`
	Via     Via  `json:"via,omitempty"`
}

// Guard is what the daemon asks before it takes a plan that touches the instance: a
// closed list, not code. What is not known of a peer fails the guard.
type Guard struct {
	MinLivePeers int `json:"min_live_peers,omitempty"`
	// NotWhileFlappingMs: no change of role within this time.
	NotWhileFlappingMs int64 `json:"not_while_flapping_ms,omitempty"`
	// Window is when it may happen, "22:00-04:00" in the node's time; empty: always.
	Window string `json:"window,omitempty"`
	// RequireBackupReady: another member is up and would take the addresses.
	RequireBackupReady bool `json:"require_backup_ready,omitempty"`
}
