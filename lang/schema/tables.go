package schema

const (
	day  = 24 * 60 * 60 * 1000 // milliseconds
	hour = 60 * 60 * 1000
	// longest wait that a timer of the runtime takes, see plan.Verify
	wait = 1_000_000
)

// File is what may stand at the top of a file.
var File = Block{Blocks: []*Block{
	&Hafile, &Node, &Script, &Check, &Notify, &Instance, &SyncGroup, &Variable, &Locals, &Output, &Module, &Moved, &Removed, &Policy,
	{Name: "function", Label: "name", Many: true, Later: true},
}}

// Hafile is decoded before everything else, and alone.
var Hafile = Block{
	Name: "hafile", Doc: "What holds for the whole set of files; in the root module only.",
	Args: []Arg{
		{Name: "required_version", Kind: String, Doc: `Releases that may compile these files: ">= 0.1", "~> 0.1".`},
		{Name: "language", Kind: Int, Min: 1, Max: 1000, Default: "1", Doc: "Meaning of the files; a release never changes it."},
		{Name: "accept", Kind: Strings, Doc: "Codes of warnings that are known and accepted; the plan lists them."},
		{Name: "env", Kind: Strings, Doc: "Names that env() may read, beside HAFILE_*."},
		{Name: "max_impact", Kind: String, Enum: []string{"none", "stays", "gains", "weakens", "moves", "outage", "drops"}, Default: "none is refused",
			Doc: "What plan, apply and rollout refuse to exceed, unless -max-impact says otherwise."},
	},
	Blocks: []*Block{{Name: "defaults", Doc: "What instances have that do not say it themselves, those of modules too.", Args: defaultArgs(), Blocks: []*Block{&announceBlock}}},
}

// defaultArgs are those of an instance that may be said once for all of them.
func defaultArgs() []Arg {
	var args []Arg
	for _, a := range append(append([]Arg{}, instanceArgs...), perMember...) {
		switch a.Name {
		case "name", "enabled", "router_id", "members", "segment", "multicast_group", "priority", "source_address", "notify":
			continue // of one instance
		}
		a.Same = false
		args = append(args, a)
	}
	return args
}

// Node is one machine.
var Node = Block{
	Name: "node", Label: "name", Many: true, ForEach: true, Doc: "One machine of the fleet.",
	Args: []Arg{
		{Name: "address", Kind: Address, Doc: "Its IPv4 address; with a prefix it also says which segment that is."},
		{Name: "address6", Kind: Address, Doc: "Its IPv6 address."},
		{Name: "match", Kind: Strings, Doc: "Host names, with * and ?, by which the machine finds itself."},
		{Name: "interface", Kind: String, Doc: "Where its instances run, unless they say otherwise."},
		{Name: "labels", Kind: Map, Doc: "Anything, for expressions: self.labels.rack."},
		{Name: "netns", Kind: String, Default: "the daemon's own", Doc: "Network namespace of its interfaces, as ip netns names it."},
		{Name: "ssh", Kind: String, Default: "address", Doc: "Where rollout reaches it: HOST or USER@HOST."},
		{Name: "status", Kind: String, Doc: "ADDRESS:PORT where its daemon answers read-only questions of the others."},
		{Name: "speaks", Kind: String, Enum: []string{"hafile", "keepalived-2.2", "keepalived-2.4", "frr", "other"}, Default: `"hafile"`,
			Doc: "What runs on it during a migration."},
	},
}

// Script is a check that runs a program.
var Script = Block{
	Name: "script", Label: "name", Many: true, ForEach: true, Doc: "A program whose exit code says whether the node may be active.",
	Args: append([]Arg{
		{Name: "command", Kind: Strings, Required: true, Doc: "Program and arguments, no shell between; the path is absolute."},
		{Name: "user", Kind: String, Default: "hafile-script, else nobody", Doc: `Who runs it; root only if "root" is written.`},
		{Name: "env", Kind: Map, Doc: "Environment of the program, beside PATH."},
	}, checkArgs...),
	Blocks: []*Block{wrongProbe("http"), wrongProbe("tcp"), wrongProbe("process"), wrongProbe("file"), wrongProbe("ping"), wrongProbe("dns")},
}

