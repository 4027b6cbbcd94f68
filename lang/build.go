package lang

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"hafile/lang/diag"
	"hafile/lang/eval"
	"hafile/lang/plan"
	"hafile/lang/schema"
)

type (
	vip       = schema.AddressValue // as it was written, prefix included
	reference = schema.Reference
)

// instance is one virtual router of the fleet: as each member runs it.
type instance struct {
	obj     *eval.Object
	members []member
	nowhere []string // members without an interface
}

// member is one machine's side of an instance.
type member struct {
	eval.Member
	name string
	plan plan.Instance
	// vips in the order of plan.VIPs.
	vips          []vip
	segment       string
	maxFailoverMs int64 // 0: not written
}

// block is where an argument of a member counts from: its own block, else the instance.
func (m *member) block(arg string) *eval.Block {
	if m.Own != nil {
		if _, ok := m.Own.Value(arg); ok {
			return m.Own
		}
	}
	return m.Whole
}

// at is where an argument of this member stands, else where the member is named.
func (m *member) at(arg string) diag.Range {
	if v, ok := m.block(arg).Value(arg); ok {
		return v.Range
	}
	if arg == "priority" {
		return m.At
	}
	return m.Whole.Range
}

// or is an argument that members may differ in: the member's, else the instance's, else
// that of all instances.
func or[T any](c *compiler, m *member, arg string, def T) T {
	if v, ok := eval.Get[T](m.block(arg), arg); ok {
		return v
	}
	return eval.Or(c.defaults, arg, def)
}

// whole is an argument of the instance, else of all instances.
func whole[T any](c *compiler, m *member, arg string, def T) T {
	if v, ok := eval.Get[T](m.Whole, arg); ok {
		return v
	}
	return eval.Or(c.defaults, arg, def)
}

func (c *compiler) readInstances() {
	for _, o := range c.e.All("instance") {
		members, ok := c.e.Members(o)
		if !ok || !eval.Or(members[0].Whole, "enabled", true) {
			continue
		}
		in := &instance{obj: o}
		for _, m := range members {
			in.members = append(in.members, member{Member: m, name: m.Node.NodeName()})
		}
		c.instances = append(c.instances, in)
		c.byAddr[o.Addr] = in
	}
}

// build makes each member's side of each instance, then each node's plan.
func (c *compiler) build() {
	for _, in := range c.instances {
		for i := range in.members {
			c.side(in, &in.members[i])
		}
		if len(in.nowhere) > 0 {
			first := in.nowhere[0]
			c.report(diag.Error, "HA1007", in.members[0].at("interface"), in.obj.Addr, fmt.Sprintf("%s needs an interface on %s", in.obj.Addr, strings.Join(in.nowhere, ", ")),
				fmt.Sprintf("Write interface = \"eth0\" in the instance, in member %q, or in node %q.", first, first))
		}
		var group []plan.Member
		for i := range in.members {
			m := &in.members[i]
			node := c.nodes[m.name]
			group = append(group, plan.Member{
				Node: m.name, Address: m.plan.SourceAddress, Priority: m.plan.Priority, Speaks: node.Speaks, Status: node.Status,
			})
			c.onNode[m.name] = append(c.onNode[m.name], m)
		}
		for i := range in.members {
			in.members[i].plan.Members = slices.Clone(group)
		}
	}
	c.buildGroups()
	for _, n := range c.wanted() {
		c.res.Plans[n.Name] = c.planFor(n)
	}
}

// wanted are the nodes whose plans are made.
func (c *compiler) wanted() []Node {
	if c.only == "" {
		return c.res.Nodes
	}
	return []Node{c.nodes[c.only]}
}

