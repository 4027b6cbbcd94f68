package runtime

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
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

// The token of a webhook is resolved with the plan, missing is a refusal, and another
// value under the same name is an edit.
func TestAWebhooksTokenIsASecretOfThePlan(t *testing.T) {
	dir := t.TempDir()
	p := pairPlan("a", vip1)
	w := plan.DefaultWebhook()
	w.URL, w.Token = "https://127.0.0.1/hook", plan.Secret{Credential: "hook"}
	p.Desired.Notifies = []plan.Notify{{Address: "notify.hook", On: plan.NotifyEvents, Webhook: &w}}
	p.Desired.Instances[0].Notify = []plan.Addr{"notify.hook"}
	if _, wrong := resolveSecrets(p, dir); wrong == nil || wrong.Code != codeSecret || !strings.Contains(wrong.Summary, "notify.hook") {
		t.Errorf("without its file: %+v", wrong)
	}
	file := filepath.Join(dir, "hook")
	if err := os.WriteFile(file, []byte("t0psecret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	before, wrong := resolveSecrets(p, dir)
	if wrong != nil {
		t.Fatal(wrong)
	}
	d := &daemon{}
	d.running.Store(&running{plan: p, secrets: before})
	if got := d.secret(w.Token); got != "t0psecret" {
		t.Errorf("the notifier gets %q", got)
	}
	if changedSecrets(p, before, before) {
		t.Error("nothing has changed")
	}
	if err := os.WriteFile(file, []byte("another"), 0o600); err != nil {
		t.Fatal(err)
	}
	if now, _ := resolveSecrets(p, dir); !changedSecrets(p, before, now) {
		t.Error("the token has changed")
	}
	if raw := fmt.Sprintf("%+v", veiled(p, before, "lineage").Desired.Notifies[0].Webhook); strings.Contains(raw, "t0psecret") {
		t.Error(raw)
	}
}

func TestATrackedRouteMovesThePriority(t *testing.T) {
	m := only(t)
	ip := func(args ...string) {
		t.Helper()
		cmd := exec.Command("ip", args...)
		if err := m.ns.Start(cmd); err != nil {
			t.Skipf("needs ip: %v", err)
		}
		if err := cmd.Wait(); err != nil {
			t.Fatalf("ip %v: %v", args, err)
		}
	}
	m.start()
	for _, table := range []string{"254", "77"} {
		to := netip.MustParsePrefix("10.8.0.0/16")
		r := &plan.TrackedRoute{To: to}
		if table == "77" {
			r.Table = 77
		}
		c := plan.Check{Address: plan.Addr("route.10.8.0.0/16 table " + table), Route: r}
		m.apply(tracking(c, plan.Track{Weight: 20}))
		m.untilPriority(150, "there is no route to 10.8.0.0/16")
		ip("route", "add", "10.8.0.0/24", "via", "192.0.2.9", "table", table) // another one
		ip("route", "add", "10.8.0.0/16", "via", "192.0.2.9", "table", table)
		m.untilPriority(170, "the route is there")
		ip("route", "del", "10.8.0.0/16", "table", table)
		m.untilPriority(150, "there is no route")
		ip("link", "add", "side"+table, "type", "veth", "peer", "name", "far"+table)
		ip("link", "set", "side"+table, "up")
		ip("route", "add", "10.8.0.0/16", "dev", "side"+table, "table", table)
		m.untilPriority(170, "the route is there")
		ip("link", "set", "side"+table, "down") // of which the kernel does not say that the route went
		m.untilPriority(150, "there is no route")
	}
}
