package node

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hafile/lang/plan"
	"hafile/runtime/kernel"
	"hafile/runtime/vrrp"
	"hafile/runtime/vrrp/wire"
)

var update = flag.Bool("update", false, "rewrite the traces in testdata")

// TestScripts plays testdata/*.txt. A line with ">" is what the lines before it must have
// printed; all others are commands:
//
//	plan NAME              begins a plan; its instances follow, one a line:
//	  instance NAME IFACE VRID KEY=VALUE…
//	  group NAME INSTANCE,… [track=CHECK[:WEIGHT]…]
//	  moved FROM TO
//	commit NAME [holding] [fresh]
//	run DURATION           to every deadline within it, as a loop would
//	heard IFACE VRID KEY=VALUE…
//	kernel [all | none | have ADDR…] [refused ADDR] [foreign ADDR] [removed ADDR] [old]
//	check NAME up|down|unknown
//	link IFACE [what is wrong]
//	frozen DURATION
//	stop
//	status
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { playFile(t, file) })
	}
}

func playFile(t *testing.T, file string) {
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	s := newScript(&got)
	lines := bufio.NewScanner(bytes.NewReader(want))
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, ">") {
			continue
		}
		fmt.Fprintln(&got, line)
		if words := strings.Fields(line); len(words) > 0 && words[0] != "#" {
			s.play(t, words)
		}
	}
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff(string(want), got.String()); d != "" && !*update {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// script is a node and what surrounds it.
type script struct {
	node  *Node
	now   vrrp.Instant
	gen   uint64
	out   *bytes.Buffer
	plans map[string]*Resolved
	last  *Resolved

	stopped bool
}

const origin = vrrp.Instant(time.Hour)

func newScript(out *bytes.Buffer) *script {
	return &script{node: New(), now: origin, out: out, plans: map[string]*Resolved{}}
}

func (s *script) play(t *testing.T, w []string) {
	switch w[0] {
	case "plan":
		s.last = &Resolved{Plan: &plan.Plan{Language: plan.Language, Node: "self"}, Hosts: map[plan.Addr]Host{}}
		s.plans[w[1]] = s.last
	case "instance":
		s.last.add(w[1:])
	case "group": // NAME INSTANCE,… [TRACK…]
		g := plan.Group{Address: plan.Addr("sync_group." + w[1]), Name: w[1]}
		for name := range strings.SplitSeq(w[2], ",") {
			g.Instances = append(g.Instances, plan.Addr("instance."+name))
		}
		for _, word := range w[3:] {
			name, weight, _ := strings.Cut(strings.TrimPrefix(word, "track="), ":")
			g.Track = append(g.Track, s.last.track(name, weight))
		}
		s.last.Plan.Desired.Groups = append(s.last.Plan.Desired.Groups, g)
	case "moved":
		s.last.Plan.Moved = append(s.last.Plan.Moved, plan.Move{From: plan.Addr(w[1]), To: plan.Addr(w[2])})
	case "commit":
		r := *s.plans[w[1]]
		for a, h := range r.Hosts {
			h.Holding, h.Fresh = contains(w, "holding"), contains(w, "fresh")
			r.Hosts[a] = h
		}
		s.print(s.node.Commit(s.now, r, nil))
	case "run":
		d, err := time.ParseDuration(w[1])
		if err != nil {
			t.Fatal(err)
		}
		s.run(s.now.Add(d))
	case "heard":
		a, from := advert(w[2:])
		s.print(s.node.Heard(s.now, On(w[1], plan.IPv4), a, from, nil))
	case "kernel":
		s.print(s.node.Kernel(s.now, s.report(w[1:]), nil))
		s.gone()
	case "check":
		s.print(s.node.Check(s.now, plan.Addr("script."+w[1]), plan.CheckState(w[2]), nil))
	case "link":
		s.print(s.node.Link(s.now, w[1], strings.Join(w[2:], " "), nil))
	case "frozen":
		d, err := time.ParseDuration(w[1])
		if err != nil {
			t.Fatal(err)
		}
		s.now = s.now.Add(d)
		s.print(s.node.Frozen(s.now, d, nil))
	case "stop":
		s.stopped = true
		s.print(s.node.Stop(s.now, nil))
		s.gone()
	case "status":
		s.status()
	default:
		t.Fatalf("unknown command %q", w)
	}
}

func (s *script) gone() {
	if s.node.Gone() && s.stopped {
		s.line("gone")
	}
}

func (s *script) run(until vrrp.Instant) {
	for d := s.node.Deadline(); d != 0 && d <= until; d = s.node.Deadline() {
		s.now = max(s.now, d)
		s.print(s.node.Tick(s.now, nil))
		s.gone()
	}
	s.now = until
}

func (s *script) line(format string, args ...any) {
	fmt.Fprintf(s.out, "> %8.3f %s\n", time.Duration(s.now-origin).Seconds(), fmt.Sprintf(format, args...))
}

func (s *script) print(effects []Effect) {
	for _, e := range effects {
		if e.Kind == Want {
			s.gen = e.Gen
		}
		s.line("%s", e)
	}
}

func (s *script) report(w []string) kernel.Report {
	r := kernel.Report{Gen: s.gen}
	mode := ""
	for _, word := range w {
		switch word {
		case "all":
			r.Have = s.node.Wanted()
		case "old":
			r.Gen--
		case "none", "have", "refused", "foreign", "removed":
			mode = word
		default:
			a := kernel.Address{Interface: "eth0", Prefix: netip.MustParsePrefix(word + "/32")}
			switch mode {
			case "have":
				r.Have = r.Have.Add(a)
			case "refused":
				r.Have = r.Have.Without(kernel.StateOf(a))
				r.Refused = append(r.Refused, kernel.Refusal{Address: a, Err: "permission denied"})
			case "foreign":
				r.Refused = append(r.Refused, kernel.Refusal{Address: a, Foreign: true, Err: "installed already, and not by hafile"})
			case "removed":
				r.Removed = append(r.Removed, a)
			}
		}
	}
	return r
}

func (s *script) status() {
	for _, g := range s.node.Snapshot(s.now).Groups {
		s.line("%s %s since %.3f: %s", g.Address, g.Role, time.Duration(g.Since-origin).Seconds(), g.Why)
	}
	for _, i := range s.node.Snapshot(s.now).Instances {
		s.line("%s (%s) %s since %.3f: %s", i.Address, i.Name, i.Role, time.Duration(i.Since-origin).Seconds(), i.Why)
		s.line("  priority %d of %d %v %s", i.Effective, i.Configured, i.Parts, i.Failing)
		if i.Awaits != "" {
			s.line("  waits for %s", i.Awaits)
		}
		for _, a := range i.Addresses {
			s.line("  %s: present %v %s", a.Address, a.Present, a.Refusal)
		}
		for _, k := range i.Former {
			s.line("  was %s", k)
		}
		for _, p := range i.Peers {
			s.line("  heard %s: priority %d, %s ago, %d adverts", p.Address, p.Priority, s.now.Sub(p.At), p.Adverts)
			if i.Faces > 1 && p.Current != 0 {
				s.line("    as now %s ago", s.now.Sub(p.Current))
			}
		}
	}
}

// add reads "NAME IFACE VRID KEY=VALUE…".
func (r *Resolved) add(w []string) {
	i := plan.DefaultInstance()
	i.Address, i.Name = plan.Addr("instance."+w[0]), w[0]
	i.Interface, i.VRID = w[1], uint8(number(w[2]))
	h := Host{Source: netip.MustParseAddr("10.0.0.1")}
	for _, word := range w[3:] {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "prio":
			i.Priority = uint8(number(value))
		case "rival":
			i.Members = []plan.Member{{Node: "self", Priority: i.Priority}, {Node: "other", Priority: uint8(number(value))}}
		case "vips":
			for v := range strings.SplitSeq(value, ",") {
				i.VIPs = append(i.VIPs, plan.VIP{Address: netip.MustParsePrefix(v + "/32")})
			}
		case "on":
			i.VIPs[len(i.VIPs)-1].Interface = value
		case "ms":
			i.AdvertMs = int64(number(value))
		case "version":
			i.Version = uint8(number(value))
		case "password":
			h.Password = wire.NewPassword(value)
			i.Auth = &plan.Auth{Type: "pass", Password: plan.Secret{Value: value}}
		case "former": // IFACE:VRID:VERSION:MS[:PASSWORD]
			p := strings.Split(value, ":")
			f := Former{
				Key:    plan.WireKey{Interface: p[0], Family: plan.IPv4, VRID: uint8(number(p[1])), Version: uint8(number(p[2])), Transport: plan.Multicast},
				Source: h.Source, AdvertMs: int64(number(p[3])),
			}
			if len(p) > 4 {
				f.Auth, f.Password = wire.AuthPass, wire.NewPassword(p[4])
			}
			if r.Former == nil {
				r.Former = map[plan.Addr][]Former{}
			}
			r.Former[i.Address] = append(r.Former[i.Address], f)
		case "track":
			name, weight, _ := strings.Cut(value, ":")
			i.Track = append(i.Track, r.track(name, weight))
		case "refresh":
			i.Announce.RefreshMs = int64(number(value))
		case "name":
			i.Name = value
		case "source":
			h.Source, _ = netip.ParseAddr(value)
		default:
			panic(word)
		}
	}
	r.Plan.Desired.Instances = append(r.Plan.Desired.Instances, i)
	r.Hosts[i.Address] = h
}

