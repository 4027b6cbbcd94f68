package keepalived

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"

	"hafile/lang/diag"
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

// identity settles what the wire sees: interface, VRID, version, interval, source.
func (in *instance) identity() {
	if d := in.slots["interface"]; d != nil {
		in.iface = d.arg(1)
		in.fields["interface"] = set(quote(in.iface), d)
		d.say(Exact, "", "")
		if !interfaceName(in.iface) {
			in.block(d, fmt.Sprintf("%s is no name of an interface", short(in.iface)))
		}
	} else {
		in.block(in.dir, "it has no interface: keepalived refuses it")
	}
	if d := in.slots["virtual_router_id"]; d != nil {
		n, clean, ok := number(d.arg(1))
		if !ok || n < 1 || n > 255 {
			in.refuse(d, 1, "A VRID that is none", "its virtual_router_id is not 1 to 255")
		}
		if ok && !clean {
			d.say(Changed, "HA4008", "keepalived reads %d; so does the result", n)
		}
		d.say(Exact, "", "")
		in.vrid = n
		in.fields["router_id"] = set(fmt.Sprint(n), d)
	} else {
		in.refuse(in.dir, 1, "An instance without VRID", "it has no virtual_router_id")
	}
	v, d := in.version()
	if v == 2 {
		in.fields["version"] = set("2", d)
	}
	in.advert(v)
	in.checksum(v)
	in.sourceAddress()
}

// refuse is for what keepalived itself does not start with.
func (in *instance) refuse(d *directive, arg int, summary, why string) {
	in.m.src.report(diag.Error, "HA4011", d.argRange(arg), summary,
		fmt.Sprintf("%s: keepalived does not start with the instance %q. Correct it and convert again.", upper(why), in.name))
	in.block(d, why+": keepalived refuses it")
}

func (in *instance) advert(version int64) {
	d := in.slots["advert_int"]
	if d == nil {
		return
	}
	ms, ok := seconds(d.arg(1))
	if !ok || ms < 10 || ms > 255000 {
		d.badNumber("seconds from 0.01 to 255", "1")
		return
	}
	was := ms
	if version == 2 {
		ms = max((ms+500)/1000, 1) * 1000
	} else {
		ms = min((ms+5)/10*10, 40950)
	}
	if ms != was {
		d.say(Changed, "HA1305", "version %d sends every %s; so does the result", version, strings.Trim(duration(ms), `"`))
	}
	in.standard("advert_int", d, duration(ms), `"1s"`)
}

// standard writes a field unless it is hafile's default; with -explicit also then.
func (in *instance) standard(key string, d *directive, expr, def string) {
	if expr == def {
		d.say(Exact, "", "the default here too")
		in.fields[key+" default"] = set(expr, d)
		return
	}
	d.say(Exact, "", "")
	in.fields[key] = set(expr, d)
}

// checksum: keepalived's v3_checksum_as_v2 is RFC 9568's, without the pseudo header.
func (in *instance) checksum(version int64) {
	d := in.slots["v3_checksum_as_v2"]
	if d == nil {
		// As a global its argument is never read.
		if d = in.global.checksum; d == nil {
			return
		}
	} else if on, ok := d.flag(); !ok || !on {
		d.say(Exact, "", "the default here too")
		return
	}
	if version == 2 {
		d.say(NoEffect, "", "version 2 has no pseudo header anyway")
		return
	}
	d.say(Exact, "", "")
	in.fields["checksum"] = set(`"rfc9568"`, d)
}

func (in *instance) sourceAddress() {
	d := in.slots["source"]
	if d == nil {
		return
	}
	a, err := netip.ParseAddr(d.arg(1))
	if err != nil || !a.Is4() {
		d.warn("HA4008", 1, "A source address that is none", "%s is no IPv4 address; keepalived ignores the line and sends from the interface's first address, and so does the result.", short(d.arg(1)))
		d.say(NoEffect, "HA4008", "not an IPv4 address: keepalived sends from the interface's first one; so does the result")
		return
	}
	d.say(Exact, "", "")
	in.source = a
	in.fields["source_address"] = set(quote(a.String()), d)
}

