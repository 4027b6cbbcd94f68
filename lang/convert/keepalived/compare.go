package keepalived

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"hafile/lang"
	"hafile/lang/diag"
	"hafile/lang/plan"
)

// Difference is one setting that keepalived and the result have differently.
type Difference struct {
	Node string `json:"node"`
	// Path names the setting: "VI_1 priority", "VI_1 vip 192.0.2.10".
	Path string `json:"path"`
	// Keepalived and Hafile are the two values; "" is not there.
	Keepalived string `json:"keepalived"`
	Hafile     string `json:"hafile"`
	// At is the line of the original, HafileAt the block of the other side.
	At       *diag.Range `json:"at,omitempty"`
	HafileAt *diag.Range `json:"hafile_at,omitempty"`
}

// Comparison is what a check found, setting by setting.
type Comparison struct {
	Nodes    []string `json:"nodes"`
	Compared int      `json:"compared"`
	// Secrets that were referred to and could not be read, so that they were not compared.
	Secrets     int          `json:"secrets_not_compared"`
	Differences []Difference `json:"differences"`
	// Left are the parts of the originals that hafile does not do, by their lines.
	Left []string `json:"left,omitempty"`
}

// Check compares originals with a configuration in HCL, node by node, through the plan.
// What keepalived leaves open is not compared: a source address that is not written, the
// user of a script, announcements while nothing changes. secret reads what the
// configuration refers to; nil, or false from it: not known here.
func Check(files []File, opts Options, with *lang.Result, secret func(node string, s plan.Secret) ([]byte, bool)) (Comparison, diag.Diagnostics) {
	var diags []diag.Diagnostic
	e := &emitter{opts: opts, machines: load(files, opts.Include, &diags)}
	for _, m := range e.machines {
		m.read()
	}
	e.merge()
	c := comparer{e: e, with: with, secret: secret}
	for _, p := range e.plans() {
		c.ours = append(c.ours, p)
	}
	slices.SortFunc(c.ours, func(a, b *plan.Plan) int { return strings.Compare(a.Node, b.Node) })
	for _, p := range c.ours {
		c.node(p)
	}
	for _, m := range e.machines {
		for _, in := range m.instances {
			if in.why != "" {
				c.Left = append(c.Left, fmt.Sprintf("%s: vrrp_instance %s (%s)", in.dir.place(), short(in.name), in.why))
			}
		}
	}
	return c.Comparison, settle(diags)
}

type comparer struct {
	Comparison
	e      *emitter
	with   *lang.Result
	secret func(string, plan.Secret) ([]byte, bool)
	ours   []*plan.Plan

	// of the node that is compared now
	m      *machine
	theirs *plan.Plan
}

// item is one setting of one side. skip: keepalived leaves it open.
type item struct {
	path, value string
	skip        bool
}

func (c *comparer) node(p *plan.Plan) {
	i := slices.IndexFunc(c.e.machines, func(m *machine) bool { return m.label == p.Node })
	c.m = c.e.machines[i]
	c.theirs = c.with.Plans[p.Node]
	if c.theirs == nil && len(c.ours) == 1 && len(c.with.Plans) == 1 {
		for _, only := range c.with.Plans {
			c.theirs = only
		}
	}
	if c.theirs == nil {
		c.differ("node", p.Node, "", nil, plan.Src{})
		c.Compared++
		return
	}
	c.Nodes = append(c.Nodes, c.theirs.Node)
	matched := map[*plan.Instance]bool{}
	for i := range p.Desired.Instances {
		ours := &p.Desired.Instances[i]
		theirs := c.counterpart(ours, matched)
		if theirs == nil {
			c.Compared++
			c.differ(ours.Name, "vrrp_instance", "", c.instanceOf(ours).dir, plan.Src{})
			continue
		}
		matched[theirs] = true
		c.instance(p, ours, theirs)
	}
	for i := range c.theirs.Desired.Instances {
		if t := &c.theirs.Desired.Instances[i]; !matched[t] {
			c.Compared++
			c.differ(t.Name, "", "instance", nil, t.Src)
		}
	}
	c.groups(p)
}

