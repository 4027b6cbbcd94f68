package store

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"hafile/lang/plan"
)

// planNo is a small plan that differs by its number.
func planNo(n int) *Record {
	in := plan.DefaultInstance()
	in.Address, in.Name, in.Interface, in.VRID = "instance.web", "web", "eth0", uint8(n)
	in.VIPs = []plan.VIP{{Address: netip.MustParsePrefix("192.0.2.10/32")}}
	p := &plan.Plan{Language: plan.Language, Node: "lb1", Desired: plan.Desired{Instances: []plan.Instance{in}}}
	return &Record{
		Digest: p.Digest(), By: "anna", When: time.Unix(int64(n), 0).UTC(), Plan: p,
		Secrets: Secrets{`credential("vrrp")`: "s3cret" + strconv.Itoa(n)},
	}
}

func mustOpen(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func apply(t *testing.T, s *Store, rec *Record) {
	t.Helper()
	if err := s.Stage(rec); err != nil {
		t.Fatal(err)
	}
	if err := s.Promote(); err != nil {
		t.Fatal(err)
	}
}

// stored is a directory with plans 1 to n, closed.
func stored(t *testing.T, n int) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "state")
	s := mustOpen(t, dir)
	for i := range n {
		apply(t, s, planNo(i+1))
	}
	s.Close()
	return dir
}

func TestPlanAndSecretsComeBack(t *testing.T) {
	dir := stored(t, 3)
	s := mustOpen(t, dir)
	got := s.Current()
	if got == nil || got.Serial != 3 || got.By != "anna" || got.Plan.Desired.Instances[0].VRID != 3 {
		t.Fatalf("current is %+v", got)
	}
	if got.Secrets[`credential("vrrp")`] != "s3cret3" {
		t.Errorf("the pinned secret did not come back")
	}
	if got.Lineage != s.Lineage() || s.Lineage() == "" {
		t.Errorf("lineage %q in the plan, %q in the store", got.Lineage, s.Lineage())
	}
	if s.NextSerial() != 4 || len(s.Notes()) != 0 {
		t.Errorf("next serial %d, notes %q", s.NextSerial(), s.Notes())
	}
}

func TestLineageIsMadeOnce(t *testing.T) {
	dir := stored(t, 0)
	a := mustOpen(t, dir)
	first := a.Lineage()
	a.Close()
	if again := mustOpen(t, dir).Lineage(); again != first {
		t.Errorf("lineage %s, then %s", first, again)
	}
}

func TestEverythingIsPrivate(t *testing.T) {
	dir := stored(t, 2)
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestWideStateDirectoryIsNarrowed(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, dir)
	if info, _ := os.Stat(dir); info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v", info.Mode())
	}
}

func TestForeignStateDirectoryIsRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs CAP_CHOWN")
	}
	dir := t.TempDir()
	if err := os.Chown(dir, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "uid 65534") {
		t.Errorf("got %v", err)
	}
}

func TestSecondDaemonIsRefused(t *testing.T) {
	dir := stored(t, 1)
	first := mustOpen(t, dir)
	_, err := Open(dir)
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), fmt.Sprintf("pid %d", os.Getpid())) {
		t.Fatalf("got %v", err)
	}
	first.Close()
	mustOpen(t, dir)
}

func TestHistoryKeepsTheLastTwenty(t *testing.T) {
	s := mustOpen(t, stored(t, HistoryMax+5))
	list, err := s.History()
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != HistoryMax || list[0].Serial != HistoryMax+5 || list[HistoryMax-1].Serial != 6 {
		t.Fatalf("history is %+v", list)
	}
	rec, err := s.Load(6)
	if err != nil || rec.Digest != planNo(6).Digest {
		t.Errorf("plan 6: %v, %v", rec, err)
	}
}

func TestStartIgnoresNext(t *testing.T) {
	dir := stored(t, 1)
	s := mustOpen(t, dir)
	if err := s.Stage(planNo(2)); err != nil {
		t.Fatal(err)
	}
	s.Close() // a kill between stage and promote
	s = mustOpen(t, dir)
	if s.Current().Serial != 1 {
		t.Errorf("serial %d runs", s.Current().Serial)
	}
	apply(t, s, planNo(3))
	if s.Current().Serial != 2 || s.Current().Plan.Desired.Instances[0].VRID != 3 {
		t.Errorf("current is %+v", s.Current())
	}
}

func TestDroppedPlanLeavesNothing(t *testing.T) {
	dir := stored(t, 1)
	s := mustOpen(t, dir)
	if err := s.Stage(planNo(2)); err != nil {
		t.Fatal(err)
	}
	s.Drop()
	if _, err := os.Stat(filepath.Join(dir, "next")); !os.IsNotExist(err) {
		t.Errorf("next: %v", err)
	}
}

