package keepalived

import (
	"hafile/lang"
	"hafile/lang/diag"
)

// compile proves the result before success is claimed. What it finds wrong with the
// originals' meaning (two equal priorities, a password in clear) are warnings.
func compile(name string, hcl []byte) []diag.Diagnostic {
	_, found := lang.CompileSource(name, hcl, lang.Inputs{})
	if found.HasErrors() {
		found = append(found, diag.Diagnostic{Severity: diag.Error, Code: "HA4014", Summary: "The result does not compile",
			Detail: "The messages above name lines of the result. Correct what they say in the originals and convert again; if the originals are right, it is a fault of the converter: report it with both files."})
	}
	return found
}
