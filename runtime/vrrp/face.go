package vrrp

import (
	"net/netip"
	"time"

	"hafile/runtime/vrrp/wire"
)

// Face is one way in which a router appears on the wire. A router has one, and former
// ones beside it while an edit of its wire identity is swept through the group: all of
// them are one election.
type Face struct {
	// Segment is the caller's number for where the face is sent and heard: an interface,
	// family and transport. It goes with the face from one Spec to the next.
	Segment  uint8
	Version  uint8
	VRID     uint8
	Source   netip.Addr
	Interval time.Duration
	Auth     wire.AuthType
	Password wire.Password
	Checksum wire.ChecksumForm
}

// face is the current one at 0, and the former ones from 1 on.
func (s *Spec) face(k int) Face {
	if k > 0 {
		return s.Former[k-1]
	}
	return Face{
		Segment: s.Segment, Version: s.Version, VRID: s.VRID, Source: s.Source, Interval: s.Interval,
		Auth: s.Auth, Password: s.Password, Checksum: s.Checksum,
	}
}

func (s *Spec) faces() int { return 1 + len(s.Former) }

// Identity is the part of a face without which adverts of the one are not those of the
// other. Version 3 learns the interval; either form of the checksum is accepted.
func (f Face) Identity() Face {
	f.Source, f.Checksum = netip.Addr{}, 0
	if f.Version == 3 {
		f.Interval = 0
	}
	if f.Auth == wire.AuthNone {
		f.Password = wire.Password{}
	}
	return f
}

// find is where a face is among those of the spec.
func (s *Spec) find(f Face) (k int, there bool) {
	for k := range s.faces() {
		if s.face(k).Identity() == f.Identity() {
			return k, true
		}
	}
	return 0, false
}

// beat is the time between adverts: that of the fastest face, at which all are sent.
// Receivers count by the interval that each of them carries.
func (s *Spec) beat() time.Duration {
	least := s.Interval
	for i := range s.Former {
		least = min(least, s.Former[i].Interval)
	}
	return least
}

// slowest is the face with the longest down interval: what a router listens by that has
// not heard yet which of its faces is in use.
func (s *Spec) slowest(priority uint8) int {
	slow, longest := 0, time.Duration(0)
	for k := range s.faces() {
		f := s.face(k)
		if d := Down(f.Version, priority, f.Interval, s.DownAdverts); d > longest {
			slow, longest = k, d
		}
	}
	return slow
}

// recognize finds the face that an advert belongs to, or says what keeps it from
// belonging to the first that has its VRID.
func (s *Spec) recognize(segment uint8, a *Advert) (k int, reason Reason) {
	reason = wire.OK
	for k := range s.faces() {
		f := s.face(k)
		if f.Segment != segment || f.VRID != a.VRID {
			continue
		}
		wrong := f.mismatch(a)
		if wrong == wire.OK {
			return k, wire.OK
		}
		if reason == wire.OK {
			reason = wrong
		}
	}
	if reason == wire.OK { // the caller's mistake; nothing of it counts
		reason = wire.VersionMismatch
	}
	return 0, reason
}

// mismatch is what separates two groups that share a VRID. Version 3 has no
// authentication and learns the interval; version 2 drops another one.
func (f Face) mismatch(a *Advert) Reason {
	switch {
	case a.Version != f.Version:
		return wire.VersionMismatch
	case a.Version == 3:
		return wire.OK
	case a.Auth != f.Auth:
		return wire.AuthTypeMismatch
	case a.Auth == wire.AuthPass && !a.Password.Equal(f.Password):
		return wire.AuthFailed
	case a.Interval != f.Interval:
		return wire.IntervalMismatch
	}
	return wire.OK
}
