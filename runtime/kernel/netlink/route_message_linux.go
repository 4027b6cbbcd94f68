package netlink

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"hafile/runtime/kernel"
)

// Attributes of linux/fib_rules.h that package unix does not have.
const (
	fraSuppressPrefixlen = 14
	fraProtocol          = 21 // Linux 4.17
	ruleInvert           = 2  // FIB_RULE_INVERT
)

var routeTypes = map[string]uint8{
	"": unix.RTN_UNICAST, "blackhole": unix.RTN_BLACKHOLE, "unreachable": unix.RTN_UNREACHABLE,
	"prohibit": unix.RTN_PROHIBIT, "throw": unix.RTN_THROW,
}

var ruleActions = map[string]uint8{
	"": unix.FR_ACT_TO_TBL, "blackhole": unix.FR_ACT_BLACKHOLE, "unreachable": unix.FR_ACT_UNREACHABLE, "prohibit": unix.FR_ACT_PROHIBIT,
}

func nameOf(names map[string]uint8, number uint8) string {
	for name, n := range names {
		if n == number {
			return name
		}
	}
	return fmt.Sprint(number)
}

// tableByte is the number of a table in a header of one byte; the attribute has all of it.
func tableByte(n uint32) uint8 {
	if n > 255 {
		return unix.RT_TABLE_COMPAT
	}
	return uint8(n)
}

// routeRequest adds, replaces or deletes a route. A delete names what the kernel has once
// and our protocol, so that it never meets a stranger's.
func (h *host) routeRequest(kind kernel.Kind, r *kernel.Route) (*nl.NetlinkRequest, error) {
	command, flags := unix.RTM_NEWROUTE, unix.NLM_F_ACK|unix.NLM_F_CREATE|unix.NLM_F_EXCL
	switch kind {
	case kernel.Replace:
		flags = unix.NLM_F_ACK | unix.NLM_F_CREATE | unix.NLM_F_REPLACE
	case kernel.Delete:
		command, flags = unix.RTM_DELROUTE, unix.NLM_F_ACK
	}
	req := nl.NewNetlinkRequest(command, flags)
	msg := &nl.RtMsg{RtMsg: unix.RtMsg{
		Family: uint8(familyOf(r.To.Addr())), Dst_len: uint8(r.To.Bits()), Table: tableByte(r.Table),
		Protocol: kernel.Tag, Scope: scopes[r.Scope], Type: routeTypes[r.Type],
	}}
	if r.From.IsValid() {
		msg.Src_len = uint8(r.From.Bits())
	}
	if kind == kernel.Delete {
		msg.Scope = unix.RT_SCOPE_NOWHERE // any
	}
	single := kind != kernel.Delete && len(r.Hops) == 1
	if single && r.Hops[0].OnLink {
		msg.Flags |= unix.RTNH_F_ONLINK
	}
	req.AddData(msg)
	req.AddData(nl.NewRtAttr(unix.RTA_DST, r.To.Addr().AsSlice()))
	if r.From.IsValid() {
		req.AddData(nl.NewRtAttr(unix.RTA_SRC, r.From.Addr().AsSlice()))
	}
	req.AddData(nl.NewRtAttr(unix.RTA_TABLE, nl.Uint32Attr(r.Table)))
	if r.Metric != 0 {
		req.AddData(nl.NewRtAttr(unix.RTA_PRIORITY, nl.Uint32Attr(r.Metric)))
	}
	if kind == kernel.Delete {
		return req, nil
	}
	if r.Source.IsValid() {
		req.AddData(nl.NewRtAttr(unix.RTA_PREFSRC, r.Source.AsSlice()))
	}
	if r.MTU != 0 {
		metrics := nl.NewRtAttr(unix.RTA_METRICS, nil)
		metrics.AddRtAttr(unix.RTAX_MTU, nl.Uint32Attr(r.MTU))
		req.AddData(metrics)
	}
	return req, h.addHops(req, r.Hops)
}

