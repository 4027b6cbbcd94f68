package keepalived

import (
	"fmt"
	"strconv"
	"strings"

	"hafile/lang/plan"
)

// rule is one line of virtual_rules.
type rule struct {
	p     plan.Rule
	six   bool
	dir   *directive
	given bool // its preference was written
}

// lostRule are conditions that the language has no word for: a rule without them would
// catch other packets.
var lostRule = map[string]int{
	"tos": 1, "dsfield": 1, "realms": 1, "suppress_ifgroup": 1, "sup_group": 1, "tunnel-id": 1, "uidrange": 1, "l3mdev": 0,
	"ipproto": 1, "sport": 1, "dport": 1, "goto": 1, "nop": 0,
}

func (in *instance) rule(d *directive) {
	r := rule{dir: d}
	l := &line{d: d}
	missing := ""
	prefixOf := func(w string) (p plan.Rule) {
		s := l.value(w)
		if s == "all" || s == "any" || s == "default" {
			return p
		}
		x, _, ok := prefix(s)
		if l.err == "" && !ok {
			l.fail("invalid %s address %s", w, short(s))
			return p
		}
		r.six = r.six || x.Addr().Is6()
		if x.IsValid() && x != x.Masked() {
			l.lost("written as %s", x.Masked())
		}
		p.From = x.Masked()
		return p
	}
	for l.more() {
		switch w := l.word(); w {
		case "from":
			r.p.From = prefixOf(w).From
		case "to":
			r.p.To = prefixOf(w).From
		case "not":
			r.p.Not = true
		case "table", "lookup":
			r.p.Table = l.table(w)
		case "preference", "order", "priority":
			r.p.Priority, r.given = uint32(l.number(w, 4294967295)), true
		case "fwmark":
			mark, mask, masked := strings.Cut(l.value(w), "/")
			n, err := strconv.ParseUint(mark, 0, 32)
			m, err2 := strconv.ParseUint(mask, 0, 32)
			if l.err == "" && (err != nil || masked && err2 != nil) {
				l.fail("invalid fwmark")
			}
			r.p.Mark = uint32(n)
			if masked {
				r.p.Mask = uint32(m)
			}
		case "suppress_prefixlength", "sup_pl":
			n := int(l.number(w, 128))
			r.p.SuppressPrefix = &n
		case "dev", "iif":
			r.p.IIF = l.value(w)
		case "oif":
			r.p.OIF = l.value(w)
		case "blackhole", "unreachable", "prohibit":
			r.p.Action = w
		case "type", "no_track":
		case "protocol":
			l.value(w)
			l.lost("hafile marks its rules by a protocol of its own")
		case "track_group":
			l.value(w)
		case "inet", "inet6":
			l.value(w)
			l.lost("keepalived takes %s and the word after it for nothing", w)
		default:
			values, known := lostRule[w]
			if !known {
				l.fail("unknown option %q", short(w))
				break
			}
			missing = w
			for range values {
				l.value(w)
			}
		}
	}
	if missing != "" && l.err == "" {
		d.warn("HA4012", 0, "A rule that is not in the result", "hafile has no word for %s, and a rule without it would catch other packets. Put the rule into a notify script.", missing)
		d.say(Unsupported, "HA4012", "hafile has no word for %s: without it the rule would catch other packets", missing)
		return
	}
	for _, name := range []string{r.p.IIF, r.p.OIF} {
		if name != "" && !interfaceName(name) {
			l.fail("%s is no name of an interface", short(name))
		}
	}
	switch {
	case r.p.Action != "" && r.p.Table != 0:
		l.fail("it has two actions")
	case r.p.Action == "" && r.p.Table == 0:
		l.fail("it has no action")
	case r.p.From.IsValid() && r.p.To.IsValid() && r.p.From.Addr().Is6() != r.p.To.Addr().Is6():
		l.fail("it mixes families")
	case r.given && r.p.Priority == 0:
		l.fail("preference 0 is the kernel's own")
	}
	if l.end("rule") {
		in.rules = append(in.rules, r)
	}
}

// preferences gives numbers to rules without one, as keepalived does: counting down from
// 16384 for each family over the whole file.
func (in *instance) preferences() {
	next := map[bool]uint32{false: 16384, true: 16384}
	for _, other := range in.m.instances {
		if other == in {
			break
		}
		for _, r := range other.rules {
			if !r.given {
				next[r.six]--
			}
		}
	}
	for i := range in.rules {
		r := &in.rules[i]
		if r.given {
			continue
		}
		r.p.Priority = next[r.six]
		next[r.six]--
		r.dir.said = &verdict{Changed, "HA4008", fmt.Sprintf("keepalived chooses the preference %d; so does the result, and keeps it", r.p.Priority)}
	}
	seen := map[string]bool{}
	kept := in.rules[:0]
	for _, r := range in.rules {
		if seen[r.p.Key()] {
			r.dir.said = &verdict{NoEffect, "HA4008", "it stands there twice"}
			continue
		}
		seen[r.p.Key()] = true
		kept = append(kept, r)
	}
	in.rules = kept
}
