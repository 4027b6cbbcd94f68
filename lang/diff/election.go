package diff

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"hafile/lang/plan"
)

// stand is how this node stands for election with one of the two plans.
type stand struct {
	effective uint8
	// hoped is what it will be when checks that have not answered yet succeed.
	hoped     uint8
	failed    bool
	preempt   bool
	rival     plan.Member
	contested bool // there is a rival
	best      uint8
	// least is the lowest that the rival is while it may still have the plan before.
	least uint8
}

func (e *edit) stand(in *plan.Instance) stand {
	s := stand{preempt: in.Preempt}
	fails := e.matesFail(in)
	in = e.with(in)
	s.effective, _, s.failed = plan.Effective(in.Priority, in.Track, e.state)
	hoped, _, _ := plan.Effective(in.Priority, in.Track, func(a plan.Addr) plan.CheckState {
		if s := e.state(a); s != plan.CheckUnknown {
			return s
		}
		return plan.CheckUp
	})
	s.hoped = max(s.effective, hoped)
	s.failed = s.failed || fails
	s.rival, s.contested = highest(in, e.differ.after.Node)
	if s.contested {
		s.best = best(in, s.rival)
		s.least = s.best
	}
	return s
}

// stands is how this node stands before and after. The others have the plan before until
// they have this one: whoever measures itself against them does so by the worse of both.
func (e *edit) stands() (b, a stand) {
	b, a = e.stand(e.before), e.stand(e.after)
	if b.contested {
		a.least = min(a.least, b.best)
	}
	return b, a
}

// state is what is known of a check under its new name.
func (d *differ) state(a plan.Addr) plan.CheckState {
	if old, renamed := d.former[a]; renamed {
		a = old
	}
	return d.now.check(a)
}

// best is the highest priority that a member can have: what it tracks may add to it.
func best(in *plan.Instance, m plan.Member) uint8 { return plan.Best(m.Priority, in.Track) }

// wins reports whether a backup would take over from the best other member, now or when
// its new checks succeed.
func (s stand) wins() bool {
	return s.contested && s.preempt && !s.failed && s.hoped > s.least
}

// takeover is how long an active with the given effective priority stays active beside
// a member, at most, and whether that member takes over at all. An active that a check
// without weight fails offers its addresses whatever its priority, and so does one that
// falls below what a member can have: the member then waits its skew.
func takeover(in *plan.Instance, effective uint8, failed bool, m plan.Member) (time.Duration, bool) {
	if failed || in.Preempt && best(in, m) > effective {
		return skew(in, m.Priority), true
	}
	return 0, false
}

// election is what all edits of one instance together mean for who is active.
func (e *edit) election() Impact {
	b, a := e.stands()
	if !e.holds() {
		return e.asBackup(b, a)
	}
	if !a.contested {
		return e.onActive(Impact{Class: Stays, Reason: ReasonAlone, Text: "no other member"})
	}
	rival, wait, moves := e.overtaken(b, a)
	touched := a.effective < b.effective || a.failed && !b.failed || a.preempt && !b.preempt
	if moves && touched {
		return e.lost(a, rival, wait)
	}
	return e.onActive(kept(b, a, moves))
}

// overtaken reports whether a member takes over from this node, with the plan after or
// with the one before, and how long that takes at most.
func (e *edit) overtaken(b, a stand) (rival plan.Member, wait time.Duration, moves bool) {
	if wait, moves = takeover(e.with(e.after), a.effective, a.failed, a.rival); moves {
		return a.rival, wait, true
	}
	if b.contested && b.preempt && b.best > a.effective { // nobody offers it anything
		return b.rival, patience(e.before, b.rival.Priority), true
	}
	return a.rival, 0, false
}

// patience is how long a member waits before it takes over from a lesser active.
func patience(in *plan.Instance, priority uint8) time.Duration {
	return downInterval(in, priority) + time.Duration(in.PreemptDelayMs)*time.Millisecond
}

