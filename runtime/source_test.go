package runtime

import (
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"hafile/lang/plan"
	"hafile/runtime/lab/netns"
)

// sources is where packets of the machine itself would come from: to a neighbour, to the
// world by a gateway, and by routes that name an interface only.
func (m *machine) sources() string {
	m.t.Helper()
	var out strings.Builder
	for _, to := range []string{
		"192.0.2.77", "203.0.113.1", "198.51.100.1",
		"2001:db8::77", "2001:db8:ffff::1", "fe80::77 oif eth0", "ff02::1 oif eth0",
	} {
		answer := m.run("ip -o route get " + to)
		answer, _, _ = strings.Cut(answer, " uid ")
		answer, _, _ = strings.Cut(answer, " cache")
		out.WriteString(strings.Join(strings.Fields(strings.ReplaceAll(answer, `\`, "")), " ") + "\n")
	}
	return out.String()
}

// lease gives the machine addresses as a DHCP client and the kernel's SLAAC do, and takes
// them away again.
func (m *machine) lease() {
	m.run("ip addr add 192.0.2.1/24 brd + dev eth0 valid_lft 3600 preferred_lft 1800")
	// Beside a VIP with its prefix the subnet has no route until hafile has put that one
	// behind the address: some milliseconds.
	began := time.Now()
	m.until("the gateway can be reached", func() bool {
		return m.ns.Do(func() error {
			return exec.Command("ip", "route", "replace", "default", "via", "192.0.2.254", "dev", "eth0").Run()
		}) == nil
	})
	m.t.Logf("the gateway could be named %v after the address", time.Since(began))
	m.run("ip route replace 198.51.100.0/24 dev eth0 src 192.0.2.1")
	m.run("ip addr add 2001:db8::1/64 dev eth0 valid_lft 3600 preferred_lft 1800 mngtmpaddr nodad")
	m.run("ip route replace default via fe80::ff dev eth0")
}

func (m *machine) expire() {
	m.run("ip addr del 192.0.2.1/24 dev eth0")
	m.run("ip addr del 2001:db8::1/64 dev eth0")
	m.run("ip -6 route del default")
}

func TestSourceAddressesStayTheNodesOwn(t *testing.T) {
	s := netns.SegmentT(t)
	netns.Needs(t, "ip", "iproute2")
	m := newMachine(t, s, "a", "192.0.2.9/32")
	m.run("ip addr del 192.0.2.9/32 dev eth0")
	m.until("it has a link-local address", func() bool {
		return strings.Contains(m.addresses(), "fe80::") && !strings.Contains(m.run("ip -6 addr show dev eth0"), "tentative")
	})
	m.lease()
	before := m.sources()
	m.start()
	for _, prefixes := range []bool{false, true} {
		p := pairPlan("a", "192.0.2.10/32", "192.0.2.11/32", "2001:db8::10/128")
		in := &p.Desired.Instances[0]
		in.VIPs[2].Unadvertised = true
		in.SourceAddress = netip.MustParseAddr("192.0.2.1") // as the compiler says it
		six := *in
		six.SourceAddress = netip.Addr{}
		six.Address, six.Name, six.Family, six.Members = "instance.six", "six", plan.IPv6, nil
		six.VIPs = []plan.VIP{{Address: netip.MustParsePrefix("fe80::10/128")}, {Address: netip.MustParsePrefix("2001:db8::11/128")}}
		p.Desired.Instances = append(p.Desired.Instances, six)
		if prefixes {
			in.VIPs[0].InstallPrefix, in.VIPs[1].InstallPrefix, in.VIPs[2].InstallPrefix = 24, 24, 64
			p.Desired.Instances[1].VIPs[0].InstallPrefix, p.Desired.Instances[1].VIPs[1].InstallPrefix = 64, 64
		}
		p.Normalize()
		m.apply(p)
		up := func() bool {
			all := m.addresses()
			return strings.Contains(all, "192.0.2.11/") && strings.Contains(all, "2001:db8::11/") && strings.Contains(all, "fe80::10/")
		}
		m.until("it has the VIPs", up)
		if after := m.sources(); after != before {
			t.Errorf("with prefixes: %v; before:\n%safter:\n%s", prefixes, before, after)
		}
		m.expire()
		m.lease()
		m.until("it has the VIPs again", up)
		for end := time.Now().Add(10 * time.Second); m.sources() != before; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("with prefixes: %v; after the lease came back:\n%s", prefixes, m.sources())
			}
		}
	}
}
