package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// estate is a pair of machines with many addresses, as an editor sees it: what hafile
// and keepalived both can say, and from which the files of both are written.
type estate struct {
	units    []unit
	scripts  []probe
	checks   []probe // of hafile alone
	notifies []probe
	spare    []netip.Addr // addresses that nobody has
	moved    [][2]string  // labels, of the latest edit only
	third    bool         // a member that is not there
	comment  int
	mixed    bool // b runs keepalived
}

// unit is one instance.
type unit struct {
	label    string
	name     string // as hooks call it; empty for the label
	home     string // who is preferred
	iface    string
	vrid     int
	version  int
	interval time.Duration
	password string // the name of a credential
	unicast  bool
	source   bool // adverts come from the machine's second address
	high     int
	low      int
	vips     []vipAt

	preempt      bool
	preemptDelay int // seconds
	startDelay   int
	refresh      int
	guard        bool
	prevent      bool
	checksum     bool // without the pseudo header
	minTTL       int
	tracks       []trackOf
	notify       []string
}

type vipAt struct {
	addr  netip.Addr
	iface string
}

// probe is a script, a check or a notify: what is in its block in either language.
type probe struct {
	name       string
	hcl, conf  string
	keepalived bool // has such a thing
}

type trackOf struct {
	kind, name string // script or check
	weight     int
}

// secrets are the passwords behind the names.
var secrets = map[string]string{"vrrp": "s3cr3t", "vrrp2": "an0ther"}

const (
	estateUnits = 5
	estateVIPs  = 50
	estateSpare = 8
)

func newEstate() *estate {
	e := &estate{}
	for i := range estateUnits {
		u := unit{
			label: fmt.Sprintf("u%d", i), home: "a", iface: "eth0", vrid: 51 + i, version: 3, interval: time.Second,
			high: 150, low: 100, preempt: true, refresh: 60,
		}
		for k := range estateVIPs / estateUnits {
			u.vips = append(u.vips, vipAt{addr: estateVIP(i*estateVIPs/estateUnits + k), iface: u.iface})
		}
		e.units = append(e.units, u)
	}
	e.units[2].home, e.units[4].home = "b", "b"
	e.units[3].version, e.units[3].interval, e.units[3].password = 2, time.Second, "vrrp"
	e.units[4].unicast = true
	for i := range estateSpare {
		e.spare = append(e.spare, estateVIP(estateVIPs+i))
	}
	return e
}

func estateVIP(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 77, 0, byte(101 + i)}) }

// vips are all addresses that an estate has or may get.
func (e *estate) all() []netip.Addr {
	all := slices.Clone(e.spare)
	for _, u := range e.units {
		for _, v := range u.vips {
			all = append(all, v.addr)
		}
	}
	slices.SortFunc(all, netip.Addr.Compare)
	return all
}

func (e *estate) clone() *estate {
	c := *e
	c.units = slices.Clone(e.units)
	for i := range c.units {
		u := &c.units[i]
		u.vips, u.tracks, u.notify = slices.Clone(u.vips), slices.Clone(u.tracks), slices.Clone(u.notify)
	}
	c.scripts, c.checks, c.notifies = slices.Clone(e.scripts), slices.Clone(e.checks), slices.Clone(e.notifies)
	c.spare, c.moved = slices.Clone(e.spare), nil
	return &c
}

// whereabouts says for each address who has it, and on which interface.
func (e *estate) whereabouts() map[netip.Addr]vipHome {
	out := map[netip.Addr]vipHome{}
	for i := range e.units {
		u := &e.units[i]
		for _, v := range u.vips {
			out[v.addr] = vipHome{node: u.home, iface: v.iface, vrid: u.vrid, interval: u.interval}
		}
	}
	return out
}

type vipHome struct {
	node, iface string
	vrid        int
	interval    time.Duration
}

// pace is the longest advert interval of the instances that an edit touches, and the
// longest time after which one of them is timed out.
func pace(before, after *estate) (interval, down time.Duration) {
	for _, e := range [][2]*estate{{before, after}, {after, before}} {
		for i := range e[0].units {
			u := &e[0].units[i]
			if e[1].has(u, e[0].third) {
				continue
			}
			skew := u.interval
			if u.version == 2 {
				skew = time.Second
			}
			interval, down = max(interval, u.interval), max(down, 3*u.interval+skew)
		}
	}
	return interval, down
}

func (e *estate) has(u *unit, third bool) bool {
	text := u.text(third)
	return slices.ContainsFunc(e.units, func(o unit) bool { return o.text(e.third) == text })
}

func (u *unit) text(third bool) string {
	var b strings.Builder
	u.hcl(func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }, third)
	return b.String()
}

// sourceOf is where a member's adverts come from; not valid for the machine's address.
func (u *unit) sourceOf(node string) netip.Addr {
	switch {
	case u.iface == "eth1":
		return secondAddr[node]
	case u.source:
		return thirdAddr[node]
	}
	return netip.Addr{}
}

// thirdAddr is a second address on eth0.
var thirdAddr = map[string]netip.Addr{"a": netip.MustParseAddr("10.77.0.21"), "b": netip.MustParseAddr("10.77.0.22")}

func (u *unit) priority(node string) int {
	if node == u.home {
		return u.high
	}
	return u.low
}

