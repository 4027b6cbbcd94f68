package runtime

import (
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"time"

	"hafile/lang/diff"
	"hafile/lang/plan"
	"hafile/lang/planfile"
	"hafile/runtime/control"
	"hafile/runtime/node"
	"hafile/runtime/peers"
	"hafile/runtime/store"
	"hafile/runtime/vrrp"
	"hafile/runtime/vrrp/wire"
)

// running is the plan that the engine has, with all that was resolved for it. It is
// replaced, never changed.
type running struct {
	plan    *plan.Plan // never nil; empty where nothing is configured
	secrets map[string]string
	former  []store.Former     // identities that instances keep beside their own
	status  control.PlanStatus // Serial 0: nothing is configured
}

// configured reports whether there is a plan at all.
func (r *running) configured() bool { return r.status.Serial > 0 }

// Status is everything that a person may ask of the daemon.
func (d *daemon) Status() *control.Status {
	run, snap, stats := d.running.Load(), d.engine.Snapshot(), d.engine.Stats()
	s := &control.Status{
		FormatVersion: plan.FormatVersion, HafileVersion: d.opt.Version, Node: d.nodeName(run),
		PID: os.Getpid(), Started: d.started, Lineage: d.store.Lineage(),
		Instances: []control.Instance{}, Checks: d.checks(), Notifies: d.notifies(), Sockets: d.sockets.status(),
		Engine: control.Engine{
			Scheduling: stats.Scheduling, Wakeups: stats.Wakeups,
			LatenessMaxMs: float64(snap.Punctuality.Max.Microseconds()) / 1000,
			AdvertsLate:   snap.Punctuality.AdvertsLate,
		},
	}
	if run.configured() {
		s.Plan = &run.status
	}
	s.Predictions = d.predictions.get()
	if w := d.pending.Load(); w != nil {
		s.ConfirmBy = &w.until
	}
	if dr := d.drained.Load(); dr != nil {
		s.Drain = &control.Drain{Reason: dr.Reason, By: dr.By, Since: dr.Since, Until: dr.Until}
	}
	known := d.others.watcher.Known()
	s.Members = d.members(run.plan, known)
	view := view{run: run.plan, now: snap.Now, wall: d.engine.WallTime, checks: states(s.Checks), known: known}
	for i := range snap.Instances {
		in := view.instance(&snap.Instances[i])
		for _, k := range run.formersOf(in.Address) {
			in.Former = append(in.Former, control.Wire{Interface: k.Key.Interface, Family: k.Key.Family, VRID: k.Key.VRID, Version: k.Key.Version, Transport: k.Key.Transport})
		}
		in.Unswept = unswept(run, &snap.Instances[i], known)
		s.Instances = append(s.Instances, in)
	}
	for i := range snap.Groups {
		s.Groups = append(s.Groups, view.group(&snap.Groups[i]))
	}
	return s
}

// nodeName is what this machine is called in plans; empty before anybody has said.
func (d *daemon) nodeName(run *running) string {
	if d.opt.Node != "" {
		return d.opt.Node
	}
	return run.plan.Node
}

// Plan that runs.
func (d *daemon) Plan() *control.RunningPlan {
	run := d.running.Load()
	r := &control.RunningPlan{FormatVersion: plan.FormatVersion, Status: run.status, Lineage: d.store.Lineage()}
	if run.configured() {
		r.Plan = run.plan
	} else {
		r.Status.Digest = planfile.NoBase
	}
	return r
}

// present is what this node does now, in the form in which two plans are compared.
func (d *daemon) present(snap *node.Snapshot) diff.Present {
	p := diff.Present{Roles: map[plan.Addr]string{}, Checks: states(d.checks())}
	for i := range snap.Instances {
		if in := &snap.Instances[i]; !in.Leaving {
			p.Roles[in.Address] = in.Role.String()
		}
	}
	return p
}

// asRunning is the daemon as plans see it.
func (d *daemon) asRunning(run *running, snap *node.Snapshot) planfile.Running {
	r := planfile.Running{Node: d.nodeName(run), Lineage: d.store.Lineage(), Present: d.present(snap)}
	r.Peers = control.PeersOf(d.members(run.plan, d.others.watcher.Known()))
	if run.configured() {
		r.Serial, r.Plan, r.Since, r.By = run.status.Serial, run.plan, run.status.Since, run.status.By
	}
	return r
}

func states(checks []control.Check) map[plan.Addr]plan.CheckState {
	out := make(map[plan.Addr]plan.CheckState, len(checks))
	for i := range checks {
		out[checks[i].Address] = plan.CheckState(checks[i].State)
	}
	return out
}

func (d *daemon) checks() []control.Check {
	out := []control.Check{}
	for _, c := range d.health.Status() {
		out = append(out, control.Check{
			Address: c.Address, State: c.State, Since: c.Since, Streak: c.Streak,
			LastExit: c.LastExit, LastOutput: c.LastOutput, LastError: c.LastError,
			LastRunMs: c.LastRunMs, LastEnd: c.LastEnd,
		})
	}
	return out
}

func (d *daemon) notifies() []control.Notify {
	out := []control.Notify{}
	for _, n := range d.notify.Status() {
		out = append(out, control.Notify(n))
	}
	return out
}