// checkArgs is what scripts and checks have in common.
var checkArgs = []Arg{
	{Name: "interval", Kind: Duration, Min: 10, Max: day, Default: `"1s"`, Doc: "From one start to the next."},
	{Name: "timeout", Kind: Duration, Min: 10, Max: day, Default: "interval", Doc: "After it, the run is ended and counts as failed."},
	{Name: "fall", Kind: Int, Min: 1, Max: 1000, Default: "3", Doc: "Failures in a row until it is down."},
	{Name: "rise", Kind: Int, Min: 1, Max: 1000, Default: "2", Doc: "Successes in a row until it is up."},
	{Name: "weight", Kind: Int, Min: -253, Max: 253, Default: "none",
		Doc: "Below 0: added to the priority while down; above 0: while up. Without: a failure hands the addresses over."},
	{Name: "on_fail", Kind: String, Enum: []string{"hand_over", "release"}, Default: `"hand_over"`,
		Doc: "Without a weight: hand over and stay active if nobody comes, or release whatever the others do."},
}

// wrongProbe is a probe of `check`, known here so that the message can say so.
func wrongProbe(name string) *Block { return &Block{Name: name, Later: true, Many: true} }

// Check is a check that hafile makes itself.
var Check = Block{
	Name: "check", Label: "name", Many: true, ForEach: true, Doc: "A probe that hafile makes itself, without a program: exactly one of its blocks.",
	Args: append([]Arg{
		{Name: "command", Kind: Strings, Wrong: "A program is run by a script: write script \"NAME\" { command = [...] } and track it as script.NAME."},
		{Name: "assert", Kind: Any, Wrong: "What must hold in the files is a policy: write policy \"NAME\" { assert { ... } }."},
	}, checkArgs...),
	Blocks: []*Block{
		{Name: "http", Doc: "Asks for a page; redirects are not followed.", Args: []Arg{
			{Name: "url", Kind: String, Required: true, Doc: "http:// or https:// with host and path."},
			{Name: "method", Kind: String, Enum: []string{"GET", "HEAD", "OPTIONS"}, Default: `"GET"`, Doc: "How it asks."},
			{Name: "expect", Kind: Ints, Min: 100, Max: 599, Default: "200 to 299", Doc: "Status codes that are good."},
			{Name: "contains", Kind: String, Doc: "What the first 64 KiB of the answer must hold."},
			{Name: "headers", Kind: Map, Doc: "Sent with the request; plans show them."},
			{Name: "server_name", Kind: String, Default: "the URL's host", Doc: "Asked for with TLS."},
			{Name: "ca_file", Kind: String, Default: "the system's", Doc: "Certificates that are trusted, on the node."},
			{Name: "insecure", Kind: Bool, Default: "false", Doc: "Take any certificate."},
		}},
		{Name: "tcp", Doc: "Opens a connection.", Args: []Arg{
			{Name: "address", Kind: String, Required: true, Doc: `ADDRESS:PORT, such as "127.0.0.1:443".`},
			{Name: "send", Kind: String, Doc: "Written after the connection stands."},
			{Name: "contains", Kind: String, Doc: "What comes back must hold it."},
		}},
		{Name: "process", Doc: "Counts programs that run.", Args: []Arg{
			{Name: "name", Kind: String, Required: true, Doc: "Name of the program, without its directory."},
			{Name: "args", Kind: Strings, Doc: "How its arguments begin."},
			{Name: "min", Kind: Int, Min: 0, Max: 65535, Default: "1", Doc: "At least so many; 0 with max = 0: it must not run."},
			{Name: "max", Kind: Int, Min: 0, Max: 65535, Default: "no limit", Doc: "At most so many."},
		}},
		{Name: "file", Doc: "Looks at a file; alone, it must exist.", Args: []Arg{
			{Name: "path", Kind: String, Required: true, Doc: "Absolute path on the node."},
			{Name: "absent", Kind: Bool, Default: "false", Doc: "Good while there is none."},
			{Name: "contains", Kind: String, Doc: "What its first 64 KiB must hold."},
			{Name: "max_age", Kind: Duration, Min: 1, Max: 366 * day, Doc: "Written to within this time."},
			{Name: "value", Kind: Bool, Default: "false", Doc: "It holds a number, which multiplies the weight; without one, another number than 0 is a failure."},
		}},
		{Name: "ping", Doc: "Sends an echo request.", Args: []Arg{
			{Name: "address", Kind: Address, Required: true, Doc: "Who is asked."},
			{Name: "interface", Kind: String, Default: "as routed", Doc: "Where the request leaves."},
		}},
		{Name: "dns", Doc: "Asks a name server.", Args: []Arg{
			{Name: "server", Kind: String, Required: true, Doc: `ADDRESS:PORT, such as "127.0.0.1:53".`},
			{Name: "name", Kind: String, Required: true, Doc: "What is asked for."},
			{Name: "type", Kind: String, Enum: []string{"A", "AAAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT"}, Default: `"A"`, Doc: "Kind of answer."},
			{Name: "expect", Kind: Strings, Default: "any answer", Doc: "Answers, one of which must be there."},
		}},
	},
}

