package schema

const (
	day  = 24 * 60 * 60 * 1000 // milliseconds
	hour = 60 * 60 * 1000
	// longest wait that a timer of the runtime takes, see plan.Verify
	wait = 1_000_000
)

// File is what may stand at the top of a file.
var File = Block{Blocks: []*Block{
	&Hafile, &Node, &Script, &Notify, &Instance, &Variable, &Locals, &Output,
	later("check", "name"), later("sync_group", "name"), later("module", "name"), later("moved", ""),
	later("removed", ""), later("policy", "name"), later("function", "name"),
}}

// later is a block that a later release will know.
func later(name, label string) *Block {
	return &Block{Name: name, Label: label, Many: true, Later: true}
}

// Hafile is decoded before everything else, and alone.
var Hafile = Block{
	Name: "hafile", Doc: "What holds for the whole set of files.",
	Args: []Arg{
		{Name: "required_version", Kind: String, Doc: `Releases that may compile these files: ">= 0.1", "~> 0.1".`},
		{Name: "language", Kind: Int, Min: 1, Max: 1000, Default: "1", Doc: "Meaning of the files; a release never changes it."},
		{Name: "accept", Kind: Strings, Doc: "Codes of warnings that are known and accepted; the plan lists them."},
		{Name: "env", Kind: Strings, Doc: "Names that env() may read, beside HAFILE_*."},
		{Name: "max_impact", Kind: String, Later: true},
	},
	Blocks: []*Block{later("defaults", "")},
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
		{Name: "ssh", Kind: String, Later: true},
		{Name: "status", Kind: String, Later: true},
		{Name: "speaks", Kind: String, Later: true},
	},
}

// Script is a check that runs a program.
var Script = Block{
	Name: "script", Label: "name", Many: true, ForEach: true, Doc: "A program whose exit code says whether the node may be active.",
	Args: []Arg{
		{Name: "command", Kind: Strings, Required: true, Doc: "Program and arguments, no shell between; the path is absolute."},
		{Name: "user", Kind: String, Default: "hafile-script, else nobody", Doc: `Who runs it; root only if "root" is written.`},
		{Name: "env", Kind: Map, Doc: "Environment of the program, beside PATH."},
		{Name: "interval", Kind: Duration, Min: 10, Max: day, Default: `"1s"`, Doc: "From one start to the next."},
		{Name: "timeout", Kind: Duration, Min: 10, Max: day, Default: "interval", Doc: "After it, the run is killed and counts as failed."},
		{Name: "fall", Kind: Int, Min: 1, Max: 1000, Default: "3", Doc: "Failures in a row until it is down."},
		{Name: "rise", Kind: Int, Min: 1, Max: 1000, Default: "2", Doc: "Successes in a row until it is up."},
		{Name: "weight", Kind: Int, Min: -253, Max: 253, Default: "none",
			Doc: "Below 0: added to the priority while down; above 0: while up. Without: a failure hands the addresses over."},
		{Name: "on_fail", Kind: String, Later: true},
	},
	Blocks: []*Block{wrongProbe("http"), wrongProbe("tcp"), wrongProbe("process"), wrongProbe("file"), wrongProbe("ping"), wrongProbe("dns")},
}

// wrongProbe is a probe of `check`, known here so that the message can say so.
func wrongProbe(name string) *Block { return &Block{Name: name, Later: true, Many: true} }

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
		later("webhook", ""),
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
}

var trackBlock = Block{
	Name: "track", Many: true, Doc: "What moves the priority, or hands the addresses over.",
	Args: []Arg{
		{Name: "script", Kind: Ref, Refs: []string{"script"}, Doc: "The script."},
		{Name: "weight", Kind: Int, Min: -253, Max: 253, Default: "the script's", Doc: "For this instance only."},
		{Name: "check", Kind: Ref, Refs: []string{"check"}, Later: true},
		{Name: "interface", Kind: String, Later: true},
	},
}

