package runtime

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hafile/lang/plan"
	"hafile/runtime/control"
)

// The claim: whatever fails while a plan is applied, and at whatever call a daemon is
// killed, afterwards the plan before or the new one runs, whole, and the daemon says
// which: in the result of the apply, in its status, and after a start. What both plans
// have never leaves the kernel.
//
// The method: an apply is watched once, which gives the list of all its calls that change
// a file or ask netlink. Then it is done again and again, with a fault at one of them.

var everyFault = flag.Bool("faults", false, "inject every fault into every call of an apply; else a part of them")

// faultAt is one call of an apply: the nth of its name.
type faultAt struct {
	what string
	nth  int
}

func (f faultAt) String() string { return fmt.Sprintf("%s, %d", f.what, f.nth) }

// kinds of faults.
const (
	once   = "fails"           // this call, and none after it
	onward = "fails from here" // and all after it of the same kind: a full disk, a deaf kernel
	kill   = "kill"            // the daemon's last call is the one before
)

func isDisk(what string) bool { return requestKind(what) == "" }

func requestKind(what string) string {
	for _, r := range requests {
		if r == what {
			return r
		}
	}
	return ""
}

// errnoOf is what such a call fails with.
func errnoOf(what string) syscall.Errno {
	verb, _, _ := strings.Cut(what, " ")
	switch verb {
	case "create", "write":
		return syscall.ENOSPC
	case "sync", "rename", "remove":
		return syscall.EIO
	}
	return syscall.ENOBUFS
}

// injector decides about calls and notes them.
type injector struct {
	mu    sync.Mutex
	calls []faultAt
	seen  map[string]int
	at    faultAt
	kind  string
	begun bool
}

func (j *injector) judge(what string) verdict {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.seen == nil {
		j.seen = map[string]int{}
	}
	j.seen[what]++
	call := faultAt{what, j.seen[what]}
	j.calls = append(j.calls, call)
	hit := call == j.at
	j.begun = j.begun || hit
	switch {
	case hit && j.kind == kill:
		return verdict{kill: true}
	case hit, j.begun && j.kind == onward && isDisk(what) == isDisk(j.at.what):
		return verdict{errno: errnoOf(what)}
	}
	return verdict{}
}

func (j *injector) hit() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.begun
}

const (
	kept = "192.0.2.10/32"
	gone = "192.0.2.11/32"
	come = "192.0.2.12/32"
)

// edit is a plan before, which gets the serial 1, and the one after it.
type edit struct{ before, after *plan.Plan }

// addresses are edited in one commit, an identity in two.
var (
	addressEdit  = edit{alone(51, kept, gone), alone(51, kept, come)}
	identityEdit = edit{alone(51, kept, gone), alone(52, kept, gone)}
)

func (e edit) plan(serial int) *plan.Instance {
	if serial == 1 {
		return &e.before.Desired.Instances[0]
	}
	return &e.after.Desired.Instances[0]
}

// alone is a plan of one member.
func alone(vrid uint8, vips ...string) *plan.Plan {
	return edited(pairPlan("a", vips...), func(p *plan.Plan) {
		in := &p.Desired.Instances[0]
		in.VRID, in.Members = vrid, in.Members[:1]
	})
}

// applied is a machine that had the plan before and was given the next, with a fault.
type applied struct {
	*machine
	*injector
	edit
	heard  *recorder
	result *control.Result
	err    error
}

func applying(t *testing.T, e edit, at faultAt, kind string) *applied {
	t.Helper()
	m := only(t)
	tap := m.startTapped()
	m.apply(e.before)
	m.untilRole("active")
	a := &applied{machine: m, edit: e, injector: &injector{at: at, kind: kind}, heard: m.record()}
	doc := m.document(e.after)
	tap.set(a.judge)
	a.result, _, a.err = m.send(doc)
	tap.set(nil)
	return a
}

func TestFaultAtEveryCallOfAnApply(t *testing.T) {
	tappable(t)
	t.Run("addresses", func(t *testing.T) { everyCall(t, addressEdit) })
	if *everyFault {
		t.Run("identity", func(t *testing.T) { everyCall(t, identityEdit) })
	}
}

func everyCall(t *testing.T, e edit) {
	sound := applying(t, e, faultAt{}, "")
	if sound.err != nil || sound.result.Exit != 0 {
		t.Fatalf("%+v, %v", sound.result, sound.err)
	}
	calls := sound.calls
	t.Logf("%d calls: %v", len(calls), calls)
	for _, at := range calls {
		for _, kind := range []string{once, onward, kill} {
			if *everyFault || telling(at, kind) {
				t.Run(fmt.Sprintf("%s: %s", at, kind), func(t *testing.T) { faulty(t, e, at, kind) })
			}
		}
	}
}

// telling faults are those of the short form: a kill at every call that changes something,
// and errors where the kernel or the name of the current plan is changed.
func telling(at faultAt, kind string) bool {
	switch at.what {
	case "list links", "list addresses":
		return false
	case "add", "delete", "rename to state/current", "sync state":
		return true
	}
	return kind == kill
}

