package keepalived

import (
	"os"
	"path/filepath"
	"testing"

	"hafile/lang"
	"hafile/lang/diag"
)

// checked converts, compiles and compares: what is said of every conversion that compiles.
func checked(t *testing.T, in []File, opts Options) (Comparison, diag.Diagnostics, bool) {
	t.Helper()
	res, diags := Convert(in, opts)
	if diags.HasErrors() {
		return Comparison{}, diags, false
	}
	compiled, ds := lang.CompileSource("out.ha.hcl", res.HCL, lang.Inputs{})
	if ds.HasErrors() {
		t.Fatalf("compiles in the converter and not beside it: %v", ds)
	}
	cmp, _ := Check(in, opts, compiled, nil)
	for _, d := range cmp.Differences {
		t.Errorf("%s: %s: keepalived %q, hafile %q", in[0].Name, d.Path, d.Keepalived, d.Hafile)
	}
	if t.Failed() {
		t.Fatalf("%s\n%s", cmp.Sum(), res.HCL)
	}
	return cmp, diags, true
}

func TestWholeCorpusComparesEqual(t *testing.T) {
	if *corpus == "" {
		t.Skip("no -corpus")
	}
	files, _ := filepath.Glob(filepath.Join(*corpus, "*.conf"))
	equal, settings := 0, 0
	for _, name := range files {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		in := []File{{Name: filepath.Base(name), Src: src}}
		cmp, diags, ok := checked(t, in, Options{})
		if !ok {
			for _, d := range diags {
				if d.Severity == diag.Error {
					t.Logf("%s: %s %s: %s", filepath.Base(name), d.Code, d.Summary, d.Detail)
				}
			}
			continue
		}
		equal++
		settings += cmp.Compared
	}
	t.Logf("%d of %d files: %d settings compared, 0 differ", equal, len(files), settings)
}
