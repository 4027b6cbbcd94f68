package keepalived

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"hafile/lang/diag"
	"hafile/lang/plan"
)

// peer is one address of unicast_peer.
type peer struct {
	addr netip.Addr
	dir  *directive
}

// unicast reads the peers. Without any, keepalived sends multicast.
func (in *instance) unicast(lists []*directive) {
	lo, hi, uneven := int64(0), int64(255), false
	var limited *directive
	for _, block := range lists {
		if block.key() != "unicast_peer" {
			continue
		}
		block.say(Exact, "", "")
		for _, d := range block.body {
			if d.kind != isEntry {
				in.m.aside(d)
				continue
			}
			first := len(in.peers) == 0
			a, b, ok := in.peer(d)
			switch {
			case !ok:
				continue
			case a == 0 && b == 255:
			case limited == nil:
				limited = d
			}
			uneven = uneven || !first && (a != lo || b != hi)
			if first {
				lo, hi = a, b
			} else {
				lo, hi = min(lo, a), max(hi, b)
			}
		}
		if len(in.peers) == 0 {
			block.said = nil
			block.say(NoEffect, "HA4008", "without peers keepalived sends multicast; so does the result")
		}
	}
	in.unicastWords()
	if len(in.peers) == 0 {
		return
	}
	in.p.Transport = plan.Unicast
	dirs := []*directive{}
	for _, p := range in.peers {
		dirs = append(dirs, p.dir.parent, p.dir)
	}
	in.fields["transport"] = set(`"unicast"`, dirs...)
	if limited != nil {
		in.p.MinTTL, in.p.MaxTTL = uint8(lo), uint8(hi)
		if lo != 0 {
			in.fields["min_ttl"] = set(fmt.Sprint(lo), limited)
		}
		if hi != 255 {
			in.fields["max_ttl"] = set(fmt.Sprint(hi), limited)
		}
		if uneven {
			for _, p := range in.peers {
				p.dir.said = &verdict{Changed, "HA4012", fmt.Sprintf("the limits of the TTL hold for all peers: %d to %d", lo, hi)}
			}
		}
	}
	if d := in.slots["unicast_ttl"]; d != nil {
		n, clean, ok := number(d.arg(1))
		switch {
		case !ok || n < 0 || n > 255:
			d.badNumber("a number from 0 to 255", "255")
		case n == 0:
			d.say(Changed, "HA4008", "an advert with TTL 0 goes nowhere: the result sends 255")
		default:
			if !clean {
				d.say(Changed, "HA4008", "keepalived reads %d; so does the result", n)
			}
			in.p.TTL = uint8(n)
			in.standard("ttl", d, fmt.Sprint(n), "255")
		}
	}
}

// peer reads one entry: ADDRESS [min_ttl N] [max_ttl N].
func (in *instance) peer(d *directive) (lo, hi int64, ok bool) {
	a, ignored, err := host(d.arg(0))
	switch {
	case err != nil && conflict(d.arg(0)):
		d.conflict()
		return 0, 0, false
	case err != nil || a.Zone() != "" || a.Is6() != in.six():
		d.warn("HA4008", 0, "A peer that is none", "%s is no address of the instance's family; keepalived drops the line, and so does the result. Correct it if this is a template.", short(d.arg(0)))
		d.say(NoEffect, "HA4008", "no address of the family: keepalived drops it; so does the result")
		return 0, 0, false
	case a == in.source:
		d.say(Changed, "HA4008", "its own address: keepalived sends to itself, and the result does not")
		return 0, 0, false
	case slices.ContainsFunc(in.peers, func(p peer) bool { return p.addr == a }):
		d.say(NoEffect, "HA4008", "it stands there twice")
		return 0, 0, false
	}
	if ignored {
		d.say(Changed, "HA4008", "keepalived ignores the prefix; so does the result")
	}
	lo, hi = 0, 255
	for i := 1; i < len(d.words); i += 2 {
		n, _, isNumber := number(d.arg(i + 1))
		switch w := d.arg(i); {
		case w != "min_ttl" && w != "max_ttl":
			d.say(Changed, "HA4008", "keepalived ignores %s; so does the result", short(w))
		case !isNumber || n < 0 || n > 255:
			d.say(Changed, "HA4008", "%s is not 0 to 255: keepalived ignores it; so does the result", w)
		case w == "min_ttl":
			lo = n
		default:
			hi = n
		}
	}
	if lo > hi {
		d.warn("HA4008", 0, "A peer that is never heard", "min_ttl is above max_ttl, so that keepalived drops every advert of %s. The result takes them all.", a)
		d.said = &verdict{Changed, "HA4008", "min_ttl above max_ttl: keepalived drops everything, the result nothing"}
		lo, hi = 0, 255
	}
	d.say(Exact, "", "")
	in.peers = append(in.peers, peer{a, d})
	return lo, hi, true
}