// election settles state, priority and preemption (keepalived's vrrp_complete_instance).
func (in *instance) election() {
	state, p := in.slots["state"], in.slots["priority"]
	master := state != nil && state.arg(1) == "MASTER"
	if state != nil && !master && state.arg(1) != "BACKUP" {
		state.warn("HA4008", 1, "A state that is none", "keepalived reads %q as BACKUP. Below priority 255 the word decides nothing.", short(state.arg(1)))
		state.say(NoEffect, "HA4008", "keepalived reads BACKUP; below priority 255 it decides nothing")
	}
	in.priority = 100
	at := in.dir
	switch {
	case p != nil:
		at = p
		n, clean, ok := number(p.arg(1))
		switch {
		case !ok || n < 1 || n > 255:
			p.badNumber("a number from 1 to 255", "100")
		case !clean:
			p.say(Changed, "HA4008", "keepalived reads %d; so does the result", n)
			in.priority = n
		default:
			in.priority = n
		}
		p.say(Exact, "", "")
	case master:
		in.priority, at = 255, state
		state.say(Exact, "", "without priority it makes the owner: 255")
	}
	in.fields["priority"] = set(fmt.Sprint(in.priority), at)
	in.preemption(master)
	if state != nil && in.priority != 255 {
		note := "below priority 255 it decides nothing"
		if d := in.slots["preempt"]; d != nil && d.key() == "nopreempt" && master {
			note += fmt.Sprintf(" (it disarms nopreempt, line %d)", d.n)
		} else if d := in.slots["preempt_delay"]; d != nil && master {
			note += fmt.Sprintf(" (it disarms preempt_delay, line %d)", d.n)
		}
		state.say(NoEffect, "", "%s", note)
	} else if state != nil {
		state.say(NoEffect, "", "priority 255 makes the owner")
	}
	if d := in.slots["down_timer_adverts"]; d != nil {
		in.downAdverts(d)
	} else if d := in.global.downAdverts; d != nil {
		in.downAdverts(d)
	}
	if d := in.m.global.startDelay; d != nil {
		if ms, ok := seconds(d.arg(1)); ok && ms >= 1 && ms <= 1000000 {
			in.standard("start_delay", d, duration(ms), `"0s"`)
		} else {
			d.badNumber("seconds from 0.001 to 1000", "none")
		}
	}
}

func (in *instance) downAdverts(d *directive) {
	if by, strict := in.strict(); strict {
		d.say(NoEffect, "", "line %d (strict) makes it 3", by.n)
		return
	}
	n, _, ok := number(d.arg(1))
	if !ok || n < 1 || n > 100 {
		d.badNumber("a number from 1 to 100", "3")
		return
	}
	in.standard("down_adverts", d, fmt.Sprint(n), "3")
}

func (in *instance) preemption(master bool) {
	state := in.slots["state"]
	d, delay := in.slots["preempt"], in.slots["preempt_delay"]
	never := false
	switch {
	case d == nil:
	case d.key() == "preempt":
		d.say(Exact, "", "the default here too")
	case master:
		d.warn("HA4008", 0, "nopreempt without effect", "keepalived ignores it, because line %d says state MASTER; and so does the result. Write state BACKUP on every node if nobody should take the addresses back.", state.n)
		d.say(NoEffect, "HA4008", "ignored by keepalived too, because of line %d", state.n)
	case in.priority == 255:
		d.say(NoEffect, "", "ignored by keepalived too: 255 is the owner")
	default:
		d.say(Exact, "", "")
		never = true
		in.fields["preempt"] = set("false", d)
	}
	if delay == nil {
		return
	}
	by, strict := in.strict()
	ms, ok := seconds(delay.arg(1))
	switch {
	case !ok || ms > 1000000:
		delay.badNumber("seconds from 0 to 1000", "0")
	case master:
		delay.say(NoEffect, "HA4008", "ignored by keepalived too, because of line %d", state.n)
	case never:
		delay.say(NoEffect, "", "ignored by keepalived too, because of nopreempt, line %d", d.n)
	case strict:
		delay.say(NoEffect, "", "ignored by keepalived too, because of line %d (strict)", by.n)
	default:
		in.standard("preempt_delay", delay, duration(ms), `"0s"`)
	}
}

