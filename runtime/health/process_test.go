package health

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"hafile/lang/plan"
)

// runs starts a copy of a program that waits for its input to end, under a name of its own.
func runs(t *testing.T, name string, args ...string) (end func()) {
	t.Helper()
	raw, err := os.ReadFile("/bin/cat")
	if err != nil {
		t.Skipf("needs /bin/cat: %v", err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, raw, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	io.WriteString(in, "x")
	out.Read(make([]byte, 1)) // from here on it is the program and no fork of ours
	end = func() { in.Close(); cmd.Wait() }
	t.Cleanup(end)
	return end
}

func TestProcessCountsByName(t *testing.T) {
	end := runs(t, "hafile-one")
	runs(t, "hafile-two", "-u", "-")
	runs(t, "hafile-two")
	runs(t, "hafile-with-a-long-name")
	runs(t, "hafile-with-a-longer-name")
	count := func(spec plan.Process) outcome {
		return once(patient(process{spec: &spec, census: newCensus("/proc")}.look))
	}
	tests := []struct {
		claim       string
		spec        plan.Process
		found, says string
	}{
		{"one", plan.Process{Name: "hafile-one", Min: 1}, "1 running", ""},
		{"the whole name, as pgrep -x", plan.Process{Name: "hafile-on", Min: 1}, "0 running", "0 running, expected 1 or more"},
		{"too few", plan.Process{Name: "hafile-two", Min: 3}, "2 running", "2 running, expected 3 or more"},
		{"too many", plan.Process{Name: "hafile-two", Min: 1, Max: 1}, "2 running", "2 running, expected 1 or fewer"},
		{"with arguments that begin so", plan.Process{Name: "hafile-two", Args: []string{"-u"}, Min: 1, Max: 1}, "1 running", ""},
		{"with more than it has", plan.Process{Name: "hafile-two", Args: []string{"-u", "-", "-"}, Min: 1}, "0 running", "0 running"},
		{"a name of which the kernel keeps the beginning", plan.Process{Name: "hafile-with-a-long-name", Min: 1, Max: 1}, "1 running", ""},
		{"it must not run", plan.Process{Name: "hafile-one"}, "1 running", "1 running, expected none"},
		{"and does not", plan.Process{Name: "hafile-none"}, "0 running", ""},
	}
	for _, tt := range tests {
		t.Run(tt.claim, func(t *testing.T) { says(t, count(tt.spec), tt.found, tt.says) })
	}
	end()
	says(t, count(plan.Process{Name: "hafile-one", Min: 1}), "0 running", "expected 1 or more")
}

// All checks together cost no more than one look at a time.
func TestACensusIsShared(t *testing.T) {
	c := newCensus("/proc")
	first, err := c.take(time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := c.take(time.Minute); &again[0] != &first[0] {
		t.Error("a second look within the age")
	}
	if later, _ := c.take(0); &later[0] == &first[0] {
		t.Error("a census from before the question was taken")
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("1 (systemd) S 0 1 1"))
	f.Add([]byte("7 (a) b (c)) Z 1"))
	f.Add([]byte("7 (a"))
	f.Fuzz(func(t *testing.T, raw []byte) { parseStat(raw) })
}
