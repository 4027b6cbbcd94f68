package main

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hafile/lang/diff"
	"hafile/runtime/lab"
	"hafile/runtime/lab/netns"
)

// The tests run every script of examples/gitops in a copy of it that is a repository.

// labMachines are those of lab.csv.
var labMachines = map[string]netip.Addr{"lb1": netip.MustParseAddr("10.77.0.1"), "lb2": netip.MustParseAddr("10.77.0.2")}

// TestGitOpsPush: a change is checked against the commit before, its plans are signed and
// pushed over ssh with a key that can do nothing else, to daemons that take nothing unsigned.
func TestGitOpsPush(t *testing.T) {
	netns.Skip(t)
	o := gitops(t)
	l := gitopsLab(t, o.dir, "-require-signature", "-allowed-signers="+o.allowed)
	access := withSSH(t, l, labMachines, fmt.Sprintf("restrict,command=\"%s/push/hafile-deliver\"", o.dir))
	push := []string{"push/hafile-push", "-max-impact=gains", "-ssh-config=" + access.config}
	o.on = func(argv []string) ([]byte, error) {
		return l.Run(t.Context(), "lb1", append(append([]string{"env", "-C", o.dir}, o.env...), argv...)...)
	}

	o.run(0, "hafile", "plan", "-all", "-against=none", "-out=plans", "-var-file=lab.havars.hcl", ".")
	has(t, o.run(1, push...), "lb1.plan.sig", "ssh-keygen -Y sign")
	o.run(0, "ci/sign", o.key)
	has(t, o.run(0, push...), "ok apply on lb1", "ok apply on lb2")
	must(t, l.AwaitOwner(t.Context(), groupVIP, "lb1", 15*time.Second))

	o.edit("50 * n.rank", "40 * n.rank")
	o.run(0, "ci/check", "main")
	comment, err := os.ReadFile(filepath.Join(o.dir, "comment.md"))
	must(t, err)
	has(t, string(comment), "| lb2 | 1 |", "100 -> 110", "Roles are assumed")
	has(t, o.run(4, push...), "HA3015", "nothing was changed anywhere", "HA3013") // the signatures are of the plans before
	o.run(0, "ci/sign", o.key)
	has(t, o.run(0, append(push, "-confirm=2m")...), "ok apply on lb2")
	has(t, o.run(0, push...), "Nothing to do")

	for _, words := range []string{"hafile rollback -auto-approve", "hafile apply -auto-approve .", "hafile apply -allow=release:10.77.0.100 -signed -", "hafile status -json -with-plan; id", "id", ""} {
		has(t, o.run(1, append([]string{"ssh", "-F", access.config, "10.77.0.2"}, strings.Fields(words)...)...), "this key may not do that")
	}
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
		o.run(0, "hafile", "apply", "-auto-approve", "-node="+node, "-var-file=lab.havars.hcl", "-socket="+filepath.Join(l.Files(), node, "run", "hafile.sock"), ".")
	}
	must(t, l.AwaitOwner(t.Context(), groupVIP, "lb1", 15*time.Second))
	o.env = append(o.env, "HAFILE_NODE=lb1", "HAFILE_SOCKET="+filepath.Join(l.Files(), "lb1", "run", "hafile.sock"))
	has(t, o.run(0, "pull/hafile-pull", clone), "Nothing to do")

	o.edit("150 - 50", "160 - 50")
	o.run(0, "git", "commit", "-q", "-S", "-am", "raise")
	has(t, o.run(0, "pull/hafile-pull", clone), "plan 2 is running")

	o.edit("160 - 50", "90 + 20")
	o.run(0, "git", "commit", "-q", "-S", "-am", "the other one")
	has(t, o.run(4, "pull/hafile-pull", clone), "HA1411", "rank 0 must be the preferred one")
	o.edit("90 + 20", "90 - 20")
	o.run(0, "git", "commit", "-q", "-S", "-am", "lower than what the other one runs")
	has(t, o.run(4, "pull/hafile-pull", clone), "HA3004")

	o.edit("90 - 20", "170 - 50")
	o.run(0, "git", "commit", "-q", "-am", "by a stranger")
	o.run(1, "pull/hafile-pull", clone)
	has(t, o.run(0, "hafile", "plan", "-var-file="+clone+"/lab.havars.hcl", clone), "160 -> 90") // the stranger's commit has not come in
}

// TestGitOpsUnitsCallWhatIsThere: the units and the workflow name the scripts that the
// tests run.
func TestGitOpsUnitsCallWhatIsThere(t *testing.T) {
	dir := filepath.Join(exampleRoot, "gitops")
	for name, words := range map[string][]string{
		"pull/hafile-pull.service": {"ExecStart=/usr/local/sbin/hafile-pull ", "SuccessExitStatus=4"},
		"pull/hafile-pull.timer":   {"OnUnitActiveSec=", "FixedRandomDelay=true"},
		".github/workflows/ha.yml": {"ci/check origin/main", "ci/sign key", "push/hafile-push"},
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
	must(t, os.Symlink(hafile(t), filepath.Join(bin, "hafile")))
	o := &operator{t: t, dir: filepath.Join(top, "ha"), key: filepath.Join(top, "key"), allowed: filepath.Join(top, "allowed")}
	o.env = []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + top, "GIT_CONFIG_GLOBAL=" + filepath.Join(top, "gitconfig"), "ALLOWED_SIGNERS=" + o.allowed, "HA_OPTIONS=-var-file=lab.havars.hcl"}
	o.on = func(argv []string) ([]byte, error) {
		cmd := exec.CommandContext(t.Context(), "env", append(slices.Clone(o.env), argv...)...)
		cmd.Dir = o.dir
		return cmd.CombinedOutput()
	}
	must(t, os.CopyFS(o.dir, os.DirFS(filepath.Join(exampleRoot, "gitops"))))
	must(t, os.WriteFile(filepath.Join(top, "gitconfig"), fmt.Appendf(nil,
		"[user]\n name = anna\n email = anna@example.net\n signingKey = %s.pub\n[gpg]\n format = ssh\n[init]\n defaultBranch = main\n", o.key), 0o600))
	must(t, os.WriteFile(o.allowed, []byte("anna@example.net namespaces=\"git,hafile-plan\" "+keygen(t, o.key)), 0o644))
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

// operator runs commands in the repository, here or on a machine of the lab.
type operator struct {
	t            *testing.T
	dir          string
	env          []string
	key, allowed string
	on           func(argv []string) ([]byte, error)
}

func (o *operator) run(want int, argv ...string) string {
	o.t.Helper()
	out, err := o.on(argv)
	if got := exitCode(o.t, err); got != want {
		o.t.Fatalf("%s: exit code %d, want %d\n%s", strings.Join(argv, " "), got, want, out)
	}
	return string(out)
}

func (o *operator) edit(before, after string) {
	o.t.Helper()
	name := filepath.Join(o.dir, "fleet.ha.hcl")
	src, err := os.ReadFile(name)
	must(o.t, err)
	if !strings.Contains(string(src), before) {
		o.t.Fatalf("no %q in %s", before, name)
	}
	must(o.t, os.WriteFile(name, []byte(strings.Replace(string(src), before, after, 1)), 0o644))
}
