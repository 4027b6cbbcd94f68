package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"hafile/lang/story"
	"hafile/runtime/lab"
	"hafile/runtime/lab/netns"
)

// TestRefusals: what cannot be applied gets one message that names the next step, its
// exit code, and changes nothing: the daemon's status before and after is the same plan.
func TestRefusals(t *testing.T) {
	g := group{version: 2, interval: time.Second, a: member{priority: 150}, b: member{priority: 100}}
	l := g.boot(t)
	must(t, l.Apply(t.Context(), l.Dir, "a"))
	if err := l.AwaitOwner(t.Context(), groupVIP, "a", g.down(150)+noise); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(l.Files(), "a", "run", "hafile.sock")
	dir := t.TempDir()
	edit := func(name string, change func(string) string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		src := change(g.hcl())
		if src == g.hcl() {
			t.Fatalf("%s changes nothing", name)
		}
		must(t, os.MkdirAll(path, 0o755))
		must(t, os.WriteFile(filepath.Join(path, "group.ha.hcl"), []byte(src), 0o644))
		return path
	}
	replace := func(old, new string) func(string) string {
		return func(s string) string { return strings.ReplaceAll(s, old, new) }
	}
	saved := filepath.Join(dir, "b.plan")
	hafileOn(t, l, 0, "plan", "-node=b", "-socket="+socket, "-out="+saved, l.Base)
	stale := filepath.Join(dir, "stale.plan")
	hafileOn(t, l, 0, "plan", "-node=a", "-socket="+socket, "-out="+stale, edit("stale", replace("priority = 150", "priority = 160")))
	hafileOn(t, l, 0, "apply", "-node=a", "-socket="+socket, "-auto-approve", edit("moved", replace("priority = 150", "priority = 151")))

	apply := func(path string, more ...string) []string {
		return append([]string{"apply", "-node=a", "-socket=" + socket, "-auto-approve", "-max-impact=drops"}, append(more, path)...)
	}
	before := hafileOn(t, l, 0, "show", "-socket="+socket, "-json")
	tests := []struct {
		name string
		exit int
		args []string
		want []string
	}{
		{"another node's plan", 6, []string{"apply", "-socket=" + socket, saved}, []string{"HA3001", "this plan is for node b", "hafile plan -node a"}},
		{"a plan against another state", 5, []string{"apply", "-socket=" + socket, stale}, []string{"HA3005", "run hafile plan again"}},
		{"no daemon", 6, []string{"status", "-socket=/run/nobody.sock"}, []string{"no hafile daemon answers at /run/nobody.sock", "systemctl start hafile"}},
		{"an interface that is not there", 1, apply(edit("interface", replace(`"eth0"`, `"eth7"`))), []string{"HA3101", "eth7"}},
		{"a VIP that another machine answers for", 4, apply(edit("vip", replace("10.77.0.100", "10.77.0.50"))), []string{"HA3102", "10.77.0.50"}},
		{"a program that is not there", 1, apply(edit("program", replace("/etc/ha/check.sh", "/etc/ha/none.sh"))), []string{"HA3104", "/etc/ha/none.sh"}},
		{"a secret that is not there", 1, apply(edit("secret", replace(`credential("vrrp")`, `credential("none")`))), []string{"HA3105", "none"}},
		{"more harm than allowed", 4, []string{"apply", "-node=a", "-socket=" + socket, "-auto-approve", "-max-impact=stays", edit("harm", replace("priority = 150", "priority = 70"))}, []string{"HA3004"}},
		{"nobody to ask", 1, []string{"apply", "-node=a", "-socket=" + socket, edit("ask", replace("priority = 150", "priority = 152"))}, []string{"-auto-approve", "hafile plan -out"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out := hafileOn(t, l, tt.exit, tt.args...)
			for _, want := range tt.want {
				if !strings.Contains(out, want) {
					t.Errorf("no %q in:\n%s", want, out)
				}
			}
			if strings.Contains(out, "s3cr3t") {
				t.Error("the password is in the output")
			}
			if after := hafileOn(t, l, 0, "show", "-socket="+socket, "-json"); after != before {
				t.Error("the running plan has changed")
			}
		})
	}
}

