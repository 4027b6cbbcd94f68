package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"hafile/lang/plan"
	"hafile/runtime/control"
)

// status draws what a daemon says of itself.
func (v *view) status(s *control.Status) {
	node := s.Node
	if node == "" {
		node = "(not told yet)"
	}
	v.line("node %s   hafile %s   pid %d, up %s   %s", v.paint(bold, node), s.HafileVersion, s.PID, since(s.Started), s.Engine.Scheduling)
	if s.Plan == nil {
		v.line("no plan: hafile apply gives it one")
		return
	}
	v.line("plan %d   %s   since %s%s", s.Plan.Serial, s.Plan.Digest, s.Plan.Since.Local().Format("2006-01-02 15:04:05"), by(s.Plan))
	if s.Drain != nil {
		v.line("%s", v.paint(yellow, drained(s.Drain)))
	}
	for _, m := range s.Members {
		v.line("%s", otherNode(m))
	}
	if s.ConfirmBy != nil {
		v.line("%s", v.paint(yellow, "the plan before runs again unless hafile confirm arrives by "+s.ConfirmBy.Local().Format(time.TimeOnly)))
	}
	v.predictions(&s.Predictions)
	for i := range s.Instances {
		v.instance(&s.Instances[i])
	}
	for i := range s.Groups {
		v.group(&s.Groups[i])
	}
	v.checks(s.Checks)
	v.notifies(s.Notifies)
}

// predictions says how what was foretold of addresses agrees with what was seen.
func (v *view) predictions(p *control.Predictions) {
	switch {
	case p.Mispredicted > 0:
		v.line("%s", v.paint(red, fmt.Sprintf("%d of %d addresses in %d applies went otherwise than predicted, at last: %s", p.Mispredicted, p.VIPs, p.Applied, p.Last)))
	case p.Applied > 0:
		v.line("predictions   all %d addresses in %d applies as predicted", p.VIPs, p.Applied)
	}
}

func by(p *control.PlanStatus) string {
	var words []string
	if p.By != "" {
		words = append(words, "by "+p.By)
	}
	if p.From == "stored" {
		words = append(words, "stored, run again at the start")
	}
	if len(words) == 0 {
		return ""
	}
	return " (" + strings.Join(words, "; ") + ")"
}

// transport is what is not usual in the way of the adverts.
func transport(w *control.Wire) string {
	switch {
	case w.Transport == plan.Unicast:
		return " by unicast"
	case w.Group.IsValid():
		return " to " + w.Group.String()
	}
	return ""
}

func (v *view) instance(in *control.Instance) {
	v.line("")
	v.line("%s   %s for %s   %s", v.paint(bold, string(in.Address)), v.paint(roleColor(in.Role), strings.ToUpper(in.Role)), since(in.Since), in.Why)
	rows := [][]string{
		{"  wire", fmt.Sprintf("%s VRRPv%d VRID %d on %s%s from %s, every %s", in.Wire.Family, in.Wire.Version, in.Wire.VRID,
			in.Wire.Interface, transport(&in.Wire), in.Wire.Source, time.Duration(in.AdvertMs)*time.Millisecond)},
		{"  priority", priority(in.Priority)},
	}
	for _, w := range in.Former {
		rows = append(rows, []string{"  and still", fmt.Sprintf("%s VRRPv%d VRID %d on %s, until apply -retire%s", w.Family, w.Version, w.VRID, w.Interface, unswept(in))})
	}
	for _, vip := range in.VIPs {
		where := "not here"
		if vip.Present {
			where = "here, on " + vip.Interface
		}
		rows = append(rows, []string{"  vip", vip.Address.String() + "  " + where})
	}
	for _, p := range in.Peers {
		rows = append(rows, []string{"  peer", peer(p)})
	}
	for _, t := range in.Checks {
		rows = append(rows, []string{"  tracks", fmt.Sprintf("%s  %s%s", t.Address, t.State, weight(t.Weight))})
	}
	rows = append(rows, []string{"  counters", counters(in.Counters)})
	for _, l := range columns(rows) {
		v.line("%s", l)
	}
}

func (v *view) group(g *control.Group) {
	v.line("")
	v.line("%s   %s for %s   %s", v.paint(bold, string(g.Address)), v.paint(roleColor(g.Role), strings.ToUpper(g.Role)), since(g.Since), g.Why)
	for _, a := range g.Instances {
		v.line("  instance  %s", a)
	}
}

// unswept names those who must not be forgotten when an old identity is retired.
func unswept(in *control.Instance) string {
	if len(in.Unswept) == 0 {
		return ""
	}
	return "; not known to have the new one: " + strings.Join(in.Unswept, ", ")
}

func roleColor(role string) string {
	switch role {
	case "active":
		return green
	case "fault":
		return red
	case "backup":
		return cyan
	}
	return yellow
}

