package program

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"
)

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: programs run as other users (CAP_SETUID, CAP_SETGID, CAP_KILL, CAP_CHOWN)")
	}
}

// openDir is a directory that every account may enter and only root may write.
func openDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func write(t *testing.T, path, text string, mode os.FileMode) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func shell(t *testing.T, body string) string {
	t.Helper()
	return write(t, filepath.Join(openDir(t), "script.sh"), "#!/bin/sh\n"+body+"\n", 0o755)
}

func run(t *testing.T, s Spec) Result {
	t.Helper()
	if s.Timeout == 0 {
		s.Timeout = 10 * time.Second
	}
	return Run(t.Context(), s)
}

func TestRunsAsNobodyWithNothingOfTheDaemon(t *testing.T) {
	needRoot(t)
	t.Setenv("HAFILE_TEST_SECRET", "s3cret")
	t.Setenv("LD_PRELOAD", "")
	r := run(t, Spec{Command: []string{shell(t, `id -un; id -G; pwd; echo "$@"; readlink /proc/self/fd/0; cat; env | sort`), "a b", "c"}, Env: map[string]string{"X": "1"}})
	if !r.OK() {
		t.Fatalf("%+v", r)
	}
	a, err := accountOf("")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(r.Output, "\n")
	if lines[0] != a.name || lines[1] != fmt.Sprint(a.gid) || lines[2] != "/" || lines[3] != "a b c" || lines[4] != "/dev/null" {
		t.Errorf("ran as %q", lines[:5])
	}
	for _, want := range []string{"X=1", "PATH=" + Path, "USER=" + a.name} {
		if !strings.Contains(r.Output, want) {
			t.Errorf("no %s in\n%s", want, r.Output)
		}
	}
	for _, leak := range []string{"s3cret", "LD_PRELOAD", "CREDENTIALS"} {
		if strings.Contains(r.Output, leak) {
			t.Errorf("%s leaked:\n%s", leak, r.Output)
		}
	}
}

func TestRootOnlyWhereItIsWritten(t *testing.T) {
	needRoot(t)
	r := run(t, Spec{Command: []string{shell(t, "id -u")}, User: "root"})
	if r.Output != "0" {
		t.Errorf("ran as %q, want 0", r.Output)
	}
	if r := run(t, Spec{Command: []string{shell(t, "id -u")}}); r.Output == "0" {
		t.Error("ran as root though nobody said so")
	}
}

func TestAnELFProgramRunsByItsDescriptor(t *testing.T) {
	needRoot(t)
	r := run(t, Spec{Command: []string{"/bin/echo", "hello"}})
	if !r.OK() || r.Output != "hello" {
		t.Errorf("%+v", r)
	}
}

func TestTheEndIsTold(t *testing.T) {
	needRoot(t)
	tests := []struct {
		body string
		exit int
		err  string
	}{
		{"exit 0", 0, ""},
		{"exit 3", 3, ""},
		{"kill -SEGV $$", -1, "killed by SIGSEGV"},
	}
	for _, tt := range tests {
		r := run(t, Spec{Command: []string{shell(t, tt.body)}})
		got := ""
		if r.Err != nil {
			got = r.Err.Error()
		}
		if !r.Ran || r.Exit != tt.exit || got != tt.err || r.OK() != (tt.exit == 0) {
			t.Errorf("%s: exit %d, error %q, ok %v", tt.body, r.Exit, got, r.OK())
		}
	}
}