// side is what one member's plan says of the instance.
func (c *compiler) side(in *instance, m *member) {
	node := c.nodes[m.name]
	p := plan.DefaultInstance()
	p.Address, p.Src, p.Via = in.obj.Addr, c.src(in.obj.Range), c.via(in.obj.Via)
	p.Name = eval.Or(m.Whole, "name", c.name(in.obj))
	p.VRID = uint8(eval.Or(m.Whole, "router_id", int64(0)))
	p.Version = uint8(whole(c, m, "version", int64(p.Version)))
	p.AdvertMs = whole(c, m, "advert_int", p.AdvertMs)
	p.Transport = plan.Transport(whole(c, m, "transport", string(p.Transport)))
	group, _ := eval.Get[schema.AddressValue](m.Whole, "multicast_group")
	p.MulticastGroup = group.IP
	p.TTL = uint8(whole(c, m, "ttl", int64(p.TTL)))
	p.MinTTL, p.MaxTTL = uint8(whole(c, m, "min_ttl", int64(p.MinTTL))), uint8(whole(c, m, "max_ttl", int64(p.MaxTTL)))
	p.Checksum = whole(c, m, "checksum", p.Checksum)
	p.DownAdverts = int(whole(c, m, "down_adverts", int64(p.DownAdverts)))
	p.Accept, p.VirtualMAC = whole(c, m, "accept", p.Accept), whole(c, m, "virtual_mac", p.VirtualMAC)
	p.Lease, p.Release = whole(c, m, "lease", p.Lease), whole(c, m, "release", p.Release)
	m.segment = eval.Or(m.Whole, "segment", "")
	m.maxFailoverMs = whole(c, m, "max_failover", int64(0))

	p.Priority = uint8(m.Priority)
	c.place(in, m, node, &p)
	p.Preempt = or(c, m, "preempt", p.Preempt)
	p.PreemptDelayMs = or(c, m, "preempt_delay", p.PreemptDelayMs)
	p.StartDelayMs = or(c, m, "start_delay", p.StartDelayMs)
	for _, r := range or(c, m, "notify", []reference(nil)) {
		p.Notify = append(p.Notify, r.To)
	}
	c.announce(c.defaults, &p)
	c.announce(m.Whole, &p)
	c.auth(m, &p)
	c.vips(m, &p)
	p.SourceAddress = source(m, node, &p)
	blocks := m.Whole.Of("track")
	if m.Own != nil {
		blocks = append(slices.Clone(blocks), m.Own.Of("track")...)
	}
	p.Track = c.tracks(blocks, p.Address, p.Netns)
	c.routes(m, &p)
	c.rules(m, &p)
	if l := m.Whole.One("lifecycle"); l != nil {
		p.PreventRelease = eval.Or(l, "prevent_release", false)
	}
	if g := m.Whole.One("guard"); g != nil {
		p.Guard = &plan.Guard{
			MinLivePeers: int(eval.Or(g, "min_live_peers", int64(0))), NotWhileFlappingMs: eval.Or(g, "not_while_flapping", int64(0)),
			Window: eval.Or(g, "window", ""), RequireBackupReady: eval.Or(g, "require_backup_ready", false),
		}
	}
	m.plan = p
}

// place is the interface on which a member runs.
func (c *compiler) place(in *instance, m *member, node Node, p *plan.Instance) {
	p.Netns = or(c, m, "netns", node.Netns)
	p.Interface = eval.Or(m.block("interface"), "interface", node.Interface)
	if p.Interface == "" {
		p.Interface = eval.Or(c.defaults, "interface", "")
	}
	if p.Interface == "" {
		in.nowhere = append(in.nowhere, m.name)
	}
}

func (c *compiler) announce(b *eval.Block, p *plan.Instance) {
	if b == nil {
		return
	}
	if a := b.One("announce"); a != nil {
		p.Announce.Repeat = int(eval.Or(a, "repeat", int64(p.Announce.Repeat)))
		p.Announce.DelayMs = eval.Or(a, "delay", p.Announce.DelayMs)
		p.Announce.RefreshMs = eval.Or(a, "refresh", p.Announce.RefreshMs)
	}
}

func (c *compiler) auth(m *member, p *plan.Instance) {
	b := m.Whole.One("auth")
	if b == nil {
		return
	}
	p.Auth = &plan.Auth{Type: eval.Or(b, "type", ""), Password: eval.Or(b, "password", plan.Secret{})}
	for _, k := range b.Of("key") {
		p.Auth.Keys = append(p.Auth.Keys, plan.AuthKey{
			ID: uint8(eval.Or(k, "id", int64(0))), Key: eval.Or(k, "secret", plan.Secret{}), Src: c.src(k.Range),
		})
	}
	first := int64(0)
	if len(p.Auth.Keys) > 0 {
		first = int64(p.Auth.Keys[0].ID)
	}
	p.Auth.ActiveKey = uint8(eval.Or(b, "active_key", first))
	mode, replay := "", ""
	if p.Auth.Type == plan.AuthHMAC {
		mode, replay = plan.HMACEnforce, plan.ReplayTime
	}
	p.Auth.Mode, p.Auth.AntiReplay = eval.Or(b, "mode", mode), eval.Or(b, "anti_replay", replay)
	p.Auth.WindowMs = eval.Or(b, "window", int64(0))
}

