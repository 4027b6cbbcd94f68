package lang

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"hafile/lang/diag"
	"hafile/lang/eval"
	"hafile/lang/plan"
)

// prove judges what only somebody can see who sees all members at once.
func (c *compiler) prove() {
	own := c.addressesOfNodes()
	for _, in := range c.instances {
		c.agree(in)
		c.enough(in)
		c.distinct(in)
		c.ownership(in)
		c.weigh(in)
		c.password(in)
		c.offLink(in)
		c.nodeAddresses(in, own)
		c.unicast(in)
		c.linkLocalFirst(in)
		c.failover(in)
		c.idleDelay(in)
		c.senders(in)
		c.networks(in)
	}
	for _, g := range c.groups {
		c.together(g)
	}
	c.oneVRID()
	c.oneOwner()
}

// invariant is what members must agree on, or each hears the other as a stranger and
// both turn active (HA1202).
type invariant struct {
	arg, why string
	of       func(m *member) any
}

var invariants = []invariant{
	{"router_id", "Members with different VRIDs do not hear each other: both would turn active.", func(m *member) any { return m.plan.VRID }},
	{"vip", "A backup would take over with other addresses than the active gave up.", func(m *member) any { return addresses(m) }},
	{"multicast_group", "Members that send elsewhere are not heard: both would turn active.", func(m *member) any { return m.plan.MulticastGroup }},
	{"virtual_mac", "Clients would have to learn another MAC at each change, or none.", func(m *member) any { return m.plan.VirtualMAC }},
	{"accept", "The addresses would answer on one member and not on the other.", func(m *member) any { return m.plan.Accept }},
	{"version", "A router drops adverts of the other version: both would turn active.", func(m *member) any { return m.plan.Version }},
	{"advert_int", "VRRPv2 drops adverts with another interval and VRRPv3 waits for the wrong time: both may turn active.", func(m *member) any { return ms(m.plan.AdvertMs) }},
	{"transport", "Adverts that travel differently are not heard: both would turn active.", func(m *member) any { return m.plan.Transport }},
	{"checksum", "A router may drop what it finds a bad checksum in: both would turn active.", func(m *member) any { return m.plan.Checksum }},
	{"down_adverts", "The members would wait differently long for a silent active.", func(m *member) any { return m.plan.DownAdverts }},
	{"auth", "A router drops adverts with another password: both would turn active.", func(m *member) any { return auth(m) }},
	{"segment", "An instance is on one network.", func(m *member) any { return m.segment }},
}

