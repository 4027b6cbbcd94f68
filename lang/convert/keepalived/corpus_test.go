package keepalived

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hafile/lang/diag"
)

// Real files of real people: every one ends in a complete report, and what was told
// about it is written down. Its node is named as a directory of many files would be.
func TestRealFilesEndInACompleteReport(t *testing.T) {
	files, err := filepath.Glob("testdata/corpus/*.conf")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	var out bytes.Buffer
	for _, name := range files {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		in := []File{{Name: filepath.Base(name), Src: src}}
		res, diags := Convert(in, Options{})
		check(t, in, Options{}, res)
		summarise(&out, &res.Report, diags)
		if t.Failed() {
			t.Fatal(name)
		}
	}
	golden(t, "testdata/corpus/summary.txt", out.Bytes())
}

func summarise(out *bytes.Buffer, r *Report, diags diag.Diagnostics) {
	for _, f := range r.Files {
		fmt.Fprintf(out, "%s\n    %s\n", f.Name, f.sum())
	}
	for _, d := range diags {
		if d.Severity == diag.Error && strings.HasPrefix(d.Code, "HA40") && d.Range != nil {
			fmt.Fprintf(out, "    %d:%d %s %s\n", d.Range.Start.Line, d.Range.Start.Column, d.Code, d.Summary)
		}
	}
}

// The whole corpus, where a copy of it is named: go test -run Whole -corpus DIR.
func TestWholeCorpus(t *testing.T) {
	if *corpus == "" {
		t.Skip("no -corpus")
	}
	files, err := filepath.Glob(filepath.Join(*corpus, "*.conf"))
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	total := map[Kind]int{}
	directives, refused := 0, 0
	for _, name := range files {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		in := []File{{Name: filepath.Base(name), Src: src}}
		res, diags := Convert(in, Options{})
		check(t, in, Options{}, res)
		if diags.HasErrors() {
			refused++
			for _, d := range diags {
				if d.Severity == diag.Error {
					t.Logf("%s: %s %s", filepath.Base(name), d.Code, d.Summary)
				}
			}
		}
		for _, f := range res.Report.Files {
			directives += f.Directives
			for k, n := range f.Counts {
				total[k] += n
			}
		}
	}
	t.Logf("%d files, %d with errors, %d directives: %v", len(files), refused, directives, total)
}
