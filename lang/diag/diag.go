// Package diag is how hafile speaks about a mistake in somebody's files: where it is,
// what is wrong, what to do next, under a code that never changes. It knows neither
// HCL nor terminals; rendering takes the sources as bytes.
package diag

import "hafile/lang/plan"

// Severity of a diagnostic.
type Severity string

const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Pos is a position in a file. Line and Column count from 1, columns in grapheme
// clusters; Byte counts from 0.
type Pos struct {
	Line   int `json:"line"`
	Column int `json:"column"`
	Byte   int `json:"byte"`
}

// Range is a piece of one file; End is behind its last byte.
type Range struct {
	Filename string `json:"filename"`
	Start    Pos    `json:"start"`
	End      Pos    `json:"end"`
}

// Related is a second place that one must see to understand the first.
type Related struct {
	Range   Range  `json:"range"`
	Message string `json:"message"`
}

// Diagnostic is one mistake. Summary is a short phrase that blames nobody; Detail is
// sentences, and the last one says what to do.
type Diagnostic struct {
	Severity Severity  `json:"severity"`
	Code     string    `json:"code"` // HA1003
	Summary  string    `json:"summary"`
	Detail   string    `json:"detail,omitempty"`
	Range    *Range    `json:"range,omitempty"`
	Address  plan.Addr `json:"address,omitempty"`
	Node     string    `json:"node,omitempty"`
	Related  []Related `json:"related,omitempty"`
}

// Diagnostics is what a function that reads somebody's files returns beside its best
// partial result.
type Diagnostics []Diagnostic

// HasErrors reports whether anything in the list is an error.
func (ds Diagnostics) HasErrors() bool {
	for _, d := range ds {
		if d.Severity == Error {
			return true
		}
	}
	return false
}
