package render

import (
	"fmt"
	"slices"
	"strings"

	"hafile/lang/diff"
	"hafile/lang/plan"
)

// The columns of the failover budget.
const (
	budgetLabel  = 37
	budgetColumn = 18
	budgetMost   = 4 // pairs side by side
)

// budgets draws the failover budget of each instance whose times are new, or of all of
// them. Instances with one budget share a table.
func (p *printer) budgets() {
	var order []string
	shared := map[string][]string{}
	for i := range p.doc.Desired.Instances {
		in := &p.doc.Desired.Instances[i]
		if p.o.Mode != Full && !p.retimed(in) {
			continue
		}
		table := p.budget(in)
		if table == "" {
			continue
		}
		if _, known := shared[table]; !known {
			order = append(order, table)
		}
		shared[table] = append(shared[table], string(in.Address))
	}
	for _, table := range order {
		p.raw("")
		title := "Failover budget"
		if len(order) > 1 {
			p.raw(p.paint(bold, clean(title+" of "+strings.Join(shared[table], ", "))))
			title = ""
		}
		heads, rows, _ := strings.Cut(table, "\n")
		p.raw(p.paint(bold, pad(title, budgetLabel)) + clean(heads))
		for _, l := range strings.Split(rows, "\n") {
			p.raw(clean(l))
		}
	}
}

// retimed reports whether an edit gives an instance other times of failover.
func (p *printer) retimed(in *plan.Instance) bool {
	for i := range p.doc.Changes {
		c := &p.doc.Changes[i]
		switch {
		case c.Address == in.Address && (c.Action == diff.Add || touches(c, instanceTimes)):
			return true
		case c.Action == diff.Update && touches(c, checkTimes) && follows(in, c.Address):
			return true
		}
	}
	return false
}

var (
	instanceTimes = []string{"advert_int", "version", "down_adverts", "preempt", "track", "member"}
	checkTimes    = []string{"interval", "timeout", "fall"}
)

// touches reports whether a change has one of these fields, or one inside of it.
func touches(c *diff.Change, names []string) bool {
	for i := range c.Fields {
		head, _, _ := strings.Cut(c.Fields[i].Path, "[")
		head, _, _ = strings.Cut(head, ".")
		if slices.Contains(names, head) {
			return true
		}
	}
	return false
}

func follows(in *plan.Instance, check plan.Addr) bool {
	return slices.ContainsFunc(in.Track, func(t plan.Track) bool { return t.Check == check })
}

// budget is the table of one instance: the pairs on the first line, then its rows;
// empty if it has no pair.
func (p *printer) budget(in *plan.Instance) string {
	pairs := p.pairs(in)
	if len(pairs) == 0 {
		return ""
	}
	heads := make([]string, len(pairs))
	for i, b := range pairs {
		heads[i] = fmt.Sprintf("%s -> %s", b.From, b.To)
	}
	lines := []string{cells(heads)}
	for k, check := range pairs[0].Checks {
		lines = append(lines, label(subject(check.Check))+checkCells(pairs, k))
	}
	down, graceful := make([]string, len(pairs)), make([]string, len(pairs))
	for i, b := range pairs {
		down[i], graceful[i] = atMost(b.DownMs), exactly(b.GracefulMs)
	}
	lines = append(lines,
		label("machine or link dies")+cells(down),
		label("systemctl stop, reboot")+cells(graceful),
		label("first start, nobody else there")+cells([]string{exactly(diff.FirstStartMs(in))}))
	return strings.Join(lines, "\n")
}

// pairs has for each member the one that takes over from it.
func (p *printer) pairs(in *plan.Instance) []diff.Budget {
	priority := map[string]uint8{}
	for _, m := range in.Members {
		priority[m.Node] = m.Priority
	}
	var best []diff.Budget
next:
	for _, b := range p.doc.Budget {
		if b.Instance != in.Address {
			continue
		}
		for i := range best {
			if best[i].From == b.From {
				if priority[b.To] > priority[best[i].To] {
					best[i] = b
				}
				continue next
			}
		}
		best = append(best, b)
	}
	return best[:min(len(best), budgetMost)]
}

// checkCells is a row for one check, with what its time is made of at the end.
func checkCells(pairs []diff.Budget, k int) string {
	texts, made := make([]string, len(pairs)), ""
	for i, b := range pairs {
		if k >= len(b.Checks) || !b.Checks[k].Moves {
			texts[i] = "  no move"
			continue
		}
		c := b.Checks[k]
		texts[i] = atMost(c.DetectMs + c.TakeoverMs)
		if made == "" {
			made = fmt.Sprintf("(%s to notice + %s to take over)", diff.Seconds(c.DetectMs), diff.Seconds(c.TakeoverMs))
		}
	}
	if made != "" {
		texts = append(texts, made)
	}
	return cells(texts)
}

func label(s string) string { return pad("  "+s, budgetLabel) }

func cells(texts []string) string {
	line := ""
	for i, t := range texts {
		if i < len(texts)-1 {
			t = pad(t, budgetColumn)
		}
		line += t
	}
	return line
}

func atMost(ms int64) string { return fmt.Sprintf("%6s max", diff.Seconds(ms)) }

func exactly(ms int64) string { return fmt.Sprintf("%6s", diff.Seconds(ms)) }
