package keepalived

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// What sequences of keepalived's made becomes a loop of the language, where the pieces
// have one shape.

// run is how many instances from i on one sequence made.
func (e *emitter) run(i int) int {
	n := 1
	for i+n < len(e.groups) && alike(e.groups[i+n-1], e.groups[i+n]) {
		n++
	}
	return n
}

// alike reports whether two instances are neighbouring passes of one sequence, on all
// machines.
func alike(a, b *group) bool {
	if len(a.members) != len(b.members) || len(a.standins) != len(b.standins) {
		return false
	}
	for i := range a.members {
		x, y := a.members[i], b.members[i]
		if x.m != y.m || x.dir.loop == nil || y.dir.loop == nil || x.dir.loop.seq != y.dir.loop.seq || x.dir.loop == y.dir.loop {
			return false
		}
	}
	return true
}

// attrForm is a line that gives a value, alone or in a block of one line.
var attrForm = regexp.MustCompile(`^((?:[a-z_]+ \{ )?([a-z0-9_]+) = )(.*?)( \})?$`)

// column is one value that differs from pass to pass.
type column struct {
	name   string
	values []string
}

// folded writes instances as one block with for_each; false, and nothing is written, where
// they have not one shape.
func (e *emitter) folded(run []*group) bool {
	var shape [][]*outLine
	secrets, said := len(e.secrets), e.said
	for _, g := range run {
		o := e.out
		e.out = output{}
		e.instance(g)
		shape = append(shape, e.out.lines)
		e.out = o
	}
	undo := func() bool {
		e.secrets, e.said = e.secrets[:secrets], said
		return false
	}
	var keys []string
	for _, g := range run {
		if g.label != g.members[0].name || slices.Contains(keys, g.label) {
			return undo() // the name would have to be a column of its own
		}
		keys = append(keys, g.label)
	}
	columns, ok := columnsOf(shape, keys)
	if !ok {
		return undo()
	}
	label := strings.TrimRight(common(keys), "_-")
	if label == "" {
		label = "vrrp"
	}
	taken := map[string]bool{}
	for _, g := range e.groups {
		if !slices.Contains(run, g) {
			taken[strings.SplitN(g.ref, "[", 2)[0]] = true
		}
	}
	label = unique(taken, label)
	e.writeFolded(run, shape, columns, label)
	return true
}

// columnsOf finds what differs; false: more than values do. The values in the lines of the
// first pass are replaced by what names them.
func columnsOf(shape [][]*outLine, keys []string) (columns []column, ok bool) {
	within := []string{""}
	taken := map[string]bool{}
	texts := make([]string, len(shape[0]))
	for i, l := range shape[0] {
		texts[i] = l.text
		for _, other := range shape {
			if len(other) != len(shape[0]) {
				return nil, false
			}
		}
		switch {
		case strings.HasSuffix(l.text, "{"):
			within = append(within, l.text)
		case l.text == "}":
			within = within[:len(within)-1]
		}
		if i == 0 {
			continue // the head
		}
		values, same := []string{}, true
		m := attrForm.FindStringSubmatch(l.text)
		for _, other := range shape {
			same = same && other[i].text == l.text
			if n := attrForm.FindStringSubmatch(other[i].text); m != nil && n != nil && n[1] == m[1] && n[4] == m[4] {
				values = append(values, n[3])
			}
		}
		if same {
			continue
		}
		if m == nil || len(values) != len(shape) {
			return nil, false
		}
		if byKey := keyed(values, keys); byKey != "" {
			texts[i] = m[1] + byKey + m[4]
			continue
		}
		if slices.ContainsFunc(values, func(v string) bool { return strings.Contains(v, "(") || strings.Contains(v, ".") && v[0] != '"' }) {
			return nil, false // references and calls do not go into a table
		}
		name := m[2]
		if rest, isVIP := strings.CutPrefix(m[1], "vip { "); isVIP && rest != "" || within[len(within)-1] == "vip {" && m[2] == "address" {
			name = "vip"
		} else if member, is := strings.CutPrefix(within[len(within)-1], "member "); is {
			name += "_" + strings.Trim(member, `" {`)
		}
		if name = unique(taken, name); slices.ContainsFunc(columns, func(c column) bool { return slices.Equal(c.values, values) && c.name == name }) {
			continue
		}
		columns = append(columns, column{name, values})
		texts[i] = m[1] + "each.value." + name + m[4]
	}
	for i, l := range shape[0] {
		l.text = texts[i]
	}
	return columns, len(columns) > 0
}

// keyed is an expression of each.key that gives all the values, if there is one.
func keyed(values, keys []string) string {
	form := ""
	for i, v := range values {
		f := strings.Replace(v, keys[i], "${each.key}", 1)
		if f == v || form != "" && f != form {
			return ""
		}
		form = f
	}
	return strings.Replace(form, `"${each.key}"`, "each.key", 1)
}

