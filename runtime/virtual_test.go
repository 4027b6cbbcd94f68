package runtime

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hafile/lang/plan"
	"hafile/runtime/announce"
	"hafile/runtime/drift"
	"hafile/runtime/host"
	"hafile/runtime/kernel/netlink"
	"hafile/runtime/lab/netns"
	"hafile/runtime/node"
)

const (
	virtual4 = "00:00:5e:00:01:33" // VRID 51
	virtual6 = "00:00:5e:00:02:33"
)

// virtualPlan is a pair with a virtual MAC in each family.
func virtualPlan(node string) *plan.Plan {
	p := pairPlan(node, vip1)
	p.Desired.Instances[0].VirtualMAC = true
	six := p.Desired.Instances[0]
	six.Address, six.Name, six.Family = "instance.six", "six", plan.IPv6
	six.Members = []plan.Member{{Node: "a", Priority: 150}, {Node: "b", Priority: 100}}
	six.VIPs = []plan.VIP{{Address: netip.MustParsePrefix("fe80::33/128")}, {Address: netip.MustParsePrefix("2001:db8::33/128")}}
	p.Desired.Instances = append(p.Desired.Instances, six)
	p.Normalize()
	return p
}

func (m *machine) untilAll(role string) {
	m.t.Helper()
	m.until("all are "+role, func() bool {
		s, err := m.client.Status(m.t.Context())
		if err != nil {
			return false
		}
		for _, in := range s.Instances {
			if in.Role != role {
				return false
			}
		}
		return len(s.Instances) > 0
	})
}

// drift is what hafile drift says of the machine.
func (m *machine) drift(p *plan.Plan) (items []drift.Item) {
	m.t.Helper()
	s := m.status()
	if err := m.ns.Do(func() error {
		links, err := host.Interfaces()
		if err != nil {
			return err
		}
		things, err := netlink.Things()
		items = append(drift.Compare(s, p, links), drift.Beside(s, p, node.RoutesAndRules, things)...)
		return err
	}); err != nil {
		m.t.Fatal(err)
	}
	return items
}

// ear hears every frame of an interface in a namespace.
type ear struct {
	fd, index int
	mac       net.HardwareAddr
}

func earOf(t *testing.T, n *netns.NS, iface string) *ear {
	t.Helper()
	e := &ear{}
	err := n.Do(func() (err error) {
		i, err := net.InterfaceByName(iface)
		if err != nil {
			return err
		}
		e.index, e.mac = i.Index, i.HardwareAddr
		if e.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, int(htons(unix.ETH_P_ALL))); err != nil {
			return err
		}
		return unix.Bind(e.fd, &unix.SockaddrLinklayer{Protocol: htons(unix.ETH_P_ALL), Ifindex: e.index})
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(e.fd) })
	return e
}

func htons(n uint16) uint16 { return n<<8 | n>>8 }

// frames are what is heard for a while.
func (e *ear) frames(d time.Duration) (out [][]byte) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		buf := make([]byte, 2048)
		n, err := unix.Read(e.fd, buf)
		if err != nil {
			time.Sleep(time.Millisecond)
			continue
		}
		out = append(out, buf[:n])
	}
	return out
}

// answers are the MACs that answer for an address.
func (e *ear) answers(t *testing.T, vip string) (out []string) {
	t.Helper()
	ip := netip.MustParseAddr(vip)
	e.frames(time.Millisecond)
	if err := unix.Sendto(e.fd, announce.ProbeFrame(announce.MAC(e.mac), ip), 0, &unix.SockaddrLinklayer{Ifindex: e.index}); err != nil {
		t.Fatal(err)
	}
	for _, f := range e.frames(200 * time.Millisecond) {
		if a, err := announce.ParseARP(f); err == nil && a.Op == announce.ARPReply && a.SenderIP == ip {
			out = append(out, net.HardwareAddr(a.SenderMAC[:]).String())
		}
	}
	return out
}

// advertsFrom counts the adverts of a while by the MAC that they come from.
func (e *ear) advertsFrom(t *testing.T, d time.Duration) map[string]int {
	t.Helper()
	out := map[string]int{}
	for _, f := range e.frames(d) {
		switch {
		case len(f) > 34 && f[12] == 8 && f[13] == 0 && f[23] == 112, len(f) > 54 && f[12] == 0x86 && f[13] == 0xdd && f[20] == 112:
			out[net.HardwareAddr(f[6:12]).String()]++
		}
	}
	return out
}