// counterpart is the instance that is the same on the wire, else that of the same name.
func (c *comparer) counterpart(p *plan.Instance, taken map[*plan.Instance]bool) *plan.Instance {
	var best *plan.Instance
	score := 0
	for i := range c.theirs.Desired.Instances {
		t := &c.theirs.Desired.Instances[i]
		s := 0
		if t.Family == p.Family && t.VRID == p.VRID {
			s += 2
			if t.Interface == p.Interface {
				s += 2
			}
		}
		if t.Name == p.Name {
			s += 3
		}
		if !taken[t] && s > score && s > 1 {
			best, score = t, s
		}
	}
	return best
}

// instanceOf finds the original of a plan's instance.
func (c *comparer) instanceOf(p *plan.Instance) *instance {
	for _, g := range c.e.groups {
		for _, in := range g.members {
			if in.m == c.m && plan.Addr("instance."+g.ref) == p.Address {
				return in
			}
		}
	}
	return nil
}

func (c *comparer) differ(path, ours, theirs string, at *directive, src plan.Src) {
	d := Difference{Node: c.m.label, Path: path, Keepalived: ours, Hafile: theirs}
	if at != nil {
		d.At = at.where()
	}
	if !src.IsZero() && src[0] < len(c.theirs.Sources) {
		d.HafileAt = &diag.Range{Filename: c.theirs.Sources[src[0]].File, Start: diag.Pos{Line: src[1], Column: src[2]}, End: diag.Pos{Line: src[3], Column: src[4]}}
	}
	c.Differences = append(c.Differences, d)
}

// compare joins two lists of settings by their paths.
func (c *comparer) compare(prefix string, ours, theirs []item, at func(path string) *directive, src plan.Src) {
	value := map[string]string{}
	for _, t := range theirs {
		value[t.path] = t.value
	}
	seen := map[string]bool{}
	for _, o := range ours {
		seen[o.path] = true
		if o.skip {
			continue
		}
		c.Compared++
		if value[o.path] != o.value {
			c.differ(prefix+" "+o.path, o.value, value[o.path], at(o.path), src)
		}
	}
	for _, t := range theirs {
		if !seen[t.path] {
			c.Compared++
			c.differ(prefix+" "+t.path, "", t.value, nil, src)
		}
	}
}

func (c *comparer) instance(p *plan.Plan, ours, theirs *plan.Instance) {
	in := c.instanceOf(ours)
	a, b := settings(ours, p.Node), settings(theirs, c.theirs.Node)
	for i := range a {
		switch a[i].path {
		case "source_address":
			a[i].skip = in.slots["source"] == nil
		case "announce.refresh":
			_, stated := in.fields["announce.refresh"]
			_, usual := in.fields["announce.refresh default"]
			a[i].skip = !stated && !usual
		}
	}
	c.compare(ours.Name, a, b, func(path string) *directive { return c.origin(in, path) }, theirs.Src)
	c.secrets(in, ours, theirs)
	c.tracks(ours.Name, p, ours.Track, theirs.Track, func(t plan.Track) *directive {
		for _, x := range in.allTracks() {
			if x.planned().Check == t.Check {
				return x.dir
			}
		}
		return in.dir
	}, theirs.Src)
	c.notifies(ours.Name, p, ours.Notify, theirs.Notify, in.dir, theirs.Src)
}

// origin is the line of the original that a setting comes from.
func (c *comparer) origin(in *instance, path string) *directive {
	kind, rest, _ := strings.Cut(path, " ")
	switch kind {
	case "vip":
		if a, err := netip.ParseAddr(rest); err == nil && in.vip(a) != nil {
			return in.vip(a).dir
		}
	case "route":
		for _, r := range in.routes {
			if r.p.Key() == rest {
				return r.dir
			}
		}
	case "rule":
		for _, r := range in.rules {
			if r.p.Key() == rest {
				return r.dir
			}
		}
	}
	for _, key := range []string{path, path + " default"} {
		if dirs := in.fields[key].dirs; len(dirs) > 0 {
			return dirs[0]
		}
	}
	return in.dir
}

