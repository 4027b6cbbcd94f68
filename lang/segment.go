package lang

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"hafile/lang/diag"
	"hafile/lang/plan"
)

// oneVRID is HA1201: one virtual router per VRID, family and segment. Instances meet by
// what is written of their segment: a shared member and interface, else `segment`, else
// prefixes. Where nothing tells, nothing is judged. Each instance is looked up by what it
// is on, so that a fleet ten times as large takes ten times as long.
func (c *compiler) oneVRID() {
	s := segments{c: c, index: map[segmentKey]int{}, lengths: map[int]bool{}, told: map[[2]int]bool{}}
	for i, in := range c.instances {
		s.enter(i, in)
	}
	for i, in := range c.instances {
		s.judge(i, in)
	}
}

// segmentKey is one way to be on a segment with a VRID.
type segmentKey struct {
	vrid   uint8
	family plan.Family
	group  netip.Addr // another multicast group is another world
	source netip.Addr // and so are adverts from another address, where they are sent one by one
	on     any        // port, name or prefix
}

type (
	port struct{ node, netns, iface string }
	name string
)

// segments finds the first instance of each key; one is enough to be told.
type segments struct {
	c       *compiler
	index   map[segmentKey]int
	lengths map[int]bool // of prefixes that are known
	told    map[[2]int]bool
}

func key(in *instance, on any) segmentKey {
	p := &in.members[0].plan
	k := segmentKey{vrid: p.VRID, family: p.Family, group: p.MulticastGroup, on: on}
	if p.Transport == plan.Unicast {
		k.source = p.SourceAddress
	}
	return k
}

func (s *segments) enter(i int, in *instance) {
	put := func(on any) {
		k := key(in, on)
		if _, taken := s.index[k]; !taken {
			s.index[k] = i
		}
	}
	for _, m := range in.members {
		put(port{m.name, m.plan.Netns, m.plan.Interface})
	}
	if in.members[0].segment != "" {
		put(name(in.members[0].segment))
	}
	for _, p := range s.c.prefixes(in) {
		s.lengths[p.Bits()] = true
		put(p)
	}
}

func (s *segments) judge(i int, in *instance) {
	for _, m := range in.members {
		s.meet(i, port{m.name, m.plan.Netns, m.plan.Interface}, fmt.Sprintf("Both run on %s of %s.", m.plan.Interface, m.name))
	}
	own := in.members[0].segment
	if own != "" {
		s.meet(i, name(own), fmt.Sprintf("Both are on segment %q.", own))
	}
	for _, p := range s.c.prefixes(in) {
		for bits := p.Bits(); bits >= 0; bits-- {
			if !s.lengths[bits] {
				continue
			}
			if wide, err := p.Addr().Prefix(bits); err == nil {
				s.meet(i, wide, fmt.Sprintf("%s and %s are one network.", wide, p))
			}
		}
	}
}

// meet tells of the first instance that is there too.
func (s *segments) meet(i int, on any, why string) {
	in := s.c.instances[i]
	k, found := s.index[key(in, on)]
	if !found || k == i {
		return
	}
	first, second := min(i, k), max(i, k)
	if s.told[[2]int{first, second}] {
		return
	}
	a, b := s.c.instances[first], s.c.instances[second]
	x, y := a.members[0].segment, b.members[0].segment
	_, shared := on.(port)
	if !shared && x != "" && y != "" && x != y || apart(a, b) {
		return
	}
	s.told[[2]int{first, second}] = true
	at, cure := b.members[0].at("router_id"), "Give one of them another router_id"
	if n := len(b.obj.Via); n > 0 && strings.HasPrefix(at.Filename, "hafile/") {
		at, cure = b.obj.Via[n-1], "Write another router_id in one of them, here in the call" // the module is not for its caller to edit
	}
	s.c.report(diag.Error, "HA1201", at, b.obj.Addr,
		fmt.Sprintf("VRID %d is taken by %s on the same segment", b.members[0].plan.VRID, a.obj.Addr),
		fmt.Sprintf("%s Each would take the other's adverts for its own. %s, or say segment = \"...\" in both if they are apart.", why, cure),
		diag.Related{Range: a.members[0].at("router_id"), Message: string(a.obj.Addr) + " has it here"})
}

// apart: unicast adverts go to peers and nobody else, so that two instances without a
// common address do not hear each other.
func apart(a, b *instance) bool {
	if a.members[0].plan.Transport != plan.Unicast || b.members[0].plan.Transport != plan.Unicast {
		return false
	}
	for _, m := range a.members {
		if slices.ContainsFunc(b.members, func(o member) bool { return o.plan.SourceAddress == m.plan.SourceAddress }) {
			return false
		}
	}
	return true
}

// prefixes are the networks that an instance is known to be on.
func (c *compiler) prefixes(in *instance) []netip.Prefix {
	var out []netip.Prefix
	add := func(p netip.Prefix) {
		if p.IsValid() && p.Bits() < p.Addr().BitLen() && !p.Addr().IsLinkLocalUnicast() && !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	for i := range in.members {
		_, p := c.nodes[in.members[i].name].of(in.members[i].plan.Family)
		add(p)
	}
	for k, v := range in.members[0].vips {
		if !in.members[0].plan.VIPs[k].Unadvertised {
			add(v.Prefix)
		}
	}
	return out
}