func (r *Resolved) track(name, weight string) plan.Track {
	a := plan.Addr("script." + name)
	if r.Plan.Desired.Check(a) == nil {
		r.Plan.Desired.Checks = append(r.Plan.Desired.Checks, plan.Check{Address: a})
	}
	if weight == "" {
		weight = "0"
	}
	return plan.Track{Check: a, Weight: number(weight)}
}

// advert reads "VRID KEY=VALUE…".
func advert(w []string) (*wire.Advert, netip.Addr) {
	a := &wire.Advert{Version: 3, VRID: uint8(number(w[0])), Priority: 100, Interval: time.Second}
	from := netip.MustParseAddr("10.0.0.2")
	for _, word := range w[1:] {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "prio":
			a.Priority = uint8(number(value))
		case "version":
			a.Version = uint8(number(value))
		case "ms":
			a.Interval = ms(int64(number(value)))
		case "from":
			from = netip.MustParseAddr(value)
		case "vips":
			for v := range strings.SplitSeq(value, ",") {
				a.Addresses = append(a.Addresses, netip.MustParseAddr(v))
			}
		default:
			panic(word)
		}
	}
	return a, from
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err)
	}
	return n
}

func contains(w []string, word string) bool {
	for _, x := range w {
		if x == word {
			return true
		}
	}
	return false
}
