package store

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"hafile/lang/plan"
)

// HistoryMax is how many plans are kept, the current one among them.
const HistoryMax = 20

// Secrets are resolved values by their reference ("credential(\"vrrp\")"). Every format
// verb shows the references only.
type Secrets map[string]string

// String lists the references.
func (s Secrets) String() string { return strings.Join(slices.Sorted(maps.Keys(s)), ", ") }

// GoString keeps %#v from showing the values.
func (s Secrets) GoString() string { return s.String() }

// Record is a plan as it was applied.
type Record struct {
	Serial  int        `json:"serial"` // 1 for the first plan of a lineage
	Digest  string     `json:"digest"`
	By      string     `json:"by,omitempty"`
	When    time.Time  `json:"when"`
	Lineage string     `json:"lineage"`
	Plan    *plan.Plan `json:"plan"`
	// Secrets are pinned: a restart uses what was resolved at apply, so that a file
	// changed meanwhile does not split a pair at the next reboot.
	Secrets Secrets `json:"secrets,omitempty"`
	// Former are identities on the wire that the plan's instances still have beside
	// their own.
	Former []Former `json:"former,omitempty"`
}

// Entry is one line of the history.
type Entry struct {
	Serial int       `json:"serial"`
	Digest string    `json:"digest"`
	By     string    `json:"by,omitempty"`
	When   time.Time `json:"when"`
}

// Store is the state directory, opened by the one daemon that holds its lock. It is not
// for concurrent use.
type Store struct {
	dir     string
	disk    disk
	lock    *os.File
	lineage string
	current *Record
	next    *Record
	serial  int // of the newest plan that is known to have existed
	notes   []string
}

// ErrLocked: another daemon uses the state directory.
var ErrLocked = errors.New("another hafile daemon uses this state directory")

// Open takes the directory, makes it at the first start, and reads the plan that was
// current. What was found damaged, and what was done about it, is in [Store.Notes].
func Open(dir string) (*Store, error) { return open(dir, realDisk{}) }