// hcl is the estate in files of hafile.
func (e *estate) hcl() string {
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	say("# edition %d", e.comment)
	say("node \"a\" { address = %q }", groupAddr["a"])
	say("node \"b\" {\n  address = %q", groupAddr["b"])
	if e.mixed {
		say("  speaks = \"keepalived-2.2\"")
	}
	say("}")
	if e.third {
		say("node \"c\" { address = \"10.77.0.3\" }")
	}
	for _, s := range e.scripts {
		say("script %q {\n%s}", s.name, s.hcl)
	}
	for _, s := range e.checks {
		say("check %q {\n%s}", s.name, s.hcl)
	}
	for _, s := range e.notifies {
		say("notify %q {\n%s}", s.name, s.hcl)
	}
	for i := range e.units {
		e.units[i].hcl(say, e.third)
	}
	for _, m := range e.moved {
		say("moved {\n  from = instance.%s\n  to = instance.%s\n}", m[0], m[1])
	}
	return b.String()
}

func (u *unit) hcl(say func(string, ...any), third bool) {
	say("instance %q {\n  interface = %q\n  router_id = %d\n  version = %d\n  advert_int = %q", u.label, u.iface, u.vrid, u.version, u.interval)
	say("  preempt = %v\n  preempt_delay = \"%ds\"\n  start_delay = \"%ds\"", u.preempt, u.preemptDelay, u.startDelay)
	if u.name != "" {
		say("  name = %q", u.name)
	}
	if u.unicast {
		say("  transport = \"unicast\"\n  min_ttl = %d", u.minTTL)
	}
	if u.checksum {
		say("  checksum = \"rfc9568\"")
	}
	if u.password != "" {
		say("  auth {\n    type = \"pass\"\n    password = credential(%q)\n  }", u.password)
	}
	for _, node := range []string{"a", "b"} {
		say("  member %q {\n    priority = %d", node, u.priority(node))
		if s := u.sourceOf(node); s.IsValid() {
			say("    source_address = %q", s)
		}
		say("  }")
	}
	if third {
		say("  member \"c\" { priority = 50 }")
	}
	for _, v := range u.vips {
		if v.iface != u.iface {
			say("  vip {\n    address = %q\n    interface = %q\n  }", v.addr, v.iface)
		} else {
			say("  vip { address = %q }", v.addr)
		}
	}
	for _, t := range u.tracks {
		say("  track {\n    %[1]s = %[1]s.%[2]s", t.kind, t.name)
		if t.weight != 0 {
			say("    weight = %d", t.weight)
		}
		say("  }")
	}
	if len(u.notify) > 0 {
		say("  notify = [notify.%s]", strings.Join(u.notify, ", notify."))
	}
	say("  announce { refresh = \"%ds\" }", u.refresh)
	if u.guard {
		say("  guard { not_while_flapping = \"1s\" }")
	}
	if u.prevent {
		say("  lifecycle { prevent_release = true }")
	}
	say("}")
}

// conf is the estate in a file of keepalived.
func (e *estate) conf(node string) string {
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	say("# edition %d", e.comment)
	say("global_defs {\n  enable_script_security\n  script_user nobody\n}")
	known := map[string]bool{}
	for _, s := range slices.Concat(e.scripts, e.checks, e.notifies) {
		if known[s.name] = s.keepalived; s.keepalived && s.conf != "" {
			say("%s", s.conf)
		}
	}
	for i := range e.units {
		e.units[i].conf(say, node, e.third, known)
	}
	return b.String()
}

func (u *unit) conf(say func(string, ...any), node string, third bool, known map[string]bool) {
	label := u.label
	if u.name != "" {
		label = u.name
	}
	say("vrrp_instance %s {\n  state BACKUP\n  interface %s\n  virtual_router_id %d\n  version %d", label, u.iface, u.vrid, u.version)
	say("  priority %d\n  advert_int %g\n  garp_master_refresh %d", u.priority(node), u.interval.Seconds(), u.refresh)
	if !u.preempt {
		say("  nopreempt")
	}
	if u.preemptDelay > 0 {
		say("  preempt_delay %d", u.preemptDelay)
	}
	source := u.sourceOf(node)
	switch {
	case u.unicast:
		say("  unicast_src_ip %s\n  unicast_peer {\n    %s", groupAddr[node], groupAddr[other(node)])
		if third {
			say("    10.77.0.3")
		}
		say("  }")
	case source.IsValid():
		say("  mcast_src_ip %s", source)
	}
	if u.password != "" {
		say("  authentication {\n    auth_type PASS\n    auth_pass %s\n  }", secrets[u.password])
	}
	say("  virtual_ipaddress {")
	for _, v := range u.vips {
		say("    %s dev %s", v.addr, v.iface)
	}
	say("  }")
	tracked := map[string]bool{}
	for _, t := range u.tracks {
		tracked[t.name] = known[t.name] && t.kind == "script"
	}
	if slices.ContainsFunc(u.tracks, func(t trackOf) bool { return tracked[t.name] }) {
		say("  track_script {")
		for _, t := range u.tracks {
			if tracked[t.name] {
				say("    %s weight %d", t.name, t.weight)
			}
		}
		say("  }")
	}
	if len(u.notify) > 0 {
		say("  notify_master \"/etc/ha/ok.sh %s\"", strings.Join(u.notify, " "))
	}
	say("}")
}
