package keepalived

import (
	"fmt"
	"slices"
	"strings"
)

// leftovers puts the comments of what has no line of its own next to a note about it, and
// a note about everything that this release cannot do: into the block around it if that
// is in the result, else at the end of the file.
func (e *emitter) leftovers() {
	var end []string
	elsewhere := e.statements()
	for _, m := range e.machines {
		m.root.walk(func(d *directive) {
			if d == m.root || d.line != nil || d.comment || d.lvs() && d.parent != m.root {
				return
			}
			noted := e.opts.Annotate && d.said != nil && d.said.kind != Exact
			left := d.said != nil && d.said.kind == Unsupported && !d.parent.lost()
			if d.kind == isConditional && elsewhere[place{d.src.name, d.n}] || d.bare() && !noted && !left {
				return
			}
			at := len(d.lead)
			lines := note(d, noted)
			if left {
				lines[at] = fmt.Sprintf("# %s: %s", d.place(), strings.TrimPrefix(lines[at], "# "))
			}
			if l := d.home(); l != nil {
				l.inner = appendNew(l.inner, lines)
			} else {
				end = appendNew(end, lines)
			}
		})
		for _, c := range m.root.tail {
			c.kept = true
			end = appendNew(end, []string{c.String()})
		}
	}
	if len(end) > 0 {
		e.out.section("left over")
		for _, s := range end {
			e.out.add(s)
		}
	}
}

type place struct {
	file string
	line int
}

// statements are the lines that mean something to at least one machine.
func (e *emitter) statements() map[place]bool {
	lines := map[place]bool{}
	for _, m := range e.machines {
		m.root.walk(func(d *directive) {
			if d.kind != isConditional {
				lines[place{d.src.name, d.n}] = true
			}
		})
	}
	return lines
}

// appendNew adds lines unless they stand there as one piece already.
func appendNew(have, lines []string) []string {
	for i := 0; i+len(lines) <= len(have); i++ {
		if slices.Equal(have[i:i+len(lines)], lines) {
			return have
		}
	}
	return append(have, lines...)
}

// bare reports that no comment stands beside the statement.
func (d *directive) bare() bool { return len(d.lead) == 0 && d.trail == nil && len(d.tail) == 0 }

// lost reports whether the block is not in the result as a whole.
func (d *directive) lost() bool {
	for ; d != nil && d.parent != nil; d = d.parent {
		if d.said != nil && d.said.kind == Unsupported {
			return true
		}
	}
	return false
}

// lvs reports whether the statement stands in a part that keepalived keeps.
func (d *directive) lvs() bool {
	for ; d.parent != nil; d = d.parent {
		if k := d.key(); k == "virtual_server" || k == "virtual_server_group" || k == "SSL" {
			return true
		}
	}
	return false
}

func (d *directive) place() string {
	if d.end > d.n {
		return fmt.Sprintf("%s:%d-%d", d.src.name, d.n, d.end)
	}
	return fmt.Sprintf("%s:%d", d.src.name, d.n)
}

// home is the open block of the result that the statement would stand in.
func (d *directive) home() *outLine {
	for p := d.parent; p != nil; p = p.parent {
		if p.key() == "global_defs" && !strings.HasPrefix(d.key(), "smtp_") && !strings.HasPrefix(d.key(), "notification_email") {
			return nil // only the mail settings have a block
		}
		if p.line != nil && p.line.close != nil && !p.context().list() {
			return p.line
		}
	}
	return nil
}

// annotate adds the verdict above a line that is not quite what the original says.
func (e *emitter) annotate() {
	for _, l := range e.out.lines {
		for _, d := range l.dirs {
			if d.line == l && d.said != nil && d.said.kind == Changed {
				s := cleanLine(fmt.Sprintf("# %s:%d: changed: %s", d.src.name, d.n, d.said.note))
				if !slices.Contains(l.lead, s) {
					l.lead = append(l.lead, s)
				}
			}
		}
	}
}
