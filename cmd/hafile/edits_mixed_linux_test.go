package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"hafile/lang/diff"
	"hafile/runtime/lab/netns"
)

var editsMixed = flag.Int("edits.mixed", 0, "how many random edits TestEditsOfAMixedPair makes; 0: a few")

// TestEditsOfAMixedPair edits a pair of which b runs keepalived, and holds what hafile
// plan said of each address on a against what then happened to it. b is given its file
// where the plan says that the members must make the change together, and only after
// those that are deaf to one another have had the time to find that out.
//
//	go test ./cmd/hafile -run TestEditsOfAMixedPair -edits.mixed 100 -timeout 1h -v
func TestEditsOfAMixedPair(t *testing.T) {
	netns.Needs(t, "keepalived", "keepalived")
	start := newEstate()
	start.mixed = true
	s := &editor{r: rand.New(rand.NewPCG(*editsSeed, 1)), estate: start}
	n := *editsMixed
	if n == 0 {
		s.queue = ofNames("`priority`", "VIP to an instance later in the file", "script added, and tracked", "VRIDs of two instances swapped", "`router_id`")
		n = len(s.queue)
	}
	p := newPair(t, start, "mixed", 5*time.Millisecond, "b")
	foretold := map[string]*foretelling{}
	for range n {
		before := s.estate
		k := s.next()
		if k.name == "`checksum`" {
			s.estate = before // keepalived knows one form of it
			continue
		}
		if foretold[k.name] == nil {
			foretold[k.name] = &foretelling{}
		}
		p.makeMixed(k, before, s.estate, foretold[k.name])
		if t.Failed() {
			t.Fatalf("%q:\n%s", k.name, difference(before, s.estate))
		}
	}
	t.Logf("the client stood still for %s\n%s", p.l.StoodStill().Round(time.Millisecond), foretoldTable(foretold))
}

func ofNames(names ...string) []kind {
	var out []kind
	for _, name := range names {
		i := slices.IndexFunc(kinds(), func(k kind) bool { return k.name == name })
		out = append(out, kinds()[i])
	}
	return out
}

// foretelling is what plans said of a kind of edit, and what happened.
type foretelling struct {
	edits, pairwise            int
	predicted, alone, together int // the worst rank: before b was edited, and after
}

func (p *pair) makeMixed(k *kind, before, after *estate, f *foretelling) {
	p.want(before)
	p.l.SeenOf()
	began := time.Now()
	interval, down := pace(before, after)
	p.write(after)
	changes, err := p.edit(after, "a")
	if err != nil {
		p.t.Errorf("%s: %v", k.name, err)
		return
	}
	pairwise := needsBoth(changes)
	if pairwise {
		time.Sleep(down)
	}
	time.Sleep(interval + patience)
	var v verdict
	p.measure(&v, before, after, began)
	f.edits, f.predicted = f.edits+1, max(f.predicted, worst(changes))
	f.alone = max(f.alone, p.foretold(k, "a alone", changes, &v, func(netip.Addr) bool { return true }))
	if !pairwise {
		return
	}
	f.pairwise++
	began = time.Now()
	if _, err := p.edit(after, "b"); err != nil {
		p.t.Errorf("%s: %v", k.name, err)
		return
	}
	p.retire(after, interval)
	time.Sleep(patience)
	p.measure(&v, before, after, began)
	// What keepalived does to addresses that it holds is no matter of a's plan.
	is := after.whereabouts()
	f.together = max(f.together, p.foretold(k, "both", changes, &v, func(vip netip.Addr) bool { return is[vip].node == "a" }))
	if p.homes(after, 8*time.Second) != nil {
		p.restart(after)
	}
}

// needsBoth reports whether the members must make a change together.
func needsBoth(changes []diff.Change) bool {
	both := func(i *diff.Impact) bool { return i != nil && (i.Pairwise || i.Retire) }
	return slices.ContainsFunc(changes, func(c diff.Change) bool {
		return both(&c.Impact) || slices.ContainsFunc(c.Fields, func(f diff.Field) bool { return both(f.Impact) })
	})
}

// foretold holds what happened against the plan, address by address, and returns the rank
// of the worst.
func (p *pair) foretold(k *kind, when string, changes []diff.Change, v *verdict, of func(netip.Addr) bool) int {
	said, rank := diff.PerVIP(changes), 0
	for vip, is := range v.happened {
		if !of(vip) {
			continue
		}
		rank = max(rank, is.Rank())
		promise := said[netip.PrefixFrom(vip, 32)]
		if is != diff.None && is.Rank() > promise.Rank() {
			p.t.Errorf("%s, %s: %s %s, predicted %q; held by %v", k.name, when, vip, is, promise, p.l.Owners(vip))
		}
	}
	return rank
}

func foretoldTable(all map[string]*foretelling) string {
	var b strings.Builder
	b.WriteString("| edit | times | for both | predicted at worst | happened with a alone | happened with both |\n|---|---|---|---|---|---|\n")
	for _, k := range kinds() {
		if f := all[k.name]; f != nil {
			fmt.Fprintf(&b, "| %s | %d | %d | %s | %s | %s |\n", k.name, f.edits, f.pairwise,
				diff.Classes[f.predicted], diff.Classes[f.alone], diff.Classes[f.together])
		}
	}
	return b.String()
}
