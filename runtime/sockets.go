package runtime

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"

	"hafile/lang/plan"
	"hafile/runtime/control"
	"hafile/runtime/engine"
	"hafile/runtime/kernel"
	"hafile/runtime/node"
	"hafile/runtime/rawsock"
	"hafile/runtime/vrrp/wire"
)

// need is what one place must have for the routers there.
type need struct {
	source netip.Addr // of unicast, as the host has it; none yet: nothing can be opened
	// routers are the virtual router ids, and the peers of each.
	routers map[uint8][]rawsock.Peer
	// virtual are those of them that send from their virtual MAC.
	virtual map[uint8]bool
}

func (n *need) virtuals() []uint8 {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(n.virtual)), func(id uint8) bool { return !n.virtual[id] })
}

// needs of a plan by place.
func needs(r *node.Resolved) map[node.Place]*need {
	out := map[node.Place]*need{}
	add := func(at node.Place, vrid uint8, source netip.Addr, peers []rawsock.Peer) {
		n := out[at]
		if n == nil {
			n = &need{routers: map[uint8][]rawsock.Peer{}, virtual: map[uint8]bool{}}
			out[at] = n
		}
		if at.Transport == plan.Unicast && source.IsValid() {
			n.source = source
		}
		n.routers[vrid] = append(n.routers[vrid], peers...)
	}
	for i := range r.Plan.Desired.Instances {
		in := &r.Plan.Desired.Instances[i]
		peers := peersOf(r.Plan.Node, in)
		add(node.PlaceOf(in), in.VRID, r.Hosts[in.Address].Source, peers)
		out[node.PlaceOf(in)].virtual[in.VRID] = in.VirtualMAC
		for k := range r.Former[in.Address] {
			f := &r.Former[in.Address][k]
			if f.Key != in.Wire() { // unicast keeps its key, and its peers
				add(f.Place(), f.Key.VRID, f.Source, nil)
			}
		}
	}
	return out
}

// peersOf are whom a unicast router speaks to and hears; nil with multicast.
func peersOf(self string, in *plan.Instance) []rawsock.Peer {
	if in.Transport != plan.Unicast {
		return nil
	}
	var out []rawsock.Peer
	for _, a := range in.Peers(self) {
		out = append(out, rawsock.Peer{VRID: in.VRID, Address: a, TTL: in.TTL, MinTTL: in.MinTTL, MaxTTL: in.MaxTTL})
	}
	return out
}

// configOf is the pair of sockets that a place asks for.
func configOf(at node.Place, l kernel.Link, n *need) rawsock.Config {
	c := rawsock.Config{
		Interface: l.Name, Index: l.Index, VRIDs: slices.Sorted(maps.Keys(n.routers)),
		IPv6: at.Family == plan.IPv6, Group: at.Group, AH: at.AH, Virtual: n.virtuals(),
		Signed: true, // who of the routers there takes that is theirs to say
	}
	if at.Transport == plan.Unicast {
		c.Transport, c.Source, c.Peers = wire.Unicast, n.source, n.peers()
	}
	return c
}

// opens reports whether there is enough to open sockets for.
func (n *need) opens(at node.Place) bool { return at.Transport == plan.Multicast || n.source.IsValid() }

func (n *need) peers() []rawsock.Peer {
	var out []rawsock.Peer
	for _, id := range slices.Sorted(maps.Keys(n.routers)) {
		out = append(out, n.routers[id]...)
	}
	return out
}

// sockets keeps one pair of sockets for each place where a router is, and in the kernel's
// filter the ids of those routers. The mutex is there because an apply opens what its
// plan needs while the watcher of links replaces what an interface lost.
type sockets struct {
	engine *engine.Engine

	mu   sync.Mutex
	open map[node.Place]*pair
}

type pair struct {
	*rawsock.Pair
	index int // of the interface when it was opened
	has   *need
}

// ensure makes adverts of these routers arrive from a place and leave for it, beside
// those that do already.
func (s *sockets) ensure(at node.Place, l kernel.Link, n *need) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.open[at]
	if !n.opens(at) {
		return nil // the router waits for the address too
	}
	if p == nil || p.index != l.Index || p.has.source != n.source {
		return s.replace(at, l, p, n)
	}
	return p.change(joined(p.has, n))
}