// priority is "96 = 101 - 5 (script.chk_nginx)".
func priority(p control.Priority) string {
	if len(p.Parts) == 0 {
		return fmt.Sprint(p.Effective)
	}
	s := fmt.Sprintf("%d = %d", p.Effective, p.Configured)
	for _, part := range p.Parts {
		sign := '+'
		if part.Delta < 0 {
			sign = '-'
		}
		s += fmt.Sprintf(" %c %d (%s)", sign, max(part.Delta, -part.Delta), part.Check)
	}
	return s
}

func weight(w int) string {
	if w == 0 {
		return ", a failure hands the addresses over"
	}
	return fmt.Sprintf(", weight %d", w)
}

// drained is "drained since 14:02:11 by anna until 16:02:11: new disks".
func drained(d *control.Drain) string {
	s := "drained since " + d.Since.Local().Format(time.DateTime)
	if d.By != "" {
		s += " by " + d.By
	}
	if !d.Until.IsZero() {
		s += " until " + d.Until.Local().Format(time.DateTime)
	}
	if d.Reason != "" {
		s += ": " + d.Reason
	}
	return s
}

// otherNode is a line on another member.
func otherNode(m control.Member) string {
	switch {
	case !m.Known:
		return fmt.Sprintf("member %s   unknown: %s", m.Node, m.Unknown)
	case m.Serial == 0:
		return fmt.Sprintf("member %s   hafile %s, no plan", m.Node, m.HafileVersion)
	}
	return fmt.Sprintf("member %s   hafile %s, plan %d   %s", m.Node, m.HafileVersion, m.Serial, m.Digest)
}

func peer(p control.Peer) string {
	s := p.Address.String()
	if p.Node != "" {
		s += " (" + p.Node + ")"
	} else {
		s += " (a stranger)"
	}
	s += fmt.Sprintf("  priority %d", p.Priority)
	switch {
	case p.Ready == nil:
	case *p.Ready:
		s += fmt.Sprintf("  %s, ready", p.Role)
	default:
		s += fmt.Sprintf("  %s, not ready", p.Role)
	}
	if p.LastAdvertMs == nil {
		return s + "  no advert yet"
	}
	return s + fmt.Sprintf("  last advert %s ago", (time.Duration(*p.LastAdvertMs)*time.Millisecond).Round(10*time.Millisecond))
}

// counters in the order of their names, without those at zero.
func counters(m map[string]uint64) string {
	var words []string
	for name, n := range m {
		if n > 0 {
			words = append(words, fmt.Sprintf("%s %d", strings.ReplaceAll(name, "_", " "), n))
		}
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}

func (v *view) checks(cs []control.Check) {
	for _, check := range cs {
		v.line("")
		v.line("%s   %s for %s", v.paint(bold, string(check.Address)), check.State, since(check.Since))
		rows := [][]string{}
		if !check.LastEnd.IsZero() {
			rows = append(rows, []string{"  last run", fmt.Sprintf("%s ago, took %d ms, %s", since(check.LastEnd), check.LastRunMs, result(check))})
		}
		if check.LastOutput != "" {
			rows = append(rows, []string{"  output", strings.ReplaceAll(strings.TrimSpace(check.LastOutput), "\n", " | ")})
		}
		for _, l := range columns(rows) {
			v.line("%s", l)
		}
	}
}

func result(c control.Check) string {
	switch {
	case c.LastError != "":
		return c.LastError
	case c.LastExit == nil:
		return "good" // a check that hafile made itself
	}
	return fmt.Sprintf("exit %d", *c.LastExit)
}

func (v *view) notifies(ns []control.Notify) {
	for _, n := range ns {
		v.line("")
		v.line("%s   sent %d, failed %d, superseded %d, waiting %d", v.paint(bold, string(n.Address)), n.Sent, n.Failed, n.Dropped, n.Pending)
		if n.LastError != "" {
			v.line("  last error  %s", n.LastError)
		}
	}
}

// since is a time ago in the two largest units: "3d4h", "12m30s", "0s".
func since(t time.Time) string {
	if t.IsZero() {
		return "ever"
	}
	d := time.Since(t).Round(time.Second)
	if d < 24*time.Hour {
		return d.String()
	}
	return fmt.Sprintf("%dd%dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
}

// drift draws what differs, and what nobody looked at.
func (v *view) drift(d *driftDocument) {
	switch {
	case d.Plan == nil:
		v.line("No plan runs, so that nothing can differ from it.")
		return
	case len(d.Drift) == 0:
		v.line("No drift: %s has in the kernel what plan %d wants there now.", d.Node, d.Plan.Serial)
	default:
		v.line("%s from plan %d on %s:", plural(len(d.Drift), "difference"), d.Plan.Serial, d.Node)
	}
	for _, i := range d.Drift {
		v.line("  %s  %s", v.paint(red, i.Kind), i.Text)
	}
	for _, what := range d.Unseen {
		v.line("  not compared: %s", what)
	}
}
