package runtime

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"hafile/lang/plan"
	"hafile/runtime/control"
	"hafile/runtime/node"
	"hafile/runtime/peers"
	"hafile/runtime/store"
)

// Retire is the second sweep of an edit of the wire: the identities of before are left
// out. It says goodbye to nobody. It is refused while a member is not known to have the
// new one, for it would be deaf to this node, and take the addresses too; -allow names
// those of which a person knows.
func (d *daemon) Retire(_ context.Context, req control.RetireRequest, emit func(control.Event)) *control.Problem {
	done, p := d.enter()
	if p != nil {
		return p
	}
	defer done()
	if p := d.unconfirmed(); p != nil {
		return p
	}
	run, begin := d.running.Load(), time.Now()
	emit = stamped(emit)
	result := func(exit int, message string) {
		emit(control.Event{Type: "result", Result: &control.Result{Exit: exit, Serial: run.status.Serial, Digest: run.status.Digest, Message: message}})
	}
	if len(run.former) == 0 {
		result(0, "there is nothing to retire")
		return nil
	}
	known := d.others.watcher.Ask(context.Background())
	snap := d.engine.Snapshot()
	if p := notSwept(run, &snap, known, req.Allow); p != nil {
		return p
	}
	var words []string
	for _, f := range run.former {
		words = append(words, fmt.Sprintf("%s: %s", f.Of, f.Key))
	}
	rec := *d.store.Current()
	rec.Former = nil
	if err := d.store.Amend(rec); err != nil {
		result(7, "nothing was changed: "+err.Error())
		return nil
	}
	next := *run
	next.former = nil
	d.commit(&next, nil)
	d.tidy()
	d.log.Info("identities retired", "what", strings.Join(words, ", "), "by", req.By)
	emit(control.Event{Type: "step", Step: &control.Step{
		Phase: "retire", What: strings.Join(words, ", "), OK: true, TookMs: float64(time.Since(begin).Microseconds()) / 1000,
	}})
	result(0, "retired"+d.storeSays())
	return nil
}

// notSwept names the members of which nothing shows that they have the new identity.
func notSwept(run *running, snap *node.Snapshot, known map[string]peers.Peer, allow []string) *control.Problem {
	var missing, words []string
	for i := range snap.Instances {
		in := &snap.Instances[i]
		for _, m := range unswept(run, in, known) {
			word := "retire:" + m
			if !slices.Contains(allow, word) && !slices.Contains(missing, m) {
				missing, words = append(missing, m), append(words, "-allow="+word)
			}
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return &control.Problem{
		Exit: 4, Code: codeNotSwept, Summary: fmt.Sprintf("%s not known to have the new identity", are(missing)),
		Detail: fmt.Sprintf("A member that has only the old one would be deaf to this node and become active too. Only an active is heard, and this member has no status address that says so; where hafile status shows the new identity there, apply -retire %s.",
			strings.Join(words, " ")),
	}
}

func are(names []string) string {
	if len(names) == 1 {
		return names[0] + " is"
	}
	return strings.Join(names, ", ") + " are"
}

// unswept are the other members that have not been heard as the current identity of an
// instance that has former ones, and do not say themselves that they have it.
func unswept(run *running, in *node.Instance, known map[string]peers.Peer) []string {
	desired := run.plan.Desired.Instance(in.Address)
	if desired == nil || !slices.ContainsFunc(run.former, func(f store.Former) bool { return f.Of == in.Address }) {
		return nil
	}
	var out []string
	for _, m := range othersOf(run.plan, desired) {
		if !shows(in, addressOf(desired, run.plan.Node, m, in.Peers)) && !run.told(desired, known[m.Node].Said) {
			out = append(out, m.Node)
		}
	}
	return out
}

// shows reports whether a member was heard as what the instance is now.
func shows(in *node.Instance, at netip.Addr) bool {
	return slices.ContainsFunc(in.Peers, func(p node.Peer) bool { return p.Address == at && p.Current != 0 })
}

// told reports whether a member says that it has what this instance is now. A password
// that has changed behind its name is what no answer shows.
func (r *running) told(in *plan.Instance, said *peers.Said) bool {
	if said == nil {
		return false
	}
	for _, f := range r.formersOf(in.Address) {
		if in.Auth != nil && f.AuthType == in.Auth.Type && string(f.Password) != password(in.Auth.Password, r.secrets) {
			return false
		}
	}
	is := said.Of(in.Address, identityOf(in.Wire()))
	return is != nil && is.Group == in.GroupDigest()
}
