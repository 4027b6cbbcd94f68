package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hafile/runtime/lab"
)

// rollingPair is a pair with whatever reaches its machines in the place of ssh.
type rollingPair struct {
	*console
	command string
	from    func(args ...string) (string, int) // runs hafile where the operator sits
	// broken is a file: while it is there, the connection of each apply that changes
	// something breaks when it is done, and no other is made if it is not empty.
	broken string
}

// local reaches the machines through a program in the place of ssh, which runs the
// command against the daemon of the machine that is named.
func local(t *testing.T, l *lab.Lab) *rollingPair {
	c, dir := newConsole(t, l), t.TempDir()
	script, broken := filepath.Join(dir, "ssh"), filepath.Join(dir, "broken")
	must(t, os.WriteFile(script, []byte(fmt.Sprintf(`#!/bin/sh
[ "$1" = -- ] || exit 255
case $2 in
%s | %s) node=a ;;
%s | %s) node=b ;;
*) echo "no route to $2" >&2; exit 255 ;;
esac
[ ! -s %[5]s ] || exit 255
export HAFILE_SOCKET=%[6]s/$node/run/hafile.sock
case $3 in
*-dry-run*) ;;
*" apply "*) [ ! -e %[5]s ] || { sh -c "$3" >/dev/null; echo broken >>%[5]s; exit 255; } ;;
esac
exec sh -c "$3"
`, groupAddr["a"], secondAddr["a"], groupAddr["b"], secondAddr["b"], broken, l.Files())), 0o755))
	from := func(args ...string) (string, int) {
		out, err := exec.CommandContext(t.Context(), c.self, args...).CombinedOutput()
		return string(out), exitCode(t, err)
	}
	return &rollingPair{c, script, from, broken}
}

func exitCode(t *testing.T, err error) int {
	t.Helper()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return failed.ExitCode()
	}
	must(t, err)
	return 0
}

// rollout of an edited group; the exit code must be this one.
func (p *rollingPair) rollout(want int, g group, args ...string) string {
	p.t.Helper()
	args = append([]string{"rollout", "-ssh-command=" + p.command, "-remote-command=" + p.self}, args...)
	out, got := p.from(append(args, g.files(p.t))...)
	if got != want {
		p.t.Fatalf("%s: exit code %d, want %d\n%s", strings.Join(args, " "), got, want, out)
	}
	return out
}

func rollingGroup() group {
	return group{version: 3, interval: 200 * time.Millisecond, a: member{priority: 150}, b: member{priority: 100}, plain: true}
}

// TestRolloutTakesAnEditThroughAPair while a client counts what it loses.
func TestRolloutTakesAnEditThroughAPair(t *testing.T) {
	g := rollingGroup()
	l := g.up(t)
	must(t, l.AwaitOwner(t.Context(), groupVIP, "a", g.down(g.a.priority)+noise))
	p := local(t, l)
	has(t, p.rollout(0, g, "-auto-approve"), "Nothing to do: 2 nodes run what is written")
	l.Seen()

	g.a.priority = 160
	dry := p.rollout(0, g, "-dry-run")
	has(t, dry, "1  b", "2  a", "holds no address", "active for instance.web", "every node would take its part; nothing was changed")
	if status := p.exits(0, "a", "status"); !strings.Contains(status, "plan 1 ") {
		t.Errorf("a dry run has changed something:\n%s", status)
	}
	has(t, p.rollout(1, g), "nobody can be asked here")
	has(t, p.rollout(0, g, "-auto-approve"), "ok apply on b", "ok apply on a", "Done. 2 nodes run what is written")

	g.vrid = 52
	has(t, p.rollout(0, g, "-auto-approve"), "ok retire on b", "ok retire on a")
	if status := p.exits(0, "a", "status", "-json"); strings.Contains(status, `"former"`) {
		t.Errorf("not retired:\n%s", status)
	}
	gap, lost := l.Seen()
	if lost.New > 0 {
		t.Errorf("lost %d new connections of %d, %s without an answer", lost.New, lost.Asked, gap)
	}

	// What is worse than allowed anywhere changes nothing anywhere.
	moved := g
	moved.a.priority = 90
	has(t, p.rollout(4, moved, "-auto-approve"), "HA3004", "a: ")
	has(t, p.rollout(0, g, "-auto-approve"), "Nothing to do")

	// The files can say how much is allowed, too.
	strict := g
	strict.a.priority = 170
	dir := strict.files(t)
	must(t, os.WriteFile(filepath.Join(dir, "strict.ha.hcl"), []byte("hafile {\n  max_impact = \"none\"\n}\n"), 0o644))
	out, code := p.from("rollout", "-ssh-command="+p.command, "-remote-command="+p.self, "-auto-approve", dir)
	if code != 4 {
		t.Errorf("exit code %d", code)
	}
	has(t, out, "HA3004", "-max-impact=none")

	// One node would refuse: none is touched.
	elsewhere := g
	elsewhere.iface = "eth1"
	has(t, p.rollout(1, elsewhere, "-auto-approve"), "HA3015", "nothing was changed anywhere", "HA3101")
	has(t, p.rollout(0, g, "-auto-approve"), "Nothing to do")
	has(t, p.rollout(1, g, "-confirm=60s"), "-confirm 1m0s would be over before")
	g.a.priority, g.b.priority = 170, 110
	has(t, p.rollout(0, g, "-auto-approve", "-json", "-confirm=2m"), `{"type":"result","text":"done"}`)
	if status := p.exits(0, "a", "status", "-json"); strings.Contains(status, "confirm_deadline") {
		t.Errorf("not confirmed:\n%s", status)
	}

	// What makes the members deaf to each other is taken by all at one moment.
	g.unicast = true
	has(t, p.rollout(4, g, "-auto-approve"), "HA3004", "outage")
	has(t, p.rollout(0, g, "-auto-approve", "-max-impact=outage"), "at one moment with the others", "ok apply on b", "ok apply on a")
}

