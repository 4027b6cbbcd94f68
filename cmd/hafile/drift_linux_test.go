package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hafile/runtime/lab"
)

// console runs commands on the machines of a lab, as root or as a stranger who is in the
// socket's group.
type console struct {
	t    *testing.T
	l    *lab.Lab
	self string // where everybody may run it
}

const nobodyID = 65534

func newConsole(t *testing.T, l *lab.Lab) *console {
	t.Helper()
	dir := t.TempDir()
	raw, err := os.ReadFile("/proc/self/exe")
	must(t, err)
	c := &console{t: t, l: l, self: filepath.Join(dir, "hafile")}
	must(t, os.WriteFile(c.self, raw, 0o755))
	for d := dir; d != "/" && d != os.TempDir(); d = filepath.Dir(d) {
		must(t, os.Chmod(d, 0o755))
	}
	for _, name := range []string{"a", "b"} {
		for _, d := range []string{l.Files(), filepath.Join(l.Files(), name), filepath.Join(l.Files(), name, "run")} {
			must(t, os.Chmod(d, 0o755))
		}
		must(t, os.Chown(c.socket(name), -1, nobodyID))
	}
	return c
}

func (c *console) socket(node string) string {
	return filepath.Join(c.l.Files(), node, "run", "hafile.sock")
}

// exits runs a command as root and wants an exit code.
func (c *console) exits(want int, node string, args ...string) string {
	c.t.Helper()
	return c.run(want, node, append([]string{c.self, args[0], "-socket=" + c.socket(node)}, args[1:]...))
}

// asReader runs it as somebody who is only in the socket's group.
func (c *console) asReader(want int, node string, args ...string) string {
	c.t.Helper()
	return c.run(want, node, append([]string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs",
		c.self, args[0], "-socket=" + c.socket(node)}, args[1:]...))
}

func (c *console) run(want int, node string, argv []string) string {
	c.t.Helper()
	out, err := c.l.Run(c.t.Context(), node, argv...)
	got := 0
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		got = failed.ExitCode()
	} else if err != nil {
		c.t.Fatal(err)
	}
	if got != want {
		c.t.Errorf("%s: %s: exit code %d, want %d\n%s", node, strings.Join(argv, " "), got, want, out)
	}
	return string(out)
}

func (c *console) ip(node string, args ...string) {
	c.t.Helper()
	c.run(0, node, append([]string{"ip"}, args...))
}

func has(t *testing.T, out string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(out, w) {
			t.Errorf("no %q in:\n%s", w, out)
		}
	}
}

// TestReaderSeesDriftAndAnEmptyPlan: who is in the socket's group may ask for plan and
// drift, and may change nothing.
func TestReaderSeesDriftAndAnEmptyPlan(t *testing.T) {
	g := group{version: 2, interval: time.Second, a: member{priority: 150}, b: member{priority: 100}, plain: true}
	l := g.up(t)
	must(t, l.AwaitOwner(t.Context(), groupVIP, "a", g.down(g.a.priority)+noise))
	c, dir := newConsole(t, l), g.files(t)
	for d := dir; d != os.TempDir(); d = filepath.Dir(d) {
		must(t, os.Chmod(d, 0o755))
	}
	for _, node := range []string{"a", "b"} {
		has(t, c.exits(0, node, "plan", "-detailed-exitcode", "-node="+node, dir), "No changes")
		has(t, c.asReader(0, node, "plan", "-detailed-exitcode", "-node="+node, dir), "No changes")
		has(t, c.asReader(0, node, "drift"), "No drift")
	}
	has(t, c.asReader(1, "a", "apply", "-retire"), "not permitted")

	// A saved status stands for the daemon, elsewhere.
	saved := filepath.Join(t.TempDir(), "status.json")
	must(t, os.WriteFile(saved, []byte(c.exits(0, "a", "status", "-json", "-with-plan")+c.exits(0, "b", "status", "-json")), 0o644))
	has(t, c.exits(0, "b", "plan", "-detailed-exitcode", "-node=a", "-against="+saved, dir), "No changes")
	has(t, c.exits(1, "a", "plan", "-node=b", "-against="+saved, dir), "-with-plan")
	has(t, c.exits(0, "a", "plan", "-detailed-exitcode", "-all", "-against="+saved, "-against="+dir, dir), "0 with changes")
	g.a.priority = 90
	edited := g.files(t)
	has(t, c.exits(5, "a", "plan", "-node=b", "-against="+saved, "-against="+edited, dir), "HA3005")
	has(t, c.exits(0, "b", "plan", "-node=a", "-against="+saved, edited), "MOVES", "web active")

	// Somebody else's hand.
	c.ip("b", "address", "add", groupVIP.String()+"/32", "dev", "eth0")
	has(t, c.asReader(3, "b", "drift"), "address_extra", "instance.web is backup and 10.77.0.100/32 is on eth0")
	has(t, c.asReader(3, "b", "drift", "-json"), `"kind": "address_extra"`, `"instance": "instance.web"`)
	c.ip("b", "address", "del", groupVIP.String()+"/32", "dev", "eth0")
	has(t, c.asReader(0, "b", "drift"), "No drift")

	// What the daemon repairs is none.
	c.ip("a", "address", "del", groupVIP.String()+"/32", "dev", "eth0")
	has(t, c.asReader(0, "a", "drift"), "No drift")

	// A link that is down.
	c.ip("b", "link", "set", "eth0", "down")
	has(t, c.asReader(3, "b", "drift"), "link_down", "eth0 is down")
	c.ip("b", "link", "set", "eth0", "up")

	has(t, c.exits(0, "a", "apply", "-auto-approve", "-node=a", dir), "Nothing to do")

	// A secret whose content has changed under its name.
	other := filepath.Join(t.TempDir(), "vrrp")
	must(t, os.WriteFile(other, []byte("s3cr3t2"), 0o600))
	c.run(0, "a", []string{"mount", "--bind", other, "/etc/hafile/credentials/vrrp"})
	has(t, c.exits(0, "a", "apply", "-auto-approve", "-node=a", dir), "The content of a secret has changed", "(1 change, worst impact: stays)", "plan 2 is running")
	has(t, c.exits(0, "a", "apply", "-auto-approve", "-node=a", dir), "Nothing to do")
	has(t, c.exits(6, "a", "drift", "-socket=/nowhere"), "no hafile daemon answers")
}
