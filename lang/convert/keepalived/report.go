package keepalived

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Kind is what became of a directive.
type Kind string

// The kinds, from the best to the worst.
const (
	Exact       Kind = "exact"       // means the same in the result
	NoEffect    Kind = "no effect"   // means nothing in keepalived either
	Changed     Kind = "changed"     // in the result, and not quite the same
	Dropped     Kind = "dropped"     // not in the result, and not missed
	Unsupported Kind = "unsupported" // not in the result, and missed
	Unknown     Kind = "unknown"     // no word of keepalived's
)

// Kinds in the order of a report.
var Kinds = []Kind{Exact, Changed, NoEffect, Dropped, Unsupported, Unknown}

// Verdict on one directive, or on a block that is judged as a whole.
type Verdict struct {
	File string `json:"file"`
	Line int    `json:"line"`
	// EndLine is the last line of a block that is judged as a whole, else Line.
	EndLine int `json:"end_line"`
	// Directives that the verdict covers: 1, or all of the block.
	Directives int `json:"directives"`
	// Text as it was written, indentation included, secrets masked.
	Text string `json:"text"`
	Kind Kind   `json:"kind"`
	// Where is the line of the result, 0 if there is none; What stands there.
	Where int    `json:"where,omitempty"`
	What  string `json:"what,omitempty"`
	// WhereFile is the file of that line where the result is more than one.
	WhereFile string `json:"where_file,omitempty"`
	Note      string `json:"note,omitempty"`
	Code      string `json:"code,omitempty"`

	col, via, seq int
	covers        map[id]bool
}

// FileReport is the verdicts on one file, in the order of its lines.
type FileReport struct {
	Name       string       `json:"name"`
	Nodes      []string     `json:"nodes"`
	Verdicts   []Verdict    `json:"verdicts"`
	Directives int          `json:"directives"`
	Counts     map[Kind]int `json:"counts"`
	// Comments of the file, and how many of them are in the result.
	Comments     int `json:"comments"`
	CommentsKept int `json:"comments_kept"`
}

// Report is what a person reads before using the result.
type Report struct {
	Out   string       `json:"out"`
	Files []FileReport `json:"files"`
	// Notes are about the result as a whole, not about one directive.
	Notes []string `json:"notes,omitempty"`
}

// report gathers the verdicts of all nodes, file by file.
func report(e *emitter, out string) Report {
	r := Report{Out: out, Notes: e.notes}
	var names []string
	byName := map[string][]*machine{}
	for _, m := range e.machines {
		for _, src := range m.sources {
			if byName[src.name] == nil {
				names = append(names, src.name)
			}
			if !slices.Contains(byName[src.name], m) {
				byName[src.name] = append(byName[src.name], m)
			}
		}
	}
	for _, name := range names {
		r.Files = append(r.Files, fileReport(name, byName[name]))
	}
	if len(e.groups) > 0 {
		r.Notes = append(r.Notes, e.general()...)
	}
	return r
}

// general is what no line of the originals says.
func (e *emitter) general() []string {
	var notes, unplaced []string
	for _, m := range e.machines {
		if !m.address.IsValid() && !m.address6.IsValid() {
			unplaced = append(unplaced, m.label)
		}
	}
	if len(unplaced) > 0 {
		notes = append(notes, fmt.Sprintf("No mcast_src_ip says what the address of %s is: write address = \"...\" into the node block, so that a machine finds itself by it.", strings.Join(unplaced, ", ")))
	}
	refresh, user := false, false
	for _, g := range e.groups {
		for _, in := range g.members {
			refresh = refresh || in.fields["announce.refresh"].expr == ""
		}
	}
	for _, s := range e.scripts {
		user = user || s.from[0].fields["user"].expr == ""
	}
	if refresh {
		notes = append(notes, "While active, hafile announces every VIP once a minute, which keepalived does only with garp_master_refresh; announce { refresh = \"0s\" } turns it off.")
	}
	if user {
		notes = append(notes, "A script without user runs as hafile-script if that account exists, else as nobody; keepalived uses keepalived_script, else root. Write user = \"root\" where it needs to be.")
	}
	return notes
}