// lost: the active node gives the addresses to a better one, which answers before this
// one stops; clients wait for the ARP update, at worst for one advert.
func (e *edit) lost(a stand, rival plan.Member, wait time.Duration) Impact {
	i := Impact{Class: Moves, VIPs: e.movers(), Reason: ReasonOutranked, Gap: Gap{MaxMs: e.after.AdvertMs}}
	why := ""
	if a.failed {
		i.Reason, why = ReasonFailing, ", a check fails here"
		i.VIPs = union(i.VIPs, e.companions())
	}
	i.Text = fmt.Sprintf("to %s (%d) %s%s; gap: ARP update only, about 0 ms, 1 advert at worst",
		rival.Node, rival.Priority, within(wait), why)
	return i
}

// companions are the addresses of the instances that go where this one goes: those of its
// sync group.
func (e *edit) companions() []netip.Prefix {
	var all []netip.Prefix
	for _, g := range e.differ.after.Desired.Groups {
		if !slices.Contains(g.Instances, e.after.Address) {
			continue
		}
		for _, p := range e.instances {
			if p.before != nil && p.after != nil && slices.Contains(g.Instances, p.to) {
				o := &edit{differ: e.differ, before: p.before, after: p.after}
				all = append(all, o.vips()...)
			}
		}
	}
	return all
}

// kept says why an active node stays active.
func kept(b, a stand, outranked bool) Impact {
	switch {
	case outranked && a.best > b.best:
		return Impact{Class: Stays, Reason: ReasonRivalRaised, Text: fmt.Sprintf("until %s has this plan and takes over", a.rival.Node)}
	case a.effective > b.effective:
		return Impact{Class: Stays, Reason: ReasonRaises, Text: "active node raises its own priority"}
	case a.effective < b.effective && !a.preempt:
		return Impact{Class: Stays, Reason: ReasonLowers, Text: "nobody preempts the active node"}
	case a.effective < b.effective:
		return Impact{Class: Stays, Reason: ReasonLowers, Text: fmt.Sprintf("%d is not below %s (%d)", a.effective, a.rival.Node, a.best)}
	}
	return Impact{Class: Stays, Reason: ReasonKeeps, Text: fmt.Sprintf("effective priority stays %d", a.effective)}
}

func (e *edit) asBackup(b, a stand) Impact {
	switch {
	case a.failed && !b.failed:
		return Impact{
			Class: Weakens, Reason: ReasonUnfit, VIPs: e.movers(),
			Text: fmt.Sprintf("a check fails here: %s does not stand by until it works again", e.differ.after.Node),
		}
	case !a.wins() || b.wins():
		return Impact{Class: None, Reason: ReasonStaysBackup}
	}
	wait := patience(e.after, a.hoped)
	return Impact{
		Class: Moves, VIPs: e.movers(), Reason: ReasonOutranks, Gap: Gap{MaxMs: e.after.AdvertMs},
		Text: fmt.Sprintf("here %s: %d is above %s (%d)", within(wait), a.hoped, a.rival.Node, a.least),
	}
}

func priority(e *edit, _ leaf) Impact { return e.election() }

// weight of a check that is tracked before and after; that of another one is said there.
func weight(e *edit, l leaf) Impact {
	if e.group != nil {
		return e.group.tracked(leaf{key: l.key})
	}
	switch was, is := tracks(e.before, l.key), tracks(e.after, l.key); {
	case was && is:
		return e.election()
	case is:
		return Impact{Class: None, Reason: ReasonTracksMore}
	}
	return Impact{Class: None, Reason: ReasonTracksLess}
}

func tracks(in *plan.Instance, check string) bool {
	for _, t := range in.Track {
		if string(t.Check) == check {
			return true
		}
	}
	return false
}

// preempt: without preemption only a death moves the addresses.
func preempt(e *edit, _ leaf) Impact {
	election := e.election()
	if e.after.Preempt {
		return election
	}
	return worse(Impact{
		Class: Weakens, Reason: ReasonPreemptOff, VIPs: e.vips(),
		Text: "a lower priority no longer moves the addresses",
	}, election)
}

// memberPriority: of another member only; see once.
func memberPriority(e *edit, l leaf) Impact {
	if l.added() || l.removed() {
		return Impact{Class: None, Reason: ReasonMember}
	}
	return e.election()
}
