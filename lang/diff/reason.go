package diff

// The reasons of an impact. They are stable: programs match on them.
const (
	ReasonName     = "renamed" // people's word only, the network sees no difference
	ReasonOrder    = "reordered"
	ReasonTimers   = "timer_only" // counts from the next time it is used
	ReasonAnnounce = "announce_settings"
	ReasonCheck    = "check_settings"
	ReasonNotify   = "notify_settings"
	ReasonMember   = "member_settings"
	ReasonSource   = "source_address_decides_ties_only"
	ReasonChecksum = "checksum_form"

	ReasonInstanceAdded   = "instance_added"
	ReasonInstanceRemoved = "instance_removed"
	ReasonCheckAdded      = "added"
	ReasonCheckRemoved    = "removed"

	ReasonVIPAdded       = "vip_added"
	ReasonVIPRemoved     = "vip_removed"
	ReasonVIPTransferred = "vip_between_instances"
	ReasonVIPInterface   = "vip_on_another_interface"

	ReasonRaises      = "active_raises_own_priority"
	ReasonLowers      = "active_lowers_own_priority" // and is still the highest
	ReasonKeeps       = "effective_priority_kept"
	ReasonRivalRaised = "other_member_raised" // which preempts when it has the plan
	ReasonOutranked   = "active_outranked"
	ReasonFailing     = "active_fails_its_check"
	ReasonUnfit       = "backup_fails_its_check"
	ReasonOutranks    = "backup_outranks_active"
	ReasonStaysBackup = "not_active_here"
	ReasonPreemptOff  = "preemption_off"

	ReasonTracksMore    = "tracks_more"
	ReasonTracksLess    = "tracks_less"
	ReasonMemberAdded   = "member_added"
	ReasonMemberRemoved = "member_removed"

	ReasonWireIdentity = "wire_identity" // another virtual router for everybody who listens
	ReasonInterval     = "advert_interval"
	ReasonAuth         = "authentication"
	ReasonAlone        = "no_other_member"

	ReasonMoved        = "moved" // as a moved block says
	ReasonVIPReadded   = "vip_readded"
	ReasonUnadvertised = "vip_in_adverts"
	ReasonLists        = "adverts_list_other_addresses"
	ReasonVirtualMAC   = "virtual_mac"
	ReasonAccept       = "accept_mode"
	ReasonLease        = "lease"
	ReasonRelease      = "release"
	ReasonGuard        = "guard"
	ReasonPeers        = "unicast_peers"
	ReasonKey          = "hmac_key"
	ReasonRoute        = "routes"
	ReasonGroup        = "sync_group"
)
