package kernel

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the outcomes in testdata")

// The same scripts run against a real kernel in package netlink.
func TestScripts(t *testing.T) {
	scripts, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(scripts) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, path := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			f := NewFake("eth0", "eth1")
			got := Play(string(raw), f, f.Run)
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(raw) {
				t.Errorf("it went\n%s", got)
			}
		})
	}
}

func ledger(want string) (*Ledger, *Fake, func(time.Duration)) {
	f, l := NewFake("eth0"), NewLedger(nil)
	l.Want(1, parseState(want))
	return l, f, func(now time.Duration) { _ = l.Round(now, f, func(Report) {}) }
}

func TestARefusedAddressIsTriedSoonThenSeldom(t *testing.T) {
	l, f, round := ledger("eth0 10.0.0.9/32")
	f.Refuse(l.want[0], syscall.EPERM)
	var tries []time.Duration
	var now time.Duration
	for len(tries) < 14 {
		round(now)
		if n := strings.Count(f.String(), "\n"); n > len(tries) {
			tries = append(tries, now)
		}
		at, ok := l.Deadline()
		if !ok {
			t.Fatal("nothing is due")
		}
		now = at
	}
	want := "[0s 100ms 200ms 300ms 400ms 500ms 600ms 700ms 800ms 900ms 1s 2s 3s 4s]"
	if got := fmt.Sprint(tries); got != want {
		t.Errorf("tried at %s, want %s", got, want)
	}
	f.Refuse(l.want[0], nil)
	round(now)
	if _, ok := l.Deadline(); ok || !l.Ours().Equal(l.want) {
		t.Errorf("ours %v, and something is due: %v", l.Ours(), ok)
	}
}

// An older kernel takes the command and forgets the tag: one try, not one a round.
func TestAKernelThatForgetsTagsIsNotAskedForEver(t *testing.T) {
	l, f, round := ledger("eth0 10.0.0.9/32")
	f.Unmarking = true
	for i := range 5 {
		round(time.Duration(i) * time.Second)
	}
	want := "ip addr add 10.0.0.9/32 dev eth0 proto 0xc8\nip addr replace 10.0.0.9/32 dev eth0 proto 0xc8\n"
	if f.String() != want {
		t.Errorf("it was told\n%s", f)
	}
	if !l.Ours().Equal(l.want) {
		t.Errorf("ours: %v", l.Ours())
	}
}

// The answer to an add may be lost, or somebody may be quicker while we put ours back.
func TestOursThatExistsAlreadyIsNoRefusal(t *testing.T) {
	l, f, round := ledger("eth0 10.0.0.9/32")
	round(0)
	_ = f.Run("ip addr del 10.0.0.9/32 dev eth0")
	r, _ := f.Read(true)
	l.look(0, r)
	ops := l.ops(0, r)
	_ = f.Run("ip addr add 10.0.0.9/32 dev eth0")
	for _, op := range ops {
		l.answer(0, op, f.Apply(op))
	}
	round(0)
	if len(l.trouble) != 0 || !l.Ours().Equal(l.want) {
		t.Errorf("trouble %v, ours %v", l.trouble, l.Ours())
	}
	if r, _ := f.Read(true); !r.Installed[0].Marked {
		t.Error("it is not marked again")
	}
}

func TestIPv6GoesWithTheLinkAndThatIsNobodysHand(t *testing.T) {
	l, f, _ := ledger("eth0 2001:db8::9/128")
	var removed []Address
	say := func(r Report) { removed = append(removed, r.Removed...) }
	for _, command := range []string{"", "ip link set eth0 down", "ip link set eth0 up"} {
		if command != "" {
			_ = f.Run(command)
		}
		if err := l.Round(0, f, say); err != nil {
			t.Fatal(err)
		}
	}
	if len(removed) != 0 || !l.Ours().Equal(l.want) {
		t.Errorf("removed %v, ours %v", removed, l.Ours())
	}
}

// failing is a host that cannot be looked at.
type failing struct{ Host }

