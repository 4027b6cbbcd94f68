package vrrp

import (
	"net/netip"
	"time"
)

// Event is what happens to a router. Kind says which of the other fields count.
type Event struct {
	Kind EventKind

	Advert  *Advert    // Heard, Rejected; valid only during the step
	From    netip.Addr // Heard, Rejected
	Segment uint8      // Heard, Rejected: where; see Face
	Reason  Reason     // Rejected: why
	Wall    time.Time  // Heard: the time of day, by which signatures are judged

	Priority uint8  // Priority
	Failing  string // Failing: what failed, empty when nothing fails any more
	Release  bool   // Failing: nobody is better than this router while it does
	Away     string // Follow: what is active elsewhere, empty when nothing is
	Link     string // Link: what is wrong with the interface, empty when it is well

	Holding bool // Start: the addresses are installed, left by a process before this one
	Fresh   bool // Start: its last advert is younger than any peer's down interval

	Refusal string // Refused: what the kernel said
}

// EventKind tells events apart.
type EventKind uint8

const (
	// Start begins the protocol. It is for a new router, or one that is Gone.
	Start EventKind = iota + 1
	// Tick says that time has passed. Everything received before is stepped before it.
	Tick
	// Heard is an advert that the codec accepted.
	Heard
	// Rejected is a packet with this router's VRID that the codec refused. It is counted,
	// and may be a neighbour in a dialect that is not spoken here.
	Rejected
	// Priority sets the effective priority.
	Priority
	// Failing is a check without weight that fails, or does so no longer; or Drained.
	Failing
	// Link is the state of the interface.
	Link
	// Join makes a grouped router active that is Ready, or takes back a departure that
	// Follow began: all others of its group are ready, or active.
	Join
	// Follow has an active of a group go where one of its others has gone.
	Follow
	// Installed says that the kernel has all addresses of this router. The first one
	// after a Claim or a refusal is answered with Announce; what is put back later, or
	// added by a new Spec, the caller announces by itself.
	Installed
	// Refused says that the kernel refuses one of them.
	Refused
	// Frozen says that the process stood still for longer than a down interval; it comes
	// before anything that was received meanwhile.
	Frozen
	// Stop asks the router to leave; it is gone when its role is Waiting.
	Stop
)

// Drained is what fails where nothing does, and a person wants the addresses elsewhere.
const Drained = "drained"

// unfit says what keeps a router from being a candidate, and fit that it does so no longer.
func unfit(what string) string {
	if what == Drained {
		return Drained
	}
	return what + " fails"
}

func fit(what string) string {
	if what == Drained {
		return "drained no longer"
	}
	return what + " works again"
}

// Effect is something to do, in the order in which it is listed.
type Effect struct {
	Kind EffectKind

	Priority uint8  // Send: what the advert carries; 0 is goodbye
	Face     int    // Send: as which face; 0 is the current one
	From, To Role   // Change
	Why      string // Change
}

// EffectKind tells effects apart.
type EffectKind uint8

const (
	// Send one advert with the priority of the effect, as one face. Former faces come
	// first: a member that knows the old one only must hear it before a stranger.
	Send EffectKind = iota + 1
	// Claim: the addresses are wanted from now on. Claim and Yield take turns.
	Claim
	// Yield: they are wanted no longer.
	Yield
	// Announce every address, because it has just come up or because somebody contended.
	Announce
	// Change of role.
	Change
)