func TestTheDeadlineKillsTheWholeGroupOnTime(t *testing.T) {
	needRoot(t)
	dir := openDir(t)
	if err := os.Chmod(dir, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	pids := filepath.Join(dir, "pids")
	// A shell that ignores TERM, with a child and a grandchild that hold the pipe.
	r := run(t, Spec{
		Command: []string{shell(t, `trap "" TERM; (sleep 60 & echo $! >> "$1"; sleep 60) & echo $! >> "$1"; echo begun; wait`), pids},
		Timeout: 300 * time.Millisecond,
	})
	took := r.Ended.Sub(r.Started)
	if !r.TimedOut || r.Err == nil || r.Err.Error() != "timed out after 300ms" || r.Exit != -1 || r.Output != "begun" {
		t.Errorf("%+v", r)
	}
	if took < 300*time.Millisecond || took > 800*time.Millisecond {
		t.Errorf("a run of 300ms took %v", took)
	}
	gone(t, pids, 2)
}

func TestTheEndOfTheContextKillsTheGroup(t *testing.T) {
	needRoot(t)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	r := Run(ctx, Spec{Command: []string{shell(t, "sleep 60 & wait")}, Timeout: time.Minute})
	if r.Err == nil || !strings.HasPrefix(r.Err.Error(), "stopped:") || r.TimedOut {
		t.Errorf("%+v", r)
	}
}

func TestAFloodIsReadAndOnlyItsEndKept(t *testing.T) {
	needRoot(t)
	r := run(t, Spec{Command: []string{shell(t, `i=0; while [ $i -lt 20 ]; do head -c 1000000 /dev/zero | tr '\0' 'é'; i=$((i+1)); done; echo; echo last`)}})
	if !r.OK() || !strings.HasSuffix(r.Output, "\nlast") || len(r.Output) > 3*OutputMax || !utf8.ValidString(r.Output) {
		t.Errorf("exit %d, error %v, %d bytes", r.Exit, r.Err, len(r.Output))
	}
}

func TestAGrandchildThatHoldsThePipeDoesNotHoldTheRun(t *testing.T) {
	needRoot(t)
	for _, left := range []Leftovers{KillLeftovers, KeepLeftovers} {
		dir := openDir(t)
		if err := os.Chmod(dir, 0o777|os.ModeSticky); err != nil {
			t.Fatal(err)
		}
		pids := filepath.Join(dir, "pids")
		r := run(t, Spec{Command: []string{shell(t, `sleep 60 & echo $! >> "$1"; echo done`), pids}, Leftovers: left})
		if !r.OK() || r.Output != "done" || r.Ended.Sub(r.Started) > 5*time.Second {
			t.Errorf("%+v", r)
		}
		if left == KillLeftovers {
			gone(t, pids, 1)
			continue
		}
		pid := readPids(t, pids, 1)[0]
		if err := syscall.Kill(pid, 0); err != nil {
			t.Errorf("a hook's leftover was ended: %v", err)
		}
		syscall.Kill(pid, syscall.SIGKILL)
	}
}

func readPids(t *testing.T, path string, n int) []int {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, f := range strings.Fields(string(raw)) {
		pid, err := strconv.Atoi(f)
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	if len(pids) != n {
		t.Fatalf("%d processes noted in %q, want %d", len(pids), raw, n)
	}
	return pids
}

// gone waits until init or whoever adopted them has reaped the killed.
func gone(t *testing.T, path string, n int) {
	t.Helper()
	for _, pid := range readPids(t, path, n) {
		end := time.Now().Add(5 * time.Second)
		for alive(pid) {
			if time.Now().After(end) {
				t.Fatalf("process %d outlived its run", pid)
			}
			time.Sleep(time.Millisecond)
		}
	}
}

func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(after, "Z")
}

func TestUnsafePaths(t *testing.T) {
	needRoot(t)
	nobody, err := lookup("nobody")
	if err != nil {
		t.Skip("needs the account nobody")
	}
	const body = "#!/bin/sh\nexit 0\n"
	tests := []struct {
		claim string
		make  func(dir string) string // returns the program
		user  string
		want  string // "" is accepted; @ stands for dir
	}{
		{"root's script in root's directory", func(d string) string { return write(t, d+"/s", body, 0o755) }, "nobody", ""},
		{"it is not there", func(d string) string { return d + "/missing" }, "nobody", "@/missing no such file or directory"},
		{"a component is no directory", func(d string) string { return write(t, d+"/s", body, 0o755) + "/x" }, "nobody", "@/s is no directory"},
		{"not executable", func(d string) string { return write(t, d+"/s", body, 0o644) }, "nobody", "@/s is not executable by nobody (mode 0644, uid 0, gid 0)"},
		{"executable by root only", func(d string) string { return write(t, d+"/s", body, 0o700) }, "nobody", "@/s is not executable by nobody"},
		{"root may run what only its owner may", func(d string) string { return write(t, d+"/s", body, 0o700) }, "root", ""},
		{"a script that cannot be read", func(d string) string { return write(t, d+"/s", body, 0o711) }, "nobody", "@/s is not readable by nobody"},
		{"everybody may write it", func(d string) string { return write(t, d+"/s", body, 0o777) }, "nobody", "@/s can be written by everybody (mode 0777, uid 0, gid 0): chmod o-w"},
		{"a group may write it", func(d string) string {
			p := write(t, d+"/s", body, 0o775)
			os.Chown(p, 0, 100)
			return p
		}, "nobody", "@/s can be written by group 100"},
		{"everybody may write a directory above it", func(d string) string {
			os.Mkdir(d+"/open", 0o755)
			os.Chmod(d+"/open", 0o777)
			os.Mkdir(d+"/open/in", 0o755)
			return write(t, d+"/open/in/s", body, 0o755)
		}, "nobody", "@/open can be written by everybody"},
		{"a sticky directory is as /tmp", func(d string) string {
			os.Mkdir(d+"/open", 0o755)
			os.Chmod(d+"/open", 0o777|os.ModeSticky)
			return write(t, d+"/open/s", body, 0o755)
		}, "nobody", ""},
		{"a stranger's file", func(d string) string {
			p := write(t, d+"/s", body, 0o755)
			os.Chown(p, 4242, 0)
			return p
		}, "nobody", "@/s belongs to uid 4242, who is neither root nor nobody"},
		{"the account's own file runs as the account", func(d string) string {
			p := write(t, d+"/s", body, 0o755)
			os.Chown(p, int(nobody.uid), 0)
			return p
		}, "nobody", ""},
		{"the account's own file never runs as root", func(d string) string {
			p := write(t, d+"/s", body, 0o755)
			os.Chown(p, int(nobody.uid), 0)
			return p
		}, "root", "@/s belongs to uid"},
		{"a script in the account's own directory", func(d string) string {
			os.Mkdir(d+"/own", 0o755)
			os.Chown(d+"/own", int(nobody.uid), 0)
			return write(t, d+"/own/s", body, 0o755)
		}, "nobody", "@/own belongs to uid"},
		{"an ELF program in the account's own directory", func(d string) string {
			os.Mkdir(d+"/own", 0o755)
			os.Chown(d+"/own", int(nobody.uid), 0)
			raw, err := os.ReadFile("/bin/true")
			if err != nil {
				t.Fatal(err)
			}
			return write(t, d+"/own/s", string(raw), 0o755)
		}, "nobody", ""},
		{"a directory that the account cannot enter", func(d string) string {
			os.Mkdir(d+"/shut", 0o700)
			return write(t, d+"/shut/s", body, 0o755)
		}, "nobody", "@/shut cannot be entered by nobody (mode 0700, uid 0, gid 0)"},
		{"a link is followed", func(d string) string {
			write(t, d+"/s", body, 0o755)
			os.Mkdir(d+"/sub", 0o755)
			os.Symlink("../s", d+"/sub/link")
			return d + "/sub/link"
		}, "nobody", ""},
		{"a link into an unsafe place", func(d string) string {
			os.Mkdir(d+"/open", 0o755)
			os.Chmod(d+"/open", 0o777)
			write(t, d+"/open/s", body, 0o755)
			os.Symlink(d+"/open/s", d+"/link")
			return d + "/link"
		}, "nobody", "@/open can be written by everybody"},
		{"a stranger's link", func(d string) string {
			write(t, d+"/s", body, 0o755)
			os.Symlink("s", d+"/link")
			os.Lchown(d+"/link", 4242, 0)
			return d + "/link"
		}, "nobody", "@/link is a link of uid 4242"},
		{"links in a circle", func(d string) string {
			os.Symlink("b", d+"/a")
			os.Symlink("a", d+"/b")
			return d + "/a"
		}, "nobody", "@/a passes more than 40 symbolic links"},
		{"a directory", func(d string) string { return d }, "nobody", "@ is no file that can be run"},
		{"neither ELF nor #!", func(d string) string { return write(t, d+"/s", "exit 0\n", 0o755) }, "nobody", "@/s is neither an ELF program nor a script that starts with #!"},
		{"an interpreter that is not there", func(d string) string { return write(t, d+"/s", "#!/no/such\n", 0o755) }, "nobody", "interpreter of @/s: /no no such file or directory"},
		{"an interpreter without a path", func(d string) string { return write(t, d+"/s", "#! sh\n", 0o755) }, "nobody", `@/s names the interpreter "sh"`},
		{"no such account", func(d string) string { return write(t, d+"/s", body, 0o755) }, "no-such-user", `account "no-such-user"`},
	}
	for _, tt := range tests {
		t.Run(tt.claim, func(t *testing.T) {
			dir := openDir(t)
			s := Spec{Command: []string{tt.make(dir)}, User: tt.user, Timeout: 5 * time.Second}
			err := Verify(s)
			r := Run(t.Context(), s)
			if tt.want == "" {
				if err != nil || !r.OK() {
					t.Errorf("refused: %v; run: %+v", err, r)
				}
				return
			}
			want := strings.ReplaceAll(tt.want, "@", dir)
			if err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("says %v\nwant %s", err, want)
			}
			if r.Ran || r.Err == nil || r.Err.Error() != "not started: "+err.Error() {
				t.Errorf("the run says %v, ran %v", r.Err, r.Ran)
			}
		})
	}
}

