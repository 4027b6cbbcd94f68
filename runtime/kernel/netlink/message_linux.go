package netlink

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"hafile/runtime/kernel"
)

const (
	ifaProto      = 11     // IFA_PROTO of linux/if_addr.h, Linux 5.18
	skipStats     = 1 << 3 // RTEXT_FILTER_SKIP_STATS: half of what a link says
	attrTypeMask  = 0x3fff // without NLA_F_NESTED and NLA_F_NET_BYTEORDER
	foreverSecond = 0xffffffff
)

// addressRequest is RTM_NEWADDR or RTM_DELADDR for an address on an interface.
//
// A new one has no broadcast, and carries our tag. IPv6 is usable at once (no duplicate
// address detection: the protocol has decided who has it) and is never chosen as a source
// (preferred for 0 s). A prefix brings no route: the machine's own route to the segment
// must not depend on it.
func addressRequest(kind kernel.Kind, index int, a kernel.Address) *nl.NetlinkRequest {
	command, flags := unix.RTM_NEWADDR, unix.NLM_F_ACK|unix.NLM_F_CREATE|unix.NLM_F_EXCL
	switch kind {
	case kernel.Mark, kernel.Unmark:
		flags = unix.NLM_F_ACK | unix.NLM_F_REPLACE
	case kernel.Delete:
		command, flags = unix.RTM_DELADDR, unix.NLM_F_ACK
	}
	req := nl.NewNetlinkRequest(command, flags)
	msg := nl.NewIfAddrmsg(familyOf(a.Prefix.Addr()))
	msg.Prefixlen, msg.Index, msg.Scope = uint8(a.Prefix.Bits()), uint32(index), scopes[a.Scope]
	req.AddData(msg)
	ip := a.Prefix.Addr().AsSlice()
	req.AddData(nl.NewRtAttr(unix.IFA_LOCAL, ip))
	req.AddData(nl.NewRtAttr(unix.IFA_ADDRESS, ip))
	if kind == kernel.Add || kind == kernel.Mark {
		req.AddData(nl.NewRtAttr(ifaProto, []byte{kernel.Tag}))
	}
	if kind != kernel.Delete {
		decorate(req, a)
	}
	return req
}

func familyOf(a netip.Addr) int {
	if a.Is6() {
		return unix.AF_INET6
	}
	return unix.AF_INET
}

// scopes are the kernel's numbers.
var scopes = map[string]uint8{"": unix.RT_SCOPE_UNIVERSE, "link": unix.RT_SCOPE_LINK, "host": unix.RT_SCOPE_HOST}

func scopeName(number uint8) string {
	for name, n := range scopes {
		if n == number {
			return name
		}
	}
	return fmt.Sprint(number)
}

func decorate(req *nl.NetlinkRequest, a kernel.Address) {
	p := a.Prefix
	if a.Label != "" {
		req.AddData(nl.NewRtAttr(unix.IFA_LABEL, nl.ZeroTerminated(a.Label)))
	}
	var flags uint32
	if !p.IsSingleIP() {
		flags |= unix.IFA_F_NOPREFIXROUTE
	}
	if p.Addr().Is6() {
		flags |= unix.IFA_F_NODAD
		life := &nl.IfaCacheInfo{IfaCacheinfo: unix.IfaCacheinfo{Prefered: 0, Valid: foreverSecond}}
		req.AddData(nl.NewRtAttr(unix.IFA_CACHEINFO, life.Serialize()))
	}
	if flags != 0 {
		req.AddData(nl.NewRtAttr(unix.IFA_FLAGS, nl.Uint32Attr(flags)))
	}
}

// addressesRequest and linksRequest ask for everything.
func addressesRequest() *nl.NetlinkRequest {
	req := nl.NewNetlinkRequest(unix.RTM_GETADDR, unix.NLM_F_DUMP)
	req.AddData(nl.NewIfAddrmsg(unix.AF_UNSPEC))
	return req
}

func linksRequest() *nl.NetlinkRequest {
	req := nl.NewNetlinkRequest(unix.RTM_GETLINK, unix.NLM_F_DUMP)
	req.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
	req.AddData(nl.NewRtAttr(unix.IFLA_EXT_MASK, nl.Uint32Attr(skipStats)))
	return req
}

