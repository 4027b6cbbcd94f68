package keepalived

import (
	"fmt"
	"path"
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

// script reads one vrrp_script. keepalived looks scripts up from the top, so that a
// second one of the same name is never found.
func (m *machine) script(block *directive) {
	s := &script{dir: block, name: block.arg(1), fields: map[string]setting{}}
	if block.missing() {
		block.whole(Dropped, "HA4008", "has no name")
		return
	}
	if first := m.findScript(s.name); first != nil {
		block.warn("HA4008", 1, fmt.Sprintf("There are two scripts %q", s.name),
			"keepalived always finds the first one, in line %d. Remove this one, or give it another name.", first.dir.n)
		block.whole(NoEffect, "HA4008", "keepalived always finds the first %s, line %d", s.name, first.dir.n)
		return
	}
	m.scripts = append(m.scripts, s)
	slots := map[string]*directive{}
	m.inside(block, func(d *directive) {
		if d.key() == "init_fail" {
			d.say(NoEffect, "", "keepalived 2.4 forgets it before the first run")
			return
		}
		if d.missing() {
			return
		}
		old := slots[d.key()]
		again(&old, d)
		slots[d.key()] = d
	})
	s.timing("interval", slots["interval"], 1000)
	s.timing("timeout", slots["timeout"], 0)
	s.count("fall", slots["fall"])
	s.count("rise", slots["rise"])
	s.setWeight(slots["weight"])
	m.user(s.fields, slots["user"], m.global.scriptUser)
	m.scriptCommand(s, slots["script"])
}

func (m *machine) findScript(name string) *script {
	for _, s := range m.scripts {
		if s.name == name {
			return s
		}
	}
	return nil
}

func (m *machine) scriptCommand(s *script, d *directive) {
	if d == nil {
		s.dir.warn("HA4008", 1, fmt.Sprintf("The script %q runs nothing", s.name), "keepalived removes a vrrp_script without a script. Write script \"/path/of/program\".")
		s.dir.whole(Dropped, "HA4008", "has no script: keepalived removes it")
		return
	}
	w := d.command()
	argv, why := command(w[1])
	if why != "" {
		d.warn("HA4008", 1, "A program that hafile cannot run", "%s Correct it and convert again.", why)
		s.dir.whole(Unsupported, "HA4008", "line %d: %s", d.n, why)
		return
	}
	s.argv = argv
	s.fields["command"] = set(list(argv), d)
	m.sayCommand(d, w, argv, 2, s.fields["user"].expr == "")
}

// command is the words of a line that names a program: the keyword, the command, and
// what follows it.
func (d *directive) command() []string {
	if w := scriptWords(d.text); len(w) > 1 && w[0] == d.key() {
		return w
	}
	return []string{d.key(), d.arg(1)}
}

// command turns a command line into what execve gets. A name without a slash is looked
// up in PATH by keepalived, and by env here: hafile runs absolute paths only.
func command(line string) (args []string, why string) {
	if file, ok := strings.CutPrefix(line, "<"); ok {
		args = []string{"/usr/bin/test", "-r", strings.TrimSpace(file)}
	} else {
		args = argv(line)
	}
	if len(args) == 0 || args[0] == "" {
		return nil, "The command is empty."
	}
	for _, a := range args {
		if !plain(a) {
			return nil, "The command is not UTF-8, or holds a NUL byte."
		}
	}
	switch {
	case !strings.Contains(args[0], "/"):
		args = append([]string{"/usr/bin/env"}, args...)
	case !path.IsAbs(args[0]):
		return nil, fmt.Sprintf("%s is not an absolute path.", short(args[0]))
	}
	return args, ""
}

// sayCommand is the verdict on a line that names a program. most is how many words
// keepalived reads.
func (m *machine) sayCommand(d *directive, w, argv []string, most int, nobody bool) {
	var notes []string
	if len(w) > most {
		notes = append(notes, "keepalived ignores what follows the first word: quote the whole command")
		d.warn("HA4008", 2, "Parameters outside of the quotes", "keepalived runs %q without them, and so does the result. Put the whole command into quotes.", short(w[1]))
	}
	for _, a := range argv {
		if a == "|" || a == "||" || a == "&&" || a == ";" || strings.HasPrefix(a, ">") || strings.HasPrefix(a, "&>") || strings.HasPrefix(a, "2>") {
			notes = append(notes, fmt.Sprintf("keepalived 2 runs no shell: %s is an argument", a))
			d.warn("HA4008", 1, "A command that wants a shell", "keepalived 2 hands %q to the program as an argument, and so does the result. Write [\"/bin/sh\", \"-c\", \"...\"] if a shell was meant.", a)
			break
		}
	}
	if argv[0] == "/usr/bin/env" {
		notes = append(notes, "found in PATH by env")
	}
	kind := Exact
	if nobody {
		kind = Changed
		notes = append(notes, "runs as hafile-script, else nobody; keepalived uses keepalived_script, else root")
	}
	d.say(kind, "", "%s", strings.Join(notes, "; "))
}

func (s *script) timing(key string, d *directive, def int64) {
	if d == nil {
		return
	}
	ms, ok := seconds(d.arg(1))
	if !ok || ms > 4294000 {
		d.badNumber("seconds from 0 to 4294", "the default")
		return
	}
	if ms < 10 {
		ms = 1000
		d.say(Changed, "", "keepalived makes it 1 s; so does the result")
	}
	if ms == def {
		d.say(Exact, "", "the default here too")
		s.fields[key+" default"] = set(duration(ms), d)
		return
	}
	d.say(Exact, "", "")
	s.fields[key] = set(duration(ms), d)
}

// count reads rise and fall: 1 in keepalived unless written, so that they are always in
// the result where hafile's default is another one.
func (s *script) count(key string, d *directive) {
	if d == nil {
		s.fields[key] = set("1")
		return
	}
	n, clean, ok := number(d.arg(1))
	switch {
	case !ok || n < 1:
		n = 1
		d.say(Changed, "HA4008", "keepalived reads 1; so does the result")
	case n > 1000:
		n = 1000
		d.say(Changed, "HA4008", "hafile counts to 1000")
	case !clean:
		d.say(Changed, "HA4008", "keepalived reads %d; so does the result", n)
	}
	d.say(Exact, "", "")
	s.fields[key] = set(fmt.Sprint(n), d)
}

func (s *script) setWeight(d *directive) {
	if d == nil {
		return
	}
	n, clean, ok := number(d.arg(1))
	switch {
	case !ok:
		d.badNumber("a number from -253 to 253", "no weight")
		return
	case d.arg(2) == "reverse":
		s.reverse = true
		d.say(Unsupported, "HA4012", "a reversed weight is not in this release")
		return
	case n < -253 || n > 253:
		d.badNumber("a number from -253 to 253", "no weight")
		return
	case !clean:
		d.say(Changed, "HA4008", "keepalived reads %d; so does the result", n)
	}
	d.say(Exact, "", "")
	if s.weight = n; n != 0 {
		s.fields["weight"] = set(fmt.Sprint(n), d)
	}
}

// badNumber is a value that keepalived refuses and goes on without.
func (d *directive) badNumber(want, uses string) {
	d.warn("HA4008", 1, fmt.Sprintf("%s is no value for %s", short(d.arg(1)), d.key()),
		"It must be %s; keepalived uses %s, and so does the result. Correct it if this is a template.", want, uses)
	d.say(Changed, "HA4008", "not %s: keepalived uses %s; so does the result", want, uses)
}

// user is who runs a program: the line's own, else script_user's.
func (m *machine) user(fields map[string]setting, own, global *directive) {
	d := own
	if d == nil {
		d = global
	}
	if d == nil {
		return
	}
	if d.arg(2) != "" && d.arg(2) != d.arg(1) {
		d.say(Changed, "", "the user's own groups, not %s", d.arg(2))
	}
	d.say(Exact, "", "")
	fields["user"] = set(quote(d.arg(1)), d)
}

// unused is a script that no instance tracks: keepalived removes it.
func (s *script) unused() {
	s.dir.say(NoEffect, "", "no instance tracks it: keepalived never runs it")
	for _, c := range s.dir.body {
		c.withdraw(s.dir)
	}
}
