package kernel

import (
	"fmt"
	"strings"
	"testing"
)

func TestStateIsASet(t *testing.T) {
	s := parseState("eth1 10.0.0.1/32, eth0 10.0.0.2/32 10.0.0.1/32 10.0.0.1/24 10.0.0.1/32")
	if got, want := fmt.Sprint(s), "[10.0.0.1/24 on eth0 10.0.0.1/32 on eth0 10.0.0.2/32 on eth0 10.0.0.1/32 on eth1]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	less := s.Without(parseState("eth0 10.0.0.1/24 10.0.0.9/32"))
	if len(less) != 3 || less.Has(s[0]) || !less.Has(s[1]) || len(s) != 4 {
		t.Errorf("without: %v of %v", less, s)
	}
	if back := less.Add(s[0], s[1]); !back.Equal(s) {
		t.Errorf("added again: %v", back)
	}
	if !State(nil).Equal(StateOf()) {
		t.Error("nil is not the empty set")
	}
}

func TestOps(t *testing.T) {
	tests := []struct {
		name, want, have, ours string
		ops                    []string
	}{
		{name: "nothing to do", want: "e 10.0.0.1/32", have: "e 10.0.0.1/32", ours: "e 10.0.0.1/32"},
		{name: "adds go before deletes", want: "e 10.0.0.9/32", have: "e 10.0.0.1/32", ours: "e 10.0.0.1/32",
			ops: []string{"ip addr add 10.0.0.9/32 dev e proto 0xc8", "ip addr del 10.0.0.1/32 dev e"}},
		{name: "an address that stays is not touched", want: "e 10.0.0.1/32 10.0.0.2/32", have: "e 10.0.0.2/32 10.0.0.3/32", ours: "e 10.0.0.2/32 10.0.0.3/32",
			ops: []string{"ip addr add 10.0.0.1/32 dev e proto 0xc8", "ip addr del 10.0.0.3/32 dev e"}},
		{name: "strangers are never deleted", have: "e 10.0.0.1/32 10.0.0.2/32", ours: "e 10.0.0.2/32",
			ops: []string{"ip addr del 10.0.0.2/32 dev e"}},
		{name: "a stranger's address that is wanted is no operation", want: "e 10.0.0.1/32", have: "e 10.0.0.1/32"},
		{name: "ours that is gone already is no operation", ours: "e 10.0.0.1/32"},
		{name: "a move between interfaces is an add and a delete", want: "f 10.0.0.1/32", have: "e 10.0.0.1/32", ours: "e 10.0.0.1/32",
			ops: []string{"ip addr add 10.0.0.1/32 dev f proto 0xc8", "ip addr del 10.0.0.1/32 dev e"}},
		{name: "another length is another address", want: "e 10.0.0.1/24", have: "e 10.0.0.1/32", ours: "e 10.0.0.1/32",
			ops: []string{"ip addr add 10.0.0.1/24 dev e proto 0xc8", "ip addr del 10.0.0.1/32 dev e"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, op := range Ops(parseState(tt.want), parseState(tt.have), parseState(tt.ours)) {
				got = append(got, op.String())
			}
			if strings.Join(got, "\n") != strings.Join(tt.ops, "\n") {
				t.Errorf("got %q, want %q", got, tt.ops)
			}
		})
	}
}
