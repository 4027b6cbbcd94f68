package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/hashicorp/hcl/v2"

	"hafile/lang"
	"hafile/lang/diag"
	"hafile/lang/module"
	"hafile/modules"
)

func moduleNames(t *testing.T) []string {
	t.Helper()
	entries, err := fs.ReadDir(modules.FS, ".")
	if err != nil || len(entries) < 4 {
		t.Fatalf("%d modules: %v", len(entries), err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestModuleReadmesStartWithTheSmallestUse, and say every variable and output: the tables
// at their end are made from the module.
func TestModuleReadmesStartWithTheSmallestUse(t *testing.T) {
	for _, name := range moduleNames(t) {
		file := filepath.Join(library, name, "README.md")
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(src), "# "+name+"\n\n```hcl\n") {
			t.Errorf("%s does not start with an example", file)
		}
		written, _, _ := strings.Cut(string(src), "\n## Variables\n")
		golden(t, file, []byte(strings.TrimRight(written, "\n")+"\n"+moduleTables(t, name)))
	}
}

// moduleTables are the variables and outputs of a module as its README lists them.
func moduleTables(t *testing.T, name string) string {
	t.Helper()
	files := map[string][]byte{}
	names, err := fs.Glob(modules.FS, name+"/*.ha.hcl")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		files[n], _ = fs.ReadFile(modules.FS, n) // it is embedded
	}
	m, ds := module.Load(modules.FS, name, files, nil)
	if ds = append(ds, m.Index()...); ds.HasErrors() {
		t.Fatal(ds)
	}
	text := func(b *hcl.Block, attr string) string {
		attrs, _ := b.Body.JustAttributes() // validation blocks are no attributes
		a := attrs[attr]
		if a == nil {
			return ""
		}
		r := a.Expr.Range()
		return strings.Trim(strings.Join(strings.Fields(string(files[r.Filename][r.Start.Byte:r.End.Byte])), " "), `"`)
	}
	var b strings.Builder
	b.WriteString("\n## Variables\n\n| name | type | default | |\n|---|---|---|---|\n")
	for _, d := range m.Of("var") {
		def := "required"
		if v := text(d.Block, "default"); v != "" {
			def = "`" + v + "`"
		}
		doc := text(d.Block, "description")
		if doc == "" {
			t.Errorf("%s: variable %q has no description", name, d.Name)
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s |\n", d.Name, strings.ReplaceAll(text(d.Block, "type"), "|", `\|`), def, doc)
	}
	b.WriteString("\n## Outputs\n\n| name | |\n|---|---|\n")
	for _, d := range m.Of("output") {
		fmt.Fprintf(&b, "| `%s` | %s |\n", d.Name, text(d.Block, "description"))
	}
	return b.String()
}

// TestModulesAreTheSameByPath: a copy of the module in the repository makes the plan that
// the one from inside the binary makes.
func TestModulesAreTheSameByPath(t *testing.T) {
	for _, name := range moduleNames(t) {
		fsys := fstest.MapFS{}
		err := fs.WalkDir(os.DirFS(library), name, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.Contains(path, "golden") {
				return err
			}
			src, err := os.ReadFile(filepath.Join(library, path))
			src = bytes.ReplaceAll(src, []byte(`"hafile/`+name+`"`), []byte(`"../"`))
			fsys[path] = &fstest.MapFile{Data: src}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		res, ds := lang.Compile(fsys, name+"/example", lang.Inputs{Version: version})
		if ds.HasErrors() {
			t.Fatal(ds)
		}
		inside := compile(t, filepath.Join(library, name, "example"))
		for node, p := range inside.Plans {
			if res.Plans[node].Digest() != p.Digest() {
				t.Errorf("%s: the plan of %s differs", name, node)
			}
		}
	}
}

// Each validation of each module says no to what it is there for.
func TestModulesRefuseWhatMakesNoSense(t *testing.T) {
	nodes := "node \"a\" { address = \"10.0.0.11\" }\nnode \"b\" { address = \"10.0.0.12\" }\n"
	tests := []struct{ module, args, want string }{
		{"web-pair", `nodes = [node.a]`, "A single machine cannot fail over"},
		{"web-pair", `vips = []`, "nothing to hold"},
		{"web-pair", `router_id = 0`, "A VRID is"},
		{"web-pair", `listen = "127.0.0.1"`, "Write ADDRESS:PORT"},
		{"dual-stack-gateway", `nodes = [node.a]`, "two to four"},
		{"dual-stack-gateway", `gateway4 = "192.0.2.1"`, "with its prefix"},
		{"dual-stack-gateway", `gateway4 = "2001:db8::1/64"`, "an IPv4 address"},
		{"dual-stack-gateway", `gateway6 = "192.0.2.1/24"`, "an IPv6 address"},
		{"dual-stack-gateway", `link_local = "2001:db8::1"`, "begins with fe80:"},
		{"dual-stack-gateway", `router_id = 1.5`, "A VRID is"},
		{"active-active", `nodes = [node.a]`, "A single machine cannot fail over"},
		{"active-active", `sides = { x = { owner = "c", router_id = 1, vips = ["10.0.0.1"] } }`, "name of one of the nodes"},
		{"active-active", `sides = { x = { owner = "a", router_id = 1, vips = ["10.0.0.1"] }, y = { owner = "b", router_id = 1, vips = ["10.0.0.2"] } }`, "a VRID of its own"},
		{"active-active", `sides = { x = { owner = "a", router_id = 1, vips = [] } }`, "needs an address"},
		{"database-vip", `nodes = [node.a]`, "two to four"},
		{"database-vip", `router_id = 256`, "A VRID is"},
		{"database-vip", `leader_url = "127.0.0.1:8008"`, "http://"},
	}
	good := map[string]map[string]string{
		"web-pair":           {"nodes": "[node.a, node.b]", "vips": `["10.0.0.10"]`, "interface": `"eth0"`},
		"dual-stack-gateway": {"nodes": "[node.a, node.b]", "gateway4": `"10.0.0.1/24"`, "interface": `"eth0"`},
		"active-active":      {"nodes": "[node.a, node.b]", "url": `"http://127.0.0.1/"`, "interface": `"eth0"`, "sides": `{ x = { owner = "a", router_id = 1, vips = ["10.0.0.1"] } }`},
		"database-vip":       {"nodes": "[node.a, node.b]", "vip": `"10.0.0.10"`, "interface": `"eth0"`},
	}
	for _, tt := range tests {
		given, _, _ := strings.Cut(tt.args, " ")
		args := "  " + tt.args + "\n"
		for name, value := range good[tt.module] {
			if name != given {
				args += "  " + name + " = " + value + "\n"
			}
		}
		src := nodes + "module \"x\" {\n  source = \"hafile/" + tt.module + "\"\n" + args + "}\n"
		_, ds := lang.CompileSource("x.ha.hcl", []byte(src), lang.Inputs{Library: modules.FS})
		said := func(d diag.Diagnostic) bool { return d.Code == "HA1012" && strings.Contains(d.Detail, tt.want) }
		if !slices.ContainsFunc(ds, said) {
			t.Errorf("%s, %s: %v", tt.module, tt.args, ds)
		}
	}
}

// TestExampleStoriesHold plays every story. One that asks for what this release cannot do
// says so; it is played from the day on which that is there.
func TestExampleStoriesHold(t *testing.T) {
	played := 0
	for _, dir := range exampleDirs(t) {
		if names, _ := storyFiles(dir); len(names) == 0 {
			continue
		}
		var out, errs bytes.Buffer
		code := run(t.Context(), []string{"test", dir}, streams{strings.NewReader(""), &out, &errs})
		switch {
		case code == exitOK:
			played++
		case code == exitError && strings.Contains(errs.String(), "HA1901") && !strings.Contains(errs.String(), "HA5003"):
		default:
			t.Errorf("%s: exit code %d\n%s%s", dir, code, &out, &errs)
		}
	}
	if played < 5 {
		t.Errorf("only %d stories could be played", played)
	}
}