func faulty(t *testing.T, e edit, at faultAt, kind string) {
	m := applying(t, e, at, kind)
	said := 0
	if !m.hit() {
		t.Logf("did not happen this time: %v", m.calls)
	}
	if kind != kill || !m.hit() {
		said = m.said(m.result, m.err)
		m.whole(said)
	}
	if kind == kill && m.hit() && !strings.Contains(fmt.Sprint(m.err), "hafile status") {
		t.Errorf("whoever applied was told: %v", m.err)
	}
	m.kill()
	m.start()
	m.untilRole("active")
	runs := m.status().Plan.Serial
	if said != 0 && runs != said {
		t.Errorf("after a start plan %d runs, %d was said", runs, said)
	}
	m.whole(runs)
	if raw, _ := os.ReadFile(m.log.Name()); !strings.Contains(string(raw), fmt.Sprintf("running the stored plan\" serial=%d", runs)) {
		t.Errorf("the log does not say that plan %d runs", runs)
	}
	for _, a := range m.heard.removed(t) {
		if a.String()+"/32" == kept {
			t.Errorf("%s was removed, which both plans have", kept)
		}
	}
}

// said is the plan of which the apply says that it runs.
func (m *machine) said(result *control.Result, err error) int {
	m.t.Helper()
	var p *control.Problem
	switch {
	case errors.As(err, &p):
		return 1
	case err != nil:
		m.t.Fatal(err)
	case result.Exit == 0 && result.Serial != 2, result.Exit == 7 && result.Serial != 1, result.Exit != 0 && result.Exit != 7:
		m.t.Errorf("exit %d with plan %d: %s", result.Exit, result.Serial, result.Message)
	}
	m.t.Logf("exit %d: %s", result.Exit, result.Message)
	if strings.Contains(result.Message, "not as predicted") {
		m.t.Errorf("an address went otherwise: %s", result.Message)
	}
	return result.Serial
}

// whole wants a plan to run as it is written: in the status, and in the kernel soon.
func (m *applied) whole(serial int) {
	m.t.Helper()
	s, in := m.status(), m.plan(serial)
	if s.Plan == nil || s.Plan.Serial != serial {
		m.t.Fatalf("status says %+v, want plan %d", s.Plan, serial)
	}
	m.runs(in.VRID, in.Version, 0)
	var want []string
	for _, v := range in.VIPs {
		want = append(want, v.Address.String())
	}
	m.until(fmt.Sprintf("the kernel has %v", want), func() bool {
		vips := slices.DeleteFunc(strings.Fields(m.addresses()), func(a string) bool { return !strings.HasSuffix(a, "/32") })
		slices.Sort(vips)
		return slices.Equal(vips, want)
	})
}

// What happens to an address and was not foretold is counted and named: here the cable is
// pulled between the commit and the look at what came of it. An apply that goes as it
// should counts, too.
func TestMispredictionIsCountedAndShown(t *testing.T) {
	tappable(t)
	m := only(t)
	tap := m.startTapped()
	m.apply(addressEdit.before)
	m.untilRole("active")
	if p := m.status().Predictions; p.Applied != 1 || p.VIPs != 2 || p.Mispredicted != 0 || p.Last != "" {
		t.Errorf("after an apply as predicted: %+v", p)
	}
	doc := m.document(addressEdit.after)
	tap.set(func(what string) verdict {
		if what != "sync state/history" {
			return verdict{}
		}
		return verdict{after: func() {
			if err := m.ns.Down("eth0"); err != nil {
				t.Error(err)
			}
			for end := time.Now().Add(10 * time.Second); m.has(kept) && time.Now().Before(end); {
				time.Sleep(2 * time.Millisecond)
			}
		}}
	})
	result, _, err := m.send(doc, func(r *control.ApplyRequest) { r.WaitMs = 500 })
	tap.set(nil)
	const what = "192.0.2.10 drops, predicted none"
	if err != nil || result.Exit != 7 || !strings.Contains(result.Message, "not as predicted: "+what) {
		t.Errorf("%+v, %v", result, err)
	}
	if p := m.status().Predictions; p.Applied != 2 || p.Mispredicted == 0 || !strings.Contains(p.Last, what) {
		t.Errorf("status: %+v", p)
	}
	if raw, _ := os.ReadFile(m.log.Name()); !strings.Contains(string(raw), what) {
		t.Error("the log does not say so")
	}
}

// A kernel that takes its time to remove an address: the apply, and a rollback, end when it
// has.
func TestApplyEndsWhenAddressesAreRemoved(t *testing.T) {
	tappable(t)
	m := only(t)
	tap := m.startTapped()
	m.apply(addressEdit.before)
	m.untilRole("active")
	tap.set(func(what string) verdict {
		if what != "delete" {
			return verdict{}
		}
		return verdict{after: func() { time.Sleep(400 * time.Millisecond) }}
	})
	m.apply(alone(51, kept))
	if m.has(gone) {
		t.Errorf("the plan is running, and %s is still there", gone)
	}
	m.apply(addressEdit.before)
	result, err := m.client.Rollback(t.Context(), control.RollbackRequest{WaitMs: 8000, By: "test"}, func(control.Event) {})
	if err != nil || result.Exit != 0 || m.has(gone) {
		t.Errorf("%+v, %v; the kernel has %s", result, err, m.addresses())
	}
}
