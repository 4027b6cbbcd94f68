package diag

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"

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

// Dedup keeps one message per cause: the same code, summary and place. What for_each or
// several nodes repeat is counted in the first one's detail. The list is sorted before.
func (ds Diagnostics) Dedup() Diagnostics {
	type cause struct {
		code, summary string
		at            Range
	}
	ds = slices.Clone(ds)
	ds.Sort()
	var out Diagnostics
	index := map[cause]int{}
	more := map[int]int{}
	for _, d := range ds {
		c := cause{d.Code, d.Summary, at(d)}
		i, seen := index[c]
		switch {
		case !seen:
			index[c] = len(out)
			out = append(out, d)
		case out[i].Address != d.Address:
			more[i]++
		case out[i].Node != d.Node:
			out[i].Node = "" // true of more than one node, so of none in particular
		}
	}
	for i, n := range more {
		where := "of the same here"
		if all := everyKey(out[i].Address); all != string(out[i].Address) {
			where = "in " + all
		}
		out[i].Detail = fmt.Sprintf("%s (and %d more %s)", out[i].Detail, n, where)
	}
	return out
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
