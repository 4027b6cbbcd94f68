package runtime

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"hafile/lang/diff"
	"hafile/lang/plan"
	"hafile/lang/planfile"
	"hafile/runtime/control"
	"hafile/runtime/lab/netns"
)

// refused wants a refusal with this code and exit code, in words, that changes nothing.
func (m *machine) refused(what string, doc *planfile.Document, code string, exit int, words string, change ...func(*control.ApplyRequest)) {
	m.t.Helper()
	addresses, before := m.addresses(), m.status()
	_, events, err := m.send(doc, change...)
	var p *control.Problem
	if !errors.As(err, &p) {
		m.t.Errorf("%s: %v, %+v", what, err, events)
		return
	}
	if p.Code != code || p.Exit != exit || !strings.Contains(p.Error(), words) || p.Detail == "" {
		m.t.Errorf("%s: %+v", what, p)
	}
	after := m.status()
	if !reflect.DeepEqual(before.Plan, after.Plan) || len(before.Instances) != len(after.Instances) || m.addresses() != addresses {
		m.t.Errorf("%s: something has changed: %+v", what, after)
	}
	if _, err := os.Stat(filepath.Join(m.dir, "state", "next")); err == nil {
		m.t.Errorf("%s: next is left", what)
	}
}

func edited(p *plan.Plan, edit func(*plan.Plan)) *plan.Plan {
	edit(p)
	return p
}

func withPassword(s plan.Secret) func(*plan.Plan) {
	return func(p *plan.Plan) {
		in := &p.Desired.Instances[0]
		in.Version, in.AdvertMs = 2, 1000
		in.Auth = &plan.Auth{Type: "pass", Password: s}
	}
}

func TestRefusalsByWhatTheHostHas(t *testing.T) {
	m := only(t)
	m.start()
	doc := func(edit func(*plan.Plan)) *planfile.Document { return m.document(edited(pairPlan("a", vip1), edit)) }
	m.refused("interface missing", doc(func(p *plan.Plan) { p.Desired.Instances[0].Interface = "eth7" }), "HA3101", 1, "eth0")
	m.refused("source elsewhere", doc(func(p *plan.Plan) { p.Desired.Instances[0].SourceAddress = netip.MustParseAddr("192.0.2.99") }), "HA3101", 1, "192.0.2.1/24")
	m.refused("program missing", doc(func(p *plan.Plan) {
		c := plan.DefaultCheck()
		c.Address, c.Name, c.Script = "script.chk", "chk", &plan.Script{Command: []string{"/no/such/program"}}
		p.Desired.Checks = []plan.Check{c}
		p.Desired.Instances[0].Track = []plan.Track{{Check: "script.chk", Weight: -60}}
	}), "HA3104", 1, "/no")
	m.refused("hook missing", doc(func(p *plan.Plan) {
		p.Desired.Notifies = []plan.Notify{{Address: "notify.hook", On: []string{"active"}, Exec: &plan.Exec{Command: []string{"/no/such/hook"}, TimeoutMs: 1000}}}
		p.Desired.Instances[0].Notify = []plan.Addr{"notify.hook"}
	}), "HA3104", 1, "notify.hook")
	m.refused("secret missing", doc(withPassword(plan.Secret{Credential: "vrrp"})), "HA3105", 1, filepath.Join(m.dir, "credentials", "vrrp"))
	if err := m.ns.AddAddress("eth0", netip.MustParsePrefix("192.0.2.10/24")); err != nil {
		t.Fatal(err)
	}
	m.refused("installed here by a stranger", m.document(pairPlan("a", vip1)), "HA3102", 4, "not by hafile")
}

func TestAdoptTakesOverWhatSomebodyElseHasInstalled(t *testing.T) {
	m := only(t)
	m.start()
	if err := m.ns.AddAddress("eth0", netip.MustParsePrefix(vip1)); err != nil {
		t.Fatal(err)
	}
	heard := m.record()
	m.refused("without a word", m.document(pairPlan("a", vip1)), "HA3102", 4, "apply -adopt")
	result, _, err := m.send(m.document(pairPlan("a", vip1)), func(r *control.ApplyRequest) { r.Adopt = true })
	if err != nil || result.Exit != 0 || m.role() != "active" {
		t.Fatalf("%+v, %v, %s", result, err, m.role())
	}
	if gone := heard.removed(t); len(gone) != 0 {
		t.Errorf("removed: %v", gone)
	}
	m.stop()
	if m.has(vip1) {
		t.Error("it was not released at the stop")
	}
}

