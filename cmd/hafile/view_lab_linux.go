package main

import (
	"fmt"
	"sync"
	"time"

	"hafile/lang/diag"
	"hafile/lang/hatest"
	"hafile/runtime/lab"
)

// timeline draws a story while it happens. The lab tells from several goroutines.
type timeline struct {
	*view
	mu sync.Mutex
}

func (v *view) timeline(r *hatest.Run) *timeline {
	v.line("")
	v.line("%s %s   %s, ends at %s", v.paint(bold, "run"), v.paint(bold, r.Name), plural(len(r.Events), "event"), r.Until)
	return &timeline{view: v}
}

func (t *timeline) tell(m lab.Moment) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := fmt.Sprintf("%8.3f s", m.At.Seconds())
	switch m.Tone {
	case lab.ToneLive:
		t.rewrite("%s  %s", at, t.paint(dim, m.Text))
	case lab.ToneEvent:
		t.line("%s  %s", at, t.paint(bold, "== "+m.Text))
	case lab.ToneGood:
		t.line("%s  %s %s", at, t.paint(green, "kept  "), m.Text)
	case lab.ToneBad:
		t.line("%s  %s %s", at, t.paint(red, "BROKEN"), m.Text)
	default:
		t.line("%s  %-10s %s", at, m.Node, m.Text)
	}
}

// verdict ends a run: the clients' sum, and every promise and claim that did not hold.
func (v *view) verdict(r *hatest.Run, res *lab.Result, ds diag.Diagnostics, sources map[string][]byte) error {
	for vip, l := range res.Outcome.Lost {
		v.line("%s  %d requests, %d new ones lost, %d in flight lost; longest without an owner %s, with two %s",
			vip, l.Asked, l.New, l.InFlight, span(res.Outcome.Unowned[vip]), span(res.Outcome.Double[vip]))
	}
	if len(res.Outcome.Mails) > 0 {
		v.line("mail: %s, the last one %q", plural(len(res.Outcome.Mails), "message"), res.Outcome.Mails[len(res.Outcome.Mails)-1].Subject)
	}
	for _, b := range res.Broken {
		v.line("%s %s", v.paint(red, "broken promise:"), b)
	}
	if err := v.diagnostics(ds, sources); err != nil {
		return err
	}
	if len(res.Broken)+len(ds) == 0 {
		v.line("%s %s: %s, %s", v.paint(green, "ok"), r.Name, plural(len(res.Events), "promise")+" kept", plural(len(r.Asserts), "assertion")+" held")
		return nil
	}
	v.line("%s %s: %s broken, %s failed", v.paint(red, "FAILED"), r.Name, plural(len(res.Broken), "promise"), plural(len(ds), "assertion"))
	return nil
}

func span(seconds float64) time.Duration {
	return time.Duration(seconds * float64(time.Second)).Round(time.Millisecond)
}
