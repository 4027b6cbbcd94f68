package node

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hafile/lang/plan"
	"hafile/runtime/kernel"
	"hafile/runtime/vrrp"
)

// pair are two nodes on two segments, eth0 and eth1, with a kernel each that does at once
// what it is told.
type pair struct {
	t     *rapid.T
	now   vrrp.Instant
	nodes [2]*Node
	state [2]Resolved
	lossy bool
	lost  [2]vrrp.Instant // when an advert of the node was lost, until the other has heard the next one
	trace []string
}

var firstVIP = netip.MustParsePrefix("10.0.0.100/32")

// faces that an instance may have: interface, VRID, version, interval, password.
var wireEdits = [][]string{
	{"eth0", "51"}, {"eth0", "52"}, {"eth1", "51"}, {"eth1", "52", "ms=400"}, {"eth0", "51", "version=2", "ms=1000"},
	{"eth0", "51", "version=2", "ms=1000", "password=1111"}, {"eth0", "51", "version=2", "ms=2000", "password=1111"}, {"eth0", "53", "version=2", "ms=3000"},
}

// resolve is a plan of the pair with the identities that it had before, the latest first.
func (p *pair) resolve(k int, words []string) Resolved {
	r := Resolved{Plan: &plan.Plan{Language: plan.Language, Node: "self"}, Hosts: map[plan.Addr]Host{}}
	line := append([]string{"i", words[0], words[1], "ms=100", "vips=10.0.0.100", fmt.Sprintf("prio=%d", 150-50*k), fmt.Sprintf("rival=%d", 100+50*k)}, words[2:]...)
	r.add(append(line, fmt.Sprintf("source=10.0.0.%d", k+1)))
	r.Former = Sweep(&p.state[k], &r)
	return r
}

func (p *pair) commit(k int, r Resolved) {
	p.state[k] = r
	p.note("%d commits %s, formers %d", k, r.Plan.Desired.Instances[0].Wire(), len(r.Former["instance.i"]))
	p.take(k, p.nodes[k].Commit(p.now, r, nil))
}

func (p *pair) note(format string, args ...any) {
	p.trace = append(p.trace, fmt.Sprintf("%8.3f ", time.Duration(p.now-origin).Seconds())+fmt.Sprintf(format, args...))
}

func (p *pair) fatal(format string, args ...any) {
	for _, line := range p.trace {
		p.t.Log(line)
	}
	p.t.Fatalf(format, args...)
}

// take delivers what a node sends, and what its kernel answers.
func (p *pair) take(k int, effects []Effect) {
	for _, e := range effects {
		p.note("%d %s", k, e)
		switch e.Kind {
		case Send:
			if e.Advert.Priority == 0 {
				p.fatal("%d said goodbye", k)
			}
			if !p.loses(k) {
				p.take(1-k, p.nodes[1-k].Heard(p.now, e.Place, &e.Advert, e.Source, nil))
				if p.lossy {
					p.heard(1 - k)
				}
			}
		case Want:
			p.take(k, p.nodes[k].Kernel(p.now, kernel.Report{Gen: e.Gen, Have: e.Want}, nil))
		case Transitioned:
			if p.lossy {
				p.fatal("%d: %s", k, e)
			}
		}
	}
}

// loses single adverts, never two in a row that the other would have heard: edits that
// follow each other within an interval give each advert another identity, and three lost
// ones are a silence.
func (p *pair) loses(k int) bool {
	if !p.lossy || p.lost[k] != 0 && p.lost[k] != p.now {
		return false
	}
	lost := rapid.IntRange(0, 3).Draw(p.t, "lost") == 0
	if lost {
		p.lost[k] = p.now
		p.note("%d is not heard", k)
	}
	return lost
}

// heard ends the other's luck in losing.
func (p *pair) heard(k int) {
	if h := p.nodes[k].order[0].core.Heard(); h.At == p.now && h.At > p.lost[1-k] {
		p.lost[1-k] = 0
	}
}

func (p *pair) run(d time.Duration) {
	for until := p.now.Add(d); ; {
		next, k := p.nodes[0].Deadline(), 0
		if other := p.nodes[1].Deadline(); next == 0 || other != 0 && other < next {
			next, k = other, 1
		}
		if next == 0 || next > until {
			p.now = until
			return
		}
		p.now = max(p.now, next)
		p.take(k, p.nodes[k].Tick(p.now, nil))
		p.owners()
	}
}

// owners: the first node has the address at every instant, on the interface of its plan
// and on those that it had before; the second nowhere.
func (p *pair) owners() {
	i := &p.state[0].Plan.Desired.Instances[0]
	for _, iface := range append([]Former{{Key: i.Wire()}}, p.state[0].Former[i.Address]...) {
		if !p.nodes[0].Wanted().Has(kernel.Address{Interface: iface.Key.Interface, Prefix: firstVIP}) {
			p.fatal("the first node wants %v", p.nodes[0].Wanted())
		}
	}
	if len(p.nodes[1].Wanted()) > 0 {
		p.fatal("the second node wants %v", p.nodes[1].Wanted())
	}
}