// announce settles the gratuitous ARPs. keepalived never repeats them while it is
// active, unless told; hafile does once a minute, which no network minds.
func (in *instance) announce() {
	pick := func(key string) *directive {
		if d := in.slots["garp_master_"+key]; d != nil {
			return d
		}
		return in.global.garp[key]
	}
	if d := pick("repeat"); d != nil {
		if n, _, ok := number(d.arg(1)); ok && n >= 0 {
			if n > 60 {
				d.say(Changed, "", "hafile repeats up to 60 times")
			}
			in.standard("announce.repeat", d, fmt.Sprint(min(max(n, 1), 60)), "5")
		} else {
			d.badNumber("a number", "5")
		}
	} else if d := in.global.minGarp; d != nil {
		in.standard("announce.repeat", d, "1", "5")
	}
	in.pause("delay", pick("delay"), 3600000, `"5s"`)
	if d := in.global.minGarp; d != nil && pick("delay") == nil {
		in.standard("announce.delay", d, `"0s"`, `"5s"`)
	}
	in.pause("refresh", pick("refresh"), 86400000, `"60s"`)
}

func (in *instance) pause(key string, d *directive, most int64, def string) {
	if d == nil {
		return
	}
	n, clean, ok := number(d.arg(1))
	if !ok || n < 0 || n*1000 > most {
		d.badNumber("whole seconds", "its default")
		return
	}
	if !clean {
		d.say(Changed, "HA4008", "keepalived reads %d; so does the result", n)
	}
	in.standard("announce."+key, d, duration(n*1000), def)
}

// authentication of VRRPv2. keepalived drops it in silence where it cannot work.
func (in *instance) authentication(lists []*directive) {
	var block, typ, pass *directive
	for _, d := range lists {
		if d.key() != "authentication" {
			continue
		}
		again(&block, d)
		in.m.inside(d, func(c *directive) {
			if c.missing() {
				return
			}
			if c.key() == "auth_type" {
				again(&typ, c)
			} else {
				again(&pass, c)
			}
		})
	}
	if block == nil {
		return
	}
	v, _ := in.version()
	by, strict := in.strict()
	ignore := func(code, why string, args ...any) {
		block.whole(NoEffect, code, "keepalived drops it: "+why, args...)
	}
	kind := ""
	if typ != nil {
		kind = typ.arg(1)
	}
	switch {
	case typ == nil:
		ignore("HA4008", "it has no auth_type")
		block.warn("HA4008", 0, "Authentication without a type", "keepalived runs this instance without a password, and so does the result. Add auth_type PASS on every node if one was meant.")
	case kind == "AH":
		in.block(typ, "its adverts are authenticated by AH, which is not in this release")
	case kind != "PASS":
		ignore("HA4008", "%s is neither PASS nor AH", short(kind))
		typ.warn("HA4008", 1, "An unknown auth_type", "keepalived runs this instance without a password, and so does the result. Write auth_type PASS on every node if one was meant.")
	case pass == nil || pass.arg(1) == "":
		ignore("HA4008", "it has no auth_pass")
	case v == 3:
		ignore("", "version 3 has no passwords")
	case strict:
		ignore("HA4008", "line %d (strict) allows none", by.n)
		block.warn("HA4008", 0, "A password that is not used", "vrrp_strict (line %d) makes keepalived run without it, and so does the result. A peer that has the password is not understood.", by.n)
	default:
		in.pass(block, typ, pass)
	}
}