// unicastWords judges what goes with unicast.
func (in *instance) unicastWords() {
	multi := len(in.peers) == 0
	say := func(key string, kind Kind, code, note string) {
		if d := in.slots[key]; d != nil {
			d.say(kind, code, "%s", note)
		}
	}
	if multi {
		for _, key := range []string{"unicast_ttl", "check_unicast_src", "old_unicast_checksum"} {
			say(key, NoEffect, "HA4008", "without peers keepalived sends multicast; so does the result")
		}
		if d := in.slots["unicast_fault_no_peer"]; d != nil {
			in.block(d, "it has no peer and unicast_fault_no_peer, with which keepalived never runs it")
		}
		say("vrf", NoEffect, "", "is for unicast without interface")
		return
	}
	say("unicast_fault_no_peer", NoEffect, "", "there are peers")
	say("check_unicast_src", Exact, "", "hafile always does")
	if d := in.m.global.srcCheck; d != nil {
		d.say(Exact, "", "hafile always does")
	}
	if d := in.slots["old_unicast_checksum"]; d != nil {
		switch {
		case in.p.Version == 2 || in.six() || d.arg(1) == "never":
			d.say(NoEffect, "", "it is for version 3 over IPv4 with keepalived 1.3.6 and older")
		default:
			d.say(Unsupported, "HA4012", "hafile does not speak the checksum of keepalived 1.3.6 and older")
		}
	}
	say("vrf", NoEffect, "", "keepalived clears it where there is an interface")
}

// own is the address of a family that the machine's adverts come from, if it has one for
// all of them: the node's address in the result gives it to instances without source.
func (m *machine) own(six bool) netip.Addr {
	var found netip.Addr
	for _, in := range m.instances {
		if in.why != "" || in.six() != six || six && len(in.peers) == 0 && !in.source.IsValid() {
			continue // IPv6 multicast comes from the link-local address, whatever the node's is
		}
		if !in.source.IsValid() {
			return netip.Addr{}
		}
		if !found.IsValid() {
			found = in.source
		}
	}
	return found
}

// placeNodes settles the addresses of all nodes, and makes nodes of peers whose files
// were not given.
func (e *emitter) placeNodes() {
	e.infer()
	for _, m := range e.machines {
		m.address, m.address6 = m.own(false), m.own(true)
	}
	for i, m := range e.machines {
		for _, other := range e.machines[:i] {
			if m.address == other.address && m.address.IsValid() || m.address6 == other.address6 && m.address6.IsValid() {
				m.address, m.address6 = netip.Addr{}, netip.Addr{} // reported by clones
			}
		}
	}
	for _, g := range e.groups {
		if len(g.members[0].peers) > 0 {
			e.standIns(g)
		}
	}
	for _, m := range e.machines {
		// One file that stands for both sides of a pair has the peer's address as its own.
		if slices.ContainsFunc(e.standins, func(s *standIn) bool { return slices.Contains(s.addrs, m.address) }) {
			m.address = netip.Addr{}
		}
		if slices.ContainsFunc(e.standins, func(s *standIn) bool { return slices.Contains(s.addrs, m.address6) }) {
			m.address6 = netip.Addr{}
		}
	}
}

// infer finds the source address of a machine that does not say it in the lists of the
// others: the one that all of them name and that nobody else has.
func (e *emitter) infer() {
	for _, g := range e.groups {
		for _, in := range g.members {
			if in.source.IsValid() || len(in.peers) == 0 || len(g.members) < 2 {
				continue
			}
			var found []netip.Addr
			for _, a := range g.named() {
				if !slices.ContainsFunc(g.members, func(o *instance) bool { return o.source == a }) &&
					!in.hasPeer(a) && !slices.ContainsFunc(g.members, func(o *instance) bool { return o != in && !o.hasPeer(a) }) {
					found = append(found, a)
				}
			}
			if len(found) == 1 {
				in.source, in.p.SourceAddress = found[0], found[0]
				in.fields["source_address"] = set(quote(found[0].String()))
			}
		}
	}
}

func (in *instance) hasPeer(a netip.Addr) bool {
	return slices.ContainsFunc(in.peers, func(p peer) bool { return p.addr == a })
}

// named are the peers of all members, each once.
func (g *group) named() []netip.Addr {
	var out []netip.Addr
	for _, in := range g.members {
		for _, p := range in.peers {
			if !slices.Contains(out, p.addr) {
				out = append(out, p.addr)
			}
		}
	}
	return out
}

// standIn is a node whose file was not given: only the address of a peer is known.
type standIn struct {
	label string
	addrs []netip.Addr // the first of each family is the node's
	dirs  []*directive
	// other: a member whose own address is not known sends there, so that the result says
	// that hafile does not run on it.
	other bool
}

// at is where one of them has an instance's peer address; not valid: the instance speaks
// multicast.
type standInAt struct {
	*standIn
	addr netip.Addr
	// priority is written where a sync group needs one order for all its instances: below
	// the others, because nothing is known of it. 0: the default.
	priority int64
}

