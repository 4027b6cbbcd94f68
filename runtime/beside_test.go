package runtime

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"hafile/lang/plan"
	"hafile/runtime/drift"
	"hafile/runtime/kernel"
	"hafile/runtime/kernel/netlink"
	"hafile/runtime/lab/netns"
	"hafile/runtime/node"
)

// gatewayPlan is a pair that takes a way into the world along with its address.
func gatewayPlan(name, gateway string) *plan.Plan {
	p := pairPlan(name, vip1)
	in := &p.Desired.Instances[0]
	in.Routes = []plan.Route{
		{To: netip.MustParsePrefix("203.0.113.0/24"), Via: netip.MustParseAddr(gateway), Source: netip.MustParseAddr("192.0.2.10")},
		{To: netip.MustParsePrefix("0.0.0.0/0"), Via: netip.MustParseAddr(gateway), Interface: "eth0", Table: 100},
	}
	in.Rules = []plan.Rule{{Priority: 100, From: netip.MustParsePrefix(vip1), Table: 100}}
	p.Normalize()
	return p
}

func (m *machine) things() (kernel.Things, error) {
	var all kernel.Things
	err := m.ns.Do(func() (err error) { all, err = netlink.Things(); return err })
	return all, err
}

func (m *machine) besides() int {
	m.t.Helper()
	all, err := m.things()
	if err != nil {
		m.t.Fatal(err)
	}
	return len(all)
}

func TestRoutesAndRulesFollowTheAddress(t *testing.T) {
	a, b := pairOf(t)
	netns.Needs(t, "ip", "iproute2")
	a.start()
	b.start()
	a.apply(gatewayPlan("a", "192.0.2.254"))
	a.untilRole("active")
	a.until("it has routes and rules", func() bool { return a.besides() == 3 })
	b.apply(gatewayPlan("b", "192.0.2.254"))
	if n := b.besides(); n != 0 {
		t.Errorf("the backup has %d", n)
	}
	a.kill() // and they are taken over as they are
	a.start()
	a.until("it has them", func() bool { return a.besides() == 3 })

	// An edit: nothing is announced to the address, and the routes change in one step.
	r := a.record()
	a.apply(gatewayPlan("a", "192.0.2.253"))
	a.until("the new gateway", func() bool { return strings.Contains(a.run("ip route show table 100"), "192.0.2.253") })
	if gone := r.removed(t); len(gone) != 0 {
		t.Errorf("removed: %v", gone)
	}
	began := time.Now()
	a.run("ip route del 203.0.113.0/24")
	a.until("it is back", func() bool { return a.besides() == 3 })
	t.Logf("a deleted route was back after %v", time.Since(began))

	a.stop()
	b.untilRole("active")
	b.until("the other has them", func() bool { return b.besides() == 3 })
	if n := a.besides(); n != 0 {
		t.Errorf("%d are left over", n)
	}
}

// A route that cannot be had takes nobody down: it is told, and drift names it.
func TestARouteThatCannotBeHadIsNamed(t *testing.T) {
	m := only(t)
	netns.Needs(t, "ip", "iproute2")
	m.start()
	p := gatewayPlan("a", "198.51.100.1") // is on no subnet of the machine
	m.apply(p)
	m.untilRole("active")
	m.until("it has the address", func() bool { return m.has(vip1) })
	have, err := m.things()
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, i := range drift.Beside(m.status(), p, node.RoutesAndRules, have) {
		kinds = append(kinds, i.Kind)
	}
	if got := strings.Join(kinds, " "); got != "route_missing route_missing" {
		t.Errorf("drift: %s; %v", got, have)
	}
	m.run("ip addr add 198.51.100.9/24 dev eth0")
	m.until("they are there as soon as they can be", func() bool { return m.besides() == 3 })
}