// joined is what both ask for. Of a peer in both, the second one's bounds count.
func joined(before, n *need) *need {
	out := &need{source: n.source, routers: maps.Clone(before.routers), virtual: map[uint8]bool{}}
	maps.Copy(out.virtual, before.virtual)
	maps.Copy(out.virtual, n.virtual)
	for id, peers := range n.routers {
		known := func(b rawsock.Peer) bool {
			return slices.ContainsFunc(peers, func(a rawsock.Peer) bool { return a.Address == b.Address })
		}
		out.routers[id] = append(slices.DeleteFunc(slices.Clone(before.routers[id]), known), peers...)
	}
	return out
}

// change tells the kernel and the pair what is different, if anything is. Peers are there
// before what they send is let through.
func (p *pair) change(next *need) error {
	ids := slices.Sorted(maps.Keys(next.routers))
	if peers := next.peers(); !slices.Equal(peers, p.has.peers()) {
		if err := p.SetPeers(peers); err != nil {
			return err
		}
	}
	if v := next.virtuals(); !slices.Equal(v, p.has.virtuals()) {
		if err := p.SetVirtual(v); err != nil {
			return err
		}
	}
	if !slices.Equal(ids, slices.Sorted(maps.Keys(p.has.routers))) {
		if err := p.SetVRIDs(ids); err != nil {
			return err
		}
	}
	p.has = next
	return nil
}

// replace opens a pair at a place that has none, or whose interface has come back as
// another or has another address.
func (s *sockets) replace(at node.Place, l kernel.Link, before *pair, n *need) error {
	if before != nil {
		n = joined(before.has, n)
	}
	next := &pair{index: l.Index, has: n}
	var err error
	if next.Pair, err = rawsock.Open(configOf(at, l, n)); err != nil {
		return err
	}
	old, err := s.engine.AddSocket(at, next.Pair)
	if closer, ok := old.(*rawsock.Pair); ok {
		_ = closer.Close()
	}
	if err != nil {
		_ = next.Close()
		delete(s.open, at)
		return fmt.Errorf("sockets on %s: %w", l.Name, err)
	}
	s.open[at] = next
	return nil
}

// trim closes what no router needs any more and narrows the rest to those that do. Routers
// that leave have no peers in the needs, and keep theirs.
func (s *sockets) trim(needed map[node.Place]*need) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for at, p := range s.open {
		n := needed[at]
		if n == nil {
			s.engine.RemoveSocket(at)
			_ = p.Close()
			delete(s.open, at)
			continue
		}
		next := &need{source: p.has.source, routers: map[uint8][]rawsock.Peer{}, virtual: p.has.virtual}
		for id, peers := range n.routers {
			if peers == nil {
				peers = p.has.routers[id]
			}
			next.routers[id] = peers
		}
		_ = p.change(next) // what cannot be narrowed hears too much, which costs nothing
	}
}

// close lets go of all.
func (s *sockets) close() { s.trim(nil) }

func (s *sockets) status() []control.Socket {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []control.Socket
	for _, at := range slices.SortedFunc(maps.Keys(s.open), comparePlaces) {
		c := s.open[at].Counters()
		sock := control.Socket{
			Interface: at.Interface, Family: at.Family, Transport: at.Transport, Group: at.Group, Source: at.Source, AH: at.AH,
			Received: c.Received, Dropped: map[string]uint64{}, Sent: c.Sent, SendErrors: c.SendErrors,
		}
		if c.LastSendError != nil {
			sock.LastSendError = c.LastSendError.Error()
		}
		for reason, n := range c.Dropped {
			if n > 0 {
				sock.Dropped[wire.Reason(reason).String()] = n
			}
		}
		out = append(out, sock)
	}
	return out
}

func comparePlaces(a, b node.Place) int {
	return cmp.Or(cmp.Compare(a.Interface, b.Interface), cmp.Compare(a.Family, b.Family), cmp.Compare(a.Transport, b.Transport),
		a.Group.Compare(b.Group), a.Source.Compare(b.Source), compareBools(a.AH, b.AH))
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
