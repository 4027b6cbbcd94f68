package node

import (
	"cmp"
	"slices"

	"hafile/lang/plan"
	"hafile/runtime/kernel"
	"hafile/runtime/vrrp"
)

// Commit makes a verified plan the running one, in one turn and without a way to fail.
// Routers whose wire identity is in both plans keep their state; what changed in them is
// reconfigured in place. The wanted state is computed once, after everything.
func (n *Node) Commit(now vrrp.Instant, next Resolved, out []Effect) []Effect {
	n.begin(now, out)
	n.plan, n.stopping = next.Plan, false
	n.paces = n.pacesNow()
	n.forgetChecks()
	n.stood = n.stood[:0]
	for _, r := range n.order {
		n.stood = append(n.stood, r.addresses...)
	}
	heirs := n.heirs(&next)
	n.evict(heirs, &next)
	for _, r := range n.order {
		if !r.taken {
			n.leave(r)
		}
		r.taken = false
	}
	n.regroup(next.Plan)
	for i := range heirs {
		if heirs[i] == nil {
			heirs[i] = &router{}
		}
		n.enter(heirs[i], &next.Plan.Desired.Instances[i])
	}
	for i := range next.Plan.Desired.Instances {
		n.place(next, &next.Plan.Desired.Instances[i], heirs[i])
	}
	n.arrange()
	n.sort()
	n.paces = nil
	return n.end()
}

// pacesNow is how each address is announced before a commit, whichever router does it.
func (n *Node) pacesNow() map[kernel.Address]plan.Announce {
	paces := map[kernel.Address]plan.Announce{}
	for _, r := range n.order {
		for _, a := range r.addresses {
			if r.role == vrrp.Active {
				paces[a] = r.instance.Announce
			}
		}
	}
	return paces
}

// heirs finds for each instance the router that goes on as it, or none. An identity of
// the plan comes before all former ones, also if its router is about to leave: it is taken
// back with what it holds. Only an instance that holds its addresses already goes on as
// what it is.
func (n *Node) heirs(next *Resolved) []*router {
	all := next.Plan.Desired.Instances
	heirs := make([]*router, len(all))
	take := func(i int, r *router) {
		if r != nil {
			heirs[i], r.taken = r, true
		}
	}
	for i := range all {
		r := n.routers[all[i].Wire()]
		if r == nil || r.key != all[i].Wire() {
			continue
		}
		if r.leaving && n.holds(&all[i], n.formers(next, &all[i])) {
			continue
		}
		take(i, r)
	}
	for _, present := range []bool{true, false} { // who was once what is asked for comes last
		for i := range all {
			if heirs[i] == nil {
				take(i, n.inherits(&all[i], n.formers(next, &all[i]), present))
			}
		}
	}
	return heirs
}

// holds reports whether a router that stays has an instance's addresses under a former
// identity.
func (n *Node) holds(i *plan.Instance, formers []Former) bool {
	for k := range formers {
		if r := n.routers[formers[k].Key]; r != nil && !r.leaving && r.claimed {
			return true
		}
	}
	return false
}

// evict ends departures under identities that another router has from now on.
func (n *Node) evict(heirs []*router, next *Resolved) {
	for i, r := range heirs {
		old := n.routers[next.Plan.Desired.Instances[i].Wire()]
		if r == nil || old == nil || old == r || !old.leaving {
			continue
		}
		n.yield(old)
		n.forget(old)
		n.order = slices.DeleteFunc(n.order, func(o *router) bool { return o == old })
	}
}

// forgetChecks drops what is known of checks that the plan no longer has: if one comes
// back, it has not answered yet.
func (n *Node) forgetChecks() {
	for a := range n.checks {
		if n.plan.Desired.Check(a) == nil {
			delete(n.checks, a)
		}
	}
}

// place gives one instance its router.
func (n *Node) place(next Resolved, i *plan.Instance, r *router) {
	host, formers := next.Hosts[i.Address], n.formers(&next, i)
	spec := specOf(next.Plan, i, host, formers, &r.places)
	switch {
	case r.core == nil:
		n.start(r, i, host, formers, spec)
	case r.leaving || r.broken != "":
		n.restart(r, i, host, formers, spec)
	default:
		n.reconfigure(r, i, host, formers, spec)
	}
}

func (n *Node) start(r *router, i *plan.Instance, host Host, formers []Former, spec vrrp.Spec) {
	r.instance, r.core, r.source, r.sources = i, vrrp.New(spec), host.Source, sourcesOf(formers)
	r.spare, r.since, r.why = elsewhere(i, formers), n.now, "not started"
	r.addresses, r.beside, r.device = slices.Concat(r.spare, addressesOf(i)), besideOf(i), deviceOf(i)
	n.dirty = n.dirty || len(r.device) > 0
	n.identify(r, i.Wire(), formers)
	n.order = append(n.order, r)
	n.queue.push(r)
	n.begins(r, vrrp.Event{Kind: vrrp.Start, Holding: host.Holding, Fresh: host.Fresh})
}

