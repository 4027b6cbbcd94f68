package vrrp

import (
	"net/netip"
	"time"

	"hafile/runtime/vrrp/wire"
)

// Advert is the message of RFC 9568, 5.
type Advert = wire.Advert

// Reason says why a packet was dropped.
type Reason = wire.Reason

// Owner is the priority of a router whose interface address is the virtual address.
const Owner = 255

// Spec is what a router is told to be. Its own fields are its current face on the wire.
type Spec struct {
	Segment  uint8 // see Face
	Version  uint8
	VRID     uint8
	Source   netip.Addr    // decides ties; see election.go
	Priority uint8         // configured, 1..255
	Interval time.Duration // between own adverts
	// DownAdverts is how many missed adverts make a backup take over.
	DownAdverts  int
	Preempt      bool
	PreemptDelay time.Duration
	StartDelay   time.Duration
	Auth         wire.AuthType
	Password     wire.Password
	// Sequence is behind which the numbers of a new router with AH begin.
	Sequence  uint32
	Checksum  wire.ChecksumForm
	Addresses []netip.Addr // in the order of the advert
	// Former are faces that the group may still use; see Face. A router with them sends
	// each advert as every one of its faces and listens to all.
	Former []Face
	// Signing is nil without signatures.
	Signing *Signing
	// Rival is the highest priority that another member can have, its checks counted in;
	// 0 if there is no other member or none is known. See the offer in doc.go.
	Rival uint8
	// Grouped: others are active with this router or not at all, and its owner decides
	// when; see sync groups in doc.go.
	Grouped bool
}

// Role is what a router is at present.
type Role uint8

const (
	Waiting Role = iota // not started, in its start delay, or stopped
	Backup
	Active
	Leaving // has said goodbye and holds its addresses for the successor
	Fault
)

var roleNames = [...]string{"waiting", "backup", "active", "leaving", "fault"}

func (r Role) String() string { return roleNames[r] }

// The waits of this package that no RFC names.
const (
	// goodbyes are sent at 0, 5 and 10 ms: one lost packet must not cost a down interval.
	goodbyeCount   = 3
	goodbyeSpacing = 5 * time.Millisecond
	// graceMax is how long the addresses stay after giving way. The new active adds and
	// announces them within about 2 ms of its first advert; the rest is for a busy host.
	graceMax = 20 * time.Millisecond
	// followAfter is how long the active members of a sync group wait for an advert each,
	// when one of them has given way: their successor sends all of them in one turn.
	followAfter = 20 * time.Millisecond
	// refusalMax is how long the kernel may refuse an address before the router yields.
	refusalMax = time.Second
	// refusalPause is how long the router then keeps away before it tries again.
	refusalPause = 30 * time.Second
	// adoptMin and adoptFactor cap an interval learned from others: an advert that
	// claims 40.95 s must not take a backup out of service for two minutes.
	adoptMin    = 10 * time.Second
	adoptFactor = 10
)
