package module

import (
	"github.com/hashicorp/hcl/v2"

	"hafile/lang/diag"
)

// Range is an hcl range in the words of package diag.
func Range(r hcl.Range) diag.Range {
	return diag.Range{Filename: r.Filename, Start: pos(r.Start), End: pos(r.End)}
}

// At is Range as a pointer, nil for the range of nothing.
func At(r hcl.Range) *diag.Range {
	if r.Filename == "" {
		return nil
	}
	d := Range(r)
	return &d
}

func pos(p hcl.Pos) diag.Pos { return diag.Pos{Line: p.Line, Column: p.Column, Byte: p.Byte} }

// BlockRange is where a block says what it is. JSON gives blocks the range of one
// brace; the key before it is what a person would underline.
func BlockRange(b *hcl.Block) hcl.Range {
	r := b.DefRange
	if r.End.Byte-r.Start.Byte > 1 {
		return r
	}
	if n := len(b.LabelRanges); n > 0 {
		return b.LabelRanges[n-1]
	}
	return b.TypeRange
}
