package keepalived

import (
	"fmt"
	"net/netip"
	"strings"

	"hafile/lang/plan"
)

// instance is one vrrp_instance as keepalived would run it on one node.
type instance struct {
	m      *machine
	dir    *directive
	name   string
	global globals // as they were when the block opened
	known  map[*script]bool
	slots  map[string]*directive

	iface    string
	vrid     int64
	priority int64
	source   netip.Addr
	password []byte
	keys     []hmacKey
	peers    []peer
	fields   map[string]setting
	vips     []vip // advertised, then those that are not
	tracks   []track
	hooks    []hook
	routes   []route
	rules    []rule
	group    *syncGroup
	// apart: another instance of the machine has its VRID or an address on another network.
	apart bool
	// p is the instance as a plan has it, without what only the whole group knows: its
	// address, members, trackers and whom it tells.
	p plan.Instance
	// alert is whether keepalived sends mail for it, and the line that says so.
	alert    bool
	alertDir *directive
	// why it is not in the result: the first reason that was found.
	why   string
	whyAt *directive
}

// six reports whether it speaks IPv6.
func (in *instance) six() bool { return in.p.Family == plan.IPv6 }

// hook is a program that is told of a change of role.
type hook struct {
	on   []string
	argv []string
	user setting
	who  string // user, without quotes
	// bare: keepalived appends no arguments.
	bare bool
	dirs []*directive
}

func (m *machine) instance(block *directive) {
	in := &instance{m: m, dir: block, name: block.arg(1), global: m.global.at(), known: map[*script]bool{},
		slots: map[string]*directive{}, fields: map[string]setting{}, p: plan.DefaultInstance()}
	if block.missing() {
		block.whole(Dropped, "HA4008", "has no name: keepalived stops at it")
		return
	}
	for _, s := range m.scripts {
		in.known[s] = true
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
		case "virtual_ipaddress", "virtual_ipaddress_excluded", "authentication", "auth_hmac", "unicast_peer", "virtual_routes", "virtual_rules":
			lists = append(lists, d)
		case "notify", "notify_master", "notify_backup", "notify_fault", "notify_stop":
			in.hook(d)
		default:
			if isTrackBlock(d) {
				lists = append(lists, d)
				return
			}
			in.scalar(d)
		}
	})
	in.strict()
	in.addresses(lists)
	in.identity(lists)
	in.labels()
	in.authentication(lists)
	in.election()
	in.announce()
	in.accepting()
	in.macs()
	in.tracking(lists)
	in.routing(lists)
	in.alerts()
	in.p.Name, in.p.Interface, in.p.VRID, in.p.Priority = in.name, in.iface, uint8(in.vrid), uint8(in.priority)
	if in.m.netns != nil {
		in.p.Netns = in.m.netns.arg(1)
	}
	if in.why != "" {
		in.leaveOut()
		return
	}
	in.dir.say(Exact, "", "")
}

func (in *instance) tracking(lists []*directive) {
	t := tracked{m: in.m, what: "this instance", iface: in.iface, owner: in.priority == 255, known: func(s *script) bool { return in.known[s] }}
	for _, block := range lists {
		if isTrackBlock(block) {
			t.read(block)
		}
	}
	in.tracks = t.list
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
		"%s. Keep keepalived for this instance, or correct it and convert again.", upper(in.why))
	in.dir.said = &verdict{kind: Unsupported, code: "HA4012", note: "not in the result: " + in.why + at}
	for _, c := range in.dir.body {
		c.withdraw(in.dir)
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

func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// bare are the keywords that mean something without a value.
var bare = map[string]bool{
	"strict_mode": true, "smtp_alert": true, "v3_checksum_as_v2": true, "native_ipv6": true, "accept": true, "no_accept": true,
	"debug": true, "use_vmac": true, "use_vmac_addr": true, "vmac_xmit_base": true, "use_ipvlan": true, "check_unicast_src": true,
	"unicast_fault_no_peer": true, "old_unicast_checksum": true, "preempt": true, "nopreempt": true,
}

// scalar files a statement by its keyword, or judges it when nothing here reads it.
func (in *instance) scalar(d *directive) {
	key := d.key()
	if v, ok := instanceVerdicts[key]; ok {
		d.whole(v.kind, v.code, "%s", v.note)
		return
	}
	if !bare[key] && d.missing() {
		return
	}
	switch key {
	case "nopreempt":
		key = "preempt"
	case "no_accept":
		key = "accept"
	case "mcast_src_ip", "unicast_src_ip":
		key = "source"
	}
	old := in.slots[key]
	if key == "state" && old != nil && old.arg(1) == "MASTER" && d.arg(1) != "MASTER" {
		d.say(NoEffect, "HA4008", "keepalived keeps the MASTER of line %d", old.n)
		return
	}
	again(&old, d)
	in.slots[key] = d
}

var instanceVerdicts = map[string]verdict{
	"no_virtual_ipaddress":       {NoEffect, "", "says only that none is missing"},
	"track_src_ip":               {Unsupported, "HA4012", "hafile does not watch whether its source address is there"},
	"timer_expired_backup":       {Dropped, "", "hafile gives way by itself when its loop was late"},
	"thread_timer_expired":       {Dropped, "", "hafile gives way by itself when its loop was late"},
	"lower_prio_no_advert":       {Dropped, "", "hafile follows RFC 9568, 6.4.3"},
	"higher_prio_send_advert":    {Dropped, "", "hafile follows RFC 9568, 6.4.3"},
	"owner_ignore_adverts":       {Dropped, "", "hafile follows RFC 9568, 6.4.3"},
	"skip_check_adv_addr":        {Dropped, "", "hafile never rejects an advert for its list of addresses; it warns"},
	"debug":                      {NoEffect, "", "does nothing in keepalived's releases"},
	"garp_master_refresh_repeat": {Dropped, "", "a refresh is one announcement"},
	"garp_lower_prio_delay":      {Dropped, "", "hafile announces again on every sign of contention"},
	"garp_lower_prio_repeat":     {Dropped, "", "hafile announces again on every sign of contention"},
	"garp_extra_if":              extraIF,
	"vmac_garp_intvl":            extraIF,
	"promote_secondaries":        {Dropped, "", "hafile removes an address without taking others along"},
	"dont_track_primary":         {Unsupported, "HA4012", "hafile always watches the interface that it sends on"},
	"linkbeat_use_polling":       {Dropped, "", "hafile listens to the kernel's link events"},
	"notify_deleted":             {Dropped, "", "an instance that an edit removes is told as stop"},
	"notify_master_rx_lower_pri": {Unsupported, "HA4012", "hafile tells hooks of changes of role only"},
	"notify_priority_changes":    tellPriority,
	"kernel_rx_buf_size":         {Dropped, "", "hafile sizes its own buffers"},
	"lvs_sync_daemon_interface":  {Unsupported, "HA4012", "LVS: lost with the move; start ipvsadm --start-daemon from a notify block"},
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
			d.say(Changed, "HA4008", "the lines that it disarms say so")
		} else {
			d.say(Exact, "", "the default here too")
		}
		return d, on
	}
	return nil, false
}