// Notify tells people or programs about a change of role.
var Notify = Block{
	Name: "notify", Label: "name", Many: true, ForEach: true, Self: true, Doc: "Who hears of a change of role: a program or people.",
	Args: []Arg{
		{Name: "on", Kind: Strings, Required: true, Doc: `Any of "active", "backup", "fault", "stop".`},
	},
	Blocks: []*Block{
		{Name: "exec", Doc: "A program, called with keepalived's arguments: INSTANCE name STATE priority.", Args: []Arg{
			{Name: "command", Kind: Strings, Required: true, Doc: "Program and arguments, no shell between; the path is absolute."},
			{Name: "user", Kind: String, Default: "hafile-script, else nobody", Doc: `Who runs it; root only if "root" is written.`},
			{Name: "timeout", Kind: Duration, Min: 10, Max: hour, Default: `"10s"`, Doc: "After it, the program is killed."},
		}},
		{Name: "email", Doc: "A mail through one relay, without authentication.", Args: []Arg{
			{Name: "to", Kind: Strings, Required: true, Doc: "Who gets it."},
			{Name: "from", Kind: String, Required: true, Doc: "Who it is from."},
			{Name: "relay", Kind: String, Default: `"127.0.0.1:25"`, Doc: "HOST:PORT."},
			{Name: "timeout", Kind: Duration, Min: 10, Max: hour, Default: `"30s"`, Doc: "For the whole delivery."},
		}},
		{Name: "webhook", Doc: "The event as JSON, posted.", Args: []Arg{
			{Name: "url", Kind: String, Required: true, Doc: "http:// or https:// with host and path."},
			{Name: "token", Kind: Secret, Sensitive: true, Doc: `credential("name"), sent as a bearer token.`},
			{Name: "headers", Kind: Map, Doc: "Sent with it; plans show them."},
			{Name: "ca_file", Kind: String, Default: "the system's", Doc: "Certificates that are trusted, on the node."},
			{Name: "timeout", Kind: Duration, Min: 10, Max: hour, Default: `"10s"`, Doc: "For one attempt."},
		}},
	},
}

// Of what may differ between members, an instance takes a default for all of them and
// each member block its own.
var perMember = []Arg{
	{Name: "interface", Kind: String, Default: "the node's interface", Doc: "Where adverts are sent and addresses installed."},
	{Name: "priority", Kind: Int, Min: 1, Max: 255, Default: "from members, else 100", Doc: "Higher wins; 255 is the owner of the address."},
	{Name: "source_address", Kind: Address, Default: "the node's address", Doc: "Where adverts come from; decides between equals."},
	{Name: "preempt", Kind: Bool, Default: "true", Doc: "Take over from an active of lower priority."},
	{Name: "preempt_delay", Kind: Duration, Min: 0, Max: wait, Default: `"0s"`, Doc: "Wait before that."},
	{Name: "start_delay", Kind: Duration, Min: 0, Max: wait, Default: `"0s"`, Doc: "Listen before the timers start."},
	{Name: "notify", Kind: Refs, Refs: []string{"notify"}, Doc: "Who hears of a change of role."},
	{Name: "netns", Kind: String, Default: "the node's netns", Doc: "Network namespace that holds the interface."},
}

