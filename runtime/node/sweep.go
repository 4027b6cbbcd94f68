package node

import (
	"hafile/lang/plan"
	"hafile/runtime/vrrp/wire"
)

// Sweep are the identities that instances keep when after replaces before, the latest
// first: those that they had, less the one that they have now. An instance is the one of
// its name before, else of its identity. What another instance has, or still had, cannot
// be kept: who listens there is in that one's election.
func Sweep(before, after *Resolved) map[plan.Addr][]Former {
	out := map[plan.Addr][]Former{}
	if before.Plan == nil {
		return out
	}
	for i := range after.Plan.Desired.Instances {
		in := &after.Plan.Desired.Instances[i]
		was := Predecessor(before.Plan, after.Plan, in)
		if was == nil || !joins(was, in) || taken(before, was.Address, in.Wire()) {
			continue
		}
		now := identityOf(in, after.Hosts[in.Address])
		for _, f := range append([]Former{identityOf(was, before.Hosts[was.Address])}, before.Former[was.Address]...) {
			if !f.same(&now) {
				out[in.Address] = append(out[in.Address], f)
			}
		}
	}
	return out
}

// identityOf is what must be equal on all members of an instance.
func identityOf(in *plan.Instance, h Host) Former {
	f := Former{Key: in.Wire(), SourceAddress: in.SourceAddress, Source: h.Source, AdvertMs: in.AdvertMs}
	if in.Auth != nil {
		f.Auth, f.Password = authTypes[in.Auth.Type], h.Password
	}
	if in.Checksum == "rfc9568" {
		f.Checksum = wire.MessageOnly
	}
	return f
}

// same: adverts of the one are those of the other. Version 3 learns the interval.
func (f *Former) same(g *Former) bool {
	return f.Key == g.Key && f.Auth == g.Auth && f.Password == g.Password && (f.Key.Version == 3 || f.AdvertMs == g.AdvertMs)
}

// joins reports whether one election can hold both: adverts of another family, namespace
// or transport have other addresses in them, or other hearers.
func joins(was, in *plan.Instance) bool {
	a, b := was.Wire(), in.Wire()
	return plain(was) && plain(in) && a.Family == b.Family && a.Netns == b.Netns && a.Transport == b.Transport && (a.Transport == plan.Multicast || a == b)
}

// plain: no authentication, or the password of version 2. The header of AH belongs to one
// identity.
func plain(i *plan.Instance) bool { return i.Auth == nil || i.Auth.Type == plan.AuthPass }

// Predecessor is what an instance was in the plan before: of its name, as a moved block
// says, or of its identity; nil if it was not there.
func Predecessor(before, after *plan.Plan, in *plan.Instance) *plan.Instance {
	if was := before.Desired.Instance(in.Address); was != nil {
		return was
	}
	for i := range before.Desired.Instances {
		if was := &before.Desired.Instances[i]; plan.MovedTo(after.Moved, was.Address) == in.Address {
			return was
		}
	}
	for i := range before.Desired.Instances {
		was := &before.Desired.Instances[i]
		if was.Wire() == in.Wire() && after.Desired.Instance(was.Address) == nil {
			return was
		}
	}
	return nil
}

// taken reports whether an instance beside this one has the identity, or still had it.
func taken(before *Resolved, self plan.Addr, key plan.WireKey) bool {
	for i := range before.Plan.Desired.Instances {
		if in := &before.Plan.Desired.Instances[i]; in.Address != self && in.Wire() == key {
			return true
		}
	}
	for of, formers := range before.Former {
		for k := range formers {
			if of != self && formers[k].Key == key {
				return true
			}
		}
	}
	return false
}

// Crowded says why identities cannot be kept beside a plan: an instance that has too many,
// or whose former one is another's now. The zero value: they can.
func Crowded(after *plan.Plan, kept map[plan.Addr][]Former) (c Crowd) {
	for i := range after.Desired.Instances {
		in := &after.Desired.Instances[i]
		if len(kept[in.Address]) > FormersMax {
			return Crowd{Of: in.Address}
		}
		for of, formers := range kept {
			for k := range formers {
				if of != in.Address && formers[k].Key == in.Wire() && (c.Of == "" || of < c.Of) {
					c = Crowd{Of: of, Key: formers[k].Key, Taker: in.Address}
				}
			}
		}
	}
	return c
}

// Crowd is an instance that still answers under a key which another one would take; no
// taker if it simply has too many.
type Crowd struct {
	Of, Taker plan.Addr
	Key       plan.WireKey
}
