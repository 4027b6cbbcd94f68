package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"hafile/lang/story"
	"hafile/runtime/lab"
	"hafile/runtime/lab/netns"
)

// TestUnicastBesideKeepalived plays the faults of a pair that speaks by unicast, each
// version and each role, and TestAnotherGroupBesideKeepalived one of a multicast group
// that is not the usual one.
func TestUnicastBesideKeepalived(t *testing.T) {
	netns.Needs(t, "keepalived", "keepalived")
	netns.Needs(t, "tcpdump", "tcpdump")
	for _, version := range []int{2, 3} {
		for _, hafileFirst := range []bool{true, false} {
			g := group{version: version, interval: time.Second, unicast: true,
				a: member{priority: 150, keepalived: !hafileFirst}, b: member{priority: 100, keepalived: hafileFirst}}
			if version == 3 {
				g.interval = 400 * time.Millisecond
			}
			t.Run(fmt.Sprintf("v%d/hafile_active=%v", version, hafileFirst), func(t *testing.T) {
				t.Parallel()
				l := g.up(t)
				dump := capture(t, l)
				g.playFaults(t, l)
				dump.check(t)
			})
		}
	}
}

func TestAnotherGroupBesideKeepalived(t *testing.T) {
	netns.Needs(t, "keepalived", "keepalived")
	g := group{version: 3, interval: 400 * time.Millisecond, multicast: "224.0.0.99", plain: true,
		a: member{priority: 150}, b: member{priority: 100, keepalived: true}}
	l := g.up(t)
	g.takeTurns(t, l)
}

// TestUnicastOfTwo: a stop costs nothing, and a killed member is succeeded in time.
func TestUnicastOfTwo(t *testing.T) {
	g := group{version: 3, interval: 200 * time.Millisecond, unicast: true, plain: true, a: member{priority: 150}, b: member{priority: 100}}
	l := g.up(t)
	g.takeTurns(t, l)
}

// takeTurns stops the first member, lets it return, kills it and lets it return again.
func (g group) takeTurns(t *testing.T, l *lab.Lab) {
	t.Helper()
	do := func(k story.Kind) {
		t.Helper()
		if err := l.Do(t.Context(), story.Event{Kind: k, On: "a"}); err != nil {
			t.Fatal(err)
		}
	}
	owner := func(step, node string, within time.Duration) {
		t.Helper()
		if err := l.AwaitOwner(t.Context(), g.vip(), node, within+noise); err != nil {
			t.Fatalf("%s: %v", step, err)
		}
	}
	back := g.down(g.a.priority)
	owner("first election", "a", back)
	time.Sleep(2 * g.interval)
	g.stopWithoutLoss(t, l)
	do(story.Kill)
	if err := l.AwaitHolder(t.Context(), g.vip(), "b", g.down(g.b.priority)+noise); err != nil {
		t.Fatalf("kill: %v", err)
	}
	do(story.Start)
	owner("return after a kill", "a", back+g.interval)
}

// TestIPv6BesideKeepalived plays the faults over IPv6, by multicast and by unicast, in
// both roles.
func TestIPv6BesideKeepalived(t *testing.T) {
	netns.Needs(t, "keepalived", "keepalived")
	netns.Needs(t, "tcpdump", "tcpdump")
	for _, unicast := range []bool{false, true} {
		for _, hafileFirst := range []bool{true, false} {
			g := group{version: 3, interval: 400 * time.Millisecond, v6: true, unicast: unicast,
				a: member{priority: 150, keepalived: !hafileFirst}, b: member{priority: 100, keepalived: hafileFirst}}
			t.Run(fmt.Sprintf("unicast=%v/hafile_active=%v", unicast, hafileFirst), func(t *testing.T) {
				t.Parallel()
				l := g.up(t)
				dump := capture(t, l)
				g.playFaults(t, l)
				dump.check(t)
			})
		}
	}
}

// TestIPv6OfTwo: a stop costs nothing, and beside the virtual addresses the machine's own
// stays what its packets come from. An interface that was down comes back with all of
// them: the kernel drops IPv6 addresses with it.
func TestIPv6OfTwo(t *testing.T) {
	for _, unicast := range []bool{false, true} {
		t.Run(fmt.Sprintf("unicast=%v", unicast), func(t *testing.T) {
			t.Parallel()
			g := group{version: 3, interval: 200 * time.Millisecond, v6: true, unicast: unicast, plain: true, a: member{priority: 150}, b: member{priority: 100}}
			l := g.up(t)
			g.takeTurns(t, l)
			if err := l.AwaitOwner(t.Context(), g.vip(), "a", noise); err != nil {
				t.Fatal(err)
			}
			run := func(argv ...string) string {
				t.Helper()
				out, err := l.Run(t.Context(), "a", argv...)
				if err != nil {
					t.Fatalf("%v: %v\n%s", argv, err, out)
				}
				return string(out)
			}
			if got := run("ip", "-6", "route", "get", "fd77::50"); !strings.Contains(got, "src fd77::1 ") {
				t.Errorf("packets come from another address: %s", got)
			}
			if got := run("ip", "-6", "address", "show", "dev", "eth0"); !strings.Contains(got, "fd77::100/128 scope global nodad deprecated") ||
				!strings.Contains(got, "fe80::51/128 scope link nodad deprecated") {
				t.Errorf("the virtual addresses are not as they should be:\n%s", got)
			}
			run("ip", "link", "set", "eth0", "down")
			if err := l.AwaitOwner(t.Context(), g.vip(), "b", g.down(100)+noise); err != nil {
				t.Fatal(err)
			}
			run("ip", "link", "set", "eth0", "up")
			if unicast {
				run("ip", "address", "add", "fd77::1/64", "dev", "eth0", "nodad")
			}
			if err := l.AwaitOwner(t.Context(), g.vip(), "a", g.down(150)+2*noise); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestAHBesideKeepalived takes turns with authentication headers, by multicast and by
// unicast, in both roles: each goes on behind the numbers of the other.
func TestAHBesideKeepalived(t *testing.T) {
	netns.Needs(t, "keepalived", "keepalived")
	for _, unicast := range []bool{false, true} {
		for _, hafileFirst := range []bool{true, false} {
			g := group{version: 2, interval: time.Second, ah: true, unicast: unicast, plain: true,
				a: member{priority: 150, keepalived: !hafileFirst}, b: member{priority: 100, keepalived: hafileFirst}}
			t.Run(fmt.Sprintf("unicast=%v/hafile_active=%v", unicast, hafileFirst), func(t *testing.T) {
				t.Parallel()
				l := g.up(t)
				g.takeTurns(t, l)
			})
		}
	}
}
