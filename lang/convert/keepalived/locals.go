package keepalived

import (
	"fmt"
	"slices"
	"strings"
)

// locals makes a local of each parameter that gives the same value in two places or more;
// what is used once stands where it is used.
func (e *emitter) locals() {
	type value struct{ name, expr string }
	uses := map[value][]*outLine{}
	var order []value
	for _, l := range e.out.lines {
		if l.from == "" || strings.HasPrefix(l.from, "_") {
			continue
		}
		v := value{l.from, l.expr}
		if uses[v] == nil {
			order = append(order, v)
		}
		uses[v] = append(uses[v], l)
	}
	taken := map[string]bool{}
	var lines []*outLine
	for _, v := range order {
		if len(uses[v]) < 2 || e.looped(v.name) {
			continue
		}
		name := unique(taken, label(strings.ToLower(v.name)))
		for _, l := range uses[v] {
			l.text = strings.Replace(l.text, "= "+v.expr, "= local."+name, 1)
		}
		lines = append(lines, &outLine{text: fmt.Sprintf("%s = %s", name, v.expr), dirs: e.definitions(v.name), what: "local." + name})
	}
	if len(lines) == 0 {
		return
	}
	// Behind the hafile block, which is the first.
	at := slices.IndexFunc(e.out.lines, func(l *outLine) bool { return l.text == "}" }) + 1
	open := &outLine{text: "locals {"}
	block := append([]*outLine{{text: ""}, open}, lines...)
	open.close = &outLine{text: "}"}
	e.out.lines = slices.Insert(e.out.lines, at, append(block, open.close)...)
}

// definitions are the lines that give a parameter its value.
func (e *emitter) definitions(name string) (dirs []*directive) {
	for _, m := range e.machines {
		m.root.walk(func(d *directive) {
			if d.kind == isDefinition && strings.HasPrefix(d.text, "$"+name+"=") {
				dirs = append(dirs, d)
			}
		})
	}
	return dirs
}

// looped reports whether a sequence sets the parameter.
func (e *emitter) looped(name string) bool {
	found := false
	for _, m := range e.machines {
		m.root.walk(func(d *directive) {
			found = found || d.loop != nil && slices.Contains(d.loop.names, name)
		})
	}
	return found
}