var trackBlock = Block{
	Name: "track", Many: true, Doc: "What moves the priority, or hands the addresses over: one thing.",
	Args: []Arg{
		{Name: "script", Kind: Ref, Refs: []string{"script"}, Doc: "A script."},
		{Name: "check", Kind: Ref, Refs: []string{"check"}, Doc: "A check."},
		{Name: "interface", Kind: String, Doc: "An interface: down without carrier. The instance's own is always watched."},
		{Name: "instance", Kind: Ref, Refs: []string{"instance"}, Doc: "Another instance: up while it is active on this node."},
		{Name: "route", Kind: Prefix, Doc: "A route: up while the kernel has one of exactly this prefix."},
		{Name: "table", Kind: Int, Min: 1, Max: 4294967295, Default: "254, main", Doc: "Of the route."},
		{Name: "weight", Kind: Int, Min: -253, Max: 253, Default: "the script's or check's", Doc: "For this instance only."},
		{Name: "reverse", Kind: Bool, Default: "false", Doc: "Turns it round: the sign of what is added; without a weight, up is the failure."},
	},
}

var announceBlock = Block{Name: "announce", Doc: "How an active tells the segment where the addresses are.", Args: []Arg{
	{Name: "repeat", Kind: Int, Min: 1, Max: 60, Default: "5", Doc: "Times, and once more as often after delay."},
	{Name: "delay", Kind: Duration, Min: 0, Max: hour, Default: `"5s"`, Doc: "Until the second round."},
	{Name: "refresh", Kind: Duration, Min: 0, Max: day, Default: `"60s"`, Doc: "Once each; 0: never."},
}}

var preconditionBlock = Block{Name: "precondition", Many: true, Doc: "What must hold before anything else; the message is for whoever reads it.", Args: []Arg{
	{Name: "condition", Kind: Any, Required: true, Doc: "True where all is well."},
	{Name: "error_message", Kind: Any, Required: true, Doc: "What to say otherwise."},
}}

var lifecycleBlock = Block{Name: "lifecycle", Doc: "What an edit may do.", Args: []Arg{
	{Name: "prevent_release", Kind: Bool, Default: "false", Doc: "An edit that takes addresses away needs -allow=release:… for each."},
}}

// instanceArgs are those that members cannot differ in.
var instanceArgs = []Arg{
	{Name: "name", Kind: String, Default: "the label", Doc: "What hooks, mails and status call it."},
	{Name: "enabled", Kind: Bool, Default: "true", Doc: "false: as if the block were not there."},
	{Name: "router_id", Kind: Int, Required: true, Min: 1, Max: 255, Same: true, Doc: "VRID, one per segment and family."},
	{Name: "version", Kind: Int, Min: 2, Max: 3, Default: "3", Same: true, Doc: "VRRP version; passwords exist in 2 only, IPv6 in 3 only."},
	{Name: "advert_int", Kind: Duration, Default: `"1s"`, Same: true, Doc: "Between adverts. Version 2: whole seconds to 255; version 3: centiseconds to 40.95 s."},
	{Name: "transport", Kind: String, Enum: []string{"multicast", "unicast"}, Default: `"multicast"`, Same: true, Doc: "How adverts travel; unicast goes to the addresses of the other members."},
	{Name: "multicast_group", Kind: Address, Default: "224.0.0.18 or ff02::12", Same: true, Doc: "Where multicast goes."},
	{Name: "ttl", Kind: Int, Min: 1, Max: 255, Default: "255", Same: true, Doc: "Of unicast adverts."},
	{Name: "min_ttl", Kind: Int, Min: 0, Max: 255, Default: "0", Same: true, Doc: "Unicast adverts with less are dropped."},
	{Name: "max_ttl", Kind: Int, Min: 0, Max: 255, Default: "255", Same: true, Doc: "Unicast adverts with more are dropped."},
	{Name: "checksum", Kind: String, Enum: []string{"rfc5798", "rfc9568"}, Default: `"rfc5798"`, Same: true, Doc: "Of version 3 over IPv4: with or without the pseudo header."},
	{Name: "down_adverts", Kind: Int, Min: 1, Max: 100, Default: "3", Same: true, Doc: "Missed adverts until a backup takes over."},
	{Name: "members", Kind: Refs, Refs: []string{"node"}, Doc: "Who takes part, in order of preference: priorities 200, 150, 100, 50."},
	{Name: "segment", Kind: String, Same: true, Doc: "Name of the network it is on, where prefixes do not tell."},
	{Name: "accept", Kind: Bool, Default: "true", Same: true, Doc: "The active takes packets for the addresses itself; false: it only forwards."},
	{Name: "virtual_mac", Kind: Bool, Default: "false", Same: true, Doc: "Answer from 00-00-5E-00-01-VRID, on a macvlan."},
	{Name: "lease", Kind: String, Enum: []string{"handover", "strict", "keep"}, Default: `"handover"`, Same: true,
		Doc: "When the addresses of a node that stopped sending go dark: after the takeover, before it, never."},
	{Name: "release", Kind: String, Enum: []string{"hand_over", "at_once"}, Default: `"hand_over"`, Same: true,
		Doc: "On leaving: answer until the successor does, or not a moment longer."},
	{Name: "max_failover", Kind: Duration, Min: 1, Max: day, Doc: "The longest failover that is acceptable; a longer one is a warning."},
}

