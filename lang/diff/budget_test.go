package diff

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"hafile/lang/plan"
)

// The failover budget of the nginx pair: a machine's death 3 × 2 s + 156/256 s; a dead
// nginx 3 × 2 s + 2 s until it is noticed, then the skew of the successor.
func TestBudgetOfTheSeedPair(t *testing.T) {
	got := Budgets(seed("lb1"))
	want := []Budget{
		{Instance: "instance.VI_1", From: "lb1", To: "lb2", DownMs: 6609,
			Checks: []CheckBudget{{Check: "script.chk_nginx", DetectMs: 8000, TakeoverMs: 609, Moves: true}}},
		{Instance: "instance.VI_1", From: "lb2", To: "lb1", DownMs: 6605,
			Checks: []CheckBudget{{Check: "script.chk_nginx", DetectMs: 8000, TakeoverMs: 605, Moves: true}}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got := FirstStartMs(&seed("lb1").Desired.Instances[0]); got != 6605 {
		t.Errorf("first start %d ms", got)
	}
}

func TestTakeoverOfACheck(t *testing.T) {
	tests := []struct {
		name  string
		edit  func(*plan.Instance)
		ms    int64
		moves bool
	}{
		{"a weight that drops it below: the skew of the successor", func(*plan.Instance) {}, 609, true},
		{"a weight that is too small", func(i *plan.Instance) { i.Track[0].Weight = -1 }, 0, false},
		{"no weight: offered whatever the priority", func(i *plan.Instance) { i.Track[0].Weight = 0 }, 609, true},
		{"no weight, no preemption: offered too", func(i *plan.Instance) { i.Track[0].Weight, i.Preempt = 0, false }, 609, true},
		{"a weight without preemption", func(i *plan.Instance) { i.Preempt = false }, 0, false},
		{"a positive weight: offered to what the successor can have", func(i *plan.Instance) { i.Track[0].Weight = 10 }, 609, true},
		{"the owner of the addresses", func(i *plan.Instance) { i.Members[0].Priority = plan.OwnerPriority }, 0, false},
		{"version 3 counts parts of the interval", func(i *plan.Instance) { i.Version, i.Auth = 3, nil }, 1219, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := seed("lb1")
			tt.edit(&p.Desired.Instances[0])
			got := Budgets(p)[0].Checks[0]
			want := CheckBudget{Check: "script.chk_nginx", DetectMs: 8000, TakeoverMs: tt.ms, Moves: tt.moves}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// What a sync group tracks moves each of its instances, and counts once where an instance
// tracks it, too.
func TestBudgetCountsWhatASyncGroupTracks(t *testing.T) {
	p := seed("lb1")
	in := &p.Desired.Instances[0]
	tracks := in.Track
	want := Budgets(p)
	p.Desired.Groups = []plan.Group{{Address: "sync_group.both", Instances: []plan.Addr{in.Address}, Track: tracks}}
	if d := cmp.Diff(want, Budgets(p)); d != "" {
		t.Errorf("tracked by both (-want +got):\n%s", d)
	}
	in.Track = nil
	if d := cmp.Diff(want, Budgets(p)); d != "" {
		t.Errorf("tracked by the group (-want +got):\n%s", d)
	}
	if len(in.Track) != 0 {
		t.Error("the plan was changed")
	}
	p.Desired.Groups[0].Instances = []plan.Addr{"instance.other"}
	if got := Budgets(p)[0].Checks; len(got) != 0 {
		t.Errorf("another group's checks count: %v", got)
	}
}
