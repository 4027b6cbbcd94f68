package runtime

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"hafile/lang/plan"
	"hafile/runtime/control"
)

// open gives both nodes of the pair a status address.
func open(p *plan.Plan) *plan.Plan {
	m := p.Desired.Instances[0].Members
	m[0].Status, m[1].Status = "192.0.2.1:7112", "192.0.2.2:7112"
	return p
}

// knows reports whether a machine knows the other one to run a plan.
func (m *machine) knows(serial int) bool {
	for _, o := range m.status().Members {
		return o.Known && o.Serial == serial
	}
	return false
}

func guardedPair(node string, g plan.Guard, vips ...string) *plan.Plan {
	p := open(pairPlan(node, vips...))
	p.Desired.Instances[0].Guard = &g
	return p
}

// An active hears nobody. With status addresses it knows its backup, also that the backup
// has gone.
func TestMembersKnowEachOther(t *testing.T) {
	a, b := pairOf(t)
	a.start()
	a.apply(open(pairPlan("a", vip1)))
	if m := a.status().Members; len(m) != 1 || m[0].Known || m[0].Unknown == "" || m[0].Node != "b" {
		t.Errorf("before b runs: %+v", m)
	}
	b.start()
	b.apply(open(pairPlan("b", vip1)))
	a.until("a knows b", func() bool { return a.knows(1) })
	b.until("b knows a", func() bool { return b.knows(1) })
	a.until("b is ready", func() bool {
		p := a.status().Instances[0].Peers[0]
		return p.Role == "backup" && p.Ready != nil && *p.Ready
	})

	ready := plan.Guard{MinLivePeers: 1, RequireBackupReady: true}
	a.apply(guardedPair("a", ready, vip1))
	a.apply(guardedPair("a", ready, vip1, vip2)) // b is ready for vip1, which the running plan has
	a.refused("b's plan lacks an address", a.document(guardedPair("a", ready, vip1)), "HA3108", 4, "b runs a plan without 192.0.2.11",
		func(r *control.ApplyRequest) { r.Allow = []string{"release:192.0.2.11"} })
	b.kill()
	a.refused("b is gone", a.document(guardedPair("a", ready, vip1)), "HA3108", 4, "unknown: b",
		func(r *control.ApplyRequest) { r.Allow = []string{"release:192.0.2.11"} })
	a.until("b is forgotten", func() bool { return !a.status().Members[0].Known })
}

// A plan that the members must carry out together was made for what they had then. One
// that has since got what the plan brings has only been first.
func TestPlanIsStaleWhenAMemberHasMovedOn(t *testing.T) {
	a, b := pairOf(t)
	a.start()
	b.start()
	a.apply(open(pairPlan("a", vip1)))
	b.apply(open(pairPlan("b", vip1)))
	a.until("they know each other", func() bool { return a.knows(1) && b.knows(1) })
	both := a.document(open(pairPlan("a", vip1, vip2)))
	if both.Base.Peers["b"].Serial != 1 {
		t.Fatalf("the plan was made against %+v", both.Base.Peers)
	}
	b.apply(open(pairPlan("b", vip1, "192.0.2.12/32")))
	a.until("a knows that", func() bool { return a.knows(2) })
	a.refused("b has another edit", both, "HA3007", 5, "b runs something else")
	b.apply(open(pairPlan("b", vip1, vip2)))
	a.until("a knows that, too", func() bool { return a.knows(3) })
	if result, _, err := a.send(both); err != nil || result.Exit != 0 {
		t.Errorf("b was only first: %+v, %v", result, err)
	}
}

// The old identity is retired on an active without anybody's word, because the backup
// says that it has the new one.
func TestRetireTakesAMembersWord(t *testing.T) {
	a, b := pairOf(t)
	a.start()
	b.start()
	next := func(node string) *plan.Plan {
		p := open(pairPlan(node, vip1))
		p.Desired.Instances[0].VRID = 52
		return p
	}
	a.apply(open(pairPlan("a", vip1)))
	b.apply(open(pairPlan("b", vip1)))
	a.apply(next("a"))
	if _, err := a.client.Retire(t.Context(), control.RetireRequest{}, func(control.Event) {}); err == nil || !strings.Contains(err.Error(), "b is not known") {
		t.Fatalf("b has the old one only: %v", err)
	}
	b.apply(next("b"))
	result, err := a.client.Retire(t.Context(), control.RetireRequest{}, func(control.Event) {})
	if err != nil || result.Exit != 0 || a.role() != "active" {
		t.Errorf("%+v, %v", result, err)
	}
}

func TestStatusAddressThatCannotBeUsedIsRefused(t *testing.T) {
	m := only(t)
	m.start()
	at := func(status string) *plan.Plan {
		p := open(pairPlan("a", vip1))
		p.Desired.Instances[0].Members[0].Status = status
		return p
	}
	m.refused("not here", m.document(at("192.0.2.77:7112")), "HA3109", 1, "192.0.2.77:7112")
	var l net.Listener
	if err := m.ns.Do(func() (err error) { l, err = net.Listen("tcp", "192.0.2.1:7113"); return err }); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	m.refused("in use", m.document(at("192.0.2.1:7113")), "HA3109", 1, "in use")
	m.apply(at("192.0.2.1:7112"))
	m.apply(at("192.0.2.1:7114")) // another one replaces it
	dial := func(port string) error {
		return m.ns.Do(func() error {
			c, err := net.DialTimeout("tcp", "192.0.2.1:"+port, time.Second)
			if err == nil {
				c.Close()
			}
			return err
		})
	}
	// This host is no member of its own: it is closed, and not refused.
	if err := dial("7114"); errors.Is(err, syscall.ECONNREFUSED) {
		t.Error(err)
	}
	if err := dial("7112"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("the old one still listens: %v", err)
	}
}

// A machine comes up with what it has: the status address comes with its interface, later
// than the daemon.
func TestStatusAddressThatIsMissingAtTheStartIsWaitedFor(t *testing.T) {
	a, b := pairOf(t)
	a.start()
	b.start()
	other := netip.MustParsePrefix("198.51.100.1/24")
	if err := a.ns.AddAddress("eth0", other); err != nil {
		t.Fatal(err)
	}
	if err := b.ns.AddAddress("eth0", netip.MustParsePrefix("198.51.100.2/24")); err != nil {
		t.Fatal(err)
	}
	apart := func(node string) *plan.Plan {
		p := pairPlan(node, vip1)
		p.Desired.Instances[0].Members[0].Status, p.Desired.Instances[0].Members[1].Status = "198.51.100.1:7112", "198.51.100.2:7112"
		return p
	}
	a.apply(apart("a"))
	b.apply(apart("b"))
	b.until("b knows a", func() bool { return b.knows(1) })
	a.stop()
	if err := a.ns.DeleteAddress("eth0", other); err != nil {
		t.Fatal(err)
	}
	a.start()
	b.until("b has forgotten a", func() bool { return !b.knows(1) })
	if err := a.ns.AddAddress("eth0", other); err != nil {
		t.Fatal(err)
	}
	b.until("b knows a again", func() bool { return b.knows(1) })
}
