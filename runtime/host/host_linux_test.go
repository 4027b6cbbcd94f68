package host

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hafile/runtime/kernel"
	"hafile/runtime/lab/netns"
)

// In a namespace all facts are known in advance.
func TestInterfacesAndAddresses(t *testing.T) {
	a, b := netns.NewT(t), netns.NewT(t)
	err := netns.Cable(
		a, netns.Port{Name: "eth0", MTU: 1400, Addresses: []netip.Prefix{netip.MustParsePrefix("172.29.88.224/24"), netip.MustParsePrefix("fd00::1/64")}},
		b, netns.Port{Name: "eth0"})
	if err != nil {
		t.Fatal(err)
	}
	var links []kernel.Link
	var addresses []netip.Addr
	err = a.Do(func() (err error) {
		links, err = Interfaces()
		addresses = Addresses()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(links) != 2 || links[0].Name != "lo" || links[1].Name != "eth0" || links[1].MTU != 1400 || len(links[1].MAC) != 6 {
		t.Errorf("links %+v", links)
	}
	if got := DescribeLink(links[1]); !strings.HasSuffix(got, "172.29.88.224/24, fd00::1/64") {
		t.Errorf("eth0 is %q", got)
	}
	if want := []netip.Addr{netip.MustParseAddr("172.29.88.224"), netip.MustParseAddr("fd00::1")}; !slices.Equal(addresses, want) {
		t.Errorf("addresses %v", addresses)
	}
}

func TestLookAt(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: files of other owners are made")
	}
	dir := t.TempDir()
	tests := []struct {
		name string
		mode os.FileMode
		uid  int
		want string
	}{
		{"good", 0o755, 0, "found, root-owned, 0755"},
		{"writable", 0o777, 0, "found, root-owned, 0777: refused"},
		{"stranger", 0o755, 123456, "found, owned by uid 123456, 0755: refused"},
	}
	for _, tt := range tests {
		path := filepath.Join(dir, tt.name)
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, tt.mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(path, tt.uid, 0); err != nil {
			t.Fatal(err)
		}
		p := LookAt(path, "root")
		// The directory above belongs to whoever runs the tests, and its own faults are
		// not this test's: only what is wrong with the file may be seen.
		if got := p.String(); got != tt.want && !strings.HasPrefix(got, tt.want+": refused") {
			t.Errorf("%s: %q (%v), want %q", tt.name, got, p.Refused, tt.want)
		}
	}
	if got := LookAt(filepath.Join(dir, "none"), ""); got.String() != "missing" || got.Refused == nil {
		t.Errorf("a missing program is %q, %v", got, got.Refused)
	}
	if got := LookAt(dir, "").String(); got != "a directory" {
		t.Errorf("a directory is %q", got)
	}
	if got := LookAt("/bin/sh", ""); got.Refused != nil || !strings.HasPrefix(got.String(), "found, root-owned, ") {
		t.Errorf("/bin/sh is %q, %v", got, got.Refused)
	}
}

func TestScriptsRunAsAnAccountThatExists(t *testing.T) {
	name, err := ScriptAccount()
	if err != nil || name == "root" || name == "" {
		t.Errorf("%q, %v", name, err)
	}
}
