package keepalived

import (
	"fmt"
	"strings"
)

// machine is one node: its file as a tree, and what keepalived would hold after loading it.
type machine struct {
	label    string
	name     string // as it was given; matched if it is no legal label
	src      *source
	root     *directive
	header   []*comment
	comments []*comment

	global    globals
	scripts   []*script
	instances []*instance
}

// globals are the settings of global_defs that mean something for VRRP.
type globals struct {
	garp        map[string]*directive // delay, repeat, refresh
	minGarp     *directive
	downAdverts *directive
	checksum    *directive
	startDelay  *directive
	scriptUser  *directive
	version     *directive
	strict      *directive
	alert       *directive
	alertVRRP   *directive
	group4      *directive
	mail        mail
}

type mail struct {
	block                 *directive
	to                    []*directive
	from, server, timeout *directive
	noFault               *directive
}

// at is a copy for an instance: keepalived copies these when the block opens, so that a
// later global_defs does not change it.
func (g *globals) at() globals {
	c := *g
	c.garp = map[string]*directive{}
	for k, v := range g.garp {
		c.garp[k] = v
	}
	return c
}

// script is one vrrp_script.
type script struct {
	dir    *directive
	name   string
	argv   []string
	fields map[string]setting
	weight int64
	// reverse: the weight is of a kind that this release does not have.
	reverse bool
	used    bool
	label   string // in the result, once merged
}

// scriptKeys in the order in which they are written.
var scriptKeys = []string{"command", "user", "interval", "timeout", "fall", "rise", "weight"}

// read goes through the file as keepalived does, top to bottom.
func (m *machine) read() {
	m.global.garp = map[string]*directive{}
	for _, d := range m.root.body {
		switch {
		case d.kind != isOrdinary:
			m.aside(d)
		case d.strange():
			d.unknown()
		case d.known.isBlock && !d.block:
			d.say(Dropped, "HA4003", "a keyword without its block")
		default:
			m.top(d)
		}
	}
	for _, in := range m.instances {
		in.read()
	}
	for _, s := range m.scripts {
		if !s.used {
			s.unused()
		}
		s.dir.say(Exact, "", "")
	}
	m.root.walk(func(d *directive) {
		if d != m.root && d.kind != isOrdinary && d.kind != isEntry {
			m.aside(d)
		}
	})
}

// aside judges what is no keyword: definitions, includes, lines for other machines.
func (m *machine) aside(d *directive) {
	switch d.kind {
	case isDefinition:
		d.say(Exact, "", "applied where it is used")
	case isIgnored:
		d.say(NoEffect, "HA4006", "keepalived ignores it too")
	case isConditional:
		d.say(Dropped, "", "for @%s, which is none of the nodes", d.id)
	case isInclude:
		if d.said == nil {
			d.warn("HA4009", 1, "An included file is not in the result",
				"This release does not follow include. Put the text of the file in its place and convert again.")
		}
		d.say(Unsupported, "HA4009", "include is not followed in this release: put the file's text in its place")
	}
}

func (m *machine) top(d *directive) {
	switch key := d.key(); key {
	case "global_defs":
		m.globalDefs(d)
	case "vrrp_script":
		m.script(d)
	case "vrrp_instance":
		m.instance(d)
	case "virtual_server", "virtual_server_group", "SSL":
		d.whole(Unsupported, "HA4012", "LVS: keep keepalived for it")
	case "vrrp_sync_group":
		d.warn("HA4012", 0, "A sync group is not in this release",
			"The result moves its instances one by one. Where they must stay together, keep keepalived until a later release.")
		d.whole(Unsupported, "HA4012", "sync groups are not in this release: its instances move one by one")
	default:
		verdict, ok := topVerdicts[key]
		if !ok {
			panic("keepalived: no verdict for the keyword " + key)
		}
		d.whole(verdict.kind, verdict.code, "%s", verdict.note)
	}
}

var notYet = func(what string) verdict {
	return verdict{Unsupported, "HA4012", what + " not in this release"}
}

var topVerdicts = map[string]verdict{
	"net_namespace":            {Unsupported, "HA4012", "run hafile inside of the namespace instead (NetworkNamespacePath= of systemd)"},
	"net_namespace_ipvs":       {Unsupported, "HA4012", "LVS: keep keepalived for it"},
	"namespace_with_ipsets":    {Dropped, "", "hafile uses no ipsets"},
	"instance":                 {Dropped, "", "names keepalived's own files; hafile's are named by -state-dir and -run-dir"},
	"use_pid_dir":              {Dropped, "", "hafile writes no pid files"},
	"child_wait_time":          {Dropped, "", "hafile has no child processes to wait for"},
	"linkbeat_use_polling":     {Dropped, "", "hafile listens to the kernel's link events"},
	"linkbeat_interfaces":      {Dropped, "", "hafile listens to the kernel's link events"},
	"include_check":            {Dropped, "", "says how includes are checked; a missing one is always said here"},
	"interface_up_down_delays": notYet("delays of link events are"),
	"track_group":              notYet("static entries that are tracked are"),
	"static_ipaddress":         notYet("static addresses are"),
	"static_routes":            notYet("static routes are"),
	"static_rules":             notYet("static rules are"),
	"garp_group":               notYet("a pace of announcements for several interfaces is"),
	"vrrp_track_process":       notYet("tracking a process is"),
	"track_file":               notYet("tracking a file is"),
	"vrrp_track_file":          notYet("tracking a file is"),
	"bfd_instance":             notYet("BFD is"),
}

