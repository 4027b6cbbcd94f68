package lang

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var codePattern = regexp.MustCompile(`"(HA\d{4})"`)

// codesIn lists the codes that sources under a directory use, tests and the table aside.
func codesIn(t *testing.T, dir string) []string {
	t.Helper()
	var codes []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || filepath.Base(path) == "codes.go" {
			return err
		}
		src, err := os.ReadFile(path)
		for _, m := range codePattern.FindAllStringSubmatch(string(src), -1) {
			if !slices.Contains(codes, m[1]) {
				codes = append(codes, m[1])
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return codes
}