func (c *compiler) vips(m *member, p *plan.Instance) {
	known := false
	for _, b := range m.Whole.Of("vip") {
		a, ok := eval.Get[schema.AddressValue](b, "address")
		if !ok {
			continue
		}
		v := plan.VIP{
			Address:   netip.PrefixFrom(a.IP, a.IP.BitLen()),
			Interface: eval.Or(b, "interface", ""), Label: eval.Or(b, "label", ""), Scope: eval.Or(b, "scope", ""),
			Unadvertised: !eval.Or(b, "advertise", true),
			Src:          c.src(b.At("address")), Via: c.via(b.Via),
		}
		if v.Scope == "global" {
			v.Scope = ""
		}
		if !known && !v.Unadvertised {
			p.Family, known = plan.FamilyOf(a.IP), true
		}
		if eval.Or(b, "install_prefix", false) {
			c.installed(m, b, a, &v, p)
		}
		p.VIPs = append(p.VIPs, v)
		m.vips = append(m.vips, a)
	}
}

func (c *compiler) installed(m *member, b *eval.Block, a schema.AddressValue, v *plan.VIP, p *plan.Instance) {
	if !a.Prefix.IsValid() {
		c.report(diag.Error, "HA1116", b.At("install_prefix"), p.Address, fmt.Sprintf("%s has no prefix to install", a.IP),
			fmt.Sprintf("Write address = \"%s/24\", or leave install_prefix out.", a.IP))
		return
	}
	if a.Prefix.Bits() < a.IP.BitLen() {
		v.InstallPrefix = a.Prefix.Bits()
	}
}

// source is where adverts come from: the node's address, for IPv4 and for unicast. IPv6
// multicast comes from the link-local address of the interface, which the node itself
// knows best (RFC 9568, 5.1.2.2).
func source(m *member, node Node, p *plan.Instance) netip.Addr {
	if a, ok := eval.Get[schema.AddressValue](m.block("source_address"), "source_address"); ok {
		return a.IP
	}
	switch {
	case p.Family == plan.IPv4:
		return node.IP
	case p.Transport == plan.Unicast:
		return node.IP6
	}
	return netip.Addr{}
}

// tracks are the trackers of blocks. What has no block of its own, such as an interface,
// becomes a check with an address made of its kind and name.
func (c *compiler) tracks(blocks []*eval.Block, of plan.Addr, netns string) []plan.Track {
	var tracks []plan.Track
	for _, b := range blocks {
		a, ok := c.tracked(b, of, netns)
		if !ok {
			continue
		}
		if i := slices.IndexFunc(tracks, func(t plan.Track) bool { return t.Check == a }); i >= 0 {
			c.report(diag.Error, "HA1006", b.Range, of, fmt.Sprintf("%s is tracked twice", a), "Its weight would count twice. Keep one of the two blocks.")
			continue
		}
		weight := int(eval.Or(b, "weight", int64(c.weights[a])))
		tracks = append(tracks, plan.Track{
			Check: a, Weight: weight, Reverse: eval.Or(b, "reverse", false), Src: c.src(b.Range), Via: c.via(b.Via),
		})
	}
	return tracks
}

// trackKinds are the arguments of track that name what is tracked.
var trackKinds = []string{"script", "check", "interface", "instance", "route"}

func (c *compiler) tracked(b *eval.Block, of plan.Addr, netns string) (plan.Addr, bool) {
	var named []string
	for _, kind := range trackKinds {
		if _, ok := b.Value(kind); ok {
			named = append(named, kind)
		}
	}
	switch {
	case len(named) == 0:
		c.report(diag.Error, "HA1007", b.Range, of, "track names nothing", "Write track { script = script.NAME }, or one of check, interface, instance, route.")
		return "", false
	case len(named) > 1:
		c.report(diag.Error, "HA1006", b.At(named[1]), of, "track names two things", fmt.Sprintf("It names %s. Write one track block for each.", strings.Join(named, " and ")))
		return "", false
	}
	k := plan.DefaultCheck()
	k.Src, k.Via = c.src(b.Range), c.via(b.Via)
	within := ""
	if netns != "" {
		within = netns + "/"
	}
	switch named[0] {
	case "interface":
		name := eval.Or(b, "interface", "")
		k.Address, k.Interface = plan.Addr("interface."+within+name), &plan.TrackedInterface{Name: name, Netns: netns}
	case "route":
		to := eval.Or(b, "route", netip.Prefix{})
		k.Address, k.Route = plan.Addr("route."+within+to.String()), &plan.TrackedRoute{To: to, Table: uint32(eval.Or(b, "table", int64(0))), Netns: netns}
		if k.Route.Table != 0 {
			k.Address += plan.Addr(fmt.Sprintf(" table %d", k.Route.Table))
		}
	case "instance":
		r, _ := eval.Get[reference](b, "instance")
		k.Address, k.Instance = r.To, &plan.TrackedInstance{Address: r.To}
	default:
		r, _ := eval.Get[reference](b, named[0])
		return r.To, true
	}
	k.Name = k.Address.Name()
	c.checks[k.Address] = k
	return k.Address, true
}