// inside goes through a block's own statements; f gets those that keepalived knows.
func (m *machine) inside(d *directive, f func(*directive)) {
	for _, c := range d.body {
		switch {
		case c.kind != isOrdinary && c.kind != isEntry:
			m.aside(c)
		case c.strange():
			c.unknown()
		case c.known != nil && c.known.isBlock && !c.block:
			c.say(Dropped, "HA4003", "a keyword without its block")
		default:
			f(c)
		}
	}
}

// missing handles a keyword that needs a value and has none. keepalived ends at it.
func (d *directive) missing() bool {
	if len(d.words) > 1 {
		return false
	}
	d.warn("HA4008", 0, fmt.Sprintf("%s has no value", d.key()),
		"keepalived stops with an error at this line, also when it reloads. Give it its value, or remove the line.")
	d.say(Dropped, "HA4008", "has no value: keepalived stops at it")
	return true
}

// again marks the earlier of two statements of one thing.
func again(slot **directive, d *directive) {
	if *slot != nil {
		(*slot).say(NoEffect, "", "line %d says it again", d.n)
	}
	*slot = d
}

func (m *machine) globalDefs(block *directive) {
	block.say(Exact, "", "")
	g := &m.global
	slots := map[string]**directive{
		"notification_email_from": &g.mail.from, "smtp_server": &g.mail.server, "smtp_connect_timeout": &g.mail.timeout,
		"script_user": &g.scriptUser, "vrrp_version": &g.version, "vrrp_down_timer_adverts": &g.downAdverts,
		"vrrp_startup_delay": &g.startDelay, "vrrp_mcast_group4": &g.group4,
	}
	flags := map[string]**directive{
		"no_email_faults": &g.mail.noFault, "vrrp_strict": &g.strict, "smtp_alert": &g.alert,
		"smtp_alert_vrrp": &g.alertVRRP, "v3_checksum_as_v2": &g.checksum, "vrrp_min_garp": &g.minGarp,
	}
	m.inside(block, func(d *directive) {
		key := d.key()
		slot, flag := slots[key], flags[key]
		garp, isGarp := strings.CutPrefix(key, "vrrp_garp_master_")
		switch {
		case key == "notification_email":
			d.say(Exact, "", "")
			g.mail.block = d
			g.mail.to = append(g.mail.to, d.body...)
		case isGarp && (garp == "delay" || garp == "repeat" || garp == "refresh"):
			if !d.missing() {
				old := g.garp[garp]
				again(&old, d)
				g.garp[garp] = d
			}
		case slot != nil:
			if !d.missing() {
				again(slot, d)
			}
		case flag != nil:
			again(flag, d)
		default:
			v, ok := globalVerdicts[key]
			if !ok {
				panic("keepalived: no verdict for the global keyword " + key)
			}
			d.whole(v.kind, v.code, "%s", v.note)
		}
	})
}

var (
	scheduling = verdict{Dropped, "", "hafile's loop runs in real time by itself"}
	lvs        = verdict{Unsupported, "HA4012", "LVS: keep keepalived for it"}
	itself     = verdict{Dropped, "", "about keepalived's own files"}
	reloading  = verdict{Dropped, "", "hafile checks every plan before it takes it"}
	firewall   = verdict{Dropped, "", "hafile writes no firewall rules in this release"}
	buffers    = verdict{Dropped, "", "hafile sizes its own buffers"}
	ownUse     = verdict{Dropped, "", "hafile tells more by `hafile status -json` and /metrics"}
)

