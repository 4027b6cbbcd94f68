package diff

import (
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
// this node has the same role in both.
func (e *edit) exchanged(o *plan.Instance) (Impact, bool) {
	goesOn := false
	for i := range e.differ.after.Desired.Instances {
		goesOn = goesOn || e.differ.after.Desired.Instances[i].Wire() == e.before.Wire()
	}
	after := e.stand(e.after)
	_, moves := takeover(e.after, after.effective, after.failed, after.rival)
	if e.holds() && after.contested && moves || !e.holds() && after.wins() {
		return Impact{}, false // the router goes on, and stands otherwise than before
	}
	if !goesOn || holds(e.now.role(o, e.differ.after.Node)) != e.holds() || e.role != e.now.role(o, e.differ.after.Node) {
		return Impact{}, false
	}
	return e.onActive(Impact{
		Class: Stays, Reason: ReasonWireIdentity, Text: fmt.Sprintf("changes places with %s; both are %s here", o.Address, e.role),
	}), true
}
