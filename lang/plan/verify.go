package plan

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Problem is a rule that a plan breaks. Code is stable; Path names the field under
// Address, in the words of the language.
type Problem struct {
	Code    string
	Address Addr
	Path    string
	Src     Src
	Message string
	// Cure says what to write; empty: what `hafile explain CODE` says of all of them.
	Cure string
}

func (p Problem) Error() string {
	return fmt.Sprintf("%s: %s %s: %s", p.Code, p.Address, p.Path, p.Message)
}

// The events that a notify can ask for.
var NotifyEvents = []string{"active", "backup", "fault", "stop"}

// Verify lists every rule that the plan breaks: the one rule book for `validate`, which
// adds positions, and for the daemon, which trusts no plan that it has not verified.
// What needs several nodes to be seen is not here but in the fleet proofs; what is sound
// and this release cannot do is [Unsupported].
func Verify(p *Plan) []Problem {
	v := verifier{plan: p, seen: map[Addr]bool{}, wire: map[WireKey]Addr{}, vip: map[vipKey]Addr{}, grouped: map[Addr]Addr{}}
	if p.Language != Language {
		v.add("HA1001", "plan", "language", Src{}, "this release knows language %d, the plan wants %d", Language, p.Language)
	}
	if p.Node == "" {
		v.add("HA1001", "plan", "node", Src{}, "the plan does not say which node it is for")
	}
	d := &p.Desired
	for i := range d.Checks {
		v.check(&d.Checks[i])
	}
	for i := range d.Notifies {
		v.notify(&d.Notifies[i])
	}
	for i := range d.Instances {
		v.instance(&d.Instances[i])
	}
	for i := range d.Groups {
		v.group(&d.Groups[i])
	}
	for _, r := range p.Removed {
		if r.Release != RemoveHandOver && r.Release != RemoveKeepUntilPeer {
			v.add("HA1101", r.From, "release", r.Src, "%q is neither %s nor %s", r.Release, RemoveHandOver, RemoveKeepUntilPeer)
		}
	}
	return v.problems
}

type vipKey struct {
	netns, iface string
	vip          netip.Prefix
}

type verifier struct {
	plan     *Plan
	problems []Problem
	seen     map[Addr]bool
	wire     map[WireKey]Addr
	vip      map[vipKey]Addr
	grouped  map[Addr]Addr
}

func (v *verifier) add(code string, a Addr, path string, src Src, format string, args ...any) {
	v.problems = append(v.problems, Problem{Code: code, Address: a, Path: path, Src: src, Message: fmt.Sprintf(format, args...)})
}

// cure says what to write instead of what the last problem is about.
func (v *verifier) cure(format string, args ...any) {
	v.problems[len(v.problems)-1].Cure = fmt.Sprintf(format, args...)
}

// bounds adds a problem when n is outside lo..hi.
func (v *verifier) bounds(a Addr, path string, src Src, n, lo, hi int64, unit string) {
	if n < lo || n > hi {
		v.add("HA1101", a, path, src, "must be %d..%d%s, got %d", lo, hi, unit, n)
		v.cure("Write a value from %d to %d%s.", lo, hi, unit)
	}
}

func (v *verifier) address(a Addr, kinds []string, src Src) {
	if !slices.Contains(kinds, a.Kind()) || a.Name() == "" {
		v.add("HA1102", a, "address", src, "is not an address of a %s", strings.Join(kinds, " or a "))
	}
	if v.seen[a] {
		v.add("HA1103", a, "address", src, "stands in the plan twice")
	}
	v.seen[a] = true
}

// command wants an absolute path: what PATH means differs between a shell and a daemon.
func (v *verifier) command(a Addr, command []string, src Src) {
	switch {
	case len(command) == 0 || command[0] == "":
		v.add("HA1104", a, "command", src, "must name a program")
	case !filepath.IsAbs(command[0]):
		v.add("HA1105", a, "command", src, "%q must be an absolute path", command[0])
	}
	for _, arg := range command {
		if strings.ContainsRune(arg, 0) {
			v.add("HA1104", a, "command", src, "holds a NUL byte")
		}
	}
}