// TestRolloutWhoseConnectionBreaks: the rollout says where the edit is and what to do, and
// that is true.
func TestRolloutWhoseConnectionBreaks(t *testing.T) {
	g := rollingGroup()
	l := g.up(t)
	must(t, l.AwaitOwner(t.Context(), groupVIP, "a", g.down(g.a.priority)+noise))
	p := local(t, l)

	// Between the edit and its answer; the next connections are made again.
	g.a.priority = 160
	must(t, os.WriteFile(p.broken, nil, 0o600))
	out := p.rollout(8, g, "-auto-approve", "-wait=2s", "-ssh-command="+p.once())
	has(t, out, "HA3014", "halted at apply on b: ssh 10.77.0.2: it ended without an answer", "with the edit: b; without it: a", "run hafile rollout again", "hafile rollback on b")
	must(t, os.Remove(p.broken))
	again := p.rollout(0, g, "-auto-approve")
	has(t, again, "b runs what is written", "ok apply on a")

	// For good, with -confirm: the node that took the edit goes back by itself.
	before := p.exits(0, "b", "show", "-json")
	g.b.priority = 110
	must(t, os.WriteFile(p.broken, nil, 0o600))
	out = p.rollout(8, g, "-auto-approve", "-wait=2s", "-confirm=3s")
	has(t, out, "with the edit: none; without it: none; not known: b, a", "returns to the plan before by itself within 3s, if it took the edit: b", "when b, a can be reached again")
	for deadline := time.Now().Add(15 * time.Second); p.exits(0, "b", "show", "-json") != before; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("b has not returned to its plan before")
		}
	}
}

// once is the way that breaks at each apply and works otherwise.
func (p *rollingPair) once() string {
	p.t.Helper()
	script, err := os.ReadFile(p.command)
	must(p.t, err)
	name := p.command + "-once"
	must(p.t, os.WriteFile(name, []byte(strings.ReplaceAll(string(script), "echo broken", "true")), 0o755))
	return name
}

// TestRolloutOverRealSSH: sshd on both machines, and the operator on one of them. What
// breaks a connection there is the end of its sshd.
func TestRolloutOverRealSSH(t *testing.T) {
	g := rollingGroup()
	l := g.up(t)
	must(t, l.AwaitOwner(t.Context(), groupVIP, "a", g.down(g.a.priority)+noise))
	c, access := newConsole(t, l), withSSH(t, l, groupAddr, "")
	p := &rollingPair{console: c, command: "ssh -o BatchMode=yes", from: func(args ...string) (string, int) {
		out, err := l.Run(t.Context(), "a", append([]string{c.self}, args...)...)
		return string(out), exitCode(t, err)
	}}
	cut := filepath.Join(access.dir, "cut")
	must(t, os.WriteFile(cut, []byte("#!/bin/sh\nhafile \"$@\"\ncase $* in *-dry-run*) ;; apply*) kill -9 $PPID ;; esac\n"), 0o755))
	g.a.priority, g.b.priority = 160, 110
	out := p.rollout(8, g, "-auto-approve", "-ssh-config="+access.config, "-remote-command="+cut)
	has(t, out, "HA3014", "halted at apply on b: ssh 10.77.0.2:", "with the edit: b; without it: a")
	has(t, p.rollout(0, g, "-auto-approve", "-ssh-config="+access.config), "b runs what is written", "ok apply on a", "Done. 2 nodes run what is written")

	must(t, os.Remove(filepath.Join(access.dir, "authorized_keys")))
	has(t, p.rollout(1, g, "-auto-approve", "-ssh-config="+access.config, "-ssh-command=ssh -o BatchMode=yes -o ControlPath=none"), "Permission denied")
}