func TestStopDoesNotWaitForAnApplyThatListens(t *testing.T) {
	m := only(t)
	m.start()
	slow := edited(pairPlan("a", vip1), func(p *plan.Plan) { p.Desired.Instances[0].AdvertMs = 40000 })
	doc, answered := m.document(slow), make(chan error, 1)
	go func() {
		_, err := m.client.Apply(t.Context(), control.ApplyRequest{Plan: doc}, "none", false, func(control.Event) {})
		answered <- err
	}()
	m.until("the apply listens", func() bool { return len(m.status().Sockets) == 1 })
	begin := time.Now()
	m.stop()
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("the stop took %s", took)
	}
	if err := <-answered; err == nil {
		t.Error("the apply is said to have succeeded")
	}
}

func TestRefusalsByThePlan(t *testing.T) {
	m := only(t)
	m.start()
	other := pairPlan("b", vip1)
	m.refused("another node's", m.document(other), "HA3001", 6, "hafile plan -node a")
	stale := m.document(pairPlan("a", vip1))
	m.apply(pairPlan("a", vip1, vip2))
	m.refused("stale", stale, "HA3005", 5, "hafile plan")
	m.refused("above the gate", m.document(pairPlan("a", vip1)), "HA3004", 4, "max-impact",
		func(r *control.ApplyRequest) { r.MaxImpact = diff.Gains })
	expired := m.document(pairPlan("a", vip1))
	expired.Expires = time.Now().Add(-time.Hour)
	m.refused("expired", expired, "HA3008", 5, "expired")
	elsewhere := m.document(pairPlan("a", vip1))
	elsewhere.Base.Lineage = "0000"
	m.refused("another daemon's", elsewhere, "HA3002", 5, "another daemon")
	damaged := m.document(pairPlan("a", vip1))
	damaged.Desired.Instances[0].Priority = 7
	m.refused("changed by hand", damaged, "HA3010", 1, "digest")
	broken := m.document(edited(pairPlan("a", vip1), func(p *plan.Plan) { p.Desired.Instances[0].VRID = 0 }))
	m.refused("against the rules", broken, "HA1101", 1, "router_id")
	newer := m.document(pairPlan("a", vip1))
	newer.FormatVersion = "2.0"
	m.refused("of another format", newer, "HA3011", 1, "2.0")
}

func TestDryRunChangesNothing(t *testing.T) {
	m := only(t)
	m.start()
	doc := m.document(pairPlan("a", vip1))
	result, err := m.client.Apply(t.Context(), control.ApplyRequest{Plan: doc}, "none", true, func(control.Event) {})
	if err != nil || result.Exit != 0 || result.Summary.Add == 0 {
		t.Fatalf("%+v, %v", result, err)
	}
	if s := m.status(); s.Plan != nil || len(s.Instances) != 0 || len(s.Sockets) != 0 {
		t.Errorf("status %+v", s)
	}
}

