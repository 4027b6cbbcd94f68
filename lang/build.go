package lang

import (
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
}

// member is one machine's side of an instance.
type member struct {
	eval.Member
	name string
	plan plan.Instance
	// vips in the order of plan.VIPs.
	vips    []vip
	segment string
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

func or[T any](m *member, arg string, def T) T { return eval.Or(m.block(arg), arg, def) }

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
	}
}

// build makes each member's side of each instance, then each node's plan.
func (c *compiler) build() {
	for _, in := range c.instances {
		for i := range in.members {
			c.side(in, &in.members[i])
		}
		var group []plan.Member
		for _, m := range in.members {
			group = append(group, plan.Member{Node: m.name, Address: m.plan.SourceAddress, Priority: m.plan.Priority})
		}
		for i := range in.members {
			in.members[i].plan.Members = slices.Clone(group)
		}
	}
	for _, n := range c.res.Nodes {
		c.res.Plans[n.Name] = c.planFor(n)
	}
}

// side is what one member's plan says of the instance.
func (c *compiler) side(in *instance, m *member) {
	node, whole := c.nodes[m.name], m.Whole
	p := plan.DefaultInstance()
	p.Address, p.Src = in.obj.Addr, c.src(in.obj.Range)
	p.Name = eval.Or(whole, "name", in.obj.Addr.Name())
	p.VRID = uint8(eval.Or(whole, "router_id", int64(0)))
	p.Version = uint8(eval.Or(whole, "version", int64(p.Version)))
	p.AdvertMs = eval.Or(whole, "advert_int", p.AdvertMs)
	p.Transport = plan.Transport(eval.Or(whole, "transport", string(p.Transport)))
	p.Checksum = eval.Or(whole, "checksum", p.Checksum)
	p.DownAdverts = int(eval.Or(whole, "down_adverts", int64(p.DownAdverts)))
	m.segment = eval.Or(whole, "segment", "")

	p.Priority = uint8(m.Priority)
	p.Interface = or(m, "interface", node.Interface)
	if p.Interface == "" {
		c.report(diag.Error, "HA1007", m.at("interface"), in.obj.Addr, fmt.Sprintf("%s needs an interface on %s", in.obj.Addr, m.name),
			fmt.Sprintf("Write interface = \"eth0\" in the instance, in member %q, or in node %q.", m.name, m.name))
	}
	p.Preempt = or(m, "preempt", p.Preempt)
	p.PreemptDelayMs = or(m, "preempt_delay", p.PreemptDelayMs)
	p.StartDelayMs = or(m, "start_delay", p.StartDelayMs)
	for _, r := range or(m, "notify", []reference(nil)) {
		p.Notify = append(p.Notify, r.To)
	}
	if a := whole.One("announce"); a != nil {
		p.Announce.Repeat = int(eval.Or(a, "repeat", int64(p.Announce.Repeat)))
		p.Announce.DelayMs = eval.Or(a, "delay", p.Announce.DelayMs)
		p.Announce.RefreshMs = eval.Or(a, "refresh", p.Announce.RefreshMs)
	}
	if a := whole.One("auth"); a != nil {
		p.Auth = &plan.Auth{Type: eval.Or(a, "type", ""), Password: eval.Or(a, "password", plan.Secret{})}
	}
	c.vips(m, &p)
	p.SourceAddress = source(m, node, p.Family)
	c.tracks(m, &p)
	m.plan = p
}

func (c *compiler) vips(m *member, p *plan.Instance) {
	for i, b := range m.Whole.Of("vip") {
		a, ok := eval.Get[schema.AddressValue](b, "address")
		if !ok {
			continue
		}
		if i == 0 {
			p.Family = plan.FamilyOf(a.IP)
		}
		p.VIPs = append(p.VIPs, plan.VIP{
			Address:   netip.PrefixFrom(a.IP, a.IP.BitLen()),
			Interface: eval.Or(b, "interface", ""),
			Src:       c.src(b.At("address")),
		})
		m.vips = append(m.vips, a)
	}
}

// source is where adverts come from: the node's address for IPv4; IPv6 sends from the
// link-local address of the interface, which the node itself knows best.
func source(m *member, node Node, f plan.Family) netip.Addr {
	if a, ok := eval.Get[schema.AddressValue](m.block("source_address"), "source_address"); ok {
		return a.IP
	}
	if f == plan.IPv4 {
		return node.IP
	}
	return netip.Addr{}
}

func (c *compiler) tracks(m *member, p *plan.Instance) {
	blocks := m.Whole.Of("track")
	if m.Own != nil {
		blocks = append(slices.Clone(blocks), m.Own.Of("track")...)
	}
	for _, b := range blocks {
		r, ok := eval.Get[reference](b, "script")
		if !ok {
			c.report(diag.Error, "HA1007", b.Range, p.Address, "track names nothing", "Write track { script = script.NAME }.")
			continue
		}
		if i := slices.IndexFunc(p.Track, func(t plan.Track) bool { return t.Check == r.To }); i >= 0 {
			c.report(diag.Error, "HA1006", b.Range, p.Address, fmt.Sprintf("%s is tracked twice", r.To), "Its weight would count twice. Keep one of the two blocks.")
			continue
		}
		weight := int(eval.Or(b, "weight", int64(c.weights[r.To])))
		p.Track = append(p.Track, plan.Track{Check: r.To, Weight: weight, Src: c.src(b.Range)})
	}
}

// planFor puts together what one node runs, and only what it needs for that.
func (c *compiler) planFor(n Node) *plan.Plan {
	p := &plan.Plan{Language: plan.Language, Node: n.Name, Sources: slices.Clone(c.sources)}
	d := &p.Desired
	for _, in := range c.instances {
		i := slices.IndexFunc(in.members, func(m member) bool { return m.name == n.Name })
		if i < 0 {
			continue
		}
		side := in.members[i].plan
		d.Instances = append(d.Instances, side)
		for _, t := range side.Track {
			if d.Check(t.Check) == nil {
				k := c.checks[t.Check]
				k.Src = c.src(c.e.Find(t.Check).Range)
				d.Checks = append(d.Checks, k)
			}
		}
		for _, a := range side.Notify {
			if d.Notify(a) != nil {
				continue
			}
			if note, ok := c.notify(c.e.Find(a), c.byName[n.Name]); ok {
				d.Notifies = append(d.Notifies, note)
			}
		}
	}
	p.Normalize()
	return p
}

// verify asks the one rule book and gives its problems the positions of the arguments.
func (c *compiler) verify() {
	for _, n := range c.res.Nodes {
		for _, p := range plan.Verify(c.res.Plans[n.Name]) {
			if p.Code == "HA1112" || p.Code == "HA1204" {
				continue // HA1201 and HA1204 of the fleet say it with both places
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
		Severity: diag.Error, Code: p.Code, Summary: phrase(p), Detail: known.Cure, Address: p.Address, Node: n.Name,
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
	if o == nil {
		return diag.Range{}
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
		return block.At(outer)
	}
	for _, b := range block.Of(outer) {
		if r := b.At(inner); p.Src.IsZero() || c.src(r) == p.Src || c.src(b.Range) == p.Src {
			return r
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
	for _, in := range c.instances {
		if in.obj.Addr != o.Addr {
			continue
		}
		for i := range in.members {
			if m := &in.members[i]; m.name == n.Name {
				return m.block(arg), arg
			}
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
