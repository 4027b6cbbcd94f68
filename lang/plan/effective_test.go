package plan

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEffectivePriorityIsKeepaliveds(t *testing.T) {
	tests := []struct {
		name   string
		base   uint8
		track  []Track
		states map[Addr]CheckState
		want   uint8
		parts  []PriorityPart
		failed bool
	}{
		{name: "nothing tracked", base: 101, want: 101},
		{name: "a negative weight counts while down", base: 101,
			track: []Track{{Check: "a", Weight: -5}}, states: map[Addr]CheckState{"a": CheckDown},
			want: 96, parts: []PriorityPart{{"a", -5}}},
		{name: "a negative weight does not count while up", base: 101,
			track: []Track{{Check: "a", Weight: -5}}, states: map[Addr]CheckState{"a": CheckUp}, want: 101},
		{name: "a positive weight counts while up", base: 100,
			track: []Track{{Check: "a", Weight: 20}}, states: map[Addr]CheckState{"a": CheckUp},
			want: 120, parts: []PriorityPart{{"a", 20}}},
		{name: "a positive weight does not count while down", base: 100,
			track: []Track{{Check: "a", Weight: 20}}, states: map[Addr]CheckState{"a": CheckDown}, want: 100},
		{name: "an unanswered check counts neither way", base: 100,
			track: []Track{{Check: "a", Weight: 20}, {Check: "b", Weight: -20}, {Check: "c"}}, want: 100},
		{name: "weights add up in order", base: 100,
			track:  []Track{{Check: "a", Weight: -30}, {Check: "b", Weight: 10}, {Check: "c", Weight: -7}},
			states: map[Addr]CheckState{"a": CheckDown, "b": CheckUp, "c": CheckUp},
			want:   80, parts: []PriorityPart{{"a", -30}, {"b", 10}}},
		{name: "never below 1", base: 10,
			track: []Track{{Check: "a", Weight: -253}}, states: map[Addr]CheckState{"a": CheckDown},
			want: 1, parts: []PriorityPart{{"a", -253}}},
		{name: "never above 254", base: 250,
			track: []Track{{Check: "a", Weight: 253}}, states: map[Addr]CheckState{"a": CheckUp},
			want: 254, parts: []PriorityPart{{"a", 253}}},
		{name: "the sum is clamped, not each step", base: 200,
			track:  []Track{{Check: "a", Weight: 100}, {Check: "b", Weight: -100}},
			states: map[Addr]CheckState{"a": CheckUp, "b": CheckDown},
			want:   200, parts: []PriorityPart{{"a", 100}, {"b", -100}}},
		{name: "the owner's priority never moves", base: 255,
			track: []Track{{Check: "a", Weight: -100}}, states: map[Addr]CheckState{"a": CheckDown}, want: 255},
		{name: "no weight and down: failed, same priority", base: 100,
			track: []Track{{Check: "a"}}, states: map[Addr]CheckState{"a": CheckDown}, want: 100, failed: true},
		{name: "the owner fails too", base: 255,
			track: []Track{{Check: "a"}}, states: map[Addr]CheckState{"a": CheckDown}, want: 255, failed: true},
		{name: "no weight and up: not failed", base: 100,
			track: []Track{{Check: "a"}}, states: map[Addr]CheckState{"a": CheckUp}, want: 100},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			state := func(a Addr) CheckState {
				if s, ok := tt.states[a]; ok {
					return s
				}
				return CheckUnknown
			}
			got, parts, failed := Effective(tt.base, tt.track, state)
			if got != tt.want || failed != tt.failed {
				t.Errorf("effective %d, failed %v; want %d, %v", got, failed, tt.want, tt.failed)
			}
			if d := cmp.Diff(tt.parts, parts); d != "" {
				t.Errorf("parts (-want +got):\n%s", d)
			}
		})
	}
}

func TestBestPriorityOfAMember(t *testing.T) {
	for _, tt := range []struct {
		name  string
		base  uint8
		track []Track
		want  uint8
	}{
		{"nothing tracked", 100, nil, 100},
		{"what lowers it does not", 100, []Track{{Check: "a", Weight: -30}, {Check: "b"}}, 100},
		{"what raises it does", 100, []Track{{Check: "a", Weight: 20}, {Check: "b", Weight: -30}, {Check: "c", Weight: 5}}, 125},
		{"a failure that raises it, reversed", 100, []Track{{Check: "a", Weight: -20, Reverse: true}}, 120},
		{"a success that lowers it, reversed", 100, []Track{{Check: "a", Weight: 20, Reverse: true}}, 100},
		{"never above 254", 250, []Track{{Check: "a", Weight: 20}}, 254},
		{"the owner", 255, []Track{{Check: "a", Weight: 20}}, 255},
	} {
		if got := Best(tt.base, tt.track); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}
