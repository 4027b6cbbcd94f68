package module

import (
	"strings"
	"testing"
	"testing/fstest"
)

func TestChainsAreCountedPerItem(t *testing.T) {
	tests := []struct {
		name, src string
		refused   bool
	}{
		{"a long list", "a = [" + strings.Repeat("-1,\n", 50_000) + "]\n", false},
		{"many arguments", strings.Repeat("a = b.c.d\n", 50_000), false},
		{"many short templates", "a = \"" + strings.Repeat("${b}", 5_000) + "\"\n", false},
		{"directives that end", "a = \"" + strings.Repeat("%{if b}x%{endif}", 1_000) + "\"\n", false},
		{"brackets in text and comments", "a = \"" + strings.Repeat("(", 300) + "\" # " + strings.Repeat("[", 9_000) + "\n", false},
		{"199 levels", "a = " + strings.Repeat("[", 199) + strings.Repeat("]", 199) + "\n", false},
		{"201 levels", "a = " + strings.Repeat("[", 201) + strings.Repeat("]", 201) + "\n", true},
		{"a chain over 10,000", "a = b" + strings.Repeat(" + b", 10_001) + "\n", true},
		{"a chain over many lines", "a = (b" + strings.Repeat("\n+ b", 10_001) + ")\n", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if d := Check("x.ha.hcl", []byte(tt.src)); (d != nil) != tt.refused {
				t.Errorf("got %v", d)
			}
		})
	}
}

func TestOnlyConfigurationIsRead(t *testing.T) {
	fsys := fstest.MapFS{}
	for _, name := range []string{"b.ha.hcl", "a.ha.json", ".hidden.ha.hcl", "x.hcl", "t.hatest.hcl", "v.havars.hcl", "z.auto.havars.hcl", "sub/c.ha.hcl", "dir.ha.hcl/x"} {
		fsys[name] = &fstest.MapFile{}
	}
	config, vars, ds := List(fsys, ".")
	if ds.HasErrors() || strings.Join(config, " ") != "a.ha.json b.ha.hcl" || strings.Join(vars, " ") != "z.auto.havars.hcl" {
		t.Errorf("%v, %v, %v", config, vars, ds)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"node": {"a": {"address": "${b}"}}}`), true)
	f.Add([]byte("a = 1\n"), false)
	f.Add([]byte(`{"a": "\u0024{((("}`), true)
	f.Fuzz(func(t *testing.T, src []byte, json bool) {
		name := "x.ha.hcl"
		if json {
			name = "x.ha.json"
		}
		m, ds := Load(nil, ".", map[string][]byte{name: src}, nil)
		if !ds.HasErrors() {
			ds = m.Index()
		}
		for _, d := range ds {
			if d.Code == "" || d.Detail == "" {
				t.Fatalf("no code or no next step: %+v", d)
			}
		}
	})
}
