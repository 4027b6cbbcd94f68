package keepalived

import (
	"strings"
	"sync"

	"hafile/lang/diag"
)

// keyword of one context. block names the context of its block; "*" holds entries.
type keyword struct {
	name    string
	isBlock bool
	block   string
}

// context is the keywords that may stand in one kind of block.
type context struct {
	name    string
	words   map[string]*keyword
	names   []string
	entries bool
}

// list reports whether the block holds entries.
func (c *context) list() bool { return c != nil && c.entries }

// suggest is the keyword that somebody most likely meant.
func (c *context) suggest(word string) string {
	if c == nil || len(word) > 64 {
		return ""
	}
	return diag.Nearest(word, c.names)
}

// The whole vocabulary of keepalived 2.4 by block: NAME, or NAME{CONTEXT} for a block.
var vocabulary = map[string]string{
	"": `net_namespace net_namespace_ipvs namespace_with_ipsets instance use_pid_dir child_wait_time
		linkbeat_use_polling global_defs{global_defs} track_group{track_group} static_ipaddress{*} static_routes{*}
		static_rules{*} garp_group{garp_group} linkbeat_interfaces{*} interface_up_down_delays{*}
		vrrp_script{vrrp_script} vrrp_track_process{vrrp_track_process} track_file{track_file}
		vrrp_track_file{track_file} bfd_instance{bfd_instance} vrrp_sync_group{vrrp_sync_group}
		vrrp_instance{vrrp_instance} virtual_server_group{*} virtual_server{virtual_server} SSL{SSL}
		include_check`,

	"global_defs": `router_id notification_email{*} notification_email_from smtp_server smtp_helo_name
		smtp_connect_timeout smtp_alert smtp_alert_vrrp smtp_alert_checker no_email_faults no_checker_emails
		checker_log_all_failures rs_init_notifies process_names process_name vrrp_process_name
		checker_process_name lvs_process_name bfd_process_name vrrp_priority checker_priority bfd_priority
		vrrp_no_swap checker_no_swap bfd_no_swap vrrp_rt_priority checker_rt_priority bfd_rt_priority
		vrrp_rlimit_rttime checker_rlimit_rttime bfd_rlimit_rttime vrrp_rlimit_rtime checker_rlimit_rtime
		bfd_rlimit_rtime vrrp_cpu_affinity checker_cpu_affinity bfd_cpu_affinity max_auto_priority
		min_auto_priority_delay startup_script shutdown_script startup_script_timeout shutdown_script_timeout
		umask random_seed tmp_config_directory config_save_dir data_use_instance state_dump_file
		stats_dump_file json_dump_file json_version iproute_usr_dir iproute_etc_dir use_symlink_paths
		set_supplementary_groups script_user enable_script_security notify_fifo vrrp_notify_fifo
		lvs_notify_fifo notify_fifo_script vrrp_notify_fifo_script lvs_notify_fifo_script
		vrrp_notify_priority_changes fifo_write_vrrp_states_on_reload vrrp_version vrrp_strict
		vrrp_mcast_group4 vrrp_mcast_group6 default_interface dynamic_interfaces disable_local_igmp
		vrrp_garp_master_delay vrrp_garp_master_repeat vrrp_garp_master_refresh
		vrrp_garp_master_refresh_repeat vrrp_garp_lower_prio_delay vrrp_garp_lower_prio_repeat
		vrrp_garp_interval vrrp_gna_interval vrrp_min_garp vrrp_garp_extra_if vrrp_vmac_garp_intvl
		vrrp_lower_prio_no_advert vrrp_higher_prio_send_advert vrrp_owner_ignore_adverts
		vrrp_down_timer_adverts vrrp_check_unicast_src vrrp_skip_check_adv_addr v3_checksum_as_v2
		vrrp_startup_delay vrrp_delay_after_boot log_unknown_vrids vrrp_rx_bufs_policy
		vrrp_rx_bufs_multiplier vrrp_netlink_cmd_rcv_bufs vrrp_netlink_cmd_rcv_bufs_force
		vrrp_netlink_monitor_rcv_bufs vrrp_netlink_monitor_rcv_bufs_force process_monitor_rcv_bufs
		process_monitor_rcv_bufs_force lvs_netlink_cmd_rcv_bufs lvs_netlink_cmd_rcv_bufs_force
		lvs_netlink_monitor_rcv_bufs lvs_netlink_monitor_rcv_bufs_force vmac_prefix vmac_addr_prefix
		nftables nftables_priority nftables_ifindex nftables_counters nftables_ipvs nftables_ipvs_priority
		nftables_ipvs_start_fwmark vrrp_iptables vrrp_ipsets reload_check_config reload_time_file
		reload_repeat reload_file include_check enable_snmp_vrrp enable_snmp_keepalived enable_snmp_checker
		enable_snmp_rfc enable_snmp_rfcv2 enable_snmp_rfcv3 enable_traps snmp_socket
		snmp_vs_stats_update_interval snmp_rs_stats_update_interval enable_dbus dbus_service_name
		dbus_no_interface_name lvs_timeouts lvs_flush lvs_flush_on_stop lvs_flush_onstop lvs_sync_daemon`,

	"garp_group":  `garp_interval gna_interval interface interfaces{*}`,
	"track_group": `group{*}`,

	"vrrp_script":        `script interval timeout weight rise fall user init_fail`,
	"vrrp_track_process": `process param_match full_command weight quorum quorum_max delay fork_delay terminate_delay`,
	"track_file":         `file weight init_file`,
	"bfd_instance": `neighbor_ip neighbour_ip source_ip min_rx min_tx idle_tx multiplier passive ttl hoplimit
		max_hops multihop weight vrrp checker`,

	"vrrp_sync_group": `group{*} track_interface{*} track_script{*} track_file{*} track_process{*} track_bfd{*}
		notify_master notify_backup notify_fault notify_stop notify smtp_alert sync_group_tracking_weight
		global_tracking notify_priority_changes`,

	"vrrp_instance": `virtual_router_id interface vrf version native_ipv6 state priority advert_int
		virtual_ipaddress{*} virtual_ipaddress_excluded{*} no_virtual_ipaddress mcast_src_ip unicast_src_ip
		track_src_ip mcast_dst_ip unicast_peer{*} unicast_fault_no_peer unicast_ttl check_unicast_src
		old_unicast_checksum v3_checksum_as_v2 nopreempt preempt preempt_delay down_timer_adverts
		timer_expired_backup thread_timer_expired lower_prio_no_advert higher_prio_send_advert
		owner_ignore_adverts skip_check_adv_addr strict_mode accept no_accept debug garp_master_delay
		garp_master_repeat garp_master_refresh garp_master_refresh_repeat garp_lower_prio_delay
		garp_lower_prio_repeat garp_extra_if vmac_garp_intvl use_vmac vmac_xmit_base use_vmac_addr
		use_ipvlan promote_secondaries track_interface{*} track_script{*} track_file{*} track_process{*}
		track_bfd{*} dont_track_primary linkbeat_use_polling notify_master notify_backup notify_fault
		notify_stop notify_deleted notify notify_master_rx_lower_pri smtp_alert notify_priority_changes
		virtual_routes{*} virtual_rules{*} kernel_rx_buf_size lvs_sync_daemon_interface
		authentication{authentication} auth_hmac{auth_hmac}`,

	"authentication": `auth_type auth_pass`,
	"auth_hmac":      `key active_key time_window anti_replay mode`,

	"virtual_server": `ip_family delay_loop lb_algo lvs_sched lb_kind lvs_method protocol persistence_timeout
		persistence_granularity persistence_engine hashed ops flag-1 flag-2 flag-3 sh-port sh-fallback mh-port
		mh-fallback ha_suspend virtualhost alpha omega quorum hysteresis quorum_up quorum_down weight retry
		delay_before_retry warmup connect_timeout inhibit_on_failure sorry_server sorry_server_inhibit
		sorry_server_lvs_method smtp_alert snmp_name real_server{real_server}`,
	"real_server": `weight lvs_method uthreshold lthreshold inhibit_on_failure notify_up notify_down alpha retry
		delay_before_retry warmup connect_timeout delay_loop smtp_alert virtualhost snmp_name
		HTTP_GET{http} SSL_GET{http} TCP_CHECK{check} PING_CHECK{check} SMTP_CHECK{smtp} DNS_CHECK{dns}
		MISC_CHECK{misc} UDP_CHECK{udp} BFD_CHECK{bfd} FILE_CHECK{file}`,
	"check": `connect_ip connect_port bindto bind_port bind_if connect_timeout fwmark retry delay_before_retry
		warmup delay_loop alpha log_all_failures inhibit_on_failure nb_get_retry`,
	"http": `+check url{url} virtualhost http_protocol enable_sni sni_name fast_recovery tls_compliant`,
	"url": `path digest status_code virtualhost regex regex_no_match regex_options regex_min_offset
		regex_max_offset regex_stack tls_compliant`,
	"smtp": `+check helo_name host{check}`,
	"dns":  `+check type name`,
	"misc": `+check misc_path misc_timeout misc_dynamic user`,
	"udp":  `+check payload require_reply min_reply_length max_reply_length`,
	"bfd":  `name alpha`,
	"file": `track_file weight`,
	"SSL":  `password ca certificate key`,
	"*":    ``,
}

// grammar is the vocabulary as contexts by name; the file's own context is "".
var grammar = sync.OnceValue(func() map[string]*context {
	contexts := make(map[string]*context, len(vocabulary))
	for name, words := range vocabulary {
		c := &context{name: name, words: map[string]*keyword{}, entries: name == "*"}
		for _, w := range strings.Fields(words) {
			if base, ok := strings.CutPrefix(w, "+"); ok {
				for _, w := range strings.Fields(vocabulary[base]) {
					c.add(w)
				}
				continue
			}
			c.add(w)
		}
		contexts[name] = c
	}
	return contexts
})

func (c *context) add(w string) {
	name, block, isBlock := strings.Cut(w, "{")
	c.words[name] = &keyword{name: name, isBlock: isBlock, block: strings.TrimSuffix(block, "}")}
	c.names = append(c.names, name)
}