// id is where a statement stands; several nodes of one file share it.
type id struct {
	src              string
	n, col, via, seq int
}

func fileReport(name string, machines []*machine) FileReport {
	f := FileReport{Name: name, Counts: map[Kind]int{}}
	for _, k := range Kinds {
		f.Counts[k] = 0
	}
	all := map[id]*Verdict{}
	type line struct {
		n, via int
		looped bool // the line of a sequence is a statement itself, beside what it makes
	}
	lines := map[line]bool{} // that are a statement for at least one node
	conditional := map[id]line{}
	comments := map[int]bool{}
	for _, m := range machines {
		f.Nodes = append(f.Nodes, m.label)
		for _, c := range m.comments {
			if c.src.name == name {
				comments[c.line] = comments[c.line] || c.kept
			}
		}
		seen := map[id]int{}
		where := map[*directive]id{}
		m.root.walk(func(d *directive) {
			if d == m.root || d.src.name != name && (d.judged == nil || d.judged.src.name != name) {
				return
			}
			k := id{src: d.src.name, n: d.n, col: d.col, via: d.via}
			k.seq = seen[k]
			seen[id{src: d.src.name, n: d.n, col: d.col, via: d.via}]++
			where[d] = k
			if d.judged != nil && d.judged.src.name != name {
				return // counted with the block, in its file
			}
			if at := (line{d.n, d.via, d.loop != nil}); d.kind == isConditional {
				conditional[k] = at
			} else {
				lines[at] = true
			}
			by := d
			if d.judged != nil {
				by = d.judged
			}
			add(all, where[by], k, by)
		})
	}
	for k, v := range all {
		if at, is := conditional[k]; is && lines[at] {
			continue
		}
		f.Verdicts = append(f.Verdicts, *v)
		f.Counts[v.Kind] += v.Directives
		f.Directives += v.Directives
	}
	slices.SortFunc(f.Verdicts, func(a, b Verdict) int {
		return cmp.Or(a.Line-b.Line, a.col-b.col, a.via-b.via, a.seq-b.seq)
	})
	for _, kept := range comments {
		f.Comments++
		if kept {
			f.CommentsKept++
		}
	}
	return f
}

// add counts the statement at k under the verdict of by, which stands at key. What two
// nodes say of one line is one verdict, the worse of the two.
func add(all map[id]*Verdict, key, k id, by *directive) {
	v := all[key]
	fresh := verdictOf(by, key)
	if v == nil {
		all[key], v = fresh, fresh
		v.covers = map[id]bool{}
	} else if slices.Index(Kinds, fresh.Kind) > slices.Index(Kinds, v.Kind) {
		fresh.covers = v.covers
		if fresh.Where == 0 {
			fresh.Where, fresh.What, fresh.WhereFile = v.Where, v.What, v.WhereFile
		}
		*v = *fresh
	} else if v.Where == 0 {
		v.Where, v.What, v.WhereFile = fresh.Where, fresh.What, fresh.WhereFile
	}
	v.covers[k] = true
	v.Directives = len(v.covers)
}

func verdictOf(d *directive, k id) *Verdict {
	v := &Verdict{File: d.src.name, Line: d.n, EndLine: d.n, col: k.col, via: k.via, seq: k.seq}
	if d.said != nil {
		v.Kind, v.Note, v.Code = d.said.kind, d.said.note, d.said.code
	} else {
		v.Kind, v.Note = Unsupported, "the converter has no verdict on it: report this line"
	}
	if d.block && (v.Kind == Unsupported || v.Kind == Unknown || v.Kind == NoEffect || v.Kind == Dropped) {
		v.EndLine = d.end
	}
	if d.via != 0 {
		v.Note = strings.TrimPrefix(fmt.Sprintf("%s; used in line %d", v.Note, d.via), "; ")
	}
	indent := d.src.text(d.n)
	indent = indent[:len(indent)-len(strings.TrimLeft(indent, " \t"))]
	v.Text = strings.ReplaceAll(indent, "\t", "    ") + d.shown()
	if d.line != nil {
		v.Where, v.What, v.WhereFile = d.line.n, d.line.what, d.line.file
	}
	return v
}
