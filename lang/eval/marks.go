package eval

import "github.com/zclconf/go-cty/cty"

// secretMark is on every value that comes from a sensitive variable.
type secretMark struct{}

// sensitive reports whether any part of a value carries the mark.
func sensitive(v cty.Value) bool { return v != cty.NilVal && v.ContainsMarked() }