// neighbour is the MAC that a client has for an address; it asks for it first.
func (m *machine) neighbour(client *netns.NS, addr string) string {
	m.t.Helper()
	var mac string
	_ = client.Do(func() error {
		if c, err := net.Dial("udp", net.JoinHostPort(addr, "9")); err == nil {
			_, _ = c.Write([]byte("x"))
			c.Close()
		}
		return nil
	})
	client4 := &machine{t: m.t, name: "client", ns: client}
	for line := range strings.Lines(client4.run("ip neigh")) {
		f := strings.Fields(line)
		if len(f) > 4 && f[0] == addr && f[3] == "lladdr" {
			mac = f[4]
		}
	}
	return mac
}

func (m *machine) sysctl(name string) string {
	m.t.Helper()
	var raw []byte
	if err := m.ns.Do(func() (err error) {
		raw, err = os.ReadFile(filepath.Join("/proc/sys/net", name))
		return err
	}); err != nil {
		m.t.Fatal(err)
	}
	return strings.TrimSpace(string(raw))
}

func (m *machine) linkIndex(name string) (index int) {
	_ = m.ns.Do(func() error {
		if i, err := net.InterfaceByName(name); err == nil {
			index = i.Index
		}
		return nil
	})
	return index
}

func TestVirtualMAC(t *testing.T) {
	s := netns.SegmentT(t)
	netns.Needs(t, "ip", "iproute2")
	a, b := newMachine(t, s, "a", "192.0.2.1/24"), newMachine(t, s, "b", "192.0.2.2/24")
	for _, m := range []*machine{a, b} {
		m.run("ip addr add 2001:db8::" + map[string]string{"a": "1", "b": "2"}[m.name] + "/64 dev eth0 nodad")
		if err := m.ns.Sysctl("net.ipv4.conf.all.rp_filter", "1"); err != nil {
			t.Fatal(err)
		}
	}
	client := netns.NodeT(t, s, netns.Port{Name: "eth0", Addresses: []netip.Prefix{
		netip.MustParsePrefix("192.0.2.3/24"), netip.MustParsePrefix("2001:db8::3/64")}})
	heard := earOf(t, client, "eth0")
	before := [2]string{a.sysctl("ipv4/conf/eth0/arp_ignore"), a.sysctl("ipv4/conf/eth0/arp_announce")}
	a.start()
	b.start()
	a.until("a source of IPv6", func() bool {
		return strings.Contains(a.addresses(), "fe80::") && !strings.Contains(a.run("ip -6 addr show dev eth0"), "tentative")
	})
	b.until("a source of IPv6", func() bool {
		return strings.Contains(b.addresses(), "fe80::") && !strings.Contains(b.run("ip -6 addr show dev eth0"), "tentative")
	})
	a.apply(virtualPlan("a"))
	a.untilAll("active")
	b.apply(virtualPlan("b"))
	b.untilAll("backup")

	if got := heard.answers(t, "192.0.2.10"); fmt.Sprint(got) != "["+virtual4+"]" {
		t.Errorf("answers for the VIP: %v", got)
	}
	if got := heard.answers(t, "192.0.2.1"); len(got) != 1 || got[0] == virtual4 {
		t.Errorf("answers for the machine's own address: %v", got)
	}
	from := heard.advertsFrom(t, time.Second)
	if len(from) != 2 || from[virtual4] == 0 || from[virtual6] == 0 {
		t.Errorf("adverts come from %v", from)
	}
	for addr, mac := range map[string]string{"192.0.2.10": virtual4, "2001:db8::33": virtual6} {
		a.until(addr+" is known by "+mac, func() bool { return a.neighbour(client, addr) == mac })
	}
	for _, name := range []string{"vrrp4-51.eth0", "vrrp6-51.eth0"} {
		if out := a.run("ip -6 -o addr show dev " + name + " scope link"); strings.Contains(out, "5eff") || strings.Contains(out, "200:5e") {
			t.Errorf("an address was derived from the virtual MAC: %s", out)
		}
		if out := b.run("ip -o link show dev " + name); strings.Contains(out, ",UP") {
			t.Errorf("the backup's is up: %s", out)
		}
	}
	for _, to := range []string{"192.0.2.10", "2001:db8::33", "fe80::33%eth0"} {
		a.until("it is reached at "+to, func() bool { return refuses(client, to) })
	}

	if items := a.drift(virtualPlan("a")); len(items) > 0 {
		t.Errorf("drift: %+v", items)
	}

	// What a process leaves is taken over as it is: the same macvlan, and no gap.
	index := a.linkIndex("vrrp4-51.eth0")
	a.kill()
	a.start()
	a.untilAll("active")
	if now := a.linkIndex("vrrp4-51.eth0"); now != index || index == 0 {
		t.Errorf("the macvlan was %d and is %d", index, now)
	}
	// An edit does not touch it.
	p := virtualPlan("a")
	p.Desired.Instances[1].VIPs = append(p.Desired.Instances[1].VIPs, plan.VIP{Address: netip.MustParsePrefix("192.0.2.77/32")})
	p.Desired.Instances[0].VIPs = append(p.Desired.Instances[0].VIPs, plan.VIP{Address: netip.MustParsePrefix("2001:db8::77/128")})
	p.Normalize()
	a.apply(p)
	if now := a.linkIndex("vrrp4-51.eth0"); now != index {
		t.Errorf("the edit replaced the macvlan: it was %d and is %d", index, now)
	}
	a.until("2001:db8::77", func() bool { return a.neighbour(client, "2001:db8::77") == virtual6 })

	// Whoever takes over has the same MAC: a client has nothing to learn.
	a.stop()
	b.untilAll("active")
	for addr, mac := range map[string]string{"192.0.2.10": virtual4, "2001:db8::33": virtual6} {
		if got := b.neighbour(client, addr); got != mac {
			t.Errorf("after the handover %s is at %s", addr, got)
		}
	}
	if got := heard.answers(t, "192.0.2.10"); fmt.Sprint(got) != "["+virtual4+"]" {
		t.Errorf("answers after the handover: %v", got)
	}
	if out := a.run("ip -o link show"); strings.Contains(out, "vrrp") {
		t.Errorf("left over: %s", out)
	}
	if after := [2]string{a.sysctl("ipv4/conf/eth0/arp_ignore"), a.sysctl("ipv4/conf/eth0/arp_announce")}; after != before {
		t.Errorf("arp_ignore and arp_announce were %v and are %v", before, after)
	}
}

