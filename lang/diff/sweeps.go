package diff

import (
	"bytes"
	"fmt"
	"slices"

	"hafile/lang/plan"
)

// sweeps reports whether hafile can carry an edit of the wire identity through the group
// in two sweeps: old and new identity are one election until the old one is retired. It
// takes members that all speak hafile, and an identity that nobody else here has.
func (e *edit) sweeps() bool {
	b, a := e.before, e.after
	if b.Family != a.Family || b.Netns != a.Netns || b.Transport != a.Transport || b.Transport == plan.Unicast && b.Wire() != a.Wire() {
		return false
	}
	if e.exchange() != nil || !plain(b) || !plain(a) {
		return false
	}
	return e.hafiles()
}

// plain: no authentication, or the password of version 2.
func plain(in *plan.Instance) bool { return in.Auth == nil || in.Auth.Type == "pass" }

// hafiles reports whether all other members, before and after, speak hafile.
func (e *edit) hafiles() bool {
	foreign := func(m plan.Member) bool { return m.Node != e.differ.after.Node && m.Speaks != "" }
	return !slices.ContainsFunc(e.before.Members, foreign) && !slices.ContainsFunc(e.after.Members, foreign)
}

// exchange is the instance that has had the identity which this one takes; nil if nobody.
func (e *edit) exchange() *plan.Instance {
	for i := range e.differ.before.Desired.Instances {
		if o := &e.differ.before.Desired.Instances[i]; o.Address != e.before.Address && o.Wire() == e.after.Wire() {
			return o
		}
	}
	return nil
}

// swept is the impact of an edit in two sweeps.
func (e *edit) swept(reason string) Impact {
	if len(e.others()) == 0 {
		return e.onActive(Impact{Class: Stays, Reason: reason, Text: "nobody else is there to be told; it changes at once"})
	}
	text := fmt.Sprintf("two sweeps: old and new are one election, until %s has it too and hafile apply -retire drops the old one on each", e.peers())
	i := e.onActive(Impact{Class: Stays, Reason: reason, Text: text})
	i.Text, i.Retire = text, true
	return i
}

// exchanged: two routers go on, and only their addresses change places. They stay here if
// this node has the same role in both and keeps it.
func (e *edit) exchanged(o *plan.Instance) (Impact, bool) {
	next := e.successor()
	role := e.now.role(o, e.differ.after.Node)
	if next == nil || holds(role) != e.holds() || e.role != role {
		return Impact{}, false
	}
	if !e.goesOn(o, e.after) || !e.goesOn(e.before, next) {
		return Impact{}, false
	}
	return e.onActive(Impact{
		Class: Stays, Reason: ReasonWireIdentity, Text: fmt.Sprintf("changes places with %s; both are %s here", o.Address, e.role),
	}), true
}

// successor is the instance that has this one's identity from now on; nil if nobody.
func (e *edit) successor() *plan.Instance {
	for i := range e.differ.after.Desired.Instances {
		if in := &e.differ.after.Desired.Instances[i]; in.Wire() == e.before.Wire() {
			return in
		}
	}
	return nil
}

// goesOn reports whether a router that becomes another instance keeps its role and is
// still understood by the members, who know it as what it was until they have the plan.
func (e *edit) goesOn(was, is *plan.Instance) bool {
	b, a := e.stand(was), e.stand(is)
	if b.contested {
		a.least = min(a.least, b.best)
	}
	moves := a.wins()
	if e.holds() {
		_, moves = takeover(e.with(is), a.effective, a.failed, a.rival)
		moves = a.contested && moves || b.contested && b.preempt && b.best > a.effective
	}
	return !moves && (len(e.others()) == 0 || sameDialect(was, is))
}

// sameDialect reports whether two instances with one wire identity hear each other:
// version 2 drops another interval (RFC 3768, 7.1) and other authentication (RFC 2338, 5.3.6).
func sameDialect(a, b *plan.Instance) bool {
	return a.Version == 3 || a.AdvertMs == b.AdvertMs && bytes.Equal(mustJSON(a.Auth), mustJSON(b.Auth))
}
