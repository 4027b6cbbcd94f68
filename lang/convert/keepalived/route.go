package keepalived

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"hafile/lang/plan"
)

// route is one line of virtual_routes.
type route struct {
	p    plan.Route
	six  bool
	dir  *directive
	dest string // as the result writes it
}

// routing reads virtual_routes and virtual_rules.
func (in *instance) routing(lists []*directive) {
	for _, block := range lists {
		kind := block.key()
		if kind != "virtual_routes" && kind != "virtual_rules" {
			continue
		}
		block.say(Exact, "", "")
		for _, d := range block.body {
			switch {
			case d.kind != isEntry:
				in.m.aside(d)
			case kind == "virtual_routes":
				in.route(d)
			default:
				in.rule(d)
			}
		}
	}
	in.preferences()
}

// words reads a line of words and values, as ip(8) has them.
type line struct {
	d     *directive
	i     int
	notes []string
	err   string
}

func (l *line) more() bool { return l.err == "" && l.i < len(l.d.words) }

func (l *line) word() string {
	w := l.d.arg(l.i)
	l.i++
	return w
}

// value of the word before it.
func (l *line) value(of string) string {
	if l.i >= len(l.d.words) {
		l.fail("%s has no value", of)
		return ""
	}
	return l.word()
}

func (l *line) fail(format string, args ...any) {
	if l.err == "" {
		l.err = fmt.Sprintf(format, args...)
	}
}

func (l *line) lost(format string, args ...any) {
	l.notes = append(l.notes, fmt.Sprintf(format, args...))
}

func (l *line) addr(of string) netip.Addr {
	s := l.value(of)
	if l.err != "" {
		return netip.Addr{}
	}
	s, _, _ = strings.Cut(s, "/")
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		l.fail("%s is no address", short(s))
	}
	return a
}

func (l *line) number(of string, most uint64) uint64 {
	s := l.value(of)
	n, err := strconv.ParseUint(s, 0, 64)
	if l.err == "" && (err != nil || n > most) {
		l.fail("%s is no value for %s", short(s), of)
	}
	return n
}

// tables that every kernel has; the names of others stand in files of the machine.
var tables = map[string]uint64{"default": 253, "main": 254, "local": 255}

func (l *line) table(of string) uint32 {
	s := l.value(of)
	if n, ok := tables[s]; ok {
		return uint32(n)
	}
	n, err := strconv.ParseUint(s, 0, 32)
	if l.err == "" && err != nil {
		l.fail("the name %s of a table is known on the machine only: write its number", short(s))
	}
	return uint32(n)
}

// end is what is said about the line; false: keepalived drops it, or hafile cannot do it.
func (l *line) end(what string) bool {
	if l.err != "" {
		kind, code := NoEffect, "HA4008"
		note := l.err + ": keepalived drops the " + what + "; so does the result"
		if strings.Contains(l.err, "known on the machine") {
			kind, code, note = Unsupported, "HA4012", l.err
		}
		l.d.warn("HA4008", 0, "A "+what+" that is not in the result", "%s.", upper(note))
		l.d.say(kind, code, "%s", note)
		return false
	}
	if len(l.notes) > 0 {
		l.d.say(Changed, "", "%s", strings.Join(l.notes, "; "))
	}
	l.d.say(Exact, "", "")
	return true
}

var routeTypes = map[string]string{
	"unicast": "", "blackhole": "blackhole", "unreachable": "unreachable", "prohibit": "prohibit", "throw": "throw",
}

// lostMetrics are settings of a route that the language has no word for.
var lostMetrics = map[string]bool{
	"advmss": true, "reordering": true, "cwnd": true, "ssthresh": true, "rtt": true, "rttvar": true, "rto_min": true,
	"window": true, "hoplimit": true, "initcwnd": true, "initrwnd": true, "realms": true, "features": true, "quickack": true,
	"congctl": true, "pref": true, "ttl-propagate": true, "fastopen_no_cookie": true, "expires": true, "tos": true, "dsfield": true,
}