// view turns what the node knows into what people read.
type view struct {
	run    *plan.Plan
	now    vrrp.Instant
	wall   func(vrrp.Instant) time.Time
	checks map[plan.Addr]plan.CheckState
	known  map[string]peers.Peer
}

func (v view) instance(n *node.Instance) control.Instance {
	out := control.Instance{
		Address: n.Address, Name: n.Name, Role: roleOf(n), Why: n.Why,
		Wire: control.Wire{
			Interface: n.Key.Interface, Family: n.Key.Family, VRID: n.Key.VRID, Version: n.Key.Version,
			Transport: n.Key.Transport, Group: n.Key.Group, Source: n.Source,
		},
		Priority: control.Priority{Configured: n.Configured, Effective: n.Effective},
		VIPs:     []control.VIP{}, Peers: []control.Peer{}, Checks: []control.Tracked{},
		Counters: counters(&n.Counters),
	}
	out.Counters["addresses_removed"] = n.Removals
	if n.Since != 0 {
		out.Since = v.wall(n.Since)
		out.LastChange = out.Since
	}
	for _, p := range n.Parts {
		out.Priority.Parts = append(out.Priority.Parts, control.PriorityPart(p))
	}
	for _, a := range n.Addresses {
		out.VIPs = append(out.VIPs, control.VIP{Address: a.Single(), Interface: a.Interface, Present: a.Present})
	}
	if n.Stale.IsValid() {
		out.Why += fmt.Sprintf("; the active announces %s, which this plan lacks", n.Stale)
	}
	if n.Awaits != "" {
		out.Why += fmt.Sprintf("; it would be active, but waits for %s of its sync group", n.Awaits)
	}
	in := v.run.Desired.Instance(n.Address)
	if in == nil {
		in = &plan.Instance{} // it is leaving
	}
	out.Src, out.AdvertMs = v.src(in.Src), in.AdvertMs
	out.Peers = v.peers(in, n.Peers)
	for _, t := range v.run.Desired.Tracks(in) {
		state := v.checks[t.Check]
		if state == "" {
			state = plan.CheckUnknown
		}
		out.Checks = append(out.Checks, control.Tracked{Address: t.Check, State: string(state), Weight: t.Weight})
	}
	return out
}

func (v view) group(g *node.Group) control.Group {
	out := control.Group{Address: g.Address, Name: g.Name, Instances: g.Instances, Role: g.Role.String(), Why: g.Why}
	if g.Since != 0 {
		out.Since = v.wall(g.Since)
	}
	if in := v.run.Desired.Group(g.Address); in != nil {
		out.Src = v.src(in.Src)
	}
	return out
}

// roleOf is the role in the words that people know: a router that is unfit because of a
// drain is drained.
func roleOf(n *node.Instance) string {
	if n.Role == vrrp.Fault && n.Failing == vrrp.Drained {
		return vrrp.Drained
	}
	return n.Role.String()
}

// src is file:line.
func (v view) src(s plan.Src) string {
	if s.IsZero() || s[0] < 0 || s[0] >= len(v.run.Sources) {
		return ""
	}
	return fmt.Sprintf("%s:%d", v.run.Sources[s[0]].File, s[1])
}

// peers are the other members in the plan's order, heard or not, then strangers.
func (v view) peers(in *plan.Instance, heard []node.Peer) []control.Peer {
	out := []control.Peer{}
	byAddress := map[netip.Addr]node.Peer{}
	for _, p := range heard {
		byAddress[p.Address] = p
	}
	for _, m := range in.Members {
		if m.Node == v.run.Node {
			continue
		}
		at := addressOf(in, v.run.Node, m, heard)
		p, met := byAddress[at]
		delete(byAddress, at)
		c := v.peer(control.Peer{Node: m.Node, Address: at, Priority: m.Priority}, p, met)
		if said := v.known[m.Node].Said; said != nil {
			if is := said.Of(in.Address, identityOf(in.Wire())); is != nil {
				c.Role, c.Ready = is.Role, &is.Ready
			}
		}
		out = append(out, c)
	}
	strangers := slices.SortedFunc(maps.Keys(byAddress), netip.Addr.Compare)
	for _, a := range strangers {
		out = append(out, v.peer(control.Peer{Address: a}, byAddress[a], true))
	}
	return out
}

// addressOf is where a member is heard. With IPv6 multicast that is a link-local address,
// which no plan knows: of two members the other one is whoever is heard.
func addressOf(in *plan.Instance, self string, m plan.Member, heard []node.Peer) netip.Addr {
	if !m.Address.IsValid() && len(in.Members) == 2 && m.Node != self && len(heard) == 1 {
		return heard[0].Address
	}
	return m.Address
}

func (v view) peer(c control.Peer, p node.Peer, met bool) control.Peer {
	if met {
		age := v.now.Sub(p.At).Milliseconds()
		c.Heard, c.Priority, c.LastAdvertMs = true, p.Priority, &age
	}
	return c
}

// counters of a router, by names that never change.
func counters(c *vrrp.Counters) map[string]uint64 {
	out := map[string]uint64{"sent": c.Sent, "accepted": c.Accepted, "goodbyes": c.Goodbyes, "transitions": c.Changes}
	for reason, n := range c.Dropped {
		if n > 0 {
			out["dropped_"+wire.Reason(reason).String()] = n
		}
	}
	return out
}
