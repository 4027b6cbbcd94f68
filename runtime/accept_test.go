package runtime

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"hafile/lang/plan"
	"hafile/runtime/lab/netns"
)

// silent reports whether nobody answers at an address that neighbours know.
func silent(n *netns.NS, to string) bool { return timedOut(knock(n, to)) }

func timedOut(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// knock is what becomes of a connection.
func knock(n *netns.NS, to string) error {
	return n.Do(func() error {
		c, err := net.DialTimeout("tcp", net.JoinHostPort(to, "9"), 300*time.Millisecond)
		if err == nil {
			c.Close()
		}
		return err
	})
}

func TestAcceptOff(t *testing.T) {
	s := netns.SegmentT(t)
	netns.Needs(t, "ip", "iproute2")
	netns.Needs(t, "nft", "nftables")
	m := newMachine(t, s, "a", "192.0.2.1/24")
	m.run("ip addr add 2001:db8::1/64 dev eth0 nodad")
	client := netns.NodeT(t, s, netns.Port{Name: "eth0", Addresses: []netip.Prefix{
		netip.MustParsePrefix("192.0.2.3/24"), netip.MustParsePrefix("2001:db8::3/64")}})
	m.run("nft add table inet others")
	m.start()
	with := func(accept bool, virtual bool) *plan.Plan {
		p := pairPlan("a", vip1, "2001:db8::10/128")
		in := &p.Desired.Instances[0]
		in.VIPs[1].Unadvertised = true
		in.Accept, in.VirtualMAC = accept, virtual
		p.Normalize()
		return p
	}
	vips := []string{"192.0.2.10", "2001:db8::10"}
	m.apply(with(true, false))
	for _, vip := range vips {
		m.until("it answers on "+vip, func() bool { return refuses(client, vip) })
	}
	for _, virtual := range []bool{false, true} {
		m.apply(with(false, virtual))
		check := func(when string) {
			t.Helper()
			for _, vip := range vips {
				m.until(when+" it is silent on "+vip, func() bool { return silent(client, vip) })
				if mac := m.neighbour(client, vip); mac == "" {
					t.Errorf("%s neighbours do not find %s", when, vip)
				}
			}
			if !refuses(client, "192.0.2.1") {
				t.Errorf("%s the machine's own address is silent too", when)
			}
		}
		check("at first")
		began := time.Now()
		m.run("nft flush ruleset")
		m.until("the table is back", func() bool { return strings.Contains(m.run("nft list ruleset"), "192.0.2.10") })
		t.Logf("the table was back after %v", time.Since(began))
		m.run("nft flush chain inet hafile input")
		m.until("the rules are back", func() bool { return strings.Contains(m.run("nft list ruleset"), "drop") })
		check("after a flush")
	}
	m.kill()
	m.start()
	m.untilRole("active")
	if err := knock(client, "192.0.2.10"); !timedOut(err) {
		t.Errorf("after a crash: %v", err)
	}
	m.apply(with(true, false))
	for _, vip := range vips {
		m.until("it answers again on "+vip, func() bool { return refuses(client, vip) })
	}
	m.run("nft add table inet others")
	m.apply(with(false, false))
	m.until("silent again", func() bool { return silent(client, "192.0.2.10") })
	m.stop()
	if left := m.run("nft list tables"); strings.Contains(left, "hafile") || !strings.Contains(left, "others") {
		t.Errorf("tables at the end: %s", left)
	}
}