func (c *compiler) routes(m *member, p *plan.Instance) {
	for _, b := range m.Whole.Of("route") {
		r := plan.Route{
			To: eval.Or(b, "to", netip.Prefix{}), From: eval.Or(b, "from", netip.Prefix{}),
			Type: eval.Or(b, "type", ""), Interface: eval.Or(b, "interface", ""), Scope: eval.Or(b, "scope", ""),
			Table: uint32(eval.Or(b, "table", int64(0))), Metric: uint32(eval.Or(b, "metric", int64(0))), MTU: uint32(eval.Or(b, "mtu", int64(0))),
			OnLink: eval.Or(b, "onlink", false), Src: c.src(b.Range),
		}
		via, _ := eval.Get[schema.AddressValue](b, "via")
		src, _ := eval.Get[schema.AddressValue](b, "source")
		r.Via, r.Source = via.IP, src.IP
		if r.Type == "unicast" {
			r.Type = ""
		}
		if r.Scope == "global" {
			r.Scope = ""
		}
		if r.Table == plan.MainTable {
			r.Table = 0
		}
		for _, h := range b.Of("nexthop") {
			a, _ := eval.Get[schema.AddressValue](h, "via")
			r.NextHops = append(r.NextHops, plan.NextHop{
				Via: a.IP, Interface: eval.Or(h, "interface", ""), Weight: int(eval.Or(h, "weight", int64(0))), OnLink: eval.Or(h, "onlink", false),
			})
		}
		if !r.To.IsValid() {
			r.To = defaultRoute(p.Family)
		}
		p.Routes = append(p.Routes, r)
	}
}