func (failing) Read(bool) (Reading, error) { return Reading{}, syscall.ENOBUFS }

func TestAFailedLookChangesNothing(t *testing.T) {
	l, f, round := ledger("eth0 10.0.0.9/32")
	round(0)
	err := l.Round(0, failing{f}, func(r Report) { t.Errorf("it reported %v", r) })
	if err == nil || !l.Ours().Equal(l.want) {
		t.Errorf("%v, ours %v", err, l.Ours())
	}
}

// Every sequence of five acts, by us and by strangers. What always holds: strangers'
// addresses are as strangers left them, and at the end of a round all that is wanted is
// there or refused, and nothing of ours is there that is not wanted.
func TestEverySequenceOfActs(t *testing.T) {
	const depth = 5
	own := Address{Interface: "eth0", Prefix: netip.MustParsePrefix("10.0.0.1/24")}
	wants := []State{nil, parseState("eth0 10.0.0.9/32"), parseState("eth0 10.0.0.8/32 10.0.0.9/32")}
	strangers := []string{
		"ip addr del 10.0.0.9/32 dev eth0", "ip addr add 10.0.0.9/32 dev eth0",
		"ip addr replace 10.0.0.9/32 dev eth0", "ip addr add 10.0.0.8/24 dev eth0",
	}
	acts := len(wants) + len(strangers)
	total := 1
	for range depth {
		total *= acts
	}
	for n := range total {
		f, l := NewFake("eth0"), NewLedger(nil)
		_ = f.Run("ip addr add 10.0.0.1/24 dev eth0")
		var told []string
		for k, rest := 0, n; k < depth; k, rest = k+1, rest/acts {
			act := rest % acts
			if act < len(wants) {
				l.Want(uint64(k+1), wants[act])
				told = append(told, fmt.Sprint("want ", wants[act]))
			} else {
				_ = f.Run(strangers[act-len(wants)])
				told = append(told, strangers[act-len(wants)])
			}
			if err := l.Round(time.Duration(k)*20*time.Second, f, func(Report) {}); err != nil {
				t.Fatal(err)
			}
			if wrong := invariant(l, f, own); wrong != "" {
				t.Fatalf("%s after\n%s\ntold\n%s", wrong, strings.Join(told, "\n"), f)
			}
		}
	}
}

func invariant(l *Ledger, f *Fake, own Address) string {
	r, _ := f.Read(true)
	var have State
	for _, i := range r.Installed {
		have = have.Add(i.Address)
		if i.Marked && l.asked && !l.want.Has(i.Address) {
			return fmt.Sprintf("%v is left over", i.Address)
		}
	}
	if !have.Has(own) {
		return "the machine has lost its own address"
	}
	if strings.Contains(f.String(), "del 10.0.0.8/24") {
		return "a stranger's address was deleted"
	}
	for _, a := range l.want {
		if _, refused := l.trouble[a]; !refused && !l.Ours().Has(a) {
			return fmt.Sprintf("%v is neither there nor refused", a)
		}
	}
	return ""
}

// An address that is to be closed and cannot be is not added: the router must know.
func TestAnAddressThatCannotBeClosedIsRefused(t *testing.T) {
	l, f, round := ledger("eth0 10.0.0.8/32 10.0.0.9/32")
	f.Unclosing = true
	l.Surround(Things{{Closed: &Closed{Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.9")}}}})
	round(0)
	if got := fmt.Sprint(l.Ours()); got != "[10.0.0.8/32 on eth0]" || len(l.trouble) != 1 {
		t.Errorf("ours %s, trouble %v", got, l.trouble)
	}
	f.Unclosing = false
	round(5 * time.Second)
	if !l.Ours().Equal(l.want) || len(l.trouble) != 0 {
		t.Errorf("ours %v, trouble %v", l.Ours(), l.trouble)
	}
	if at := strings.LastIndex(f.String(), "nft add"); at > strings.Index(f.String(), "add 10.0.0.9") {
		t.Errorf("it was open first:\n%s", f)
	}
}