// restart takes back a router that was about to leave, or one that broke. What it holds
// it goes on holding: adverts follow its goodbye at once, before anybody's skew is over.
func (n *Node) restart(r *router, i *plan.Instance, host Host, formers []Former, spec vrrp.Spec) {
	held := r.claimed
	n.readdress(r, i, formers)
	n.identify(r, i.Wire(), formers)
	core := vrrp.New(spec)
	core.Continue(r.core)
	r.instance, r.core, r.source, r.sources = i, core, host.Source, sourcesOf(formers)
	r.leaving, r.broken, r.failing, r.forsake = false, "", "", false
	r.stamp, n.dirty = held, true // for what the kernel has said of its addresses
	n.begins(r, vrrp.Event{Kind: vrrp.Start, Holding: held, Fresh: held})
	n.transition(r, r.core.Role(), "in the plan again")
}

// begins tells a new router all that is known before it starts.
func (n *Node) begins(r *router, start vrrp.Event) {
	if wrong := n.wrong(r); wrong != "" {
		n.step(r, vrrp.Event{Kind: vrrp.Link, Link: wrong})
	}
	n.weigh(r, false)
	n.step(r, start)
}

// reconfigure is nothing at all where nothing has changed.
func (n *Node) reconfigure(r *router, i *plan.Instance, host Host, formers []Former, spec vrrp.Spec) {
	moved := len(r.spare) > 0 || len(elsewhere(i, formers)) > 0
	n.readdress(r, i, formers)
	everywhere := moved && !slices.Equal(r.keys, keysOf(i.Wire(), formers))
	n.identify(r, i.Wire(), formers)
	r.instance, r.source, r.sources = i, host.Source, sourcesOf(formers)
	was := r.core.Face(0)
	r.core.Reconfigure(n.now, spec)
	if was.Identity() != r.core.Face(0).Identity() {
		r.forgetCurrent()
	}
	n.arm(r, r.core.Deadline())
	n.step(r, vrrp.Event{Kind: vrrp.Link, Link: n.wrong(r)})
	n.weigh(r, true)
	if r.role == vrrp.Active { // what the plan makes leave says no more
		n.repace(r, everywhere)
	}
}

// repace announces what is announced in another way from now on, or the refresh would go
// on at the old pace. What another router announced in this way says nothing new.
func (n *Node) repace(r *router, everywhere bool) {
	var again []kernel.Address
	for _, a := range r.addresses {
		if pace, had := n.paces[a]; everywhere || had && pace != r.instance.Announce {
			again = append(again, a)
		}
	}
	n.announce(r, without(again, r.pending))
}

// readdress changes which addresses a router stands for. Those that stay are not touched.
func (n *Node) readdress(r *router, i *plan.Instance, formers []Former) {
	before := r.addresses
	r.spare = slices.DeleteFunc(elsewhere(i, formers), func(a kernel.Address) bool { return !stood(n.stood, a) })
	if beside, device := besideOf(i), deviceOf(i); !beside.Equal(r.beside) || !device.Equal(r.device) || !slices.Equal(closedOf(i), closedOf(r.instance)) {
		r.beside, r.device, n.dirty = beside, device, true
	}
	after := slices.Concat(r.spare, addressesOf(i))
	if slices.Equal(before, after) {
		return
	}
	r.addresses = after
	if !r.claimed {
		return
	}
	r.stamp, n.dirty = true, true
	n.silence(without(before, after))
	stay := without(r.pending, without(r.pending, after))
	r.pending = append(stay, n.unseen(r, without(after, before))...)
}

// stood reports whether some router has had an address on an interface, under whatever
// label: a sweep keeps it where it was, and puts it nowhere else.
func stood(had []kernel.Address, a kernel.Address) bool {
	return slices.ContainsFunc(had, func(h kernel.Address) bool { return h.Interface == a.Interface && h.Prefix == a.Prefix })
}

// sort keeps the order in which everything is walked independent of history.
func (n *Node) sort() {
	slices.SortStableFunc(n.order, func(a, b *router) int {
		if a.leaving != b.leaving {
			if a.leaving {
				return 1
			}
			return -1
		}
		return cmp.Or(cmp.Compare(a.instance.Address, b.instance.Address), cmp.Compare(a.key.VRID, b.key.VRID))
	})
}
