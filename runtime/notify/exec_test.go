package notify

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hafile/lang/plan"
)

func hookScript(t *testing.T, body string) *plan.Exec {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: hooks run as another user (CAP_SETUID, CAP_SETGID, CAP_KILL)")
	}
	dir := t.TempDir()
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "hook.sh")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	e := plan.DefaultExec()
	e.Command = []string{path, "own argument"}
	return &e
}

func TestAHookGetsKeepalivedsArgumentsInTheOldWords(t *testing.T) {
	for event, word := range map[string]string{Active: "MASTER", Backup: "BACKUP", Fault: "FAULT", Stop: "STOP"} {
		// What it got comes back through its output, which a failure carries.
		e := hookScript(t, `echo "$#|$1|$2|$3|$4|$5"; exit 1`)
		v := hook(t.Context(), e, newItem(became(event)))
		want := e.Command[0] + ": exit status 1: 5|own argument|INSTANCE|VI_1|" + word + "|101"
		if v.err == nil || v.err.Error() != want {
			t.Errorf("got %v, want %s", v.err, want)
		}
	}
}

func TestAHooksEnvironmentSaysTheRestAndNoSecret(t *testing.T) {
	t.Setenv("HAFILE_TEST_SECRET", "s3cret")
	t.Setenv("CREDENTIALS_DIRECTORY", "/run/credentials")
	e := hookScript(t, `env | grep -E "$WANT" | sort | tr '\n' ' '; exit 1`)
	it := newItem(became(Active))
	it.skipped = make([]Transition, 2)
	// The output is bounded, so that the variables are asked for in parts.
	for _, tt := range []struct{ pattern, want string }{
		{"EVENT|NAME=|NODE|FROM=|WHY", "HAFILE_EVENT=active HAFILE_FROM=backup HAFILE_NAME=VI_1 HAFILE_NODE=nginx01 HAFILE_WHY=no advert from nginx02 for 6.609s LOGNAME=nobody"},
		{"VIPS|INTERFACE|ROUTER|VERSION|FAMILY", "HAFILE_FAMILY=ipv4 HAFILE_INTERFACE=eth0 HAFILE_ROUTER_ID=51 HAFILE_VERSION=2 HAFILE_VIPS=172.29.88.222"},
		{"SKIPPED|TRY|PRIORITY|INSTANCE", "HAFILE_INSTANCE=instance.VI_1 HAFILE_PRIORITY=101 HAFILE_SKIPPED=2 HAFILE_TRY=1"},
		{"s3cret|CREDENTIALS|SECRET", ""},
	} {
		e.Command = []string{"/usr/bin/env", "sh", "-c", `env | grep -E "$0" | sort | tr '\n' ' '; exit 1`, tt.pattern}
		v := hook(t.Context(), e, it)
		_, got, _ := strings.Cut(v.err.Error(), "exit status 1")
		got = strings.TrimPrefix(got, ": ")
		got = strings.Replace(got, "LOGNAME=hafile-script", "LOGNAME=nobody", 1)
		if got != tt.want {
			t.Errorf("%s: %q\nwant %q", tt.pattern, got, tt.want)
		}
	}
}

func TestAHookIsGivenUpAfterThreeRuns(t *testing.T) {
	e := hookScript(t, "exit 1")
	it := newItem(became(Active))
	for run := 1; run <= hookTries; run++ {
		if v := hook(t.Context(), e, it); v.err == nil || v.last != (run == hookTries) {
			t.Errorf("run %d: %+v", run, v)
		}
	}
}

func TestAHookThatCannotStartIsNotGivenUp(t *testing.T) {
	e := hookScript(t, "exit 0")
	if err := Verify(t.Context(), &plan.Notify{Exec: e}); err != nil {
		t.Errorf("a good hook is refused: %v", err)
	}
	os.Remove(e.Command[0])
	if err := Verify(t.Context(), &plan.Notify{Exec: e}); err == nil {
		t.Error("a missing hook is let through")
	}
	it := newItem(became(Active))
	for range 2 * hookTries {
		v := hook(t.Context(), e, it)
		if v.err == nil || v.last || !strings.Contains(v.err.Error(), "not started: ") {
			t.Fatalf("%+v", v)
		}
	}
}

func TestAHookThatHangsIsKilledAtItsDeadline(t *testing.T) {
	e := hookScript(t, `trap "" TERM; sleep 600 & wait; wait`)
	e.TimeoutMs = 200
	began := time.Now()
	v := hook(t.Context(), e, newItem(became(Active)))
	if v.err == nil || !strings.HasSuffix(v.err.Error(), "timed out after 200ms") || time.Since(began) > 5*time.Second {
		t.Errorf("%+v after %v", v, time.Since(began))
	}
}

func TestHooksOfOneInstanceRunOneAtATimeAndInOrder(t *testing.T) {
	e := hookScript(t, `echo "$4 begin" >> "$1"; sleep 0.05; echo "$4 end" >> "$1"`)
	dir := filepath.Dir(e.Command[0])
	log := filepath.Join(dir, "log")
	if err := os.WriteFile(log, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(log, 0o666); err != nil {
		t.Fatal(err)
	}
	e.Command[1] = log
	n := New(Options{Log: quiet})
	spec := hookOf("m")
	spec.Exec = e
	n.Apply([]plan.Notify{spec})
	for range 20 {
		n.Notify(became(Backup))
		n.Notify(became(Active))
	}
	n.Notify(became(Stop))
	if err := n.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(strings.ReplaceAll(string(raw), " ", "_"))
	for i := 0; i+1 < len(lines); i += 2 {
		if strings.TrimSuffix(lines[i], "_begin") != strings.TrimSuffix(lines[i+1], "_end") {
			t.Fatalf("overlapping runs: %q", lines)
		}
	}
	if len(lines) == 0 || lines[len(lines)-1] != "STOP_end" {
		t.Errorf("the last run was %q", lines)
	}
}
