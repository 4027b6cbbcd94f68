package runtime

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"hafile/lang/plan"
	"hafile/runtime/control"
	"hafile/runtime/node"
	"hafile/runtime/peers"
	"hafile/runtime/vrrp"
)

// codeGuard: a guard of the running plan is not met.
const codeGuard = "HA3108"

// guards asks the guard of every instance that runs and that the plan touches. The guard
// of the running plan counts, so that to delete it is no way round; an instance that is
// new has nobody to protect. The members are asked now. What is not known of one fails the
// guard: a backup sends nothing, and may have no status address. -allow=guard:INSTANCE goes on all the same, and the answer says so.
func (t *transaction) guards(snap *node.Snapshot) *control.Problem {
	var known map[string]peers.Peer
	for _, a := range t.touched() {
		in := t.before.plan.Desired.Instance(a)
		if in == nil || in.Guard == nil {
			continue
		}
		if known == nil {
			known = t.d.others.watcher.Ask(context.Background())
		}
		asked := guarded{plan: t.before.plan, in: in, now: snap.Now, known: known}
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
			if in.Address == a || slices.ContainsFunc(t.before.plan.Desired.Tracks(in), func(tr plan.Track) bool { return tr.Check == a }) {
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
	// known is what the members say of themselves.
	known map[string]peers.Peer
}

// unmet says what is missing, in the order in which the language lists it.
func (g guarded) unmet(wall time.Time) []string {
	var why []string
	guard := g.in.Guard
	m := g.members()
	if m.live < guard.MinLivePeers {
		why = append(why, fmt.Sprintf("min_live_peers = %d, and %d of the other members are known to live%s", guard.MinLivePeers, m.live, m))
	}
	if quiet := time.Duration(guard.NotWhileFlappingMs) * time.Millisecond; quiet > 0 && g.is != nil && g.is.Since != 0 {
		if since := g.now.Sub(g.is.Since); since < quiet {
			why = append(why, fmt.Sprintf("not_while_flapping = %s, and it is %s for %s", quiet, g.is.Role, since.Round(time.Second)))
		}
	}
	if !inWindow(guard.Window, wall) {
		why = append(why, fmt.Sprintf("window = %q, and it is %s here", guard.Window, wall.Format("15:04")))
	}
	if guard.RequireBackupReady && m.ready == 0 {
		why = append(why, "require_backup_ready, and no other member is known to be up and able to take the addresses"+m.String())
	}
	return why
}

// company counts the other members of an instance.
type company struct {
	live    int // heard within the silence, or they answer
	ready   int // among them: they answer for the addresses, or would
	unfit   []string
	unknown []string
}

func (g guarded) members() company {
	var c company
	for _, s := range standings(g.plan, g.in, g.is, g.now, g.known) {
		switch {
		case s.ready(vipsOf(g.in)), s.heard:
			c.live, c.ready = c.live+1, c.ready+1
		case s.in != nil:
			c.live++
			c.unfit = append(c.unfit, s.unfit(vipsOf(g.in)))
		default:
			c.unknown = append(c.unknown, s.node+": "+s.why)
		}
	}
	return c
}

// String says what keeps the others from being counted; empty if nothing does.
func (c company) String() string {
	var words []string
	if len(c.unfit) > 0 {
		words = append(words, strings.Join(c.unfit, ", "))
	}
	if len(c.unknown) > 0 {
		words = append(words, "unknown: "+strings.Join(c.unknown, ", "))
	}
	if len(words) == 0 {
		return ""
	}
	return " (" + strings.Join(words, "; ") + ")"
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
