package runtime

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"hafile/lang/plan"
	"hafile/runtime/lab/netns"
)

// tracking is pairPlan of a with something that it tracks.
func tracking(c plan.Check, t plan.Track) *plan.Plan {
	p := pairPlan("a", vip1)
	d := plan.DefaultCheck()
	c.Name, c.IntervalMs, c.TimeoutMs, c.Fall, c.Rise, c.OnFail = c.Address.Name(), d.IntervalMs, d.TimeoutMs, d.Fall, d.Rise, d.OnFail
	t.Check = c.Address
	p.Desired.Checks = []plan.Check{c}
	p.Desired.Instances[0].Track = []plan.Track{t}
	p.Normalize()
	return p
}

func (m *machine) untilPriority(want uint8, found string) {
	m.t.Helper()
	m.until(fmt.Sprintf("priority %d (%s)", want, found), func() bool {
		s := m.status()
		for i := range s.Instances {
			if s.Instances[i].Address == "instance.web" {
				c := s.Checks[0]
				return s.Instances[i].Priority.Effective == want && strings.Contains(c.LastOutput+c.LastError, found)
			}
		}
		return false
	})
}

func bond1() plan.Check {
	return plan.Check{Address: "interface.bond1", Interface: &plan.TrackedInterface{Name: "bond1"}}
}

func TestATrackedInterfaceMovesThePriority(t *testing.T) {
	m := only(t)
	other := netns.NewT(t)
	cable := func() {
		t.Helper()
		if err := netns.Cable(m.ns, netns.Port{Name: "bond1"}, other, netns.Port{Name: "far"}); err != nil {
			t.Fatal(err)
		}
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	m.start()
	if _, _, err := m.send(m.document(tracking(bond1(), plan.Track{Weight: -60}))); err == nil || !strings.Contains(err.Error(), "there is no interface bond1 to track") {
		t.Errorf("an interface that is not there is tracked: %v", err)
	}
	cable()
	m.until("bond1", func() bool {
		_, _, err := m.send(m.document(tracking(bond1(), plan.Track{Weight: -60})))
		return err == nil
	})
	m.untilPriority(150, "bond1 has a carrier")
	do(other.Down("far"))
	m.untilPriority(90, "bond1 has no carrier")
	do(other.Up("far"))
	m.untilPriority(150, "")
	do(m.ns.Down("bond1"))
	m.untilPriority(90, "bond1 is down")
	do(m.ns.Delete("bond1"))
	m.untilPriority(90, "does not exist")
	cable() // with another index
	m.untilPriority(150, "")
	m.apply(tracking(bond1(), plan.Track{Weight: -60, Reverse: true}))
	do(other.Down("far"))
	m.untilPriority(210, "")
	do(other.Up("far"))
	m.untilPriority(150, "")
	m.apply(tracking(bond1(), plan.Track{}))
	do(other.Down("far"))
	m.until("the failure named", func() bool { return strings.Contains(m.status().Instances[0].Why, "bond1") })
}

func TestATrackedInstanceCountsWhileItIsActive(t *testing.T) {
	m := only(t)
	m.start()
	p := tracking(plan.Check{Address: "instance.db", Instance: &plan.TrackedInstance{Address: "instance.db"}}, plan.Track{Weight: 20})
	db := p.Clone().Desired.Instances[0]
	db.Address, db.Name, db.VRID, db.Track = "instance.db", "db", 52, nil
	db.VIPs[0].Address = netip.MustParsePrefix("192.0.2.77/32")
	p.Desired.Instances = append(p.Desired.Instances, db)
	p.Normalize()
	m.apply(p)
	m.untilPriority(170, "active")
}
