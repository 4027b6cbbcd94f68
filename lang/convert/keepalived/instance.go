package keepalived

import (
	"fmt"
	"net/netip"
	"strings"
)

// instance is one vrrp_instance as keepalived would run it on one node.
type instance struct {
	m      *machine
	dir    *directive
	name   string
	global globals // as they were when the block opened
	known  map[string]*script
	slots  map[string]*directive

	iface    string
	vrid     int64
	priority int64
	source   netip.Addr
	password []byte
	fields   map[string]setting
	vips     []vip
	tracks   []track
	hooks    []hook
	// alert is whether keepalived sends mail for it, and the line that says so.
	alert    bool
	alertDir *directive
	// why it is not in the result: the first reason that was found.
	why   string
	whyAt *directive
}

type vip struct {
	prefix netip.Prefix
	expr   string
	dev    string // if not the instance's interface
	dir    *directive
}

type track struct {
	script *script
	weight setting
	value  int64
	dir    *directive
}

// hook is a program that is told of a change of role.
type hook struct {
	on   []string
	argv []string
	user setting
	// bare: keepalived appends no arguments.
	bare bool
	dirs []*directive
}

func (m *machine) instance(block *directive) {
	in := &instance{m: m, dir: block, name: block.arg(1), global: m.global.at(), known: map[string]*script{},
		slots: map[string]*directive{}, fields: map[string]setting{}}
	if block.missing() {
		block.whole(Dropped, "HA4008", "has no name: keepalived stops at it")
		return
	}
	for _, s := range m.scripts {
		in.known[s.name] = s
	}
	for _, other := range m.instances {
		if other.name == in.name {
			block.warn("HA4008", 1, fmt.Sprintf("There are two instances %q", in.name),
				"keepalived skips this one, because line %d has the name already. Give one of them another name.", other.dir.n)
			block.whole(NoEffect, "HA4008", "keepalived skips it: line %d has the name already", other.dir.n)
			return
		}
	}
	m.instances = append(m.instances, in)
}

// block notes why the instance cannot be in the result.
func (in *instance) block(d *directive, why string) {
	if in.why == "" {
		in.why, in.whyAt = why, d
	}
}

// read settles what the block says. It runs when the whole file is known, because
// version, strict and smtp_alert of global_defs count wherever they stand.
func (in *instance) read() {
	var lists []*directive
	in.m.inside(in.dir, func(d *directive) {
		switch d.key() {
		case "virtual_ipaddress", "track_script", "authentication", "unicast_peer":
			lists = append(lists, d)
		case "notify", "notify_master", "notify_backup", "notify_fault", "notify_stop":
			in.hook(d)
		default:
			in.scalar(d)
		}
	})
	in.blockers()
	in.strict()
	in.addresses(lists)
	in.identity()
	in.election()
	in.announce()
	in.authentication(lists)
	in.tracking(lists)
	in.alerts()
	if in.why != "" {
		in.leaveOut()
		return
	}
	in.dir.say(Exact, "", "")
}

func (in *instance) leaveOut() {
	at := ""
	if in.whyAt != nil && in.whyAt != in.dir {
		at = fmt.Sprintf(" (line %d)", in.whyAt.n)
		in.whyAt.said = &verdict{kind: Unsupported, code: "HA4012", note: in.why}
	}
	where := in.dir
	if in.whyAt != nil {
		where = in.whyAt
	}
	where.warn("HA4012", 0, fmt.Sprintf("The instance %q is not in the result", in.name),
		"%s. Keep keepalived for this instance until a release that has it, or correct it and convert again.", upper(in.why))
	in.dir.said = &verdict{kind: Unsupported, code: "HA4012", note: "not in the result: " + in.why + at}
	for _, c := range in.dir.body {
		c.withdraw(in.dir)
	}
	for _, t := range in.tracks {
		t.script.used = in.m.tracked(t.script)
	}
}

// withdraw puts a directive under the verdict of the block that is left out; what was
// found wrong with it stays.
func (d *directive) withdraw(by *directive) {
	aside := d.kind != isOrdinary && d.kind != isEntry
	switch {
	case aside || d.judged != nil:
		return
	case d.said == nil || d.said.kind == Exact || d.said.kind == Changed && d.said.code == "" || d.said.kind == Dropped:
		d.said, d.judged = nil, by
	case d.said.kind == Unknown:
		return
	}
	for _, c := range d.body {
		c.withdraw(by)
	}
}

// tracked reports whether an instance that is in the result tracks the script.
func (m *machine) tracked(s *script) bool {
	for _, in := range m.instances {
		for _, t := range in.tracks {
			if t.script == s && in.why == "" {
				return true
			}
		}
	}
	return false
}

func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// scalar files a statement by its keyword, or judges it when nothing here reads it.
func (in *instance) scalar(d *directive) {
	key := d.key()
	if v, ok := instanceVerdicts[key]; ok {
		d.whole(v.kind, v.code, "%s", v.note)
		return
	}
	switch key {
	case "preempt", "nopreempt":
		key = "preempt"
	case "mcast_src_ip", "unicast_src_ip":
		key = "source"
	case "strict_mode", "smtp_alert", "v3_checksum_as_v2", "native_ipv6", "auth_hmac", "accept", "debug":
	default:
		if d.missing() {
			return
		}
	}
	if (key == "source") && d.missing() {
		return
	}
	old := in.slots[key]
	if key == "state" && old != nil && old.arg(1) == "MASTER" && d.arg(1) != "MASTER" {
		d.say(NoEffect, "HA4008", "keepalived keeps the MASTER of line %d", old.n)
		return
	}
	again(&old, d)
	in.slots[key] = d
}

