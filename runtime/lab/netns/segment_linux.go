package netns

import (
	"fmt"
	"sync"

	"github.com/vishvananda/netlink"
)

// Segment is an Ethernet segment: a bridge in a namespace of its own, with a port for
// every connected node. There is no spanning tree; a port forwards as soon as it is up.
type Segment struct {
	NS *NS // where the bridge is: a place to listen to everything

	mu    sync.Mutex // several goroutines connect and cut
	made  int        // ports so far
	ports map[end]string
}

// end is the node's end of a cable.
type end struct {
	ns   *NS
	name string
}

// BridgeName is the bridge of a segment, inside the segment's namespace.
const BridgeName = "segment"

// NewSegment makes an empty segment.
func NewSegment() (*Segment, error) {
	n, err := New()
	if err != nil {
		return nil, err
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = BridgeName
	off := false // no snooping: it would keep multicast from a port until it has joined
	bridge := &netlink.Bridge{LinkAttrs: attrs, MulticastSnooping: &off}
	if err = n.links.LinkAdd(bridge); err == nil {
		err = n.Up(BridgeName)
	}
	if err != nil {
		_ = n.Close()
		return nil, fmt.Errorf("add a bridge: %w", err)
	}
	return &Segment{NS: n, ports: map[end]string{}}, nil
}

// Close removes the segment and the nodes' ends of its cables.
func (s *Segment) Close() error { return s.NS.Close() }

// Connect plugs a cable from the node's port into the segment.
func (s *Segment) Connect(n *NS, p Port) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made++
	port := fmt.Sprintf("p%d", s.made)
	if err := Cable(n, p, s.NS, Port{Name: port, MTU: p.MTU}); err != nil {
		return err
	}
	s.ports[end{n, p.Name}] = port
	return s.NS.enslave(port)
}

// Cut unplugs a node's cable: both ends lose their carrier.
func (s *Segment) Cut(n *NS, link string) error { return s.NS.Down(s.Port(n, link)) }

// Mend plugs it in again.
func (s *Segment) Mend(n *NS, link string) error { return s.NS.Up(s.Port(n, link)) }

// Block drops a node's frames in both directions behind its back, as a switch with a
// fault does: the carrier stays.
func (s *Segment) Block(n *NS, link string) error {
	return s.NS.change(s.Port(n, link), "block", s.NS.links.LinkSetNoMaster)
}

// Unblock ends a block.
func (s *Segment) Unblock(n *NS, link string) error { return s.NS.enslave(s.Port(n, link)) }

// Port is the name of the bridge port that a node's link is plugged into. It panics if
// the link was never connected.
func (s *Segment) Port(n *NS, link string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	port, ok := s.ports[end{n, link}]
	if !ok {
		panic("netns: " + link + " was never connected to this segment")
	}
	return port
}

func (n *NS) enslave(port string) error {
	bridge, err := n.links.LinkByName(BridgeName)
	if err != nil {
		return fmt.Errorf("look up the bridge: %w", err)
	}
	return n.change(port, "plug in", func(l netlink.Link) error {
		return n.links.LinkSetMaster(l, bridge)
	})
}