// TestStaleness: each rule about saved plans with its message and its exit code, asked of
// a daemon whose role changes meanwhile; what is refused changes nothing.
func TestStaleness(t *testing.T) {
	g := rollingGroup()
	l := g.up(t)
	must(t, l.AwaitOwner(t.Context(), groupVIP, "a", g.down(g.a.priority)+noise))
	c, dir := newConsole(t, l), t.TempDir()
	plan := func(name string, priority int, args ...string) string {
		t.Helper()
		edited, file := g, filepath.Join(dir, name)
		edited.b.priority = priority
		c.exits(0, "b", append(append([]string{"plan", "-node=b", "-out=" + file}, args...), edited.files(t))...)
		return file
	}
	lower, lowest, short := plan("lower.plan", 90), plan("lowest.plan", 80), plan("short.plan", 90, "-expires=1ms")
	raw, err := os.ReadFile(lower)
	must(t, err)
	foreign := filepath.Join(dir, "foreign.plan")
	must(t, os.WriteFile(foreign, regexp.MustCompile(`"lineage": "[^"]*"`).ReplaceAll(raw, []byte(`"lineage": "b7c0ffee"`)), 0o600))

	before := c.exits(0, "b", "show", "-json")
	has(t, c.exits(6, "a", "apply", lower), "HA3001", "this plan is for node b", "hafile plan -node a")
	has(t, c.exits(5, "b", "apply", foreign), "HA3002", "against another daemon", "run hafile plan again")
	has(t, c.exits(5, "b", "apply", short), "HA3008", "this plan has expired", "run hafile plan again")
	must(t, l.Do(t.Context(), story.Event{Kind: story.Stop, On: "a"}))
	must(t, l.AwaitOwner(t.Context(), groupVIP, "b", g.down(g.b.priority)+noise))
	has(t, c.exits(5, "b", "apply", lower), "HA3006", "instance.web moves instead of none", "was backup when planned and is active now")
	if after := c.exits(0, "b", "show", "-json"); after != before {
		t.Errorf("something was applied: %s", after)
	}

	must(t, l.Do(t.Context(), story.Event{Kind: story.Start, On: "a"}))
	must(t, l.AwaitOwner(t.Context(), groupVIP, "a", g.down(g.a.priority)+noise))
	lower = plan("again.plan", 90)
	has(t, c.exits(0, "b", "apply", lower), "plan 2 is running")
	has(t, c.exits(0, "b", "apply", lower), "is running already", "nothing to do")
	has(t, c.exits(5, "b", "apply", lowest), "HA3005", "now plan 2 (", "by root", "run hafile plan again")
	g.b.priority = 90
	has(t, c.exits(0, "b", "plan", "-node=b", "-detailed-exitcode", g.files(t)), "No changes")
}

// TestNeighbourInAnotherDialect: a router that would share a VRID with somebody whom it
// cannot understand is refused, and the message says what the neighbour speaks.
func TestNeighbourInAnotherDialect(t *testing.T) {
	netns.Needs(t, "keepalived", "keepalived")
	peer := group{version: 2, interval: time.Second, a: member{priority: 150}, b: member{priority: 100, keepalived: true}}
	l := peer.boot(t)
	if err := l.AwaitOwner(t.Context(), groupVIP, "b", peer.down(100)+noise); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(l.Files(), "a", "run", "hafile.sock")
	for _, tt := range []struct{ name, old, new, want string }{
		{"version", "  version = 2\n", "  version = 3\n", "speaks VRRPv2"},
		{"password", `credential("vrrp")`, `"other"`, "another password"},
		{"interval", `advert_int = "1s"`, `advert_int = "2s"`, "every 1s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src := strings.ReplaceAll(peer.hcl(), tt.old, tt.new)
			if tt.name == "version" {
				src = strings.ReplaceAll(src, "  auth {\n    type = \"pass\"\n    password = credential(\"vrrp\")\n  }\n", "")
			}
			dir := t.TempDir()
			must(t, os.WriteFile(filepath.Join(dir, "group.ha.hcl"), []byte(src), 0o644))
			out := hafileOn(t, l, exitRefused, "apply", "-node=a", "-socket="+socket, "-auto-approve", dir)
			for _, want := range []string{"HA3103", tt.want, "10.77.0.2"} {
				if !strings.Contains(out, want) {
					t.Errorf("no %q in:\n%s", want, out)
				}
			}
			if strings.Contains(out, "s3cr3t") || strings.Contains(out, "other\"") {
				t.Error("a password is in the output")
			}
			if status := hafileOn(t, l, 0, "status", "-socket="+socket); !strings.Contains(status, "no plan") {
				t.Errorf("something was applied:\n%s", status)
			}
		})
	}
}

// hafileOn runs the program in machine a and returns what it printed; another exit code than
// the expected one ends the test.
func hafileOn(t *testing.T, l *lab.Lab, want int, args ...string) string {
	t.Helper()
	out, err := l.Run(t.Context(), "a", append([]string{l.Self}, args...)...)
	got := 0
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		got = failed.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Fatalf("hafile %s: exit code %d, want %d\n%s", strings.Join(args, " "), got, want, out)
	}
	return string(out)
}
