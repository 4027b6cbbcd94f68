package main

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hafile/lang"
	"hafile/lang/eval"
)

// functionRow is a line of docs/reference/functions.md: an example and its result.
var functionRow = regexp.MustCompile("(?m)^\\| `([a-z0-9_]+)(\\(.*?\\))` \\| `(.*?)` \\|")

// TestDocsOfFunctionsAreRun: every function has a line, and each line is right.
func TestDocsOfFunctionsAreRun(t *testing.T) {
	src, err := os.ReadFile(reference + "/functions.md")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{"file": false, "fileexists": false, "env": false}
	for name := range eval.Functions() {
		named[name] = false
	}
	for _, m := range functionRow.FindAllStringSubmatch(string(src), -1) {
		name, expr := m[1], m[1]+m[2]
		if name == "can" && strings.HasPrefix(m[2], "(credential") {
			named["credential"] = true
		}
		for _, inner := range []string{"secret_file", "file", "env"} {
			if strings.HasPrefix(m[2], "("+inner+"(") {
				named[inner] = true
			}
		}
		if _, known := named[name]; !known {
			t.Errorf("there is no function %s", name)
		}
		named[name] = true
		config := "locals {\n  none = {}\n}\noutput \"x\" {\n  value = " + expr + "\n}\n"
		res, ds := lang.CompileSource("x.ha.hcl", []byte(config), lang.Inputs{})
		if ds.HasErrors() {
			t.Errorf("%s: %v", expr, ds)
			continue
		}
		if got := string(res.Outputs["x"].Value); got != m[3] {
			t.Errorf("%s gives %s, the page says %s", expr, got, m[3])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(named)) {
		if !named[name] {
			t.Errorf("%s has no line", name)
		}
	}
}

// fence is a piece of configuration in a document.
var fence = regexp.MustCompile("(?ms)^```hcl\n(.*?)^```$")

// TestDocsExamplesCompile: every block of HCL in a document compiles, with what the
// reference says stands beside it. A story is read, a file of variables parses.
func TestDocsExamplesCompile(t *testing.T) {
	var files []string
	for _, pattern := range []string{"/README.md", "/docs/*.md", "/modules/*/README.md"} {
		found, err := filepath.Glob(root + pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		files = append(files, found...)
	}
	compiled := 0
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range fence.FindAllStringSubmatch(string(src), -1) {
			if strings.HasPrefix(m[1], "run ") || strings.HasPrefix(m[1], "# FILE") {
				continue
			}
			compiled++
			compileSnippet(t, file, withPrelude(t, m[1]))
		}
	}
	if compiled < 10 {
		t.Errorf("only %d examples", compiled)
	}
}

// link leads to another file of the project.
var link = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)

// TestDocsLinksLeadSomewhere, in every document.
func TestDocsLinksLeadSomewhere(t *testing.T) {
	for _, pattern := range []string{"/*.md", "/docs/*.md", "/examples/*.md", "/docs/reference/*.md", "/modules/*/README.md"} {
		files, err := filepath.Glob(root + pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range link.FindAllStringSubmatch(string(src), -1) {
				if _, err := os.Stat(filepath.Join(filepath.Dir(file), m[1])); err != nil {
					t.Errorf("%s: %s leads nowhere", file, m[1])
				}
			}
		}
	}
}
