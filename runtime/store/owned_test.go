package store

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"hafile/lang/plan"
)

func TestOwnedAddressesComeBackWithinOneBoot(t *testing.T) {
	dir := t.TempDir()
	r, err := OpenRun(dir)
	if err != nil {
		t.Fatal(err)
	}
	if o, err := r.Owned(); err != nil || len(o.Routers) != 0 {
		t.Fatalf("a fresh directory holds %+v, %v", o, err)
	}
	want := []OwnedRouter{{
		Wire: plan.WireKey{Interface: "eth0", Family: plan.IPv4, VRID: 51, Version: 2, Transport: plan.Multicast}, Role: "active",
		Addresses: []OwnedAddress{{Interface: "eth0", Address: netip.MustParsePrefix("192.0.2.10/32"), Label: "eth0:web"}},
	}}
	if err := r.SetOwned(Owned{Routers: want}); err != nil {
		t.Fatal(err)
	}
	if o, err := r.Owned(); err != nil || !reflect.DeepEqual(o.Routers, want) {
		t.Errorf("got %+v, %v", o, err)
	}
	r.boot = "another"
	if o, err := r.Owned(); err != nil || len(o.Routers) != 0 {
		t.Errorf("after a boot: %+v, %v", o, err)
	}
}

func TestDamagedOwnedRecordIsEmptyAndSaysWhy(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "owned"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := OpenRun(dir)
	if err != nil {
		t.Fatal(err)
	}
	if o, err := r.Owned(); err == nil || len(o.Routers) != 0 {
		t.Errorf("got %+v, %v", o, err)
	}
}

func TestStampOutlivesTheProcessButNoBoot(t *testing.T) {
	r, err := OpenRun(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		foreign bool
		want    int64
	}{{false, 0}, {false, 42}, {true, 0}} {
		s, err := r.OpenStamp(c.foreign)
		if err != nil {
			t.Fatal(err)
		}
		if s.Last() != c.want {
			t.Errorf("%+v: got %d", c, s.Last())
		}
		s.Cell().Store(42)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
