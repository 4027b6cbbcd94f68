package health

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"hafile/lang/plan"
)

func TestFile(t *testing.T) {
	dir := t.TempDir()
	write := func(name, body string, age time.Duration) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		when := time.Now().Add(-age)
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
		return path
	}
	old, fresh, none := write("old", "s3cr3t ready", time.Hour), write("fresh", "", 0), filepath.Join(dir, "none")
	two, zero, words := write("two", "2\n", 0), write("zero", "0\n", 0), write("words", "no number", 0)
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		claim string
		spec  plan.File
		says  string
	}{
		{"it is there", plan.File{Path: old}, ""},
		{"it is not", plan.File{Path: none}, "no such file or directory"},
		{"it must not be", plan.File{Path: old, Absent: true}, "it exists, expected none"},
		{"and is not", plan.File{Path: none, Absent: true}, ""},
		{"its text", plan.File{Path: old, Contains: "ready"}, ""},
		{"another text", plan.File{Path: old, Contains: "draining"}, "its first 64 KiB do not hold the text"},
		{"a pipe is never waited for", plan.File{Path: pipe, Contains: "x"}, "it is no file"},
		{"too old", plan.File{Path: old, MaxAgeMs: 60000}, "not written for more than 1m0s"},
		{"young enough", plan.File{Path: fresh, MaxAgeMs: 60000}, ""},
		{"a value of 0", plan.File{Path: zero, Value: true}, ""},
		{"another value", plan.File{Path: two, Value: true}, "its value is 2, expected 0"},
		{"no file counts as 0", plan.File{Path: none, Value: true}, ""},
		{"no number counts as 0", plan.File{Path: words, Value: true}, ""},
	}
	for _, tt := range tests {
		o := once(patient(file{&tt.spec}.look))
		if o.ok != (tt.says == "") || !strings.Contains(o.err, tt.says) {
			t.Errorf("%s: ok %v, %q, %q", tt.claim, o.ok, o.output, o.err)
		}
		if strings.Contains(o.output+o.err, "s3cr3t") {
			t.Errorf("%s: what is in the file is shown: %q", tt.claim, o.output+o.err)
		}
	}
}