// TestIdentitiesSweptThroughAPair: edits of interface, VRID, version, interval and
// password go through two nodes in either order, with single adverts lost, and are then
// retired in either order. No role changes, nobody says goodbye, and the address is wanted
// at every instant by one node and one only.
func TestIdentitiesSweptThroughAPair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := &pair{t: t, now: origin, nodes: [2]*Node{New(), New()}}
		edit := rapid.SampledFrom(wireEdits)
		some := func() time.Duration { return time.Duration(rapid.IntRange(0, 7000).Draw(t, "ms")) * time.Millisecond }
		first := edit.Draw(t, "first")
		p.commit(0, p.resolve(0, first))
		p.run(15 * time.Second)
		p.commit(1, p.resolve(1, first))
		p.run(5 * time.Second)
		p.lossy = true
		for range rapid.IntRange(1, 3).Draw(t, "edits") {
			next := edit.Draw(t, "edit")
			for _, k := range rapid.Permutation([]int{0, 1}).Draw(t, "order") {
				p.commit(k, p.resolve(k, next))
				p.owners()
				p.run(some())
			}
			if rapid.Bool().Draw(t, "not retired yet") {
				continue
			}
			for _, k := range rapid.Permutation([]int{0, 1}).Draw(t, "retired") {
				r := p.state[k]
				r.Former = nil
				p.commit(k, r)
				p.run(some())
			}
		}
	})
}

// TestWhatAnInstanceKeeps: which of the identities before go on beside an instance.
func TestWhatAnInstanceKeeps(t *testing.T) {
	of := func(lines ...string) *Resolved {
		r := &Resolved{Plan: &plan.Plan{Language: plan.Language, Node: "self"}, Hosts: map[plan.Addr]Host{}}
		for _, l := range lines {
			r.add(strings.Fields(l + " vips=10.0.0.100"))
		}
		return r
	}
	moved := of("b eth0 52")
	moved.Plan.Moved = []plan.Move{{From: "instance.a", To: "instance.b"}}
	inSweep := of("a eth0 52")
	inSweep.Former = Sweep(of("a eth0 51"), inSweep)
	for _, tt := range []struct {
		claim         string
		before, after *Resolved
		want          string
	}{
		{"nothing, if nothing of it has changed", of("a eth0 51 ms=100"), of("a eth0 51 ms=300 prio=7"), "map[]"},
		{"the id", of("a eth0 51"), of("a eth0 52"), "map[instance.a:[eth0 ipv4 VRID 51 v3 multicast]]"},
		{"the interval of version 2", of("a eth0 51 version=2 ms=1000"), of("a eth0 51 version=2 ms=2000"), "map[instance.a:[eth0 ipv4 VRID 51 v2 multicast]]"},
		{"the password", of("a eth0 51 version=2 password=1"), of("a eth0 51 version=2 password=2"), "map[instance.a:[eth0 ipv4 VRID 51 v2 multicast]]"},
		{"under a new name that is written", of("a eth0 51"), moved, "map[instance.b:[eth0 ipv4 VRID 51 v3 multicast]]"},
		{"not under a name that nobody has written", of("a eth0 51"), of("b eth0 52"), "map[]"},
		{"two of them", inSweep, of("a eth0 53"), "map[instance.a:[eth0 ipv4 VRID 52 v3 multicast eth0 ipv4 VRID 51 v3 multicast]]"},
		{"the later one on the way back", inSweep, of("a eth0 51"), "map[instance.a:[eth0 ipv4 VRID 52 v3 multicast]]"},
		{"nothing of an exchange", of("a eth0 51", "b eth0 52"), of("a eth0 52", "b eth0 51"), "map[]"},
	} {
		got := map[plan.Addr][]string{}
		for a, formers := range Sweep(tt.before, tt.after) {
			for _, f := range formers {
				got[a] = append(got[a], f.Key.String())
			}
		}
		if fmt.Sprint(got) != tt.want {
			t.Errorf("%s: kept %v, want %s", tt.claim, got, tt.want)
		}
	}
	crowd := of("a eth0 52", "b eth0 51")
	if c := Crowded(crowd.Plan, Sweep(of("a eth0 51"), crowd)); c.Of != "instance.a" || c.Taker != "instance.b" {
		t.Errorf("another one takes what is kept: %+v", c)
	}
}

// TestASweepKeepsAddressesWhereTheyWere: while an interface is changed, an address stays on
// the one before; one that was on another interface all the time is put there by nobody.
func TestASweepKeepsAddressesWhereTheyWere(t *testing.T) {
	of := func(line string) Resolved {
		r := Resolved{Plan: &plan.Plan{Language: plan.Language, Node: "self"}, Hosts: map[plan.Addr]Host{}}
		r.add(strings.Fields(line))
		return r
	}
	n, now := New(), origin
	before := of("a eth0 51 ms=100 prio=150 rival=100 source=10.0.0.1 vips=10.0.0.100,10.0.0.101 on=eth1")
	n.Commit(now, before, nil)
	for n.Wanted() == nil {
		now = n.Deadline()
		n.Tick(now, nil)
	}
	after := of("a eth1 51 ms=100 prio=150 rival=100 source=10.0.0.11 vips=10.0.0.100,10.0.0.101")
	after.Former = Sweep(&before, &after)
	n.Commit(now, after, nil)
	if got, want := fmt.Sprint(n.Wanted()), "[10.0.0.100/32 on eth0 10.0.0.100/32 on eth1 10.0.0.101/32 on eth1]"; got != want {
		t.Errorf("between the sweeps %s is wanted, not %s", got, want)
	}
}
