package runtime

import (
	"strings"
	"testing"
	"time"

	"hafile/runtime/announce"
	"hafile/runtime/lab/netns"
)

// Somebody removes an address: it is back at once, announced and counted. Who goes on doing
// that has his way, and another member takes over.
func TestAddressesThatSomebodyRemoves(t *testing.T) {
	s := netns.SegmentT(t)
	netns.Needs(t, "ip", "iproute2")
	a, b := newMachine(t, s, "a", "192.0.2.1/24"), newMachine(t, s, "b", "192.0.2.2/24")
	a.start()
	b.start()
	a.apply(pairPlan("a", vip1))
	a.until("it has the address", func() bool { return a.has(vip1) })
	b.apply(pairPlan("b", vip1))
	heard := earOf(t, b.ns, "eth0")
	heard.frames(300 * time.Millisecond) // the announcements of the takeover
	a.run("ip addr del " + vip1 + " dev eth0")
	began := time.Now()
	a.until("it is back", func() bool { return a.has(vip1) })
	took := time.Since(began)
	t.Logf("back after %v", took)
	if took > time.Second { // 50 ms on a machine that has nothing else to do
		t.Errorf("it was back after %v", took)
	}
	if n := gratuitous(heard.frames(time.Second), "192.0.2.10"); n == 0 {
		t.Error("nobody was told")
	}
	if n := a.status().Instances[0].Counters["addresses_removed"]; n != 1 {
		t.Errorf("counted %d", n)
	}
	for range 5 {
		a.until("it is back", func() bool { return a.has(vip1) })
		a.run("ip addr del " + vip1 + " dev eth0")
	}
	a.untilRole("fault")
	if why := a.status().Instances[0].Why; !strings.Contains(why, "removed by somebody else") {
		t.Errorf("it says %q", why)
	}
	b.untilRole("active")
}

// gratuitous counts announcements of an address.
func gratuitous(frames [][]byte, addr string) (n int) {
	for _, f := range frames {
		if a, err := announce.ParseARP(f); err == nil && a.SenderIP == a.TargetIP && a.SenderIP.String() == addr {
			n++
		}
	}
	return n
}
