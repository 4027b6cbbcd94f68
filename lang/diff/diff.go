package diff

import (
	"cmp"
	"fmt"
	"slices"

	"hafile/lang/plan"
)

// Plans lists what applying after changes on the node that it is for, when the node
// runs before (nil: nothing) and is as now says. Things are matched by address, then as
// after.Moved says, then by what they are: an instance by its wire key, a check or notify by its content. Neither
// plan is modified; positions and the order of sorted lists are no difference.
func Plans(before, after *plan.Plan, now Present) ([]Change, Summary) {
	d := newDiffer(before, after, now)
	var changes []Change
	for _, p := range d.checks {
		changes = appendChange(changes, d.check(p))
	}
	for _, p := range d.notifies {
		changes = appendChange(changes, d.notify(p))
	}
	for _, p := range d.instances {
		changes = appendChange(changes, d.instance(p))
	}
	for _, p := range d.groups {
		changes = appendChange(changes, d.group(p))
	}
	return changes, summarize(changes)
}

// differ holds both plans with their things in pairs. The references of the plan before
// are rewritten to the new names, so that a rename shows once and not at every use.
type differ struct {
	before, after *plan.Plan
	now           Present

	instances []pair[plan.Instance]
	groups    []pair[plan.Group]
	checks    []pair[plan.Check]
	notifies  []pair[plan.Notify]
	former    map[plan.Addr]plan.Addr // of renamed checks: new address -> old
}

func newDiffer(before, after *plan.Plan, now Present) *differ {
	if before == nil {
		before = &plan.Plan{}
	}
	d := &differ{before: before.Clone(), after: after.Clone(), now: now, former: map[plan.Addr]plan.Addr{}}
	d.before.Normalize()
	d.after.Normalize()
	b, a := &d.before.Desired, &d.after.Desired
	moves := d.after.Moved
	d.instances = pairs(b.Instances, a.Instances, func(i *plan.Instance) plan.Addr { return i.Address }, sameWire, moves)
	rewrite(b, renames(d.instances))
	d.checks = pairs(b.Checks, a.Checks, func(c *plan.Check) plan.Addr { return c.Address }, sameCheck, moves)
	d.notifies = pairs(b.Notifies, a.Notifies, func(n *plan.Notify) plan.Addr { return n.Address }, sameNotify, moves)
	for to, from := range renamesBack(d.checks) {
		d.former[to] = from
	}
	rewrite(b, renames(d.checks))
	rewrite(b, renames(d.notifies))
	d.groups = pairs(b.Groups, a.Groups, func(g *plan.Group) plan.Addr { return g.Address }, sameGroup, moves)
	return d
}

// renames has the new address of what was renamed, by the old one.
func renames[T any](ps []pair[T]) map[plan.Addr]plan.Addr {
	to := map[plan.Addr]plan.Addr{}
	for _, p := range ps {
		if p.renamed() {
			to[p.from] = p.to
		}
	}
	return to
}

func renamesBack[T any](ps []pair[T]) map[plan.Addr]plan.Addr {
	from := map[plan.Addr]plan.Addr{}
	for old, now := range renames(ps) {
		from[now] = old
	}
	return from
}

// rewrite replaces references by the new names of what they mean.
func rewrite(d *plan.Desired, renamed map[plan.Addr]plan.Addr) {
	if len(renamed) == 0 {
		return
	}
	rename := func(a *plan.Addr) {
		if to, yes := renamed[*a]; yes {
			*a = to
		}
	}
	for i := range d.Instances {
		rewriteUses(&d.Instances[i].Track, d.Instances[i].Notify, rename)
	}
	for i := range d.Groups {
		g := &d.Groups[i]
		rewriteUses(&g.Track, g.Notify, rename)
		for k := range g.Instances {
			rename(&g.Instances[k])
		}
	}
	for i := range d.Checks {
		// What watches an instance is called after it.
		if c := &d.Checks[i]; c.Instance != nil {
			rename(&c.Instance.Address)
			rename(&c.Address)
			c.Name = c.Address.Name()
		}
	}
}