// settings are what an instance says, each as people write it.
func settings(i *plan.Instance, node string) []item {
	var out []item
	add := func(path string, value any) {
		if s := fmt.Sprint(value); s != "invalid IP" {
			out = append(out, item{path: path, value: s})
		} else {
			out = append(out, item{path: path})
		}
	}
	ms := func(path string, n int64) { add(path, strings.Trim(duration(n), `"`)) }
	add("interface", i.Interface)
	add("netns", i.Netns)
	add("family", i.Family)
	add("router_id", i.VRID)
	add("version", i.Version)
	add("priority", i.Priority)
	ms("advert_int", i.AdvertMs)
	add("transport", i.Transport)
	add("multicast_group", i.MulticastGroup)
	add("source_address", i.SourceAddress)
	if i.Transport == plan.Unicast {
		var peers []string
		for _, a := range i.Peers(node) {
			peers = append(peers, a.String())
		}
		slices.Sort(peers)
		add("peers", strings.Join(peers, " "))
		add("ttl", i.TTL)
		add("min_ttl", i.MinTTL)
		add("max_ttl", i.MaxTTL)
	}
	add("checksum", i.Checksum)
	add("virtual_mac", i.VirtualMAC)
	add("accept", i.Accept)
	add("preempt", i.Preempt)
	ms("preempt_delay", i.PreemptDelayMs)
	ms("start_delay", i.StartDelayMs)
	add("down_adverts", i.DownAdverts)
	add("announce.repeat", i.Announce.Repeat)
	ms("announce.delay", i.Announce.DelayMs)
	ms("announce.refresh", i.Announce.RefreshMs)
	if a := i.Auth; a != nil {
		add("auth.type", a.Type)
		if a.Type == plan.AuthHMAC {
			add("auth.active_key", a.ActiveKey)
			add("auth.mode", a.Mode)
			add("auth.anti_replay", a.AntiReplay)
			ms("auth.window", a.WindowMs)
		}
	}
	for _, v := range i.VIPs {
		v.Src, v.Via = plan.Src{}, ""
		add("vip "+v.Address.Addr().String(), fmt.Sprintf("/%d on %s label %q scope %q advertised %v",
			max(v.InstallPrefix, map[bool]int{true: v.Address.Bits()}[v.InstallPrefix == 0]), i.DeviceOf(v), v.Label, v.Scope, !v.Unadvertised))
	}
	for _, r := range i.Routes {
		r.Src = plan.Src{}
		add("route "+r.Key(), fmt.Sprintf("%+v", r))
	}
	for _, r := range i.Rules {
		r.Src = plan.Src{}
		suppress := ""
		if r.SuppressPrefix != nil {
			suppress = fmt.Sprint(*r.SuppressPrefix)
		}
		r.SuppressPrefix = nil
		add("rule "+r.Key(), fmt.Sprintf("%+v suppress %s", r, suppress))
	}
	return out
}

// secrets compares values where both are known.
func (c *comparer) secrets(in *instance, ours, theirs *plan.Instance) {
	if ours.Auth == nil || theirs.Auth == nil || ours.Auth.Type != theirs.Auth.Type {
		return // the type says it
	}
	if ours.Auth.Type != plan.AuthHMAC {
		value, known := c.value(theirs.Auth.Password)
		if value = value[:min(len(value), 8)]; known {
			c.Compared++
			if string(value) != string(in.password) {
				c.differ(ours.Name+" auth.password", "another one", "another one", in.authPlace(), theirs.Src)
			}
		}
		return
	}
	for _, k := range ours.Auth.Keys {
		i := slices.IndexFunc(theirs.Auth.Keys, func(t plan.AuthKey) bool { return t.ID == k.ID })
		own := in.key(int64(k.ID))
		switch path := fmt.Sprintf("%s auth.key %d", ours.Name, k.ID); {
		case i < 0:
			c.Compared++
			c.differ(path, "there", "", own.dir, theirs.Src)
		case own.file != "":
			c.Compared++
			if t := theirs.Auth.Keys[i].Key; t.File != own.file {
				c.differ(path, own.file, t.String(), own.dir, theirs.Src)
			}
		default:
			if value, known := c.value(theirs.Auth.Keys[i].Key); known {
				c.Compared++
				if string(value) != string(own.value) {
					c.differ(path, "another one", "another one", own.dir, theirs.Src)
				}
			}
		}
	}
	for _, t := range theirs.Auth.Keys {
		if in.key(int64(t.ID)) == nil {
			c.Compared++
			c.differ(fmt.Sprintf("%s auth.key %d", ours.Name, t.ID), "", "there", nil, theirs.Src)
		}
	}
}

