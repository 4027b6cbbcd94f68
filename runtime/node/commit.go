package node

import (
	"cmp"
	"slices"

	"hafile/lang/plan"
	"hafile/runtime/vrrp"
)

// Commit makes a verified plan the running one, in one turn and without a way to fail.
// Routers whose wire identity is in both plans keep their state; what changed in them is
// reconfigured in place. The wanted state is computed once, after everything.
func (n *Node) Commit(now vrrp.Instant, next Resolved, out []Effect) []Effect {
	n.begin(now, out)
	n.plan = next.Plan
	n.forgetChecks()
	kept := make(map[plan.WireKey]bool, len(next.Plan.Desired.Instances))
	for i := range next.Plan.Desired.Instances {
		kept[next.Plan.Desired.Instances[i].Wire()] = true
	}
	for _, r := range n.order {
		if !kept[r.key] {
			n.leave(r)
		}
	}
	for i := range next.Plan.Desired.Instances {
		n.place(next, &next.Plan.Desired.Instances[i])
	}
	n.sort()
	return n.end()
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
func (n *Node) place(next Resolved, i *plan.Instance) {
	host := next.Hosts[i.Address]
	spec := specOf(next.Plan, i, host)
	r := n.routers[i.Wire()]
	switch {
	case r == nil:
		n.start(i, host, spec)
	case r.leaving || r.broken != "":
		n.restart(r, i, host, spec)
	default:
		n.reconfigure(r, i, host, spec)
	}
}

func (n *Node) start(i *plan.Instance, host Host, spec vrrp.Spec) {
	r := &router{
		key: i.Wire(), instance: i, core: vrrp.New(spec), source: host.Source,
		addresses: addressesOf(i), since: n.now, why: "not started",
	}
	n.routers[r.key] = r
	n.order = append(n.order, r)
	n.queue.push(r)
	n.begins(r, vrrp.Event{Kind: vrrp.Start, Holding: host.Holding, Fresh: host.Fresh})
}

// restart takes back a router that was about to leave, or one that broke. What it holds
// it goes on holding: adverts follow its goodbye at once, before anybody's skew is over.
func (n *Node) restart(r *router, i *plan.Instance, host Host, spec vrrp.Spec) {
	held := r.claimed
	n.readdress(r, i)
	r.instance, r.core, r.source = i, vrrp.New(spec), host.Source
	r.leaving, r.broken, r.failing = false, "", ""
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
func (n *Node) reconfigure(r *router, i *plan.Instance, host Host, spec vrrp.Spec) {
	n.readdress(r, i)
	repace := r.instance.Announce != i.Announce
	r.instance, r.source = i, host.Source
	if repace && r.role == vrrp.Active { // or the refresh would go on at the old pace
		n.announce(r, without(r.addresses, r.pending))
	}
	r.core.Reconfigure(n.now, spec)
	n.arm(r, r.core.Deadline())
	n.step(r, vrrp.Event{Kind: vrrp.Link, Link: n.wrong(r)})
	n.weigh(r, true)
}

// readdress changes which addresses a router stands for. Those that stay are not touched.
func (n *Node) readdress(r *router, i *plan.Instance) {
	before, after := r.addresses, addressesOf(i)
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
	r.pending = append(stay, n.unseen(without(after, before))...)
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
