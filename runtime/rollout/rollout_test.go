package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hafile/lang/diff"
	"hafile/lang/plan"
	"hafile/lang/planfile"
	"hafile/runtime/control"
)

var vip = netip.MustParsePrefix("192.0.2.10/32")

// document of a node in a role, with one change.
func document(node, role string, priority uint8, class diff.Class) *planfile.Document {
	in := plan.DefaultInstance()
	in.Address, in.Priority = "instance.web", priority
	in.Members = []plan.Member{{Node: "a"}, {Node: "b"}, {Node: "c"}}
	d := &planfile.Document{Plan: plan.Plan{Node: node, Desired: plan.Desired{Instances: []plan.Instance{in}}}}
	d.Base.Digest, d.Base.Roles = "sha256:old", map[plan.Addr]string{"instance.web": role}
	d.Changes = []diff.Change{{Address: "instance.web", Action: diff.Update, Impact: diff.Impact{Class: class}}}
	d.Summary.Worst, d.Digest = class, "sha256:new"
	return d
}

func TestOrderIsBackupsFirstAndTheLastInLineBeforeTheNext(t *testing.T) {
	docs := []*planfile.Document{
		document("a", "active", 150, diff.Stays), document("b", "backup", 100, diff.None),
		document("c", "backup", 50, diff.None), document("d", "backup", 10, diff.None),
	}
	docs[3].Changes = nil
	check := plan.DefaultCheck()
	check.Address, check.IntervalMs, check.TimeoutMs, check.Fall = "script.x", 2000, 1000, 3
	docs[1].Desired.Checks = []plan.Check{check}
	docs[1].Changes = append(docs[1].Changes, diff.Change{Address: "script.x", Action: diff.Update})
	got := ""
	for _, s := range Order(docs, nil) {
		got += fmt.Sprintf("%s %s %d: %s\n", s.Action, s.Node, s.PauseMs, s.Why)
	}
	want := `apply c 0: holds no address: nobody notices if it goes wrong here
apply b 7000: holds no address: nobody notices if it goes wrong here
apply a 0: active for instance.web: after those that hold less
`
	if got != want {
		t.Errorf("got\n%s", got)
	}
	for _, d := range docs[:3] {
		d.Changes[0].Fields = []diff.Field{{Path: "router_id", Impact: &diff.Impact{Retire: true}}}
	}
	steps := Order(docs, nil)
	if len(steps) != 6 || steps[3].Action != Retire || steps[3].Node != "c" || steps[5].Node != "a" {
		t.Errorf("with a second sweep: %+v", steps)
	}
	if got := Absent(docs[:2], nil); !slices.Equal(got, []string{"c"}) {
		t.Errorf("absent: %v", got)
	}
}

// status of a node in a role; words change it: fault, down, mispredicted.
func status(node, role string, words ...string) *control.StatusFile {
	s := &control.StatusFile{}
	s.FormatVersion, s.Node = plan.FormatVersion, node
	s.Instances = []control.Instance{{
		Address: "instance.web", Name: "web", Role: role, Why: "eth0 is down", VIPs: []control.VIP{{Address: vip, Present: role == "active"}},
	}}
	s.Checks = []control.Check{{Address: "script.x", State: "up"}}
	if slices.Contains(words, "down") {
		s.Checks[0].State = "down"
	}
	if slices.Contains(words, "mispredicted") {
		s.Predictions.Mispredicted, s.Predictions.Last = 1, "192.0.2.10 outage, predicted stays"
	}
	return s
}

