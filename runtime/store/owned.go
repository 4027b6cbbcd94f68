package store

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"hafile/lang/plan"
)

// Owned is what a daemon has installed as its own, for the process that comes after it.
// It is a hint: the kernel's mark on an address confirms it.
type Owned struct {
	Boot    string        `json:"boot"` // of the running kernel; a record of another boot means nothing
	Routers []OwnedRouter `json:"routers,omitempty"`
	// Adoptions counts starts in a row that took addresses over from a crashed process.
	Adoptions int `json:"adoptions,omitempty"`
}

// OwnedRouter is one virtual router with the addresses that it wanted last.
type OwnedRouter struct {
	Wire      plan.WireKey   `json:"wire"`
	Role      string         `json:"role"`
	Addresses []OwnedAddress `json:"addresses,omitempty"`
}

// OwnedAddress is one address on one interface.
type OwnedAddress struct {
	Interface string       `json:"interface"`
	Address   netip.Prefix `json:"address"`
	Label     string       `json:"label,omitempty"`
	Scope     string       `json:"scope,omitempty"`
}

// Run is the run directory.
type Run struct {
	dir  string
	boot string
	disk disk
}

// OpenRun makes the run directory if it is missing. It keeps its mode: the socket in it
// is for others too.
func OpenRun(dir string) (*Run, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("run directory: %w", err)
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return nil, fmt.Errorf("run directory: %w", err)
	}
	r := &Run{dir: dir, boot: strings.TrimSpace(string(boot)), disk: realDisk{}}
	return r, sweep(r.disk, dir)
}

// Owned is what the process before this one left. A damaged record and one of another
// boot are empty ones; Boot is empty then too, and the error gives the reason.
func (r *Run) Owned() (Owned, error) {
	raw, err := read(filepath.Join(r.dir, "owned"))
	if errors.Is(err, fs.ErrNotExist) {
		return Owned{}, nil
	}
	var o Owned
	if err == nil {
		err = decode(raw, &o)
	}
	if err != nil {
		return Owned{}, fmt.Errorf("the record of installed addresses: %w", err)
	}
	if o.Boot != r.boot {
		return Owned{}, nil
	}
	return o, nil
}

// SetOwned replaces the record. Nothing is synced to the disk for it: a record that a
// power cut takes is of no use afterwards.
func (r *Run) SetOwned(o Owned) error {
	o.Boot = r.boot
	raw, err := encode(o)
	if err != nil {
		return err
	}
	temp, path := filepath.Join(r.dir, tempPrefix+"owned"), filepath.Join(r.dir, "owned")
	if err := os.WriteFile(temp, raw, 0o600); err != nil {
		return err
	}
	return os.Rename(temp, path)
}
