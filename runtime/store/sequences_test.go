package store

import (
	"fmt"
	"testing"
)

// What a router stored is there for the process that comes after a crash: nothing is
// closed here.
func TestNumbersOutliveTheProcess(t *testing.T) {
	dir := t.TempDir()
	open := func() *Sequences {
		t.Helper()
		run, err := OpenRun(dir)
		if err != nil {
			t.Fatal(err)
		}
		s, err := run.OpenSequences()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	last := func(s *Sequences, of string) uint64 {
		t.Helper()
		n, err := s.Last(of)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	s := open()
	s.Store("nobody asked", 3)
	if n := last(s, "web"); n != 0 {
		t.Errorf("a new router begins at %d", n)
	}
	last(s, "db")
	s.Store("web", 7)
	s.Store("db", 9)
	s = open()
	if n, m := last(s, "db"), last(s, "web"); n != 9 || m != 7 {
		t.Errorf("db %d, web %d", n, m)
	}
	for i := range slotsMax - 2 {
		last(s, fmt.Sprint(i))
	}
	if _, err := s.Last("one too many"); err == nil {
		t.Error("there is room for one more")
	}
	if n := last(open(), "web"); n != 7 {
		t.Errorf("a full house forgot web: %d", n)
	}
}
