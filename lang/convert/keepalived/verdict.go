package keepalived

import (
	"fmt"

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
	within := "at the top level"
	if d.ctx.name != "" {
		within = "in " + d.ctx.name
	}
	note := "keepalived ignores it"
	detail := fmt.Sprintf("keepalived knows no %q %s and ignores the line.", short(word), within)
	if d.block {
		note = "keepalived ignores it, and takes the brace that ends it for the end of the block around it"
		detail = fmt.Sprintf("keepalived knows no %q %s; it ignores the line and its '{', so that line %d closes the block around it. The converter skips the block.",
			short(word), within, d.end)
	}
	if other := elsewhere(word); other != "" {
		note += "; it belongs in " + other
		detail += fmt.Sprintf(" It belongs in %s: move it there, or remove it.", other)
	} else if near := d.ctx.suggest(word); near != "" {
		note += fmt.Sprintf("; did you mean %s?", near)
		detail += fmt.Sprintf(" Did you mean %s?", near)
	} else {
		detail += " Remove it, or correct it and convert again."
	}
	d.src.report(diag.Warning, "HA4007", d.argRange(0), fmt.Sprintf("There is no keyword %q %s", short(word), within), detail)
	d.whole(Unknown, "HA4007", "%s", note)
}

// elsewhere names the block in which a misplaced keyword would be at home: only for
// words that are at home in one of a few places of VRRP.
func elsewhere(word string) string {
	for _, name := range []string{"vrrp_instance", "global_defs", "vrrp_script", "vrrp_sync_group", "authentication", "virtual_server", "real_server"} {
		if grammar()[name].words[word] != nil {
			return name
		}
	}
	if grammar()[""].words[word] != nil {
		return "the top level"
	}
	return ""
}

func short(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:39]) + "…"
	}
	return s
}

// warn adds a warning at argument i of d.
func (d *directive) warn(code string, i int, summary, format string, args ...any) {
	d.src.report(diag.Warning, code, d.argRange(i), summary, fmt.Sprintf(format, args...))
}
