package main

import (
	"fmt"
	"time"

	"hafile/lang/planfile"
	"hafile/runtime/rollout"
)

// order says what a rollout will do, where, and why in this order.
func (v *view) order(docs []*planfile.Document, steps []rollout.Step, asJSON bool) error {
	if asJSON {
		for i := range steps {
			if err := v.documentLine(rollout.Told{Type: "order", Step: &steps[i]}); err != nil {
				return err
			}
		}
		if len(steps) == 0 {
			return v.documentLine(rollout.Told{Type: "result", Text: "nothing to do"})
		}
		return nil
	}
	if len(steps) == 0 {
		v.line("Nothing to do: %s what is written.", verb(len(docs)))
		return nil
	}
	rows := [][]string{{"", "node", "does", "impact", "why now"}}
	for i, s := range steps {
		does := s.Action
		if s.Action == rollout.Apply {
			does = fmt.Sprintf("%s %s", s.Action, plural(s.Changes, "change"))
		}
		why := s.Why
		if s.PauseMs > 0 {
			why += fmt.Sprintf("; then %s, for its checks", time.Duration(s.PauseMs)*time.Millisecond)
		}
		rows = append(rows, []string{fmt.Sprint(i + 1), s.Node, does, string(s.Worst), why})
	}
	for _, l := range columns(rows) {
		v.line("%s", l)
	}
	for _, d := range docs {
		if len(d.Changes) == 0 {
			v.line("   %s runs what is written", d.Node)
		}
	}
	return nil
}

func verb(nodes int) string {
	if nodes == 1 {
		return "1 node runs"
	}
	return fmt.Sprintf("%d nodes run", nodes)
}

// rolling draws the steps of a rollout as they begin and end.
func (v *view) rolling(asJSON bool) func(rollout.Told) {
	if asJSON {
		return func(t rollout.Told) { _ = v.documentLine(t) }
	}
	return func(t rollout.Told) {
		switch t.Type {
		case "prepared":
			v.rewrite("prepare on %s ...", t.Step.Node)
		case "step":
			v.rewrite("%s on %s ...", t.Step.Action, t.Step.Node)
		case "pause":
			v.rewrite("%s on %s: waiting %s for its checks ...", t.Step.Action, t.Step.Node, t.Text)
		case "done":
			v.line("%s %s on %s; every address has its owner", v.paint(green, "ok"), t.Step.Action, t.Step.Node)
		}
	}
}

func (v *view) dryRolled(asJSON bool) {
	const said = "every node would take its part; nothing was changed"
	if asJSON {
		_ = v.documentLine(rollout.Told{Type: "result", Text: said})
		return
	}
	v.line("A dry run: %s.", said)
}

func (v *view) rolledOut(nodes int, asJSON bool) {
	if asJSON {
		_ = v.documentLine(rollout.Told{Type: "result", Text: "done"})
		return
	}
	v.line("%s %s what is written.", v.paint(green, "Done."), verb(nodes))
}