// accepting: strictly, keepalived drops what is sent to the addresses unless it owns them.
func (in *instance) accepting() {
	d := in.slots["accept"]
	by, strict := in.strict()
	v, _ := in.version()
	in.p.Accept = true
	switch {
	case d != nil && d.key() == "no_accept":
		in.p.Accept = false
	case strict && in.priority != 255 && (d == nil || v == 2):
		if d != nil {
			d.say(NoEffect, "HA4008", "line %d (strict) allows it with version 3 only", by.n)
		}
		in.p.Accept, d = false, by
	}
	switch {
	case in.p.Accept && d != nil:
		d.say(Exact, "", "the default here too")
	case !in.p.Accept:
		d.say(Exact, "", "")
		in.fields["accept"] = set("false", d)
	}
}

// macs: the result has the virtual MAC of the RFC or none.
func (in *instance) macs() {
	if d := in.slots["use_ipvlan"]; d != nil {
		d.say(Unsupported, "HA4012", "hafile makes no ipvlan: the addresses answer from the interface's own MAC, with gratuitous ARP")
	}
	d := in.slots["use_vmac"]
	for _, key := range []string{"vmac_xmit_base", "use_vmac_addr"} {
		x := in.slots[key]
		switch {
		case x == nil:
		case d == nil && key == "vmac_xmit_base":
			x.say(NoEffect, "", "there is no use_vmac")
		case key == "vmac_xmit_base":
			x.say(Dropped, "", "hafile sends adverts where the RFC wants them")
		default:
			x.say(Unsupported, "HA4012", "an address on another interface answers from that interface's MAC")
		}
	}
	if d == nil {
		return
	}
	in.p.VirtualMAC = true
	in.fields["virtual_mac"] = set("true", d)
	var named []string
	for i := 1; i < len(d.words); i++ {
		switch w := d.arg(i); {
		case w == "name", w == "netlink_notify_msg":
		case w == "group":
			i++
		case strings.Count(w, ":") >= 4:
			d.say(Changed, "HA4012", "the MAC is 00-00-5E-00-01-VRID (RFC 9568, 7.3): one of its own is not in hafile")
		default:
			named = append(named, w)
		}
	}
	if len(named) > 0 {
		d.say(Changed, "", "hafile names the interface itself, not %s", short(named[0]))
	}
	d.say(Exact, "", "")
}

// version as keepalived settles it: IPv6 is 3.
func (in *instance) version() (v int64, d *directive) {
	for _, d := range []*directive{in.slots["version"], in.m.global.version} {
		if d == nil {
			continue
		}
		n, _, ok := number(d.arg(1))
		switch {
		case !ok || n != 2 && n != 3:
			d.badNumber("2 or 3", "2")
			continue
		case n == 3:
			d.say(Exact, "", "the default here too")
		case in.six() && d == in.m.global.version:
			continue // the default of IPv4 only
		}
		d.say(Exact, "", "")
		return n, d
	}
	if in.six() {
		return 3, in.dir
	}
	return 2, in.dir
}
