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

// Run is a story and what must be true at its end.
type Run struct {
	story.Run
	Asserts []Assert
}

// Assert is a claim about the outcome.
type Assert struct {
	condition hcl.Expression
	message   hcl.Expression
	Range     diag.Range
}
