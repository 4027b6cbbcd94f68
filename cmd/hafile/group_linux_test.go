package main

import (
	"cmp"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hafile/lang/diff"
	"hafile/runtime/lab"
	"hafile/runtime/lab/netns"
)

// group is two machines, a and b, that share one VIP, for the end-to-end tests: each
// runs hafile or keepalived.
type group struct {
	version  int // 2 with a password, or 3
	interval time.Duration
	a, b     member
	plain    bool   // no script
	check    string // the block of a check "web" in the place of the script
	track    string // the arguments of a track block beside it

	vrid       int    // 51 unless it is set
	iface      string // eth0
	credential string // of version 2: vrrp
	second     bool   // the machines have eth1 on the segment too
	unicast    bool
	multicast  string // the group, if it is not the usual one
	v6         bool
	ah         bool   // with version 2
	sync       bool   // with a second instance "back" on eth1, in a sync group with it; see together
	apart      bool   // without the group
	signed     string // the auth block of version 3
}

type member struct {
	priority   int
	keepalived bool
}

var (
	groupVIP   = netip.MustParseAddr("10.77.0.100")
	groupAddr  = map[string]netip.Addr{"a": netip.MustParseAddr("10.77.0.1"), "b": netip.MustParseAddr("10.77.0.2")}
	groupVIP6  = netip.MustParseAddr("fd77::100")
	groupAddr6 = map[string]netip.Addr{"a": netip.MustParseAddr("fd77::1"), "b": netip.MustParseAddr("fd77::2")}
	// secondAddr is on eth1, where there is one.
	secondAddr = map[string]netip.Addr{"a": netip.MustParseAddr("10.77.0.11"), "b": netip.MustParseAddr("10.77.0.12")}
)

func (g group) member(name string) member {
	if name == "a" {
		return g.a
	}
	return g.b
}

// down is the longest that a backup of this priority hears nothing before it takes over.
func (g group) down(priority int) time.Duration { return 3*g.interval + g.skew(priority) }

func (g group) skew(priority int) time.Duration {
	unit := g.interval
	if g.version == 2 {
		unit = time.Second
	}
	return time.Duration(256-priority) * unit / 256
}

// addresses of the machines, the VIP of the client, and where the client is.
func (g group) addresses() (own map[string]netip.Addr, vip netip.Addr, outside netip.Prefix) {
	if g.v6 {
		return groupAddr6, groupVIP6, netip.MustParsePrefix("fd77::50/64")
	}
	return groupAddr, groupVIP, netip.MustParsePrefix("10.77.0.50/24")
}

func (g group) vip() netip.Addr {
	_, vip, _ := g.addresses()
	return vip
}

// vips are in the order of the adverts.
func (g group) vips() []netip.Addr {
	if g.v6 {
		return []netip.Addr{netip.MustParseAddr("fe80::51"), groupVIP6}
	}
	return []netip.Addr{groupVIP}
}

// scriptWeight is far below what separates the members: a dead web server moves the VIP.
const scriptWeight = -60

func (g group) hcl() string {
	var b strings.Builder
	for _, name := range []string{"a", "b"} {
		address := groupAddr[name]
		if g.iface == "eth1" {
			address = secondAddr[name]
		}
		fmt.Fprintf(&b, "node %q {\n  address = %q\n  address6 = %q\n}\n\n", name, address, groupAddr6[name])
	}
	switch {
	case g.check != "":
		fmt.Fprintf(&b, "check \"web\" {\n  %s\n  interval = \"200ms\"\n  timeout = \"150ms\"\n  fall = 2\n  rise = 2\n  weight = %d\n}\n\n", g.check, scriptWeight)
	case !g.plain:
		fmt.Fprintf(&b, "script \"web\" {\n  command = [\"/etc/ha/check.sh\"]\n  interval = \"200ms\"\n  timeout = \"1s\"\n  fall = 2\n  rise = 2\n  weight = %d\n}\n\n", scriptWeight)
	}
	fmt.Fprintf(&b, "instance \"web\" {\n  interface = %q\n  router_id = %d\n  version = %d\n  advert_int = %q\n",
		cmp.Or(g.iface, "eth0"), cmp.Or(g.vrid, 51), g.version, g.interval)
	if g.unicast {
		b.WriteString("  transport = \"unicast\"\n")
	}
	if g.multicast != "" {
		fmt.Fprintf(&b, "  multicast_group = %q\n", g.multicast)
	}
	if g.version == 2 {
		fmt.Fprintf(&b, "  auth {\n    type = %q\n    password = credential(%q)\n  }\n", strings.ToLower(g.authType()), cmp.Or(g.credential, "vrrp"))
	}
	b.WriteString(g.signed)
	for _, name := range []string{"a", "b"} {
		fmt.Fprintf(&b, "  member %q {\n    priority = %d\n  }\n", name, g.member(name).priority)
	}
	for _, vip := range g.vips() {
		fmt.Fprintf(&b, "  vip {\n    address = %q\n  }\n", vip)
	}
	switch {
	case g.check != "":
		b.WriteString("  track {\n    check = check.web\n  }\n")
	case !g.plain:
		b.WriteString("  track {\n    script = script.web\n  }\n")
	}
	if g.track != "" {
		fmt.Fprintf(&b, "  track {\n    %s\n  }\n", g.track)
	}
	b.WriteString("}\n")
	if g.sync {
		b.WriteString(g.together())
	}
	return b.String()
}