// value of a secret of the other side, without a line end behind it.
func (c *comparer) value(s plan.Secret) ([]byte, bool) {
	if s.Inline() {
		return []byte(s.Value), true
	}
	if c.secret != nil {
		if v, ok := c.secret(c.theirs.Node, s); ok {
			return []byte(strings.TrimSuffix(strings.TrimSuffix(string(v), "\n"), "\r")), true
		}
	}
	c.Secrets++
	return nil, false
}

// pairs matches two lists: what is called alike, then what is alike, then by order.
func pairs[T any](ours, theirs []T, named, same func(a, b T) bool) (out [][2]*T) {
	left := make([]*T, len(theirs))
	for i := range theirs {
		left[i] = &theirs[i]
	}
	found := make([]*T, len(ours))
	for _, fits := range []func(a, b T) bool{named, same, func(T, T) bool { return true }} {
		for i := range ours {
			for j := range left {
				if found[i] == nil && left[j] != nil && fits(ours[i], *left[j]) {
					found[i], left[j] = left[j], nil
				}
			}
		}
	}
	for i := range ours {
		out = append(out, [2]*T{&ours[i], found[i]})
	}
	for _, l := range left {
		if l != nil {
			out = append(out, [2]*T{nil, l})
		}
	}
	return out
}

// tracks compares what is tracked, and each check where it is tracked.
func (c *comparer) tracks(name string, p *plan.Plan, ours, theirs []plan.Track, at func(plan.Track) *directive, src plan.Src) {
	text := func(d *plan.Desired, t plan.Track) string { return fmt.Sprint(checkItems(d.Check(t.Check))) }
	for _, pair := range pairs(ours, theirs,
		func(a, b plan.Track) bool { return a.Check == b.Check },
		func(a, b plan.Track) bool { return text(&p.Desired, a) == text(&c.theirs.Desired, b) }) {
		a, b := pair[0], pair[1]
		switch {
		case b == nil:
			c.Compared++
			c.differ(name+" track "+string(a.Check), "tracked", "", at(*a), src)
		case a == nil:
			c.Compared++
			c.differ(name+" track "+string(b.Check), "", "tracked", nil, src)
		default:
			x := append(checkItems(p.Desired.Check(a.Check)), item{path: "weight", value: fmt.Sprint(a.Weight)}, item{path: "reverse", value: fmt.Sprint(a.Reverse)})
			y := append(checkItems(c.theirs.Desired.Check(b.Check)), item{path: "weight", value: fmt.Sprint(b.Weight)}, item{path: "reverse", value: fmt.Sprint(b.Reverse)})
			c.compare(name+" track "+string(a.Check), x, y, func(string) *directive { return at(*a) }, src)
		}
	}
}

func checkItems(k *plan.Check) []item {
	if k == nil {
		return nil
	}
	ms := func(n int64) string { return strings.Trim(duration(n), `"`) }
	var out []item
	switch {
	case k.Interface != nil:
		return []item{{path: "interface", value: k.Interface.Name}}
	case k.Script != nil:
		out = append(out, item{path: "command", value: fmt.Sprintf("%q", k.Script.Command)}, item{path: "user", value: k.Script.User, skip: k.Script.User == ""})
	case k.Process != nil:
		out = append(out, item{path: "process", value: fmt.Sprintf("%q %q %d..%d", k.Process.Name, k.Process.Args, k.Process.Min, k.Process.Max)})
	case k.File != nil:
		out = append(out, item{path: "file", value: fmt.Sprintf("%q value %v", k.File.Path, k.File.Value)})
	default:
		out = append(out, item{path: "kind", value: strings.Join(k.Kinds(), " ")})
	}
	return append(out, item{path: "interval", value: ms(k.IntervalMs)}, item{path: "timeout", value: ms(k.TimeoutMs)},
		item{path: "fall", value: fmt.Sprint(k.Fall)}, item{path: "rise", value: fmt.Sprint(k.Rise)})
}

