package netlink

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"hafile/runtime/kernel"
)

const (
	modeBridge     = 4 // MACVLAN_MODE_BRIDGE
	macvlanMode    = 1 // IFLA_MACVLAN_MODE
	infoKind       = 1 // IFLA_INFO_KIND
	infoData       = 2 // IFLA_INFO_DATA
	inet6GenMode   = 8 // IFLA_INET6_ADDR_GEN_MODE
	genModeNone    = 1 // IN6_ADDR_GEN_MODE_NONE: nobody derives an address from a virtual MAC (RFC 9568, 7.4)
	confRPFilter   = 8
	confARPNotice  = 18 // arp_announce
	confARPIgnore  = 19
	ignoreForeign  = 1 // arp_ignore: answer for the interface's own addresses
	askFromOwn     = 2 // arp_announce: ask from the interface's own addresses
	filterLoosely  = 2 // rp_filter: the way back is by the parent, which strict filtering forbids
	aliasTag       = "hafile"
	linkLayerBytes = 6
)

// A macvlan of ours says so in its alias, which also records what the parent's sysctls
// were: the record lives as long as what needs it, and survives every process.
type alias struct{ ignore, announce uint32 }

func (a alias) String() string {
	return fmt.Sprintf("%s arp_ignore=%d arp_announce=%d", aliasTag, a.ignore, a.announce)
}

func parseAlias(text string) (a alias, ours bool) {
	n, _ := fmt.Sscanf(text, aliasTag+" arp_ignore=%d arp_announce=%d", &a.ignore, &a.announce)
	return a, n == 2
}

// virtualLinks are ours among the links of the last look.
func (h *host) virtualLinks() (out kernel.Things) {
	for _, l := range h.links {
		if _, ours := parseAlias(l.alias); !ours || l.kind != "macvlan" {
			continue
		}
		v := &kernel.VirtualLink{Name: l.Name, MAC: l.MAC.String(), Up: l.Up, Loud: true}
		if parent := h.byIndex(l.parent); parent != nil {
			v.Parent = parent.Name
			v.Loud = !quiet(parent)
		}
		out = append(out, kernel.Thing{Link: v})
	}
	return out
}

func (h *host) byIndex(index int) *link {
	for _, l := range h.links {
		if l.Index == index {
			return l
		}
	}
	return nil
}

func quiet(parent *link) bool {
	ignore, known := parent.sysctl(confARPIgnore)
	announce, _ := parent.sysctl(confARPNotice)
	return !known || ignore >= ignoreForeign && announce >= askFromOwn
}

func (h *host) applyLink(op kernel.Op) error {
	v := op.Thing.Link
	switch op.Kind {
	case kernel.Add:
		return h.addVirtual(v)
	case kernel.Delete:
		return h.deleteVirtual(v)
	}
	l, parent := h.links[v.Name], h.links[v.Parent]
	if l == nil || parent == nil {
		return unix.ENODEV
	}
	mac, _ := net.ParseMAC(v.MAC)
	return errors.Join(h.hush(parent), h.setLink(l.Index, v.Up, func(req *nl.NetlinkRequest) {
		if l.MAC.String() != v.MAC {
			req.AddData(nl.NewRtAttr(unix.IFLA_ADDRESS, mac))
		}
	}))
}

// addVirtual makes a macvlan. The mode is bridge: a private one is given all that comes
// from its own MAC, so that its parent would not hear another machine's adverts.
func (h *host) addVirtual(v *kernel.VirtualLink) error {
	parent := h.links[v.Parent]
	mac, err := net.ParseMAC(v.MAC)
	switch {
	case parent == nil:
		return unix.ENODEV
	case err != nil:
		return err
	case len(parent.MAC) != linkLayerBytes:
		return fmt.Errorf("%s is no Ethernet interface", v.Parent)
	}
	if err := h.create(v.Name, parent.Index, mac); err != nil {
		return err
	}
	if err := h.refresh(); err != nil {
		return err
	}
	l := h.links[v.Name]
	if l == nil {
		return unix.ENODEV
	}
	if err := errors.Join(h.dress(l, h.before(parent)), h.hush(parent)); err != nil {
		return errors.Join(err, h.deleteLink(l.Index))
	}
	if err := h.setLink(l.Index, v.Up, nil); err != nil {
		return err
	}
	return h.refresh()
}

func (h *host) create(name string, parent int, mac net.HardwareAddr) error {
	req := nl.NewNetlinkRequest(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL|unix.NLM_F_ACK)
	req.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
	req.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)))
	req.AddData(nl.NewRtAttr(unix.IFLA_LINK, nl.Uint32Attr(uint32(parent))))
	req.AddData(nl.NewRtAttr(unix.IFLA_ADDRESS, mac))
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(infoKind, nl.NonZeroTerminated("macvlan"))
	info.AddRtAttr(infoData, nil).AddRtAttr(macvlanMode, nl.Uint32Attr(modeBridge))
	req.AddData(info)
	_, err := h.execute(req, 0)
	return err
}