// Instance is one VRRP virtual router.
var Instance = Block{
	Name: "instance", Label: "name", Many: true, ForEach: true, Self: true, Doc: "One VRRP virtual router: a group of machines that share addresses.",
	Args: append(append([]Arg{}, instanceArgs...), perMember...),
	Blocks: []*Block{
		{Name: "auth", Doc: "How adverts are told from a stranger's.", Args: []Arg{
			{Name: "type", Kind: String, Enum: []string{"pass", "ah", "hmac"}, Required: true, Same: true, Doc: `"pass" and "ah" exist in version 2, "hmac" in keepalived 2.4 and hafile.`},
			{Name: "password", Kind: Secret, Same: true, Sensitive: true, Doc: `Of pass and ah: credential("name"); 8 bytes count.`},
			{Name: "active_key", Kind: Int, Min: 1, Max: 255, Default: "the first key", Doc: "Of hmac: the key that signs."},
			{Name: "mode", Kind: String, Enum: []string{"receive_only", "permissive", "enforce"}, Default: `"enforce"`, Doc: "Of hmac: who signs, and whether unsigned adverts are taken."},
			{Name: "anti_replay", Kind: String, Enum: []string{"time", "monotonic"}, Default: `"time"`, Doc: "Of hmac: what tells a replayed advert."},
			{Name: "window", Kind: Duration, Min: 1000, Max: 300000, Default: "three adverts, at least 5s", Doc: "Of hmac: how far clocks may be apart."},
		}, Blocks: []*Block{{Name: "key", Many: true, Doc: "Of hmac: a key that members may sign with.", Args: []Arg{
			{Name: "id", Kind: Int, Min: 1, Max: 255, Required: true, Doc: "Its number, the same on all members."},
			{Name: "secret", Kind: Secret, Required: true, Sensitive: true, Doc: `credential("name"); 32 to 64 bytes.`},
		}}}},
		{Name: "member", Label: "node", Many: true, PerNode: true, Doc: "What differs on one machine.", Args: perMember, Blocks: []*Block{&trackBlock}},
		{Name: "vip", Many: true, Doc: "One virtual address.", Args: []Arg{
			{Name: "address", Kind: Address, Required: true, Same: true, Doc: "Installed as /32 or /128; a prefix proves the segment."},
			{Name: "interface", Kind: String, Default: "the instance's", Doc: "Where it is installed."},
			{Name: "install_prefix", Kind: Bool, Default: "false", Doc: "Install it with the prefix that is written."},
			{Name: "label", Kind: String, Doc: "Of an IPv4 address: INTERFACE:word."},
			{Name: "scope", Kind: String, Enum: []string{"global", "link", "host"}, Default: `"global"`, Doc: "Of an IPv4 address."},
			{Name: "advertise", Kind: Bool, Default: "true", Doc: "false: installed with the others, and in no advert; of any family."},
		}},
		{Name: "route", Many: true, Doc: "A route that is there while the instance is active.", Args: []Arg{
			{Name: "to", Kind: Prefix, Required: true, Doc: `"10.0.0.0/8", or "default" for that of the instance's family.`},
			{Name: "via", Kind: Address, Doc: "The next router."},
			{Name: "interface", Kind: String, Doc: "Where it leaves."},
			{Name: "type", Kind: String, Enum: []string{"unicast", "blackhole", "unreachable", "prohibit", "throw"}, Default: `"unicast"`, Doc: "What happens to the packets."},
			{Name: "from", Kind: Prefix, Doc: "IPv6 only: source of the packets."},
			{Name: "source", Kind: Address, Doc: "Address that the node itself sends from."},
			{Name: "table", Kind: Int, Min: 1, Max: 4294967295, Default: "254, main", Doc: "Routing table."},
			{Name: "metric", Kind: Int, Min: 0, Max: 4294967295, Default: "the kernel's", Doc: "The lower wins."},
			{Name: "scope", Kind: String, Enum: []string{"global", "link", "host"}, Default: "the kernel's", Doc: "Of an IPv4 route."},
			{Name: "mtu", Kind: Int, Min: 68, Max: 65535, Default: "the interface's", Doc: "Largest packet."},
			{Name: "onlink", Kind: Bool, Default: "false", Doc: "The next router is on the link, whatever its address says."},
		}, Blocks: []*Block{{Name: "nexthop", Many: true, Doc: "One of several ways that share the traffic.", Args: []Arg{
			{Name: "via", Kind: Address, Doc: "The next router."},
			{Name: "interface", Kind: String, Doc: "Where it leaves."},
			{Name: "weight", Kind: Int, Min: 1, Max: 256, Default: "1", Doc: "Its share."},
			{Name: "onlink", Kind: Bool, Default: "false", Doc: "As in route."},
		}}}},
		{Name: "rule", Many: true, Doc: "A rule that chooses a table while the instance is active.", Args: []Arg{
			{Name: "priority", Kind: Int, Required: true, Min: 1, Max: 4294967295, Doc: "The lower is asked first."},
			{Name: "from", Kind: Prefix, Doc: "Source of the packets."},
			{Name: "to", Kind: Prefix, Doc: "Destination of the packets."},
			{Name: "not", Kind: Bool, Default: "false", Doc: "The packets that do not fit."},
			{Name: "iif", Kind: String, Doc: "Interface where they come in."},
			{Name: "oif", Kind: String, Doc: "Interface that the sender is bound to."},
			{Name: "mark", Kind: Int, Min: 0, Max: 4294967295, Doc: "Mark of the packets."},
			{Name: "mask", Kind: Int, Min: 1, Max: 4294967295, Default: "all of it", Doc: "Which bits of the mark count."},
			{Name: "table", Kind: Int, Min: 1, Max: 4294967295, Doc: "The table that is looked into."},
			{Name: "action", Kind: String, Enum: []string{"lookup", "blackhole", "unreachable", "prohibit"}, Default: `"lookup"`, Doc: "Instead of a table."},
			{Name: "suppress_prefix", Kind: Int, Min: -1, Max: 128, Default: "none", Doc: "What is found counts only with a longer prefix."},
		}},
		&trackBlock,
		&announceBlock,
		{Name: "guard", Doc: "What the daemon asks before it takes a plan that touches the instance.", Args: []Arg{
			{Name: "min_live_peers", Kind: Int, Min: 0, Max: 254, Default: "0", Doc: "So many other members are up."},
			{Name: "not_while_flapping", Kind: Duration, Min: 0, Max: day, Default: `"0s"`, Doc: "No change of role within this time."},
			{Name: "window", Kind: String, Default: "always", Doc: `When it may happen: "22:00-04:00" in the node's time.`},
			{Name: "require_backup_ready", Kind: Bool, Default: "false", Doc: "Another member would take the addresses."},
		}},
		&lifecycleBlock,
		&preconditionBlock,
	},
}

