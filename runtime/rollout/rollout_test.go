package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
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
	d.Summary.Worst = class
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
	for _, s := range Order(docs) {
		got += fmt.Sprintf("%s %s %d: %s\n", s.Action, s.Node, s.PauseMs, s.Why)
	}
	want := `apply c 0: holds no address: nobody notices if it goes wrong here
apply b 7000: holds no address: nobody notices if it goes wrong here
apply a 0: active for instance.web: after those that hold less
`
	if got != want {
		t.Errorf("got\n%s", got)
	}
	docs[0].Changes[0].Fields = []diff.Field{{Path: "router_id", Impact: &diff.Impact{Retire: true}}}
	steps := Order(docs)
	if len(steps) != 6 || steps[3].Action != Retire || steps[3].Node != "c" || steps[5].Node != "a" {
		t.Errorf("with a second sweep: %+v", steps)
	}
	if got := Absent(docs[:2]); !slices.Equal(got, []string{"c"}) {
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
	after    func(f *fakeFleet, node string) // what an apply there does
}

func (f *fakeFleet) Run(_ context.Context, node string, stdin []byte, args ...string) ([]byte, int, error) {
	if args[0] == "status" {
		raw, err := json.Marshal(f.statuses[node])
		return raw, 0, err
	}
	f.said = append(f.said, node+": "+strings.Join(args, " ")+" < "+string(stdin))
	if f.refuse == node {
		return []byte("Error HA3108: the guard is not met\n"), 4, nil
	}
	if f.after != nil {
		f.after(f, node)
	}
	return nil, 0, nil
}

func rolled(f *fakeFleet, docs []*planfile.Document) error {
	o := Options{
		Nodes: []string{"a", "b"}, Remote: f, MaxImpact: diff.Stays, Wait: 50 * time.Millisecond, Tell: func(Told) {},
		Plan:  func(Statuses) ([]*planfile.Document, error) { return docs, nil },
		Bytes: func(d *planfile.Document) ([]byte, error) { return []byte("plan of " + d.Node), nil },
	}
	before, err := Ask(context.Background(), f, o.Nodes)
	if err != nil {
		return err
	}
	return Run(context.Background(), o, before, Order(docs))
}

func pairOf() (*fakeFleet, []*planfile.Document) {
	return &fakeFleet{statuses: Statuses{"a": status("a", "active"), "b": status("b", "backup")}},
		[]*planfile.Document{document("a", "active", 150, diff.Stays), document("b", "backup", 100, diff.None)}
}

func TestRolloutGoesOneByOneAndSweepsTwice(t *testing.T) {
	f, docs := pairOf()
	docs[0].Changes[0].Impact.Retire = true
	if err := rolled(f, docs); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"b: apply -json -wait=50ms -max-impact=stays - < plan of b", "a: apply -json -wait=50ms -max-impact=stays - < plan of a",
		"b: apply -retire -json -allow=retire:a < ", "a: apply -retire -json -allow=retire:b < ",
	}
	if !slices.Equal(f.said, want) {
		t.Errorf("said\n%s", strings.Join(f.said, "\n"))
	}
}

func TestRolloutHaltsAtTheFirstRegression(t *testing.T) {
	for name, story := range map[string]struct {
		edit func(*fakeFleet)
		want string
	}{
		"refused": {func(f *fakeFleet) { f.refuse = "b" }, "exit code 4: Error HA3108: the guard is not met\nwith the edit: none; without it: b, a"},
		"a check fails": {func(f *fakeFleet) {
			f.after = func(f *fakeFleet, node string) { f.statuses[node] = status(node, "backup", "down") }
		}, "script.x of b is down\nwith the edit: b; without it: a"},
		"the address is lost": {func(f *fakeFleet) {
			f.after = func(f *fakeFleet, _ string) { f.statuses["a"] = status("a", "backup") }
		}, "nobody answers for 192.0.2.10\nwith the edit: b; without it: a"},
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

// Nothing is changed anywhere while one node cannot be seen, or another one answers.
func TestRolloutBeginsOnlyWhenEveryNodeIsSeen(t *testing.T) {
	f, docs := pairOf()
	f.statuses["b"] = status("x", "backup")
	if err := rolled(f, docs); err == nil || !strings.Contains(err.Error(), "the machine that answers there is x") || len(f.said) > 0 {
		t.Errorf("%v after %v", err, f.said)
	}
}
