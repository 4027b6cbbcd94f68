package runtime

import (
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hafile/lang/plan"
	"hafile/runtime/lab/netns"
)

// What a VIP is beside its address: a label, a scope, a prefix, and whether adverts name it.

// run is a stranger's command on the machine.
func (m *machine) run(command string) string {
	m.t.Helper()
	var out []byte
	err := m.ns.Do(func() (err error) {
		words := strings.Fields(command)
		out, err = exec.Command(words[0], words[1:]...).CombinedOutput()
		return err
	})
	if err != nil {
		m.t.Fatalf("%s: %s: %v: %s", m.name, command, err, out)
	}
	return string(out)
}

// flow is a neighbour's packets to an address, one each 200 µs.
type flow struct {
	sent, got atomic.Int64
	stop      chan struct{}
	ended     chan struct{}
}

// flowTo starts one from a machine of its own on the segment.
func flowTo(t *testing.T, s *netns.Segment, m *machine, from, to string) *flow {
	t.Helper()
	var in, out net.Conn
	if err := m.ns.Do(func() error {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{Port: 9})
		if err == nil {
			err = c.SetReadBuffer(8 << 20)
		}
		in = c
		return err
	}); err != nil {
		t.Fatal(err)
	}
	client := netns.NodeT(t, s, netns.Port{Name: "eth0", Addresses: []netip.Prefix{netip.MustParsePrefix(from)}})
	if err := client.Do(func() (err error) {
		out, err = net.Dial("udp4", net.JoinHostPort(to, "9"))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	f := &flow{stop: make(chan struct{}), ended: make(chan struct{})}
	go func() {
		buf := make([]byte, 64)
		for {
			if _, err := in.Read(buf); err != nil {
				return
			}
			f.got.Add(1)
		}
	}()
	go func() {
		defer close(f.ended)
		for {
			select {
			case <-f.stop:
				return
			default:
			}
			if _, err := out.Write([]byte("x")); err == nil {
				f.sent.Add(1)
			}
			time.Sleep(200 * time.Microsecond)
		}
	}()
	t.Cleanup(func() { in.Close(); out.Close() })
	return f
}

// lost ends the flow and says how many packets did not arrive.
func (f *flow) lost() int64 {
	close(f.stop)
	<-f.ended
	for end := time.Now().Add(2 * time.Second); f.got.Load() < f.sent.Load() && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	return f.sent.Load() - f.got.Load()
}

// The kernel cannot change them in place. While the address goes and comes back, another
// length of it answers.
func TestLabelScopeAndPrefixChangeWithoutALostPacket(t *testing.T) {
	s := netns.SegmentT(t)
	m := newMachine(t, s, "a", "192.0.2.1/24")
	netns.Needs(t, "ip", "iproute2")
	m.start()
	edit := func(change func(*plan.VIP)) {
		t.Helper()
		p := pairPlan("a", vip1, vip2)
		change(&p.Desired.Instances[0].VIPs[0])
		m.apply(p)
	}
	edit(func(*plan.VIP) {})
	m.untilRole("active")
	m.until("it has the address", func() bool { return m.has(vip1) })
	r, f := m.record(), flowTo(t, s, m, "192.0.2.3/24", "192.0.2.10")
	m.until("packets arrive", func() bool { return f.got.Load() > 0 })
	began := f.sent.Load() - f.got.Load() // lost before anybody had an ARP entry
	shown := func() string {
		for line := range strings.Lines(m.run("ip -o -4 addr show dev eth0")) {
			if strings.Contains(line, "192.0.2.10") {
				return strings.Join(strings.Fields(line)[3:], " ")
			}
		}
		return ""
	}
	for _, tt := range []struct {
		change func(*plan.VIP)
		want   string
	}{
		{func(v *plan.VIP) { v.Label = "eth0:web" }, "192.0.2.10/32 scope global proto 0xc8 eth0:web"},
		{func(v *plan.VIP) { v.Label, v.Scope = "eth0:web", "link" }, "192.0.2.10/32 scope link proto 0xc8 eth0:web"},
		{func(v *plan.VIP) { v.InstallPrefix = 24 }, "192.0.2.10/24 scope global secondary noprefixroute proto 0xc8 eth0"},
		{func(v *plan.VIP) { v.InstallPrefix, v.Label = 24, "eth0:x" }, "192.0.2.10/24 scope global secondary noprefixroute proto 0xc8 eth0:x"},
		{func(*plan.VIP) {}, "192.0.2.10/32 scope global proto 0xc8 eth0"},
	} {
		edit(tt.change)
		m.until("it is "+tt.want, func() bool { return plainly(shown()) == plainly(tt.want) })
	}
	if n := f.lost() - began; n > 0 {
		t.Errorf("%d of %d packets were lost", n, f.sent.Load())
	}
	for _, a := range r.removed(t) {
		if a != netip.MustParseAddr("192.0.2.10") {
			t.Errorf("%s was removed, which is in no edit", a)
		}
	}
	if p := m.status().Predictions; p.Mispredicted != 0 {
		t.Errorf("predictions: %+v", p)
	}
}

// plainly is a line of ip(8) without what not every version of it says.
func plainly(line string) string {
	for _, word := range []string{"proto 0xc8 ", `\ valid_lft forever preferred_lft forever`} {
		line = strings.ReplaceAll(line, word, "")
	}
	return strings.TrimSpace(line)
}

// An advert holds 255 addresses at most. What is not in it goes and comes with the rest.
func TestMoreAddressesThanAnAdvertCanHold(t *testing.T) {
	m := only(t)
	m.start()
	p := pairPlan("a", vip1)
	in := &p.Desired.Instances[0]
	for i := range 400 {
		in.VIPs = append(in.VIPs, plan.VIP{Address: netip.MustParsePrefix(fmt.Sprintf("198.51.%d.%d/32", i/200, 1+i%200)), Unadvertised: true})
	}
	in.VIPs = append(in.VIPs, plan.VIP{Address: netip.MustParsePrefix("2001:db8::7/128"), Unadvertised: true})
	p.Normalize()
	m.apply(p)
	m.untilRole("active")
	m.until("it has all of them", func() bool {
		return len(strings.Fields(m.addresses())) >= 402 && m.has("198.51.1.200/32") && m.has("2001:db8::7/128")
	})
	m.apply(pairPlan("a", vip1))
	m.until("it has one", func() bool { return !m.has("198.51.1.200/32") && !m.has("2001:db8::7/128") })
	if !m.has(vip1) {
		t.Error("the advertised address went as well")
	}
}
