// Package format gives HCL files their one layout. It parses first: a file that does not
// parse is left alone, because to move its tokens could change what its author sees.
package format

import (
	"slices"
	"strings"

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
	return hclwrite.Format(src), nil
}
