package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hafile/lang"
	"hafile/lang/convert/keepalived"
	"hafile/lang/diff"
	"hafile/lang/eval"
	"hafile/lang/format"
	"hafile/lang/hatest"
	"hafile/lang/plan"
	"hafile/lang/planfile"
	"hafile/modules"
)

const (
	exampleRoot = root + "/examples"
	library     = root + "/modules"
)

// compile compiles a directory that must be without errors.
func compile(t *testing.T, dir string) *lang.Result {
	t.Helper()
	res, ds := lang.Compile(os.DirFS(dir), ".", lang.Inputs{Version: version, Library: modules.FS})
	if ds.HasErrors() {
		t.Fatalf("%s: %v", dir, ds)
	}
	return res
}

// exampleDirs are the examples, and those of the modules.
func exampleDirs(t *testing.T) []string {
	t.Helper()
	var dirs []string
	for _, name := range exampleFiles(t, "*.ha.hcl") {
		if dir := filepath.Dir(name); !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

func exampleFiles(t *testing.T, pattern string) []string {
	t.Helper()
	var found []string
	for _, dir := range []string{exampleRoot + "/*", library + "/*/example"} {
		names, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || len(names) == 0 {
			t.Fatalf("no %s in %s: %v", pattern, dir, err)
		}
		found = append(found, names...)
	}
	return found
}

// TestExamplesCompileToTheirPlans: NODE.plan.golden.json is the plan against an empty
// node, and there is one for every node.
func TestExamplesCompileToTheirPlans(t *testing.T) {
	for _, dir := range exampleDirs(t) {
		res := compile(t, dir)
		for _, n := range res.Nodes {
			doc := planfile.New(planfile.Input{HafileVersion: "golden", Plan: res.Plans[n.Name], Now: time.Unix(0, 0)})
			var got bytes.Buffer
			if err := planfile.WriteRedacted(&got, doc); err != nil {
				t.Fatal(err)
			}
			golden(t, filepath.Join(dir, n.Name+".plan.golden.json"), got.Bytes())
		}
	}
}

// TestPlanStraightAfterApplyIsEmpty: what a daemon has stored and gives back is, to the
// files that it came from, no change; neither to somebody who may not see its secrets.
func TestPlanStraightAfterApplyIsEmpty(t *testing.T) {
	for _, dir := range exampleDirs(t) {
		for node, p := range compile(t, dir).Plans {
			raw, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			var stored plan.Plan
			if err := json.Unmarshal(raw, &stored); err != nil {
				t.Fatal(err)
			}
			stored.Normalize()
			for _, running := range []*plan.Plan{&stored, stored.Redacted()} {
				if changes, _ := diff.Plans(running, p, diff.Present{}); len(changes) > 0 {
					t.Errorf("%s, %s: %+v", dir, node, changes)
				}
			}
		}
	}
}

// golden compares with a file, or rewrites it under -update.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s (-want +got):\n%s", name, d)
	}
}

func TestExamplesAreFormatted(t *testing.T) {
	files, err := formattable([]string{exampleRoot, library}, true)
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, name := range files {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if got, ds := format.Format(src, name); len(ds) > 0 || !bytes.Equal(got, src) {
			t.Errorf("%s is not in canonical layout: run hafile fmt -recursive examples", name)
		}
	}
}

// TestNginxPairIsItsConversion: the file of the example is what convert makes of the
// originals beside it, byte for byte.
func TestNginxPairIsItsConversion(t *testing.T) {
	dir := filepath.Join(exampleRoot, "nginx-pair")
	var files []keepalived.File
	for _, node := range []string{"nginx01", "nginx02"} {
		src, err := os.ReadFile(filepath.Join(dir, "keepalived", node+".keepalived.conf"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, keepalived.File{Node: node, Name: node + ".keepalived.conf", Src: src})
	}
	res, ds := keepalived.Convert(files, keepalived.Options{EnableMail: true, OutName: "nginx-pair.ha.hcl"})
	if ds.HasErrors() {
		t.Fatal(ds)
	}
	golden(t, filepath.Join(dir, "nginx-pair.ha.hcl"), res.HCL)
	want := string(res.Secrets[0].Value)
	for _, node := range []string{"nginx01", "nginx02"} {
		got, err := os.ReadFile(filepath.Join(dir, node, "etc/hafile/credentials", res.Secrets[0].Name))
		if err != nil || strings.TrimSpace(string(got)) != want {
			t.Errorf("%s: its credential is not the one of the originals: %v", node, err)
		}
	}
}

// TestNginxPairEditsAreWhatTheyAreCalled: each edit of the story changes one thing.
func TestNginxPairEditsAreWhatTheyAreCalled(t *testing.T) {
	dir := filepath.Join(exampleRoot, "nginx-pair")
	base := compile(t, dir).Plans["nginx01"]
	want := map[string]struct {
		address string
		action  diff.Action
		class   diff.Class
	}{
		"vip-added":       {"instance.VI_1", diff.Update, diff.Gains},
		"priority-up":     {"instance.VI_1", diff.Update, diff.Stays},
		"script-edited":   {"script.chk_nginx", diff.Update, diff.None},
		"renamed":         {"instance.web", diff.Rename, diff.None},
		"second-instance": {"instance.VI_2", diff.Add, diff.Gains},
	}
	present, err := os.ReadDir(filepath.Join(dir, "edits"))
	if err != nil || len(present) != len(want) {
		t.Errorf("%d edits, %d expected: %v", len(present), len(want), err)
	}
	for edit, w := range want {
		changes, _ := diff.Plans(base, compile(t, filepath.Join(dir, "edits", edit)).Plans["nginx01"], diff.Present{})
		if len(changes) != 1 {
			t.Errorf("%s changes %d things: %+v", edit, len(changes), changes)
			continue
		}
		if c := changes[0]; string(c.Address) != w.address || c.Action != w.action || c.Impact.Class != w.class {
			t.Errorf("%s: %s %s, %s; want %s %s, %s", edit, c.Action, c.Address, c.Impact.Class, w.action, w.address, w.class)
		}
	}
}

// TestExampleStoriesAreReadable: every story parses, and its edits exist.
func TestExampleStoriesAreReadable(t *testing.T) {
	for _, name := range exampleFiles(t, "*.hatest.hcl") {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		suite, ds := hatest.Parse([]string{name}, map[string][]byte{name: src}, eval.Functions())
		if len(ds) > 0 {
			t.Errorf("%s: %v", name, ds)
		}
		for _, r := range suite.Runs {
			for _, e := range r.Events {
				if e.Dir != "" {
					compile(t, filepath.Join(filepath.Dir(name), e.Dir))
				}
			}
		}
	}
}