func open(dir string, d disk) (*Store, error) {
	for _, sub := range []string{dir, filepath.Join(dir, "history")} {
		if err := privateDir(sub); err != nil {
			return nil, fmt.Errorf("state directory: %w", err)
		}
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	s := &Store{dir: dir, disk: d, lock: lock}
	if err := s.load(); err != nil {
		lock.Close()
		return nil, fmt.Errorf("state directory %s: %w", dir, err)
	}
	return s, nil
}

// lockDir holds the lock until the file is closed, which a kill does too. The file keeps
// the process id for people.
func lockDir(dir string) (*os.File, error) {
	path := filepath.Join(dir, "lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		holder := make([]byte, 20)
		n, _ := f.Read(holder)
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w (%s, pid %s)", ErrLocked, dir, strings.TrimSpace(string(holder[:n])))
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	_ = f.Truncate(0)
	_, _ = fmt.Fprintf(f, "%d\n", os.Getpid())
	return f, nil
}

func (s *Store) load() error {
	for _, dir := range []string{s.dir, s.path("history")} {
		if err := sweep(s.disk, dir); err != nil {
			return err
		}
	}
	kept, err := s.serials()
	if err != nil {
		return err
	}
	if len(kept) > 0 {
		s.serial = kept[len(kept)-1]
	}
	if err := s.loadCurrent(kept); err != nil {
		return err
	}
	if s.current != nil {
		s.serial = max(s.serial, s.current.Serial)
	}
	return s.loadLineage()
}

// loadCurrent falls back to the newest sound plan of the history. Where nothing at all
// was ever stored there is nothing to say.
func (s *Store) loadCurrent(kept []int) error {
	rec, err := readRecord(s.path("current"))
	switch {
	case err == nil:
		s.current = rec
		s.keep(rec, kept)
		return nil
	case errors.Is(err, fs.ErrNotExist) && len(kept) == 0:
		return nil
	case !errors.Is(err, errDamaged) && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	s.note("the current plan cannot be used (%v)", err)
	s.serial++ // the lost plan may have been newer than all that are kept
	for _, serial := range slices.Backward(kept) {
		rec, err := s.Load(serial)
		if err != nil {
			s.note("plan %d of the history cannot be used (%v)", serial, err)
			continue
		}
		s.note("running plan %d of %s instead", rec.Serial, rec.When.Format(time.RFC3339))
		s.current = rec
		return s.put("current", rec)
	}
	s.note("no sound plan is left: running nothing; apply one")
	return nil
}

// keep writes a history entry that a kill prevented after the plan became current.
func (s *Store) keep(rec *Record, kept []int) {
	if slices.Contains(kept, rec.Serial) {
		return
	}
	if err := s.remember(rec); err != nil {
		s.note("plan %d is not in the history: %v", rec.Serial, err)
	}
}

type lineageRecord struct {
	Lineage string `json:"lineage"`
}

// loadLineage takes a lost lineage from the plan, which carries it too.
func (s *Store) loadLineage() error {
	var l lineageRecord
	raw, err := read(s.path("lineage"))
	if err == nil {
		err = decode(raw, &l)
	}
	switch {
	case err == nil && l.Lineage != "":
		s.lineage = l.Lineage
		return nil
	case err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errDamaged):
		return err
	case s.current != nil && s.current.Lineage != "":
		s.note("the lineage was lost; the plan has it")
		s.lineage = s.current.Lineage
	default:
		if !errors.Is(err, fs.ErrNotExist) {
			s.note("the lineage was lost and is made anew: plans made before do not fit any more")
		}
		s.lineage = newLineage()
	}
	return s.put("lineage", lineageRecord{s.lineage})
}

func newLineage() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

func (s *Store) note(format string, args ...any) {
	s.notes = append(s.notes, fmt.Sprintf(format, args...))
}

// Notes says in words what was damaged and what runs instead, or what could not be kept,
// since the last call; nil if all is well.
func (s *Store) Notes() []string {
	notes := s.notes
	s.notes = nil
	return notes
}

// Lineage was made at the first start.
func (s *Store) Lineage() string { return s.lineage }

// Current is the plan that runs; nil if there is none.
func (s *Store) Current() *Record { return s.current }

// NextSerial is what the next plan gets. No serial is given twice in a lineage.
func (s *Store) NextSerial() int { return s.serial + 1 }

// Stage writes the plan that is about to be committed. A start ignores it. The serial
// and the lineage are set here.
func (s *Store) Stage(rec *Record) error {
	rec.Serial, rec.Lineage = s.NextSerial(), s.lineage
	if err := s.put("next", rec); err != nil {
		return fmt.Errorf("store plan %d: %w", rec.Serial, err)
	}
	s.next = rec
	return nil
}

// Drop forgets the staged plan.
func (s *Store) Drop() {
	s.next = nil
	_ = s.disk.remove(s.path("next"))
}

// Promote makes the staged plan the current one. After an error the plan before is
// still, or again, the current one: what it returns agrees with what a start would find.
// It panics if nothing is staged.
func (s *Store) Promote() error {
	if s.next == nil {
		panic("store: promote without a staged plan")
	}
	rec := s.next
	s.next = nil
	if err := s.disk.rename(s.path("next"), s.path("current")); err != nil {
		return fmt.Errorf("make plan %d current: %w", rec.Serial, err)
	}
	if err := s.disk.sync(s.dir); err != nil {
		if err := s.takeBack(rec, err); err != nil {
			return fmt.Errorf("make plan %d current: %w", rec.Serial, err)
		}
	}
	s.current, s.serial = rec, rec.Serial
	if err := s.remember(rec); err != nil {
		s.note("plan %d is not in the history: %v", rec.Serial, err)
	}
	return nil
}

// takeBack is for a record that has its name and was perhaps not made durable. It returns
// why if the record before is the current one again. A disk on which that fails, too,
// leaves the new one in place: a start would find it, and so it counts.
func (s *Store) takeBack(rec *Record, why error) error {
	err := s.restore()
	if err == nil || !s.finds(rec) {
		return errors.Join(why, err)
	}
	s.note("plan %d is stored, but the machine may have forgotten it after a power cut (%v)", rec.Serial, why)
	return nil
}

// finds reports whether a start would find this record.
func (s *Store) finds(rec *Record) bool {
	raw, err := read(s.path("current"))
	want, wrong := encode(rec)
	return err == nil && wrong == nil && bytes.Equal(raw, want)
}

// restore puts the plan before back where a name was exchanged but not made durable.
func (s *Store) restore() error {
	if s.current == nil {
		return s.disk.remove(s.path("current"))
	}
	return s.put("current", s.current)
}

// remember writes a copy of its own into the history: damage to one file leaves the other.
func (s *Store) remember(rec *Record) error {
	if err := s.put(filepath.Join("history", strconv.Itoa(rec.Serial)), rec); err != nil {
		return err
	}
	kept, err := s.serials()
	if err != nil {
		return err
	}
	for len(kept) > HistoryMax {
		if err := s.disk.remove(s.path("history", strconv.Itoa(kept[0]))); err != nil {
			return err
		}
		kept = kept[1:]
	}
	return nil
}

// serials of the history, oldest first. Files with other names are nobody's.
func (s *Store) serials() ([]int, error) {
	names, err := os.ReadDir(s.path("history"))
	if err != nil {
		return nil, err
	}
	var kept []int
	for _, n := range names {
		if serial, err := strconv.Atoi(n.Name()); err == nil && serial > 0 && strconv.Itoa(serial) == n.Name() {
			kept = append(kept, serial)
		}
	}
	slices.Sort(kept)
	return kept, nil
}

// History lists the plans that can be returned to, newest first. Damaged ones are left
// out.
func (s *Store) History() ([]Entry, error) {
	kept, err := s.serials()
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	var list []Entry
	for _, serial := range slices.Backward(kept) {
		if rec, err := s.Load(serial); err == nil {
			list = append(list, Entry{Serial: rec.Serial, Digest: rec.Digest, By: rec.By, When: rec.When})
		}
	}
	return list, nil
}

// Load reads one plan of the history.
func (s *Store) Load(serial int) (*Record, error) {
	rec, err := readRecord(s.path("history", strconv.Itoa(serial)))
	if err == nil && rec.Serial != serial {
		return nil, fmt.Errorf("%w: it holds plan %d", errDamaged, rec.Serial)
	}
	return rec, err
}

// Close gives the directory back.
func (s *Store) Close() error { return s.lock.Close() }

func (s *Store) path(names ...string) string {
	return filepath.Join(append([]string{s.dir}, names...)...)
}

func (s *Store) put(name string, v any) error {
	raw, err := encode(v)
	if err != nil {
		return err
	}
	return replace(s.disk, s.path(name), raw)
}

func readRecord(path string) (*Record, error) {
	raw, err := read(path)
	if err != nil {
		return nil, err
	}
	return decodeRecord(raw)
}

func decodeRecord(raw []byte) (*Record, error) {
	var rec Record
	if err := decode(raw, &rec); err != nil {
		return nil, err
	}
	if rec.Plan == nil || rec.Serial < 1 {
		return nil, fmt.Errorf("%w: it holds no plan", errDamaged)
	}
	return &rec, nil
}
