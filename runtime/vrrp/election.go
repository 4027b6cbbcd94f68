package vrrp

import "net/netip"

// outranks reports whether an advert beats an active with this priority and source: a
// higher priority, or the same and the larger source address (RFC 9568, 6.4.3). A
// backup never asks: it accepts an equal priority whatever the address.
func outranks(a *Advert, from netip.Addr, priority uint8, source netip.Addr) bool {
	if a.Priority != priority {
		return a.Priority > priority
	}
	return from.Compare(source) > 0
}

// lacks is an address of the advert that is not among ours; the zero address if we have
// them all. A router that lacks one runs an older plan than the active does.
func lacks(ours []netip.Addr, a *Advert) netip.Addr {
next:
	for _, theirs := range a.Addresses {
		for _, own := range ours {
			if own == theirs {
				continue next
			}
		}
		return theirs
	}
	return netip.Addr{}
}