func TestWorseThanBefore(t *testing.T) {
	pair := func(a, b *control.StatusFile) Statuses { return Statuses{"a": a, "b": b} }
	good := pair(status("a", "active"), status("b", "backup"))
	empty := pair(&control.StatusFile{}, &control.StatusFile{})
	tests := []struct {
		name        string
		before, now Statuses
		last        bool
		want        string
	}{
		{"as it was", good, good, true, ""},
		{"it moved", good, pair(status("a", "backup"), status("b", "active")), true, ""},
		{"nobody", good, pair(status("a", "backup"), status("b", "backup")), false, "nobody answers for 192.0.2.10"},
		{"two", good, pair(status("a", "active"), status("b", "active")), false, "192.0.2.10 is on a and b"},
		{"two as before", pair(status("a", "active"), status("b", "active")), pair(status("a", "active"), status("b", "active")), false, ""},
		{"new, and nobody yet", empty, pair(&control.StatusFile{}, status("b", "backup")), false, ""},
		{"new, and nobody at the end", empty, pair(status("a", "backup"), status("b", "backup")), true, "nobody answers"},
		{"a fault", good, pair(status("a", "active"), status("b", "fault")), false, "instance.web of b is at fault: eth0 is down"},
		{"a fault of before", pair(status("a", "active"), status("b", "fault")), pair(status("a", "active"), status("b", "fault")), false, ""},
		{"a check", good, pair(status("a", "active"), status("b", "backup", "down")), false, "script.x of b is down"},
		{"another outcome", good, pair(status("a", "active", "mispredicted"), status("b", "backup")), false, "a: not as predicted: 192.0.2.10 outage"},
		{"the address is gone everywhere", good, pair(&control.StatusFile{}, &control.StatusFile{}), true, ""},
	}
	for _, tt := range tests {
		if got := strings.Join(Worse(tt.before, tt.now, tt.last), "; "); (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// fakeFleet prints what is asked of it, and answers as a story says.
type fakeFleet struct {
	said     []string
	statuses Statuses
	refuse   string                          // the node that refuses its plan
	broken   map[string]int                  // connections to a node that fail from now on; below 0: all of them
	breaks   bool                            // the connection of the command that runs
	meet     chan struct{}                   // an apply on a and one on b wait for each other
	mutex    sync.Mutex                      // of all but meet
	after    func(f *fakeFleet, node string) // what an apply there does
}

func (f *fakeFleet) Run(_ context.Context, node string, stdin []byte, args ...string) ([]byte, int, error) {
	if f.meet != nil && args[0] == "apply" {
		switch node {
		case "a":
			f.meet <- struct{}{}
		case "b":
			<-f.meet
		}
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.broken[node] != 0 {
		f.broken[node]--
		return nil, 0, errors.New("ssh " + node + ": connection timed out")
	}
	s := f.statuses[node]
	if args[0] == "status" {
		raw, err := json.Marshal(s)
		return raw, 0, err
	}
	f.said = append(f.said, strings.TrimSuffix(node+": "+strings.Join(args, " ")+" < "+string(stdin), " < "))
	switch {
	case f.refuse == node:
		return []byte("Error HA3108: the guard is not met\n"), 4, nil
	case args[0] == "confirm":
		s.ConfirmBy = nil
	case args[0] == "rollback":
		s.Plan, s.ConfirmBy = nil, nil
	case slices.Contains(args, "-dry-run"), slices.Contains(args, "-retire"):
	default:
		s.Plan = &control.PlanStatus{Digest: "sha256:new"}
		if strings.Contains(strings.Join(args, " "), "-confirm") {
			s.ConfirmBy = new(time.Time)
		}
		if f.after != nil {
			f.after(f, node)
		}
	}
	if f.breaks || f.broken[node] != 0 {
		f.breaks = false
		return nil, 0, errors.New("ssh " + node + ": broken pipe")
	}
	return nil, 0, nil
}

// spoil makes something worse on a node, which goes on as it is otherwise.
func (f *fakeFleet) spoil(node, role string, words ...string) {
	s := status(node, role, words...)
	s.Plan, s.ConfirmBy = f.statuses[node].Plan, f.statuses[node].ConfirmBy
	f.statuses[node] = s
}

func (f *fakeFleet) options(docs []*planfile.Document) Options {
	return Options{
		Nodes: []string{"a", "b"}, Remote: f, MaxImpact: diff.Stays, Wait: 50 * time.Millisecond, Tell: func(Told) {},
		Plan:  func(Statuses) ([]*planfile.Document, error) { return docs, nil },
		Bytes: func(d *planfile.Document) ([]byte, error) { return []byte("plan of " + d.Node), nil },
	}
}

func rolled(f *fakeFleet, docs []*planfile.Document, change ...func(*Options)) error {
	o := f.options(docs)
	for _, c := range change {
		c(&o)
	}
	before, err := Ask(context.Background(), f, o.Nodes)
	if err != nil {
		return err
	}
	return Run(context.Background(), o, before, Order(docs, before))
}

func pairOf() (*fakeFleet, []*planfile.Document) {
	return &fakeFleet{statuses: Statuses{"a": status("a", "active"), "b": status("b", "backup")}, broken: map[string]int{}},
		[]*planfile.Document{document("a", "active", 150, diff.Stays), document("b", "backup", 100, diff.None)}
}

func (f *fakeFleet) says(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(f.said, want) {
		t.Errorf("said\n%s\nwant\n%s", strings.Join(f.said, "\n"), strings.Join(want, "\n"))
	}
}

func TestRolloutGoesOneByOneAndSweepsTwice(t *testing.T) {
	f, docs := pairOf()
	docs[0].Changes[0].Impact.Retire, docs[1].Changes[0].Impact.Retire = true, true
	if err := rolled(f, docs); err != nil {
		t.Fatal(err)
	}
	f.says(t,
		"b: apply -json -wait=50ms -max-impact=stays - < plan of b", "a: apply -json -wait=50ms -max-impact=stays - < plan of a",
		"b: apply -retire -json -allow=retire:a", "a: apply -retire -json -allow=retire:b",
	)
}

// A rollout that ended between the sweeps is taken up again: nobody has a change, and both
// have an identity of before.
func TestRolloutRetiresWhatAnotherHasLeft(t *testing.T) {
	f, docs := pairOf()
	for _, d := range docs {
		d.Changes = nil
		f.statuses[d.Node].Instances[0].Former = []control.Wire{{VRID: 51}}
	}
	if got := Absent(docs, f.statuses); !slices.Equal(got, []string{"c"}) {
		t.Errorf("absent: %v", got)
	}
	if err := rolled(f, docs); err != nil {
		t.Fatal(err)
	}
	f.says(t, "b: apply -retire -json -allow=retire:a", "a: apply -retire -json -allow=retire:b")
}

func TestRolloutHaltsAtTheFirstRegression(t *testing.T) {
	const onB = "\nwith the edit: b; without it: a\ncure the cause and run hafile rollout again: it takes the nodes that are left; or take the edit back with hafile rollback on b"
	for name, story := range map[string]struct {
		edit func(*fakeFleet)
		want string
	}{
		"refused": {func(f *fakeFleet) { f.refuse = "b" },
			"halted at apply on b: exit code 4: Error HA3108: the guard is not met\nwith the edit: none; without it: b, a\ncure the cause and run hafile rollout again: it takes the nodes that are left"},
		"a check fails": {func(f *fakeFleet) {
			f.after = func(f *fakeFleet, node string) { f.spoil(node, "backup", "down") }
		}, "halted at apply on b: worse than before: script.x of b is down" + onB},
		"the address is lost": {func(f *fakeFleet) {
			f.after = func(f *fakeFleet, _ string) { f.spoil("a", "backup") }
		}, "halted at apply on b: worse than before: nobody answers for 192.0.2.10" + onB},
		"ssh breaks, and b has done it": {func(f *fakeFleet) {
			f.after = func(f *fakeFleet, node string) { f.breaks, f.after = true, nil }
		}, "halted at apply on b: ssh b: broken pipe\nwith the edit: b; without it: a"},
		"b is gone for good": {func(f *fakeFleet) {
			f.after = func(f *fakeFleet, node string) { f.broken[node] = -1 }
		}, "halted at apply on b: ssh b: broken pipe\nwith the edit: none; without it: a; not known: b\nwhen b can be reached again, hafile status there says what runs\ncure"},
	} {
		f, docs := pairOf()
		story.edit(f)
		err := rolled(f, docs)
		var halted *Halted
		if !errors.As(err, &halted) || !strings.Contains(err.Error(), story.want) || len(f.said) != 1 {
			t.Errorf("%s: %v after %v", name, err, f.said)
		}
	}
}

// A connection that fails between two nodes is tried again.
func TestRolloutOutlivesABrokenConnection(t *testing.T) {
	f, docs := pairOf()
	f.after = func(f *fakeFleet, _ string) { f.broken["a"], f.after = 1, nil }
	if err := rolled(f, docs, func(o *Options) { o.Wait = time.Minute }); err != nil {
		t.Error(err)
	}
}

func TestRolloutConfirmsWhatIsWell(t *testing.T) {
	withConfirm := func(o *Options) { o.Confirm = 2 * time.Minute }
	f, docs := pairOf()
	if err := rolled(f, docs, withConfirm); err != nil {
		t.Fatal(err)
	}
	f.says(t, "b: apply -json -wait=50ms -confirm=2m0s -max-impact=stays - < plan of b", "b: confirm -json",
		"a: apply -json -wait=50ms -confirm=2m0s -max-impact=stays - < plan of a", "a: confirm -json")

	f, docs = pairOf()
	f.after = func(f *fakeFleet, node string) { f.spoil(node, "backup", "down") }
	err := rolled(f, docs, withConfirm)
	if err == nil || !strings.Contains(err.Error(), "with the edit: none; without it: b, a\nreturned to the plan before: b\ncure") {
		t.Error(err)
	}
	f.says(t, "b: apply -json -wait=50ms -confirm=2m0s -max-impact=stays - < plan of b", "b: rollback -auto-approve -json")

	f, docs = pairOf()
	f.after = func(f *fakeFleet, node string) { f.broken[node] = -1 }
	err = rolled(f, docs, withConfirm)
	if err == nil || !strings.Contains(err.Error(), "returns to the plan before by itself within 2m0s, if it took the edit: b\n") {
		t.Error(err)
	}
}

// No order is right for an edit that makes members deaf to each other: all take it at one
// moment, when each has prepared it.
func TestRolloutOfAnOutageIsOneMoment(t *testing.T) {
	f, docs := pairOf()
	f.meet = make(chan struct{})
	docs = append(docs, document("d", "backup", 10, diff.None))
	f.statuses["d"] = status("d", "backup")
	for _, d := range docs[:2] {
		d.Changes[0].Impact = diff.Impact{Class: diff.Outage, Pairwise: true}
	}
	if err := rolled(f, docs, func(o *Options) { o.Nodes = append(o.Nodes, "d") }); err != nil {
		t.Fatal(err)
	}
	if len(f.said) != 3 || !strings.HasPrefix(f.said[0], "d: apply") {
		t.Errorf("said\n%s", strings.Join(f.said, "\n"))
	}
}

// What a node would refuse is known before the first one is changed.
func TestRolloutPreparesEverywhereFirst(t *testing.T) {
	f, docs := pairOf()
	f.refuse = "a"
	err := Prepare(context.Background(), f.options(docs), f.statuses, Order(docs, f.statuses))
	var failed *Failed
	if !errors.As(err, &failed) || failed.Exit != 4 || err.Error() != "a: exit code 4: Error HA3108: the guard is not met" {
		t.Error(err)
	}
	f.says(t, "b: apply -json -wait=50ms -dry-run -max-impact=stays - < plan of b", "a: apply -json -wait=50ms -dry-run -max-impact=stays - < plan of a")
}

// Members that are named to each other: who joins comes when the others know of it, who
// leaves goes while they still listen. A fleet that runs nothing begins with the preferred.
func TestOrderOfThoseWhoJoinAndLeave(t *testing.T) {
	order := func(docs ...*planfile.Document) string {
		out := ""
		for _, s := range Order(docs, nil) {
			out += s.Node
		}
		return out
	}
	a, b, c := document("a", "active", 150, diff.Stays), document("b", "backup", 100, diff.None), document("c", "", 50, diff.Gains)
	c.Changes[0].Action, c.Base.Roles = diff.Add, nil
	if got := order(a, b, c); got != "bac" {
		t.Errorf("c joins: %s", got)
	}
	a.Changes[0].Action, a.Desired.Instances = diff.Remove, nil
	c.Changes = nil
	if got := order(a, b, c); got != "ab" {
		t.Errorf("a leaves: %s", got)
	}
	a = document("a", "", 150, diff.Gains)
	for _, d := range []*planfile.Document{a, b} {
		d.Base.Digest, d.Base.Roles, d.Changes[0].Action = planfile.NoBase, nil, diff.Add
	}
	if got := order(b, a); got != "ab" {
		t.Errorf("a fleet that runs nothing: %s", got)
	}
}

// Nothing is changed anywhere while one node cannot be seen, or another one answers.
func TestRolloutBeginsOnlyWhenEveryNodeIsSeen(t *testing.T) {
	f, docs := pairOf()
	f.statuses["b"] = status("x", "backup")
	if err := rolled(f, docs); err == nil || !strings.Contains(err.Error(), "the machine that answers there is x") || len(f.said) > 0 {
		t.Errorf("%v after %v", err, f.said)
	}
}
