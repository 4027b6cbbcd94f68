package diag

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"hafile/lang/plan"
)

// Sort orders by file, place, severity and code, so that the same files always give the
// same text; what has no place comes first.
func (ds Diagnostics) Sort() {
	slices.SortStableFunc(ds, func(a, b Diagnostic) int {
		ar, br := at(a), at(b)
		return cmp.Or(
			cmp.Compare(ar.Filename, br.Filename), cmp.Compare(ar.Start.Byte, br.Start.Byte),
			cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.Code, b.Code),
			cmp.Compare(a.Summary, b.Summary), cmp.Compare(a.Detail, b.Detail), cmp.Compare(a.Address, b.Address),
		)
	})
}

func at(d Diagnostic) Range {
	if d.Range == nil {
		return Range{}
	}
	return *d.Range
}

// Dedup keeps one message per cause: one code at one place. What several nodes repeat is
// one message; what for_each or the calls of a module repeat is counted in the first
// one's detail, although each names its own key, address or number. The list is sorted
// before.
func (ds Diagnostics) Dedup() Diagnostics {
	ds = slices.Clone(ds)
	ds.Sort()
	var out Diagnostics
	index := map[cause]int{}
	more := map[int]map[plan.Addr]bool{}
	for _, d := range ds {
		exact, alike := d.cause(false), d.cause(true)
		i, seen := index[exact]
		if !seen {
			if i, seen = index[alike]; seen && out[i].Address == d.Address {
				seen = false // two values of one thing are two mistakes
			}
		}
		switch {
		case !seen:
			index[exact] = len(out)
			if _, taken := index[alike]; !taken {
				index[alike] = len(out)
			}
			out = append(out, d)
		case out[i].Address != d.Address:
			if more[i] == nil {
				more[i] = map[plan.Addr]bool{}
			}
			more[i][d.Address] = true
		case out[i].Node != d.Node:
			out[i].Node = "" // true of more than one node, so of none in particular
		}
	}
	for i, others := range more {
		where := "of the same here"
		if all := everyKey(out[i].Address); all != string(out[i].Address) {
			where = "in " + all
		}
		out[i].Detail = fmt.Sprintf("%s (and %d more %s)", out[i].Detail, len(others), where)
	}
	return out
}

// cause is what a message is about: of one thing, or alike of all keys of a for_each.
type cause struct {
	code, summary, within string
	at                    Range
}

func (d Diagnostic) cause(alike bool) cause {
	c := cause{code: d.Code, summary: d.Summary, at: at(d)}
	if all := everyKey(d.Address); alike && d.Range != nil && all != string(d.Address) {
		c.summary, c.within = shape(d.Summary), all
	}
	return c
}

// shape is a summary without its values: words that are not plain.
func shape(summary string) string {
	words := strings.Fields(summary)
	for i, w := range words {
		if strings.ContainsFunc(strings.TrimRight(w, ".,:;"), func(c rune) bool { return c != '_' && !unicode.IsLetter(c) }) {
			words[i] = "…"
		}
	}
	return strings.Join(words, " ")
}

var oneKey = regexp.MustCompile(`\["(?:[^"\\]|\\.)*"\]`)

// everyKey is an address that stands for all keys of its for_each: module.web[…].
func everyKey(a plan.Addr) string { return oneKey.ReplaceAllString(string(a), "[…]") }

// Count is how many of each there are.
func (ds Diagnostics) Count() (errors, warnings int) {
	for _, d := range ds {
		if d.Severity == Error {
			errors++
		} else {
			warnings++
		}
	}
	return errors, warnings
}