func (in *instance) pass(block, typ, pass *directive) {
	block.say(Exact, "", "")
	typ.say(Exact, "", "")
	secret := []byte(pass.arg(1))
	if len(secret) > 8 {
		secret = secret[:8]
		pass.say(Changed, "HA2101", "keepalived uses only the first 8 bytes; so does the result")
	}
	// What follows without a blank may be the rest of the password that was meant.
	if line, end := pass.src.text(pass.n), pass.col+pass.length; pass.words[1].col >= 0 && end < len(line) && (line[end] == '#' || line[end] == '!') {
		if pass.trail != nil {
			pass.trail.text = " ********"
		}
		pass.say(Changed, "HA4008", "keepalived takes what follows the password for a comment; so does the result")
		pass.warn("HA4008", 1, "A comment begins inside of the password", "# and ! start a comment anywhere outside of quotes. keepalived uses what stands before it, and so does the result. Put the password into quotes if it is part of it.")
	}
	secret = bytes.TrimRight(secret, "\x00")
	pass.say(Exact, "", "")
	in.password = secret
	in.fields["auth.type"] = set(`"pass"`, block, typ)
	in.fields["auth.password"] = set("", pass)
}

// addresses reads the VIPs. The first one's family is the instance's.
func (in *instance) addresses(lists []*directive) {
	six := false
	for _, d := range lists {
		switch d.key() {
		case "unicast_peer":
			if len(d.body) > 0 {
				in.block(d, "it speaks unicast, which is not in this release")
			}
			d.whole(NoEffect, "", "without peers keepalived sends multicast; so does the result")
		case "virtual_ipaddress":
			d.say(Exact, "", "")
			for _, c := range d.body {
				if c.kind != isEntry {
					in.m.aside(c)
					continue
				}
				p, _, ok := prefix(c.arg(0))
				if ok && p.Addr().Is6() && len(in.vips) == 0 {
					six = true
				}
				if six && ok {
					in.block(c, "it speaks IPv6, which is not in this release")
					c.say(Unsupported, "HA4012", "IPv6 is not in this release")
					continue
				}
				in.address(c)
			}
		}
	}
	if len(in.vips) == 0 {
		in.block(in.dir, "it has no IPv4 address that hafile could move")
	}
}

func (in *instance) address(d *directive) {
	p, written, ok := prefix(d.arg(0))
	switch {
	case !ok && conflict(d.arg(0)):
		d.conflict()
		return
	case !ok:
		d.warn("HA4008", 0, "An address that is none", "%s is no IP address; keepalived drops the line, and so does the result. Correct it if this is a template.", short(d.arg(0)))
		d.say(NoEffect, "HA4008", "not an address: keepalived drops it; so does the result")
		return
	case p.Addr().Is6():
		d.say(NoEffect, "HA4008", "keepalived drops an IPv6 address beside IPv4 ones; so does the result")
		return
	case p.Addr().IsMulticast() || p.Addr().IsLoopback() || p.Addr().IsUnspecified():
		d.say(Unsupported, "HA1116", "hafile does not move such an address")
		return
	}
	for _, v := range in.vips {
		if v.prefix.Addr() == p.Addr() {
			d.say(NoEffect, "HA4008", "line %d has it already", v.dir.n)
			return
		}
	}
	v := vip{prefix: p, dir: d, expr: quote(p.Addr().String())}
	var notes []string
	if written {
		v.expr = quote(p.String())
		notes = append(notes, fmt.Sprintf("installed as /32, /%d says only which segment it is on", p.Bits()))
	} else if !strings.Contains(d.arg(0), "/") {
		d.say(Exact, "", "/32, as keepalived does")
	}
	lost, strange, drop := in.options(d, &v)
	if drop {
		return
	}
	if len(lost) > 0 {
		notes = append(notes, "without "+strings.Join(lost, ", ")+", which this release does not have")
	}
	if strange {
		notes = append(notes, "keepalived ignores what follows the address; so does the result")
	}
	if len(notes) > 0 {
		d.said = &verdict{kind: Changed, note: strings.Join(notes, "; ")}
	}
	d.say(Exact, "", "")
	in.vips = append(in.vips, v)
}

