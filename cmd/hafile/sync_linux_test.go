package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hafile/lang/story"
	"hafile/runtime/lab/netns"
)

// backVIP is the second instance's of a sync group.
var backVIP = netip.MustParseAddr("10.77.0.101")

// asked are the addresses that clients ask for.
func (g group) asked() []netip.Addr {
	if g.sync {
		return []netip.Addr{g.vip(), backVIP}
	}
	return []netip.Addr{g.vip()}
}

// together is the second half of a sync group, and the group.
func (g group) together() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\ninstance \"back\" {\n  interface = \"eth1\"\n  router_id = 61\n  version = %d\n  advert_int = %q\n", g.version, g.interval)
	for _, name := range []string{"a", "b"} {
		fmt.Fprintf(&b, "  member %q {\n    priority = %d\n    source_address = %q\n  }\n", name, g.member(name).priority, secondAddr[name])
	}
	fmt.Fprintf(&b, "  vip {\n    address = %q\n  }\n}\n", backVIP)
	if !g.apart {
		b.WriteString("\nsync_group \"edge\" {\n  instances = [instance.web, instance.back]\n}\n")
	}
	return b.String()
}

func (g group) togetherInKeepalived(name string) string {
	return fmt.Sprintf(`vrrp_sync_group edge {
  group {
    web
    back
  }
}
vrrp_instance back {
  state BACKUP
  interface eth1
  version %d
  virtual_router_id 61
  priority %d
  advert_int %g
  virtual_ipaddress {
    %s
  }
}
`, g.version, g.member(name).priority, g.interval.Seconds(), backVIP)
}

// syncPair is a sync group of two machines that is up.
type syncPair struct {
	sweeper
}

func upTogether(t *testing.T, g group) *syncPair {
	t.Helper()
	s := &syncPair{sweeper{t: t, l: g.boot(t), group: g}}
	for _, name := range []string{"b", "a"} {
		if !g.member(name).keepalived {
			s.order = append(s.order, name)
		}
	}
	for name, address := range secondAddr {
		s.run(name, "ip", "address", "add", address.String()+"/24", "dev", "eth1", "noprefixroute")
	}
	s.apply("first plan", "drops")
	return s
}

// apply gives every hafile the configuration as it is now.
func (s *syncPair) apply(what, most string) {
	s.t.Helper()
	dir := s.t.TempDir()
	must(s.t, os.WriteFile(filepath.Join(dir, "group.ha.hcl"), []byte(s.group.hcl()), 0o644))
	for _, name := range s.order {
		s.hafile(what, name, "apply", "-auto-approve", "-max-impact="+most, "-no-wait", "-node="+name, dir)
	}
}

func (s *syncPair) run(node string, argv ...string) string {
	s.t.Helper()
	out, err := s.l.Run(s.t.Context(), node, argv...)
	if err != nil {
		s.t.Fatalf("%s: %v: %v\n%s", node, argv, err, out)
	}
	return string(out)
}

func (s *syncPair) do(k story.Kind) {
	s.t.Helper()
	must(s.t, s.l.Do(s.t.Context(), story.Event{Kind: k, On: "a"}))
}

// owns waits until a node has both addresses, and the other none.
func (s *syncPair) owns(step, node string, within time.Duration) {
	s.t.Helper()
	for _, vip := range s.group.asked() {
		if err := s.l.AwaitOwner(s.t.Context(), vip, node, within+noise); err != nil {
			s.t.Fatalf("%s: %v", step, err)
		}
	}
}

// TestSyncGroupOfTwo: what takes one address from a machine takes both, both come back
// together, and no edit of the group moves either.
func TestSyncGroupOfTwo(t *testing.T) {
	g := group{version: 3, interval: 200 * time.Millisecond, plain: true, sync: true, a: member{priority: 150}, b: member{priority: 100}}
	s := upTogether(t, g)
	took, back := g.down(100), g.down(150)
	s.owns("first election", "a", took)

	s.run("a", "ip", "link", "set", "eth1", "down")
	s.owns("a link goes down", "b", took)
	s.run("a", "ip", "link", "set", "eth1", "up")
	s.owns("the link is back", "a", back+g.interval)

	s.do(story.Stop)
	s.owns("stop", "b", g.skew(100)+g.interval)
	s.do(story.Start)
	s.owns("return after a stop", "a", back)
	s.do(story.Kill)
	for _, vip := range g.asked() {
		must(t, s.l.AwaitHolder(t.Context(), vip, "b", took+noise))
	}
	s.do(story.Start)
	s.owns("return after a kill", "a", back+g.interval)

	if out := s.hafile("status", "a", "status"); !strings.Contains(out, "sync_group.edge   ACTIVE") {
		t.Errorf("status has no group:\n%s", out)
	}
	s.regroup("the group goes", true)
	s.regroup("the group is made", false)
}

// regroup applies the pair without its group, or with it, and nothing may move.
func (s *syncPair) regroup(what string, apart bool) {
	s.t.Helper()
	s.group.apart = apart
	began := time.Now()
	s.apply(what, "stays")
	time.Sleep(5 * s.group.interval)
	for _, a := range s.l.Adverts(began) {
		if a.Priority == 0 || a.From == groupAddr["b"] || a.From == secondAddr["b"] {
			s.t.Errorf("%s: %s sent priority %d as VRID %d", what, a.From, a.Priority, a.VRID)
		}
	}
	s.owns(what, "a", 0)
	if out := s.hafile(what, "a", "status", "-json"); !strings.Contains(out, `"mispredicted": 0`) {
		s.t.Errorf("%s: afterwards\n%s", what, out)
	}
}

// TestSyncGroupBesideKeepalived: a group whose other member is keepalived's goes back and
// forth as one, in both roles.
func TestSyncGroupBesideKeepalived(t *testing.T) {
	netns.Needs(t, "keepalived", "keepalived")
	for _, hafileFirst := range []bool{true, false} {
		t.Run(fmt.Sprintf("hafile_active=%v", hafileFirst), func(t *testing.T) {
			t.Parallel()
			g := group{version: 3, interval: 400 * time.Millisecond, plain: true, sync: true,
				a: member{priority: 150, keepalived: !hafileFirst}, b: member{priority: 100, keepalived: hafileFirst}}
			s := upTogether(t, g)
			// keepalived's group needs several rounds: a router whose time is over winds its
			// timer up again until the others' are over too.
			rounds := 3 * g.down(100)
			s.owns("first election", "a", rounds)
			s.run("a", "ip", "link", "set", "eth1", "down")
			s.owns("a link goes down", "b", rounds)
			s.run("a", "ip", "link", "set", "eth1", "up")
			s.owns("the link is back", "a", rounds)
			s.do(story.Stop)
			s.owns("stop", "b", rounds)
			s.do(story.Start)
			s.owns("return", "a", rounds)
		})
	}
}
