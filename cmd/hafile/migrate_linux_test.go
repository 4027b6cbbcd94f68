package main

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"hafile/lang/diff"

	"hafile/lang/story"
	"hafile/runtime/lab"
	"hafile/runtime/lab/netns"
)

// takeOver runs hafile takeover on a machine, beside its keepalived, and returns what it
// says.
func takeOver(t *testing.T, l *lab.Lab, node string, options ...string) (string, error) {
	t.Helper()
	socket := filepath.Join(l.Files(), node, "run", "hafile.sock")
	argv := append([]string{l.Self, "takeover", "-auto-approve", "-node=" + node, "-socket=" + socket}, options...)
	out, err := l.Run(t.Context(), node, append(argv, l.Base)...)
	t.Logf("takeover on %s:\n%s", node, out)
	return string(out), err
}

// TestTakeover: hafile takes the place of a running keepalived pair, one machine after the
// other, and nobody who uses the VIP notices: not while the standby is replaced, and not
// while the active is, whose addresses never leave it.
func TestTakeover(t *testing.T) {
	netns.Needs(t, "keepalived", "keepalived")
	for _, version := range []int{2, 3} {
		t.Run(fmt.Sprintf("v%d", version), func(t *testing.T) {
			t.Parallel()
			g := group{version: version, interval: time.Second, a: member{150, true}, b: member{100, true}}
			if version == 3 {
				g.interval = 400 * time.Millisecond
			}
			l := g.up(t)
			must(t, l.AwaitOwner(t.Context(), groupVIP, "a", g.down(150)+noise))
			time.Sleep(2 * g.interval)
			l.Seen()
			for _, node := range []string{"b", "a"} {
				must(t, l.Beside(t.Context(), node))
				began := time.Now()
				if _, err := takeOver(t, l, node); err != nil {
					t.Fatal(err)
				}
				must(t, l.AwaitOwner(t.Context(), groupVIP, "a", noise))
				time.Sleep(150 * time.Millisecond) // the clients' patience, so that all is counted
				gap, lost := l.Seen()
				t.Logf("%s: %d of %d new connections lost, %d requests under way, longest silence %s", node, lost.New, lost.Asked, lost.InFlight, gap)
				if lost.New > 0 || lost.InFlight > 0 {
					t.Errorf("the takeover on %s lost %+v", node, lost)
				}
				for _, a := range l.Adverts(began) {
					if a.Priority == 0 || a.From == groupAddr["b"] {
						t.Errorf("an advert with priority %d from %s", a.Priority, a.From)
					}
				}
			}
			must(t, l.Do(t.Context(), story.Event{Kind: story.Stop, On: "a"}))
			must(t, l.AwaitOwner(t.Context(), groupVIP, "b", g.skew(100)+g.interval+noise))
		})
	}
}

// TestMigrateAsTheDocumentSays runs every command of docs/migrate-from-keepalived.md on a
// running pair, in its order and where it says.
func TestMigrateAsTheDocumentSays(t *testing.T) {
	netns.Skip(t)
	netns.Needs(t, "keepalived", "keepalived")
	raw, err := os.ReadFile("../../docs/migrate-from-keepalived.md")
	must(t, err)
	doc := string(raw)
	first := fenced(doc, "keepalived")[0]
	confs := map[string]string{"lb1": first, "lb2": strings.Replace(first, "priority 150", "priority 100", 1)}
	dir := t.TempDir()
	for name, text := range confs {
		must(t, os.Mkdir(filepath.Join(dir, name), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, name, "keepalived.conf"), []byte(text), 0o600))
	}
	must(t, os.Symlink(hafile(t), filepath.Join(dir, "hafile")))
	var l *lab.Lab
	for _, block := range fenced(doc, "sh") {
		where, commands, _ := strings.Cut(block, "\n")
		if node, there := strings.CutPrefix(where, "# on "); there {
			if l == nil {
				l = migrating(t, dir, confs)
			}
			runOn(t, l, node, dir, commands)
			continue
		}
		for line := range strings.Lines(commands) {
			cmd := exec.Command("/bin/sh", "-c", "PATH=.:$PATH; "+line)
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s", line, err, out)
			}
		}
		must(t, os.MkdirAll(filepath.Join(dir, "etc", "hafile"), 0o755))
		must(t, os.CopyFS(filepath.Join(dir, "etc", "hafile", "credentials"), os.DirFS(filepath.Join(dir, "ha", "credentials"))))
	}
	must(t, l.AwaitOwner(t.Context(), groupVIP, "lb1", noise))
	time.Sleep(150 * time.Millisecond) // the clients' patience
	if gap, lost := l.Seen(); lost.New > 0 || lost.InFlight > 0 {
		t.Errorf("the migration lost %+v, longest silence %s", lost, gap)
	} else {
		t.Logf("the migration lost 0 of %d new connections, longest silence %s", lost.Asked, gap)
	}
	if left, err := l.Run(t.Context(), "lb1", "/bin/sh", "-c", "grep -l keepalived /proc/[0-9]*/comm"); err == nil {
		t.Errorf("keepalived is left on lb1: %s", left)
	}
}

// fenced are the blocks of a document in one language.
func fenced(doc, language string) (blocks []string) {
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(doc, -1) {
		blocks = append(blocks, m[1])
	}
	return blocks
}

// migrating is the pair of the document, with keepalived on both.
func migrating(t *testing.T, dir string, confs map[string]string) *lab.Lab {
	t.Helper()
	o := lab.Options{
		VIPs: []netip.Addr{groupVIP}, Outside: netip.MustParsePrefix("10.77.0.50/24"), Self: hafile(t), Web: "builtin", Dir: dir, Base: dir,
		Budgets: func(string) []diff.Budget { return nil },
		Tell:    func(lab.Moment) {},
	}
	for i, name := range []string{"lb1", "lb2"} {
		own := netip.PrefixFrom(groupAddr[string(rune('a'+i))], 24)
		o.Nodes = append(o.Nodes, lab.Node{Name: name, Interfaces: []string{"eth0"}, Addresses: []netip.Prefix{own},
			Etc: filepath.Join(dir, "etc"), Keepalived: confs[name]})
	}
	l, err := lab.Up(t.Context(), o)
	if l != nil {
		t.Cleanup(func() { must(t, l.Close()) })
	}
	must(t, err)
	must(t, l.AwaitOwner(t.Context(), groupVIP, "lb1", 5*time.Second+noise))
	time.Sleep(2 * time.Second) // two adverts of a quiet pair
	l.Seen()
	return l
}

// runOn runs the commands of a block on a machine. There is no systemd: what starts hafile's
// service starts its daemon.
func runOn(t *testing.T, l *lab.Lab, node, dir, commands string) {
	t.Helper()
	socket := filepath.Join(l.Files(), node, "run", "hafile.sock")
	for line := range strings.Lines(commands) {
		line = strings.TrimSpace(line)
		if line == "systemctl start hafile" {
			must(t, l.Beside(t.Context(), node))
			continue
		}
		out, err := l.Run(t.Context(), node, "/bin/sh", "-c", fmt.Sprintf("cd %s && PATH=.:$PATH HAFILE_SOCKET=%s exec %s", dir, socket, line))
		t.Logf("%s# %s\n%s", node, line, out)
		if err != nil {
			t.Fatalf("%s on %s: %v\n%s", line, node, err, l.Log(node))
		}
	}
}
