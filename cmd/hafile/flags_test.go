package main

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hafile/lang/diag"
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

// TestEveryCodeOfTheRuntimeIsExplained: whoever reads a code in a log or an answer can
// ask hafile explain about it. lang has the same test for its own.
func TestEveryCodeOfTheRuntimeIsExplained(t *testing.T) {
	code := regexp.MustCompile(`\bHA[0-9]{4}\b`)
	found := 0
	err := filepath.WalkDir(root+"/runtime", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		src, err := os.ReadFile(path)
		for _, c := range code.FindAllString(string(src), -1) {
			found++
			if _, known := diag.Explain(c); !known {
				t.Errorf("%s: %s has no entry in lang/diag/codes.go", path, c)
			}
		}
		return err
	})
	if err != nil || found == 0 {
		t.Errorf("%d codes found: %v", found, err)
	}
}
