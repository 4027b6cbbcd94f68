package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The rules of the tree, as a test: who may import whom, who may ask the clock, and that
// every package says what it is. The reason stands beside each rule.

const root = "../.."

// mayImport lists what of ours each package may import; what is not listed it may not.
// Tests are free: they may build a whole machine around one part.
var mayImport = map[string][]string{
	"lang/plan":               {},
	"lang/diag":               {"lang/plan"},
	"lang/diff":               {"lang/plan"},
	"lang/planfile":           {"lang/plan", "lang/diff", "lang/diag"},
	"lang/render":             {"lang/planfile", "lang/diff", "lang/plan", "lang/diag"},
	"lang/story":              {"lang/plan", "lang/diag"},
	"lang/vendored":           {"lang/diag"}, // what was copied from elsewhere, and whether it still is that
	"lang/hatest":             {"lang/eval", "lang/module", "lang/story", "lang/plan", "lang/diag"},
	"lang/schema":             {"lang/plan", "lang/diag"},
	"lang/module":             {"lang/plan", "lang/diag", "lang/schema"},
	"lang/eval":               {"lang/plan", "lang/diag", "lang/schema", "lang/module"},
	"lang/format":             {"lang/diag", "lang/module", "lang/schema"},
	"lang":                    {"lang/plan", "lang/diag", "lang/diff", "lang/schema", "lang/module", "lang/eval"},
	"lang/sshsig":             {}, // bytes and keys
	"lang/revision":           {}, // what a commit contains has no meaning there
	"lang/convert/keepalived": {"lang", "lang/plan", "lang/diff", "lang/diag", "lang/format"},
	"runtime/vrrp/wire":       {},
	"runtime/vrrp":            {"runtime/vrrp/wire"},
	"runtime/kernel":          {},
	"runtime/keepalived":      {}, // processes and signals; what it is configured with is for the converter
	"runtime/hysteresis":      {},
	"runtime/program":         {},
	"runtime/announce":        {},
	"runtime/node":            {"runtime/vrrp", "runtime/vrrp/wire", "runtime/kernel", "lang/plan"},
	"runtime/sim":             {"runtime/node", "runtime/vrrp", "runtime/vrrp/wire", "runtime/kernel", "runtime/hysteresis", "lang/plan", "lang/diff", "lang/story"},
	"runtime/engine":          {"runtime/node", "runtime/vrrp", "runtime/vrrp/wire", "runtime/kernel", "lang/plan"},
	"runtime/kernel/netlink":  {"runtime/kernel"},
	"runtime/rawsock":         {"runtime/vrrp/wire"},
	"runtime/health":          {"runtime/hysteresis", "runtime/program", "lang/plan"},
	"runtime/notify":          {"runtime/program", "lang/plan"},
	"runtime/notify/smtpsink": {},
	"runtime/host":            {"runtime/kernel", "runtime/program"},
	"runtime/rollout":         {"runtime/control", "lang/plan", "lang/planfile", "lang/diff"}, // order and halting; how nodes are reached is the command's
	"runtime/store":           {"lang/plan", "runtime/keepalived"},
	"runtime/drift":           {"runtime/control", "runtime/kernel", "lang/plan"}, // a second opinion beside the daemon's
	"runtime/peers":           {"lang/plan"},                                      // what members tell each other beside their adverts
	"runtime/control":         {"lang/plan", "lang/planfile", "lang/diff", "runtime/keepalived"},
	"runtime/lab/netns":       {},
	"runtime/lab":             {"runtime/lab/netns", "runtime/control", "runtime/notify/smtpsink", "lang/plan", "lang/diff", "lang/story"},
	"runtime":                 {"any"}, // the one place where the owners meet
	"modules":                 {},      // the modules that come with hafile, and nothing but them
	"examples":                {},      // what hafile init writes
	"cmd/hafile":              {"any"}, // it decides nothing
}

