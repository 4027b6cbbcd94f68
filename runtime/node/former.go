package node

import (
	"net/netip"
	"slices"

	"hafile/lang/plan"
	"hafile/runtime/kernel"
	"hafile/runtime/vrrp"
	"hafile/runtime/vrrp/wire"
)

// Former is a wire identity that an instance had before an edit, and keeps beside the new
// one until every member has that. See package vrrp, sweeps.
type Former struct {
	Key plan.WireKey
	// SourceAddress is the plan's; Source is what the host makes of it.
	SourceAddress, Source netip.Addr

	AdvertMs int64
	Auth     wire.AuthType
	Password wire.Password
	Checksum wire.ChecksumForm
}

// FormersMax bounds the identities that an instance keeps: each costs an advert an
// interval. Whoever makes a plan refuses more.
const FormersMax = 3

// places numbers the segments of a router's faces. A number stays what it is for as long
// as the router lives: package vrrp knows a face again by it.
type places []Place

func (p *places) number(at Place) uint8 {
	i := slices.Index(*p, at)
	if i < 0 {
		i, *p = len(*p), append(*p, at)
	}
	return uint8(i)
}

// nowhere is the number of a segment on which a router has no face.
const nowhere = 255

// find is the number of a segment.
func (p places) find(at Place) uint8 {
	if i := slices.Index(p, at); i >= 0 {
		return uint8(i)
	}
	return nowhere
}

// facesOf is what package vrrp is told of the former identities.
func facesOf(formers []Former, at *places) []vrrp.Face {
	var faces []vrrp.Face
	for i := range formers {
		f := &formers[i]
		faces = append(faces, vrrp.Face{
			Segment: at.number(f.Place()), Version: f.Key.Version, VRID: f.Key.VRID,
			Source: f.Source, Interval: ms(f.AdvertMs), Auth: f.Auth, Password: f.Password, Checksum: f.Checksum,
		})
	}
	return faces
}

// keysOf are all the identities of a router, the current one first.
func keysOf(key plan.WireKey, formers []Former) []plan.WireKey {
	keys := []plan.WireKey{key}
	for i := range formers {
		if k := formers[i].Key; !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	return keys
}

// elsewhere are the addresses that a router with a former interface keeps there as well:
// who has not the edit yet, and hosts that have not heard of it, ask there. An interface
// that is written at a VIP is no part of the identity.
func elsewhere(i *plan.Instance, formers []Former) []kernel.Address {
	var out []kernel.Address
	for k := range formers {
		iface := formers[k].Key.Interface
		for _, v := range i.VIPs {
			a := addressOn(iface, v)
			a.Label = "" // it names the present interface
			if v.Interface == "" && iface != i.Interface && !slices.Contains(out, a) {
				out = append(out, a)
			}
		}
	}
	return out
}

// formers of an instance, less those that are another instance's identity now: a plan that
// exchanges two is a transfer of addresses between two routers that go on.
func (n *Node) formers(next *Resolved, i *plan.Instance) []Former {
	return slices.DeleteFunc(slices.Clone(next.Former[i.Address]), func(f Former) bool {
		return slices.ContainsFunc(next.Plan.Desired.Instances, func(o plan.Instance) bool {
			return o.Address != i.Address && o.Wire() == f.Key
		})
	})
}

// inherits finds the router that goes on as the instance: the one of its identity, else
// that of a former one, of which the latest is first; one that has it at present, or any.
func (n *Node) inherits(i *plan.Instance, formers []Former, present bool) *router {
	for _, k := range keysOf(i.Wire(), formers) {
		if r := n.routers[k]; r != nil && !r.taken && !r.leaving && (r.key == k || !present) {
			return r
		}
	}
	return nil
}

// identify makes a router known by its identities, and by no other.
func (n *Node) identify(r *router, key plan.WireKey, formers []Former) {
	for _, k := range r.keys {
		if n.routers[k] == r {
			delete(n.routers, k)
		}
	}
	r.key, r.keys = key, keysOf(key, formers)
	for _, k := range r.keys {
		if n.routers[k] == nil || k == key {
			n.routers[k] = r
		}
	}
}

func sourcesOf(formers []Former) []netip.Addr {
	var out []netip.Addr
	for i := range formers {
		out = append(out, formers[i].Source)
	}
	return out
}
