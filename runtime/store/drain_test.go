package store

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A drain outlives a restart; a damaged one counts as one, with what is wrong for a reason.
func TestDrainIsKept(t *testing.T) {
	dir := t.TempDir()
	reopen := func() *Store {
		s, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	s := reopen()
	if s.Drain() != nil {
		t.Error("a new node is drained")
	}
	want := Drain{Reason: "disks", By: "anna", Since: time.Now().UTC().Truncate(time.Second)}
	if err := s.SetDrain(&want); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = reopen()
	if got := s.Drain(); got == nil || *got != want {
		t.Errorf("%+v", got)
	}
	if err := os.Truncate(filepath.Join(dir, "drain"), 20); err != nil {
		t.Fatal(err)
	}
	if got := s.Drain(); got == nil || got.Reason == "" || !got.Until.IsZero() {
		t.Errorf("damaged: %+v", got)
	}
	for range 2 {
		if err := s.SetDrain(nil); err != nil {
			t.Fatal(err)
		}
	}
	if s.Drain() != nil {
		t.Error("it is drained for ever")
	}
}
