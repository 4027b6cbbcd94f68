package runtime

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hafile/lang/plan"
	"hafile/runtime/control"
)

func (m *machine) retire(allow ...string) (*control.Result, error) {
	m.t.Helper()
	return m.client.Retire(m.t.Context(), control.RetireRequest{Allow: allow, By: "test"}, func(control.Event) {})
}

// runs wants this identity, with so many former ones beside it.
func (m *machine) runs(vrid, version uint8, former int) {
	m.t.Helper()
	in := m.status().Instances[0]
	if len(m.status().Instances) != 1 || in.Wire.VRID != vrid || in.Wire.Version != version || len(in.Former) != former {
		m.t.Errorf("%s is %+v, was %+v", m.name, in.Wire, in.Former)
	}
}

func withVRID(id uint8) func(*plan.Plan) {
	return func(p *plan.Plan) { p.Desired.Instances[0].VRID = id }
}

// An identity goes through two daemons in either order, survives a crash in the middle,
// and is retired when the others are known to have the new one. The address never leaves
// the kernel of its owner, and nobody changes its role.
func TestIdentitySweptThroughTwoDaemons(t *testing.T) {
	a, b := pairOf(t)
	a.start()
	a.apply(pairPlan("a", vip1))
	b.start()
	b.apply(pairPlan("b", vip1))
	heard := a.record()
	swept := func(m *machine, edit func(*plan.Plan)) { m.t.Helper(); m.apply(edited(pairPlan(m.name, vip1), edit)) }

	swept(b, withVRID(52)) // the backup first
	b.runs(52, 3, 1)
	if _, err := b.retire(); !refusedWith(err, "HA3107") {
		t.Errorf("b retires before a has it: %v", err)
	}
	b.kill()
	b.start()
	b.untilRole("backup")
	b.runs(52, 3, 1)
	if got := b.status().Instances[0].Unswept; len(got) != 1 || got[0] != "a" {
		t.Errorf("b waits for %v", got)
	}
	swept(a, withVRID(52))
	a.runs(52, 3, 1)
	b.until("b hears a as 52", func() bool { return len(b.status().Instances[0].Unswept) == 0 })
	if r, err := b.retire(); err != nil || r.Exit != 0 {
		t.Errorf("b retires: %+v, %v", r, err)
	}
	if _, err := a.retire(); !refusedWith(err, "HA3107") { // a backup is never heard
		t.Errorf("a retires without a word for b: %v", err)
	}
	if r, err := a.retire("retire:b"); err != nil || r.Exit != 0 {
		t.Errorf("a retires: %+v, %v", r, err)
	}
	a.runs(52, 3, 0)
	b.runs(52, 3, 0)

	secret := func(word string) func(*plan.Plan) {
		return func(p *plan.Plan) { withVRID(52)(p); withPassword(plan.Secret{Value: word})(p) }
	}
	swept(a, secret("first")) // the active first: version and password
	swept(b, secret("first"))
	a.runs(52, 2, 1)
	swept(a, secret("second")) // and before that is retired, another password
	swept(b, secret("second"))
	b.runs(52, 2, 2)
	b.until("b hears a", func() bool { return len(b.status().Instances[0].Unswept) == 0 })
	for _, m := range []*machine{a, b} {
		if r, err := m.retire("retire:b"); err != nil || r.Exit != 0 {
			t.Errorf("%s retires: %+v, %v", m.name, r, err)
		}
	}
	time.Sleep(1500 * time.Millisecond)
	if gone := heard.removed(t); len(gone) != 0 {
		t.Errorf("removed from a meanwhile: %v", gone)
	}
	in, other := a.status().Instances[0], b.status().Instances[0]
	if in.Role != "active" || in.Counters["goodbyes"] != 0 || in.Counters["transitions"] != 2 {
		t.Errorf("a is %s, %v", in.Role, in.Counters)
	}
	if other.Role != "backup" || other.Counters["transitions"] != 1 || b.has(vip1) {
		t.Errorf("b is %s, %v", other.Role, other.Counters)
	}
	if p := a.status().Predictions; p.Mispredicted != 0 || p.Applied != 4 {
		t.Errorf("predictions of a: %+v", p)
	}
	for _, m := range []*machine{a, b} {
		if raw, _ := os.ReadFile(m.log.Name()); strings.Contains(string(raw), "first") || strings.Contains(string(raw), "second") {
			t.Errorf("a password is in the log of %s", m.name)
		}
	}
}

func refusedWith(err error, code string) bool {
	var p *control.Problem
	return errors.As(err, &p) && p.Code == code
}

// Who is alone changes its identity at once, and keeps its role and address.
func TestIdentityOfALoneRouterChangesAtOnce(t *testing.T) {
	m := only(t)
	m.start()
	m.apply(alone(51, vip1))
	heard := m.record()
	m.apply(alone(52, vip1))
	m.runs(52, 3, 0)
	if gone := heard.removed(t); len(gone) != 0 || m.role() != "active" || m.status().Instances[0].Counters["goodbyes"] != 0 {
		t.Errorf("removed %v, %s", gone, m.role())
	}
}

