package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"hafile/runtime/keepalived"
)

// standing is the record of a predecessor that stands still while a plan takes its place:
// a process that dies in between leaves it for the one that comes after.
type standing struct {
	Boot   string             `json:"boot"`
	Daemon *keepalived.Daemon `json:"daemon,omitempty"`
}

// Standing is the predecessor that stands still; nil if there is none.
func (r *Run) Standing() (*keepalived.Daemon, error) {
	raw, err := read(filepath.Join(r.dir, "standing"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var s standing
	if err == nil {
		err = decode(raw, &s)
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("the record of a takeover: %w", err)
	case s.Boot != r.boot:
		return nil, nil
	}
	return s.Daemon, nil
}

// SetStanding replaces the record; nil ends it.
func (r *Run) SetStanding(d *keepalived.Daemon) error {
	temp, path := filepath.Join(r.dir, tempPrefix+"standing"), filepath.Join(r.dir, "standing")
	if d == nil {
		if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	raw, err := encode(standing{Boot: r.boot, Daemon: d})
	if err != nil {
		return err
	}
	if err := os.WriteFile(temp, raw, 0o600); err != nil {
		return err
	}
	return os.Rename(temp, path)
}