// options reads what may follow an address; what is not taken over is returned.
func (in *instance) options(d *directive, v *vip) (lost []string, strange, drop bool) {
	for i := 1; i < len(d.words); i++ {
		switch w := d.arg(i); w {
		case "dev", "scope", "brd", "broadcast", "label", "peer", "preferred_lft", "track_group":
			i++
			if i >= len(d.words) {
				d.warn("HA4008", i-1, fmt.Sprintf("%s has no value", w), "keepalived drops the whole address, and so does the result.")
				d.said = &verdict{NoEffect, "HA4008", w + " has no value: keepalived drops the address; so does the result"}
				return nil, false, true
			}
			if w == "dev" {
				v.dev = d.arg(i)
			} else {
				lost = append(lost, w)
			}
		case "home", "-nodad", "mngtmpaddr", "noprefixroute", "autojoin":
			// Flags that mean nothing on a /32.
		case "no_track", "use_vmac":
			lost = append(lost, w)
		default:
			d.warn("HA4008", i, fmt.Sprintf("Unknown option %q of an address", short(w)), "keepalived ignores it. An address stands on a line of its own; remove what follows it.")
			return lost, true, false
		}
	}
	if v.dev != "" && !interfaceName(v.dev) {
		d.said = &verdict{NoEffect, "HA4008", "no name of an interface: keepalived drops the address; so does the result"}
		return nil, false, true
	}
	return lost, strange, false
}

// tracking reads track_script. A script that is defined further down does not exist for
// keepalived when it reads this line.
func (in *instance) tracking(lists []*directive) {
	for _, block := range lists {
		if block.key() != "track_script" {
			continue
		}
		block.say(Exact, "", "")
		for _, d := range block.body {
			if d.kind != isEntry {
				in.m.aside(d)
				continue
			}
			in.track(d)
		}
	}
}

func (in *instance) track(d *directive) {
	s := in.known[d.arg(0)]
	if s == nil {
		in.lostTrack(d)
		return
	}
	for _, t := range in.tracks {
		if t.script == s {
			d.say(NoEffect, "HA4008", "line %d tracks it already", t.dir.n)
			return
		}
	}
	t := track{script: s, value: s.weight, dir: d}
	for i := 1; i < len(d.words); i++ {
		switch w := d.arg(i); w {
		case "weight":
			i++
			n, _, ok := number(d.arg(i))
			if !ok || n < -254 || n > 254 {
				d.say(NoEffect, "HA4008", "%q is no weight: keepalived drops the line; so does the result", short(d.arg(i)))
				return
			}
			n = min(max(n, -253), 253)
			if t.value = n; n != s.weight || s.reverse {
				t.weight = set(fmt.Sprint(n), d)
			}
		case "noreverse":
		case "reverse":
			d.say(Unsupported, "HA4012", "a reversed weight is not in this release: the script is not tracked")
			return
		default:
			d.say(NoEffect, "HA4008", "unknown option %q: keepalived drops the line; so does the result", short(w))
			return
		}
	}
	if s.reverse && t.weight.expr == "" {
		d.say(Unsupported, "HA4012", "a reversed weight is not in this release: the script is not tracked")
		return
	}
	if in.priority == 255 && t.value != 0 {
		d.say(NoEffect, "", "nothing moves priority 255: keepalived drops it")
		return
	}
	if s.fields["command"].expr == "" {
		d.say(Unsupported, "HA4008", "its script cannot be run, see line %d", s.dir.n)
		return
	}
	s.used = true
	d.say(Exact, "", "")
	in.tracks = append(in.tracks, t)
}