func (h *host) addHops(req *nl.NetlinkRequest, hops []kernel.Hop) error {
	var many []byte
	for _, hop := range hops {
		index := 0
		if hop.Interface != "" {
			l, there := h.links[hop.Interface]
			if !there {
				return unix.ENODEV
			}
			index = l.Index
		}
		if len(hops) == 1 {
			if hop.Via.IsValid() {
				req.AddData(nl.NewRtAttr(unix.RTA_GATEWAY, hop.Via.AsSlice()))
			}
			if index != 0 {
				req.AddData(nl.NewRtAttr(unix.RTA_OIF, nl.Uint32Attr(uint32(index))))
			}
			return nil
		}
		many = append(many, nextHop(hop, index)...)
	}
	if many != nil {
		req.AddData(nl.NewRtAttr(unix.RTA_MULTIPATH, many))
	}
	return nil
}

// nextHop is struct rtnexthop with its gateway.
func nextHop(hop kernel.Hop, index int) []byte {
	b := make([]byte, unix.SizeofRtNexthop)
	if hop.OnLink {
		b[2] = unix.RTNH_F_ONLINK
	}
	b[3] = uint8(hop.Weight - 1)
	binary.NativeEndian.PutUint32(b[4:], uint32(index))
	if hop.Via.IsValid() {
		b = append(b, nl.NewRtAttr(unix.RTA_GATEWAY, hop.Via.AsSlice()).Serialize()...)
	}
	binary.NativeEndian.PutUint16(b, uint16(len(b)))
	return b
}

// parseRouteThing reads struct rtmsg. mine is false for what does not carry our tag.
func parseRouteThing(b []byte, names map[int]string) (r kernel.Route, mine bool, err error) {
	if len(b) < unix.SizeofRtMsg {
		return r, false, errShort
	}
	six := b[0] == unix.AF_INET6
	zero := netip.IPv4Unspecified()
	if six {
		zero = netip.IPv6Unspecified()
	}
	r.To, r.Table, r.Type = netip.PrefixFrom(zero, int(b[1])), uint32(b[4]), nameOf(routeTypes, b[7])
	if b[2] != 0 {
		r.From = netip.PrefixFrom(zero, int(b[2]))
	}
	if !six {
		r.Scope = scopeName(b[6])
	}
	flags := binary.NativeEndian.Uint32(b[8:])
	hop := kernel.Hop{Weight: 1, OnLink: flags&unix.RTNH_F_ONLINK != 0}
	err = attributes(b[unix.SizeofRtMsg:], func(kind uint16, v []byte) {
		switch kind {
		case unix.RTA_DST:
			r.To = prefixOf(v, int(b[1]))
		case unix.RTA_SRC:
			r.From = prefixOf(v, int(b[2]))
		case unix.RTA_TABLE:
			r.Table = number(v)
		case unix.RTA_PRIORITY:
			r.Metric = number(v)
		case unix.RTA_PREFSRC:
			r.Source, _ = netip.AddrFromSlice(v)
		case unix.RTA_GATEWAY:
			hop.Via, _ = netip.AddrFromSlice(v)
		case unix.RTA_OIF:
			hop.Interface = names[int(number(v))]
		case unix.RTA_MULTIPATH:
			r.Hops = parseHops(v, names)
		case unix.RTA_METRICS:
			_ = attributes(v, func(kind uint16, v []byte) {
				if kind == unix.RTAX_MTU {
					r.MTU = number(v)
				}
			})
		}
	})
	switch {
	case r.Type != "":
		r.Hops = nil // the kernel names the loopback
	case r.Hops == nil:
		r.Hops = []kernel.Hop{hop}
	}
	return r, b[5] == kernel.Tag, err
}

func parseHops(b []byte, names map[int]string) (hops []kernel.Hop) {
	for len(b) >= unix.SizeofRtNexthop {
		n := int(binary.NativeEndian.Uint16(b))
		if n < unix.SizeofRtNexthop || n > len(b) {
			return hops
		}
		hop := kernel.Hop{
			Weight: int(b[3]) + 1, OnLink: b[2]&unix.RTNH_F_ONLINK != 0,
			Interface: names[int(binary.NativeEndian.Uint32(b[4:]))],
		}
		_ = attributes(b[unix.SizeofRtNexthop:n], func(kind uint16, v []byte) {
			if kind == unix.RTA_GATEWAY {
				hop.Via, _ = netip.AddrFromSlice(v)
			}
		})
		hops = append(hops, hop)
		b = b[min((n+3)&^3, len(b)):]
	}
	return hops
}

