package main

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hafile/lang/diff"
	"hafile/runtime/lab"
	"hafile/runtime/lab/netns"
)

// The tests run every script of examples/gitops in a copy of it that is a repository.

// TestGitOpsPush: a change is checked against the commit before, its plans are signed and
// pushed to daemons that take nothing unsigned.
func TestGitOpsPush(t *testing.T) {
	netns.Skip(t)
	o := gitops(t)
	l := gitopsLab(t, o.dir, "-require-signature", "-allowed-signers="+o.allowed)
	push := []string{"ci/push", "-max-impact=gains", "-ssh-command=" + fakeSSH(t, l.Files(), "hafile@lb1.example.net", "lb1", "hafile@lb2.example.net", "lb2")}

	o.run(0, "hafile", "plan", "-all", "-against=none", "-out=plans", ".")
	has(t, o.run(1, push...), "lb1.plan.sig", "ssh-keygen -Y sign")
	o.run(0, "ci/sign", o.key)
	has(t, o.run(0, push...), "ok apply on lb1", "ok apply on lb2")
	must(t, l.AwaitOwner(t.Context(), groupVIP, "lb1", 5*time.Second))

	o.edit("priority = 150", "priority = 160")
	o.run(0, "ci/check", "main")
	comment, err := os.ReadFile(filepath.Join(o.dir, "comment.md"))
	must(t, err)
	has(t, string(comment), "| lb1 | 1 | stays |", "150 -> 160", "Roles are assumed")
	has(t, o.run(4, push...), "HA3015", "nothing was changed anywhere", "HA3013") // the signatures are of the plans before
	o.run(0, "ci/sign", o.key)
	has(t, o.run(0, push...), "ok apply on lb1")
	has(t, o.run(0, push...), "Nothing to do")
}

// TestGitOpsPull: a node follows its branch through signed commits, applies what disturbs
// nobody, and leaves to a person what moves an address.
func TestGitOpsPull(t *testing.T) {
	netns.Skip(t)
	o := gitops(t)
	l := gitopsLab(t, o.dir)
	clone := filepath.Join(t.TempDir(), "ha")
	o.run(0, "git", "clone", "-q", o.dir, clone)
	for _, node := range []string{"lb2", "lb1"} {
		o.run(0, "hafile", "apply", "-auto-approve", "-node="+node, "-socket="+filepath.Join(l.Files(), node, "run", "hafile.sock"), ".")
	}
	must(t, l.AwaitOwner(t.Context(), groupVIP, "lb1", 5*time.Second))
	o.env = append(o.env, "HAFILE_NODE=lb1", "HAFILE_SOCKET="+filepath.Join(l.Files(), "lb1", "run", "hafile.sock"))
	has(t, o.run(0, "pull/hafile-pull", clone), "Nothing to do")

	o.edit("priority = 150", "priority = 160")
	o.run(0, "git", "commit", "-q", "-S", "-am", "raise")
	has(t, o.run(0, "pull/hafile-pull", clone), "plan 2 is running")

	o.edit("priority = 160", "priority = 90")
	o.run(0, "git", "commit", "-q", "-S", "-am", "lower")
	has(t, o.run(4, "pull/hafile-pull", clone), "HA3004")

	o.edit("priority = 90", "priority = 170")
	o.run(0, "git", "commit", "-q", "-am", "by a stranger")
	o.run(1, "pull/hafile-pull", clone)
	has(t, o.run(0, "hafile", "plan", clone), "160 -> 90") // the stranger's commit has not come in
}

// TestGitOpsUnitsCallWhatIsThere: the units and the workflow name the scripts that the
// tests run.
func TestGitOpsUnitsCallWhatIsThere(t *testing.T) {
	dir := filepath.Join(exampleRoot, "gitops")
	for name, words := range map[string][]string{
		"pull/hafile-pull.service": {"ExecStart=/usr/local/sbin/hafile-pull ", "SuccessExitStatus=4"},
		"pull/hafile-pull.timer":   {"OnUnitActiveSec=", "FixedRandomDelay=true"},
		".github/workflows/ha.yml": {"ci/check origin/main", "ci/sign key", "ci/push"},
	} {
		body, err := os.ReadFile(filepath.Join(dir, name))
		must(t, err)
		has(t, string(body), words...)
	}
}