// notifies compares who hears of a change of role.
func (c *comparer) notifies(name string, p *plan.Plan, ours, theirs []plan.Addr, at *directive, src plan.Src) {
	text := func(d *plan.Desired, a plan.Addr) string { return fmt.Sprint(notifyItems(d.Notify(a))) }
	for _, pair := range pairs(ours, theirs,
		func(a, b plan.Addr) bool { return a == b },
		func(a, b plan.Addr) bool { return text(&p.Desired, a) == text(&c.theirs.Desired, b) }) {
		a, b := pair[0], pair[1]
		switch {
		case b == nil:
			c.Compared++
			c.differ(name+" "+string(*a), "told", "", at, src)
		case a == nil:
			c.Compared++
			c.differ(name+" "+string(*b), "", "told", nil, src)
		default:
			c.compare(name+" "+string(*a), notifyItems(p.Desired.Notify(*a)), notifyItems(c.theirs.Desired.Notify(*b)), func(string) *directive { return at }, src)
		}
	}
}

func notifyItems(n *plan.Notify) []item {
	if n == nil {
		return nil
	}
	on := slices.Clone(n.On)
	slices.Sort(on)
	out := []item{{path: "on", value: strings.Join(on, " ")}}
	switch {
	case n.Exec != nil:
		out = append(out, item{path: "command", value: fmt.Sprintf("%q", n.Exec.Command)}, item{path: "user", value: n.Exec.User, skip: n.Exec.User == ""})
	case n.Email != nil:
		out = append(out, item{path: "to", value: strings.Join(n.Email.To, " ")}, item{path: "from", value: n.Email.From},
			item{path: "relay", value: n.Email.Relay}, item{path: "timeout", value: strings.Trim(duration(n.Email.TimeoutMs), `"`)})
	default:
		out = append(out, item{path: "webhook", value: "there"})
	}
	return out
}

// groups compares sync groups by the instances that they hold.
func (c *comparer) groups(p *plan.Plan) {
	names := func(d *plan.Desired, g plan.Group) string {
		var all []string
		for _, a := range g.Instances {
			if in := d.Instance(a); in != nil {
				all = append(all, in.Name)
			}
		}
		slices.Sort(all)
		return strings.Join(all, " ")
	}
	for _, pair := range pairs(p.Desired.Groups, c.theirs.Desired.Groups,
		func(a, b plan.Group) bool { return a.Name == b.Name },
		func(a, b plan.Group) bool { return names(&p.Desired, a) == names(&c.theirs.Desired, b) }) {
		a, b := pair[0], pair[1]
		c.Compared++
		if a == nil {
			c.differ("sync_group "+b.Name, "", "there", nil, b.Src)
			continue
		}
		s := c.groupOf(a)
		if b == nil {
			c.differ("sync_group "+a.Name, "there", "", s.dir, plan.Src{})
			continue
		}
		if x, y := names(&p.Desired, *a), names(&c.theirs.Desired, *b); x != y {
			c.differ("sync_group "+a.Name+" instances", x, y, s.dir, b.Src)
		}
		c.tracks("sync_group "+a.Name, p, a.Track, b.Track, func(plan.Track) *directive { return s.dir }, b.Src)
		c.notifies("sync_group "+a.Name, p, a.Notify, b.Notify, s.dir, b.Src)
	}
}

func (c *comparer) groupOf(a *plan.Group) *syncGroup {
	for _, g := range c.e.sync {
		for _, s := range g.from {
			if s.m == c.m && plan.Addr("sync_group."+g.label) == a.Address {
				return s
			}
		}
	}
	return nil
}

// Sum is the comparison in one line: "37 settings compared, 0 differ".
func (c *Comparison) Sum() string {
	s := fmt.Sprintf("%s compared, %d differ", count(c.Compared, "setting"), len(c.Differences))
	if c.Secrets > 0 {
		s += fmt.Sprintf("; %s not compared, the value is on the node", count(c.Secrets, "secret"))
	}
	return s
}