func TestVIPOfAStrangerIsRefused(t *testing.T) {
	s := netns.SegmentT(t)
	m := newMachine(t, s, "a", "192.0.2.1/24")
	netns.NodeT(t, s, netns.Port{Name: "eth0", Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.10/24")}})
	m.start()
	m.refused("on an empty daemon", m.document(pairPlan("a", vip1)), "HA3102", 4, "another machine answers for 192.0.2.10")
	m.apply(pairPlan("a", vip2))
	m.refused("added to one that runs", m.document(pairPlan("a", vip2, vip1)), "HA3102", 4, "another machine answers for 192.0.2.10")
}

func TestNeighbourInAnotherDialectIsRefused(t *testing.T) {
	a, b := pairOf(t)
	a.start()
	b.start()
	a.apply(edited(pairPlan("a", vip1), withPassword(plan.Secret{Value: "first"})))
	b.refused("another password", b.document(edited(pairPlan("b", vip1), withPassword(plan.Secret{Value: "second"}))), "HA3103", 4, "192.0.2.1 sends VRID 51 with another password")
	b.refused("another version", b.document(pairPlan("b", vip1)), "HA3103", 4, "192.0.2.1 speaks VRRPv2")
	b.refused("another interval", b.document(edited(pairPlan("b", vip1), func(p *plan.Plan) {
		withPassword(plan.Secret{Value: "first"})(p)
		p.Desired.Instances[0].AdvertMs = 2000
	})), "HA3103", 4, "every 1s, this router every 2s")
	b.apply(edited(pairPlan("b", vip1), withPassword(plan.Secret{Value: "first"})))
	if b.role() != "backup" {
		t.Errorf("b is %s", b.role())
	}
	for _, m := range []*machine{a, b} {
		if raw, _ := os.ReadFile(m.log.Name()); strings.Contains(string(raw), "first") || strings.Contains(string(raw), "second") {
			t.Errorf("a password is in the log of %s", m.name)
		}
	}
}

// The disk refuses to make the plan current after it was committed: the plan before runs
// again, and the daemon says so.
func TestCommitThatCannotBeStoredIsTakenBack(t *testing.T) {
	m := only(t)
	m.start()
	m.apply(pairPlan("a", vip1))
	current := filepath.Join(m.dir, "state", "current")
	if err := os.Rename(current, current+".away"); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(current, "in", "the", "way"), 0o700); err != nil {
		t.Fatal(err)
	}
	heard := m.record()
	result, _, err := m.send(m.document(pairPlan("a", vip1, vip2)))
	if err != nil || result.Exit != 7 || !strings.Contains(result.Message, "the plan before runs again") || result.Serial != 1 {
		t.Fatalf("%+v, %v", result, err)
	}
	m.until("vip2 is gone again", func() bool { return !m.has(vip2) })
	if gone := heard.removed(t); len(gone) != 1 || gone[0].String() != "192.0.2.11" {
		t.Errorf("removed: %v", gone)
	}
	if s := m.status(); s.Plan.Serial != 1 || s.Instances[0].Role != "active" {
		t.Errorf("status %+v", s.Plan)
	}
}

// A secret is pinned: a changed file counts from the next apply on, and no earlier.
func TestChangedSecretIsAnEditAndARestartKeepsTheOld(t *testing.T) {
	m := only(t)
	file := filepath.Join(m.dir, "credentials", "vrrp")
	write := func(s string) {
		if err := os.WriteFile(file, []byte(s+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m.start()
	write("first")
	p := edited(pairPlan("a", vip1), withPassword(plan.Secret{Credential: "vrrp"}))
	m.apply(p)
	if r := m.apply(p); r.Serial != 1 || !strings.Contains(r.Message, "already") {
		t.Errorf("unchanged: %+v", r)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	m.stop()
	m.start()
	m.untilRole("active")
	write("second")
	m.refused("as harmless", m.document(p), "HA3004", 4, "password", func(r *control.ApplyRequest) { r.MaxImpact = diff.None })
	if r := m.apply(p); r.Serial != 2 || r.Summary.Change != 1 {
		t.Errorf("changed: %+v", r)
	}
}

func TestEventsTellOfATransition(t *testing.T) {
	m := only(t)
	m.start()
	enough := errors.New("enough")
	doc, applied := m.document(pairPlan("a", vip1)), make(chan error, 1)
	send := func() error {
		_, err := m.client.Apply(t.Context(), control.ApplyRequest{Plan: doc, WaitMs: 8000}, "none", false, func(control.Event) {})
		return err
	}
	var seen []string
	err := m.client.Events(t.Context(), func(ev control.Event) error {
		switch ev.Type {
		case "snapshot":
			seen = append(seen, ev.Type)
			go func() { applied <- send() }()
		case "transition":
			seen = append(seen, ev.Transition.To)
			if ev.Transition.To == "active" {
				return enough
			}
		}
		return nil
	})
	if !errors.Is(err, enough) || strings.Join(seen, " ") != "snapshot backup active" {
		t.Errorf("%v, %v", seen, err)
	}
	if err := <-applied; err != nil {
		t.Error(err)
	}
}

func TestChecksMoveThePriority(t *testing.T) {
	m := only(t)
	m.start()
	p := edited(pairPlan("a", vip1), func(p *plan.Plan) {
		c := plan.DefaultCheck()
		c.Address, c.Name, c.IntervalMs, c.Fall = "script.chk", "chk", 20, 1
		c.Script = &plan.Script{Command: []string{"/bin/false"}, User: "root"}
		p.Desired.Checks = []plan.Check{c}
		p.Desired.Instances[0].Track = []plan.Track{{Check: "script.chk", Weight: -60}}
	})
	m.apply(p)
	m.until("the check counts", func() bool { return m.status().Instances[0].Priority.Effective == 90 })
	s := m.status()
	if c := s.Checks[0]; c.State != "down" || c.LastExit == nil || *c.LastExit != 1 {
		t.Errorf("check %+v", c)
	}
	if parts := s.Instances[0].Priority.Parts; len(parts) != 1 || parts[0].Delta != -60 {
		t.Errorf("parts %+v", parts)
	}
}