func rewriteUses(track *[]plan.Track, notify []plan.Addr, rename func(*plan.Addr)) {
	for k := range *track {
		rename(&(*track)[k].Check)
	}
	for k := range notify {
		rename(&notify[k])
	}
}

// pair is one thing before and after; nil where it is not there.
type pair[T any] struct {
	before, after *T
	from, to      plan.Addr
}

func (p pair[T]) renamed() bool { return p.before != nil && p.after != nil && p.from != p.to }

// at is the address under which people look for it.
func (p pair[T]) at() plan.Addr {
	if p.after != nil {
		return p.to
	}
	return p.from
}

// pairs matches by address, then what is left by moves, then by what it is, each thing
// once.
func pairs[T any](before, after []T, address func(*T) plan.Addr, same func(b, a *T) bool, moves []plan.Move) []pair[T] {
	var all []pair[T]
	used := make([]bool, len(before))
	match := func(a *T, fits func(b *T) bool) bool {
		for i := range before {
			if b := &before[i]; !used[i] && fits(b) {
				used[i] = true
				all = append(all, pair[T]{before: b, after: a, from: address(b), to: address(a)})
				return true
			}
		}
		return false
	}
	var rest []*T
	for i := range after {
		a := &after[i]
		if !match(a, func(b *T) bool { return address(b) == address(a) }) {
			rest = append(rest, a)
		}
	}
	var fresh []*T
	for _, a := range rest {
		if !match(a, func(b *T) bool { return plan.MovedTo(moves, address(b)) == address(a) }) {
			fresh = append(fresh, a)
		}
	}
	for _, a := range fresh {
		if !match(a, func(b *T) bool { return same(b, a) }) {
			all = append(all, pair[T]{after: a, to: address(a)})
		}
	}
	for i := range before {
		if !used[i] {
			all = append(all, pair[T]{before: &before[i], from: address(&before[i])})
		}
	}
	slices.SortStableFunc(all, func(x, y pair[T]) int { return cmp.Compare(x.at(), y.at()) })
	return all
}

func sameWire(b, a *plan.Instance) bool { return b.Wire() == a.Wire() }

func sameCheck(b, a *plan.Check) bool {
	strip := func(c plan.Check) string {
		c.Address, c.Name, c.Src, c.Via = "", "", plan.Src{}, ""
		return string(mustJSON(c))
	}
	return strip(*b) == strip(*a)
}

func sameNotify(b, a *plan.Notify) bool {
	strip := func(n plan.Notify) string {
		n.Address, n.Src, n.Via = "", plan.Src{}, ""
		return string(mustJSON(n))
	}
	return strip(*b) == strip(*a)
}

// sameGroup: a group is its instances.
func sameGroup(b, a *plan.Group) bool { return slices.Equal(b.Instances, a.Instances) }

// shape is a change without its impact; nil where nothing differs.
func shape[T any](d *differ, p pair[T], src func(*T) plan.Src) (*Change, []leaf) {
	ls := leaves(p.before, p.after)
	c := &Change{Address: p.at()}
	switch {
	case p.before == nil:
		c.Action = Add
	case p.after == nil:
		c.Action, c.Was = Remove, where(d.before, src(p.before))
	case p.renamed():
		c.Action, c.From = Rename, p.from
	case len(ls) == 0:
		return nil, nil
	default:
		c.Action = Update
	}
	if p.after != nil {
		c.Src = src(p.after)
	}
	return c, ls
}

// where writes a position for people: "nginx-pair.ha.hcl:54"; empty if not known.
func where(p *plan.Plan, s plan.Src) string {
	if s.IsZero() || s[0] < 0 || s[0] >= len(p.Sources) {
		return ""
	}
	return fmt.Sprintf("%s:%d", p.Sources[s[0]].File, s[1])
}

// check and notify: whatever happens to one, the addresses stay where they are. What a
// check does to an instance is said where the instance tracks it.
func (d *differ) check(p pair[plan.Check]) *Change {
	c, ls := shape(d, p, func(c *plan.Check) plan.Src { return c.Src })
	return d.fill(c, ls, nil)
}

