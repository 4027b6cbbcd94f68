package keepalived

import (
	"fmt"
	"strings"
)

// addresses reads the VIPs. The first one's family is the instance's.
func (in *instance) addresses(lists []*directive) {
	six := false
	for _, d := range lists {
		switch d.key() {
		case "unicast_peer":
			if len(d.body) > 0 {
				in.block(d, "it speaks unicast, which is not in this release")
			}
			d.whole(NoEffect, "", "without peers keepalived sends multicast; so does the result")
		case "virtual_ipaddress":
			d.say(Exact, "", "")
			for _, c := range d.body {
				if c.kind != isEntry {
					in.m.aside(c)
					continue
				}
				p, _, ok := prefix(c.arg(0))
				if ok && p.Addr().Is6() && len(in.vips) == 0 {
					six = true
				}
				if six && ok {
					in.block(c, "it speaks IPv6, which is not in this release")
					c.say(Unsupported, "HA4012", "IPv6 is not in this release")
					continue
				}
				in.address(c)
			}
		}
	}
	if len(in.vips) == 0 {
		in.block(in.dir, "it has no IPv4 address that hafile could move")
	}
}

func (in *instance) address(d *directive) {
	p, written, ok := prefix(d.arg(0))
	switch {
	case !ok && conflict(d.arg(0)):
		d.conflict()
		return
	case !ok:
		d.warn("HA4008", 0, "An address that is none", "%s is no IP address; keepalived drops the line, and so does the result. Correct it if this is a template.", short(d.arg(0)))
		d.say(NoEffect, "HA4008", "not an address: keepalived drops it; so does the result")
		return
	case p.Addr().Is6():
		d.say(NoEffect, "HA4008", "keepalived drops an IPv6 address beside IPv4 ones; so does the result")
		return
	case p.Addr().IsMulticast() || p.Addr().IsLoopback() || p.Addr().IsUnspecified():
		d.say(Unsupported, "HA1116", "hafile does not move such an address")
		return
	}
	for _, v := range in.vips {
		if v.prefix.Addr() == p.Addr() {
			d.say(NoEffect, "HA4008", "line %d has it already", v.dir.n)
			return
		}
	}
	v := vip{prefix: p, dir: d, expr: quote(p.Addr().String())}
	var notes []string
	if written {
		v.expr = quote(p.String())
		notes = append(notes, fmt.Sprintf("installed as /32, /%d says only which segment it is on", p.Bits()))
	} else if !strings.Contains(d.arg(0), "/") {
		d.say(Exact, "", "/32, as keepalived does")
	}
	lost, strange, drop := in.options(d, &v)
	if drop {
		return
	}
	if len(lost) > 0 {
		notes = append(notes, "without "+strings.Join(lost, ", ")+", which this release does not have")
	}
	if strange {
		notes = append(notes, "keepalived ignores what follows the address; so does the result")
	}
	if len(notes) > 0 {
		d.said = &verdict{kind: Changed, note: strings.Join(notes, "; ")}
	}
	d.say(Exact, "", "")
	in.vips = append(in.vips, v)
}

// options reads what may follow an address; what is not taken over is returned.
func (in *instance) options(d *directive, v *vip) (lost []string, strange, drop bool) {
	for i := 1; i < len(d.words); i++ {
		switch w := d.arg(i); w {
		case "dev", "scope", "brd", "broadcast", "label", "peer", "preferred_lft", "track_group":
			i++
			if i >= len(d.words) {
				d.warn("HA4008", i-1, fmt.Sprintf("%s has no value", w), "keepalived drops the whole address, and so does the result.")
				d.said = &verdict{NoEffect, "HA4008", w + " has no value: keepalived drops the address; so does the result"}
				return nil, false, true
			}
			if w == "dev" {
				v.dev = d.arg(i)
			} else {
				lost = append(lost, w)
			}
		case "home", "-nodad", "mngtmpaddr", "noprefixroute", "autojoin":
			// Flags that mean nothing on a /32.
		case "no_track", "use_vmac":
			lost = append(lost, w)
		default:
			d.warn("HA4008", i, fmt.Sprintf("Unknown option %q of an address", short(w)), "keepalived ignores it. An address stands on a line of its own; remove what follows it.")
			return lost, true, false
		}
	}
	if v.dev != "" && !interfaceName(v.dev) {
		d.said = &verdict{NoEffect, "HA4008", "no name of an interface: keepalived drops the address; so does the result"}
		return nil, false, true
	}
	return lost, strange, false
}
