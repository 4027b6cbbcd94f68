package planfile

import (
	"fmt"
	"time"

	"hafile/lang/diff"
	"hafile/lang/plan"
)

// Verdict is what a plan means for the daemon that it meets.
type Verdict struct {
	// Problem is why it cannot be applied; nil if it can. AlreadyApplied is a problem
	// with exit code 0: there is nothing to do.
	Problem *Problem
	// Note is for people: what has moved since and does no harm.
	Note string
	// Changes and Summary are computed again, with the roles of now. Both are empty
	// where the plan is for another node or daemon.
	Changes []diff.Change
	Summary diff.Summary
}

// Check says whether a plan still fits what runs. The first rule that fails speaks: no
// secrets in it, another node, another daemon, already applied, configuration moved, role moved,
// peers moved, expired. It is pure; the daemon and `apply` before it ask the same function.
func Check(d *Document, r Running, now time.Time) Verdict {
	if p := withoutSecrets(d); p != nil {
		return Verdict{Problem: p}
	}
	if p := otherNode(d, r); p != nil {
		return Verdict{Problem: p}
	}
	if p := otherDaemon(d, r); p != nil {
		return Verdict{Problem: p}
	}
	var v Verdict
	v.Changes, v.Summary = diff.Plans(r.Plan, &d.Plan, r.Present)
	switch {
	case r.Plan != nil && len(v.Changes) == 0:
		v.Problem = alreadyApplied(d, r)
	case d.Base.Digest != r.Digest(), d.Base.Lineage != "" && d.Base.Serial != r.Serial:
		v.Problem = configMoved(d, r)
	case worse(d.Changes, v.Changes) != nil:
		v.Problem = roleMoved(d, r, worse(d.Changes, v.Changes))
	case peersMoved(d, r, v.Changes) != nil:
		v.Problem = peersMoved(d, r, v.Changes)
	case expired(d, now):
		v.Problem = tooOld(d)
	default:
		v.Note = moved(d, r)
	}
	return v
}

// withoutSecrets: a document that was printed for eyes would set "(sensitive)" as the
// password.
func withoutSecrets(d *Document) *Problem {
	a := inlineSecret(&d.Plan, func(s plan.Secret) bool { return s.Value == plan.Redacted })
	if a == "" && d.Plan.HeadersLeftOut() {
		a = "a header"
	}
	if a == "" {
		return nil
	}
	return &Problem{
		Code: CodeInlineSecret, Exit: ExitError,
		Summary: fmt.Sprintf("this plan was printed without the secret of %s", a),
		Detail:  "it can be shown but not applied; make one with hafile plan -out FILE",
	}
}

func otherNode(d *Document, r Running) *Problem {
	if r.Node == "" || d.Node == r.Node {
		return nil
	}
	return &Problem{
		Code: CodeOtherNode, Exit: ExitNode,
		Summary: fmt.Sprintf("this plan is for node %s", d.Node),
		Detail:  fmt.Sprintf("this daemon is %s; run: hafile plan -node %s", r.Node, r.Node),
	}
}

// otherDaemon: a plan that was made without asking a daemon has no lineage, and only
// its base digest binds it.
func otherDaemon(d *Document, r Running) *Problem {
	if d.Base.Lineage == "" || d.Base.Lineage == r.Lineage {
		return nil
	}
	return &Problem{
		Code: CodeOtherDaemon, Exit: ExitStale,
		Summary: "this plan was made against another daemon",
		Detail: fmt.Sprintf("it was made against %s, here runs %s (another machine, or its state directory was emptied); run hafile plan again",
			short(d.Base.Lineage), short(r.Lineage)),
	}
}

func alreadyApplied(d *Document, r Running) *Problem {
	return &Problem{
		Code: CodeAlreadyApplied, Exit: ExitDone,
		Summary: fmt.Sprintf("plan %s is running already", short(d.Digest)),
		Detail:  fmt.Sprintf("as plan %d%s; nothing to do", r.Serial, applied(r)),
	}
}

func configMoved(d *Document, r Running) *Problem {
	was, is := "an empty daemon", "nothing"
	if d.Base.Digest != NoBase {
		was = fmt.Sprintf("plan %d (%s)", d.Base.Serial, short(d.Base.Digest))
		if d.Base.Serial == 0 {
			was = "plan " + short(d.Base.Digest)
		}
	}
	if r.Plan != nil {
		is = fmt.Sprintf("plan %d (%s%s)", r.Serial, short(r.Digest()), applied(r))
	}
	return &Problem{
		Code: CodeConfigMoved, Exit: ExitStale,
		Summary: "the running configuration has changed since this plan was made",
		Detail:  fmt.Sprintf("it was made against %s, now %s is running; run hafile plan again", was, is),
	}
}

// worse is the first change that does more now than it was planned to do. One by one: who
// has agreed to move one address has not agreed to move another.
func worse(planned, now []diff.Change) *moreHarm {
	then := map[plan.Addr]diff.Class{}
	for i := range planned {
		then[planned[i].Address] = planned[i].Impact.Class
	}
	for i := range now {
		c := &now[i]
		if was := then[c.Address]; c.Impact.Class.Rank() > max(was.Rank(), diff.None.Rank()) {
			return &moreHarm{c.Address, was, c.Impact.Class}
		}
	}
	return nil
}

type moreHarm struct {
	of      plan.Addr
	was, is diff.Class
}

func roleMoved(d *Document, r Running, h *moreHarm) *Problem {
	return &Problem{
		Code: CodeRoleMoved, Exit: ExitStale,
		Summary: fmt.Sprintf("this plan would now do more harm: %s %s instead of %s", h.of, h.is, h.was),
		Detail:  roles(d, r) + "run hafile plan again and look at the impact",
	}
}

func expired(d *Document, now time.Time) bool {
	return !d.Expires.IsZero() && now.After(d.Expires)
}

func tooOld(d *Document) *Problem {
	return &Problem{
		Code: CodeExpired, Exit: ExitStale,
		Summary: "this plan has expired at " + d.Expires.UTC().Format(time.RFC3339),
		Detail:  "run hafile plan again, with -expires if it must keep for longer",
	}
}

// moved says that roles have changed and that the impact has not become worse.
func moved(d *Document, r Running) string {
	if s := roles(d, r); s != "" {
		return s + "the impact is no worse than planned"
	}
	return ""
}

// roles lists the instances whose role is another one now: "instance.VI_1 was active
// when planned and is backup now; ".
func roles(d *Document, r Running) string {
	s := ""
	for _, a := range sortedKeys(d.Base.Roles) {
		was, is := d.Base.Roles[a], r.Present.Roles[a]
		if is != "" && is != was {
			s += fmt.Sprintf("%s was %s when planned and is %s now; ", a, was, is)
		}
	}
	return s
}

func applied(r Running) string {
	s := ""
	if !r.Since.IsZero() {
		s += ", since " + r.Since.Format("2006-01-02 15:04")
	}
	if r.By != "" {
		s += ", by " + r.By
	}
	return s
}
