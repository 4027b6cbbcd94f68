package keepalived

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"hafile/lang/plan"
)

// vip is one address that moves.
type vip struct {
	p    plan.VIP
	expr string // as it was written, with its prefix
	dir  *directive
}

// addresses reads the VIPs. The first good one's family is the instance's; those that
// are not advertised may be of either.
func (in *instance) addresses(lists []*directive) {
	if in.slots["native_ipv6"] != nil {
		in.p.Family = plan.IPv6
		in.slots["native_ipv6"].say(Exact, "", "the addresses say so")
	}
	known := in.slots["native_ipv6"] != nil
	for _, excluded := range []bool{false, true} {
		for _, list := range lists {
			if list.key() != map[bool]string{false: "virtual_ipaddress", true: "virtual_ipaddress_excluded"}[excluded] {
				continue
			}
			list.say(Exact, "", "")
			for _, d := range list.body {
				if d.kind != isEntry {
					in.m.aside(d)
					continue
				}
				if p, _, ok := prefix(d.arg(0)); ok && !known && !excluded {
					known = true
					if p.Addr().Is6() {
						in.p.Family = plan.IPv6
					}
				}
				in.address(d, excluded)
			}
		}
	}
	if !slices.ContainsFunc(in.vips, func(v vip) bool { return !v.p.Unadvertised }) {
		in.block(in.dir, "it has no address in its adverts that hafile could move")
	}
}

func (in *instance) address(d *directive, excluded bool) {
	p, written, ok := prefix(d.arg(0))
	switch {
	case !ok && conflict(d.arg(0)):
		d.conflict()
		return
	case !ok:
		d.warn("HA4008", 0, "An address that is none", "%s is no IP address; keepalived drops the line, and so does the result. Correct it if this is a template.", short(d.arg(0)))
		d.say(NoEffect, "HA4008", "not an address: keepalived drops it; so does the result")
		return
	case p.Addr().Is6() != in.six() && !excluded:
		family, other := "IPv6", "IPv4"
		if in.six() {
			family, other = other, family
		}
		d.warn("HA4008", 0, "An address of the other family", "The first address of the instance is %s, so that keepalived drops %s, and so does the result. Move it to an instance of its own, or to virtual_ipaddress_excluded.", other, p.Addr())
		d.say(NoEffect, "HA4008", "keepalived drops an %s address beside %s ones; so does the result", family, other)
		return
	case p.Addr().IsMulticast() || p.Addr().IsLoopback() || p.Addr().IsUnspecified() || p.Addr().Is4In6():
		d.say(Unsupported, "HA1116", "hafile does not move such an address")
		return
	}
	for _, v := range in.vips {
		if v.p.Address.Addr() == p.Addr() {
			d.say(NoEffect, "HA4008", "line %d has it already", v.dir.n)
			return
		}
	}
	v := vip{dir: d, expr: quote(p.Addr().String()), p: plan.VIP{Address: netip.PrefixFrom(p.Addr(), p.Addr().BitLen()), Unadvertised: excluded}}
	notes, drop := in.options(d, &v)
	if drop {
		return
	}
	switch {
	case written:
		v.expr = quote(p.String())
		v.p.InstallPrefix = p.Bits()
	case !strings.Contains(d.arg(0), "/"):
		d.said = &verdict{kind: Exact, note: fmt.Sprintf("/%d, as keepalived does", p.Bits())}
	}
	if len(notes) > 0 {
		d.said = &verdict{kind: Changed, note: strings.Join(notes, "; ")}
	}
	d.say(Exact, "", "")
	in.vips = append(in.vips, v)
}

// lostOptions of an address, and what the result does without them.
var lostOptions = map[string]string{
	"peer":          "without peer: the address is no end of a point-to-point link",
	"preferred_lft": "without preferred_lft",
	"track_group":   "",
	"no_track":      "without no_track: the interface of the instance is watched anyway",
	"use_vmac":      "without use_vmac: it answers from its interface's MAC",
}

// options reads what may follow an address; notes are what is not taken over.
func (in *instance) options(d *directive, v *vip) (notes []string, drop bool) {
	six := v.p.Address.Addr().Is6()
	gone := func(format string, args ...any) ([]string, bool) {
		d.said = &verdict{NoEffect, "HA4008", fmt.Sprintf(format, args...) + ": keepalived drops the address; so does the result"}
		return nil, true
	}
	for i := 1; i < len(d.words); i++ {
		w := d.arg(i)
		switch w {
		case "dev", "scope", "brd", "broadcast", "label", "peer", "preferred_lft", "track_group":
			i++
			if i >= len(d.words) {
				d.warn("HA4008", i-1, fmt.Sprintf("%s has no value", w), "keepalived drops the whole address, and so does the result.")
				return gone("%s has no value", w)
			}
		}
		value := d.arg(i)
		switch w {
		case "dev":
			if v.p.Interface = value; !interfaceName(value) {
				return gone("no name of an interface")
			}
		case "label":
			switch {
			case len(value) > 15:
				return gone("a label of more than 15 characters")
			case !plain(value):
				return gone("a label that is not UTF-8, or holds a NUL byte")
			case six:
				notes = append(notes, "keepalived ignores the label of an IPv6 address; so does the result")
			default:
				v.p.Label = value
			}
		case "scope":
			switch {
			case six:
				notes = append(notes, "keepalived ignores the scope of an IPv6 address; so does the result")
			case value == "link" || value == "253":
				v.p.Scope = "link"
			case value == "host" || value == "254":
				v.p.Scope = "host"
			case value != "global" && value != "0":
				notes = append(notes, "without scope "+short(value))
			}
		case "brd", "broadcast":
			if six {
				return gone("an IPv6 address has no broadcast")
			}
			// The kernel answers for the network's broadcast address by itself.
		case "home", "-nodad", "mngtmpaddr", "noprefixroute", "autojoin":
			// Flags that mean nothing on a host route.
		default:
			if lost, known := lostOptions[w]; known {
				if lost != "" {
					notes = append(notes, lost)
				}
				continue
			}
			d.warn("HA4008", i, fmt.Sprintf("Unknown option %q of an address", short(w)), "keepalived ignores it. An address stands on a line of its own; remove what follows it.")
			return append(notes, "keepalived ignores what follows the address; so does the result"), false
		}
	}
	return notes, false
}

// labels drops those that the kernel refuses, once the interface is known.
func (in *instance) labels() {
	for i := range in.vips {
		v := &in.vips[i]
		device := v.p.Interface
		if device == "" {
			device = in.iface
		}
		if v.p.Interface == in.iface {
			v.p.Interface = ""
		}
		if v.p.Label != "" && !strings.HasPrefix(v.p.Label, device) {
			v.dir.said = &verdict{Changed, "HA4008", fmt.Sprintf("the kernel wants a label to begin with %s and refuses the address; the result has it without label", device)}
			v.p.Label = ""
		}
	}
}
