package plan

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
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
}

func (p Problem) Error() string {
	return fmt.Sprintf("%s: %s %s: %s", p.Code, p.Address, p.Path, p.Message)
}

// The events that a notify can ask for.
var NotifyEvents = []string{"active", "backup", "fault", "stop"}

// Verify lists every rule that the plan breaks: the one rule book for `validate`, which
// adds positions, and for the daemon, which trusts no plan that it has not verified.
// What needs several nodes to be seen is not here but in the fleet proofs.
func Verify(p *Plan) []Problem {
	v := verifier{seen: map[Addr]bool{}, wire: map[WireKey]Addr{}, vip: map[vipKey]Addr{}}
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
		v.instance(p, &d.Instances[i])
	}
	return v.problems
}

type vipKey struct {
	iface string
	vip   netip.Prefix
}

type verifier struct {
	problems []Problem
	seen     map[Addr]bool
	wire     map[WireKey]Addr
	vip      map[vipKey]Addr
}

func (v *verifier) add(code string, a Addr, path string, src Src, format string, args ...any) {
	v.problems = append(v.problems, Problem{Code: code, Address: a, Path: path, Src: src, Message: fmt.Sprintf(format, args...)})
}

// bounds adds a problem when n is outside lo..hi.
func (v *verifier) bounds(a Addr, path string, src Src, n, lo, hi int64, unit string) {
	if n < lo || n > hi {
		v.add("HA1101", a, path, src, "must be %d..%d%s, got %d", lo, hi, unit, n)
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

func (v *verifier) check(c *Check) {
	v.address(c.Address, []string{"script", "check"}, c.Src)
	if c.Script == nil {
		v.add("HA1104", c.Address, "command", c.Src, "a script needs a command")
	} else {
		v.command(c.Address, c.Script.Command, c.Src)
	}
	v.bounds(c.Address, "interval", c.Src, c.IntervalMs, 10, 86400000, " ms")
	v.bounds(c.Address, "timeout", c.Src, c.TimeoutMs, 10, 86400000, " ms")
	v.bounds(c.Address, "fall", c.Src, int64(c.Fall), 1, 1000, "")
	v.bounds(c.Address, "rise", c.Src, int64(c.Rise), 1, 1000, "")
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
	switch {
	case (n.Exec == nil) == (n.Email == nil):
		v.add("HA1107", n.Address, "exec", n.Src, "a notify has exactly one of exec and email")
	case n.Exec != nil:
		v.command(n.Address, n.Exec.Command, n.Src)
		v.bounds(n.Address, "timeout", n.Src, n.Exec.TimeoutMs, 10, 3600000, " ms")
	default:
		v.email(n)
	}
}

func (v *verifier) email(n *Notify) {
	v.bounds(n.Address, "timeout", n.Src, n.Email.TimeoutMs, 10, 3600000, " ms")
	if len(n.Email.To) == 0 {
		v.add("HA1108", n.Address, "to", n.Src, "names nobody")
	}
	for _, to := range append(slices.Clone(n.Email.To), n.Email.From) {
		if !strings.Contains(to, "@") || strings.ContainsAny(to, " \t\r\n<>,") {
			v.add("HA1108", n.Address, "to", n.Src, "%q is not a mail address", to)
		}
	}
	host, port, ok := strings.Cut(n.Email.Relay, ":")
	if strings.HasPrefix(n.Email.Relay, "[") {
		_, err := netip.ParseAddrPort(n.Email.Relay)
		ok = err == nil
	} else {
		ok = ok && host != "" && port != "" && strings.Trim(port, "0123456789") == ""
	}
	if !ok {
		v.add("HA1108", n.Address, "relay", n.Src, "%q is not HOST:PORT", n.Email.Relay)
	}
}

func (v *verifier) instance(p *Plan, i *Instance) {
	v.address(i.Address, []string{"instance"}, i.Src)
	if i.Interface == "" || len(i.Interface) > 15 || strings.ContainsAny(i.Interface, "/ \t\n") {
		v.add("HA1109", i.Address, "interface", i.Src, "%q is not an interface name (1..15 bytes, no slash, no space)", i.Interface)
	}
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
	if i.Family != IPv4 || i.Transport != Multicast {
		v.add("HA1901", i.Address, "transport", i.Src, "%s over %s is not in this release: IPv4 multicast is", i.Family, i.Transport)
	}
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
	v.members(p, i)
	v.references(p, i)
}

// interval has one code for bounds and unit: what is wrong is the same argument, and what
// a version can say is one sentence.
func (v *verifier) interval(i *Instance) {
	ms := i.AdvertMs
	switch i.Version {
	case 2:
		if ms < 1000 || ms > 255000 || ms%1000 != 0 {
			v.add("HA1305", i.Address, "advert_int", i.Src, "is %d ms, and VRRPv2 sends whole seconds from 1 to 255", ms)
		}
	case 3:
		if ms < 10 || ms > 40950 || ms%10 != 0 {
			v.add("HA1305", i.Address, "advert_int", i.Src, "is %d ms, and VRRPv3 sends centiseconds from 10 ms to 40.95 s", ms)
		}
	default:
		v.add("HA1113", i.Address, "version", i.Src, "must be 2 or 3, got %d", i.Version)
	}
}

func (v *verifier) auth(i *Instance) {
	if i.Auth == nil {
		return
	}
	if i.Auth.Type != "pass" {
		v.add("HA1901", i.Address, "auth.type", i.Src, "%q is not in this release: \"pass\" is", i.Auth.Type)
	}
	if i.Version != 2 {
		v.add("HA1114", i.Address, "auth", i.Src, "a password exists in VRRPv2 only: write version = 2 or drop the auth block")
	}
	if i.Auth.Password == (Secret{}) {
		v.add("HA1114", i.Address, "auth.password", i.Src, "is empty")
	}
}

// vips also refuses more addresses than an advert holds: the count is one byte, and
// hafile never sends a fragment (1500 - 20 IP - 8 VRRP - 8 auth, 4 bytes each).
func (v *verifier) vips(i *Instance) {
	const most = 255
	if len(i.VIPs) == 0 {
		v.add("HA1115", i.Address, "vip", i.Src, "an instance needs at least one vip")
	}
	if len(i.VIPs) > most {
		v.add("HA1115", i.Address, "vip", i.Src, "an advert holds at most %d addresses, got %d", most, len(i.VIPs))
	}
	for _, vip := range i.VIPs {
		if !vip.Address.IsValid() || !vip.Address.IsSingleIP() || FamilyOf(vip.Address.Addr()) != i.Family {
			v.add("HA1116", i.Address, "vip.address", vip.Src, "%s is not one %s address", vip.Address, i.Family)
			continue
		}
		if a := vip.Address.Addr(); a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() {
			v.add("HA1116", i.Address, "vip.address", vip.Src, "%s cannot be a virtual address", a)
		}
		key := vipKey{i.DeviceOf(vip), vip.Address}
		if other, taken := v.vip[key]; taken {
			v.add("HA1204", i.Address, "vip.address", vip.Src, "%s is a vip of %s too", vip.Address.Addr(), other)
		}
		v.vip[key] = i.Address
	}
}

// DeviceOf is the interface on which an instance's VIP is installed.
func (i *Instance) DeviceOf(v VIP) string {
	if v.Interface != "" {
		return v.Interface
	}
	return i.Interface
}

func (v *verifier) members(p *Plan, i *Instance) {
	self := false
	for _, m := range i.Members {
		self = self || m.Node == p.Node
	}
	if len(i.Members) > 0 && !self {
		v.add("HA1402", i.Address, "member", i.Src, "%s is not a member", p.Node)
	}
}

func (v *verifier) references(p *Plan, i *Instance) {
	for _, t := range i.Track {
		if p.Desired.Check(t.Check) == nil {
			v.add("HA1003", i.Address, "track", t.Src, "there is no %s in the plan", t.Check)
		}
		v.bounds(i.Address, "track.weight", t.Src, int64(t.Weight), -253, 253, "")
	}
	for _, n := range i.Notify {
		if p.Desired.Notify(n) == nil {
			v.add("HA1003", i.Address, "notify", i.Src, "there is no %s in the plan", n)
		}
	}
}