// SyncGroup keeps instances on one node.
var SyncGroup = Block{
	Name: "sync_group", Label: "name", Many: true, ForEach: true, Doc: "Instances that are active on one node together.",
	Args: []Arg{
		{Name: "instances", Kind: Refs, Refs: []string{"instance"}, Required: true, Doc: "Which; each is in one group at most."},
		{Name: "notify", Kind: Refs, Refs: []string{"notify"}, Doc: "Who hears when the group changes its role."},
	},
	Blocks: []*Block{&trackBlock, &lifecycleBlock},
}

// Module is a call of another directory. Its other arguments are that one's variables.
var Module = Block{
	Name: "module", Label: "name", Many: true, ForEach: true, Doc: "The blocks of another directory, with values for its variables.",
	Args: []Arg{
		{Name: "source", Kind: Any, Required: true, Doc: `A relative path, "./modules/web-pair", or one that comes with hafile, "hafile/web-pair".`},
	},
	Blocks: []*Block{&preconditionBlock},
}

// Moved and Removed say what an edit means.
var Moved = Block{
	Name: "moved", Many: true, ForEach: true, Doc: "What was called one thing is called another: it keeps running.",
	Args: []Arg{
		{Name: "from", Kind: Any, Required: true, Doc: "The old address, without quotes: instance.web."},
		{Name: "to", Kind: Any, Required: true, Doc: "The new address: module.web.instance.web."},
	},
}