func (in *instance) route(d *directive) {
	r := route{dir: d}
	l := &line{d: d}
	known := false
	for l.more() {
		switch w := l.word(); w {
		case "src":
			r.p.Source = l.addr(w)
		case "via", "gw":
			if next := d.arg(l.i); next == "inet" || next == "inet6" {
				l.word()
			}
			r.p.Via = l.addr(w)
		case "or":
			l.addr(w)
			l.lost("without the second way of the old word or: write nexthop")
		case "dev", "oif":
			if r.p.Interface = l.value(w); l.err == "" && !interfaceName(r.p.Interface) {
				l.fail("%s is no name of an interface", short(r.p.Interface))
			}
		case "from":
			p, _, ok := prefix(l.value(w))
			if l.err == "" && !ok {
				l.fail("from is no prefix")
			}
			r.p.From = p.Masked()
		case "table":
			if r.p.Table = l.table(w); r.p.Table == plan.MainTable {
				r.p.Table = 0
			}
		case "vrf":
			l.fail("a VRF is known on the machine only: write its table")
		case "metric", "priority", "preference":
			r.p.Metric = uint32(l.number(w, 4294967295))
		case "scope":
			switch s := l.value(w); s {
			case "link", "253":
				r.p.Scope = "link"
			case "host", "254":
				r.p.Scope = "host"
			case "global", "0":
			default:
				l.lost("without scope %s", short(s))
			}
		case "onlink":
			r.p.OnLink = true
		case "mtu":
			if d.arg(l.i) == "lock" {
				l.word()
				l.lost("its MTU is not locked")
			}
			r.p.MTU = uint32(l.number(w, 65535))
		case "protocol":
			l.value(w)
			l.lost("hafile marks its routes by a protocol of its own")
		case "no_track":
			l.lost("hafile puts back what somebody else deletes")
		case "track_group":
			l.value(w)
		case "add", "append", "prepend":
			if w != "prepend" {
				l.lost("hafile puts its route in the place of an equal one")
			}
		case "encap":
			l.fail("an encapsulation is not in hafile")
			d.say(Unsupported, "HA4012", "an encapsulation is not in hafile")
		case "nexthop":
			in.nexthop(l, &r)
		case "to":
			known = r.to(l, l.value(w))
		case "inet", "inet6":
			l.value(w)
			l.lost("keepalived takes %s and the word after it for nothing", w)
		default:
			switch t, isType := routeTypes[w]; {
			case isType && !known:
				r.p.Type = t
				known = r.to(l, l.value(w))
			case lostMetrics[w]:
				if d.arg(l.i) == "lock" {
					l.word()
				}
				l.value(w)
				l.lost("without %s", w)
			case !known:
				known = r.to(l, w)
			default:
				l.fail("unknown option %q", short(w))
			}
		}
	}
	if !known {
		l.fail("it has no destination")
	}
	in.finishRoute(l, &r)
}

// to reads a destination.
func (r *route) to(l *line, s string) bool {
	if l.err != "" {
		return false
	}
	switch s {
	case "default", "any", "all", "default6":
		r.six = s == "default6"
		r.dest = "default"
		return true
	}
	p, _, ok := prefix(s)
	if !ok {
		l.fail("%s is no destination", short(s))
		return false
	}
	if p != p.Masked() {
		l.lost("written as %s", p.Masked())
	}
	r.p.To, r.six = p.Masked(), p.Addr().Is6()
	r.dest = p.Masked().String()
	return true
}

func (in *instance) nexthop(l *line, r *route) {
	h := plan.NextHop{}
	for l.more() && l.d.arg(l.i) != "nexthop" {
		switch w := l.word(); w {
		case "via":
			if next := l.d.arg(l.i); next == "inet" || next == "inet6" {
				l.word()
			}
			h.Via = l.addr(w)
		case "dev", "oif":
			if h.Interface = l.value(w); l.err == "" && !interfaceName(h.Interface) {
				l.fail("%s is no name of an interface", short(h.Interface))
			}
		case "weight":
			h.Weight = int(l.number(w, 256))
		case "onlink":
			h.OnLink = true
		case "realms":
			l.value(w)
			l.lost("without realms")
		default:
			l.fail("unknown option %q of a nexthop", short(w))
		}
	}
	r.p.NextHops = append(r.p.NextHops, h)
}

// finishRoute settles the family of a default route and what the rule book wants.
func (in *instance) finishRoute(l *line, r *route) {
	all := []netip.Addr{r.p.Via, r.p.Source}
	for _, h := range r.p.NextHops {
		all = append(all, h.Via)
	}
	if r.dest == "default" {
		for _, a := range all {
			r.six = r.six || a.IsValid() && a.Is6()
		}
		r.p.To = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		if r.six {
			r.p.To = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		}
		if r.six != in.six() {
			r.dest = r.p.To.String()
		}
	}
	for _, a := range all {
		if a.IsValid() && a.Is6() != r.six {
			l.fail("it mixes families")
		}
	}
	if r.p.From.IsValid() && !r.six {
		l.fail("only IPv6 routes have a source prefix")
	}
	if len(r.p.NextHops) == 1 {
		h := r.p.NextHops[0]
		r.p.Via, r.p.Interface, r.p.OnLink, r.p.NextHops = h.Via, h.Interface, h.OnLink, nil
	}
	switch direct := r.p.Via.IsValid() || r.p.Interface != ""; {
	case r.p.Type != "":
		r.p.Via, r.p.Interface, r.p.NextHops = netip.Addr{}, "", nil
	case len(r.p.NextHops) > 0 && direct:
		r.p.Via, r.p.Interface = netip.Addr{}, ""
		l.lost("its ways are the nexthops alone")
	case len(r.p.NextHops) == 0 && !direct:
		// ip(8) takes the interface from nowhere either; keepalived's kernel refuses it.
		l.fail("it leads nowhere")
	}
	for _, other := range in.routes {
		if other.p.Key() == r.p.Key() {
			l.fail("line %d has it already", other.dir.n)
		}
	}
	if l.end("route") {
		in.routes = append(in.routes, *r)
	}
}