var (
	vmac    = verdict{Unsupported, "HA4012", "a virtual MAC is not in this release: the result uses the interface's own, with gratuitous ARP"}
	unicast = verdict{Unsupported, "HA4012", "goes with unicast, which is not in this release"}
)

var instanceVerdicts = map[string]verdict{
	"vrf":                        unicast,
	"unicast_fault_no_peer":      unicast,
	"unicast_ttl":                unicast,
	"check_unicast_src":          unicast,
	"old_unicast_checksum":       unicast,
	"no_virtual_ipaddress":       {NoEffect, "", "says only that none is missing"},
	"virtual_ipaddress_excluded": notYet("addresses that are not in the advert are"),
	"track_src_ip":               notYet("a fault while the source address is missing is"),
	"timer_expired_backup":       {Dropped, "", "hafile gives way by itself when its loop was late"},
	"thread_timer_expired":       {Dropped, "", "hafile gives way by itself when its loop was late"},
	"lower_prio_no_advert":       {Dropped, "", "hafile follows RFC 9568, 6.4.3"},
	"higher_prio_send_advert":    {Dropped, "", "hafile follows RFC 9568, 6.4.3"},
	"owner_ignore_adverts":       {Dropped, "", "hafile follows RFC 9568, 6.4.3"},
	"skip_check_adv_addr":        {Dropped, "", "hafile never rejects an advert for its list of addresses; it warns"},
	"accept":                     {Exact, "", "the default here too"},
	"no_accept":                  notYet("refusing traffic to the VIPs is"),
	"debug":                      {NoEffect, "", "does nothing in keepalived's releases"},
	"garp_master_refresh_repeat": {Dropped, "", "a refresh is one announcement"},
	"garp_lower_prio_delay":      {Dropped, "", "hafile announces again on every sign of contention"},
	"garp_lower_prio_repeat":     {Dropped, "", "hafile announces again on every sign of contention"},
	"garp_extra_if":              notYet("announcing on further interfaces is"),
	"vmac_garp_intvl":            notYet("announcing on further interfaces is"),
	"use_vmac":                   vmac,
	"vmac_xmit_base":             vmac,
	"use_vmac_addr":              vmac,
	"use_ipvlan":                 vmac,
	"promote_secondaries":        {Dropped, "", "VIPs are /32: none of them is another one's primary"},
	"track_interface":            notYet("tracking an interface is"),
	"track_file":                 notYet("tracking a file is"),
	"track_process":              notYet("tracking a process is"),
	"track_bfd":                  notYet("BFD is"),
	"dont_track_primary":         notYet("running on while the own interface is down is"),
	"linkbeat_use_polling":       {Dropped, "", "hafile listens to the kernel's link events"},
	"notify_deleted":             notYet("telling of a deleted instance is"),
	"notify_master_rx_lower_pri": notYet("telling of adverts of lower priority is"),
	"notify_priority_changes":    notYet("telling of priority changes is"),
	"virtual_routes":             notYet("virtual routes are"),
	"virtual_rules":              notYet("virtual rules are"),
	"kernel_rx_buf_size":         {Dropped, "", "hafile sizes its own buffers"},
	"lvs_sync_daemon_interface":  {Unsupported, "HA4012", "LVS: keep keepalived for it"},
}

// blockers are what changes the packets, so that half of it would be worse than nothing.
func (in *instance) blockers() {
	for _, b := range [][2]string{
		{"auth_hmac", "its adverts carry an HMAC (auth_hmac), which is not in this release"},
		{"native_ipv6", "it speaks IPv6, which is not in this release"},
		{"mcast_dst_ip", "it sends to a multicast group of its own, which is not in this release"},
	} {
		d := in.slots[b[0]]
		if d == nil || d.arg(1) == "224.0.0.18" {
			continue
		}
		in.block(d, b[1])
		d.whole(Unsupported, "HA4012", "%s", b[1])
	}
	if d := in.slots["mcast_dst_ip"]; d != nil {
		d.say(Exact, "", "the default here too")
	}
	if d := in.m.global.group4; d != nil {
		if d.arg(1) == "224.0.0.18" {
			d.say(Exact, "", "the default here too")
		} else {
			in.block(d, "it sends to a multicast group of its own (vrrp_mcast_group4), which is not in this release")
			d.say(Unsupported, "HA4012", "a multicast group of its own is not in this release")
		}
	}
}

// strict reports whether keepalived runs the instance strictly, and by which line.
func (in *instance) strict() (*directive, bool) {
	for _, d := range []*directive{in.slots["strict_mode"], in.m.global.strict} {
		if d == nil {
			continue
		}
		on, ok := d.flag()
		if !ok {
			d.say(NoEffect, "HA4008", "keepalived ignores it: %s is no boolean", short(d.arg(1)))
			continue
		}
		if on {
			d.say(Changed, "HA4008", "the lines that it disarms say so; it also refuses traffic to the VIPs, which is not in this release")
		} else {
			d.say(Exact, "", "the default here too")
		}
		return d, on
	}
	return nil, false
}

// version as keepalived settles it for IPv4.
func (in *instance) version() (v int64, d *directive) {
	for _, d := range []*directive{in.slots["version"], in.m.global.version} {
		if d == nil {
			continue
		}
		if n, _, ok := number(d.arg(1)); ok && (n == 2 || n == 3) {
			if n == 3 {
				d.say(Exact, "", "the default here too")
			}
			d.say(Exact, "", "")
			return n, d
		}
		d.badNumber("2 or 3", "2")
	}
	return 2, in.dir
}
