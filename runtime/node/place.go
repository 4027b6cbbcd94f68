package node

import (
	"net/netip"

	"hafile/lang/plan"
)

// Place is where adverts are sent and heard, and what one pair of sockets is for: all
// that tells two identities apart and is not said in the packet itself.
type Place struct {
	Interface string
	Family    plan.Family
	Transport plan.Transport
	Group     netip.Addr // of multicast, if it is not the usual one
	Source    netip.Addr // of unicast: the plan's
	AH        bool       // with an authentication header, which is another IP protocol
}

// On is where multicast to the usual group of a family is.
func On(iface string, family plan.Family) Place {
	return Place{Interface: iface, Family: family, Transport: plan.Multicast}
}

// PlaceOf is an instance's.
func PlaceOf(i *plan.Instance) Place {
	p := placeOf(i.Wire())
	p.AH = i.Auth != nil && i.Auth.Type == plan.AuthAH
	return p
}

// Place of a former identity.
func (f *Former) Place() Place { return placeOf(f.Key) }

func placeOf(k plan.WireKey) Place {
	return Place{Interface: k.Interface, Family: k.Family, Transport: k.Transport, Group: k.Group, Source: k.Source}
}

// Key of a router that is heard there.
func (p Place) Key(vrid, version uint8) plan.WireKey {
	return plan.WireKey{
		Interface: p.Interface, Family: p.Family, VRID: vrid, Version: version,
		Transport: p.Transport, Group: p.Group, Source: p.Source,
	}
}
