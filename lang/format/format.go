// Package format gives HCL files their one layout. It parses first: a file that does not
// parse is left alone, because to move its tokens could change what its author sees.
package format

import (
	"bytes"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"

	"hafile/lang/diag"
	"hafile/lang/module"
)

// Format returns the canonical layout of a file: idempotent, and the same plan before
// and after. After errors it returns src as it was. JSON is for generators and stays.
func Format(src []byte, filename string) ([]byte, diag.Diagnostics) {
	if _, ds := module.Parse(filename, src); ds.HasErrors() {
		return src, ds
	}
	if strings.HasSuffix(filename, ".json") {
		return src, nil
	}
	// The newline goes first: hclwrite cuts the spaces before one.
	if len(src) > 0 && src[len(src)-1] != '\n' {
		src = append(slices.Clone(src), '\n')
	}
	formatted := hclwrite.Format(src)
	if !sameTokens(src, formatted) {
		return src, nil
	}
	return formatted, nil
}

// sameTokens reports whether two files consist of the same tokens. hclwrite moves white
// space only, and even that can change one: it writes the two indexes of `a.8 .0` as
// the number of `a.8.0`, which does not parse.
func sameTokens(a, b []byte) bool {
	as, dsA := hclsyntax.LexConfig(a, "", hcl.InitialPos)
	bs, dsB := hclsyntax.LexConfig(b, "", hcl.InitialPos)
	return len(dsA)+len(dsB) == 0 && slices.EqualFunc(as, bs, func(x, y hclsyntax.Token) bool {
		return x.Type == y.Type && bytes.Equal(x.Bytes, y.Bytes)
	})
}
