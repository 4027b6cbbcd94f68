package keepalived

import (
	"fmt"
	"strings"
	"unicode"

	"hafile/lang/diag"
)

// verdict of one directive while it is being made.
type verdict struct {
	kind Kind
	code string
	note string
}

// say gives d its verdict; the first one stands.
func (d *directive) say(kind Kind, code, format string, args ...any) {
	if d.said == nil && d.judged == nil {
		d.said = &verdict{kind: kind, code: code, note: fmt.Sprintf(format, args...)}
	}
}

// whole gives one verdict to d and everything in it, except for what is no word of
// keepalived's.
func (d *directive) whole(kind Kind, code, format string, args ...any) {
	d.say(kind, code, format, args...)
	for _, c := range d.body {
		c.covered(d)
	}
}

func (d *directive) covered(by *directive) {
	if d.said == nil && d.judged == nil && !d.strange() {
		d.judged = by
	}
	if d.said == nil && d.strange() {
		d.unknown()
		return
	}
	for _, c := range d.body {
		c.covered(by)
	}
}

// strange reports a word that keepalived does not know where it stands.
func (d *directive) strange() bool {
	return d.kind == isOrdinary && d.known == nil && d.ctx != nil
}

// unknown is the verdict on such a word, with its block.
func (d *directive) unknown() {
	if d.said != nil {
		return
	}
	word := d.words[0].text
	if conflict(word) {
		d.conflict()
		return
	}
	within := "at the top level"
	if d.parent.parent != nil {
		within = "in " + d.parent.key()
	}
	note := "keepalived ignores it"
	detail := fmt.Sprintf("keepalived knows no %q %s and ignores the line.", short(word), within)
	if d.block {
		note = "keepalived ignores it, and takes the brace that ends it for the end of the block around it"
		detail = fmt.Sprintf("keepalived knows no %q %s; it ignores the line and its '{', so that line %d closes the block around it. The converter skips the block.",
			short(word), within, d.end)
		if p := d.parent; p.parent != nil && p.src == d.src && p.end > d.end+1 {
			note += fmt.Sprintf(": today it loses lines %d-%d, and the result has them", d.end+1, p.end-1)
			detail += fmt.Sprintf(" Today keepalived loses lines %d-%d of %s; the result has them.", d.end+1, p.end-1, p.key())
		}
	}
	if strings.HasPrefix(word, "$") {
		note += "; it is not defined"
		detail += " It looks like a parameter: define it above ($NAME=VALUE), or remove the line."
	} else if other := elsewhere(word); other != "" {
		note += "; it belongs " + other
		detail += fmt.Sprintf(" It belongs %s: move it there, or remove it.", other)
	} else if near := d.ctx.suggest(word); near != "" {
		note += fmt.Sprintf("; did you mean %s?", near)
		detail += fmt.Sprintf(" Did you mean %s?", near)
	} else {
		detail += " Remove it, or correct it and convert again."
	}
	d.src.report(diag.Warning, "HA4007", d.argRange(0), fmt.Sprintf("There is no keyword %q %s", short(word), within), detail)
	d.whole(Unknown, "HA4007", "%s", note)
}

// conflict reports a marker that a version control system left behind.
func conflict(word string) bool {
	return word == "<<<<<<<" || word == "=======" || word == ">>>>>>>" || word == "|||||||"
}

func (d *directive) conflict() {
	if d.words[0].text[0] == '<' { // once for each conflict
		d.warn("HA4007", 0, "A merge conflict is not resolved",
			"keepalived ignores the markers and reads both sides, so that the later one counts. Resolve the conflict and convert again.")
	}
	d.whole(Unknown, "HA4007", "a marker of a merge conflict: keepalived reads both sides")
}

// elsewhere names the block in which a misplaced keyword would be at home: only for
// words that are at home in one of a few places of VRRP.
func elsewhere(word string) string {
	for _, name := range []string{"vrrp_instance", "global_defs", "vrrp_script", "vrrp_sync_group", "authentication", "virtual_server", "real_server"} {
		if grammar()[name].words[word] != nil {
			return "in " + name
		}
	}
	if grammar()[""].words[word] != nil {
		return "at the top level"
	}
	return ""
}

// short is a word of the original for people: no longer than a line bears, and nothing in
// it that moves a cursor.
func short(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
	if r := []rune(s); len(r) > 40 {
		return string(r[:39]) + "…"
	}
	return s
}

// warn adds a warning at argument i of d.
func (d *directive) warn(code string, i int, summary, format string, args ...any) {
	d.src.report(diag.Warning, code, d.argRange(i), summary, fmt.Sprintf(format, args...))
}