// dress is all that a macvlan needs before it may be set up. Its own sysctls go with it.
func (h *host) dress(l *link, was alias) error {
	if err := h.sysctl6(l.Name, "accept_ra", "0"); err != nil {
		return err // an address from a router's prefix and the virtual MAC would be everybody's
	}
	return h.setLink(l.Index, false, func(req *nl.NetlinkRequest) {
		req.AddData(nl.NewRtAttr(unix.IFLA_IFALIAS, []byte(was.String())))
		spec := nl.NewRtAttr(unix.IFLA_AF_SPEC, nil)
		conf := spec.AddRtAttr(unix.AF_INET, nil).AddRtAttr(ifaInetConf, nil)
		conf.AddRtAttr(confARPIgnore, nl.Uint32Attr(ignoreForeign))
		conf.AddRtAttr(confRPFilter, nl.Uint32Attr(filterLoosely))
		spec.AddRtAttr(unix.AF_INET6, nil).AddRtAttr(inet6GenMode, []byte{genModeNone})
		req.AddData(spec)
	})
}

// setLink sets a link up or down, and what else is asked for.
func (h *host) setLink(index int, up bool, more func(*nl.NetlinkRequest)) error {
	req := nl.NewNetlinkRequest(unix.RTM_NEWLINK, unix.NLM_F_ACK)
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index, msg.Change = int32(index), unix.IFF_UP
	if up {
		msg.Flags = unix.IFF_UP
	}
	req.AddData(msg)
	if more != nil {
		more(req)
	}
	_, err := h.execute(req, 0)
	return err
}

func (h *host) deleteLink(index int) error {
	req := nl.NewNetlinkRequest(unix.RTM_DELLINK, unix.NLM_F_ACK)
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(index)
	req.AddData(msg)
	_, err := h.execute(req, 0)
	return err
}

// deleteVirtual takes a macvlan away, and with the last one what it changed on its parent.
func (h *host) deleteVirtual(v *kernel.VirtualLink) error {
	l := h.links[v.Name]
	if l == nil {
		return unix.ENODEV
	}
	was, ours := parseAlias(l.alias)
	if !ours {
		return unix.ENODEV
	}
	if err := h.deleteLink(l.Index); err != nil {
		return err
	}
	delete(h.links, v.Name)
	parent := h.byIndex(l.parent)
	if parent == nil || h.sibling(parent) != nil {
		return nil
	}
	delete(h.was, parent.Index)
	return h.restore(parent, was)
}

// sibling is a macvlan of ours on an interface.
func (h *host) sibling(parent *link) *link {
	for _, l := range h.links {
		if _, ours := parseAlias(l.alias); ours && l.parent == parent.Index {
			return l
		}
	}
	return nil
}

// before is what an interface's sysctls were before any of ours was on it: what this
// process saw, else what another of ours there has recorded, else what they are.
func (h *host) before(parent *link) alias {
	if was, known := h.was[parent.Index]; known {
		return was
	}
	was := alias{}
	was.ignore, _ = parent.sysctl(confARPIgnore)
	was.announce, _ = parent.sysctl(confARPNotice)
	if l := h.sibling(parent); l != nil {
		was, _ = parseAlias(l.alias)
	}
	h.was[parent.Index] = was
	return was
}

// hush raises the sysctls of a parent.
func (h *host) hush(parent *link) error {
	if quiet(parent) {
		return nil
	}
	var err error
	for number, least := range map[int]uint32{confARPIgnore: ignoreForeign, confARPNotice: askFromOwn} {
		if now, _ := parent.sysctl(number); now < least {
			err = errors.Join(err, h.setSysctl(parent.Index, number, least))
		}
	}
	return err
}

// restore puts back what is still as it was set.
func (h *host) restore(parent *link, was alias) error {
	var err error
	for number, v := range map[int][2]uint32{confARPIgnore: {was.ignore, ignoreForeign}, confARPNotice: {was.announce, askFromOwn}} {
		if now, known := parent.sysctl(number); known && now == v[1] && v[0] < v[1] {
			err = errors.Join(err, h.setSysctl(parent.Index, number, v[0]))
		}
	}
	return err
}

// refresh looks at the links again, between two operations of a round.
func (h *host) refresh() error {
	_, err := h.Read(false)
	return err
}

// sysctl6 writes what netlink cannot set. /proc/sys/net is that of the thread's network
// namespace, which must be the sockets'.
func (h *host) sysctl6(iface, name, value string) error {
	path := filepath.Join("/proc/sys/net/ipv6/conf", iface, name)
	failed := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if here, err := namespace(); err == nil && here == h.inode {
			defer runtime.UnlockOSThread()
		} else if err := unix.Setns(int(h.ns.Fd()), unix.CLONE_NEWNET); err != nil {
			failed <- fmt.Errorf("enter the network namespace: %w", err)
			return // the thread ends with its goroutine
		}
		err := os.WriteFile(path, []byte(value), 0)
		if errors.Is(err, os.ErrNotExist) {
			err = nil // there is no IPv6 on this machine
		}
		failed <- err
	}()
	return <-failed
}

// namespace is the number of the calling thread's.
func namespace() (uint64, error) {
	var st unix.Stat_t
	err := unix.Stat("/proc/thread-self/ns/net", &st)
	return st.Ino, err
}

// parseInfo reads what kind a link is.
func parseInfo(b []byte) (kind string) {
	_ = attributes(b, func(number uint16, value []byte) {
		if number == infoKind {
			kind = strings.TrimRight(string(value), "\x00")
		}
	})
	return kind
}

func int32Of(b []byte) int {
	if len(b) != 4 {
		return 0
	}
	return int(int32(binary.NativeEndian.Uint32(b)))
}
