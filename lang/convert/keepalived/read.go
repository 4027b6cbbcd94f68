package keepalived

import (
	"fmt"
	"net/netip"
	"strings"

	"hafile/lang/plan"
)

// machine is one node: its file as a tree, and what keepalived would hold after loading it.
type machine struct {
	label    string
	name     string    // as it was given; matched if it is no legal label
	src      *source   // the main file
	sources  []*source // and what it includes, in the order of reading
	root     *directive
	header   []*comment
	comments []*comment

	global    globals
	scripts   []*script
	instances []*instance
	groups    []*syncGroup
	netns     *directive
	// address of the node in the result, IPv4 and IPv6: see addresses in unicast.go.
	address, address6 netip.Addr
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
	group6      *directive
	srcCheck    *directive
	fifos       []*directive
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

// script is one vrrp_script, vrrp_track_process or track_file: what trackers name.
type script struct {
	kind   trackerKind
	dir    *directive
	name   string
	argv   []string
	fields map[string]setting
	weight int64
	// reverse turns the weight round; the result says so where it is tracked.
	reverse bool
	used    bool
	label   string // in the result, once merged
	// p is the check as a plan has it, without its address.
	p plan.Check
}

// trackerKind is what keepalived calls the block; each has names of its own.
type trackerKind string

const (
	aScript  trackerKind = "vrrp_script"
	aProcess trackerKind = "vrrp_track_process"
	aFile    trackerKind = "track_file"
)

// scriptKeys in the order in which they are written; "a.b" stands in a block a.
var scriptKeys = []string{
	"command", "user", "process.name", "process.args", "process.min", "process.max", "file.path", "file.value",
	"interval", "timeout", "fall", "rise", "weight",
}

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
	m.twice()
	for _, g := range m.groups {
		g.read()
	}
	for _, h := range m.pipes() {
		for _, in := range m.instances {
			in.hooks = append(in.hooks, h)
		}
		for _, g := range m.groups {
			g.hooks = append(g.hooks, h)
		}
	}
	m.inUse()
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
	}
}

func (m *machine) top(d *directive) {
	switch key := d.key(); key {
	case "global_defs":
		m.globalDefs(d)
	case "vrrp_script":
		m.script(d)
	case "vrrp_track_process":
		m.process(d)
	case "track_file", "vrrp_track_file":
		m.file(d)
	case "net_namespace":
		m.namespace(d)
	case "static_ipaddress", "static_routes", "static_rules":
		m.static(d)
	case "vrrp_instance":
		m.instance(d)
	case "virtual_server", "virtual_server_group", "SSL":
		coupled(d)
		d.whole(Unsupported, "HA4012", "LVS: keep keepalived for it")
	case "vrrp_sync_group":
		m.syncGroup(d)
	case "bfd_instance":
		d.whole(Unsupported, "HA4012", "hafile speaks no BFD: what tracks it is not tracked")
	default:
		verdict, ok := topVerdicts[key]
		if !ok {
			panic("keepalived: no verdict for the keyword " + key)
		}
		d.whole(verdict.kind, verdict.code, "%s", verdict.note)
	}
}

// namespace is the network namespace of the whole file: the node's in the result.
func (m *machine) namespace(d *directive) {
	switch name := d.arg(1); {
	case d.missing():
	case strings.ContainsAny(name, "/ \t") || !plain(name):
		d.say(Unsupported, "HA4012", "no name of a network namespace")
	default:
		again(&m.netns, d)
		d.say(Exact, "", "netns of the node")
	}
}

// static judges what keepalived installs whether it is active or not. hafile leaves that
// to whatever configures the host.
func (m *machine) static(block *directive) {
	command := map[string]string{"static_ipaddress": "ip address add", "static_routes": "ip route add", "static_rules": "ip rule add"}[block.key()]
	block.say(Unsupported, "HA4012", "hafile installs nothing that does not move: put it into the host's network configuration")
	for _, d := range block.body {
		if d.kind != isEntry {
			m.aside(d)
			continue
		}
		d.say(Unsupported, "HA4012", "host configuration: %s %s", command, d.shown())
	}
}

var topVerdicts = map[string]verdict{
	"net_namespace_ipvs":       {Unsupported, "HA4012", "LVS: keep keepalived for it"},
	"namespace_with_ipsets":    {Dropped, "", "hafile uses no ipsets"},
	"instance":                 {Dropped, "", "names keepalived's own files; hafile's are named by -state-dir and -run-dir"},
	"use_pid_dir":              {Dropped, "", "hafile writes no pid files"},
	"child_wait_time":          {Dropped, "", "hafile has no child processes to wait for"},
	"linkbeat_use_polling":     {Dropped, "", "hafile listens to the kernel's link events"},
	"linkbeat_interfaces":      {Dropped, "", "hafile listens to the kernel's link events"},
	"include_check":            {Dropped, "", "says how includes are checked; a missing one is always said here"},
	"interface_up_down_delays": {Unsupported, "HA4012", "hafile takes a link for down at once; use the delays of the bond or the switch"},
	"track_group":              {Unsupported, "HA4012", "belongs to static entries, which hafile leaves to the host"},
	"garp_group":               {Dropped, "", "hafile paces its announcements by itself"},
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
		"vrrp_startup_delay": &g.startDelay, "vrrp_mcast_group4": &g.group4, "vrrp_mcast_group6": &g.group6,
	}
	flags := map[string]**directive{
		"no_email_faults": &g.mail.noFault, "vrrp_strict": &g.strict, "smtp_alert": &g.alert,
		"smtp_alert_vrrp": &g.alertVRRP, "v3_checksum_as_v2": &g.checksum, "vrrp_min_garp": &g.minGarp,
		"vrrp_check_unicast_src": &g.srcCheck,
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
		case key == "notify_fifo" || key == "vrrp_notify_fifo":
			m.fifo(d)
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
	firewall   = verdict{Dropped, "", "hafile keeps its own rules, where it needs any, apart from others"}
	buffers    = verdict{Dropped, "", "hafile sizes its own buffers"}
	ownUse     = verdict{Dropped, "", "hafile tells more by `hafile status -json` and /metrics"}

	extraIF      = verdict{Unsupported, "HA4012", "hafile announces an address on the interface where it is, with announce { refresh }"}
	tellPriority = verdict{Unsupported, "HA4012", "hafile tells hooks of changes of role only; `hafile status -json` has the priority"}
	fifoReader   = verdict{Unsupported, "HA4012", "hafile starts no reader of a FIFO: run it as a service of its own"}
)

