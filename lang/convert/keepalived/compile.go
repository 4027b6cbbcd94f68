package keepalived

import (
	"hafile/lang"
	"hafile/lang/diag"
)

// compile proves the result before success is claimed. What it finds wrong with the
// originals' meaning (two equal priorities, a password in clear) are warnings, and so is
// what this release cannot run yet: such a result is right, and waits.
func compile(name string, out *Result) []diag.Diagnostic {
	fsys, names := memory{name: out.HCL}, []string{name}
	for _, f := range out.Files {
		fsys[f.Name] = f.HCL
		names = append(names, f.Name)
	}
	res, found := lang.CompileFiles(fsys, names, lang.Inputs{})
	if found.HasErrors() {
		return append(found, diag.Diagnostic{Severity: diag.Error, Code: "HA4014", Summary: "The result does not compile",
			Detail: "The messages above name lines of the result. Correct what they say in the originals and convert again; if the originals are right, it is a fault of the converter: report it with both files."})
	}
	seen := map[string]bool{}
	for _, n := range res.Nodes {
		for _, d := range res.Unsupported[n.Name] {
			if key := d.Summary; !seen[key] {
				seen[key] = true
				d.Severity = diag.Warning
				found = append(found, d)
			}
		}
	}
	return found
}
