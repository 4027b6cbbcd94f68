package runtime

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"hafile/lang/diff"
	"hafile/lang/plan"
	"hafile/runtime/control"
	"hafile/runtime/node"
)

// holding is what a node has to do with one VIP at a moment.
type holding struct {
	here   bool // it answers for it
	steady bool // its router has made no change of role meanwhile
	other  bool // somebody else was heard to answer for it
}

// changes counts those of role that each router has ever made.
type changes map[plan.WireKey]uint64

func changesOf(snap *node.Snapshot) changes {
	out := changes{}
	for i := range snap.Instances {
		in := &snap.Instances[i]
		for _, k := range append(in.Former, in.Key) {
			out[k] = in.Counters.Changes
		}
	}
	return out
}

// follow knows a router by its new identity, too, while it has the old one beside it.
func (c changes) follow(snap *node.Snapshot) {
	for i := range snap.Instances {
		in := &snap.Instances[i]
		for _, k := range in.Former {
			if n, known := c[k]; known {
				c[in.Key] = n
			}
		}
	}
}

func holdings(snap *node.Snapshot, since changes) map[netip.Prefix]holding {
	out := map[netip.Prefix]holding{}
	for i := range snap.Instances {
		in := &snap.Instances[i]
		for _, a := range in.Addresses {
			h := out[a.Single()]
			if in.Leaving && h != (holding{}) {
				continue
			}
			h.here = h.here || in.Claimed && a.Present
			for _, k := range append(in.Former, in.Key) {
				n, known := since[k]
				h.steady = h.steady || known && n == in.Counters.Changes
			}
			for _, p := range in.Peers {
				h.other = h.other || p.Priority > 0 && snap.Now.Sub(p.At) < 3*in.Silence
			}
			out[a.Single()] = h
		}
	}
	return out
}

// happened is the class of what a VIP went through, as far as this node can see it.
func happened(before, after holding) diff.Class {
	switch {
	case before.here && after.here && after.steady:
		return diff.Stays
	case before.here && after.here: // it was given away, or lost, and came back
		return diff.Outage
	case before.here && after.other:
		return diff.Moves
	case before.here:
		return diff.Drops
	case after.here && before.other:
		return diff.Moves
	case after.here:
		return diff.Gains
	}
	return diff.None
}

// observe compares what was predicted with what has happened, and counts. A plan is
// wrong when an address went through worse than it says; less is luck.
func (t *transaction) observe(old *node.Snapshot) {
	snap := t.d.engine.Snapshot()
	before, after, said := holdings(old, t.since), holdings(&snap, t.since), diff.PerVIP(t.changes)
	var wrong []string
	for v, h := range after {
		promise, is := said[v], happened(before[v], h)
		if promise == "" {
			promise = diff.None
		}
		if is == diff.Stays || is.Rank() <= promise.Rank() || t.ofCheck(v) {
			continue
		}
		wrong = append(wrong, fmt.Sprintf("%s %s, predicted %s", v.Addr(), is, promise))
	}
	slices.Sort(wrong)
	t.surprise = strings.Join(wrong, ", ")
	t.d.predictions.count(len(after), t.surprise, len(wrong))
	if t.surprise != "" {
		t.d.log.Warn("the plan predicted less than has happened", "serial", t.d.running.Load().status.Serial, "what", t.surprise)
	}
}

// ofCheck: the state of a check may have changed meanwhile, which no plan can know. The
// address then follows its check and not the plan.
func (t *transaction) ofCheck(v netip.Prefix) bool {
	return slices.ContainsFunc(t.req.Plan.Desired.Instances, func(in plan.Instance) bool {
		has := slices.ContainsFunc(in.VIPs, func(x plan.VIP) bool { return x.Address == v })
		return has && t.checksMoved(&in)
	})
}

func (t *transaction) checksMoved(in *plan.Instance) bool {
	now := states(t.d.checks())
	return slices.ContainsFunc(t.req.Plan.Desired.Tracks(in), func(tr plan.Track) bool {
		was, known := t.present.Checks[tr.Check]
		return !known || was != now[tr.Check]
	})
}

// predictions are counted by applies and read by whoever asks for the status.
type predictions struct {
	mu  sync.Mutex
	all control.Predictions
}

func (p *predictions) count(vips int, surprise string, wrong int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all.Applied++
	p.all.VIPs += uint64(vips)
	p.all.Mispredicted += uint64(wrong)
	if surprise != "" {
		p.all.Last = surprise
	}
}

func (p *predictions) get() control.Predictions {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all
}
