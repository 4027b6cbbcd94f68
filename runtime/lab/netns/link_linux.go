package netns

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// Port is one end of a cable.
type Port struct {
	Name      string           // at most 15 bytes
	MAC       net.HardwareAddr // nil: the kernel draws one
	MTU       int              // 0: the kernel's default
	Addresses []netip.Prefix
}

// Cable joins a port of a with a port of b by a veth pair, both ends up. The pair is
// gone when either namespace is.
func Cable(a *NS, pa Port, b *NS, pb Port) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.HardwareAddr, attrs.MTU = pa.Name, pa.MAC, pa.MTU
	veth := netlink.NewVeth(attrs)
	veth.PeerName, veth.PeerHardwareAddr, veth.PeerMTU = pb.Name, pb.MAC, uint32(pb.MTU)
	veth.PeerNamespace = netlink.NsFd(b.FD())
	if err := a.links.LinkAdd(veth); err != nil {
		return fmt.Errorf("add cable %s - %s: %w", pa.Name, pb.Name, err)
	}
	if err := a.dress(pa); err != nil {
		return err
	}
	return b.dress(pb)
}

// dress gives a new port its addresses and sets it up. Addresses go first, so that they
// are there before anybody can ask.
func (n *NS) dress(p Port) error {
	for _, a := range p.Addresses {
		if err := n.AddAddress(p.Name, a); err != nil {
			return err
		}
	}
	return n.Up(p.Name)
}

// Up sets a link up.
func (n *NS) Up(link string) error { return up(n.links, link) }

func up(h *netlink.Handle, name string) error {
	l, err := h.LinkByName(name)
	if err == nil {
		err = h.LinkSetUp(l)
	}
	if err != nil {
		return fmt.Errorf("set %s up: %w", name, err)
	}
	return nil
}

// Down sets a link down; the other end of its cable loses its carrier.
func (n *NS) Down(link string) error {
	return n.change(link, "set down", n.links.LinkSetDown)
}

// Delete removes a link, and the other end of its cable.
func (n *NS) Delete(link string) error {
	return n.change(link, "delete", n.links.LinkDel)
}

// SetMAC gives a link another address.
func (n *NS) SetMAC(link string, mac net.HardwareAddr) error {
	return n.change(link, "set the MAC of", func(l netlink.Link) error {
		return n.links.LinkSetHardwareAddr(l, mac)
	})
}

// AddAddress adds an address to a link. An IPv6 address is usable at once: nothing here
// waits for duplicate address detection.
func (n *NS) AddAddress(link string, p netip.Prefix) error {
	return n.change(link, "add "+p.String()+" to", func(l netlink.Link) error {
		return n.links.AddrAdd(l, address(p))
	})
}

// DeleteAddress removes an address from a link.
func (n *NS) DeleteAddress(link string, p netip.Prefix) error {
	return n.change(link, "delete "+p.String()+" from", func(l netlink.Link) error {
		return n.links.AddrDel(l, address(p))
	})
}

func address(p netip.Prefix) *netlink.Addr {
	ip := p.Addr().AsSlice()
	a := &netlink.Addr{IPNet: &net.IPNet{IP: ip, Mask: net.CIDRMask(p.Bits(), len(ip)*8)}}
	if p.Addr().Is6() {
		a.Flags = ifaFNoDAD
	}
	return a
}

// ifaFNoDAD is IFA_F_NODAD of linux/if_addr.h.
const ifaFNoDAD = 0x02

// Index is the number of a link in its namespace, and MAC its address.
func (n *NS) Index(link string) (index int, mac net.HardwareAddr, err error) {
	l, err := n.links.LinkByName(link)
	if err != nil {
		return 0, nil, fmt.Errorf("look up %s: %w", link, err)
	}
	return l.Attrs().Index, l.Attrs().HardwareAddr, nil
}

func (n *NS) change(link, what string, do func(netlink.Link) error) error {
	l, err := n.links.LinkByName(link)
	if err == nil {
		err = do(l)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", what, link, err)
	}
	return nil
}
