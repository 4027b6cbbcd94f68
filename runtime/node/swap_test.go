package node

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hafile/lang/plan"
	"hafile/runtime/kernel"
	"hafile/runtime/vrrp"
)

// layout says which instance has which of some addresses: owners[v] is the instance of
// address v, -1 for none. Instances without an address are not in the plan.
type layout []int

func (l layout) resolve(instances int) Resolved {
	r := Resolved{Plan: &plan.Plan{Language: plan.Language, Node: "self"}, Hosts: map[plan.Addr]Host{}}
	for i := range instances {
		var vips []string
		for v, owner := range l {
			if owner == i {
				vips = append(vips, vip(v).String())
			}
		}
		if len(vips) == 0 {
			continue
		}
		words := []string{fmt.Sprintf("i%d", i), "eth0", fmt.Sprint(50 + i), "ms=100", "rival=50"}
		r.add(append(words, "vips="+commas(vips)))
	}
	return r
}

func commas(words []string) string {
	out := words[0]
	for _, w := range words[1:] {
		out += "," + w
	}
	return out
}

func vip(v int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(100 + v)}) }

func onEth0(v int) kernel.Address {
	return kernel.Address{Interface: "eth0", Prefix: netip.PrefixFrom(vip(v), 32)}
}

// world runs a node with nobody else on the segment and a kernel that does at once what
// it is told.
type world struct {
	t     interface{ Fatalf(string, ...any) }
	node  *Node
	now   vrrp.Instant
	have  kernel.State
	gen   uint64
	trace []string
	wants []kernel.State
	sent  []Effect
	turns []Transition
}

func newWorld(t interface{ Fatalf(string, ...any) }) *world {
	return &world{t: t, node: New(), now: origin}
}

// take checks the effects of one call and lets the kernel answer.
func (w *world) take(effects []Effect) {
	stage, wanted := Send, false
	for _, e := range effects {
		w.trace = append(w.trace, e.String())
		kind := e.Kind
		if kind == Announce {
			kind = Transitioned // these two may be mixed
		}
		if kind < stage || e.Kind == Want && wanted {
			w.t.Fatalf("effects out of order: %v", w.trace)
		}
		stage = kind
		switch e.Kind {
		case Want:
			wanted = true
			w.wants = append(w.wants, e.Want)
			w.have, w.gen = e.Want, e.Gen
		case Send:
			w.sent = append(w.sent, e)
		case Transitioned:
			w.turns = append(w.turns, e.Transition)
		case Announce:
			for _, a := range e.Addresses {
				w.mayAnnounce(kernel.Address{Interface: e.Interface, Prefix: netip.PrefixFrom(a, a.BitLen())})
			}
		}
	}
	w.union()
	if wanted {
		w.take(w.node.Kernel(w.now, kernel.Report{Gen: w.gen, Have: w.have}, nil))
	}
}

// mayAnnounce: only what is up, wanted, and an active router's.
func (w *world) mayAnnounce(a kernel.Address) {
	active := slices.ContainsFunc(w.node.order, func(r *router) bool {
		return r.role == vrrp.Active && slices.Contains(r.addresses, a)
	})
	if !active || !w.node.report.Have.Has(a) || !w.node.wanted.Has(a) {
		w.t.Fatalf("announced %s: active %v, the kernel has %v, wanted %v\n%v", a, active, w.node.report.Have, w.node.wanted, w.trace)
	}
}

// union: what is wanted is what the routers that have claimed want, no more and no less.
func (w *world) union() {
	var all []kernel.Address
	for _, i := range w.node.Snapshot(w.now).Instances {
		if i.Claimed {
			for _, a := range i.Addresses {
				all = append(all, a.Address)
			}
		}
	}
	if !kernel.StateOf(all...).Equal(w.node.Wanted()) {
		w.t.Fatalf("claimed %v, wanted %v\n%v", all, w.node.Wanted(), w.trace)
	}
}

func (w *world) commit(r Resolved) { w.take(w.node.Commit(w.now, r, nil)) }

func (w *world) run(d time.Duration) {
	until := w.now.Add(d)
	for next := w.node.Deadline(); next != 0 && next <= until; next = w.node.Deadline() {
		w.now = max(w.now, next)
		w.take(w.node.Tick(w.now, nil))
		if d := w.node.Deadline(); d != 0 && d <= w.now {
			w.t.Fatalf("deadline %d is not after %d\n%v", d, w.now, w.trace)
		}
	}
	w.now = until
}

// forget keeps only what happens from now on.
func (w *world) forget() {
	w.trace, w.sent, w.turns = nil, nil, nil
	w.wants = []kernel.State{w.node.Wanted()}
}

// checkSwap: an address that an active router had before, and one that goes on has
// after, is in every wanted set; a router that goes on changes no role and says no
// goodbye.
func checkSwap(w *world, instances int, before, after layout) {
	w.commit(before.resolve(instances))
	w.run(time.Second)
	w.forget()
	w.commit(after.resolve(instances))
	w.run(2 * time.Second)
	for v := range before {
		if before[v] < 0 || after[v] < 0 || !slices.Contains(before, after[v]) {
			continue
		}
		for _, want := range w.wants {
			if !want.Has(onEth0(v)) {
				w.t.Fatalf("%v -> %v: %s left the wanted set\n%v", before, after, vip(v), w.trace)
			}
		}
	}
	for i := range instances {
		if !slices.Contains(before, i) || !slices.Contains(after, i) {
			continue
		}
		for _, s := range w.sent {
			if s.Advert.VRID == uint8(50+i) && s.Advert.Priority == 0 {
				w.t.Fatalf("%v -> %v: instance %d said goodbye\n%v", before, after, i, w.trace)
			}
		}
		for _, tr := range w.turns {
			if tr.Instance == plan.Addr(fmt.Sprintf("instance.i%d", i)) {
				w.t.Fatalf("%v -> %v: %s\n%v", before, after, tr, w.trace)
			}
		}
	}
}

