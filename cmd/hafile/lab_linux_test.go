package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"hafile/runtime/lab/netns"
)

// TestLabLeavesNothing ends a lab in the middle of its work: by ^C, by the death of its
// parent, and by SIGKILL. Its machines must be gone, and except after SIGKILL its files.
func TestLabLeavesNothing(t *testing.T) {
	netns.Skip(t)
	tests := []struct {
		name  string
		end   func(parent, lab int) error
		files bool // are left
	}{
		{"interrupt", func(_, lab int) error { return syscall.Kill(lab, syscall.SIGINT) }, false},
		{"parent dies", func(parent, _ int) error { return syscall.Kill(parent, syscall.SIGKILL) }, false},
		{"killed", func(_, lab int) error { return syscall.Kill(lab, syscall.SIGKILL) }, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tmp := t.TempDir()
			parent, lab := startLab(t, tmp)
			if n := machines(tmp); n == 0 {
				t.Fatal("no process of a machine is running: the test would prove nothing")
			}
			if err := tt.end(parent, lab); err != nil {
				t.Fatal(err)
			}
			deadline := time.Now().Add(15 * time.Second)
			for machines(tmp) > 0 || alive(lab) {
				if time.Now().After(deadline) {
					t.Fatalf("%d processes of the machines are left, lab alive: %v", machines(tmp), alive(lab))
				}
				time.Sleep(20 * time.Millisecond)
			}
			left, err := filepath.Glob(filepath.Join(tmp, "hafile-lab-*"))
			if err != nil || len(left) > 0 != tt.files {
				t.Errorf("files left: %v, %v", left, err)
			}
		})
	}
}

// startLab starts a lab under a parent of its own, as `go run` is, and returns when both
// daemons run.
func startLab(t *testing.T, tmp string) (parent, lab int) {
	t.Helper()
	shell := exec.Command("/bin/bash", "-c", `"$0" lab "$1" 2>&1 & echo "pid $!"; wait`, hafile(t), filepath.Join(exampleRoot, "nginx-pair"))
	shell.Env = append(os.Environ(), "TMPDIR="+tmp)
	out, err := shell.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = shell.Process.Kill()
		_ = shell.Wait()
		if lab > 0 && alive(lab) {
			_ = syscall.Kill(lab, syscall.SIGKILL)
		}
	})
	lines := bufio.NewScanner(out)
	var said strings.Builder
	for lines.Scan() {
		said.WriteString(lines.Text() + "\n")
		if _, err := fmt.Sscanf(lines.Text(), "pid %d", &lab); err == nil {
			continue
		}
		if strings.Contains(lines.Text(), "waiting -> backup") {
			go io.Copy(io.Discard, out)
			return shell.Process.Pid, lab
		}
	}
	t.Fatalf("the lab did not come up:\n%s", said.String())
	return 0, 0
}

// machines counts the processes that work in a directory below tmp.
func machines(tmp string) int {
	n := 0
	names, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range names {
		cmdline, _ := os.ReadFile(name) // gone meanwhile: none
		if strings.Contains(string(cmdline), "-state-dir\x00"+tmp) {
			n++
		}
	}
	return n
}

func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}