func (d *differ) notify(p pair[plan.Notify]) *Change {
	c, ls := shape(d, p, func(n *plan.Notify) plan.Src { return n.Src })
	return d.fill(c, ls, nil)
}

func (d *differ) instance(p pair[plan.Instance]) *Change {
	c, ls := shape(d, p, func(i *plan.Instance) plan.Src { return i.Src })
	e := &edit{differ: d, before: p.before, after: p.after, role: d.roleOf(p)}
	return d.fill(c, e.lists(e.once(ls)), e)
}

func (d *differ) group(p pair[plan.Group]) *Change {
	c, ls := shape(d, p, func(g *plan.Group) plan.Src { return g.Src })
	return d.fill(c, ls, &edit{differ: d, group: d.groupNow(p)})
}

// groupNow is where the instances of a group are before it changes. Those that do not run
// yet take no side.
func (d *differ) groupNow(p pair[plan.Group]) *groupNow {
	g, now := p.after, &groupNow{together: true}
	if g == nil {
		g = p.before
	}
	seen := false
	for _, i := range d.instances {
		if i.before == nil || !slices.Contains(g.Instances, i.at()) {
			continue
		}
		here := holds(d.now.role(i.before, d.after.Node))
		now.together = now.together && (!seen || here == now.holds)
		now.holds, seen = now.holds || here, true
		if i.after != nil {
			now.edits = append(now.edits, &edit{differ: d, before: i.before, after: i.after, role: d.roleOf(i)})
		}
		for _, v := range i.before.VIPs {
			now.vips = append(now.vips, v.Address)
		}
	}
	return now
}

// roleOf is the present role of an instance; empty for one that does not run yet.
func (d *differ) roleOf(p pair[plan.Instance]) string {
	if p.before == nil {
		return ""
	}
	return d.now.role(p.before, d.after.Node)
}

// fill turns leaves into fields with their impact, and sums them up.
func (d *differ) fill(c *Change, ls []leaf, e *edit) *Change {
	if c == nil {
		return nil
	}
	c.Impact = d.whole(c, e)
	for _, l := range ls {
		f := d.field(l)
		if c.Action == Update || c.Action == Rename || l.row == rowVIP {
			impact := rowOf(l).impact(e, l)
			f.Impact = &impact
			c.Impact = worse(c.Impact, impact)
		}
		c.Fields = append(c.Fields, f)
	}
	return c
}

// rowOf is what a difference means. One of them is of no field.
func rowOf(l leaf) row {
	if l.row == rowLists {
		return row{impact: otherList}
	}
	return rows[l.row]
}

func (d *differ) field(l leaf) Field {
	f := Field{Path: l.path, Before: l.before, After: l.after, Sensitive: l.sensitive}
	if l.gone {
		f.Was = where(d.before, l.src)
	} else {
		f.Src = l.src
	}
	return f
}

// worse joins two impacts into one: the higher class speaks, and what any part needs
// the members to do together, the whole needs.
func worse(a, b Impact) Impact {
	pairwise, retire := a.Pairwise || b.Pairwise, a.Retire || b.Retire
	if b.Class.Rank() > a.Class.Rank() || a.Reason == "" {
		a = b
	} else if a.Class == b.Class && a.Reason == b.Reason {
		a.VIPs = union(a.VIPs, b.VIPs)
	}
	a.Pairwise, a.Retire = pairwise, retire
	return a
}

func appendChange(changes []Change, c *Change) []Change {
	if c == nil {
		return changes
	}
	return append(changes, *c)
}

// Everything lists all fields of one thing of a plan, as if it were new.
func Everything(p *plan.Plan, a plan.Addr) []Field {
	var ls []leaf
	if in := p.Desired.Instance(a); in != nil {
		ls = leaves(nil, in)
	} else if g := p.Desired.Group(a); g != nil {
		ls = leaves(nil, g)
	} else if c := p.Desired.Check(a); c != nil {
		ls = leaves(nil, c)
	} else if n := p.Desired.Notify(a); n != nil {
		ls = leaves(nil, n)
	}
	d := &differ{}
	fields := make([]Field, len(ls))
	for i, l := range ls {
		fields[i] = d.field(l)
	}
	return fields
}
