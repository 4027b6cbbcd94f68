package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"hafile/lang/convert/keepalived"
	"hafile/lang/diag"
	"hafile/lang/plan"
	"hafile/lang/planfile"
	"hafile/lang/render"
	"hafile/runtime/control"
)

// mode is how much of a plan is shown.
func mode(summary, full bool) render.Mode {
	switch {
	case summary:
		return render.Summary
	case full:
		return render.Full
	}
	return render.Default
}

// plan draws a plan document. Closing is what follows its last line.
func (v *view) plan(doc *planfile.Document, m render.Mode, facts render.Facts, closing string) error {
	v.clearLive()
	return render.Text(v.out, doc, render.Options{
		Color: v.color, Width: v.width, Mode: m, Facts: facts, Location: time.Local, Closing: closing,
	})
}

// saved is what follows a plan that was written to a file.
func saved(name string, doc *planfile.Document) string {
	until := ""
	if !doc.Expires.IsZero() {
		until = ", good until " + doc.Expires.Local().Format("15:04")
	}
	return fmt.Sprintf("Saved to %s (digest %s%s).\n  hafile apply %s", name, planfile.Short(doc.Digest), until, name)
}

func (v *view) nothingToDo(doc *planfile.Document, asJSON bool) {
	if asJSON {
		_ = v.document(control.Event{Type: "result", Time: time.Now(), Result: &control.Result{
			Message: "nothing to do", Serial: doc.Base.Serial, Digest: doc.Digest,
		}})
		return
	}
	v.line("Nothing to do: plan %d is running already.", doc.Base.Serial)
}

// applying draws the steps of an apply as they end.
func (v *view) applying(doc *planfile.Document, asJSON bool) func(control.Event) {
	if asJSON {
		return v.events(true)
	}
	v.line("Applying plan %s to %s (%s, worst impact: %s)", planfile.Short(doc.Digest), doc.Node, plural(max(len(doc.Changes), doc.Summary.Change), "change"), doc.Summary.Worst)
	return v.events(false)
}

// events draws what a daemon answers, line by line.
func (v *view) events(asJSON bool) func(control.Event) {
	if asJSON {
		return func(ev control.Event) { _ = v.documentLine(ev) }
	}
	return func(ev control.Event) {
		switch {
		case ev.Step != nil:
			v.step(ev.Step)
		case ev.Result != nil:
			v.result(ev.Result)
		case ev.Message != "":
			v.line("  %s", ev.Message)
		}
	}
}

// history lists plans, the newest first; the one that runs is marked.
func (v *view) history(h *control.History) {
	if len(h.Plans) == 0 {
		v.line("No plan has been applied yet.")
		return
	}
	rows := [][]string{{"", "plan", "digest", "applied", "by"}}
	for i := range h.Plans {
		p := &h.Plans[i]
		mark := ""
		if p.Serial == h.Running {
			mark = "*"
		}
		rows = append(rows, []string{mark, strconv.Itoa(p.Serial), planfile.Short(p.Digest), p.Since.Local().Format(time.DateTime), p.By})
	}
	for _, line := range columns(rows) {
		v.line("%s", line)
	}
	if h.ConfirmBy != nil {
		v.line("Plan %d waits for hafile confirm until %s.", h.Running, h.ConfirmBy.Local().Format(time.TimeOnly))
	}
}

func (v *view) step(s *control.Step) {
	verdict := v.paint(green, "ok")
	if !s.OK {
		verdict = v.paint(red, "failed")
	}
	v.line("  %-9s %-60s %s  %s", s.Phase, s.What, verdict, took(s.TookMs))
	if s.Problem != "" {
		v.line("            %s", s.Problem)
	}
}

func took(ms float64) string {
	if ms < 1000 {
		return fmt.Sprintf("%3.0f ms", ms)
	}
	return fmt.Sprintf("%.1f s", ms/1000)
}

func (v *view) result(r *control.Result) {
	word := v.paint(green, "Done.")
	if r.Exit != exitOK {
		word = v.paint(red, "Not done.")
	}
	v.line("%s %s", word, r.Message)
}

// explain draws what a code means.
func (v *view) explain(e diag.Entry) {
	v.line("%s  %s", v.paint(bold, e.Code), e.Title)
	for _, part := range []struct{ head, text string }{{"Cause", e.Cause}, {"Example", e.Example}, {"Cure", e.Cure}} {
		v.line("")
		v.line("%s", v.paint(bold, part.head))
		for l := range strings.Lines(strings.TrimRight(part.text, "\n") + "\n") {
			v.printf("  %s", l)
		}
	}
}

// comparison draws what convert -check found.
func (v *view) comparison(c *keepalived.Comparison, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(v.out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(struct {
			FormatVersion string `json:"format_version"`
			Type          string `json:"type"`
			*keepalived.Comparison
		}{plan.FormatVersion, "convert-check", c})
	}
	side := func(what, value string, at *diag.Range) string {
		switch {
		case value == "":
			return what + " has none"
		case at == nil:
			return fmt.Sprintf("%s has %s", what, value)
		}
		return fmt.Sprintf("%s has %s (%s:%d)", what, value, at.Filename, at.Start.Line)
	}
	for _, d := range c.Differences {
		v.printf("%s: %s: %s, %s\n", d.Node, d.Path, side("keepalived", d.Keepalived, d.At), side("hafile", d.Hafile, d.HafileAt))
	}
	for _, left := range c.Left {
		v.printf("Not compared: %s\n", left)
	}
	v.printf("%s.\n", c.Sum())
	return nil
}

// conversion draws the report: on standard error where the result went to standard
// output.
func (v *view) conversion(res *keepalived.Result, o *convertOptions) error {
	if o.asJSON {
		return res.Report.WriteJSON(v.out)
	}
	out := v.out
	if o.out == "" {
		out = v.err
	}
	return res.Report.WriteText(out)
}

// fleet draws the table of several plans, and then each of them.
func (v *view) fleet(f *planfile.Fleet, docs []*planfile.Document, o *planOnly) error {
	v.clearLive()
	if o.asJSON {
		return v.document(f)
	}
	if err := render.Fleet(v.out, f, v.color); err != nil {
		return err
	}
	for _, doc := range docs {
		if len(doc.Changes) == 0 || o.summary {
			continue
		}
		v.line("")
		if err := v.plan(doc, mode(false, o.full), render.Facts{Host: "not asked"}, ""); err != nil {
			return err
		}
	}
	if o.out != "" {
		v.line("Saved to %s, with %s.", o.out, fleetFile)
	}
	return nil
}