// refuses reports whether a machine is reached at an address: nobody listens there, and
// says so.
func refuses(n *netns.NS, to string) bool {
	err := n.Do(func() error {
		c, err := net.DialTimeout("tcp", net.JoinHostPort(to, "9"), time.Second)
		if err == nil {
			c.Close()
		}
		return err
	})
	return errors.Is(err, unix.ECONNREFUSED)
}

// keepalived runs Debian's keepalived on a machine, with the virtual MAC of VRID 51, until
// the function that is returned is called.
func (m *machine) keepalived(priority int) (stop func()) {
	m.t.Helper()
	bin := netns.Needs(m.t, "keepalived", "keepalived")
	conf := filepath.Join(m.dir, "keepalived.conf")
	if err := os.WriteFile(conf, []byte(fmt.Sprintf(`vrrp_instance web {
  interface eth0
  version 3
  virtual_router_id 51
  priority %d
  advert_int 0.1
  use_vmac
  virtual_ipaddress { 192.0.2.10 }
}
`, priority)), 0o600); err != nil {
		m.t.Fatal(err)
	}
	pid := func(what string) string { return filepath.Join(m.dir, "keepalived-"+what+".pid") }
	cmd := exec.Command(bin, "--dont-fork", "--log-console", "--no-syslog", "--vrrp",
		"--use-file", conf, "--pid", pid("parent"), "--vrrp_pid", pid("vrrp"))
	cmd.Stdout, cmd.Stderr = m.log, m.log
	if err := m.ns.Start(cmd); err != nil {
		m.t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		_ = cmd.Process.Signal(unix.SIGTERM)
		_ = cmd.Wait()
	})
	m.t.Cleanup(stop)
	return stop
}

