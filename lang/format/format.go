// Package format gives HCL files their one layout. It parses first: a file that does not
// parse is left alone, because to move its tokens could change what its author sees.
package format

import (
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
	out := hclwrite.Format(src)
	if len(out) > 0 && out[len(out)-1] != '\n' {
		out = append(out, '\n')
	}
	return out, nil
}