func (v *verifier) notify(n *Notify) {
	v.address(n.Address, []string{"notify"}, n.Src)
	for _, on := range n.On {
		if !slices.Contains(NotifyEvents, on) {
			v.add("HA1106", n.Address, "on", n.Src, "%q is none of %s", on, strings.Join(NotifyEvents, ", "))
		}
	}
	if len(n.On) == 0 {
		v.add("HA1106", n.Address, "on", n.Src, "names no event of %s", strings.Join(NotifyEvents, ", "))
	}
	ways := 0
	if n.Exec != nil {
		ways++
		v.command(n.Address, n.Exec.Command, n.Src)
		v.bounds(n.Address, "timeout", n.Src, n.Exec.TimeoutMs, 10, 3600000, " ms")
	}
	if n.Email != nil {
		ways++
		v.email(n)
	}
	if n.Webhook != nil {
		ways++
		v.url(n.Address, "url", n.Webhook.URL, n.Src)
		v.headers(n.Address, n.Webhook.Headers, n.Src)
		v.bounds(n.Address, "timeout", n.Src, n.Webhook.TimeoutMs, 10, 3600000, " ms")
	}
	switch {
	case ways == 0:
		v.add("HA1107", n.Address, "exec", n.Src, "is missing: a notify has one of exec, email and webhook")
	case ways > 1:
		v.add("HA1107", n.Address, "exec", n.Src, "stands beside another way: a notify has one of exec, email and webhook")
	}
}

func (v *verifier) email(n *Notify) {
	v.bounds(n.Address, "timeout", n.Src, n.Email.TimeoutMs, 10, 3600000, " ms")
	if len(n.Email.To) == 0 {
		v.add("HA1108", n.Address, "to", n.Src, "names nobody")
	}
	for _, to := range n.Email.To {
		v.mailAddress(n, "to", to)
	}
	v.mailAddress(n, "from", n.Email.From)
	if !hostPort(n.Email.Relay) {
		// The value is not shown: some write a user and a password into it.
		v.add("HA1108", n.Address, "relay", n.Src, "is not HOST:PORT")
		v.cure("%s", relayCure(n.Email.Relay))
	}
}