func defaultRoute(f plan.Family) netip.Prefix {
	if f == plan.IPv6 {
		return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
}

func (c *compiler) rules(m *member, p *plan.Instance) {
	for _, b := range m.Whole.Of("rule") {
		r := plan.Rule{
			Priority: uint32(eval.Or(b, "priority", int64(0))), Not: eval.Or(b, "not", false),
			From: eval.Or(b, "from", netip.Prefix{}), To: eval.Or(b, "to", netip.Prefix{}),
			IIF: eval.Or(b, "iif", ""), OIF: eval.Or(b, "oif", ""),
			Mark: uint32(eval.Or(b, "mark", int64(0))), Mask: uint32(eval.Or(b, "mask", int64(0))),
			Action: eval.Or(b, "action", ""), Table: uint32(eval.Or(b, "table", int64(0))), Src: c.src(b.Range),
		}
		if r.Action == "lookup" {
			r.Action = ""
		}
		if n, ok := eval.Get[int64](b, "suppress_prefix"); ok {
			length := int(n)
			r.SuppressPrefix = &length
		}
		if _, written := b.Value("to"); written && !r.To.IsValid() {
			r.To = defaultRoute(p.Family)
		}
		p.Rules = append(p.Rules, r)
	}
}

// planFor puts together what one node runs, and only what it needs for that.
func (c *compiler) planFor(n Node) *plan.Plan {
	p := &plan.Plan{
		Language: plan.Language, Node: n.Name, Sources: slices.Clone(c.sources),
		Moved: slices.Clone(c.moved), Removed: slices.Clone(c.removed),
	}
	d := &p.Desired
	for _, m := range c.onNode[n.Name] {
		d.Instances = append(d.Instances, m.plan)
		c.need(d, n, m.plan.Track, m.plan.Notify)
	}
	for _, g := range c.groups {
		if side, here := g.on[n.Name]; here {
			d.Groups = append(d.Groups, *side)
			c.need(d, n, side.Track, side.Notify)
		}
	}
	p.Normalize()
	return p
}

// need adds what is tracked and who is told, each once.
func (c *compiler) need(d *plan.Desired, n Node, tracks []plan.Track, notifies []plan.Addr) {
	for _, t := range tracks {
		if d.Check(t.Check) != nil {
			continue
		}
		k, known := c.checks[t.Check]
		if o := c.e.Find(t.Check); known && o != nil && k.Instance == nil {
			k.Src, k.Via = c.src(o.Range), c.via(o.Via)
		}
		d.Checks = append(d.Checks, k)
	}
	for _, a := range notifies {
		if d.Notify(a) != nil {
			continue
		}
		if note, ok := c.notify(c.e.Find(a), c.byName[n.Name]); ok {
			d.Notifies = append(d.Notifies, note)
		}
	}
}

// verify asks the one rule book and gives its problems the positions of the arguments.
func (c *compiler) verify() {
	for _, n := range c.wanted() {
		for _, p := range plan.Verify(c.res.Plans[n.Name]) {
			if slices.Contains([]string{"HA1112", "HA1204", "HA1401"}, p.Code) {
				continue // the fleet proofs say it with both places
			}
			if p.Code == "HA1111" && p.Path == "member" {
				continue // source_address says it
			}
			c.ds = append(c.ds, c.problem(n, p))
		}
		for _, p := range plan.Unsupported(c.res.Plans[n.Name]) {
			c.res.Unsupported[n.Name] = append(c.res.Unsupported[n.Name], c.problem(n, p))
		}
	}
}

func (c *compiler) problem(n Node, p plan.Problem) diag.Diagnostic {
	at := c.argument(n, p)
	known, _ := diag.Explain(p.Code)
	d := diag.Diagnostic{
		Severity: diag.Error, Code: p.Code, Summary: phrase(p), Detail: cmp.Or(p.Cure, known.Cure), Address: p.Address, Node: n.Name,
	}
	if at.Filename != "" {
		d.Range = &at
	}
	return d
}

// phrase joins the argument and what is wrong with it: "advert_int is 500 ms, …", but
// "auth: a password exists …".
func phrase(p plan.Problem) string {
	if p.Code == "HA1901" {
		return p.Message
	}
	verb, _, _ := strings.Cut(p.Message, " ")
	if slices.Contains([]string{"must", "is", "needs", "names", "holds", "has", "cannot", "stands"}, verb) {
		return p.Path + " " + p.Message
	}
	return p.Path + ": " + p.Message
}

// argument finds the range of what Path names under Address: "vip.address" in the block
// that Src points to, "auth.type" in the nested block, "router_id" in the block itself.
func (c *compiler) argument(n Node, p plan.Problem) diag.Range {
	o := c.e.Find(p.Address)
	if kind := p.Address.Kind(); o == nil || kind == "instance" && p.Path == "instance" {
		return c.ranges[p.Src] // watched where it is tracked
	}
	block, arg := c.owner(o, n, p.Path)
	outer, inner, nested := strings.Cut(arg, ".")
	if !nested {
		if block == nil {
			return o.Range
		}
		if x := block.One(outer); x != nil {
			return x.Range
		}
		if x := innerOf(block, outer); x != nil {
			return x.At(outer)
		}
		if _, written := block.Value(outer); !written && c.defaults != nil {
			if v, said := c.defaults.Value(outer); said && o.Kind == "instance" {
				return v.Range
			}
		}
		return block.At(outer)
	}
	for _, b := range block.Of(outer) {
		if p.Src.IsZero() || b.Covers(func(r diag.Range) bool { return c.src(r) == p.Src }) {
			return b.At(inner)
		}
	}
	if b := block.One(outer); b != nil {
		return b.At(inner)
	}
	return o.Range
}

func (c *compiler) owner(o *eval.Object, n Node, arg string) (*eval.Block, string) {
	if o.Kind != "instance" {
		return c.e.BlockFor(o, c.byName[n.Name]), arg
	}
	in := c.byAddr[o.Addr]
	if in == nil {
		return nil, arg
	}
	for i := range in.members {
		if m := &in.members[i]; m.name == n.Name {
			return m.block(arg), arg
		}
	}
	return nil, arg
}

// innerOf finds an argument of exec or email that the rule book names without its block.
func innerOf(b *eval.Block, arg string) *eval.Block {
	if b.Type != "notify" {
		return nil
	}
	for _, inner := range b.Blocks {
		if _, ok := inner.Value(arg); ok {
			return inner
		}
	}
	return nil
}