func (in *instance) lostTrack(d *directive) {
	if later := in.m.findScript(d.arg(0)); later != nil {
		d.warn("HA4015", 0, fmt.Sprintf("The script %q is defined too late", short(d.arg(0))),
			"keepalived reads from the top and does not find it, so that this instance runs unchecked today, and in the result. Move the vrrp_script (line %d) above the instance, and convert again.", later.dir.n)
		d.say(NoEffect, "HA4015", "keepalived does not find it: it is defined below, in line %d; so it is not tracked", later.dir.n)
		return
	}
	names := make([]string, 0, len(in.m.scripts))
	for _, s := range in.m.scripts {
		names = append(names, s.name)
	}
	hint := "Define it above the instance, or remove the line."
	if near := diag.Nearest(short(d.arg(0)), names); near != "" {
		hint = fmt.Sprintf("Did you mean %s?", near)
	}
	d.warn("HA4015", 0, fmt.Sprintf("There is no script %q", short(d.arg(0))),
		"keepalived ignores the line, so that this instance runs unchecked today, and in the result. %s", hint)
	d.say(NoEffect, "HA4015", "there is no such script: keepalived does not track it; so does the result")
}

// hook reads a notify line. Of two for one state keepalived takes the first.
func (in *instance) hook(d *directive) {
	if d.missing() {
		return
	}
	key := d.key()
	if first := in.slots[key]; first != nil {
		d.say(NoEffect, "HA4008", "keepalived takes the first one, line %d", first.n)
		return
	}
	in.slots[key] = d
	w := d.command()
	args, why := argv(w[1]), ""
	if len(args) == 0 {
		d.say(NoEffect, "HA4008", "runs nothing")
		return
	}
	h := hook{bare: key != "notify", dirs: []*directive{d}}
	if h.bare {
		// sh looks in PATH by itself, as keepalived does.
		if args, why = command(w[1]); why == "" && args[0] == "/usr/bin/env" {
			args = args[1:]
		}
	} else {
		args, why = command(w[1])
	}
	if why != "" {
		d.warn("HA4008", 1, "A program that hafile cannot run", "%s Correct it and convert again.", why)
		d.say(Unsupported, "HA4008", "%s", strings.TrimSuffix(why, "."))
		return
	}
	h.argv = args
	note := "ended after 10 s, which keepalived does not do"
	fields := map[string]setting{}
	if len(w) > 2 {
		own := &directive{src: d.src, words: []word{{text: "user"}, {text: w[2]}}, n: d.n}
		in.m.user(fields, own, nil)
		h.user = set(fields["user"].expr, d)
	} else {
		in.m.user(fields, nil, in.global.scriptUser)
		if h.user = fields["user"]; h.user.expr == "" {
			note += "; runs as hafile-script or nobody unless user is written"
		}
	}
	if len(w) > 4 {
		note += "; keepalived ignores what follows the user: quote the whole command"
	}
	d.say(Changed, "", "%s", note)
	h.on = map[string][]string{
		"notify": {"active", "backup", "fault", "stop"}, "notify_master": {"active"}, "notify_backup": {"backup"},
		"notify_fault": {"fault"}, "notify_stop": {"stop"},
	}[key]
	for i, other := range in.hooks {
		if other.bare && h.bare && list(other.argv) == list(h.argv) && other.user.expr == h.user.expr {
			in.hooks[i].on = append(other.on, h.on...)
			in.hooks[i].dirs = append(other.dirs, d)
			return
		}
	}
	in.hooks = append(in.hooks, h)
}

// alerts settles whether keepalived sends mail: off unless smtp_alert says otherwise.
func (in *instance) alerts() {
	g := &in.m.global
	for _, d := range []*directive{in.slots["smtp_alert"], g.alertVRRP, g.alert} {
		if d == nil {
			continue
		}
		on, ok := d.flag()
		if !ok {
			d.say(NoEffect, "HA4008", "keepalived ignores it: %s is no boolean", short(d.arg(1)))
			continue
		}
		in.alert, in.alertDir = on, d
		if !on {
			d.say(Exact, "", "the default here too")
		}
		return
	}
}
