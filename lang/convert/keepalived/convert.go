package keepalived

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclwrite"

	"hafile/lang/diag"
)

func convert(files []File, opts Options) (Result, diag.Diagnostics) {
	if opts.OutName == "" {
		opts.OutName = "keepalived.ha.hcl"
	}
	var diags []diag.Diagnostic
	machines := load(files, opts.Include, &diags)
	for _, m := range machines {
		m.read()
	}
	e := &emitter{opts: opts, machines: machines}
	e.emit()
	e.attachments()
	sweep(machines)
	e.finish()
	res := e.result()
	res.Report = report(e, opts.OutName)
	if len(e.groups) == 0 {
		diags = append(diags, diag.Diagnostic{Severity: diag.Warning, Code: "HA4016", Summary: "There is no instance in the result",
			Detail: "Nothing in the files is a virtual router that this release runs. The report says why, line by line."})
	}
	diags = settle(diags)
	if !diag.Diagnostics(diags).HasErrors() {
		diags = append(diags, compile(opts.OutName, &res)...)
	}
	return res, diags
}

// result writes the lines. Format moves nothing from one line to another, so that the
// numbers hold.
func (e *emitter) result() Result {
	res := Result{Secrets: e.secrets, Rests: rests(e.machines)}
	if !e.opts.Split {
		res.HCL = hclwrite.Format([]byte(e.out.text()))
		return res
	}
	rest, others, names := e.out.split(e.opts.OutName)
	main := output{lines: rest, header: e.out.header}
	res.HCL = hclwrite.Format([]byte(main.text()))
	for _, name := range names {
		o := output{lines: others[name]}
		res.Files = append(res.Files, OutFile{name, hclwrite.Format([]byte(o.text()))})
	}
	return res
}

// load parses every file as its machine reads it, and names the machines.
func load(files []File, include func(from, pattern string) []Included, diags *[]diag.Diagnostic) []*machine {
	files = nodesOf(files, diags)
	labels := map[string]bool{}
	var out []*machine
	for _, f := range files {
		src := newSource(f.Name, f.Src, diags)
		p := parse(src, shortName(f.Node), include)
		out = append(out, &machine{src: src, sources: p.sources, name: f.Node, label: unique(labels, label(shortName(f.Node))),
			root: p.root, header: p.header, comments: p.all})
	}
	return out
}

// shortName is keepalived's default configuration id: the host name up to its first dot.
func shortName(node string) string {
	if short, _, ok := strings.Cut(node, "."); ok && short != "" && strings.Trim(short, "0123456789") != "" {
		return short
	}
	return node
}

// nodesOf gives a name to files without one. A single file with @id lines stands for as
// many machines as it has ids.
func nodesOf(files []File, diags *[]diag.Diagnostic) []File {
	var out []File
	for i, f := range files {
		if f.Node != "" {
			out = append(out, f)
			continue
		}
		if ids := idsOf(f.Src); len(ids) > 0 && len(files) == 1 {
			*diags = append(*diags, diag.Diagnostic{Severity: diag.Warning, Code: "HA4013",
				Summary: fmt.Sprintf("%s is written for several machines: %s", f.Name, strings.Join(ids, ", ")),
				Detail:  "The result has a node for each @id. Name the machines that there really are with -node " + strings.Join(ids, ",") + "."})
			for _, id := range ids {
				out = append(out, File{Node: id, Name: f.Name, Src: f.Src})
			}
			continue
		}
		base := path.Base(f.Name)
		for _, cut := range []string{".conf", ".keepalived", "-keepalived", "keepalived"} {
			base = strings.TrimSuffix(base, cut)
		}
		if base == "" || base == "-" || base == "." || base == "/" {
			base = fmt.Sprintf("node%d", i+1)
		}
		f.Node = base
		out = append(out, f)
	}
	return out
}

// idsOf are the ids of @id lines in the order of the file.
func idsOf(file []byte) []string {
	var ids []string
	for line := range strings.Lines(string(file)) {
		m := conditionForm.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil || m[1] != "" || label(m[2]) != m[2] || slices.Contains(ids, m[2]) {
			continue
		}
		if ids = append(ids, m[2]); len(ids) == 16 {
			break
		}
	}
	return ids
}

// sweep judges what nothing in the result asked for.
func sweep(machines []*machine) {
	for _, m := range machines {
		m.root.walk(func(d *directive) {
			if d == m.root || d.said != nil || d.judged != nil {
				return
			}
			switch {
			case d.strange():
				d.unknown()
			case d.parent.key() == "global_defs":
				d.whole(NoEffect, "", "nothing in this file uses it")
			case d.kind != isOrdinary && d.kind != isEntry:
				m.aside(d)
			case d.ctx == nil || d.parent.said != nil || d.parent.judged != nil:
				d.judged = d.parent
				if d.parent.judged != nil {
					d.judged = d.parent.judged
				}
			}
		})
	}
}

// finish ties lines and comments together.
func (e *emitter) finish() {
	for _, m := range e.machines {
		for _, c := range m.opening() {
			c.kept = true
			e.out.header = appendNew(e.out.header, []string{c.String()})
		}
	}
	e.locals()
	e.out.claim()
	for _, m := range e.machines {
		m.root.walk(unused)
	}
	e.leftovers()
	if e.opts.Annotate {
		e.annotate()
	}
}

// unused takes back the verdict on a global setting that ended up nowhere.
func unused(d *directive) {
	if d.parent != nil && d.parent.key() == "global_defs" && d.line == nil && d.said != nil && d.said.kind == Exact && d.said.note == "" {
		d.said = &verdict{kind: Dropped, note: "nothing in the result uses it"}
	}
}

// opening is the comment that heads the file: a paragraph of its own, or the line that
// every keepalived.conf begins with.
func (m *machine) opening() []*comment {
	if len(m.header) > 0 || len(m.root.body) == 0 {
		return m.header
	}
	first := m.root.body[0]
	if len(first.lead) == 0 || !strings.Contains(strings.ToLower(first.lead[0].text), "configuration file") {
		return nil
	}
	c := first.lead[0]
	first.lead = first.lead[1:]
	return []*comment{c}
}

// settle sorts diagnostics by place and leaves out what two nodes say of one file.
func settle(diags []diag.Diagnostic) []diag.Diagnostic {
	slices.SortStableFunc(diags, func(a, b diag.Diagnostic) int {
		if (a.Range == nil) != (b.Range == nil) {
			if a.Range == nil {
				return 1
			}
			return -1
		}
		if a.Range == nil {
			return 0
		}
		return cmp.Or(strings.Compare(a.Range.Filename, b.Range.Filename), a.Range.Start.Byte-b.Range.Start.Byte)
	})
	var out []diag.Diagnostic
	for _, d := range diags {
		if !slices.ContainsFunc(out[max(0, len(out)-8):], func(o diag.Diagnostic) bool {
			return o.Code == d.Code && o.Summary == d.Summary && (o.Range == d.Range || o.Range != nil && d.Range != nil && *o.Range == *d.Range)
		}) {
			out = append(out, d)
		}
	}
	return out
}