// Instance is one VRRP virtual router.
var Instance = Block{
	Name: "instance", Label: "name", Many: true, ForEach: true, Self: true, Doc: "One VRRP virtual router: a group of machines that share addresses.",
	Args: append([]Arg{
		{Name: "name", Kind: String, Default: "the label", Doc: "What hooks, mails and status call it."},
		{Name: "enabled", Kind: Bool, Default: "true", Doc: "false: as if the block were not there."},
		{Name: "router_id", Kind: Int, Required: true, Min: 1, Max: 255, Same: true, Doc: "VRID, one per segment and family."},
		{Name: "version", Kind: Int, Min: 2, Max: 3, Default: "3", Same: true, Doc: "VRRP version; passwords exist in 2 only."},
		{Name: "advert_int", Kind: Duration, Default: `"1s"`, Same: true, Doc: "Between adverts. Version 2: whole seconds to 255; version 3: centiseconds to 40.95 s."},
		{Name: "transport", Kind: String, Enum: []string{"multicast", "unicast"}, Default: `"multicast"`, Same: true, Doc: "How adverts travel."},
		{Name: "checksum", Kind: String, Enum: []string{"rfc5798", "rfc9568"}, Default: `"rfc5798"`, Same: true, Doc: "Of version 3 over IPv4: with or without the pseudo header."},
		{Name: "down_adverts", Kind: Int, Min: 1, Max: 100, Default: "3", Same: true, Doc: "Missed adverts until a backup takes over."},
		{Name: "members", Kind: Refs, Refs: []string{"node"}, Doc: "Who takes part, in order of preference: priorities 200, 150, 100, 50."},
		{Name: "segment", Kind: String, Same: true, Doc: "Name of the network it is on, where prefixes do not tell."},
		{Name: "accept", Kind: Bool, Later: true},
		{Name: "virtual_mac", Kind: Bool, Later: true},
		{Name: "lease", Kind: String, Later: true},
		{Name: "release", Kind: String, Later: true},
		{Name: "max_failover", Kind: Duration, Later: true},
	}, perMember...),
	Blocks: []*Block{
		{Name: "auth", Doc: "VRRPv2 authentication, as keepalived still speaks it.", Args: []Arg{
			{Name: "type", Kind: String, Enum: []string{"pass", "ah", "hmac"}, Required: true, Same: true, Doc: `"pass".`},
			{Name: "password", Kind: Secret, Required: true, Same: true, Sensitive: true, Doc: `credential("name"); 8 bytes count.`},
		}},
		{Name: "member", Label: "node", Many: true, PerNode: true, Doc: "What differs on one machine.", Args: perMember, Blocks: []*Block{&trackBlock}},
		{Name: "vip", Many: true, Doc: "One virtual address.", Args: []Arg{
			{Name: "address", Kind: Address, Required: true, Same: true, Doc: "Installed as /32; a prefix proves the segment."},
			{Name: "interface", Kind: String, Default: "the instance's", Doc: "Where it is installed."},
			{Name: "install_prefix", Kind: Bool, Later: true},
			{Name: "label", Kind: String, Later: true},
			{Name: "scope", Kind: String, Later: true},
		}},
		&trackBlock,
		{Name: "announce", Doc: "How an active tells the segment where the addresses are.", Args: []Arg{
			{Name: "repeat", Kind: Int, Min: 1, Max: 60, Default: "5", Doc: "Times, and once more as often after delay."},
			{Name: "delay", Kind: Duration, Min: 0, Max: hour, Default: `"5s"`, Doc: "Until the second round."},
			{Name: "refresh", Kind: Duration, Min: 0, Max: day, Default: `"60s"`, Doc: "Once each; 0: never."},
		}},
		later("route", ""), later("rule", ""), later("guard", ""), later("lifecycle", ""), later("precondition", ""),
	},
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
	Blocks: []*Block{later("precondition", "")},
}
