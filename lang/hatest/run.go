package hatest

import (
	"github.com/hashicorp/hcl/v2"

	"hafile/lang/diag"
	"hafile/lang/story"
)

// Suite is every run of a directory's *.hatest.hcl files, in the order of the files and
// then of the blocks.
type Suite struct {
	Runs  []Run
	Files map[string][]byte // for snippets

	eval *hcl.EvalContext
}

// Run is a story and what must be true at its end. Without Until nothing is played: the
// configuration is compiled, and the claims are about its outputs or about what Expect
// names.
type Run struct {
	story.Run
	Asserts []Assert
	// Variables is a file of variables, NAME = VALUE in each line, that stands above every
	// other source of values; nil: none.
	Variables []byte
	// Expect are the codes that compiling must lead to. Another error than these is a
	// failure.
	Expect []Expect
}

// Expect is a code that a run waits for.
type Expect struct {
	Code  string
	Range diag.Range
}

// Assert is a claim about the outcome.
type Assert struct {
	condition hcl.Expression
	message   hcl.Expression
	Range     diag.Range
}