var Removed = Block{
	Name: "removed", Many: true, ForEach: true, Doc: "A thing is gone on purpose.",
	Args: []Arg{
		{Name: "from", Kind: Any, Required: true, Doc: "Its address, without quotes: instance.web."},
		{Name: "release", Kind: String, Enum: []string{"hand_over", "keep_until_peer"}, Default: `"hand_over"`, Doc: "How its addresses go."},
	},
}

// Policy is Terraform's check: what must hold in the whole fleet.
var Policy = Block{
	Name: "policy", Label: "name", Many: true, Doc: "What must hold in the whole fleet.",
	Blocks: []*Block{{Name: "assert", Many: true, Doc: "One condition.", Args: []Arg{
		{Name: "condition", Kind: Any, Required: true, Doc: "True where all is well."},
		{Name: "error_message", Kind: Any, Required: true, Doc: "What to say otherwise."},
		{Name: "severity", Kind: String, Enum: []string{"error", "warning"}, Default: `"error"`, Doc: "How bad that is."},
	}}},
}

// Variable, Locals and Output are Terraform's.
var Variable = Block{
	Name: "variable", Label: "name", Many: true, Doc: "A value that is given from outside.",
	Args: []Arg{
		{Name: "type", Kind: Any, Doc: "string, number, bool, list(...), map(...), object({ a = optional(string, \"x\") }) …"},
		{Name: "default", Kind: Any, Doc: "Its value if nobody gives one."},
		{Name: "description", Kind: String, Doc: "For people."},
		{Name: "sensitive", Kind: Bool, Default: "false", Doc: "No output, message or diff shows it."},
		{Name: "nullable", Kind: Bool, Default: "true", Doc: "false: null means the default."},
	},
	Blocks: []*Block{{Name: "validation", Many: true, Doc: "A condition on the value.", Args: []Arg{
		{Name: "condition", Kind: Any, Required: true, Doc: "True for a good value."},
		{Name: "error_message", Kind: Any, Required: true, Doc: "What to say otherwise."},
	}}},
}

var Locals = Block{Name: "locals", Many: true, Doc: "Named expressions."}

var Output = Block{
	Name: "output", Label: "name", Many: true, Doc: "A value that `hafile output` prints.",
	Args: []Arg{
		{Name: "value", Kind: Any, Required: true, Doc: "The value."},
		{Name: "description", Kind: String, Doc: "For people."},
		{Name: "sensitive", Kind: Bool, Default: "false", Doc: "Do not print it."},
	},
	Blocks: []*Block{&preconditionBlock},
}
