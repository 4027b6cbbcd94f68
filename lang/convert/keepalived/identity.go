package keepalived

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"

	"hafile/lang/diag"
)

// identity settles what the wire sees: interface, VRID, version, interval, source.
func (in *instance) identity() {
	if d := in.slots["interface"]; d != nil {
		in.iface = d.arg(1)
		in.fields["interface"] = set(quote(in.iface), d)
		d.say(Exact, "", "")
		if !interfaceName(in.iface) {
			in.block(d, fmt.Sprintf("%s is no name of an interface", short(in.iface)))
		}
	} else {
		in.block(in.dir, "it has no interface: keepalived refuses it")
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
	if v == 2 {
		in.fields["version"] = set("2", d)
	}
	in.advert(v)
	in.checksum(v)
	in.sourceAddress()
}

// refuse is for what keepalived itself does not start with.
func (in *instance) refuse(d *directive, arg int, summary, why string) {
	in.m.src.report(diag.Error, "HA4011", d.argRange(arg), summary,
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
	if version == 2 {
		d.say(NoEffect, "", "version 2 has no pseudo header anyway")
		return
	}
	d.say(Exact, "", "")
	in.fields["checksum"] = set(`"rfc9568"`, d)
}

func (in *instance) sourceAddress() {
	d := in.slots["source"]
	if d == nil {
		return
	}
	a, err := netip.ParseAddr(d.arg(1))
	if err != nil || !a.Is4() {
		d.warn("HA4008", 1, "A source address that is none", "%s is no IPv4 address; keepalived ignores the line and sends from the interface's first address, and so does the result.", short(d.arg(1)))
		d.say(NoEffect, "HA4008", "not an IPv4 address: keepalived sends from the interface's first one; so does the result")
		return
	}
	d.say(Exact, "", "")
	in.source = a
	in.fields["source_address"] = set(quote(a.String()), d)
}

// authentication of VRRPv2. keepalived drops it in silence where it cannot work.
func (in *instance) authentication(lists []*directive) {
	var block, typ, pass *directive
	for _, d := range lists {
		if d.key() != "authentication" {
			continue
		}
		again(&block, d)
		in.m.inside(d, func(c *directive) {
			if c.missing() {
				return
			}
			if c.key() == "auth_type" {
				again(&typ, c)
			} else {
				again(&pass, c)
			}
		})
	}
	if block == nil {
		return
	}
	v, _ := in.version()
	by, strict := in.strict()
	ignore := func(code, why string, args ...any) {
		block.whole(NoEffect, code, "keepalived drops it: "+why, args...)
	}
	kind := ""
	if typ != nil {
		kind = typ.arg(1)
	}
	switch {
	case typ == nil:
		ignore("HA4008", "it has no auth_type")
		block.warn("HA4008", 0, "Authentication without a type", "keepalived runs this instance without a password, and so does the result. Add auth_type PASS on every node if one was meant.")
	case kind == "AH":
		in.block(typ, "its adverts are authenticated by AH, which is not in this release")
	case kind != "PASS":
		ignore("HA4008", "%s is neither PASS nor AH", short(kind))
		typ.warn("HA4008", 1, "An unknown auth_type", "keepalived runs this instance without a password, and so does the result. Write auth_type PASS on every node if one was meant.")
	case pass == nil || pass.arg(1) == "":
		ignore("HA4008", "it has no auth_pass")
	case v == 3:
		ignore("", "version 3 has no passwords")
	case strict:
		ignore("HA4008", "line %d (strict) allows none", by.n)
		block.warn("HA4008", 0, "A password that is not used", "vrrp_strict (line %d) makes keepalived run without it, and so does the result. A peer that has the password is not understood.", by.n)
	default:
		in.pass(block, typ, pass)
	}
}

func (in *instance) pass(block, typ, pass *directive) {
	block.say(Exact, "", "")
	typ.say(Exact, "", "")
	secret := []byte(pass.arg(1))
	if len(secret) > 8 {
		secret = secret[:8]
		pass.say(Changed, "HA2101", "keepalived uses only the first 8 bytes; so does the result")
	}
	// What follows without a blank may be the rest of the password that was meant.
	if line, end := pass.src.text(pass.n), pass.col+pass.length; pass.words[1].col >= 0 && end < len(line) && (line[end] == '#' || line[end] == '!') {
		if pass.trail != nil {
			pass.trail.text = " ********"
		}
		pass.say(Changed, "HA4008", "keepalived takes what follows the password for a comment; so does the result")
		pass.warn("HA4008", 1, "A comment begins inside of the password", "# and ! start a comment anywhere outside of quotes. keepalived uses what stands before it, and so does the result. Put the password into quotes if it is part of it.")
	}
	secret = bytes.TrimRight(secret, "\x00")
	pass.say(Exact, "", "")
	in.password = secret
	in.fields["auth.type"] = set(`"pass"`, block, typ)
	in.fields["auth.password"] = set("", pass)
}