// link is one interface of a dump, with what only this package needs.
type link struct {
	kernel.Link
	conf   []byte // struct ipv4_devconf: the sysctls of net.ipv4.conf, four bytes each
	parent int    // the index of what a macvlan is on
	kind   string // "macvlan"
	alias  string
}

var errShort = errors.New("a netlink message is shorter than it says")

// address is one address of a dump.
type address struct {
	index     int
	prefix    netip.Prefix
	label     string // the interface's name, if nobody has given another
	scope     string // of IPv4
	secondary bool
	marked    bool
}

// parseAddress reads struct ifaddrmsg and its attributes.
func parseAddress(b []byte) (address, error) {
	if len(b) < unix.SizeofIfAddrmsg {
		return address{}, errShort
	}
	a := address{index: int(binary.NativeEndian.Uint32(b[4:]))}
	bits := int(b[1])
	if b[0] == unix.AF_INET { // with IPv6 the flag is another, and the scope is the address's
		a.secondary, a.scope = b[2]&unix.IFA_F_SECONDARY != 0, scopeName(b[3])
	}
	var local, peer netip.Addr
	err := attributes(b[unix.SizeofIfAddrmsg:], func(kind uint16, value []byte) {
		switch kind {
		case unix.IFA_LOCAL:
			local, _ = netip.AddrFromSlice(value)
		case unix.IFA_ADDRESS:
			peer, _ = netip.AddrFromSlice(value)
		case unix.IFA_LABEL:
			a.label = nl.BytesToString(append(value[:len(value):len(value)], 0))
		case ifaProto:
			a.marked = len(value) == 1 && value[0] == kernel.Tag
		}
	})
	if !local.IsValid() { // IPv6 without a peer says only IFA_ADDRESS
		local = peer
	}
	a.prefix = netip.PrefixFrom(local, bits)
	if err == nil && !a.prefix.IsValid() {
		err = errors.New("a netlink message has an address without an address")
	}
	return a, err
}

// parseLink reads struct ifinfomsg and its attributes.
func parseLink(b []byte) (link, error) {
	if len(b) < unix.SizeofIfInfomsg {
		return link{}, errShort
	}
	flags := binary.NativeEndian.Uint32(b[8:])
	l := link{Link: kernel.Link{
		Index:   int(int32(binary.NativeEndian.Uint32(b[4:]))),
		Up:      flags&unix.IFF_UP != 0,
		Carrier: flags&unix.IFF_LOWER_UP != 0,
	}}
	err := attributes(b[unix.SizeofIfInfomsg:], func(kind uint16, value []byte) {
		switch kind {
		case unix.IFLA_IFNAME:
			l.Name = nl.BytesToString(append(value[:len(value):len(value)], 0))
		case unix.IFLA_ADDRESS:
			l.MAC = net.HardwareAddr(append([]byte(nil), value...))
		case unix.IFLA_MTU:
			if len(value) == 4 {
				l.MTU = int(binary.NativeEndian.Uint32(value))
			}
		case unix.IFLA_LINK:
			l.parent = int32Of(value)
		case unix.IFLA_LINKINFO:
			l.kind = parseInfo(value)
		case unix.IFLA_IFALIAS:
			l.alias = nl.BytesToString(append(value[:len(value):len(value)], 0))
		case unix.IFLA_AF_SPEC:
			l.conf = parseConf(value)
		}
	})
	if err == nil && l.Name == "" {
		err = errors.New("a netlink message has a link without a name")
	}
	return l, err
}

// attributes calls each for every attribute: a length that counts its own four bytes, a
// type, the value, and padding to four bytes.
func attributes(b []byte, each func(kind uint16, value []byte)) error {
	for len(b) >= unix.SizeofRtAttr {
		n := int(binary.NativeEndian.Uint16(b))
		if n < unix.SizeofRtAttr || n > len(b) {
			return errShort
		}
		each(binary.NativeEndian.Uint16(b[2:])&attrTypeMask, b[unix.SizeofRtAttr:n])
		b = b[min((n+3)&^3, len(b)):]
	}
	return nil
}
