package render

import (
	"fmt"
	"io"
	"strings"

	"hafile/lang/planfile"
)

// MarkdownMin is the smallest limit of [Markdown], in bytes: less holds no table.
const MarkdownMin = 2000

// Markdown writes plans as a comment on a change: the table first, then each plan folded,
// then what to do next. What does not fit in limit bytes (0: no limit) is cut out of the
// middle, of each plan and if need be of the table; the beginning and the end always stand.
func Markdown(w io.Writer, f *planfile.Fleet, docs []*planfile.Document, limit int) error {
	if limit > 0 && limit < MarkdownMin {
		return fmt.Errorf("%d bytes are too few for a summary: at least %d", limit, MarkdownMin)
	}
	m := &markdown{fleet: f}
	for _, d := range docs {
		if len(d.Changes) > 0 || len(d.Diagnostics) > 0 {
			m.plans = append(m.plans, folded(d))
		}
	}
	_, err := io.WriteString(w, m.fit(limit))
	return err
}

// foldWidth is what a page shows of a line without a bar below it, in columns.
const foldWidth = 120

type markdown struct {
	fleet *planfile.Fleet
	plans []fold
}

// fold is one plan: a line that is always seen, and lines behind it.
type fold struct {
	node, title string
	lines       []string
}

func folded(d *planfile.Document) fold {
	var b strings.Builder
	_ = Text(&b, d, Options{Facts: Facts{Host: "as planned"}, Width: foldWidth}) // a strings.Builder takes everything
	return fold{
		node:  d.Node,
		title: fmt.Sprintf("%s: %s, %s", cell(d.Node), plural(len(d.Changes), "change"), d.Summary.Worst),
		lines: strings.Split(strings.TrimRight(b.String(), "\n"), "\n"),
	}
}

// cell keeps what others wrote from being markup.
func cell(s string) string {
	return strings.NewReplacer("|", "\\|", "<", "&lt;", ">", "&gt;", "`", "'", "@", "&#64;", "*", "\\*", "_", "\\_", "[", "\\[").Replace(clean(s))
}

// fit tries the most first. Each step leaves more out: lines of plans, then plans, then
// rows of the table.
func (m *markdown) fit(limit int) string {
	most := 0
	for _, p := range m.plans {
		most = max(most, len(p.lines))
	}
	rows := len(m.fleet.Nodes)
	if s := m.write(rows, most); limit == 0 || len(s) <= limit {
		return s
	}
	// The largest number of lines, then of rows, for which it fits.
	if n := largest(most, func(n int) bool { return len(m.write(rows, n)) <= limit }); n > 0 {
		return m.write(rows, n)
	}
	return m.write(largest(rows, func(n int) bool { return len(m.write(n, 0)) <= limit }), 0)
}

// largest is the last number below n, by halves, for which ok holds; 0 if there is none.
func largest(n int, ok func(int) bool) int {
	low, high := 0, n
	for low < high {
		if mid := (low + high + 1) / 2; ok(mid) {
			low = mid
		} else {
			high = mid - 1
		}
	}
	return low
}

func (m *markdown) write(rows, lines int) string {
	var b strings.Builder
	f := m.fleet
	fmt.Fprintf(&b, "### hafile plan: %s, worst impact %s\n\n", plural(len(f.Nodes), "node"), f.Worst)
	b.WriteString("| node | changes | worst impact | VIPs that move | plan |\n|---|---|---|---|---|\n")
	head, tail := (rows+1)/2, rows/2
	for i := range f.Nodes {
		if i >= head && i < len(f.Nodes)-tail {
			if i == head {
				fmt.Fprintf(&b, "| … | %s left out | | | |\n", plural(len(f.Nodes)-rows, "node"))
			}
			continue
		}
		n := &f.Nodes[i]
		fmt.Fprintf(&b, "| %s | %d | %s | %s | `%s` |\n", cell(n.Node), n.Changes, n.Summary.Worst, cell(harmed(n.VIPs)), planfile.Short(n.Digest))
	}
	if lines > 0 {
		for i := range m.plans {
			m.plans[i].write(&b, lines)
		}
	} else if len(m.plans) > 0 {
		fmt.Fprintf(&b, "\nThe plans themselves do not fit here: `hafile show` prints them.\n")
	}
	b.WriteString("\n")
	for _, s := range fleetNotes(f) {
		b.WriteString(cell(s) + "\n")
	}
	b.WriteString("Nothing was changed. A plan is known by its digest: the same digest is the same plan, on any commit.\n")
	return b.String()
}

// write folds the plan, with at most n of its lines: the first and the last ones.
func (p *fold) write(b *strings.Builder, n int) {
	lines := p.lines
	if n < len(lines) {
		head, tail := (n+1)/2, n/2
		cut := fmt.Sprintf("… %s left out; hafile show %s.plan has them …", plural(len(lines)-n, "line"), clean(p.node))
		lines = append(append(append([]string{}, lines[:head]...), cut), lines[len(lines)-tail:]...)
	}
	body := strings.Join(lines, "\n")
	fence := "```"
	for strings.Contains(body, fence) {
		fence += "`"
	}
	fmt.Fprintf(b, "\n<details><summary>%s</summary>\n\n%stext\n%s\n%s\n\n</details>\n", p.title, fence, body, fence)
}