var globalVerdicts = func() map[string]verdict {
	v := map[string]verdict{
		"router_id":                        {Dropped, "", "only names the host in mails; use notify.email.from"},
		"smtp_helo_name":                   {Dropped, "", "hafile greets the relay with the host's name"},
		"enable_script_security":           {Exact, "", "hafile always checks who may write a program"},
		"dynamic_interfaces":               {Changed, "", "hafile refuses a plan whose interface is missing, and waits for one that goes away"},
		"default_interface":                {NoEffect, "", "every VIP here has an interface"},
		"vrrp_garp_master_refresh_repeat":  {Dropped, "", "a refresh is one announcement"},
		"vrrp_garp_lower_prio_delay":       {Dropped, "", "hafile announces again on every sign of contention"},
		"vrrp_garp_lower_prio_repeat":      {Dropped, "", "hafile announces again on every sign of contention"},
		"vrrp_garp_interval":               {Dropped, "", "hafile paces its announcements"},
		"vrrp_gna_interval":                {Dropped, "", "hafile paces its announcements"},
		"vrrp_garp_extra_if":               extraIF,
		"vrrp_vmac_garp_intvl":             extraIF,
		"vrrp_lower_prio_no_advert":        {Dropped, "", "hafile follows RFC 9568, 6.4.3"},
		"vrrp_higher_prio_send_advert":     {Dropped, "", "hafile follows RFC 9568, 6.4.3"},
		"vrrp_owner_ignore_adverts":        {Dropped, "", "hafile follows RFC 9568, 6.4.3"},
		"vrrp_skip_check_adv_addr":         {Dropped, "", "hafile never rejects an advert for its list of addresses; it warns"},
		"vrrp_delay_after_boot":            {Unsupported, "HA4012", "hafile counts a delay from its own start (start_delay), not from the boot"},
		"log_unknown_vrids":                {Dropped, "", "hafile counts them by itself"},
		"vrrp_notify_priority_changes":     tellPriority,
		"notify_fifo_script":               fifoReader,
		"vrrp_notify_fifo_script":          fifoReader,
		"fifo_write_vrrp_states_on_reload": {Dropped, "", "hafile tells of changes only; `hafile status` tells what is"},
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
	v["lvs_sync_daemon"] = verdict{Unsupported, "HA4012", "LVS: lost, it follows an instance; start ipvsadm --start-daemon from a notify block"}
	add(lvs, `smtp_alert_checker no_checker_emails checker_log_all_failures rs_init_notifies checker_process_name
		lvs_process_name checker_priority checker_no_swap checker_rt_priority checker_rlimit_rttime checker_rlimit_rtime
		checker_cpu_affinity lvs_notify_fifo lvs_notify_fifo_script lvs_timeouts lvs_flush lvs_flush_on_stop
		lvs_flush_onstop lvs_netlink_cmd_rcv_bufs lvs_netlink_cmd_rcv_bufs_force
		lvs_netlink_monitor_rcv_bufs lvs_netlink_monitor_rcv_bufs_force nftables_ipvs nftables_ipvs_priority
		nftables_ipvs_start_fwmark enable_snmp_checker snmp_vs_stats_update_interval snmp_rs_stats_update_interval`)
	add(verdict{Unsupported, "HA4012", "hafile speaks no BFD"}, `bfd_process_name bfd_priority bfd_no_swap bfd_rt_priority bfd_rlimit_rttime bfd_rlimit_rtime bfd_cpu_affinity`)
	add(itself, `process_names process_name vrrp_process_name umask tmp_config_directory config_save_dir data_use_instance
		state_dump_file stats_dump_file json_dump_file json_version iproute_usr_dir iproute_etc_dir`)
	add(reloading, `reload_check_config reload_time_file reload_repeat reload_file`)
	add(firewall, `nftables nftables_priority nftables_ifindex nftables_counters vrrp_iptables vrrp_ipsets`)
	add(buffers, `vrrp_rx_bufs_policy vrrp_rx_bufs_multiplier vrrp_netlink_cmd_rcv_bufs vrrp_netlink_cmd_rcv_bufs_force
		vrrp_netlink_monitor_rcv_bufs vrrp_netlink_monitor_rcv_bufs_force process_monitor_rcv_bufs process_monitor_rcv_bufs_force`)
	add(verdict{Dropped, "", "hafile names its own interfaces"}, `vmac_prefix vmac_addr_prefix`)
	add(verdict{Unsupported, "HA4012", "hafile speaks no SNMP: it has /metrics and `hafile status -json`"}, `enable_snmp_vrrp enable_snmp_keepalived enable_snmp_rfc enable_snmp_rfcv2 enable_snmp_rfcv3 enable_traps snmp_socket`)
	add(ownUse, `enable_dbus dbus_service_name dbus_no_interface_name`)
	return v
}()
