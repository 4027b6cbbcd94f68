package plan

import "testing"

func TestDetectionCountsARunThatOutlivesItsInterval(t *testing.T) {
	tests := []struct {
		name string
		c    Check
		want int64
	}{
		{"timeout is the interval", Check{IntervalMs: 2000, TimeoutMs: 2000, Fall: 3}, 8000},
		{"a short timeout", Check{IntervalMs: 2000, TimeoutMs: 500, Fall: 3}, 6500},
		{"runs follow one another", Check{IntervalMs: 2000, TimeoutMs: 5000, Fall: 3}, 17000},
		{"one failure is enough", Check{IntervalMs: 1000, TimeoutMs: 1000, Fall: 1}, 2000},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.c.DetectMs(); got != tt.want {
				t.Errorf("got %d ms, want %d", got, tt.want)
			}
		})
	}
}