var hostOnly = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]*$`)

func relayCure(relay string) string {
	if hostOnly.MatchString(relay) {
		return fmt.Sprintf("Write relay = \"%s:25\".", relay)
	}
	return `Write host and port and nothing else, as in relay = "mail.example.net:25": there is neither scheme nor user.`
}

func (v *verifier) mailAddress(n *Notify, path, s string) {
	if strings.Contains(s, "@") && !strings.ContainsAny(s, " \t\r\n<>,") {
		return
	}
	v.add("HA1108", n.Address, path, n.Src, "%q is not a mail address", s)
	_, after, named := strings.Cut(s, "<")
	bare, _, closed := strings.Cut(after, ">")
	switch {
	case named && closed:
		v.cure("Write the address without a name: %q.", bare)
	case strings.ContainsAny(s, " ,"):
		v.cure("Write each address as an element of its own: [\"a@example.net\", \"b@example.net\"].")
	default:
		v.cure("Write name@example.net.")
	}
}

// hostPort reports whether s is HOST:PORT; an IPv6 host stands in brackets.
func hostPort(s string) bool {
	if strings.HasPrefix(s, "[") {
		_, err := netip.ParseAddrPort(s)
		return err == nil
	}
	host, port, ok := strings.Cut(s, ":")
	n, err := strconv.Atoi(port)
	return ok && host != "" && err == nil && n > 0 && n < 65536
}

func (v *verifier) instance(i *Instance) {
	v.address(i.Address, []string{"instance"}, i.Src)
	v.device(i.Address, "interface", i.Interface, i.Src)
	v.bounds(i.Address, "router_id", i.Src, int64(i.VRID), 1, 255, "")
	v.bounds(i.Address, "priority", i.Src, int64(i.Priority), 1, 255, "")
	v.bounds(i.Address, "down_adverts", i.Src, int64(i.DownAdverts), 1, 100, "")
	v.bounds(i.Address, "preempt_delay", i.Src, i.PreemptDelayMs, 0, 1000000, " ms")
	v.bounds(i.Address, "start_delay", i.Src, i.StartDelayMs, 0, 1000000, " ms")
	v.bounds(i.Address, "announce.repeat", i.Src, int64(i.Announce.Repeat), 1, 60, "")
	v.bounds(i.Address, "announce.delay", i.Src, i.Announce.DelayMs, 0, 3600000, " ms")
	v.bounds(i.Address, "announce.refresh", i.Src, i.Announce.RefreshMs, 0, 86400000, " ms")
	v.interval(i)
	v.auth(i)
	v.transport(i)
	v.word(i.Address, "lease", i.Lease, i.Src, LeaseHandover, LeaseStrict, LeaseKeep)
	v.word(i.Address, "release", i.Release, i.Src, ReleaseHandOver, ReleaseAtOnce)
	v.guard(i)
	if i.Checksum != "rfc5798" && i.Checksum != "rfc9568" {
		v.add("HA1110", i.Address, "checksum", i.Src, "%q is neither rfc5798 nor rfc9568", i.Checksum)
	}
	if i.SourceAddress.IsValid() && FamilyOf(i.SourceAddress) != i.Family {
		v.add("HA1111", i.Address, "source_address", i.Src, "%s is not an %s address", i.SourceAddress, i.Family)
	}
	if other, taken := v.wire[i.Wire()]; taken {
		v.add("HA1112", i.Address, "router_id", i.Src, "%s has VRID %d on %s already", other, i.VRID, i.Interface)
	}
	v.wire[i.Wire()] = i.Address
	v.vips(i)
	v.routes(i)
	v.rules(i)
	v.members(i)
	v.tracks(i.Address, i.Track)
	v.notifies(i.Address, i.Notify, i.Src)
}

// transport is what the family and the way of the adverts need.
func (v *verifier) transport(i *Instance) {
	v.word(i.Address, "family", string(i.Family), i.Src, string(IPv4), string(IPv6))
	v.word(i.Address, "transport", string(i.Transport), i.Src, string(Multicast), string(Unicast))
	if i.Family == IPv6 && i.Version == 2 {
		v.add("HA1113", i.Address, "version", i.Src, "must be 3: version 2 knows no IPv6")
		v.cure("Write version = 3 on all members, or leave it out.")
	}
	if g := i.MulticastGroup; g.IsValid() {
		switch {
		case i.Transport != Multicast:
			v.add("HA1117", i.Address, "multicast_group", i.Src, "is for transport = \"multicast\"")
			v.cure("Leave it out: unicast goes to the addresses of the other members.")
		case FamilyOf(g) != i.Family || !g.IsMulticast() || i.Family == IPv6 && !g.IsLinkLocalMulticast():
			v.add("HA1117", i.Address, "multicast_group", i.Src, "%s is no group of %s on one link", g, i.Family)
			v.cure("Leave it out for 224.0.0.18 or ff02::12, or write another group of the family.")
		}
	}
	if i.Transport != Unicast && (i.TTL != 255 || i.MinTTL != 0 || i.MaxTTL != 255) {
		v.add("HA1117", i.Address, "ttl", i.Src, "is for transport = \"unicast\": multicast sends 255 and takes nothing else")
	}
	if i.MinTTL > i.MaxTTL {
		v.add("HA1117", i.Address, "min_ttl", i.Src, "is above max_ttl: every advert would be dropped")
		v.cure("Write min_ttl = %d and max_ttl = %d, or what the way of the adverts needs.", i.MaxTTL, i.MinTTL)
	}
	if i.Transport == Unicast && len(i.Peers(v.plan.Node)) == 0 {
		v.add("HA1401", i.Address, "transport", i.Src, "unicast needs another member with an %s address", i.Family)
	}
}

// interval has one code for bounds and unit: what is wrong is the same argument, and what
// a version can say is one sentence.
func (v *verifier) interval(i *Instance) {
	ms := i.AdvertMs
	switch i.Version {
	case 2:
		if ms < 1000 || ms > 255000 || ms%1000 != 0 {
			v.add("HA1305", i.Address, "advert_int", i.Src, "is %d ms, and VRRPv2 sends whole seconds from 1 to 255", ms)
			if ms < 1000 {
				v.cure("Write advert_int = \"1s\", or version = 3 on all members.")
			} else {
				v.cure("Write whole seconds, such as advert_int = \"%ds\".", min(max(1, ms/1000), 255))
			}
		}
	case 3:
		if ms < 10 || ms > 40950 || ms%10 != 0 {
			v.add("HA1305", i.Address, "advert_int", i.Src, "is %d ms, and VRRPv3 sends centiseconds from 10 ms to 40.95 s", ms)
			switch {
			case ms < 10:
				v.cure("Write advert_int = \"1s\", or \"10ms\" at the least.")
			case ms > 40950 && ms <= 255000 && ms%1000 == 0:
				v.cure("For %d seconds write version = 2 on all members. A number without a unit counts seconds: \"%dms\" are milliseconds.", ms/1000, ms/1000)
			case ms > 40950:
				v.cure("Write \"40.95s\" at the most. A number without a unit counts seconds: \"100ms\" is a tenth of one.")
			default:
				v.cure("Write a multiple of 10 ms, such as \"%dms\".", ms/10*10)
			}
		}
	default:
		v.add("HA1113", i.Address, "version", i.Src, "must be 2 or 3, got %d", i.Version)
	}
}

func (v *verifier) auth(i *Instance) {
	a := i.Auth
	if a == nil {
		return
	}
	switch a.Type {
	case AuthPass, AuthAH:
		if i.Version != 2 {
			v.add("HA1114", i.Address, "auth", i.Src, "a password exists in VRRPv2 only")
			v.cure("Write version = 2 on all members, or take the auth block out.")
			if i.Family == IPv6 {
				v.cure("Take the auth block out, or write type = \"hmac\" with key blocks: IPv6 has no version 2.")
			}
		}
		if a.Password == (Secret{}) {
			v.add("HA1114", i.Address, "auth.password", i.Src, "is empty")
		}
		if len(a.Keys) > 0 {
			v.add("HA1114", i.Address, "auth.key", i.Src, "keys belong to type = \"hmac\"")
			v.cure("Take the key blocks out, or write type = \"hmac\" without a password.")
		}
	case AuthHMAC:
		v.hmac(i, a)
	default:
		v.add("HA1101", i.Address, "auth.type", i.Src, "%q is none of %s, %s, %s", a.Type, AuthPass, AuthAH, AuthHMAC)
	}
}

func (v *verifier) hmac(i *Instance, a *Auth) {
	if a.Password != (Secret{}) {
		v.add("HA1114", i.Address, "auth.password", i.Src, "is for type = \"pass\": hmac has keys")
		v.cure("Leave it out, or write type = \"pass\" and no key blocks.")
	}
	var ids []uint8
	for _, k := range a.Keys {
		switch {
		case k.ID == 0:
			v.add("HA1114", i.Address, "auth.key", k.Src, "a key is numbered 1..255, got 0")
		case slices.Contains(ids, k.ID):
			v.add("HA1114", i.Address, "auth.key", k.Src, "key %d stands there twice", k.ID)
			v.cure("Give each key a number of its own.")
		}
		ids = append(ids, k.ID)
		if _, err := KeyBytes(k.Key.Value); err != nil && k.Key.Inline() && k.Key.Value != Redacted {
			v.add("HA1114", i.Address, "auth.key", k.Src, "key %d %s", k.ID, err)
			v.cure("Write secret = credential(\"NAME\") and put 32 to 64 random bytes there, the same on all members.")
		}
		if k.Key == (Secret{}) {
			v.add("HA1114", i.Address, "auth.key", k.Src, "key %d is empty", k.ID)
		}
	}
	switch {
	case len(ids) == 0:
		v.add("HA1114", i.Address, "auth", i.Src, "needs a key block: hmac signs with a key")
		v.cure("Write key { } with id = 1 and secret = credential(\"NAME\"), an argument a line.")
	case !slices.Contains(ids, a.ActiveKey):
		v.add("HA1114", i.Address, "auth.active_key", i.Src, "%d is no key of the block", a.ActiveKey)
		v.cure("Write the id of a key block.")
	}
	v.word(i.Address, "auth.mode", a.Mode, i.Src, HMACReceiveOnly, HMACPermissive, HMACEnforce)
	v.word(i.Address, "auth.anti_replay", a.AntiReplay, i.Src, ReplayTime, ReplayMonotonic)
	if a.WindowMs != 0 {
		v.bounds(i.Address, "auth.window", i.Src, a.WindowMs, 1000, 300000, " ms")
	}
}

func (v *verifier) guard(i *Instance) {
	g := i.Guard
	if g == nil {
		return
	}
	v.bounds(i.Address, "guard.min_live_peers", i.Src, int64(g.MinLivePeers), 0, 254, "")
	v.bounds(i.Address, "guard.not_while_flapping", i.Src, g.NotWhileFlappingMs, 0, 86400000, " ms")
	if _, _, ok := ParseWindow(g.Window); g.Window != "" && !ok {
		v.add("HA1101", i.Address, "guard.window", i.Src, "%q is not HH:MM-HH:MM", g.Window)
		v.cure("Write window = \"22:00-04:00\".")
	}
	if others := len(i.Members) - 1; g.MinLivePeers > max(others, 0) {
		v.add("HA1101", i.Address, "guard.min_live_peers", i.Src, "must be at most %d, the other members", max(others, 0))
		v.cure("Write min_live_peers = %d or less.", max(others, 0))
	}
}

// vips also refuses more addresses than an advert holds: the count is one byte, and
// hafile never sends a fragment. 1500 bytes less the IP header, 8 of VRRP and what
// authentication adds hold 363 IPv4 or 90 IPv6 addresses at most.
func (v *verifier) vips(i *Instance) {
	most, advertised := mostVIPs(i), 0
	for _, vip := range i.VIPs {
		if !vip.Unadvertised {
			advertised++
		}
	}
	if advertised == 0 {
		v.add("HA1115", i.Address, "vip", i.Src, "an instance needs at least one vip in its adverts")
	}
	if advertised > most {
		v.add("HA1115", i.Address, "vip", i.Src, "an advert of this instance holds at most %d addresses, got %d", most, advertised)
	}
	for _, vip := range i.VIPs {
		v.oneVIP(i, vip)
	}
}

func mostVIPs(i *Instance) int {
	room, size := 1500-20-8, 4
	if i.Family == IPv6 {
		room, size = 1500-40-8, 16
	}
	if i.Version == 2 {
		room -= 8
	}
	if i.Auth != nil && i.Auth.Type == AuthAH {
		room -= 24
	}
	if i.Auth != nil && i.Auth.Type == AuthHMAC {
		room -= 28
	}
	return min(255, room/size)
}

func (v *verifier) oneVIP(i *Instance, vip VIP) {
	at := func(code, path, format string, args ...any) { v.add(code, i.Address, path, vip.Src, format, args...) }
	if !vip.Address.IsValid() || !vip.Address.IsSingleIP() {
		at("HA1116", "vip.address", "%s is not one address", vip.Address)
		return
	}
	if !vip.Unadvertised && FamilyOf(vip.Address.Addr()) != i.Family {
		at("HA1116", "vip.address", "%s is no %s address, as the others are", vip.Address.Addr(), i.Family)
		v.cure("An instance advertises one family. Write a second instance for this one, or advertise = false in its vip: then it moves along and is in no advert.")
		return
	}
	if a := vip.Address.Addr(); a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() {
		at("HA1116", "vip.address", "%s cannot be a virtual address", a)
	}
	if vip.Interface != "" {
		v.device(i.Address, "vip.interface", vip.Interface, vip.Src)
	}
	if n := vip.InstallPrefix; n < 0 || n > vip.Address.Bits() {
		at("HA1101", "vip.install_prefix", "must be 1..%d, got %d", vip.Address.Bits(), n)
	}
	if !slices.Contains([]string{"", "link", "host"}, vip.Scope) {
		at("HA1101", "vip.scope", "%q is none of global, link, host", vip.Scope)
	}
	if vip.Label != "" && (len(vip.Label) > 15 || !strings.HasPrefix(vip.Label, i.DeviceOf(vip))) {
		at("HA1109", "vip.label", "%q is not a label: it begins with %s and has at most 15 bytes", vip.Label, i.DeviceOf(vip))
		v.cure("Write label = %q.", i.DeviceOf(vip)+":web")
	}
	if !vip.Address.Addr().Is4() && (vip.Label != "" || vip.Scope != "") {
		at("HA1116", "vip.label", "IPv6 addresses have neither label nor scope")
		v.cure("Leave both out.")
	}
	key := vipKey{i.Netns, i.DeviceOf(vip), vip.Address}
	if other, taken := v.vip[key]; taken {
		at("HA1204", "vip.address", "%s is a vip of %s too", vip.Address.Addr(), other)
	}
	v.vip[key] = i.Address
}

// DeviceOf is the interface on which an instance's VIP is installed.
func (i *Instance) DeviceOf(v VIP) string {
	if v.Interface != "" {
		return v.Interface
	}
	return i.Interface
}

func (v *verifier) members(i *Instance) {
	self := false
	for _, m := range i.Members {
		self = self || m.Node == v.plan.Node
		if m.Speaks != "" && !slices.Contains(Dialects, m.Speaks) {
			v.add("HA1101", i.Address, "member", i.Src, "%s speaks %q, which is none of %s", m.Node, m.Speaks, strings.Join(Dialects, ", "))
		}
		if m.Status != "" {
			if wrong := StatusWrong(m.Status); wrong != "" {
				v.add("HA1116", i.Address, "member", i.Src, "the status address of %s, %q, %s", m.Node, m.Status, wrong)
			}
		}
		if m.Address.IsValid() && FamilyOf(m.Address) != i.Family {
			v.add("HA1111", i.Address, "member", i.Src, "%s of %s is not an %s address", m.Address, m.Node, i.Family)
		}
	}
	if len(i.Members) > 0 && !self {
		v.add("HA1402", i.Address, "member", i.Src, "%s is not a member", v.plan.Node)
	}
}

// StatusWrong says what keeps a status address from being one; empty if nothing does.
// It is where a node listens and where the others ask, so that it names one address.
func StatusWrong(s string) string {
	at, err := netip.ParseAddrPort(s)
	switch {
	case err != nil:
		return "is not ADDRESS:PORT"
	case at.Addr().IsUnspecified(), at.Addr().IsMulticast(), at.Port() == 0:
		return "is none that others could ask"
	}
	return ""
}

// Dialects are what a member can speak that is not hafile.
var Dialects = []string{"keepalived-2.2", "keepalived-2.4", "frr", "other"}

func (v *verifier) tracks(a Addr, tracks []Track) {
	for _, t := range tracks {
		if v.plan.Desired.Check(t.Check) == nil {
			v.add("HA1003", a, "track", t.Src, "there is no %s in the plan", t.Check)
		}
		if t.Check.Kind() == "instance" && t.Check == a {
			v.add("HA1005", a, "track", t.Src, "the instance would track itself")
			v.cure("Track another one, or take the block out.")
		}
		v.bounds(a, "track.weight", t.Src, int64(t.Weight), -253, 253, "")
	}
}

func (v *verifier) notifies(a Addr, notifies []Addr, at Src) {
	for _, n := range notifies {
		if v.plan.Desired.Notify(n) == nil {
			v.add("HA1003", a, "notify", at, "there is no %s in the plan", n)
		}
	}
}

// word is one of a few.
func (v *verifier) word(a Addr, path, got string, src Src, of ...string) {
	if !slices.Contains(of, got) {
		v.add("HA1101", a, path, src, "%q is none of %s", got, strings.Join(of, ", "))
		v.cure("Write one of %s.", strings.Join(of, ", "))
	}
}

func (v *verifier) device(a Addr, path, name string, src Src) {
	if name == "" || len(name) > 15 || strings.ContainsAny(name, "/ \t\n") {
		v.add("HA1109", a, path, src, "%q is not an interface name (1..15 bytes, no slash, no space)", name)
	}
}
