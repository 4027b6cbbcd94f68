package node

import (
	"net/netip"
	"slices"

	"hafile/runtime/vrrp"
	"hafile/runtime/vrrp/wire"
)

// peersMax bounds what a segment full of forged sources can make a router remember.
const peersMax = 16

// Peer is a machine that was heard with a router's VRID, whether or not the router
// accepts what it says.
type Peer struct {
	Address  netip.Addr
	Priority uint8 // of its last advert
	Version  uint8 // of its last advert
	At       vrrp.Instant
	Adverts  uint64
	// Current is when it last spoke as the router's current identity; 0: not yet. A
	// member that did has the edit, if the router has former identities too.
	Current vrrp.Instant
}

// met notes who was heard, after the router has heard it. When there is no room the one heard longest ago goes.
func (r *router) met(now vrrp.Instant, a *wire.Advert, from netip.Addr) {
	if from == r.source || slices.Contains(r.sources, from) {
		return
	}
	p := r.peer(from)
	p.Priority, p.Version, p.At = a.Priority, a.Version, now
	p.Adverts++
	if h := r.core.Heard(); h.At == now && h.Address == from && h.Face == 0 {
		p.Current = now
	}
}

// forgetCurrent: nobody has been heard yet as what the router is from now on.
func (r *router) forgetCurrent() {
	for k := range r.peers {
		r.peers[k].Current = 0
	}
}

func (r *router) peer(from netip.Addr) *Peer {
	oldest := 0
	for i := range r.peers {
		if r.peers[i].Address == from {
			return &r.peers[i]
		}
		if r.peers[i].At < r.peers[oldest].At {
			oldest = i
		}
	}
	if len(r.peers) < peersMax {
		r.peers = append(r.peers, Peer{Address: from})
		return &r.peers[len(r.peers)-1]
	}
	r.peers[oldest] = Peer{Address: from}
	return &r.peers[oldest]
}
