package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A machine may run keepalived in the place of hafile: as a peer to be measured against,
// and as what a user comes from.

// startKeepalived starts Debian's keepalived and waits until it has read its file.
func (m *machine) startKeepalived(ctx context.Context) error {
	bin, err := exec.LookPath("keepalived")
	if err != nil {
		return errors.New("needs keepalived: apt-get install keepalived")
	}
	conf := filepath.Join(m.dir, "keepalived.conf")
	if err := os.WriteFile(conf, []byte(m.Keepalived), 0o600); err != nil {
		return err
	}
	pid := func(what string) string { return filepath.Join(m.dir, "run", "keepalived-"+what+".pid") }
	p, err := m.start("daemon.log", bin, "--dont-fork", "--log-console", "--log-detail", "--no-syslog",
		"--use-file", conf, "--pid", pid("parent"), "--vrrp_pid", pid("vrrp"), "--checkers_pid", pid("checkers"))
	if err != nil {
		return err
	}
	m.mu.Lock()
	m.daemon = p
	m.mu.Unlock()
	return m.logged(ctx, p, "enters no state", func() bool { return hasState(m.sinceStart()) })
}

// Rewrite gives a machine that runs keepalived another configuration, by SIGHUP, and
// waits until it says that it has read it.
func (l *Lab) Rewrite(ctx context.Context, node, keepalived string) error {
	m := l.machine(node)
	m.Keepalived = keepalived
	if err := os.WriteFile(filepath.Join(m.dir, "keepalived.conf"), []byte(keepalived), 0o600); err != nil {
		return err
	}
	before := bytes.Count(m.sinceStart(), reloaded)
	p, err := m.signalDaemon(syscall.SIGHUP)
	if err != nil {
		return err
	}
	return m.logged(ctx, p, "does not reload", func() bool { return bytes.Count(m.sinceStart(), reloaded) > before })
}

// logged waits until the log of keepalived says so.
func (m *machine) logged(ctx context.Context, p *process, otherwise string, so func() bool) error {
	deadline := time.Now().Add(10 * time.Second)
	for !so() {
		select {
		case <-p.exited:
			return fmt.Errorf("%s: keepalived ended: %w\n%s", m.Name, p.err, m.logTail("daemon.log"))
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: keepalived %s\n%s", m.Name, otherwise, m.logTail("daemon.log"))
		}
	}
	return nil
}

// reloaded is what keepalived logs when its VRRP process has done so.
var reloaded = []byte("Reload complete")

// hasState: the members of a sync group that is in fault say so in small letters.
func hasState(log []byte) bool {
	return bytes.Contains(log, []byte("STATE")) || bytes.Contains(log, []byte("entering FAULT state"))
}

// sinceStart is the daemon's log since it was started last. The line of the parent before
// it has children: what it says of them may come after what they say.
func (m *machine) sinceStart() []byte {
	body, _ := os.ReadFile(filepath.Join(m.dir, "log", "daemon.log"))
	if i := bytes.LastIndex(body, []byte("Starting Keepalived v")); i >= 0 {
		body = body[i:]
	}
	return body
}

// killKeepalived ends keepalived without a goodbye. Its VRRP child says one when its
// parent dies, so the parent stands still while the child is killed.
func (m *machine) killKeepalived(p *process) error {
	parent := p.cmd.Process.Pid
	if err := syscall.Kill(parent, syscall.SIGSTOP); err != nil {
		return err
	}
	children, err := childrenOf(parent)
	if err != nil {
		return err
	}
	for _, child := range children {
		if err := syscall.Kill(child, syscall.SIGKILL); err != nil {
			return err
		}
	}
	return syscall.Kill(parent, syscall.SIGKILL)
}

// childrenOf lists the processes that a process has started and that still run.
func childrenOf(pid int) ([]int, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, word := range strings.Fields(string(raw)) {
		child, err := strconv.Atoi(word)
		if err != nil {
			return nil, err
		}
		pids = append(pids, child)
	}
	return pids, nil
}
