package sim

import (
	"fmt"
	"net/netip"
	"slices"

	"hafile/lang/diff"
	"hafile/lang/plan"
	"hafile/runtime/kernel"
	"hafile/runtime/node"
	"hafile/runtime/vrrp"
)

// Foretold is what a plan promises for one instance and its addresses.
type Foretold struct {
	worst   map[plan.Addr]diff.Class
	vips    map[netip.Prefix]diff.Class
	reasons map[plan.Addr][]string
}

// foretell gathers what all changes of an edit say.
func foretell(changes []diff.Change) Foretold {
	t := Foretold{
		worst: map[plan.Addr]diff.Class{}, vips: map[netip.Prefix]diff.Class{},
		reasons: map[plan.Addr][]string{},
	}
	for i := range changes {
		c := &changes[i]
		t.note(c.Address, &c.Impact)
		for k := range c.Fields {
			if f := &c.Fields[k]; f.Impact != nil {
				t.note(c.Address, f.Impact)
			}
		}
	}
	return t
}

func (t *Foretold) note(a plan.Addr, i *diff.Impact) {
	if i.Class.Rank() > t.worst[a].Rank() {
		t.worst[a] = i.Class
	}
	t.reasons[a] = append(t.reasons[a], i.Reason)
	for _, v := range i.VIPs {
		if i.Class.Rank() > t.vips[v].Rank() {
			t.vips[v] = i.Class
		}
	}
}

// moves reports whether the instance may change its role.
func (t *Foretold) moves(a plan.Addr) bool { return t.worst[a].Rank() >= diff.Moves.Rank() }

// movesAll reports whether all addresses that a router had and has may move: those of a
// sync group do where one of its instances fails.
func (t *Foretold) movesAll(before, now *node.Instance) bool {
	kept := 0
	for i := range now.Addresses {
		if a := now.Addresses[i].Address; standsFor(before, a) {
			if kept++; t.vips[a.Prefix].Rank() < diff.Moves.Rank() {
				return false
			}
		}
	}
	return kept > 0
}

// S6: an apply that does not alter ownership never releases an address. In the turn of
// the commit an instance of which nothing worse is foretold says no goodbye, changes no
// role, and announces nothing that was up before; what it held before and has after is
// wanted throughout. At no time does our own hand remove what is wanted.
func S6(*World) Watch {
	return func(f *Fact) string {
		switch {
		case f.Kind == Removed && f.Ours && f.Machine.process.node.Wanted().Has(f.Address):
			return fmt.Sprintf("%s removes %s, which is wanted", f.Machine.Name, f.Address)
		case f.Kind != Turned || f.Cause != Committed || f.Was == nil:
			return ""
		}
		told := foretell(f.Changes)
		for i := range f.Before {
			before := &f.Before[i]
			now := router(f.View, before.Key)
			back := now != nil && slices.ContainsFunc(f.Before, func(b node.Instance) bool { return b.Leaving && b.Key == now.Key })
			if now == nil || back || before.Leaving || now.Leaving || told.moves(now.Address) || told.moves(before.Address) || told.movesAll(before, now) || before.Role == vrrp.Leaving {
				continue // one that has just made an offer may take it back
			}
			if text := unmoved(f, &told, before, now); text != "" {
				return f.Machine.Name + ": " + text
			}
		}
		return ""
	}
}

// unmoved judges one router of which nothing worse is foretold.
func unmoved(f *Fact, told *Foretold, before, now *node.Instance) string {
	// What a check says of a backup that begins or ends to track it concerns nobody's
	// addresses.
	fitness := before.Role != vrrp.Active && now.Role != vrrp.Active
	if before.Role != now.Role && !fitness {
		return fmt.Sprintf("%s goes from %s to %s (%s), foretold is %q %v", now.Address, before.Role, now.Role, now.Why, told.worst[now.Address], told.reasons[now.Address])
	}
	bye := adverts(f, func(key plan.WireKey, priority uint8) string {
		if key == now.Key && priority == 0 {
			return fmt.Sprintf("%s says goodbye, foretold is %q", now.Address, told.worst[now.Address])
		}
		return ""
	})
	if bye != "" || before.Role != vrrp.Active {
		return bye
	}
	wanted := f.Machine.process.node.Wanted()
	for _, a := range now.Addresses {
		if !standsFor(before, a.Address) {
			continue
		}
		if !wanted.Has(a.Address) {
			return fmt.Sprintf("%s is not wanted any more", a.Address)
		}
		if !repaced(f.Was, f.Plan, a.Prefix) && !refused(before) && announced(f, a.Address) && wasUp(before, a.Address) {
			return fmt.Sprintf("%s is announced though nothing is new about it", a.Address)
		}
	}
	return ""
}

// repaced reports whether an address is announced in another way from now on: its
// instance's settings are edited, or it goes to an instance that has others.
func repaced(was, is *plan.Plan, vip netip.Prefix) bool {
	before, had := paceOf(was, vip)
	after, has := paceOf(is, vip)
	return had && has && before != after
}

func paceOf(p *plan.Plan, vip netip.Prefix) (plan.Announce, bool) {
	for i := range p.Desired.Instances {
		in := &p.Desired.Instances[i]
		if slices.ContainsFunc(in.VIPs, func(v plan.VIP) bool { return v.Address == vip }) {
			return in.Announce, true
		}
	}
	return plan.Announce{}, false
}

// refused reports whether the kernel refuses an address of a router: when it does so no
// longer, all are announced.
func refused(in *node.Instance) bool {
	for i := range in.Addresses {
		if in.Addresses[i].Refusal != "" {
			return true
		}
	}
	return false
}

func announced(f *Fact, a kernel.Address) bool {
	for i := range f.Effects {
		e := &f.Effects[i]
		if e.Kind != node.Announce || e.Interface != a.Interface {
			continue
		}
		for _, x := range e.Addresses {
			if x == a.Prefix.Addr() {
				return true
			}
		}
	}
	return false
}

func wasUp(in *node.Instance, a kernel.Address) bool {
	for i := range in.Addresses {
		if in.Addresses[i].Address == a {
			return in.Addresses[i].Present
		}
	}
	return false
}
