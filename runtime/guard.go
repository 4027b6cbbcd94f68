package runtime

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"hafile/lang/plan"
	"hafile/runtime/control"
	"hafile/runtime/node"
	"hafile/runtime/vrrp"
)

// codeGuard: a guard of the running plan is not met.
const codeGuard = "HA3108"

// guards asks the guard of every instance that runs and that the plan touches. The guard
// of the running plan counts, so that to delete it is no way round; an instance that is
// new has nobody to protect. What is not known of a member fails the guard: a backup
// sends nothing. -allow=guard:INSTANCE goes on all the same, and the answer says so.
func (t *transaction) guards(snap *node.Snapshot) *control.Problem {
	for _, a := range t.touched() {
		in := t.before.plan.Desired.Instance(a)
		if in == nil || in.Guard == nil {
			continue
		}
		asked := guarded{plan: t.before.plan, in: in, now: snap.Now}
		for i := range snap.Instances {
			if snap.Instances[i].Address == a {
				asked.is = &snap.Instances[i]
			}
		}
		why := asked.unmet(time.Now())
		if len(why) == 0 {
			continue
		}
		said := fmt.Sprintf("the guard of %s is not met: %s", a, strings.Join(why, "; "))
		if !slices.Contains(t.req.Allow, "guard:"+string(a)) {
			return &control.Problem{Exit: 4, Code: codeGuard, Summary: said,
				Detail: fmt.Sprintf("Wait until it is, or apply -allow=guard:%s if you know better.", a)}
		}
		t.d.log.Warn(said, "allowed by", t.req.By)
		t.say(said + ", and that was allowed")
	}
	return nil
}

// say adds to what the answer tells beside its steps.
func (t *transaction) say(s string) {
	if t.note != "" {
		t.note += "; "
	}
	t.note += s
}

// touched are the instances of the running plan that any change is about, by itself or
// through a check or a group.
func (t *transaction) touched() []plan.Addr {
	var out []plan.Addr
	add := func(a plan.Addr) {
		if !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	for i := range t.changes {
		a := t.changes[i].Address
		if t.changes[i].From != "" {
			a = t.changes[i].From
		}
		if g := t.before.plan.Desired.Group(a); g != nil {
			for _, in := range g.Instances {
				add(in)
			}
		}
		for k := range t.before.plan.Desired.Instances {
			in := &t.before.plan.Desired.Instances[k]
			if in.Address == a || slices.ContainsFunc(in.Track, func(tr plan.Track) bool { return tr.Check == a }) {
				add(in.Address)
			}
		}
	}
	return out
}

// guarded is one instance at the door.
type guarded struct {
	plan *plan.Plan
	in   *plan.Instance
	is   *node.Instance // nil: it does not run
	now  vrrp.Instant
}

// unmet says what is missing, in the order in which the language lists it.
func (g guarded) unmet(wall time.Time) []string {
	var why []string
	guard := g.in.Guard
	live, unknown := g.members()
	if len(live) < guard.MinLivePeers {
		why = append(why, fmt.Sprintf("min_live_peers = %d, and %d of the other members are known to live%s", guard.MinLivePeers, len(live), notKnown(unknown)))
	}
	if quiet := time.Duration(guard.NotWhileFlappingMs) * time.Millisecond; quiet > 0 && g.is != nil && g.is.Since != 0 {
		if since := g.now.Sub(g.is.Since); since < quiet {
			why = append(why, fmt.Sprintf("not_while_flapping = %s, and it is %s for %s", quiet, g.is.Role, since.Round(time.Second)))
		}
	}
	if !inWindow(guard.Window, wall) {
		why = append(why, fmt.Sprintf("window = %q, and it is %s here", guard.Window, wall.Format("15:04")))
	}
	if guard.RequireBackupReady && len(live) == 0 {
		why = append(why, "require_backup_ready, and no other member is known to be up and able to take the addresses"+notKnown(unknown))
	}
	return why
}

// members are the others of whom an advert within the silence says that they live, and
// those of whom nothing says anything.
func (g guarded) members() (live, unknown []string) {
	for _, m := range othersOf(g.plan, g.in) {
		if g.is != nil && slices.ContainsFunc(g.is.Peers, func(p node.Peer) bool {
			return p.Address == m.Address && p.Priority > 0 && g.now.Sub(p.At) < g.is.Silence
		}) {
			live = append(live, m.Node)
		} else {
			unknown = append(unknown, m.Node)
		}
	}
	return live, unknown
}

func notKnown(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf(" (unknown: %s; a backup sends nothing)", strings.Join(names, ", "))
}

// inWindow: a window may pass midnight, and includes its first minute and not its last.
func inWindow(window string, at time.Time) bool {
	from, to, ok := plan.ParseWindow(window)
	if !ok {
		return true // none is written
	}
	minute := at.Hour()*60 + at.Minute()
	if from < to {
		return from <= minute && minute < to
	}
	return from <= minute || minute < to
}