// A peer with use_vmac has the same MAC. Its adverts come from it, which the kernel would
// give to our own macvlan if that were a private one.
func TestVirtualMACBesideKeepalived(t *testing.T) {
	s := netns.SegmentT(t)
	a, k := newMachine(t, s, "a", "192.0.2.1/24"), newMachine(t, s, "k", "192.0.2.2/24")
	netns.Needs(t, "ip", "iproute2")
	client := netns.NodeT(t, s, netns.Port{Name: "eth0", Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.3/24")}})
	heard := earOf(t, client, "eth0")
	p := pairPlan("a", vip1)
	p.Desired.Instances[0].VirtualMAC = true
	p.Desired.Instances[0].Members = nil
	hers := func() bool { return strings.Contains(k.run("ip -o -4 addr show"), "192.0.2.10/") }
	// With keepalived the client may learn the MAC of the machine: it leaves arp_announce as
	// it is, so that its own question for a client it answers comes from the address and
	// the interface. Whoever answers to the client's question is the virtual MAC all the same.
	within := func(what string) {
		t.Helper()
		began := time.Now()
		a.until(what+": the client reaches the address", func() bool { return refuses(client, "192.0.2.10") })
		if mac := a.neighbour(client, "192.0.2.10"); mac != virtual4 && !hers() {
			t.Errorf("%s: the client has %s", what, mac)
		}
		t.Logf("%s: the client reaches the address after %v", what, time.Since(began))
		if got := heard.answers(t, "192.0.2.10"); fmt.Sprint(got) != "["+virtual4+"]" {
			t.Errorf("%s: answers %v", what, got)
		}
	}

	stop := k.keepalived(200)
	a.until("keepalived has the address", hers)
	a.start()
	a.apply(p)
	a.untilRole("backup")
	within("beside a higher one")
	if a.role() != "backup" {
		t.Error("the backup does not hear keepalived")
	}
	stop()
	a.untilRole("active")
	within("after its goodbye")

	stop = k.keepalived(100) // lower: it listens
	time.Sleep(time.Second)
	if hers() || a.role() != "active" {
		t.Error("keepalived does not hear the adverts")
	}
	within("beside a lower one")
	a.stop()
	a.until("keepalived takes over", hers)
	within("after our goodbye")
	stop()
}

// Turned on, the interface still takes what is sent to its own MAC; turned off, a client
// has to hear the announcement.
func TestVirtualMACIsTurnedOnAndOff(t *testing.T) {
	s := netns.SegmentT(t)
	m := newMachine(t, s, "a", "192.0.2.1/24")
	netns.Needs(t, "ip", "iproute2")
	m.start()
	with := func(virtual bool) *plan.Plan {
		p := pairPlan("a", vip1)
		p.Desired.Instances[0].VirtualMAC = virtual
		return p
	}
	m.apply(with(false))
	m.until("it has the address", func() bool { return m.has(vip1) })
	f := flowTo(t, s, m, "192.0.2.3/24", "192.0.2.10")
	m.until("packets arrive", func() bool { return f.got.Load() > 0 })
	began := f.sent.Load() - f.got.Load()
	m.run("ip link add other type bridge")
	m.run("ip link set other up")
	elsewhere := with(true)
	elsewhere.Desired.Instances[0].VIPs = append(elsewhere.Desired.Instances[0].VIPs,
		plan.VIP{Address: netip.MustParsePrefix("198.51.100.10/32"), Interface: "other"})
	elsewhere.Normalize()
	m.apply(elsewhere)
	m.until("the other interface has its own", func() bool {
		return strings.Contains(m.run("ip -o -4 addr show dev other"), "198.51.100.10")
	})
	m.until("the macvlan has the address", func() bool { return strings.Contains(m.run("ip -o -4 addr"), "vrrp4-51.eth0") && !m.has(vip1) })
	if n := f.lost() - began; n > 0 {
		t.Errorf("turning it on lost %d of %d packets", n, f.sent.Load())
	}
	m.apply(with(false))
	m.until("the interface has the address", func() bool { return m.has(vip1) && m.linkIndex("vrrp4-51.eth0") == 0 })
	if st := m.status(); st.Predictions.Mispredicted != 0 || st.Instances[0].Role != "active" {
		t.Errorf("%s; predictions: %+v", st.Instances[0].Role, st.Predictions)
	}
}