// gitops is a copy of the example that is a repository of one signed commit.
func gitops(t *testing.T) *operator {
	t.Helper()
	top := t.TempDir()
	bin := filepath.Join(top, "bin")
	must(t, os.Mkdir(bin, 0o755))
	self, err := os.Executable()
	must(t, err)
	must(t, os.Symlink(self, filepath.Join(bin, "hafile")))
	o := &operator{t: t, dir: filepath.Join(top, "ha"), key: filepath.Join(top, "key"), allowed: filepath.Join(top, "allowed")}
	o.env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "GIT_CONFIG_GLOBAL="+filepath.Join(top, "gitconfig"), "ALLOWED_SIGNERS="+o.allowed)
	must(t, os.CopyFS(o.dir, os.DirFS(filepath.Join(exampleRoot, "gitops"))))
	must(t, os.WriteFile(filepath.Join(top, "gitconfig"), fmt.Appendf(nil,
		"[user]\n name = anna\n email = anna@example.net\n signingKey = %s.pub\n[gpg]\n format = ssh\n[init]\n defaultBranch = main\n", o.key), 0o600))
	o.run(0, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", o.key)
	pub, err := os.ReadFile(o.key + ".pub")
	must(t, err)
	must(t, os.WriteFile(o.allowed, append([]byte("anna@example.net namespaces=\"git,hafile-plan\" "), pub...), 0o644))
	o.run(0, "git", "init", "-q")
	o.run(0, "git", "add", "-A")
	o.run(0, "git", "commit", "-q", "-S", "-m", "one")
	return o
}

// gitopsLab is the two machines of the example; nothing is applied to them.
func gitopsLab(t *testing.T, dir string, daemon ...string) *lab.Lab {
	t.Helper()
	o := lab.Options{
		VIPs: []netip.Addr{groupVIP}, Outside: netip.MustParsePrefix("10.77.0.50/24"), Self: hafile(t), Web: "builtin", Dir: dir, Base: dir, Daemon: daemon,
		Budgets: func(string) []diff.Budget { return nil }, Tell: func(lab.Moment) {},
		Command: func(string, string, string) []string { return []string{"history"} },
	}
	for i, name := range []string{"lb1", "lb2"} {
		o.Nodes = append(o.Nodes, lab.Node{Name: name, Interfaces: []string{"eth0"}, Addresses: []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 77, 0, byte(i + 1)}), 24)}})
	}
	l, err := lab.Up(t.Context(), o)
	if l != nil {
		t.Cleanup(func() {
			if err := l.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
	must(t, err)
	return l
}

// operator runs commands in the repository.
type operator struct {
	t            *testing.T
	dir          string
	env          []string
	key, allowed string
}

func (o *operator) run(want int, argv ...string) string {
	o.t.Helper()
	cmd := exec.CommandContext(o.t.Context(), argv[0], argv[1:]...)
	if strings.Contains(argv[0], "/") {
		cmd.Path, cmd.Err = filepath.Join(o.dir, argv[0]), nil
	} else if argv[0] == "hafile" {
		cmd.Path, cmd.Err = hafile(o.t), nil
	}
	cmd.Dir, cmd.Env = o.dir, o.env
	out, err := cmd.CombinedOutput()
	if got := exitCode(o.t, err); got != want {
		o.t.Fatalf("%s: exit code %d, want %d\n%s", strings.Join(argv, " "), got, want, out)
	}
	return string(out)
}

func (o *operator) edit(before, after string) {
	o.t.Helper()
	name := filepath.Join(o.dir, "pair.ha.hcl")
	src, err := os.ReadFile(name)
	must(o.t, err)
	must(o.t, os.WriteFile(name, []byte(strings.Replace(string(src), before, after, 1)), 0o644))
}

// fakeSSH is a program in the place of ssh: pairs of a destination and a machine.
func fakeSSH(t *testing.T, files string, pairs ...string) string {
	t.Helper()
	cases := ""
	for i := 0; i < len(pairs); i += 2 {
		cases += fmt.Sprintf("%s) node=%s ;;\n", pairs[i], pairs[i+1])
	}
	script := filepath.Join(t.TempDir(), "ssh")
	must(t, os.WriteFile(script, []byte(fmt.Sprintf("#!/bin/sh\n[ \"$1\" = -- ] || exit 255\ncase $2 in\n%s*) echo \"no route to $2\" >&2; exit 255 ;;\nesac\nHAFILE_SOCKET=%s/$node/run/hafile.sock exec sh -c \"$3\"\n", cases, files)), 0o755))
	return script
}