func TestWithoutRootOnlyOneself(t *testing.T) {
	a := &account{name: "other", uid: uint32(os.Geteuid()) + 1}
	if err := a.reachable(); (err == nil) != (os.Geteuid() == 0) {
		t.Errorf("another account: %v", err)
	}
}

func TestTailKeepsTheLastBytes(t *testing.T) {
	for _, chunk := range []int{1, 7, OutputMax - 1, OutputMax, OutputMax + 1, 5000} {
		var d tail
		text := strings.Repeat("0123456789", 1000)
		for rest := text; rest != ""; {
			n := min(chunk, len(rest))
			d.Write([]byte(rest[:n]))
			rest = rest[n:]
		}
		if got, want := d.String(), text[len(text)-OutputMax:]; got != want {
			t.Errorf("chunks of %d: %q…, want %q…", chunk, got[:20], want[:20])
		}
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain\r\n":          "plain",
		"a\tb\nc \n\n":       "a\tb\nc",
		"\x1b[31mred\x1b[0m": "\uFFFD[31mred\uFFFD[0m",
		"x\x00y\x7f":         "x\uFFFDy\uFFFD",
		"\u202egnp":          "\uFFFDgnp",
		"caf\xe9":            "caf\uFFFD",
		"über":               "über",
		"over\rwritten":      "over\uFFFDwritten",
	} {
		if got := Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("a\x1b]0;x\a\r\n\u2028")
	f.Fuzz(func(t *testing.T, s string) {
		got := Clean(s)
		if !utf8.ValidString(got) || strings.ContainsAny(got, "\x00\r\x1b\x7f\u202e\u2028") || Clean(got) != got {
			t.Errorf("Clean(%q) = %q", s, got)
		}
	})
}

func FuzzInterpreter(f *testing.F) {
	f.Add([]byte("#! /bin/sh -e\n"))
	f.Add([]byte("#!"))
	f.Fuzz(func(t *testing.T, head []byte) {
		if got := interpreter(head); strings.ContainsAny(got, " \t\n\x00") {
			t.Errorf("interpreter(%q) = %q", head, got)
		}
	})
}