// What nobody confirms, or the kernel refuses, goes back on the same way.
func TestIdentityOfALoneRouterGoesBackAtOnce(t *testing.T) {
	m := only(t)
	m.start()
	m.apply(alone(51, vip1))
	m.untilRole("active")
	heard := m.record()
	if _, _, err := m.send(m.document(alone(52, vip1)), m.confirmed(500*time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	m.until("the plan before runs", func() bool { return m.status().Plan.Serial == 1 })
	m.runs(51, 3, 0)
	if gone := heard.removed(t); len(gone) != 0 || m.role() != "active" || m.status().Instances[0].Counters["goodbyes"] != 0 {
		t.Errorf("removed %v, %s", gone, m.role())
	}
}

// The router that an instance had before is not the instance any more: a hook that is told
// of its end would stop what belongs to one that runs.
func TestHooksHearOfAnInstanceFromItsOwnRouterOnly(t *testing.T) {
	m := only(t)
	dir := t.TempDir()
	told := func() string {
		raw, _ := os.ReadFile(filepath.Join(dir, "told"))
		return strings.Join(strings.Fields(string(raw)), " ")
	}
	of := func(names ...string) *plan.Plan {
		p := pairPlan("a")
		hook := plan.Exec{Command: []string{"/bin/sh", "-c", "echo ${HAFILE_NAME}:$HAFILE_EVENT >>" + dir + "/told"}, User: "root", TimeoutMs: 5000}
		p.Desired.Notifies = []plan.Notify{{Address: "notify.hook", On: []string{"active", "backup", "fault", "stop"}, Exec: &hook}}
		in := p.Desired.Instances[0]
		p.Desired.Instances = nil
		for k, name := range names {
			if name == "" {
				continue
			}
			in.Address, in.Name, in.VRID = plan.Addr("instance."+name), name, uint8(51+k)
			in.VIPs = []plan.VIP{{Address: netip.MustParsePrefix(fmt.Sprintf("192.0.2.%d/32", 10+k))}}
			in.Members = in.Members[:1]
			in.Notify = []plan.Addr{"notify.hook"}
			p.Desired.Instances = append(p.Desired.Instances, in)
		}
		p.Normalize()
		return p
	}
	m.start()
	m.apply(of("web", "db"))
	m.until("the hook has heard of both", func() bool { return strings.Count(told(), ":active") == 2 })
	m.apply(of("", "web")) // web is what db was; db is gone, and so is the router that web had
	m.apply(of("", "web", "last"))
	m.until("the hook has heard of the last one", func() bool { return strings.Contains(told(), "last:active") })
	if got := told(); strings.Contains(got, "web:stop") {
		t.Errorf("the hook was told %s", got)
	}
}

func TestIdentityInUseIsNotGivenToAnother(t *testing.T) {
	m := only(t)
	m.start()
	m.apply(pairPlan("a", vip1))
	m.apply(edited(pairPlan("a", vip1), withVRID(52)))
	second := edited(pairPlan("a", vip1), withVRID(52))
	more := pairPlan("a", vip2).Desired.Instances[0]
	more.Address, more.Name = "instance.more", "more"
	second.Desired.Instances = append(second.Desired.Instances, more)
	second.Normalize()
	m.refused("the former VRID", m.document(second), "HA3106", 4, "still answers as eth0")
}

func (m *machine) confirmed(wait time.Duration) func(*control.ApplyRequest) {
	return func(r *control.ApplyRequest) { r.ConfirmMs = wait.Milliseconds() }
}

func TestPlanThatNobodyConfirmsIsTakenBack(t *testing.T) {
	m := only(t)
	m.start()
	m.apply(pairPlan("a", vip1))
	heard := m.record()
	result, _, err := m.send(m.document(pairPlan("a", vip1, vip2)), m.confirmed(1500*time.Millisecond))
	if err != nil || result.Exit != 0 || result.Serial != 2 || !strings.Contains(result.Message, "hafile confirm") || !m.has(vip2) {
		t.Fatalf("%+v, %v", result, err)
	}
	if s := m.status(); s.ConfirmBy == nil || time.Until(*s.ConfirmBy) > 1500*time.Millisecond {
		t.Errorf("to be confirmed by %v", s.ConfirmBy)
	}
	if _, _, err := m.send(m.document(pairPlan("a", vip1))); !refusedWith(err, "HA3027") {
		t.Errorf("another plan meanwhile: %v", err)
	}
	m.until("the plan before runs", func() bool { return m.status().Plan.Serial == 1 && !m.has(vip2) })
	if gone := heard.removed(t); len(gone) != 1 || gone[0].String() != "192.0.2.11" {
		t.Errorf("removed: %v", gone)
	}
	if _, err := m.client.Confirm(t.Context()); !refusedWith(err, "HA3028") {
		t.Errorf("confirmed too late: %v", err)
	}
}

func TestConfirmedPlanStays(t *testing.T) {
	m := only(t)
	m.start()
	m.apply(pairPlan("a", vip1))
	if _, _, err := m.send(m.document(pairPlan("a", vip1, vip2)), m.confirmed(time.Second)); err != nil {
		t.Fatal(err)
	}
	if r, err := m.client.Confirm(t.Context()); err != nil || r.Exit != 0 || r.Serial != 2 {
		t.Fatalf("%+v, %v", r, err)
	}
	time.Sleep(1200 * time.Millisecond)
	m.kill()
	m.start()
	m.untilRole("active")
	if s := m.status(); s.Plan.Serial != 2 || s.ConfirmBy != nil || !m.has(vip2) {
		t.Errorf("plan %+v", s.Plan)
	}
}

// The countdown needs nobody to remember it: a daemon that dies while it runs starts with
// the plan before.
func TestRestartBeforeTheConfirmationReverts(t *testing.T) {
	m := only(t)
	m.start()
	m.apply(pairPlan("a", vip1))
	if _, _, err := m.send(m.document(pairPlan("a", vip1, vip2)), m.confirmed(time.Minute)); err != nil {
		t.Fatal(err)
	}
	heard := m.record()
	m.kill()
	m.start()
	m.until("the plan before runs", func() bool { return m.status().Plan.Serial == 1 && m.role() == "active" && !m.has(vip2) })
	if gone := heard.removed(t); len(gone) != 1 || gone[0].String() != "192.0.2.11" {
		t.Errorf("removed: %v", gone)
	}
}

func TestRollback(t *testing.T) {
	m := only(t)
	m.start()
	back := func(serial int) (*control.Result, error) {
		return m.client.Rollback(t.Context(), control.RollbackRequest{Serial: serial, WaitMs: 8000, By: "test"}, func(control.Event) {})
	}
	m.apply(pairPlan("a", vip1))
	if _, err := back(0); !refusedWith(err, "HA3029") {
		t.Errorf("behind the first: %v", err)
	}
	m.apply(pairPlan("a", vip1, vip2))
	if r, err := back(0); err != nil || r.Exit != 0 || r.Serial != 3 || m.has(vip2) || !m.has(vip1) {
		t.Errorf("to the one before: %+v, %v, %s", r, err, m.addresses())
	}
	if r, err := back(2); err != nil || r.Exit != 0 || r.Serial != 4 || !m.has(vip2) {
		t.Errorf("to 2: %+v, %v, %s", r, err, m.addresses())
	}
	if _, err := back(17); !refusedWith(err, "HA3029") {
		t.Errorf("to one that never was: %v", err)
	}
	h, err := m.client.History(t.Context())
	if err != nil || h.Running != 4 || len(h.Plans) != 4 || h.Plans[0].Serial != 4 || h.Plans[0].Digest != h.Plans[2].Digest {
		t.Errorf("history %+v, %v", h, err)
	}
	if _, _, err := m.send(m.document(pairPlan("a", vip1)), m.confirmed(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if r, err := back(0); err != nil || r.Exit != 0 || r.Serial != 4 || !m.has(vip2) || m.status().ConfirmBy != nil {
		t.Errorf("from one that waits: %+v, %v", r, err)
	}
}

// A kernel that refuses an address of the new plan: the plan before runs again, and the
// answer says why. Linux gives no IPv4 address to an interface whose MTU is below 68.
func TestKernelThatRefusesBringsThePlanBeforeBack(t *testing.T) {
	m := only(t)
	m.start()
	m.apply(pairPlan("a", vip1))
	cmd := exec.Command("ip", "link", "set", "lo", "mtu", "60")
	if err := m.ns.Start(cmd); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	heard := m.record()
	next := edited(pairPlan("a", vip1, vip2), func(p *plan.Plan) { p.Desired.Instances[0].VIPs[1].Interface = "lo" })
	result, _, err := m.send(m.document(next))
	if err != nil {
		t.Fatal(err)
	}
	if result.Exit != 7 || result.Serial != 1 || !strings.Contains(result.Message, "the plan before runs again: add 192.0.2.11/32 on lo: ") {
		t.Errorf("%+v", result)
	}
	s := m.status()
	if gone := heard.removed(t); len(gone) != 0 || s.Plan.Serial != 1 || s.Instances[0].Role != "active" || len(s.Instances[0].VIPs) != 1 {
		t.Errorf("removed %v, status %+v, %+v", gone, s.Plan, s.Instances)
	}
	if _, err := os.Stat(m.dir + "/state/next"); err == nil {
		t.Error("next is left")
	}
	m.kill()
	m.start()
	m.untilRole("active")
}
