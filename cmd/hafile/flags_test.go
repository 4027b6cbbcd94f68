package main

import (
	"flag"
	"slices"
	"testing"
)

var update = flag.Bool("update", false, "rewrite golden files; read the difference before you commit it")

func TestLongOptionsTakeOneDash(t *testing.T) {
	c := &cli{}
	tests := []struct{ in, want []string }{
		{[]string{"plan", "-json", "-node=lb1", "--out", "x"}, []string{"plan", "--json", "--node=lb1", "--out", "x"}},
		{[]string{"-chdir=/etc", "validate"}, []string{"--chdir=/etc", "validate"}},
		{[]string{"apply", "-"}, []string{"apply", "-"}},
		{[]string{"apply", "--", "-json"}, []string{"apply", "--", "-json"}},
		{[]string{"plan", "-unknown"}, []string{"plan", "-unknown"}},
		{[]string{"-help"}, []string{"--help"}},
	}
	for _, tt := range tests {
		if got := longOptions(c.root(), tt.in); !slices.Equal(got, tt.want) {
			t.Errorf("%q becomes %q, want %q", tt.in, got, tt.want)
		}
	}
}