func addresses(m *member) any {
	var out []string
	for _, v := range m.plan.VIPs {
		out = append(out, v.Address.Addr().String())
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// auth compares by reference where it is one and never carries a value that is shown.
func auth(m *member) any {
	if m.plan.Auth == nil {
		return nil
	}
	a := *m.plan.Auth
	a.Keys = slices.Clone(a.Keys)
	for i := range a.Keys {
		a.Keys[i].Src = plan.Src{}
	}
	return a
}

// authPart is the argument of auth that two members disagree in.
func authPart(a, b *member) string {
	switch x, y := a.plan.Auth, b.plan.Auth; {
	case x == nil || y == nil:
		return ""
	case x.Type != y.Type:
		return "type"
	case x.Password != y.Password:
		return "password"
	}
	return ""
}

func (c *compiler) agree(in *instance) {
	first := &in.members[0]
	if !slices.ContainsFunc(in.members, func(m member) bool { return m.Whole != first.Whole }) {
		return // one and the same block for all
	}
	for _, inv := range invariants {
		for i := range in.members[1:] {
			m := &in.members[i+1]
			a, b := inv.of(first), inv.of(m)
			if equal(a, b) {
				continue
			}
			detail := inv.why + " Write one value for all members, without self."
			if inv.arg != "auth" {
				detail = fmt.Sprintf("%s gets %v, %s gets %v. %s", first.name, a, m.name, b, detail)
			}
			at := whereOf(m, inv.arg)
			if x := m.Whole.One("auth"); inv.arg == "auth" && x != nil {
				at = x.At(authPart(first, m))
			}
			c.report(diag.Error, "HA1202", at, in.obj.Addr,
				fmt.Sprintf("%s must be the same on all members of %s", inv.arg, in.obj.Addr), detail,
				c.sides(first, m)...)
			break
		}
	}
}

// equal compares with ==, but by content where a value holds lists.
func equal(a, b any) bool { return reflect.DeepEqual(a, b) }

func whereOf(m *member, arg string) diag.Range {
	if b := m.Whole.One(arg); b != nil {
		return b.Range
	}
	return m.at(arg)
}

// sides are the two machines that disagree.
func (c *compiler) sides(a, b *member) []diag.Related {
	return []diag.Related{
		{Range: c.nodes[a.name].Range, Message: a.name + " is declared here"},
		{Range: c.nodes[b.name].Range, Message: b.name + " is declared here"},
	}
}

// enough is HA1402 for a group that cannot fail over.
func (c *compiler) enough(in *instance) {
	if len(in.members) > 1 {
		return
	}
	m := &in.members[0]
	c.report(diag.Warning, "HA1402", m.At, in.obj.Addr, fmt.Sprintf("%s has one member", in.obj.Addr),
		fmt.Sprintf("When %s dies, nobody takes its addresses over. Add a second node.", m.name))
}

// distinct is HA1203: between equals the higher source address wins, which nobody
// expects who wrote the priorities.
func (c *compiler) distinct(in *instance) {
	seen := map[uint8]*member{}
	for i := range in.members {
		m := &in.members[i]
		first, taken := seen[m.plan.Priority]
		if !taken {
			seen[m.plan.Priority] = m
			continue
		}
		c.report(diag.Warning, "HA1203", m.at("priority"), in.obj.Addr,
			fmt.Sprintf("%s and %s both have priority %d in %s", first.name, m.name, m.plan.Priority, in.obj.Addr),
			fmt.Sprintf("The higher source address decides, and who claims first keeps the addresses until then. Give the preferred node more, such as %d.", min(int(m.plan.Priority)+50, 254)),
			diag.Related{Range: first.at("priority"), Message: first.name + " is named here"})
	}
}

// ownership is HA1207: 255 says that the address is the node's own, and no check moves it.
func (c *compiler) ownership(in *instance) {
	for i := range in.members {
		m := &in.members[i]
		if m.plan.Priority != plan.OwnerPriority || c.owns(m) {
			continue
		}
		c.report(diag.Warning, "HA1207", m.at("priority"), in.obj.Addr,
			fmt.Sprintf("priority 255 on %s, which does not own the addresses", m.name),
			"255 belongs to the router whose own address is the virtual one (RFC 9568, 5.2.4): it never waits and no check moves it. Write 254 or less.")
	}
}

func (c *compiler) owns(m *member) bool {
	return slices.ContainsFunc(m.vips, func(v vip) bool {
		return v.IP == c.nodes[m.name].IP || v.IP == c.nodes[m.name].IP6
	})
}

// password is HA2101, HA2102 and HA2104: once per instance, at the password.
func (c *compiler) password(in *instance) {
	m := &in.members[0]
	a := m.plan.Auth
	if a == nil || a.Type != "pass" || m.plan.Version != 2 {
		return // an error says the rest
	}
	if slices.ContainsFunc(in.members, func(o member) bool { return !equal(auth(&o), auth(m)) }) {
		return
	}
	b := m.Whole.One("auth")
	c.report(diag.Warning, "HA2102", b.At("type"), in.obj.Addr, "the password travels in clear",
		"Who can read the segment can read it, and who can read it can take the addresses; RFC 3768 dropped it for that. It keeps two groups from mixing up and nothing more. Where keepalived takes part it has to stay: hafile { accept = [\"HA2102\"] } says that this is known. Elsewhere drop the auth block; members with and without it do not hear each other meanwhile.")
	if len(a.Password.Value) > 8 {
		c.report(diag.Warning, "HA2101", b.At("password"), in.obj.Addr, "the password is longer than 8 bytes",
			"VRRPv2 has room for 8 bytes; keepalived cuts what is longer, and so does hafile. Write the first 8 bytes only, so that the file says what is on the wire.")
	}
	if v, ok := b.Value("password"); ok && a.Password.Inline() && !v.FromSecret {
		c.report(diag.Warning, "HA2104", v.Range, in.obj.Addr, "the password stands in the file",
			fmt.Sprintf("It would be in version control and in the plan. Write password = credential(%q) and put the value into %s/%[1]s of each node, mode 0600.", "vrrp-"+in.obj.Label, credentials))
	}
}

// credentials is where nodes keep them, unless systemd passes them.
const credentials = "/etc/hafile/credentials"

// offLink is HA1209 for an address that members cannot serve: no prefix, no judgement.
// What is so of several members is one message.
func (c *compiler) offLink(in *instance) {
	for k, v := range in.members[0].vips {
		var out, others []*member // out of their network; outside of the address's
		for i := range in.members {
			m := &in.members[i]
			if k >= len(m.vips) || m.vips[k] != v {
				continue
			}
			ip, prefix := c.nodes[m.name].of(plan.FamilyOf(v.IP))
			switch {
			case !ip.IsValid() || v.IP.IsLinkLocalUnicast() || ip.IsLinkLocalUnicast():
			case prefix.IsValid() && !prefix.Contains(v.IP):
				out = append(out, m)
			case !prefix.IsValid() && v.Prefix.IsValid() && v.Prefix.Bits() < v.IP.BitLen() && !v.Prefix.Contains(ip):
				others = append(others, m)
			}
		}
		at := in.members[0].Whole.Of("vip")[k].At("address")
		if len(out) > 0 {
			_, prefix := c.nodes[out[0].name].of(plan.FamilyOf(v.IP))
			c.report(diag.Warning, "HA1209", at, in.obj.Addr, fmt.Sprintf("%s is not in the network of %s", v.IP, namesOf(out)),
				fmt.Sprintf("%s is in %s: nobody there would ask for %s. Correct the address or the prefix.", out[0].name, prefix, v.IP), c.declared(out)...)
		}
		if len(others) > 0 {
			ip, _ := c.nodes[others[0].name].of(plan.FamilyOf(v.IP))
			c.report(diag.Warning, "HA1209", at, in.obj.Addr, fmt.Sprintf("%s %s not in the network of %s", namesOf(others), areOr(len(others)), v.Prefix),
				fmt.Sprintf("%s has %s, which is outside of %s. Correct the address or the prefix, or leave the prefix out.", others[0].name, ip, v.Prefix), c.declared(others)...)
		}
	}
}

func namesOf(members []*member) string {
	var names []string
	for _, m := range members {
		names = append(names, m.name)
	}
	return strings.Join(names, ", ")
}

func areOr(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// declared is where the nodes of members stand.
func (c *compiler) declared(members []*member) []diag.Related {
	var out []diag.Related
	for _, m := range members {
		out = append(out, diag.Related{Range: c.nodes[m.name].Range, Message: m.name + " is declared here"})
	}
	return out
}

// nodeAddresses is HA1204 for a virtual address that a machine has as its own.
func (c *compiler) nodeAddresses(in *instance, own map[netip.Addr][]Node) {
	for k, v := range in.members[0].vips {
		for _, n := range own[v.IP] {
			i := slices.IndexFunc(in.members, func(m member) bool { return m.name == n.Name })
			if i >= 0 && in.members[i].plan.Priority == plan.OwnerPriority {
				continue
			}
			c.report(diag.Warning, "HA1204", in.members[0].Whole.Of("vip")[k].At("address"), in.obj.Addr,
				fmt.Sprintf("%s is the address of %s itself", v.IP, n.Address),
				"Two machines would have it as soon as another one is active. Choose a free address, or give the machine priority 255, which makes it the owner.",
				diag.Related{Range: n.Range, Message: string(n.Address) + " is declared here"})
		}
	}
}

// of is the address of a family, with its prefix where one was written.
func (n Node) of(f plan.Family) (netip.Addr, netip.Prefix) {
	if f == plan.IPv6 {
		return n.IP6, n.Prefix6
	}
	return n.IP, n.Prefix
}

func (c *compiler) addressesOfNodes() map[netip.Addr][]Node {
	own := map[netip.Addr][]Node{}
	for _, n := range c.res.Nodes {
		for _, ip := range []netip.Addr{n.IP, n.IP6} {
			if ip.IsValid() {
				own[ip] = append(own[ip], n)
			}
		}
	}
	return own
}

// oneOwner is HA1204 for an address that stands twice.
func (c *compiler) oneOwner() {
	type place struct {
		in *instance
		at diag.Range
	}
	seen := map[netip.Addr][]place{}
	for _, in := range c.instances {
		for k, v := range in.members[0].vips {
			at := in.members[0].Whole.Of("vip")[k].At("address")
			for _, first := range seen[v.IP] {
				x, y := first.in.members[0].segment, in.members[0].segment
				if x != "" && y != "" && x != y {
					continue
				}
				if first.in == in {
					c.report(diag.Error, "HA1204", at, in.obj.Addr, fmt.Sprintf("%s stands in %s twice", v.IP, in.obj.Addr), "Remove one of the two vip blocks.",
						diag.Related{Range: first.at, Message: "it stands here"})
					break
				}
				c.report(diag.Error, "HA1204", at, in.obj.Addr, fmt.Sprintf("%s is a virtual address of %s already", v.IP, first.in.obj.Addr),
					"Two routers would answer for it. Remove one, or say segment = \"...\" in both if the networks are apart.",
					diag.Related{Range: first.at, Message: "it stands here"})
				break
			}
			seen[v.IP] = append(seen[v.IP], place{in, at})
		}
	}
}

func weightsOf(m *member) (neg, pos int) {
	for _, t := range m.plan.Track {
		w := t.Weight
		if t.Reverse {
			w = -w
		}
		neg, pos = neg+min(w, 0), pos+max(w, 0)
	}
	return neg, pos
}

// weigh is HA1301 and HA1302: whether the weights do what they are written for.
func (c *compiler) weigh(in *instance) {
	for i := range in.members {
		c.clamped(in, &in.members[i])
	}
	if len(in.members) < 2 {
		return
	}
	preferred, next := ranked(in)
	c.cancelled(in, preferred)
	for _, t := range preferred.plan.Track {
		// What reverse does is written on purpose, and is no failure that moves something.
		if t.Weight != 0 && !t.Reverse && !pivotal(preferred, next, t) {
			c.powerless(in, preferred, next, t)
		}
	}
}

// clamped is HA1302: beyond 1..254 the sum is held, and part of a weight is lost. A
// warning, because the sum is defined and keepalived holds it alike: such a pair runs today.
func (c *compiler) clamped(in *instance, m *member) {
	p := int(m.plan.Priority)
	if p == plan.OwnerPriority {
		return
	}
	neg, pos := weightsOf(m)
	switch {
	case p+neg < 1:
		c.report(diag.Warning, "HA1302", c.trackRange(m), in.obj.Addr, fmt.Sprintf("the priority of %s falls below 1 in %s", m.name, in.obj.Addr),
			fmt.Sprintf("%d - %d = %d with everything down; it is held at 1, and the rest of the weights is lost. Let them sum up to %d at most.", p, -neg, p+neg, 1-p))
	case p+pos > 254:
		c.report(diag.Warning, "HA1302", c.trackRange(m), in.obj.Addr, fmt.Sprintf("the priority of %s rises above 254 in %s", m.name, in.obj.Addr),
			fmt.Sprintf("%d + %d = %d with everything up; it is held at 254, and the rest of the weights is lost. Let them sum up to %d at most.", p, pos, p+pos, 254-p))
	}
}

// cancelled is HA1302 too: what one failure takes away another one adds, so that the
// member that everything has failed on stands as if nothing had.
func (c *compiler) cancelled(in *instance, m *member) {
	var down []string
	for _, t := range m.plan.Track {
		if t.Weight != 0 {
			down = append(down, string(t.Check))
		}
	}
	all := effective(m, func(plan.Addr) bool { return true })
	if len(down) < 2 || m.plan.Priority == plan.OwnerPriority || all != effective(m, none) {
		return
	}
	c.report(diag.Warning, "HA1302", c.trackRange(m), in.obj.Addr, fmt.Sprintf("the weights of %s cancel out in %s", m.name, in.obj.Addr),
		fmt.Sprintf("With %s down it has %d, as with all of them up, and keeps the addresses. Take reverse away, or give the weights different sizes.", strings.Join(down, " and "), all))
}

func (c *compiler) trackRange(m *member) diag.Range {
	if b := m.Whole.One("track"); b != nil {
		return b.Range
	}
	if m.Own != nil {
		if b := m.Own.One("track"); b != nil {
			return b.Range
		}
	}
	return m.At
}

// effective is the plan's own arithmetic with a set of checks down.
func effective(m *member, down func(plan.Addr) bool) int {
	p, _, _ := plan.Effective(m.plan.Priority, m.plan.Track, func(a plan.Addr) plan.CheckState {
		if down(a) {
			return plan.CheckDown
		}
		return plan.CheckUp
	})
	return int(p)
}

func none(plan.Addr) bool { return false }

// ranked finds who has the addresses while all is well, and who comes next.
func ranked(in *instance) (preferred, next *member) {
	order := make([]*member, len(in.members))
	for i := range in.members {
		order[i] = &in.members[i]
	}
	slices.SortStableFunc(order, func(a, b *member) int { return effective(b, none) - effective(a, none) })
	return order[0], order[1]
}

// subsetsMax is up to how many weights every combination of failures is tried.
const subsetsMax = 12

// pivotal reports whether there is any state of the other checks in which this one
// decides who has the addresses. An equal is not enough: a backup takes over only from
// an active below it (RFC 9568, 6.4.2).
func pivotal(preferred, next *member, t plan.Track) bool {
	var others []plan.Addr
	for _, o := range preferred.plan.Track {
		if o.Check != t.Check && o.Weight != 0 {
			others = append(others, o.Check)
		}
	}
	rival := effective(next, none)
	if len(others) > subsetsMax {
		return effective(preferred, func(plan.Addr) bool { return true }) < rival
	}
	for set := range 1 << len(others) {
		down := func(a plan.Addr) bool {
			i := slices.Index(others, a)
			return i >= 0 && set&(1<<i) != 0
		}
		with := effective(preferred, down)
		without := effective(preferred, func(a plan.Addr) bool { return a == t.Check || down(a) })
		if with >= rival && without < rival {
			return true
		}
	}
	return false
}

func (c *compiler) powerless(in *instance, p, next *member, t plan.Track) {
	rival := effective(next, none)
	down := effective(p, func(a plan.Addr) bool { return a == t.Check })
	at := c.trackRange(p)
	if b := trackBlock(p, t.Check); b != nil {
		at = b.Range
	}
	sum := fmt.Sprintf("%d - %d = %d with it down", effective(p, none), abs(t.Weight), down)
	if p.plan.Priority == plan.OwnerPriority {
		sum = "255 is the owner's priority, which no check moves"
	}
	enough := effective(p, none) - rival + 1
	cure := fmt.Sprintf("Write weight = %d: %d - %d = %d.", sign(t.Weight)*enough, effective(p, none), enough, effective(p, none)-enough)
	if p.plan.Priority == plan.OwnerPriority {
		cure = "Write 254 or less, or track it without a weight."
	}
	c.report(diag.Warning, "HA1301", at, in.obj.Addr, fmt.Sprintf("%s cannot move the addresses of %s", t.Check, in.obj.Addr),
		fmt.Sprintf("%s: %s; %s has %d and takes over only from less. %s", p.name, sum, next.name, rival, cure),
		diag.Related{Range: p.at("priority"), Message: fmt.Sprintf("%s has %d", p.name, p.plan.Priority)},
		diag.Related{Range: next.at("priority"), Message: fmt.Sprintf("%s has %d", next.name, next.plan.Priority)})
}

func trackBlock(m *member, check plan.Addr) *eval.Block {
	blocks := m.Whole.Of("track")
	if m.Own != nil {
		blocks = append(slices.Clone(blocks), m.Own.Of("track")...)
	}
	for _, b := range blocks {
		for _, kind := range []string{"script", "check", "instance"} {
			if r, ok := eval.Get[reference](b, kind); ok && r.To == check {
				return b
			}
		}
	}
	return nil
}

func abs(n int) int { return max(n, -n) }

func sign(n int) int {
	if n < 0 {
		return -1
	}
	return 1
}
