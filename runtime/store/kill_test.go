package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// The claim: a daemon that is killed at any byte of an apply, or a machine that loses
// power there, starts with the plan before or with the plan after, whole, and without
// asking anybody. The method: record what an apply does to the disk, then play every
// prefix of it, each write cut at every byte, into a copy of the directory and start.

type op struct {
	what     string // write, rename, remove, sync
	path, to string
	data     []byte
}

// recorder is a disk that does and notes.
type recorder struct {
	realDisk
	ops []op
}

func (r *recorder) write(path string, data []byte) error {
	r.ops = append(r.ops, op{what: "write", path: path, data: data})
	return r.realDisk.write(path, data)
}

func (r *recorder) rename(from, to string) error {
	r.ops = append(r.ops, op{what: "rename", path: from, to: to})
	return r.realDisk.rename(from, to)
}

func (r *recorder) remove(path string) error {
	r.ops = append(r.ops, op{what: "remove", path: path})
	return r.realDisk.remove(path)
}

func (r *recorder) sync(dir string) error {
	r.ops = append(r.ops, op{what: "sync", path: dir})
	return r.realDisk.sync(dir)
}

// applyOps is what the apply of plan n+1 does to a directory with n plans.
func applyOps(t *testing.T, n int) []op {
	t.Helper()
	dir := stored(t, n)
	r := &recorder{}
	s, err := open(dir, r)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r.ops = nil
	apply(t, s, planNo(n+1))
	for i := range r.ops {
		r.ops[i].path, _ = filepath.Rel(dir, r.ops[i].path)
		if r.ops[i].to != "" {
			r.ops[i].to, _ = filepath.Rel(dir, r.ops[i].to)
		}
	}
	return r.ops
}

