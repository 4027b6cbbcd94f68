package diag

import (
	"slices"
	"strings"
)

// Entry is what `hafile explain CODE` prints. A code is never given another meaning.
type Entry struct {
	Code    string
	Title   string
	Warning bool // accept may name it
	Cause   string
	Example string // what is wrong
	Cure    string // what to write, as sentences
}

// Explain finds the entry of a code.
func Explain(code string) (Entry, bool) {
	i := slices.IndexFunc(entries, func(e Entry) bool { return e.Code == strings.ToUpper(code) })
	if i < 0 {
		return Entry{}, false
	}
	return entries[i], true
}

// Codes lists every code, in order.
func Codes() []Entry {
	all := slices.Clone(entries)
	slices.SortFunc(all, func(a, b Entry) int { return strings.Compare(a.Code, b.Code) })
	return all
}

var entries = []Entry{
	{"HA1000", "The file does not parse", false,
		"What stands there is no HCL: a quote, a brace or an equals sign is missing or one too many.",
		`router_id 51`, `Correct the line, as in router_id = 51. Text stands in quotes, an argument has = and a block has { }.`},
	{"HA1001", "The files are for another release", false,
		"hafile { required_version or language } names what this release is not.",
		`required_version = ">= 9.0"`, "Install a release that fits, or change the constraint."},
	{"HA1002", "Unknown argument or block", false,
		"The block has no argument or block of that name; a typo would otherwise be a setting that does nothing.",
		`script "a" { comand = ["/bin/true"] }`, "Correct the name. The message lists what the block knows, or the nearest name."},
	{"HA1003", "Nothing has this name", false,
		"An expression refers to something that no file declares.",
		`track { script = script.chk_ngnix }`, "Correct the name, or declare the thing."},
	{"HA1004", "The value has the wrong type", false,
		"The argument takes another kind of value.",
		`command = "/usr/bin/pgrep -x nginx"`, `Write what the message shows, such as command = ["/usr/bin/pgrep", "-x", "nginx"].`},
	{"HA1005", "Something depends on itself", false,
		"To know one value another is needed, and for that the first one. The message shows the way round.",
		"locals { a = local.b\n b = local.a }", "Take one of the steps out."},
	{"HA1006", "Declared twice", false,
		"Two blocks have one name, or one argument, reference or block stands twice where once says everything. The files of a directory are one configuration.",
		"node \"a\" {}\nnode \"a\" {}", "Rename or remove one."},
	{"HA1007", "Something is missing", false,
		"The block cannot do without an argument, a label or a nested block.",
		`script "a" {}`, "Write what the message names."},
	{"HA1008", "A reference is needed", false,
		"Another kind of thing, or a string, stands where a reference is meant. Strings are never matched to names: a typo would be found by nobody.",
		`track { script = "nginx" }`, "Write the reference without quotes: script.nginx."},
	{"HA1009", "This is how keepalived writes it", false,
		"The line is a habit from keepalived.conf.",
		"vip 10.0.0.1/24 {}\nadvert_int = 2s\npreempt = on", `Write vip { address = "10.0.0.1/24" }, advert_int = "2s", preempt = true. hafile convert does it for whole files.`},
	{"HA1011", "The file cannot be read", false,
		"It is missing, not text, larger than 4 MiB, or so deeply nested that to parse it could overflow the stack.",
		"((((((((...", "Check the name and the rights; split what is too large or too deep."},
	{"HA1012", "A variable has no good value", false,
		"Nobody gave it one, the value fails its validation, or a value was given to a name that no variable has.",
		`variable "vrid" {}`, "Give it a value with -var, HAFILE_VAR_name, a *.auto.havars.hcl file or a default."},
	{"HA1013", "for_each cannot use this", false,
		"It takes a map or a set of strings: each key becomes part of an address, so that keys must be stable and open.",
		`for_each = ["a", "b"]`, `Write for_each = toset(["a", "b"]), or a map.`},
	{"HA1014", "self or each is not known here", false,
		"self is the node that a plan is made for: it is known in instances and notifies, not where it is decided who takes part. each is known in a block that has for_each.",
		`script "a" { command = ["/bin/x", self.name] }`, "Name the node or the value, or move the expression to where it is known."},
	{"HA1015", "The expression failed", false,
		"A function was called with what it cannot use, or there is no such function. No function reads a clock, chance or the network.",
		`lookup({}, "a")`, "Correct the arguments; try(..., default) gives a default."},
	{"HA1017", "Which node is this machine?", false,
		"None or several of the nodes fit the host name and the addresses of this machine.",
		"hafile plan, on a laptop", "Say it: -node NAME, or HAFILE_NODE, or the host name in the node's match."},
	{"HA1018", "This is not a name", false,
		"A label must be an identifier, so that it can be referred to.",
		`instance "Eth0/1" {}`, `Choose a name of letters, digits, _ and -; an instance can keep the old one as name = "Eth0/1".`},
	{"HA1019", "master is not a word of this language", false,
		"RFC 9568 calls the states active and backup; keepalived and older RFCs say MASTER.",
		`on = ["master"]`, `Write "active".`},

	{"HA1101", "Out of bounds", false, "The value is not among those that the argument takes.",
		"priority = 300", "Write a value within the bounds that the message names."},
	{"HA1102", "Not the address of such a thing", false, "A plan names something by an address of another kind.",
		"script.a in the place of an instance", "Make the plan again with this release."},
	{"HA1103", "Twice in a plan", false, "Two things of a plan have one address.", "", "Make the plan again with this release."},
	{"HA1104", "No program to run", false, "The command is empty or holds a NUL byte.", "command = []", `Write command = ["/path/to/program", "argument"].`},
	{"HA1105", "The path is not absolute", false, "What PATH means differs between a shell and a daemon.",
		`command = ["pgrep", "-x", "nginx"]`, `Write the whole path: command = ["/usr/bin/pgrep", "-x", "nginx"].`},
	{"HA1106", "No such event", false, "A notify names an event that does not exist, or none.", `on = ["up"]`, `Write any of "active", "backup", "fault", "stop".`},
	{"HA1107", "One way to notify", false, "A notify runs a program or sends a mail; it has none or both.", `notify "a" { on = ["active"] }`, "Write exactly one of exec { } and email { }; two ways are two notify blocks."},
	{"HA1108", "The mail cannot be sent like this", false, "An address or the relay is malformed.", `relay = "localhost"`, `Write addresses as name@example.net and the relay as "HOST:25".`},
	{"HA1109", "Not an interface name", false, "Linux allows 1 to 15 bytes without slash and space.", `interface = "ethernet-number-one"`, "Write the name as ip link shows it."},
	{"HA1110", "No such checksum", false, "Version 3 over IPv4 has two forms.", `checksum = "none"`, `Write "rfc5798" or "rfc9568", the same on all members.`},
	{"HA1111", "The other address family", false, "An IPv6 address stands where IPv4 is spoken, or the other way round.", `address = "2001:db8::1"`, "Write an address of the family that the message names."},
	{"HA1112", "One VRID twice on an interface", false, "Two instances of a node are the same virtual router to the network.", "", "Give one of them another router_id."},
	{"HA1113", "No such version", false, "VRRP has versions 2 and 3.", "version = 1", "Write version = 2 or version = 3."},
	{"HA1114", "The password cannot be used", false, "It is empty, or the version has no passwords.", "version = 3 with auth { }", "Write version = 2, or drop the auth block on all members."},
	{"HA1115", "How many addresses", false, "An instance has no vip, or more than an advert holds.", `instance "a" {}`, `Write vip { address = "192.0.2.10" }; at most 255 of them.`},
	{"HA1116", "Not an address", false, "The text is no IP address, or one that cannot be virtual.", `address = "10.0.0.256"`, `Write one address, as "192.0.2.10" or "192.0.2.10/24".`},

	{"HA1201", "One VRID twice on a segment", false,
		"Two instances with one VRID and family on one network take each other's adverts for their own.",
		"router_id = 51 in two instances on eth0", `Give one of them another router_id; say segment = "..." in both where the networks are apart.`},
	{"HA1202", "Members disagree", false,
		"VRID, version, interval, transport, password and addresses must be equal on all members, or both turn active.",
		`advert_int = self.name == "lb1" ? "1s" : "2s"`, "Write one value for all members, without self."},
	{"HA1203", "Equal priorities", true,
		"Between equals the higher source address wins, which nobody sees who reads the priorities.",
		"priority = 100 in both members", "Give the preferred node more."},
	{"HA1204", "An address that is not free", true,
		"A virtual address stands in two instances (an error), is a machine's own, or is outside of a member's network (warnings).",
		`vip { address = "10.0.0.11" } with node "lb1" { address = "10.0.0.11" }`, "Choose a free address of the segment."},
	{"HA1206", "Two nodes with one address", false,
		"Each machine sends adverts from its own address.", `node "a" and node "b" with address = "10.0.0.11"`, "Correct one of them."},
	{"HA1207", "255 belongs to the owner", true,
		"Priority 255 says that the virtual address is the machine's own (RFC 9568, 5.2.4): it never waits, and no check moves it.",
		"priority = 255", "Write 254 or less."},
	{"HA1301", "This check cannot move the addresses", true,
		"Even while it is down, the preferred node stays above the next one: the check is for nothing.",
		"priorities 100 and 50 with weight = -2", "Give it a weight larger than the distance of the priorities, or none: without weight a failure hands over."},
	{"HA1302", "The priority leaves 1..254", false,
		"Sums beyond the ends are held there, and part of a weight does nothing.",
		"priority = 250 with weight = 20", "Choose weights that stay within, as the message counts."},
	{"HA1303", "A script can outlast its interval", true,
		"A run that may take longer than the interval is followed at once by the next: a death is noticed later than interval times fall.",
		`interval = "2s" with timeout = "5s"`, "Write a timeout of at most the interval, or a longer interval."},
	{"HA1305", "An interval that the version cannot say", false,
		"VRRPv2 sends whole seconds from 1 to 255, VRRPv3 centiseconds to 40.95 s.",
		`version = 2 with advert_int = "500ms"`, `Write advert_int = "1s", or version = 3 on all members.`},
	{"HA1402", "Who takes part", true,
		"A group of one cannot fail over (a warning); a member that no node is called, or no member at all, is an error.",
		`members = [node.a]`, "Name two nodes or more that are declared."},

	{"HA1901", "Not in this release", false,
		"The word is part of the language, and this release cannot do it yet. Nothing is ignored in silence.",
		`check "web" { }`, "Take it out, or wait for the release that has it."},

	{"HA2101", "The password is longer than 8 bytes", true,
		"VRRPv2 has room for 8; the rest is never sent.", `password = "1234567890"`, "Write the first 8 bytes only."},
	{"HA2102", "The password travels in clear", true,
		"Everybody on the segment can read it; RFC 3768 dropped it for that. It keeps groups from mixing up and nothing more.",
		`auth { type = "pass" }`, "Drop the auth block on all members at once, where no keepalived needs it."},
	{"HA2103", "A secret in an open place", false,
		"A sensitive value stands in an argument or output that is shown.", "command = [\"/bin/x\", var.password]", "Use a value that is not sensitive, or sensitive = true in an output."},
	{"HA2104", "The password stands in the file", true,
		"It would be in version control and in the plan.", `password = "1111"`, `Write password = credential("NAME") and put the value into the credentials directory of each node.`},

	{"HA3001", "A plan for another node", false, "A plan names the node that it is for, and this is another one.",
		"hafile apply lb2.plan on lb1", "Make the plan on this node, or apply it on the one that it names."},
	{"HA3002", "A plan for another daemon", false, "The plan was made against a daemon that was installed before, or elsewhere: its lineage differs.",
		"a plan from before the state directory was emptied", "Make the plan again."},
	{"HA3003", "Applied already", false, "What runs is what the plan wants.", "hafile apply, twice", "There is nothing to do."},
	{"HA3004", "More impact than allowed", false, "The plan would do more to the addresses than -max-impact allows.",
		"-max-impact=stays with an edit that moves an address", "Allow it, or split the edit."},
	{"HA3005", "The configuration moved on", false, "Another plan was applied since this one was made.", "two people with a plan each", "Make the plan again, and look at what changed in between."},
	{"HA3006", "The role moved on", false, "The node has another role than when the plan was made, and in that role the plan does more.",
		"planned as backup, applied as active", "Make the plan again."},
	{"HA3007", "A peer moved on", false, "Another member runs another plan than when this one was made.", "lb2 was changed in between", "Make the plan again."},
	{"HA3008", "The plan expired", false, "A plan is for the state that it was made against, and time makes that doubtful.", "a plan of yesterday", "Make the plan again, or with -expires 0 for archives."},
	{"HA3009", "A secret in a plan file", false, "The plan holds a password itself, and a file would carry it.", `password = "1111" with plan -out`,
		`Write password = credential("NAME"), or allow it with -allow-inline-secrets.`},
	{"HA3010", "Not a plan file", false, "The file is damaged, or is something else.", "hafile show notes.txt", "Make the plan again with plan -out."},
	{"HA3011", "A plan of another release", false, "The format, or something in what is desired, is not known to this release.", "a plan of a newer hafile", "Install the newer release here, or make the plan with this one."},

	{"HA3101", "There is no such interface", false, "The plan names an interface that the node does not have.", `interface = "eth9"`, "Correct the name, or create the interface first."},
	{"HA3102", "Somebody else answers for the address", false, "A machine that is not a member answers for an address that the plan would add.", "an address that is in use", "Choose a free address, or take it from the other machine first."},
	{"HA3103", "A neighbour speaks another dialect", false, "Somebody sends adverts with the VRID in another version, with another password or another interval.", "advert_int = 1s here and 2s there",
		"Make all members equal, or choose another router_id."},
	{"HA3104", "The program is missing or unsafe", false, "A program of the plan does not exist, cannot be run, or could be changed by others than root.", "a script that anybody can write",
		"Install it; give it and its directories to root, writable by nobody else."},
	{"HA3105", "The secret is missing", false, "The plan refers to a credential or file that the node does not have, or cannot read.", `credential("vrrp-VI_1")`, "Put the value into the credentials directory, mode 0600."},

	{"HA4001", "A block of keepalived.conf is not closed", false, "The file ends inside of a block.", "vrrp_instance VI_1 {", "Add the missing }."},
	{"HA4002", "A brace closes nothing", false, "There is one } more than {.", "}}", "Take it out, or find the { that is missing above."},
	{"HA4003", "A brace in the wrong place", false, "A keyword that takes no block has one, one that needs a block has none, or blocks are nested too deep.", "priority {", "Correct the braces around the line."},
	{"HA4004", "A quote is not closed", false, "keepalived drops the rest of the line.", `script "/bin/x`, "Add the missing quote."},
	{"HA4005", "A line that keepalived cannot read", false, "It holds a NUL byte or is too long.", "", "Correct the line."},
	{"HA4006", "A parameter that cannot be expanded", true, "A $NAME has no value, an expansion does not end, or a sequence has no end.", "$VIP without a definition", "Define it, or write the value."},
	{"HA4007", "A word that keepalived does not know", true, "keepalived ignores it, and so it does nothing today.", "prioritiy 100", "Correct the word in the original, or take it out."},
	{"HA4008", "It does not do what it says", true, "keepalived ignores the directive, or reads another value than stands there; the result does what keepalived does.", "nopreempt beside state MASTER", "Correct the original if another thing was meant."},
	{"HA4009", "An included file is not in the result", true, "The converter reads the files that it is given.", "include vips.conf", "Put the text of the file in the place of the include."},
	{"HA4010", "The nodes disagree", false, "What must be equal on all members differs between the originals.", "two files with different VIPs", "Make the originals equal; the message shows both places."},
	{"HA4011", "The result could not carry it", false, "A value of the original is none that the network could carry, or two instances are one.", "virtual_router_id 0", "Correct the original."},
	{"HA4012", "Not in the result", true, "hafile, or this release of it, does not do it. The report says so line by line.", "virtual_server", "Keep keepalived for it, or do what the line of the report says."},
	{"HA4013", "A secret was moved", true, "The password of the original is not in the result: it refers to a credential.", "auth_pass 1111", "Install the file that was written beside the result on each node."},
	{"HA4014", "The result does not compile", false, "The converter made something that the compiler refuses.", "", "Correct what the diagnostics above name in the original; if nothing is wrong there, report it."},
	{"HA4015", "A script that is not there", true, "keepalived does not track a script that no file defines, or that is defined further down.", "track_script { chk } without vrrp_script", "Define it above, or take the line out."},
	{"HA4016", "Nothing to run", true, "The originals hold no instance that could be converted.", "a file with LVS only", "Convert the files that hold vrrp_instance."},
	{"HA4017", "An address in two instances", false, "Two instances of the originals have the same VIP.", "the same virtual_ipaddress twice", "Take it out of one of the originals."},
	{"HA4018", "Two nodes with one address", false, "The originals give two nodes the same source address.", "mcast_src_ip copied from the other node", "Correct it in one of the originals."},

	{"HA5001", "The test file does not parse", false, "What stands there is no HCL.", "", "Correct the line."},
	{"HA5002", "The test cannot be run", false, "A story or an assertion is incomplete, or names something that is not there.", "", "Correct what the message names."},
	{"HA5003", "Assertion failed", false, "What the story did is not what the test promises.", "", "Look at the timeline: either the promise is wrong or the configuration."},
}
