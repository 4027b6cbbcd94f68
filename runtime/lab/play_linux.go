package lab

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"hafile/lang/story"
)

// slack is what a noisy machine may add to a bound of the protocol.
const slack = 300 * time.Millisecond

// Play settles and lets the story happen.
func (l *Lab) Play(ctx context.Context, r *story.Run) (*Result, error) {
	if err := l.Settle(ctx); err != nil {
		return nil, err
	}
	start := time.Now()
	l.rec.restart(start)
	l.mu.Lock()
	l.transitions = nil
	l.mu.Unlock()
	res := &Result{}
	for i, e := range r.Events {
		if err := l.wait(ctx, start.Add(e.At)); err != nil {
			return res, err
		}
		l.settle(res)
		res.Events = append(res.Events, Measured{Event: e, Allowed: allowed(e, l.Budgets(l.current))})
		if err := l.Do(ctx, e); err != nil {
			return res, fmt.Errorf("event %d (%s): %w", i+1, e, err)
		}
	}
	if err := l.wait(ctx, start.Add(r.Until)); err != nil {
		return res, err
	}
	l.settle(res)
	l.rec.outcome(&res.Outcome, time.Now())
	if still := l.rec.stoodStill(); still > 0 {
		l.tell(ToneNote, "", "this machine was too busy to ask for %s in all", round(still))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	res.Outcome.Transitions = slices.Clone(l.transitions)
	res.Outcome.Mails = l.relay.mails(start)
	return res, errors.Join(l.failures...)
}

// wait sleeps until the story goes on, with a running count of what clients lose.
func (l *Lab) wait(ctx context.Context, until time.Time) error {
	for {
		left := time.Until(until)
		if left <= 0 {
			return ctx.Err()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(min(left, 250*time.Millisecond)):
		}
		lost := l.rec.lostNow()
		l.tell(ToneLive, "", "%d asked, %d new lost, %d in flight lost", lost.Asked, lost.New, lost.InFlight)
	}
}

// settle holds what clients saw since the last event against what was promised for it.
func (l *Lab) settle(res *Result) {
	gap, lost := l.rec.cutWindow(time.Now())
	if len(res.Events) == 0 {
		return
	}
	m := &res.Events[len(res.Events)-1]
	m.Gap, m.Lost = gap, lost
	text := fmt.Sprintf("clients waited %s at the longest, the protocol allows %s; of %d requests %d new ones and %d in flight were lost",
		round(gap), round(m.Allowed), lost.Asked, lost.New, lost.InFlight)
	tone := ToneGood
	if broken := m.broken(); broken != "" {
		tone = ToneBad
		res.Broken = append(res.Broken, fmt.Sprintf("%s: %s", m.Event, broken))
	}
	l.tell(tone, "", "%s", text)
}

// broken says which promise an event broke; empty if none. Where the protocol allows no
// wait, no new request may be lost.
func (m *Measured) broken() string {
	switch {
	case m.Gap > m.Allowed+slack:
		return fmt.Sprintf("clients waited %s, allowed are %s", round(m.Gap), round(m.Allowed))
	case m.Allowed == 0 && m.Lost.New > 0:
		return fmt.Sprintf("%d new requests were lost, none may be", m.Lost.New)
	}
	return ""
}

func round(d time.Duration) time.Duration { return d.Round(time.Millisecond) }

// describe says an event as it happens to the machine.
func describe(e story.Event) string {
	switch e.Kind {
	case story.Fail:
		return "the web server of " + e.On + " dies"
	case story.Recover:
		return "the web server of " + e.On + " comes back"
	case story.Stop:
		return "the daemon of " + e.On + " is stopped"
	case story.Kill:
		return "the daemon of " + e.On + " is killed (SIGKILL)"
	case story.Start:
		return "the daemon of " + e.On + " is started"
	case story.Cut:
		return "the link of " + e.On + " is cut"
	case story.Heal:
		return "the link of " + e.On + " is back"
	case story.Apply:
		where := e.On
		if where == "" {
			where = "every node"
		}
		return "apply " + e.Dir + " on " + where
	}
	return e.String()
}

// Do lets one event happen.
func (l *Lab) Do(ctx context.Context, e story.Event) error {
	l.tell(ToneEvent, e.On, "%s", describe(e))
	if e.Kind == story.Apply {
		return l.Apply(ctx, filepath.Join(l.Base, e.Dir), e.On)
	}
	m := l.machine(e.On)
	if m == nil {
		return fmt.Errorf("there is no node %q", e.On)
	}
	switch e.Kind {
	case story.Fail:
		m.stopWeb()
		return nil
	case story.Recover:
		return m.startWeb(ctx)
	case story.Stop:
		return m.endDaemon(ctx, syscall.SIGTERM)
	case story.Kill:
		return m.endDaemon(ctx, syscall.SIGKILL)
	case story.Start:
		return m.startDaemon(ctx)
	case story.Freeze:
		_, err := m.signalDaemon(syscall.SIGSTOP)
		return err
	case story.Thaw:
		_, err := m.signalDaemon(syscall.SIGCONT)
		return err
	case story.Cut, story.Heal:
		return l.link(m, e)
	}
	return fmt.Errorf("the lab cannot %s", e.Kind)
}

// link cuts or heals all links of a node. A cable has no direction: a one-way cut can
// only be simulated.
func (l *Lab) link(m *machine, e story.Event) error {
	if e.From != "" {
		return errors.New("the lab cuts links whole: from and to are for hafile test")
	}
	change := l.segment.Cut
	if e.Kind == story.Heal {
		change = l.segment.Mend
	}
	for _, name := range m.Interfaces {
		if err := change(m.ns, name); err != nil {
			return err
		}
	}
	return nil
}
