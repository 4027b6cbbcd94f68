package node

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"hafile/lang/plan"
	"hafile/runtime/vrrp"
	"hafile/runtime/vrrp/wire"
)

// TestABrokenRouterTakesNobodyDown: a panic inside one router is its own fault; the next
// plan starts it anew.
func TestABrokenRouterTakesNobodyDown(t *testing.T) {
	w := newWorld(t)
	w.commit(layout{0, 1}.resolve(2))
	w.run(time.Second)
	w.forget()
	broken := w.node.order[0]
	w.node.begin(w.now, nil)
	w.node.step(broken, vrrp.Event{Kind: 99})
	w.take(w.node.end())
	if w.node.Wanted().Has(onEth0(0)) || !w.node.Wanted().Has(onEth0(1)) {
		t.Errorf("wanted %v", w.node.Wanted())
	}
	if len(w.sent) != 1 || w.sent[0].Advert.Priority != 0 || w.sent[0].Advert.VRID != 50 {
		t.Errorf("sent %v, want one goodbye", w.sent)
	}
	if len(w.turns) != 1 || w.turns[0].To != vrrp.Fault || !strings.HasPrefix(w.turns[0].Why, "internal error") {
		t.Errorf("turns %v", w.turns)
	}
	w.run(time.Second)
	if i := w.node.Snapshot(w.now).Instances[0]; i.Role != vrrp.Fault || i.Claimed {
		t.Errorf("it is %s", i.Role)
	}
	w.commit(layout{0, 1}.resolve(2))
	w.run(time.Second)
	if !w.node.Wanted().Has(onEth0(0)) {
		t.Errorf("it did not start anew: %v", w.trace)
	}
}

// TestPeersAreBounded: forged sources push out who was heard longest ago, no more.
func TestPeersAreBounded(t *testing.T) {
	w := newWorld(t)
	w.commit(layout{0}.resolve(1))
	for i := range 1000 {
		w.now++
		from := netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})
		a := &wire.Advert{Version: 3, VRID: 50, Priority: 200, Interval: 100 * time.Millisecond, Addresses: []netip.Addr{vip(0)}}
		w.take(w.node.Heard(w.now, On("eth0", plan.IPv4), a, from, nil))
	}
	peers := w.node.Snapshot(w.now).Instances[0].Peers
	if len(peers) != peersMax {
		t.Fatalf("%d peers", len(peers))
	}
	for _, p := range peers {
		if w.now.Sub(p.At) >= peersMax {
			t.Errorf("%s is remembered and was heard %d steps ago", p.Address, w.now.Sub(p.At))
		}
	}
}

// TestUnknownVRIDIsCounted by interface.
func TestUnknownVRIDIsCounted(t *testing.T) {
	w := newWorld(t)
	w.commit(layout{0}.resolve(1))
	a, from := advert([]string{"77"})
	w.take(w.node.Heard(w.now, On("eth0", plan.IPv4), a, from, nil))
	if got := w.node.Snapshot(w.now).Unknown["eth0"]; got != 1 {
		t.Errorf("counted %d", got)
	}
}

// TestLatenessIsRecorded of every deadline, and of adverts by a tenth of the interval.
func TestLatenessIsRecorded(t *testing.T) {
	w := newWorld(t)
	w.commit(layout{0}.resolve(1))
	w.run(time.Second)
	before := w.node.Snapshot(w.now).Punctuality
	w.now = w.node.Deadline().Add(9 * time.Millisecond)
	w.take(w.node.Tick(w.now, nil))
	w.now = w.node.Deadline().Add(11 * time.Millisecond)
	w.take(w.node.Tick(w.now, nil))
	p := w.node.Snapshot(w.now).Punctuality
	if p.Max != 11*time.Millisecond || p.AdvertsLate != 1 || p.Count() != before.Count()+2 {
		t.Errorf("%+v after %+v", p, before)
	}
	if p.Buckets[7] != 1 || p.Buckets[8] != 1 {
		t.Errorf("buckets %v", p.Buckets)
	}
}

// TestAnIdleStepAllocatesNothing: an advert sent and one heard, a thousand routers.
func TestAnIdleStepAllocatesNothing(t *testing.T) {
	n, now := crowd(1000)
	var out []Effect
	a, from := advert([]string{"250", "prio=0"})
	if got := testing.AllocsPerRun(1000, func() {
		now = max(now, n.Deadline())
		out = n.Tick(now, out[:0])
		out = n.Heard(now, On("eth0", plan.IPv4), a, from, out[:0])
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

// crowd is a node with so many active routers.
func crowd(routers int) (*Node, vrrp.Instant) {
	r := Resolved{Plan: &plan.Plan{Language: plan.Language, Node: "self"}, Hosts: map[plan.Addr]Host{}}
	for i := range routers {
		in := plan.DefaultInstance()
		in.Address = plan.Addr("instance.i" + string(rune('0'+i%10)) + string(rune('a'+i/10%26)) + string(rune('a'+i/260)))
		in.Interface, in.VRID = "eth"+string(rune('0'+i/250)), uint8(1+i%250)
		in.VIPs = []plan.VIP{{Address: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 9, byte(i >> 8), byte(i)}), 32)}}
		r.Plan.Desired.Instances = append(r.Plan.Desired.Instances, in)
		r.Hosts[in.Address] = Host{Source: netip.MustParseAddr("10.0.0.1")}
	}
	n := New()
	now := origin
	n.Commit(now, r, nil)
	for end := now.Add(10 * time.Second); n.Deadline() < end; {
		now = n.Deadline()
		n.Tick(now, nil)
	}
	return n, now
}

func BenchmarkTick1000(b *testing.B) {
	n, now := crowd(1000)
	var out []Effect
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		now = max(now, n.Deadline())
		out = n.Tick(now, out[:0])
	}
}

func BenchmarkHeard(b *testing.B) {
	n, now := crowd(1000)
	var out []Effect
	a, from := advert([]string{"250", "prio=0"})
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		out = n.Heard(now, On("eth0", plan.IPv4), a, from, out[:0])
	}
}