func (g group) authType() string {
	if g.ah {
		return "AH"
	}
	return "PASS"
}

// keepalivedConf is the same group as keepalived reads it.
func (g group) keepalivedConf(name string) string {
	auth, track, script := "", "", ""
	if g.version == 2 {
		auth = "  authentication {\n    auth_type " + g.authType() + "\n    auth_pass s3cr3t\n  }\n"
	}
	if !g.plain {
		script = fmt.Sprintf("vrrp_script web {\n  script \"/etc/ha/check.sh\"\n  interval 1\n  fall 2\n  rise 2\n  weight %d\n}\n", scriptWeight)
		track = "  track_script {\n    web\n  }\n"
	}
	wire := ""
	own, _, _ := g.addresses()
	var vips []string
	for _, vip := range g.vips() {
		vips = append(vips, vip.String())
	}
	if g.unicast {
		wire = fmt.Sprintf("  unicast_src_ip %s\n  unicast_peer {\n    %s\n  }\n", own[name], own[other(name)])
	}
	if g.sync {
		script = g.togetherInKeepalived(name)
	}
	defs := ""
	if g.multicast != "" {
		defs = "\n  vrrp_mcast_group4 " + g.multicast
	}
	return fmt.Sprintf(`global_defs {
  enable_script_security
  script_user nobody%[9]s
}
%[1]svrrp_instance web {
  state BACKUP
  interface eth0
  version %[2]d
  virtual_router_id 51
  priority %[3]d
  advert_int %[4]g
%[8]s%[5]s  virtual_ipaddress {
    %[6]s
  }
%[7]s}
`, script, g.version, g.member(name).priority, g.interval.Seconds(), auth, strings.Join(vips, "\n    "), track, wire, defs)
}

func other(name string) string {
	if name == "a" {
		return "b"
	}
	return "a"
}

// files writes what the machines need into a directory.
func (g group) files(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	write := func(name, body string, mode os.FileMode) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(body), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("group.ha.hcl", g.hcl(), 0o644)
	write("etc/ha/check.sh", "#!/bin/bash\nexec 3<>/dev/tcp/127.0.0.1/80\n", 0o755)
	write("etc/hafile/credentials/vrrp", "s3cr3t", 0o600)
	write("etc/hafile/credentials/vrrp2", "an0ther", 0o600)
	write("etc/hafile/credentials/key1", strings.Repeat("1", 32), 0o600)
	write("etc/hafile/credentials/key2", "hex:"+strings.Repeat("2a", 40), 0o600)
	return dir
}

// up brings the group up and waits until it has settled.
func (g group) up(t testing.TB) *lab.Lab {
	t.Helper()
	l := g.boot(t)
	if err := l.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l
}

// boot brings the machines and their daemons up; nothing is applied.
func (g group) boot(t testing.TB) *lab.Lab {
	t.Helper()
	netns.Skip(t)
	dir := g.files(t)
	own, _, outside := g.addresses()
	o := lab.Options{
		VIPs: g.asked(), Outside: outside, Self: hafile(t), Web: "builtin", Dir: dir, Base: dir,
		Command: func(node, dir, socket string) []string {
			return []string{"apply", "-auto-approve", "-max-impact=drops", "-no-wait", "-node=" + node, "-socket=" + socket, dir}
		},
		Budgets: func(string) []diff.Budget { return nil },
		Tell: func(m lab.Moment) {
			if m.Tone != lab.ToneLive {
				t.Logf("%8.3f %-5s %s", m.At.Seconds(), m.Node, m.Text)
			}
		},
	}
	for _, name := range []string{"a", "b"} {
		n := lab.Node{Name: name, Interfaces: []string{"eth0"}, Addresses: []netip.Prefix{netip.PrefixFrom(own[name], outside.Bits())}, Etc: filepath.Join(dir, "etc")}
		if g.second || g.sync {
			n.Interfaces = append(n.Interfaces, "eth1")
		}
		if g.member(name).keepalived {
			n.Keepalived = g.keepalivedConf(name)
		}
		o.Nodes = append(o.Nodes, n)
	}
	l, err := lab.Up(t.Context(), o)
	if l != nil {
		t.Cleanup(func() {
			if t.Failed() {
				for _, name := range []string{"a", "b"} {
					t.Logf("log of %s:\n%s", name, l.Log(name))
				}
			}
			if err := l.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return l
}