func common(keys []string) string {
	p := keys[0]
	for _, k := range keys {
		for !strings.HasPrefix(k, p) {
			p = p[:len(p)-1]
		}
	}
	return strings.TrimRight(p, "0123456789")
}

func (e *emitter) writeFolded(run []*group, shape [][]*outLine, columns []column, label string) {
	for i, l := range shape[0] {
		for _, other := range shape[1:] {
			l.dirs = append(l.dirs, other[i].dirs...)
			l.lead = appendNew(l.lead, other[i].lead)
		}
	}
	head := shape[0][0]
	head.text, head.what = fmt.Sprintf("instance %q {", label), fmt.Sprintf("instance %q", label)
	e.out.lines = append(e.out.lines, head)
	e.out.add("for_each = {")
	for i, g := range run {
		var parts []string
		for _, c := range columns {
			parts = append(parts, fmt.Sprintf("%s = %s", c.name, c.values[i]))
		}
		e.out.add(fmt.Sprintf("%s = { %s }", g.label, strings.Join(parts, ", ")))
		g.ref, g.key = fmt.Sprintf("%s[%q]", label, g.label), g.label
	}
	e.out.add("}")
	e.out.add("")
	e.out.add("name = each.key")
	e.out.lines = append(e.out.lines, shape[0][1:]...)
}

// series is how many addresses from i on one sequence made inside of the list.
func (in *instance) series(i int) int {
	n := 1
	for i+n < len(in.vips) {
		a, b := in.vips[i+n-1].dir.loop, in.vips[i+n].dir.loop
		if a == nil || b == nil || a == b || a.seq != b.seq || in.dir.loop != nil {
			break
		}
		n++
	}
	return n
}

// range_ writes addresses that differ in one number as a loop; false, and nothing is
// written, where they are not a row.
func (e *emitter) range_(g *group, vips []vip) bool {
	for _, in := range g.members {
		for _, v := range vips {
			w := in.vip(v.p.Address.Addr())
			if w == nil || w.expr != v.expr || !likeVIP(w, &vips[0]) {
				return false
			}
		}
	}
	first, second, last, ok := numbersOf(vips)
	if !ok {
		return false
	}
	step := second - first
	var before, after string
	for i := range vips {
		n := first + i*step
		// The number must be the same piece of each address.
		at := strings.LastIndex(vips[i].expr, strconv.Itoa(n))
		if at < 0 {
			return false
		}
		if i == 0 {
			before, after = vips[0].expr[:at], vips[0].expr[at+len(strconv.Itoa(n)):]
		}
		ok = ok && vips[i].expr == before+strconv.Itoa(n)+after
	}
	if !ok {
		return false
	}
	var dirs []*directive
	for _, in := range g.members {
		for _, v := range vips {
			w := in.vip(v.p.Address.Addr())
			dirs = append(dirs, w.dir.parent, w.dir)
		}
	}
	count := fmt.Sprintf("range(%d, %d)", first, last+1)
	if step != 1 {
		count = fmt.Sprintf("range(%d, %d, %d)", first, last+step, step)
	}
	v := vips[0].p
	e.out.begin(`dynamic "vip"`, "vip", dirs...)
	e.out.add("for_each = " + count)
	e.out.begin("content", "")
	e.out.add("address = " + before + "${vip.value}" + after)
	for _, a := range [][2]string{{"interface", v.Interface}, {"label", v.Label}, {"scope", v.Scope}} {
		if a[1] != "" {
			e.out.add(a[0] + " = " + quote(a[1]))
		}
	}
	if v.InstallPrefix != 0 {
		e.out.add("install_prefix = true")
	}
	if v.Unadvertised {
		e.out.add("advertise = false")
	}
	e.out.end()
	e.out.end()
	return true
}

// likeVIP reports whether two addresses are installed alike.
func likeVIP(a, b *vip) bool {
	return a.p.Interface == b.p.Interface && a.p.InstallPrefix == b.p.InstallPrefix && a.p.Label == b.p.Label &&
		a.p.Scope == b.p.Scope && a.p.Unadvertised == b.p.Unadvertised
}

// numbersOf are the values that a sequence of numbers had: evenly spaced.
func numbersOf(vips []vip) (first, second, last int, ok bool) {
	var n []int
	for _, v := range vips {
		if len(v.dir.loop.values) != 1 {
			return 0, 0, 0, false
		}
		x, err := strconv.Atoi(v.dir.loop.values[0])
		if err != nil || x < 0 {
			return 0, 0, 0, false
		}
		n = append(n, x)
	}
	for i := 2; i < len(n); i++ {
		if n[i]-n[i-1] != n[1]-n[0] {
			return 0, 0, 0, false
		}
	}
	return n[0], n[1], n[len(n)-1], n[1] != n[0]
}