func prefixOf(v []byte, bits int) netip.Prefix {
	a, _ := netip.AddrFromSlice(v)
	return netip.PrefixFrom(a, bits)
}

func number(v []byte) uint32 {
	if len(v) != 4 {
		return 0
	}
	return binary.NativeEndian.Uint32(v)
}

// ruleRequest adds or deletes a rule. The kernel compares all that is said, and so meets
// no other.
func ruleRequest(kind kernel.Kind, r *kernel.Rule) *nl.NetlinkRequest {
	command, flags := unix.RTM_NEWRULE, unix.NLM_F_ACK|unix.NLM_F_CREATE|unix.NLM_F_EXCL
	if kind == kernel.Delete {
		command, flags = unix.RTM_DELRULE, unix.NLM_F_ACK
	}
	req := nl.NewNetlinkRequest(command, flags)
	msg := &nl.RtMsg{RtMsg: unix.RtMsg{Family: unix.AF_INET, Table: tableByte(r.Table), Type: ruleActions[r.Action]}}
	if r.IPv6 {
		msg.Family = unix.AF_INET6
	}
	if r.Not {
		msg.Flags = ruleInvert
	}
	req.AddData(msg)
	add := func(is bool, kind int, v []byte) {
		if is {
			req.AddData(nl.NewRtAttr(kind, v))
		}
	}
	if r.From.IsValid() {
		msg.Src_len = uint8(r.From.Bits())
		add(true, nl.FRA_SRC, r.From.Addr().AsSlice())
	}
	if r.To.IsValid() {
		msg.Dst_len = uint8(r.To.Bits())
		add(true, nl.FRA_DST, r.To.Addr().AsSlice())
	}
	add(true, nl.FRA_PRIORITY, nl.Uint32Attr(r.Priority))
	add(true, fraProtocol, []byte{kernel.Tag})
	add(r.Action == "", nl.FRA_TABLE, nl.Uint32Attr(r.Table))
	add(r.IIF != "", nl.FRA_IIFNAME, nl.ZeroTerminated(r.IIF))
	add(r.OIF != "", nl.FRA_OIFNAME, nl.ZeroTerminated(r.OIF))
	add(r.Mark != 0 || r.Mask != 0, nl.FRA_FWMARK, nl.Uint32Attr(r.Mark))
	add(r.Mark != 0 || r.Mask != 0, nl.FRA_FWMASK, nl.Uint32Attr(r.Mask))
	add(r.Suppress >= 0, fraSuppressPrefixlen, nl.Uint32Attr(uint32(r.Suppress)))
	return req
}

// parseRule reads struct fib_rule_hdr, which is built like struct rtmsg.
func parseRule(b []byte) (r kernel.Rule, mine bool, err error) {
	if len(b) < unix.SizeofRtMsg {
		return r, false, errShort
	}
	r = kernel.Rule{IPv6: b[0] == unix.AF_INET6, Table: uint32(b[4]), Action: nameOf(ruleActions, b[7]), Suppress: -1}
	r.Not = binary.NativeEndian.Uint32(b[8:])&ruleInvert != 0
	err = attributes(b[unix.SizeofRtMsg:], func(kind uint16, v []byte) {
		switch kind {
		case nl.FRA_SRC:
			r.From = prefixOf(v, int(b[2]))
		case nl.FRA_DST:
			r.To = prefixOf(v, int(b[1]))
		case nl.FRA_PRIORITY:
			r.Priority = number(v)
		case nl.FRA_TABLE:
			r.Table = number(v)
		case nl.FRA_IIFNAME:
			r.IIF = nl.BytesToString(append(v[:len(v):len(v)], 0))
		case nl.FRA_OIFNAME:
			r.OIF = nl.BytesToString(append(v[:len(v):len(v)], 0))
		case nl.FRA_FWMARK:
			r.Mark = number(v)
		case nl.FRA_FWMASK:
			r.Mask = number(v)
		case fraSuppressPrefixlen:
			r.Suppress = int(int32(number(v)))
		case fraProtocol:
			mine = len(v) == 1 && v[0] == kernel.Tag
		}
	})
	if r.Action != "" {
		r.Table = 0
	}
	return r, mine, err
}