// Any one bit of the current plan flips, and any truncation: the history's copy of the
// same plan runs, and the start says so.
func TestDamageIsNoticedAtEveryByte(t *testing.T) {
	dir := stored(t, 2)
	path := filepath.Join(dir, "current")
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range sound {
		flipped := append([]byte(nil), sound...)
		flipped[i] ^= 1 << (i % 8)
		if _, err := decodeRecord(flipped); err == nil {
			t.Fatalf("a flipped bit in byte %d passes", i)
		}
		if _, err := decodeRecord(sound[:i]); err == nil {
			t.Fatalf("a file cut at byte %d passes", i)
		}
	}
	for name, raw := range map[string][]byte{"empty": {}, "cut": sound[:len(sound)/2], "zeros": make([]byte, len(sound))} {
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		s := mustOpen(t, dir)
		if s.Current() == nil || s.Current().Serial != 2 || len(s.Notes()) != 2 {
			t.Errorf("%s: current %+v, notes %q", name, s.Current(), s.Notes())
		}
		s.Close()
		if s = mustOpen(t, dir); len(s.Notes()) != 0 {
			t.Errorf("%s: the second start still says %q", name, s.Notes())
		}
		s.Close()
	}
}

func TestFallsBackThroughADamagedHistory(t *testing.T) {
	dir := stored(t, 3)
	for _, name := range []string{"current", "history/3", "lineage"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := mustOpen(t, dir)
	if s.Current() == nil || s.Current().Serial != 2 {
		t.Fatalf("current %+v", s.Current())
	}
	if s.Lineage() != s.Current().Lineage {
		t.Errorf("the plan's lineage was not taken")
	}
	if s.NextSerial() <= 3 {
		t.Errorf("serial %d is given twice", s.NextSerial())
	}
	if said := strings.Join(s.Notes(), "; "); !strings.Contains(said, "running plan 2") || !strings.Contains(said, "lineage") {
		t.Errorf("notes: %s", said)
	}
}

func TestNothingSoundLeftStartsEmptyAndSaysSo(t *testing.T) {
	dir := stored(t, 1)
	for _, name := range []string{"current", "history/1"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := mustOpen(t, dir)
	if s.Current() != nil || !strings.Contains(strings.Join(s.Notes(), ""), "no sound plan is left") {
		t.Errorf("current %v, notes %q", s.Current(), s.Notes())
	}
}

func TestPlanOfANewerReleaseIsNotRunInPart(t *testing.T) {
	dir := stored(t, 1)
	raw, err := encode(map[string]any{"serial": 2, "plan": map[string]any{"desired": map[string]any{"teleports": 1}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "current"), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, dir)
	if s.Current() == nil || s.Current().Serial != 1 || !strings.Contains(s.Notes()[0], "teleports") {
		t.Errorf("current %+v, notes %q", s.Current(), s.Notes())
	}
}

func TestLinkInPlaceOfAPlanIsNotFollowed(t *testing.T) {
	dir := stored(t, 1)
	path := filepath.Join(dir, "current")
	elsewhere := filepath.Join(t.TempDir(), "x")
	if err := os.Rename(path, elsewhere); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, path); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(dir); err == nil {
		s.Close()
		t.Error("a start followed the link")
	}
}

func TestNoVerbShowsASecret(t *testing.T) {
	rec := planNo(1)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if said := fmt.Sprintf(verb, rec); strings.Contains(said, "s3cret") {
			t.Errorf("%s shows it: %s", verb, said)
		}
	}
}

func FuzzDecodeRecord(f *testing.F) {
	raw, err := encode(planNo(1))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(magic + " 2 44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\n{}"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		rec, err := decodeRecord(raw)
		if err == nil && (rec.Plan == nil || rec.Serial < 1) {
			t.Errorf("half a record passes: %+v", rec)
		}
		var o Owned
		_ = decode(raw, &o)
	})
}

// FuzzBody goes past the checksum, as a record written by another release does.
func FuzzBody(f *testing.F) {
	f.Add([]byte(`{"serial":1,"plan":{"language":1,"node":"a","desired":{}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		raw, err := encode(rawJSON(body))
		if err != nil {
			return
		}
		if rec, err := decodeRecord(raw); err == nil && rec.Plan == nil {
			t.Error("a record without a plan passes")
		}
	})
}

type rawJSON []byte

func (r rawJSON) MarshalJSON() ([]byte, error) { return r, nil }
