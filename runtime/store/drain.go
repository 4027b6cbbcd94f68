package store

import (
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// Drain is a person's word that this node shall not hold addresses. It outlives restarts.
type Drain struct {
	Reason string    `json:"reason,omitempty"`
	By     string    `json:"by,omitempty"`
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until,omitzero"` // zero: until somebody takes it back
}

// Drain is the one in force; nil if there is none. A damaged one counts as one: the node
// still takes addresses that nobody else has.
func (s *Store) Drain() *Drain {
	var d Drain
	raw, err := read(s.path("drain"))
	if err == nil {
		err = decode(raw, &d)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return &Drain{Reason: fmt.Sprintf("the record of the drain cannot be read (%v)", err)}
	}
	return &d
}

// SetDrain stores it before it takes effect; nil takes it back.
func (s *Store) SetDrain(d *Drain) error {
	if d != nil {
		if err := s.put("drain", d); err != nil {
			return fmt.Errorf("store the drain: %w", err)
		}
		return nil
	}
	if err := s.disk.remove(s.path("drain")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("take the drain back: %w", err)
	}
	return s.disk.sync(s.dir)
}
