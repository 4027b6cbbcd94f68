package runtime

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"hafile/lang/plan"
	"hafile/runtime/control"
	"hafile/runtime/node"
	"hafile/runtime/vrrp"
)

// Each case is a guard, what is known of the members, and what is missing.
func TestGuardsAsk(t *testing.T) {
	day := time.Date(2026, 11, 24, 15, 4, 0, 0, time.UTC)
	const now = vrrp.Instant(100 * time.Second)
	heard := func(ago time.Duration, priority uint8) *node.Instance {
		return &node.Instance{
			Silence: time.Second, Since: vrrp.Instant(10 * time.Second),
			Peers: []node.Peer{{Address: netip.MustParseAddr("192.0.2.2"), Priority: priority, At: now - vrrp.Instant(ago)}},
		}
	}
	tests := []struct {
		name  string
		guard plan.Guard
		is    *node.Instance
		want  string // in what is missing; empty: nothing is
	}{
		{"nothing is asked", plan.Guard{}, nil, ""},
		{"a peer lives", plan.Guard{MinLivePeers: 1}, heard(500*time.Millisecond, 100), ""},
		{"a peer is silent", plan.Guard{MinLivePeers: 1}, heard(2*time.Second, 100), "0 of the other members are known to live (unknown: b: it has no status address)"},
		{"a peer has said goodbye", plan.Guard{MinLivePeers: 1}, heard(time.Millisecond, 0), "unknown: b"},
		{"it does not run", plan.Guard{MinLivePeers: 1}, nil, "unknown: b"},
		{"a backup is ready", plan.Guard{RequireBackupReady: true}, heard(0, 100), ""},
		{"nobody is ready", plan.Guard{RequireBackupReady: true}, heard(time.Minute, 100), "require_backup_ready"},
		{"quiet for long", plan.Guard{NotWhileFlappingMs: 60000}, heard(0, 1), ""},
		{"not quiet for long enough", plan.Guard{NotWhileFlappingMs: 100000}, heard(0, 1), "not_while_flapping = 1m40s"},
		{"within the window", plan.Guard{Window: "15:00-16:00"}, nil, ""},
		{"at its first minute", plan.Guard{Window: "15:04-15:05"}, nil, ""},
		{"at its last minute", plan.Guard{Window: "14:00-15:04"}, nil, "it is 15:04 here"},
		{"past midnight, outside", plan.Guard{Window: "22:00-04:00"}, nil, "22:00-04:00"},
		{"past midnight, inside", plan.Guard{Window: "15:00-04:00"}, nil, ""},
		{"several at once", plan.Guard{MinLivePeers: 1, Window: "01:00-02:00"}, nil, "; window"},
	}
	for _, tt := range tests {
		p := pairPlan("a", vip1)
		p.Desired.Instances[0].Guard = &tt.guard
		got := strings.Join(guarded{plan: p, in: &p.Desired.Instances[0], is: tt.is, now: now}.unmet(day), "; ")
		if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestGuardAndProtectionOfTheRunningPlan: what the running plan says counts, whatever the
// new one says; a word lets it through and is repeated in the answer.
func TestGuardAndProtectionOfTheRunningPlan(t *testing.T) {
	m := only(t)
	m.start()
	careful := func(vips ...string) *plan.Plan {
		return edited(pairPlan("a", vips...), func(p *plan.Plan) {
			in := &p.Desired.Instances[0]
			in.PreventRelease, in.Guard = true, &plan.Guard{RequireBackupReady: true}
		})
	}
	allow := func(words ...string) func(*control.ApplyRequest) {
		return func(r *control.ApplyRequest) { r.Allow = words }
	}
	m.apply(careful(vip1, vip2)) // new: there is nobody to protect yet
	m.untilRole("active")
	m.refused("both deleted with the address", m.document(pairPlan("a", vip1)), "HA3012", 4, "-allow=release:192.0.2.11")
	m.refused("the guard stands too", m.document(pairPlan("a", vip1)), "HA3108", 4, "-allow=guard:instance.web", allow("release:192.0.2.11"))
	m.refused("a check that it tracks", m.document(edited(careful(vip1, vip2), func(p *plan.Plan) { p.Desired.Instances[0].Priority = 140 })), "HA3108", 4, "b")
	result, events, err := m.send(m.document(pairPlan("a", vip1)), allow("release:192.0.2.11", "guard:instance.web"))
	if err != nil || result.Exit != 0 || m.has(vip2) || !m.has(vip1) {
		t.Fatalf("%+v, %v, %s", result, err, m.addresses())
	}
	said := ""
	for _, ev := range events {
		said += ev.Message
	}
	if !strings.Contains(said, "the guard of instance.web is not met") || !strings.Contains(said, "that was allowed") {
		t.Errorf("the answer says %q", said)
	}
	m.apply(pairPlan("a", vip1, vip2))
}

// A backup hears its active, which is a member that lives and has the addresses.
func TestGuardOfABackupIsMetByItsActive(t *testing.T) {
	a, b := pairOf(t)
	a.start()
	b.start()
	a.apply(pairPlan("a", vip1))
	careful := edited(pairPlan("b", vip1), func(p *plan.Plan) {
		p.Desired.Instances[0].Guard = &plan.Guard{MinLivePeers: 1, RequireBackupReady: true}
	})
	b.apply(careful)
	b.untilRole("backup")
	b.apply(edited(careful.Clone(), func(p *plan.Plan) { p.Desired.Instances[0].PreemptDelayMs = 1000 }))
}
