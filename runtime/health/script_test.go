package health

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"hafile/lang/plan"
)

// place is a directory in which a script is run as another user.
func place(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: scripts run as another user (CAP_SETUID, CAP_SETGID, CAP_KILL)")
	}
	dir := t.TempDir()
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func scriptCheck(t *testing.T, dir, body string) plan.Check {
	t.Helper()
	path := filepath.Join(dir, "check.sh")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	c := check("chk", path)
	c.IntervalMs, c.TimeoutMs, c.Fall, c.Rise = 50, 5000, 2, 2
	return c
}

// watch is a Health whose state changes arrive on a channel.
func watch(t *testing.T) (*Health, chan plan.CheckState) {
	states := make(chan plan.CheckState, 100)
	h := New(Options{Log: quiet, OnState: func(_ plan.Addr, s plan.CheckState) { states <- s }})
	t.Cleanup(h.Close)
	return h, states
}

func wait(t *testing.T, states chan plan.CheckState, want plan.CheckState) {
	t.Helper()
	select {
	case got := <-states:
		if got != want {
			t.Fatalf("the check is %s, want %s", got, want)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("the check never came %s", want)
	}
}

func TestAScriptGoesUpDownAndUp(t *testing.T) {
	dir := place(t)
	flag := filepath.Join(dir, "dead")
	c := scriptCheck(t, dir, `[ -e "$1" ] || exit 0; echo "no nginx"; exit 7`)
	c.Script.Command = append(c.Script.Command, flag)
	h, states := watch(t)
	h.Apply([]plan.Check{c})
	wait(t, states, plan.CheckUp)
	if err := os.WriteFile(flag, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	wait(t, states, plan.CheckDown)
	s := h.Status()[0]
	if s.LastExit == nil || *s.LastExit != 7 || s.LastOutput != "no nginx" || s.LastError != "" || s.State != "down" {
		t.Errorf("%+v", s)
	}
	os.Remove(flag)
	wait(t, states, plan.CheckUp)
}

func TestAScriptThatHangsIsKilledAndSaysSo(t *testing.T) {
	dir := place(t)
	c := scriptCheck(t, dir, `trap "" TERM INT; sleep 600 & wait; wait`)
	c.TimeoutMs = 100
	h, states := watch(t)
	h.Apply([]plan.Check{c})
	wait(t, states, plan.CheckDown)
	s := h.Status()[0]
	if s.LastExit == nil || *s.LastExit != -1 || s.LastError != "timed out after 100ms" || s.LastRunMs < 100 || s.LastRunMs > 1000 {
		t.Errorf("%+v", s)
	}
}

func TestARemovedScriptIsKilledAndReaped(t *testing.T) {
	dir := place(t)
	if err := os.Chmod(dir, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	note := filepath.Join(dir, "pid")
	c := scriptCheck(t, dir, `echo $$ > "$1.tmp"; mv "$1.tmp" "$1"; exec sleep 600`)
	c.Script.Command = append(c.Script.Command, note)
	c.TimeoutMs = 600000
	h, _ := watch(t)
	h.Apply([]plan.Check{c})
	var pid int
	for end := time.Now().Add(20 * time.Second); pid == 0; time.Sleep(time.Millisecond) {
		if raw, err := os.ReadFile(note); err == nil {
			fmt.Sscan(string(raw), &pid)
		}
		if time.Now().After(end) {
			t.Fatal("the script never ran")
		}
	}
	h.Apply(nil)
	h.Close()
	if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
		t.Errorf("process %d after Close: %v, want no such process", pid, err)
	}
}

func TestAMissingScriptIsDownAndVerifyNamesIt(t *testing.T) {
	dir := place(t)
	c := scriptCheck(t, dir, "exit 0")
	if err := Verify(context.Background(), &c); err != nil {
		t.Errorf("a good script is refused: %v", err)
	}
	os.Remove(c.Script.Command[0])
	want := c.Script.Command[0] + " no such file or directory"
	if err := Verify(context.Background(), &c); err == nil || err.Error() != want {
		t.Errorf("says %v, want %s", err, want)
	}
	h, states := watch(t)
	h.Apply([]plan.Check{c})
	wait(t, states, plan.CheckDown)
	if s := h.Status()[0]; s.LastExit != nil || s.LastError != "not started: "+want {
		t.Errorf("%+v", s)
	}
}

func TestAFloodingScriptIsStillACheck(t *testing.T) {
	dir := place(t)
	c := scriptCheck(t, dir, `head -c 3000000 /dev/zero | tr '\0' 'y'; sleep 600 & exit 0`)
	h, states := watch(t)
	h.Apply([]plan.Check{c})
	wait(t, states, plan.CheckUp)
	if s := h.Status()[0]; len(s.LastOutput) != 1024 || strings.Trim(s.LastOutput, "y") != "" {
		t.Errorf("%d bytes are kept", len(s.LastOutput))
	}
}
