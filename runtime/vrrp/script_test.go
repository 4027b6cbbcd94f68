package vrrp

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the traces in testdata")

// TestScripts plays testdata/*.txt. Lines at the margin are the script (see stage);
// indented lines below one are the trace that follows from it.
func TestScripts(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := replay(t, string(text))
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(text) {
				t.Errorf("plays as\n%s\nwant\n%s", got, text)
			}
		})
	}
}

// replay is the script with the traces that it has now.
func replay(t *testing.T, text string) string {
	var b strings.Builder
	s := newStage(t)
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "  ") {
			continue
		}
		b.WriteString(line)
		s.out.Reset()
		s.line(strings.TrimSpace(line))
		for trace := range strings.Lines(s.out.String()) {
			b.WriteString("  " + trace)
		}
	}
	return b.String()
}