func play(t *testing.T, dir string, o op, cut int) {
	t.Helper()
	var err error
	path := filepath.Join(dir, o.path)
	switch o.what {
	case "write":
		err = os.WriteFile(path, o.data[:cut], 0o600)
	case "rename":
		err = os.Rename(path, filepath.Join(dir, o.to))
	case "remove":
		if err = os.Remove(path); os.IsNotExist(err) {
			err = nil
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

func copyDir(t *testing.T, from string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "state")
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// startsSound opens the directory and wants plan before or plan after, without a note.
func startsSound(t *testing.T, dir, when string, before, after int) {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	defer s.Close()
	serial := 0
	if s.Current() != nil {
		serial = s.Current().Serial
	}
	if serial != before && serial != after {
		t.Fatalf("%s: plan %d runs", when, serial)
	}
	if len(s.Notes()) != 0 {
		t.Fatalf("%s: notes %q", when, s.Notes())
	}
}

func TestKillAtEveryByteOfAnApply(t *testing.T) {
	for _, plans := range []int{0, 1, HistoryMax} {
		ops := applyOps(t, plans)
		base := stored(t, plans)
		dir := copyDir(t, base)
		for i, o := range ops {
			step := max(1, len(o.data)/64) // every byte is sampled below on one file
			if plans == 1 && i == 0 {
				step = 1
			}
			for cut := 0; o.what == "write" && cut < len(o.data); cut += step {
				play(t, dir, o, cut)
				startsSound(t, copyDir(t, dir), fmt.Sprintf("%d plans, op %d %s %s cut at %d", plans, i, o.what, o.path, cut), plans, plans+1)
			}
			play(t, dir, o, len(o.data))
			startsSound(t, copyDir(t, dir), fmt.Sprintf("%d plans, after op %d %s %s", plans, i, o.what, o.path), plans, plans+1)
		}
	}
}

// A power cut may also take names back that were exchanged since the last sync of the
// directory. Content is never lost: write syncs it before any name points to it.
func TestPowerCutBeforeADirectoryIsSynced(t *testing.T) {
	ops := applyOps(t, 1)
	for end := range ops {
		dir := copyDir(t, stored(t, 1))
		for i, o := range ops[:end+1] {
			synced := false
			for _, later := range ops[i+1 : end+1] {
				synced = synced || later.what == "sync"
			}
			if o.what == "write" || synced {
				play(t, dir, o, len(o.data))
			}
		}
		startsSound(t, dir, fmt.Sprintf("power cut after op %d", end), 1, 2)
	}
}

// failing is a disk on which the nth operation of a kind fails.
type failing struct {
	realDisk
	what string
	left int
}

var errDisk = errors.New("input/output error")

func (f *failing) fails(what string) bool {
	if what != f.what {
		return false
	}
	f.left--
	return f.left == 0
}

func (f *failing) write(path string, data []byte) error {
	if f.fails("write") {
		_ = os.WriteFile(path, data[:len(data)/2], 0o600) // disk full
		return errDisk
	}
	return f.realDisk.write(path, data)
}

func (f *failing) rename(from, to string) error {
	if f.fails("rename") {
		return errDisk
	}
	return f.realDisk.rename(from, to)
}

func (f *failing) sync(dir string) error {
	if f.fails("sync") {
		return errDisk
	}
	return f.realDisk.sync(dir)
}

// Operations of an apply: write, rename and sync for next; rename and sync for current;
// write, rename and sync for the history.
func TestFailingDiskLeavesThePlanBefore(t *testing.T) {
	for _, c := range []struct {
		what string
		nth  int
		ok   bool
	}{
		{"write", 1, false}, {"rename", 1, false}, {"sync", 1, false},
		{"rename", 2, false}, {"sync", 2, false},
		{"write", 2, true}, {"rename", 3, true}, {"sync", 3, true}, // the history only
	} {
		t.Run(fmt.Sprintf("%s %d", c.what, c.nth), func(t *testing.T) {
			dir := stored(t, 1)
			d := &failing{}
			s, err := open(dir, d)
			if err != nil {
				t.Fatal(err)
			}
			d.what, d.left = c.what, c.nth
			if err = s.Stage(planNo(2)); err == nil {
				err = s.Promote()
			}
			if (err == nil) != c.ok {
				t.Fatalf("got %v", err)
			}
			want := map[bool]int{true: 2, false: 1}[c.ok]
			if s.Current().Serial != want {
				t.Errorf("in memory plan %d", s.Current().Serial)
			}
			s.Close()
			startsSound(t, dir, "afterwards", want, want)
		})
	}
}

// A disk that fails from some operation of an apply on, for good: what the store says is
// what the next start finds.
func TestDiskThatGoesOnFailing(t *testing.T) {
	for _, plans := range []int{0, 1} {
		for first := range len(applyOps(t, plans)) {
			dir := stored(t, plans)
			d := &dying{left: 1 << 20}
			s, err := open(dir, d)
			if err != nil {
				t.Fatal(err)
			}
			d.left = first
			if err = s.Stage(planNo(plans + 1)); err == nil {
				err = s.Promote()
			}
			serial := plans
			if err == nil {
				serial++
			}
			if got := s.Current(); got == nil && serial > 0 || got != nil && got.Serial != serial {
				t.Errorf("operation %d of plan %d: error %v, and %+v is current", first, plans+1, err, got)
			}
			s.Close()
			startsSound(t, dir, fmt.Sprintf("operation %d of plan %d, error %v", first, plans+1, err), serial, serial)
		}
	}
}

// dying is a disk that does so many operations and no more.
type dying struct {
	realDisk
	left int
}

func (d *dying) fails() bool {
	d.left--
	return d.left < 0
}

func (d *dying) write(path string, data []byte) error {
	if d.fails() {
		_ = os.WriteFile(path, data[:len(data)/2], 0o600)
		return errDisk
	}
	return d.realDisk.write(path, data)
}

func (d *dying) rename(from, to string) error {
	if d.fails() {
		return errDisk
	}
	return d.realDisk.rename(from, to)
}

func (d *dying) remove(path string) error {
	if d.fails() {
		return errDisk
	}
	return d.realDisk.remove(path)
}

func (d *dying) sync(dir string) error {
	if d.fails() {
		return errDisk
	}
	return d.realDisk.sync(dir)
}