// onlyIn says where a library ends.
var onlyIn = []struct {
	library string
	in      []string
	why     string
}{
	{"github.com/hashicorp/hcl/", []string{"lang", "lang/eval", "lang/module", "lang/schema", "lang/format", "lang/convert/keepalived", "lang/hatest"},
		"HCL ends in the compiler: 200 kB of (((( kill any process that parses it, and the daemon must not die of a file"},
	{"github.com/zclconf/go-cty/", []string{"lang", "lang/eval", "lang/schema", "lang/hatest", "lang/convert/keepalived"},
		"cty ends where values become a plan"},
	{"github.com/vishvananda/netlink", []string{"runtime/kernel/netlink", "runtime/lab", "runtime/lab/netns"},
		"one owner of the host's netlink, beside the lab that makes its own networks"},
	{"github.com/spf13/cobra", []string{"cmd/hafile"}, "commands are parsed in one place"},
}

// noClock are the packages in which time comes from outside and nothing is random.
var noClock = []string{"runtime/vrrp", "runtime/vrrp/wire", "runtime/node", "runtime/sim", "runtime/kernel", "runtime/hysteresis", "lang/plan", "lang/diff"}

func TestTree(t *testing.T) {
	for dir, files := range packages(t) {
		if strings.HasPrefix(dir, "runtime") || strings.HasPrefix(dir, "lang") || strings.HasPrefix(dir, "cmd") || dir == "modules" || dir == "examples" {
			checkImports(t, dir, files)
			checkClock(t, dir, files)
			checkDoc(t, dir, files)
		} else {
			t.Errorf("%s: a package outside of cmd, lang and runtime: the tree has those three, and modules and examples to embed", dir)
		}
	}
}

// packages are the directories with Go files, each with its files that are no tests.
func packages(t *testing.T) map[string][]*ast.File {
	t.Helper()
	found := map[string][]*ast.File{}
	fset := token.NewFileSet()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && path != root):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		f, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		found[dir] = append(found[dir], f)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 10 {
		t.Fatalf("only %d packages found: the walk is wrong", len(found))
	}
	return found
}

func imports(files []*ast.File) []string {
	var paths []string
	for _, f := range files {
		for _, i := range f.Imports {
			path, _ := strconv.Unquote(i.Path.Value)
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

func checkImports(t *testing.T, dir string, files []*ast.File) {
	allowed, listed := mayImport[dir]
	if !listed {
		t.Errorf("%s: no row in mayImport: say what it may import", dir)
		return
	}
	for _, path := range imports(files) {
		if ours, ok := strings.CutPrefix(path, "hafile/"); ok && !slices.Contains(allowed, ours) && !slices.Contains(allowed, "any") {
			t.Errorf("%s imports %s: it may import %v of ours (lang never imports runtime; runtime knows only the plan and the difference of two plans; vrrp knows neither)",
				dir, ours, allowed)
		}
		for _, rule := range onlyIn {
			if strings.HasPrefix(path, rule.library) && !slices.Contains(rule.in, dir) {
				t.Errorf("%s imports %s: only %v may: %s", dir, path, rule.in, rule.why)
			}
		}
	}
}

// checkClock finds calls that make a pure package depend on when or where it runs.
func checkClock(t *testing.T, dir string, files []*ast.File) {
	if !slices.Contains(noClock, dir) {
		return
	}
	banned := map[string]string{"time.Now": "", "time.Since": "", "time.Until": "", "time.After": "", "time.Sleep": "", "time.NewTimer": ""}
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok {
				if _, bad := banned[x.Name+"."+sel.Sel.Name]; bad {
					t.Errorf("%s calls %s.%s: time comes from outside here, so that the same events give the same effects", dir, x.Name, sel.Sel.Name)
				}
			}
			return true
		})
	}
	for _, path := range imports(files) {
		if dir == "runtime/kernel" && path == "net" || dir == "runtime/sim" && path == "math/rand/v2" {
			continue // the type of a MAC address; chance that a seed repeats
		}
		for _, bad := range []string{"math/rand", "crypto/rand", "os", "net", "log"} {
			if path == bad || strings.HasPrefix(path, bad+"/") && bad != "net" {
				t.Errorf("%s imports %s: it is pure", dir, path)
			}
		}
	}
}

func checkDoc(t *testing.T, dir string, files []*ast.File) {
	docs := 0
	for _, f := range files {
		if f.Doc != nil {
			docs++
		}
	}
	if docs != 1 {
		t.Errorf("%s has %d package comments: exactly one says what the package decides or owns", dir, docs)
	}
}
