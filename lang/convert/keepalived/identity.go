package keepalived

import (
	"fmt"
	"net/netip"
	"strings"

	"hafile/lang/diag"
	"hafile/lang/plan"
)

// identity settles what the wire sees: interface, VRID, version, interval, source, and
// how adverts travel.
func (in *instance) identity(lists []*directive) {
	if d := in.slots["interface"]; d != nil {
		in.iface = d.arg(1)
		in.fields["interface"] = set(quote(in.iface), d)
		d.say(Exact, "", "")
		if !interfaceName(in.iface) {
			in.block(d, fmt.Sprintf("%s is no name of an interface", short(in.iface)))
		}
	}
	if d := in.slots["virtual_router_id"]; d != nil {
		n, clean, ok := number(d.arg(1))
		if !ok || n < 1 || n > 255 {
			in.refuse(d, 1, "A VRID that is none", "its virtual_router_id is not 1 to 255")
		}
		if ok && !clean {
			d.say(Changed, "HA4008", "keepalived reads %d; so does the result", n)
		}
		d.say(Exact, "", "")
		in.vrid = n
		in.fields["router_id"] = set(fmt.Sprint(n), d)
	} else {
		in.refuse(in.dir, 1, "An instance without VRID", "it has no virtual_router_id")
	}
	v, d := in.version()
	if in.six() && v == 2 {
		in.block(d, "it speaks IPv6 with version 2, which is in no RFC")
	}
	if by, strict := in.strict(); in.six() && strict && v == 2 {
		d.say(NoEffect, "HA4008", "line %d (strict) makes it 3", by.n)
	}
	if in.p.Version = uint8(v); v == 2 {
		in.fields["version"] = set("2", d)
	}
	in.advert(v)
	in.checksum(v)
	in.sourceAddress()
	in.unicast(lists)
	in.multicast()
	if in.slots["interface"] == nil {
		why := "it has no interface: keepalived refuses it"
		if len(in.peers) > 0 && in.source.IsValid() {
			why = "it names no interface: with unicast keepalived finds it by its source address, and hafile wants the name"
		}
		in.block(in.dir, why)
	}
}

// refuse is for what keepalived itself does not start with.
func (in *instance) refuse(d *directive, arg int, summary, why string) {
	d.src.report(diag.Error, "HA4011", d.argRange(arg), summary,
		fmt.Sprintf("%s: keepalived does not start with the instance %q. Correct it and convert again.", upper(why), in.name))
	in.block(d, why+": keepalived refuses it")
}

func (in *instance) advert(version int64) {
	d := in.slots["advert_int"]
	if d == nil {
		return
	}
	ms, ok := seconds(d.arg(1))
	if !ok || ms < 10 || ms > 255000 {
		d.badNumber("seconds from 0.01 to 255", "1")
		return
	}
	was := ms
	if version == 2 {
		ms = max((ms+500)/1000, 1) * 1000
	} else {
		ms = min((ms+5)/10*10, 40950)
	}
	if ms != was {
		d.say(Changed, "HA1305", "version %d sends every %s; so does the result", version, strings.Trim(duration(ms), `"`))
	}
	in.p.AdvertMs = ms
	in.standard("advert_int", d, duration(ms), `"1s"`)
}

// standard writes a field unless it is hafile's default; with -explicit also then.
func (in *instance) standard(key string, d *directive, expr, def string) {
	if expr == def {
		d.say(Exact, "", "the default here too")
		in.fields[key+" default"] = set(expr, d)
		return
	}
	d.say(Exact, "", "")
	in.fields[key] = set(expr, d)
}

// checksum: keepalived's v3_checksum_as_v2 is RFC 9568's, without the pseudo header.
func (in *instance) checksum(version int64) {
	d := in.slots["v3_checksum_as_v2"]
	if d == nil {
		// As a global its argument is never read.
		if d = in.global.checksum; d == nil {
			return
		}
	} else if on, ok := d.flag(); !ok || !on {
		d.say(Exact, "", "the default here too")
		return
	}
	switch {
	case version == 2:
		d.say(NoEffect, "", "version 2 has no pseudo header anyway")
		return
	case in.six():
		d.say(NoEffect, "", "it is for IPv4")
		return
	}
	d.say(Exact, "", "")
	in.p.Checksum = "rfc9568"
	in.fields["checksum"] = set(`"rfc9568"`, d)
}

func (in *instance) sourceAddress() {
	d := in.slots["source"]
	if d == nil {
		return
	}
	a, ignored, err := host(d.arg(1))
	if err != nil || a.Zone() != "" || a.Is6() != in.six() {
		family := "IPv4"
		if in.six() {
			family = "IPv6"
		}
		d.warn("HA4008", 1, "A source address that is none", "%s is no %s address; keepalived ignores the line and sends from the interface's first address, and so does the result.", short(d.arg(1)), family)
		d.say(NoEffect, "HA4008", "not an %s address: keepalived sends from the interface's first one; so does the result", family)
		return
	}
	if ignored {
		d.say(Changed, "HA4008", "keepalived ignores the prefix; so does the result")
	}
	d.say(Exact, "", "")
	in.source = a
	in.p.SourceAddress = a
	in.fields["source_address"] = set(quote(a.String()), d)
}

// multicast settles the group that adverts go to.
func (in *instance) multicast() {
	usual, global := netip.AddrFrom4([4]byte{224, 0, 0, 18}), in.m.global.group4
	if in.six() {
		usual, global = netip.MustParseAddr("ff02::12"), in.m.global.group6
	}
	for _, d := range []*directive{in.slots["mcast_dst_ip"], global} {
		if d == nil {
			continue
		}
		a, _, err := host(d.arg(1))
		bad := err != nil || a.Zone() != "" || a.Is6() != in.six() || !a.IsMulticast() || a.Is6() && !a.IsLinkLocalMulticast()
		switch {
		case len(in.peers) > 0 && d == global:
			continue
		case len(in.peers) > 0:
			d.say(NoEffect, "", "it speaks unicast")
		case bad:
			d.warn("HA4008", 1, "A group that is none", "%s is no multicast address that stays on the link; keepalived ignores the line, and so does the result.", short(d.arg(1)))
			d.say(NoEffect, "HA4008", "no multicast address of the link: keepalived ignores it; so does the result")
			continue
		case a == usual:
			d.say(Exact, "", "the default here too")
		default:
			d.say(Exact, "", "")
			in.p.MulticastGroup = a
			in.fields["multicast_group"] = set(quote(a.String()), d)
		}
		return
	}
}

// wire is what tells two instances of one machine apart.
func (in *instance) wire() plan.WireKey { return in.p.Wire() }
