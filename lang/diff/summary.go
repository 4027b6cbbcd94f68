package diff

import (
	"net/netip"
	"slices"
	"strings"
)

func summarize(changes []Change) Summary {
	s := Summary{Worst: None}
	for i := range changes {
		c := &changes[i]
		s.count(c)
		s.Worst = worseClass(s.Worst, c.Impact.Class)
	}
	for _, class := range PerVIP(changes) {
		s.VIPs.add(class)
	}
	return s
}

// PerVIP is the worst that happens to each address; those that nothing happens to are
// left out.
func PerVIP(changes []Change) map[netip.Prefix]Class {
	vips := map[netip.Prefix]Class{}
	for i := range changes {
		c := &changes[i]
		note(vips, &c.Impact)
		for k := range c.Fields {
			note(vips, c.Fields[k].Impact)
		}
	}
	return vips
}

func (s *Summary) count(c *Change) {
	switch c.Action {
	case Add:
		s.Add++
		return
	case Remove:
		s.Remove++
		return
	case Rename:
		s.Rename++
	}
	own, vips := 0, []string{}
	for i := range c.Fields {
		switch f := &c.Fields[i]; {
		case f.Path == pathVIP && f.Added():
			s.Add++
			vips = append(vips, pathVIP+"["+string(f.After)+"].")
		case f.Path == pathVIP && f.Removed():
			s.Remove++
			vips = append(vips, pathVIP+"["+string(f.Before)+"].")
		case !slices.ContainsFunc(vips, func(v string) bool { return strings.HasPrefix(f.Path, v) }):
			own++
		}
	}
	if c.Action == Update && own > 0 {
		s.Change++
	}
}

// note keeps the worst that happens to each VIP.
func note(vips map[netip.Prefix]Class, i *Impact) {
	if i == nil || i.Class == None {
		return
	}
	for _, v := range i.VIPs {
		vips[v] = worseClass(vips[v], i.Class)
	}
}

func worseClass(a, b Class) Class {
	if b.Rank() > a.Rank() {
		return b
	}
	return a
}

func (n *VIPCount) add(c Class) {
	switch c {
	case Stays:
		n.Stays++
	case Gains:
		n.Gains++
	case Weakens:
		n.Weakens++
	case Moves:
		n.Moves++
	case Outage:
		n.Outage++
	case Drops:
		n.Drops++
	}
}

// union keeps the order of a and adds what is only in b.
func union(a, b []netip.Prefix) []netip.Prefix {
	for _, v := range b {
		if !slices.Contains(a, v) {
			a = append(slices.Clip(a), v)
		}
	}
	return a
}