// address of the node for a family.
func (s *standIn) address(six bool) netip.Addr {
	for _, a := range s.addrs {
		if a.Is6() == six {
			return a
		}
	}
	return netip.Addr{}
}

// joinStandIns makes the peers of a sync group's instances the same machines: its
// instances move together, so that the peer of one is the peer of the others.
func (e *emitter) joinStandIns() {
	for _, sync := range e.sync {
		var first *group
		for _, g := range sync.refs {
			if len(g.standins) > 0 && (first == nil || len(g.standins) > len(first.standins)) {
				first = g
			}
		}
		if first == nil {
			continue
		}
		defer func(sync *mergedGroup) {
			for _, g := range sync.refs {
				for i := range g.standins {
					g.standins[i].priority = max(g.lowest()-1-int64(i), 1)
				}
			}
		}(sync)
		for _, g := range sync.refs {
			switch {
			case g == first:
			case len(g.members[0].peers) == 0:
				for _, s := range first.standins {
					g.standins = append(g.standins, standInAt{standIn: s.standIn})
				}
			case len(g.standins) != len(first.standins):
				sync.uneven = true
			default:
				for i := range g.standins {
					e.join(first.standins[i].standIn, g.standins[i].standIn)
				}
			}
		}
	}
}

// lowest is the lowest priority of the members.
func (g *group) lowest() int64 {
	n := int64(255)
	for _, in := range g.members {
		n = min(n, in.priority)
	}
	return n
}

// join makes two stand-ins one machine.
func (e *emitter) join(a, b *standIn) {
	if a == b {
		return
	}
	a.addrs, a.dirs, a.other = append(a.addrs, b.addrs...), append(a.dirs, b.dirs...), a.other || b.other
	for _, g := range e.groups {
		for i := range g.standins {
			if g.standins[i].standIn == b {
				g.standins[i].standIn = a
			}
		}
	}
	e.standins = slices.DeleteFunc(e.standins, func(s *standIn) bool { return s == b })
}

// standIns adds the peers of a group that are no member of it.
func (e *emitter) standIns(g *group) {
	for _, a := range g.named() {
		if i := slices.IndexFunc(g.members, func(in *instance) bool { return in.source == a }); i >= 0 {
			continue
		}
		i := slices.IndexFunc(e.standins, func(s *standIn) bool { return slices.Contains(s.addrs, a) })
		if i < 0 {
			e.standins = append(e.standins, &standIn{label: unique(e.nodeLabels, "peer_"+cleaned(a.String())), addrs: []netip.Addr{a}})
			i = len(e.standins) - 1
		}
		g.standins = append(g.standins, standInAt{standIn: e.standins[i], addr: a})
		if slices.ContainsFunc(g.members, func(in *instance) bool { return !in.source.IsValid() && !in.m.own(in.six()).IsValid() }) {
			e.standins[i].other = true
		}
		for _, in := range g.members {
			for _, p := range in.peers {
				if p.addr != a {
					continue
				}
				e.standins[i].dirs = append(e.standins[i].dirs, p.dir)
			}
		}
	}
	for _, in := range g.members {
		e.asymmetric(g, in)
		if len(g.members) > 1 && !in.source.IsValid() && !in.m.own(in.six()).IsValid() {
			in.dir.src.report(diag.Error, "HA4020", in.dir.where(), fmt.Sprintf("The address of %s is not known", in.m.label),
				fmt.Sprintf("The other members of %q send their adverts there, and neither its own file nor their lists of peers tell which it is. Write unicast_src_ip into the file of %s and convert again.", in.name, in.m.label))
		}
	}
}

// strangers reports the peers whose files were not given.
func (e *emitter) strangers() {
	for _, s := range e.standins {
		var addrs []string
		for _, a := range s.addrs {
			addrs = append(addrs, a.String())
		}
		s.dirs[0].warn("HA4019", 0, fmt.Sprintf("The file of the peer %s is not among these", strings.Join(addrs, ", ")),
			"The result has a node %q with nothing but its address. Convert its keepalived.conf together with this one, or write its name, its priority and its host names yourself.", s.label)
	}
}

// asymmetric reports a member that another one does not list: in the result, members hear
// each other.
func (e *emitter) asymmetric(g *group, in *instance) {
	for _, other := range g.members {
		if other == in || !other.source.IsValid() || in.hasPeer(other.source) {
			continue
		}
		at := in.dir
		if len(in.peers) > 0 {
			at = in.peers[0].dir.parent
		}
		at.warn("HA4010", 0, fmt.Sprintf("%s does not list %s as a peer", in.m.label, other.m.label),
			"Its adverts do not reach %s (%s), which may become master beside it. In the result all members of an instance hear each other.", other.m.label, other.source)
		if at.said == nil || at.said.kind == Exact {
			at.said = &verdict{Changed, "HA4010", fmt.Sprintf("in the result %s is a peer too", other.m.label)}
		}
	}
}

// cleaned makes letters, digits and _ of an address.
func cleaned(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c == '.' || c == ':' {
			b[i] = '_'
		}
	}
	return string(b)
}
