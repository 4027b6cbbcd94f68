package diff

import (
	"fmt"
	"net/netip"
	"slices"

	"hafile/lang/plan"
)

// rowLists is no field of a plan: it is what the adverts of one virtual router list.
const rowLists = "adverts"

// lists adds a leaf where the adverts of a virtual router will list other addresses than
// a member has that drops them then (RFC 9568, 7.1: it may). hafile takes them.
func (e *edit) lists(ls []leaf) []leaf {
	if e.before == nil || e.after == nil || e.picky() == "" {
		return ls
	}
	was := e.onWire(e.after.Wire())
	if was == nil {
		return ls // an identity that nobody had: that is said where it changes
	}
	b, a := listed(was), listed(e.after)
	if slices.Equal(b, a) {
		return ls
	}
	changed := leaf{row: rowLists, path: "vip.adverts", before: count(b, ""), after: count(a, ""), src: e.after.Src}
	if len(a) == len(b) {
		changed.after = count(a, ", others")
	}
	return append(ls, changed)
}

// onWire is the instance that has had an identity.
func (e *edit) onWire(key plan.WireKey) *plan.Instance {
	all := e.differ.before.Desired.Instances
	i := slices.IndexFunc(all, func(in plan.Instance) bool { return in.Wire() == key })
	if i < 0 {
		return nil
	}
	return &all[i]
}

// listed are the addresses of an instance's adverts; their order is nobody's concern.
func listed(in *plan.Instance) []netip.Prefix {
	var all []netip.Prefix
	for _, v := range in.VIPs {
		if !v.Unadvertised {
			all = append(all, v.Address)
		}
	}
	slices.SortFunc(all, netip.Prefix.Compare)
	return all
}

func count(list []netip.Prefix, more string) []byte {
	if len(list) == 1 {
		return quote("1 address" + more)
	}
	return quote(fmt.Sprintf("%d addresses%s", len(list), more))
}

// otherList: only an active sends, and hafile takes any list. A member that is deaf to it
// answers for what it knows of, whichever instance has that here from now on.
func otherList(e *edit, _ leaf) Impact {
	if !e.holds() {
		return Impact{Class: None, Reason: ReasonStaysBackup, Pairwise: true}
	}
	i := e.dialect(ReasonLists, e.picky()+" drops adverts with another list of addresses")
	i.VIPs = nil
	for _, address := range listed(e.onWire(e.after.Wire())) {
		if slices.ContainsFunc(e.differ.after.Desired.Instances, func(in plan.Instance) bool { _, has := vipOf(&in, address); return has }) {
			i.VIPs = append(i.VIPs, address)
		}
	}
	return i
}
