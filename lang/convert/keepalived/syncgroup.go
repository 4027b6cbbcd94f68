package keepalived

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// syncGroup is one vrrp_sync_group on one node.
type syncGroup struct {
	m     *machine
	dir   *directive
	name  string
	known map[*script]bool
	user  *directive // script_user when the block opened
	slots map[string]*directive

	members []*instance
	tracks  []track
	hooks   []hook
	alert   bool
	alerter *directive
	// weights are allowed: sync_group_tracking_weight.
	weights bool
	why     string // it is not in the result
	merged  *mergedGroup
}

func (m *machine) syncGroup(block *directive) {
	g := &syncGroup{m: m, dir: block, name: block.arg(1), known: map[*script]bool{}, user: m.global.scriptUser, slots: map[string]*directive{}}
	if block.missing() {
		block.whole(Dropped, "HA4008", "has no name: keepalived stops at it")
		return
	}
	for _, other := range m.groups {
		if other.name == g.name {
			block.warn("HA4008", 1, fmt.Sprintf("There are two sync groups %q", g.name),
				"keepalived skips this one, because line %d has the name already. Give one of them another name.", other.dir.n)
			block.whole(NoEffect, "HA4008", "keepalived skips it: line %d has the name already", other.dir.n)
			return
		}
	}
	for _, s := range m.scripts {
		g.known[s] = true
	}
	m.groups = append(m.groups, g)
}

// read settles a group once all instances are known: it may stand before them.
func (g *syncGroup) read() {
	t := tracked{m: g.m, what: "this group", known: func(s *script) bool { return g.known[s] }}
	var blocks []*directive
	g.m.inside(g.dir, func(d *directive) {
		switch key := d.key(); {
		case key == "group":
			if first := g.slots[key]; first != nil {
				d.whole(NoEffect, "HA4008", "keepalived skips a second list, the first is line %d", first.n)
				return
			}
			g.slots[key] = d
			g.list(d)
		case isTrackBlock(d):
			blocks = append(blocks, d)
		case hookEvents[key] != nil:
			readHook(g.m, d, g.slots, g.user, &g.hooks)
		case key == "sync_group_tracking_weight" || key == "global_tracking":
			g.weights = true
			d.say(Unsupported, "HA4012", "in hafile what a group tracks moves all of it: weights have no place in one")
		case key == "notify_priority_changes":
			d.say(tellPriority.kind, tellPriority.code, "%s", tellPriority.note)
		default: // smtp_alert
			old := g.slots[key]
			again(&old, d)
			g.slots[key] = d
		}
	})
	for _, d := range blocks {
		t.read(d)
	}
	g.tracks = t.list
	g.alert, g.alerter = g.m.alerting(g.slots["smtp_alert"])
	if len(g.members) == 0 {
		g.leaveOut()
		return
	}
	g.dir.say(Exact, "", "")
	g.tracks = g.unweighted(g.tracks)
	for _, in := range g.members {
		in.tracks = g.unweighted(in.tracks)
	}
}

// leaveOut is for a group without members in the result.
func (g *syncGroup) leaveOut() {
	g.why = "none of its instances is in the result"
	kind := Unsupported
	if d := g.slots["group"]; d == nil || len(d.body) == 0 {
		g.why, kind = "it has no members: keepalived removes it", NoEffect
	}
	for _, c := range g.dir.body {
		c.withdraw(g.dir)
	}
	g.dir.said = nil
	g.dir.say(kind, "HA4012", "%s", g.why)
	g.tracks = nil
}

// list reads the members: each word of the block is one.
func (g *syncGroup) list(block *directive) {
	block.say(Exact, "", "")
	for _, d := range block.body {
		if d.kind != isEntry {
			g.m.aside(d)
			continue
		}
		var notes []string
		for _, w := range d.words {
			i := slices.IndexFunc(g.m.instances, func(in *instance) bool { return in.name == w.text })
			switch {
			case i < 0:
				d.warn("HA4008", 0, fmt.Sprintf("There is no instance %q", short(w.text)), "keepalived leaves it out of the group, and so does the result. Correct the name, or remove it.")
				notes = append(notes, fmt.Sprintf("there is no instance %s: keepalived leaves it out; so does the result", short(w.text)))
			case g.m.instances[i].group != nil:
				other := g.m.instances[i].group
				notes = append(notes, fmt.Sprintf("%s is in %s already: keepalived leaves it out; so does the result", short(w.text), short(other.name)))
			case g.m.instances[i].why != "":
				notes = append(notes, fmt.Sprintf("%s is not in the result", short(w.text)))
				d.said = &verdict{Unsupported, "HA4012", notes[len(notes)-1]}
			default:
				g.m.instances[i].group = g
				g.members = append(g.members, g.m.instances[i])
			}
		}
		if len(notes) > 0 {
			d.say(NoEffect, "HA4008", "%s", strings.Join(notes, "; "))
		}
		d.say(Exact, "", "")
	}
}