// TestNoSwapDropsAnAddress tries every pair of plans with up to two instances and three
// addresses, wherever each address is before and after.
func TestNoSwapDropsAnAddress(t *testing.T) {
	var all []layout
	for n := range 27 {
		all = append(all, layout{n%3 - 1, n/3%3 - 1, n/9 - 1})
	}
	for _, before := range all {
		for _, after := range all {
			checkSwap(newWorld(t), 2, before, after)
		}
	}
}

// TestNoSwapDropsAnAddressAtRandom is the same with more of both.
func TestNoSwapDropsAnAddressAtRandom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		owners := rapid.SliceOfN(rapid.IntRange(-1, 5), 12, 12)
		checkSwap(newWorld(t), 6, owners.Draw(t, "before"), owners.Draw(t, "after"))
	})
}

// TestAnyHistoryKeepsTheRules throws everything at a node: plans, adverts, checks,
// links, refusals, in any order. The rules are those of take, run and union; in the end
// everything stops and nothing is left.
func TestAnyHistoryKeepsTheRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		owners := rapid.SliceOfN(rapid.IntRange(-1, 2), 4, 4)
		t.Repeat(map[string]func(*rapid.T){
			"commit": func(t *rapid.T) {
				r := layout(owners.Draw(t, "owners")).resolve(3)
				for i := range r.Plan.Desired.Instances {
					in := &r.Plan.Desired.Instances[i]
					in.Track = []plan.Track{{Check: "script.a", Weight: -60}, {Check: "script.b"}}
				}
				r.Plan.Desired.Checks = []plan.Check{{Address: "script.a"}, {Address: "script.b"}}
				w.commit(r)
			},
			"run": func(t *rapid.T) {
				w.run(time.Duration(rapid.IntRange(0, 700).Draw(t, "ms")) * time.Millisecond)
			},
			"heard": func(t *rapid.T) {
				a, from := advert([]string{fmt.Sprint(rapid.IntRange(49, 53).Draw(t, "vrid")),
					fmt.Sprintf("prio=%d", rapid.SampledFrom([]int{0, 50, 100, 200}).Draw(t, "priority")),
					fmt.Sprintf("version=%d", rapid.IntRange(2, 3).Draw(t, "version"))})
				w.take(w.node.Heard(w.now, On("eth0", plan.IPv4), a, from, nil))
			},
			"check": func(t *rapid.T) {
				states := []plan.CheckState{plan.CheckUp, plan.CheckDown, plan.CheckUnknown}
				w.take(w.node.Check(w.now, rapid.SampledFrom([]plan.Addr{"script.a", "script.b"}).Draw(t, "check"),
					rapid.SampledFrom(states).Draw(t, "state"), nil))
			},
			"link": func(t *rapid.T) {
				w.take(w.node.Link(w.now, "eth0", rapid.SampledFrom([]string{"", "eth0 is down"}).Draw(t, "wrong"), nil))
			},
			"kernel": func(t *rapid.T) {
				report := kernel.Report{Gen: w.gen}
				for _, a := range w.node.Wanted() {
					if rapid.Bool().Draw(t, "has") {
						report.Have = report.Have.Add(a)
					} else {
						report.Refused = append(report.Refused, kernel.Refusal{Address: a, Err: "no"})
					}
				}
				w.take(w.node.Kernel(w.now, report, nil))
			},
			"frozen": func(t *rapid.T) {
				w.now = w.now.Add(time.Second)
				w.take(w.node.Frozen(w.now, time.Second, nil))
				w.run(0)
			},
		})
		w.take(w.node.Stop(w.now, nil))
		w.run(time.Second)
		if !w.node.Gone() {
			t.Fatalf("not gone: %+v\n%v", w.node.Snapshot(w.now).Instances, w.trace)
		}
	})
}

// Two instances that announce at different paces exchange their VRIDs: each router gets the
// other's addresses with their pace, and nothing is new to say. A pace that is edited is.
func TestAnExchangeAnnouncesNothing(t *testing.T) {
	w := newWorld(t)
	of := func(first, second string, refresh int64) Resolved {
		r := Resolved{Plan: &plan.Plan{Language: plan.Language, Node: "self"}, Hosts: map[plan.Addr]Host{}}
		r.add([]string{"i0", "eth0", first, "ms=100", "rival=50", "vips=10.0.0.100"})
		r.add([]string{"i1", "eth0", second, "ms=100", "rival=50", "vips=10.0.0.101"})
		r.Plan.Desired.Instances[1].Announce.RefreshMs = refresh
		return r
	}
	w.commit(of("51", "52", 5000))
	w.run(time.Second)
	announced := func(next Resolved) string {
		w.trace = nil
		w.commit(next)
		return strings.Join(slices.DeleteFunc(w.trace, func(l string) bool { return !strings.HasPrefix(l, "announce") }), "\n")
	}
	if got := announced(of("52", "51", 5000)); got != "" {
		t.Errorf("exchanged: %s", got)
	}
	if got := announced(of("52", "51", 7000)); got != "announce eth0: 10.0.0.101" {
		t.Errorf("another pace: %q", got)
	}
}
