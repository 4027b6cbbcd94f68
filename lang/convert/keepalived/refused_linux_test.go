package keepalived

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"hafile/lang/diag"
	"hafile/lang/plan"
	"hafile/runtime/lab/netns"
)

// What the converter refuses, keepalived refuses too (keepalived -t, where every interface
// of the file is there), and it says so of a line that the converter names. So every file
// that keepalived accepts is converted.
func TestWhatIsRefusedKeepalivedRefusesToo(t *testing.T) {
	netns.Skip(t)
	program := netns.Needs(t, "keepalived", "keepalived")
	files := corpusFiles(t)
	refused := 0
	for _, name := range files {
		base, node, src := oneFile(t, name)
		_, diags := Convert([]File{{Node: node, Name: base, Src: src}}, Options{})
		lines := errorLines(diags)
		if len(lines) == 0 {
			continue
		}
		refused++
		t.Run(base, func(t *testing.T) {
			t.Parallel()
			said, ok := tested(t, program, node, src)
			if ok {
				t.Fatalf("keepalived accepts it; the converter refuses lines %v", lines)
			}
			if !strings.Contains(said, "missing '}'s or extra '{'s") && !namesOne(said, lines) {
				t.Errorf("keepalived names none of the lines %v:\n%s", lines, said)
			}
		})
	}
	t.Logf("%d of %d files are refused", refused, len(files))
}

// errorLines are the lines that the converter's errors name.
func errorLines(diags diag.Diagnostics) (lines []int) {
	for _, d := range diags {
		if d.Severity == diag.Error && d.Range != nil {
			lines = append(lines, d.Range.Start.Line)
		}
	}
	return lines
}

func namesOne(said string, lines []int) bool {
	for _, n := range lines {
		if regexp.MustCompile(fmt.Sprintf(`Line %d\)`, n)).MatchString(said) {
			return true
		}
	}
	return false
}

// tested is what keepalived -t says of a file. A script that could be changed by others
// is a warning (exit code 4) and no fault of the file.
func tested(t *testing.T, program, node string, src []byte) (said string, ok bool) {
	t.Helper()
	ns, far := netns.NewT(t), netns.NewT(t)
	for i, name := range interfaces(string(src), &plan.Plan{}) {
		port := netns.Port{Name: name, Addresses: []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("198.18.%d.1/24", i))}}
		if err := netns.Cable(ns, port, far, netns.Port{Name: fmt.Sprintf("far%d", i)}); err != nil {
			t.Fatal(err)
		}
	}
	conf := filepath.Join(t.TempDir(), "keepalived.conf")
	if err := os.WriteFile(conf, src, 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	cmd := exec.Command(program, "-t", "-i", node, "-f", conf)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := ns.Start(cmd); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	return out.String(), err == nil || errors.As(err, &exit) && exit.ExitCode() == 4
}
