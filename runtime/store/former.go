package store

import (
	"fmt"
	"net/netip"

	"hafile/lang/plan"
)

// Former is a wire identity that an instance had before an edit and keeps, until every
// member has the new one.
type Former struct {
	Of            plan.Addr    `json:"of"`
	Key           plan.WireKey `json:"key"`
	SourceAddress netip.Addr   `json:"source_address,omitzero"`
	AdvertMs      int64        `json:"advert_ms"`
	Checksum      string       `json:"checksum,omitempty"`
	AuthType      string       `json:"auth_type,omitempty"`
	Password      Password     `json:"password,omitempty"`
}

// Password is a resolved one. Every format verb hides it.
type Password string

func (p Password) String() string {
	if p == "" {
		return ""
	}
	return plan.Redacted
}

// GoString keeps %#v from showing it.
func (p Password) GoString() string { return p.String() }

// Amend replaces what is stored beside the current plan, which stays the same plan with
// the same serial. After an error the record before is still the current one. It panics
// if there is none, or if the plan differs.
func (s *Store) Amend(rec Record) error {
	if s.current == nil || rec.Serial != s.current.Serial || rec.Digest != s.current.Digest {
		panic("store: amend with another plan")
	}
	if err := s.put("current", &rec); err != nil {
		if err := s.takeBack(&rec, err); err != nil {
			return fmt.Errorf("store plan %d: %w", rec.Serial, err)
		}
	}
	s.current = &rec
	if err := s.remember(&rec); err != nil {
		s.note("plan %d is not in the history: %v", rec.Serial, err)
	}
	return nil
}
