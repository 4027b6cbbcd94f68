package runtime

import (
	"cmp"
	"fmt"
	"sync"

	"hafile/lang/plan"
	"hafile/runtime/health"
	"hafile/runtime/kernel/netlink"
	"hafile/runtime/node"
	"hafile/runtime/vrrp"
)

// sight says how something stands that is tracked and not asked. It is called with a
// lock of the checks held, and only reads what was told before.
func (d *daemon) sight(c *plan.Check) health.Sight {
	switch {
	case c.Interface != nil:
		l, there := d.links.get(c.Interface.Name)
		if !there {
			l.Name = c.Interface.Name
		}
		if wrong := wrongWith(l); wrong != "" {
			return health.Sight{State: plan.CheckDown, Found: wrong}
		}
		return health.Sight{State: plan.CheckUp, Found: l.Name + " has a carrier"}
	case c.Route != nil:
		return d.routeSight(c.Route)
	case c.Instance != nil:
		return d.roles.sight(c.Instance.Address)
	}
	return health.Sight{State: plan.CheckUnknown}
}

func routeOf(t *plan.TrackedRoute) netlink.Route {
	return netlink.Route{To: t.To, Table: cmp.Or(t.Table, plan.MainTable)}
}

func (d *daemon) routeSight(t *plan.TrackedRoute) health.Sight {
	has, known := d.routes.Has(routeOf(t))
	switch {
	case !known:
		return health.Sight{State: plan.CheckUnknown}
	case has:
		return health.Sight{State: plan.CheckUp, Found: "the route is there"}
	}
	return health.Sight{State: plan.CheckDown, Found: fmt.Sprintf("there is no route to %s", t.To)}
}

// watchRoutes watches those that checks of the plans are about, and no others.
func (d *daemon) watchRoutes(plans ...*plan.Plan) {
	var all []netlink.Route
	for _, p := range plans {
		for i := range p.Desired.Checks {
			if t := p.Desired.Checks[i].Route; t != nil {
				all = append(all, routeOf(t))
			}
		}
	}
	if err := d.routes.Watch(all); err != nil {
		d.log.Warn("tracked routes cannot be seen", "error", err)
	}
}

// lookAgain asks for a look at what is tracked. It does not wait for it: those who tell of
// a change must not.
func (d *daemon) lookAgain() {
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// lookOut looks whenever something has changed that a check may track.
func (d *daemon) lookOut() {
	for {
		select {
		case <-d.changed:
			d.health.Look()
		case <-d.quit:
			return
		}
	}
}

// roles are those of this node's routers as told last, kept by what the network sees: a
// renamed instance has its role at once. The mutex is there because transitions and plans
// write, and looks read.
type roles struct {
	mu  sync.Mutex
	key map[plan.Addr]plan.WireKey
	now map[plan.WireKey]vrrp.Role
}

func (r *roles) sight(of plan.Addr) health.Sight {
	r.mu.Lock()
	defer r.mu.Unlock()
	role, known := r.now[r.key[of]]
	switch {
	case !known || role == vrrp.Waiting: // it has not decided yet, or no longer does
		return health.Sight{State: plan.CheckUnknown}
	case role == vrrp.Active:
		return health.Sight{State: plan.CheckUp, Found: "active"}
	}
	return health.Sight{State: plan.CheckDown, Found: fmt.Sprintf("%s is %s", of, role)}
}

// expect learns the names of a plan that is about to run. An instance that gets another
// identity has the role of the one before until the loop says otherwise.
func (r *roles) expect(p *plan.Plan) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.key == nil {
		r.key, r.now = map[plan.Addr]plan.WireKey{}, map[plan.WireKey]vrrp.Role{}
	}
	for i := range p.Desired.Instances {
		in := &p.Desired.Instances[i]
		wire := in.Wire()
		before, had := r.key[in.Address]
		if role, known := r.now[before]; had && known {
			if _, told := r.now[wire]; !told {
				r.now[wire] = role
			}
		}
		r.key[in.Address] = wire
	}
}

func (r *roles) told(t *node.Transition) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.now != nil {
		r.now[t.Key] = t.To
	}
}

// settle takes in what the loop has after a commit, and forgets the rest.
func (r *roles) settle(p *plan.Plan, snap *node.Snapshot) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.key, r.now = map[plan.Addr]plan.WireKey{}, map[plan.WireKey]vrrp.Role{}
	for i := range p.Desired.Instances {
		r.key[p.Desired.Instances[i].Address] = p.Desired.Instances[i].Wire()
	}
	for i := range snap.Instances {
		if in := &snap.Instances[i]; !in.Leaving {
			r.now[in.Key] = in.Role
		}
	}
}