// unweighted is what keepalived makes of weights in a group: those of interfaces become
// faults, those of scripts make it drop the tracker, and so on.
func (g *syncGroup) unweighted(tracks []track) []track {
	var out []track
	for _, t := range tracks {
		if t.value == 0 {
			out = append(out, t)
			continue
		}
		switch {
		case g.weights:
			t.dir.said = &verdict{Unsupported, "HA4012", "not tracked: weights have no place in a sync group of hafile"}
			continue
		case t.script == nil:
			t.dir.said = &verdict{Changed, "HA4008", "in a sync group keepalived takes the weight for 0, and a failure for a fault; so does the result"}
		case t.script.kind == aFile && t.value == 1:
			t.dir.said = &verdict{Changed, "HA4008", "in a sync group keepalived takes the weight 1 for 0; so does the result"}
		case t.script.kind == aProcess:
			t.dir.said = &verdict{Unsupported, "HA4012", "not tracked: weights have no place in a sync group of hafile"}
			continue
		default:
			t.dir.warn("HA4008", 0, "A weighted tracker in a sync group", "Without sync_group_tracking_weight keepalived drops it, so that it moves nothing today, nor in the result. Remove the weight if a failure should move the group.")
			t.dir.said = &verdict{NoEffect, "HA4008", "weighted, in a sync group: keepalived drops it; so does the result"}
			continue
		}
		t.value = 0
		out = append(out, t)
	}
	return out
}

// mergedGroup is one sync_group block of the result.
type mergedGroup struct {
	label string
	name  string
	from  []*syncGroup
	refs  []*group // its instances
	// apart: the nodes track different things, so that the members track them.
	apart bool
	// uneven: its instances have different peers, so that they cannot move together.
	uneven bool
}

// unevenGroups takes out groups whose instances do not run on the same machines, as far as
// the files tell.
func (e *emitter) unevenGroups() {
	e.sync = slices.DeleteFunc(e.sync, func(g *mergedGroup) bool {
		if !g.uneven {
			e.order(g)
			return false
		}
		for _, s := range g.from {
			s.merged = nil
			s.dir.warn("HA4012", 0, fmt.Sprintf("The sync group %q is not in the result", s.name),
				"Its instances have different numbers of peers, so that they are not on the same machines. Convert the files of all machines together, or write the group yourself.")
			s.dir.said = &verdict{Unsupported, "HA4012", "not in the result: its instances have different peers"}
			for _, c := range s.dir.body {
				c.withdraw(s.dir)
			}
		}
		return true
	})
}

// order reports instances of a group that prefer different machines: with keepalived such a
// group is elected over and over.
func (e *emitter) order(g *mergedGroup) {
	first := g.refs[0]
	for _, r := range g.refs[1:] {
		if slices.Equal(first.preference(), r.preference()) {
			continue
		}
		a, b := first.members[0], r.members[0]
		differ(a, b, "the order of priorities in the sync group "+g.name, a.place("priority", "priority"), b.place("priority", "priority"), "the group is elected over and over")
		return
	}
}

// preference is the machines of an instance, the preferred one first.
func (g *group) preference() (labels []string) {
	order := slices.Clone(g.members)
	slices.SortStableFunc(order, func(a, b *instance) int {
		return cmp.Or(cmp.Compare(b.priority, a.priority), cmp.Compare(a.m.label, b.m.label))
	})
	for _, in := range order {
		labels = append(labels, in.m.label)
	}
	return labels
}

// mergeSyncGroups matches groups by their instances.
func (e *emitter) mergeSyncGroups() {
	labels := map[string]bool{}
	for _, m := range e.machines {
		for _, s := range m.groups {
			if s.why != "" {
				continue
			}
			refs := e.groupsOf(s)
			i := slices.IndexFunc(e.sync, func(g *mergedGroup) bool {
				return slices.ContainsFunc(refs, func(r *group) bool { return slices.Contains(g.refs, r) })
			})
			if i < 0 {
				e.sync = append(e.sync, &mergedGroup{label: unique(labels, label(s.name)), name: s.name, refs: refs})
				i = len(e.sync) - 1
			}
			g := e.sync[i]
			g.from = append(g.from, s)
			s.merged = g
			e.sameMembers(g, s, refs)
			if trackKeys(s.tracks) != trackKeys(g.from[0].tracks) {
				g.apart = true
			}
		}
	}
}

func (e *emitter) groupsOf(s *syncGroup) (out []*group) {
	for _, in := range s.members {
		for _, g := range e.groups {
			if slices.Contains(g.members, in) {
				out = append(out, g)
			}
		}
	}
	return out
}

// sameMembers reports groups that are not one on all nodes.
func (e *emitter) sameMembers(g *mergedGroup, s *syncGroup, refs []*group) {
	first := g.from[0]
	same := len(refs) == len(g.refs)
	for _, r := range refs {
		same = same && slices.Contains(g.refs, r)
	}
	if same {
		return
	}
	differ(first.members[0], s.members[0], "the members of the sync group "+s.name, first.slots["group"], s.slots["group"], "one half of the group may be active elsewhere than the other")
}

func trackKeys(tracks []track) string {
	var keys []string
	for _, t := range tracks {
		keys = append(keys, t.key())
	}
	slices.Sort(keys)
	return strings.Join(keys, ";")
}