var globalVerdicts = func() map[string]verdict {
	v := map[string]verdict{
		"router_id":                        {Dropped, "", "only names the host in mails; use notify.email.from"},
		"smtp_helo_name":                   {Dropped, "", "hafile greets the relay with the host's name"},
		"enable_script_security":           {Exact, "", "hafile always checks who may write a program"},
		"dynamic_interfaces":               {Changed, "", "hafile refuses a plan whose interface is missing, and waits for one that goes away"},
		"default_interface":                {NoEffect, "", "every VIP here has an interface"},
		"vrrp_mcast_group6":                notYet("IPv6 is"),
		"vrrp_garp_master_refresh_repeat":  {Dropped, "", "a refresh is one announcement"},
		"vrrp_garp_lower_prio_delay":       {Dropped, "", "hafile announces again on every sign of contention"},
		"vrrp_garp_lower_prio_repeat":      {Dropped, "", "hafile announces again on every sign of contention"},
		"vrrp_garp_interval":               {Dropped, "", "hafile paces its announcements"},
		"vrrp_gna_interval":                {Dropped, "", "hafile paces its announcements"},
		"vrrp_garp_extra_if":               notYet("announcing on further interfaces is"),
		"vrrp_vmac_garp_intvl":             notYet("announcing on further interfaces is"),
		"vrrp_lower_prio_no_advert":        {Dropped, "", "hafile follows RFC 9568, 6.4.3"},
		"vrrp_higher_prio_send_advert":     {Dropped, "", "hafile follows RFC 9568, 6.4.3"},
		"vrrp_owner_ignore_adverts":        {Dropped, "", "hafile follows RFC 9568, 6.4.3"},
		"vrrp_check_unicast_src":           notYet("unicast is"),
		"vrrp_skip_check_adv_addr":         {Dropped, "", "hafile never rejects an advert for its list of addresses; it warns"},
		"vrrp_delay_after_boot":            notYet("a delay after boot is"),
		"log_unknown_vrids":                {Dropped, "", "hafile counts them by itself"},
		"vrrp_notify_priority_changes":     notYet("telling of priority changes is"),
		"notify_fifo":                      notYet("a FIFO of events is"),
		"vrrp_notify_fifo":                 notYet("a FIFO of events is"),
		"notify_fifo_script":               notYet("a FIFO of events is"),
		"vrrp_notify_fifo_script":          notYet("a FIFO of events is"),
		"fifo_write_vrrp_states_on_reload": notYet("a FIFO of events is"),
		"startup_script":                   {Unsupported, "HA4012", "use ExecStartPre= of the systemd unit"},
		"startup_script_timeout":           {Unsupported, "HA4012", "use ExecStartPre= of the systemd unit"},
		"shutdown_script":                  {Unsupported, "HA4012", "use ExecStopPost= of the systemd unit"},
		"shutdown_script_timeout":          {Unsupported, "HA4012", "use ExecStopPost= of the systemd unit"},
		"use_symlink_paths":                {Dropped, "", "hafile runs a program by the path that was written"},
		"set_supplementary_groups":         {Dropped, "", "hafile sets the groups of the user"},
		"disable_local_igmp":               {Unsupported, "HA4012", "set net.ipv4.igmp_link_local_mcast_reports=0 in sysctl.d"},
		"random_seed":                      {NoEffect, "", "only seeds ${_RANDOM}"},
		"include_check":                    {Dropped, "", "says how includes are checked; a missing one is always said here"},
	}
	add := func(what verdict, keys string) {
		for _, k := range strings.Fields(keys) {
			v[k] = what
		}
	}
	add(scheduling, `vrrp_priority vrrp_no_swap vrrp_rt_priority vrrp_rlimit_rttime vrrp_rlimit_rtime vrrp_cpu_affinity
		max_auto_priority min_auto_priority_delay`)
	add(lvs, `smtp_alert_checker no_checker_emails checker_log_all_failures rs_init_notifies checker_process_name
		lvs_process_name checker_priority checker_no_swap checker_rt_priority checker_rlimit_rttime checker_rlimit_rtime
		checker_cpu_affinity lvs_notify_fifo lvs_notify_fifo_script lvs_timeouts lvs_flush lvs_flush_on_stop
		lvs_flush_onstop lvs_sync_daemon lvs_netlink_cmd_rcv_bufs lvs_netlink_cmd_rcv_bufs_force
		lvs_netlink_monitor_rcv_bufs lvs_netlink_monitor_rcv_bufs_force nftables_ipvs nftables_ipvs_priority
		nftables_ipvs_start_fwmark enable_snmp_checker snmp_vs_stats_update_interval snmp_rs_stats_update_interval`)
	add(notYet("BFD is"), `bfd_process_name bfd_priority bfd_no_swap bfd_rt_priority bfd_rlimit_rttime bfd_rlimit_rtime bfd_cpu_affinity`)
	add(itself, `process_names process_name vrrp_process_name umask tmp_config_directory config_save_dir data_use_instance
		state_dump_file stats_dump_file json_dump_file json_version iproute_usr_dir iproute_etc_dir`)
	add(reloading, `reload_check_config reload_time_file reload_repeat reload_file`)
	add(firewall, `nftables nftables_priority nftables_ifindex nftables_counters vrrp_iptables vrrp_ipsets`)
	add(buffers, `vrrp_rx_bufs_policy vrrp_rx_bufs_multiplier vrrp_netlink_cmd_rcv_bufs vrrp_netlink_cmd_rcv_bufs_force
		vrrp_netlink_monitor_rcv_bufs vrrp_netlink_monitor_rcv_bufs_force process_monitor_rcv_bufs process_monitor_rcv_bufs_force`)
	add(notYet("a virtual MAC is"), `vmac_prefix vmac_addr_prefix`)
	add(notYet("SNMP is"), `enable_snmp_vrrp enable_snmp_keepalived enable_snmp_rfc enable_snmp_rfcv2 enable_snmp_rfcv3 enable_traps snmp_socket`)
	add(ownUse, `enable_dbus dbus_service_name dbus_no_interface_name`)
	return v
}()
