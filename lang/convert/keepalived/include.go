package keepalived

import (
	"fmt"
	"strings"

	"hafile/lang/diag"
)

// Limits of includes. keepalived has none but its memory.
const (
	includeDepthMax = 16
	includeFilesMax = 1000
)

// Included is one file that an include names.
type Included struct {
	Name string
	Src  []byte
	// Skipped is why keepalived does not read it, such as "it is executable"; "" if it does.
	Skipped string
}

// includeErrors is what keepalived makes of an include that finds nothing: it goes on with
// include, and does not start with the forms that insist.
var includeErrors = map[string]string{
	"include":  "keepalived goes on without it, and so does the result.",
	"includer": "keepalived goes on without it (includer insists only on what can be read), and so does the result.",
	"includem": "keepalived 2.4 does not start without it.",
	"includew": "keepalived 2.4 does not start without it.",
	"includeb": "keepalived 2.4 does not start without it.",
	"includea": "keepalived 2.4 does not start without it.",
}

// twice reports an include that does not stand at the start of a line of a file:
// keepalived's parent reads the file, and each child reads it once more.
func (e *expander) twice(l logical) {
	l.src.report(diag.Warning, "HA4009", l.src.at(l.n, l.col, len(l.text)), "keepalived reads this include twice",
		"An include behind @id, or out of a definition, is read by keepalived's parent and again by its children, which report every block as defined already. The result has the text once. Put the include at the start of a line.")
}

// follow reads the files of an include in its place.
func (e *expander) follow(l logical) {
	d := e.note(isInclude, l, "")
	pattern := d.arg(1)
	switch {
	case e.include == nil:
		d.warn("HA4009", 1, "An included file is not in the result", "Nothing was given to read it from. Put the text of the file in its place and convert again.")
		d.say(Unsupported, "HA4009", "not followed: put the file's text in its place")
		return
	case pattern == "":
		d.warn("HA4008", 0, "include names no file", "keepalived stops with an error at this line, also when it reloads. Name the file, or remove the line.")
		d.say(Dropped, "HA4008", "names no file: keepalived stops at it")
		return
	case e.depth >= includeDepthMax || e.files >= includeFilesMax:
		l.src.report(diag.Error, "HA4009", d.argRange(1), "Includes do not end", fmt.Sprintf("%s seems to include itself. Look at the include lines of that file.", l.src.name))
		d.say(Dropped, "HA4009", "not followed: includes do not end")
		return
	}
	found := e.include(l.src.name, pattern)
	var names, skipped []string
	for _, f := range found {
		if f.Skipped != "" {
			skipped = append(skipped, fmt.Sprintf("%s: %s", f.Name, f.Skipped))
			continue
		}
		names = append(names, f.Name)
	}
	for _, s := range skipped {
		d.warn("HA4009", 1, "An included file is skipped", "keepalived does not read %s; and so does the result not.", s)
	}
	if len(names) == 0 {
		d.warn("HA4009", 1, "An include finds no file", "%s names none. %s Give its files to the converter if they are on the machine only: it looks beside the file that names them.", short(pattern), includeErrors[d.words[0].text])
		d.say(NoEffect, "HA4009", "finds no file")
		return
	}
	d.say(Exact, "", "read: %s", strings.Join(names, ", "))
	e.depth++
	for _, f := range found {
		if f.Skipped != "" {
			continue
		}
		e.files++
		src := newSource(f.Name, f.Src, l.src.diags)
		src.included, src.from = true, place{l.src.name, l.n}
		*e.sources = append(*e.sources, src)
		e.run(src.lines())
	}
	e.depth--
	e.resume(d)
}
