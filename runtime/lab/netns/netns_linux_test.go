package netns

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func inode(t *testing.T) string {
	t.Helper()
	link, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	return link
}

func TestDoRunsInsideAndLeavesTheCallerOutside(t *testing.T) {
	n := NewT(t)
	outside := inode(t)
	var inside string
	var names []string
	err := n.Do(func() error {
		inside = inode(t)
		ifs, err := net.Interfaces()
		for _, i := range ifs {
			names = append(names, i.Name+" "+i.Flags.String())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if inside == outside || inode(t) != outside {
		t.Errorf("inside %s, outside %s, outside afterwards %s", inside, outside, inode(t))
	}
	if !slices.Equal(names, []string{"lo up|loopback|running"}) {
		t.Errorf("a new namespace has %q", names)
	}
}

// Many threads go in; afterwards no thread that the scheduler still uses may be there.
func TestNoThreadComesBackFromInside(t *testing.T) {
	n := NewT(t)
	outside := inode(t)
	errs := make(chan error, 50)
	for range cap(errs) {
		go func() { errs <- n.Do(func() error { runtime.Gosched(); return nil }) }()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	seen := make(chan string, 200)
	for range cap(seen) {
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			l, _ := os.Readlink("/proc/thread-self/ns/net")
			seen <- l
		}()
	}
	for range cap(seen) {
		if l := <-seen; l != outside {
			t.Fatalf("a goroutine woke up in %s", l)
		}
	}
}

func TestDoSaysThatItsFunctionLeftByGoexit(t *testing.T) {
	n := NewT(t)
	if err := n.Do(func() error { runtime.Goexit(); return nil }); err == nil {
		t.Error("Do answered nil")
	}
}

func TestDoHandsBackTheError(t *testing.T) {
	n := NewT(t)
	want := errors.New("no")
	if err := n.Do(func() error { return want }); err != want {
		t.Errorf("Do answered %v", err)
	}
}

func TestDoEntersNothingAfterClose(t *testing.T) {
	n := NewT(t)
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	err := n.Do(func() error { t.Error("it ran"); return nil })
	if err == nil || !strings.Contains(err.Error(), "closed file") {
		t.Errorf("got %v", err)
	}
}

func TestACableCarriesPackets(t *testing.T) {
	a, b := NewT(t), NewT(t)
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 7}
	err := Cable(
		a, Port{Name: "eth0", Addresses: prefixes("10.9.0.1/24", "fd00::1/64")},
		b, Port{Name: "eth7", MAC: mac, MTU: 1400, Addresses: prefixes("10.9.0.2/24", "fd00::2/64")})
	if err != nil {
		t.Fatal(err)
	}
	if _, got, err := b.Index("eth7"); err != nil || got.String() != mac.String() {
		t.Errorf("MAC %v, %v", got, err)
	}
	dial(t, a, b, "10.9.0.2:80", true)
	dial(t, a, b, "[fd00::2]:80", true)
}

func TestCutTakesTheCarrierAndBlockDoesNot(t *testing.T) {
	s := SegmentT(t)
	a := NodeT(t, s, Port{Name: "eth0", Addresses: prefixes("10.9.0.1/24")})
	b := NodeT(t, s, Port{Name: "eth0", Addresses: prefixes("10.9.0.2/24")})
	steps := []struct {
		what      string
		do        func(*NS, string) error
		carrier   bool
		reachable bool
	}{
		{"connected", func(*NS, string) error { return nil }, true, true},
		{"cut", s.Cut, false, false},
		{"mended", s.Mend, true, true},
		{"blocked", s.Block, true, false},
		{"unblocked", s.Unblock, true, true},
	}
	for _, step := range steps {
		t.Log(step.what)
		if err := step.do(b, "eth0"); err != nil {
			t.Fatal(err)
		}
		waitCarrier(t, b, step.carrier)
		dial(t, a, b, "10.9.0.2:80", step.reachable)
	}
}

// waitCarrier waits for the kernel's link watch, which reports a carrier late.
func waitCarrier(t *testing.T, n *NS, want bool) {
	t.Helper()
	var raw []byte
	for deadline := time.Now().Add(3 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		_ = n.Do(func() (err error) {
			ifi, err := net.InterfaceByName("eth0")
			if err == nil && (ifi.Flags&net.FlagRunning != 0) == want {
				raw = []byte("ok")
			}
			return err
		})
		if raw != nil {
			return
		}
	}
	t.Fatalf("the carrier never became %v", want)
}

func dial(t *testing.T, from, to *NS, address string, reachable bool) {
	t.Helper()
	var l net.Listener
	err := to.Do(func() (err error) { l, err = net.Listen("tcp", address); return err })
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	wait := 3 * time.Second
	if !reachable {
		wait = 50 * time.Millisecond
	}
	err = from.Do(func() error {
		c, err := net.DialTimeout("tcp", address, wait)
		if err == nil {
			err = c.Close()
		}
		return err
	})
	if (err == nil) != reachable {
		t.Errorf("dial %s: %v, reachable should be %v", address, err, reachable)
	}
}

func TestAProcessStartsInsideAndEndsWithTheNamespace(t *testing.T) {
	n := NewT(t)
	cmd := exec.Command("sh", "-c", "readlink /proc/self/ns/net; exec sleep 60")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(cmd); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	k, _ := out.Read(buf)
	var inside string
	_ = n.Do(func() error { inside = inode(t); return nil })
	if got := strings.TrimSpace(string(buf[:k])); got != inside {
		t.Errorf("the child is in %s, not in %s", got, inside)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if s := cmd.ProcessState.Sys().(syscall.WaitStatus); s.Signal() != syscall.SIGKILL {
		t.Errorf("the child ended with %v", cmd.ProcessState)
	}
}

// A mount made in Setup is seen by children and by nobody else.
func TestMountsAreOfTheNamespaceAlone(t *testing.T) {
	Skip(t)
	n, err := NewWith(Options{Mounts: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	over, under := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(over, "who"), []byte("inside"), 0o600); err != nil {
		t.Fatal(err)
	}
	err = n.Setup(func() error { return unix.Mount(over, under, "", unix.MS_BIND, "") })
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	cmd := exec.Command("cat", filepath.Join(under, "who"))
	cmd.Stdout = &out
	if err := n.Start(cmd); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil || out.String() != "inside" {
		t.Errorf("the child read %q, %v", &out, err)
	}
	if entries, err := os.ReadDir(under); err != nil || len(entries) != 0 {
		t.Errorf("the mount is seen outside: %v, %v", entries, err)
	}
}

func TestSetupWithoutMountsWouldBeTheHosts(t *testing.T) {
	n := NewT(t)
	defer func() {
		if recover() == nil {
			t.Error("it ran")
		}
	}()
	_ = n.Setup(func() error { return nil })
}

func TestSysctlIsOfTheNamespaceAlone(t *testing.T) {
	n := NewT(t)
	const path = "/proc/sys/net/ipv4/ip_default_ttl"
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Sysctl("net.ipv4.ip_default_ttl", "77"); err != nil {
		t.Fatal(err)
	}
	var inside []byte
	err = n.Do(func() (err error) { inside, err = os.ReadFile(path); return err })
	if err != nil || string(inside) != "77\n" {
		t.Errorf("inside %q, %v", inside, err)
	}
	if after, _ := os.ReadFile(path); string(after) != string(before) {
		t.Errorf("outside %q became %q", before, after)
	}
}

func TestANamespaceIsGoneWhenItIsClosed(t *testing.T) {
	Skip(t)
	n, err := New()
	if err != nil {
		t.Fatal(err)
	}
	var inside string
	_ = n.Do(func() error { inside = inode(t); return nil })
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
	tasks, err := filepath.Glob("/proc/self/task/*/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		for deadline := time.Now().Add(time.Second); ; time.Sleep(time.Millisecond) {
			l, err := os.Readlink(task)
			if err != nil || l != inside {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s is still inside", task)
			}
		}
	}
}

func prefixes(all ...string) (out []netip.Prefix) {
	for _, s := range all {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}
