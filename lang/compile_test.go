package lang

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"hafile/lang/diag"
	"hafile/lang/format"
	"hafile/lang/plan"
)

var update = flag.Bool("update", false, "rewrite the golden files; read the difference before you commit it")

// TestFleetOfAModule is sample (d): a module, three clusters, machines in a CSV file. Its
// plans are beside it, see cmd/hafile.
func TestFleetOfAModule(t *testing.T) {
	r, ds := Compile(os.DirFS("../examples/fleet"), ".", Inputs{Version: "0.1.0"})
	if ds.HasErrors() {
		t.Fatal(text(ds, r))
	}
	if len(r.Plans) != 7 {
		t.Fatalf("%d plans", len(r.Plans))
	}
	if got := string(r.Outputs["owners"].Value); got != `{"ams":"ams-lb1","fra":"fra-lb1","sin":"sin-lb1"}` {
		t.Errorf("owners %s", got)
	}
	compare(t, "testdata/fleet.warnings.golden.txt", []byte(text(ds, r)))
}

func compare(t *testing.T, golden string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s (-want +got):\n%s", golden, d)
	}
}

// TestPairDiffersInThreePlaces is what the language promises of sample (b): beside the
// node, priority, source address and the sender of the mail.
func TestPairDiffersInThreePlaces(t *testing.T) {
	r, ds := Compile(os.DirFS("../examples/classic-pair"), ".", Inputs{})
	if ds.HasErrors() {
		t.Fatal(text(ds, r))
	}
	a, b := r.Plans["lb1"], r.Plans["lb2"]
	x, y := &a.Desired.Instances[0], &b.Desired.Instances[0]
	if x.Priority == y.Priority || x.SourceAddress == y.SourceAddress || a.Desired.Notifies[0].Email.From == b.Desired.Notifies[0].Email.From {
		t.Fatal("something is equal that should differ")
	}
	b.Node, y.Priority, y.SourceAddress = a.Node, x.Priority, x.SourceAddress
	b.Desired.Notifies[0].Email.From = a.Desired.Notifies[0].Email.From
	if a.Digest() != b.Digest() {
		t.Error("the plans differ in more")
	}
}

// TestBrokenFiles compares the diagnostics of testdata/broken, positions included. Each
// archive holds the files, what was given on the command line, and what is said.
func TestBrokenFiles(t *testing.T) {
	archives, _ := filepath.Glob("testdata/broken/*.txtar")
	if len(archives) == 0 {
		t.Fatal("no archives")
	}
	for _, file := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			fsys, in, a := unpack(t, file)
			r, ds := Compile(fsys, ".", in)
			a.Files = append(a.Files, txtar.File{Name: "want", Data: []byte(ranges(ds) + "\n" + text(ds, r))})
			compare(t, file, txtar.Format(a))
			for _, d := range ds {
				complete(t, d)
			}
		})
	}
}

// unpack reads an archive of files, with the values of variables in "vars". What is
// wanted is left out of it.
func unpack(t *testing.T, file string) (fstest.MapFS, Inputs, *txtar.Archive) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	a := txtar.Parse(raw)
	fsys, in := fstest.MapFS{}, Inputs{Version: "0.1.0"}
	a.Files = slices.DeleteFunc(a.Files, func(f txtar.File) bool { return f.Name == "want" })
	for _, f := range a.Files {
		if f.Name == "vars" {
			in.Vars = varsOf(string(f.Data))
			continue
		}
		fsys[f.Name] = &fstest.MapFile{Data: f.Data}
	}
	return fsys, in, a
}

func varsOf(lines string) []Var {
	var vars []Var
	for line := range strings.Lines(lines) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		vars = append(vars, Var{Name: name, Value: value})
	}
	return vars
}

func ranges(ds diag.Diagnostics) string {
	var b strings.Builder
	for _, d := range ds {
		if d.Range == nil {
			fmt.Fprintf(&b, "%s %s nowhere\n", d.Code, d.Severity)
			continue
		}
		fmt.Fprintf(&b, "%s %s %s:%d:%d-%d:%d\n", d.Code, d.Severity, d.Range.Filename, d.Range.Start.Line, d.Range.Start.Column, d.Range.End.Line, d.Range.End.Column)
	}
	return b.String()
}

func text(ds diag.Diagnostics, r *Result) string {
	var b bytes.Buffer
	_ = diag.Render(&b, ds, diag.Options{Sources: r.Files, Width: diag.PageWidth})
	return b.String()
}

// complete is what every message owes its reader.
func complete(t *testing.T, d diag.Diagnostic) {
	t.Helper()
	if _, ok := diag.Explain(d.Code); !ok {
		t.Errorf("%s has no entry", d.Code)
	}
	if d.Summary == "" || d.Detail == "" {
		t.Errorf("%s: no summary or no next step: %+v", d.Code, d)
	}
}

// TestEveryCodeIsExplained reads the sources: a code that is used and not explained is
// no help to anybody.
func TestEveryCodeIsExplained(t *testing.T) {
	used := codesIn(t, ".")
	for _, code := range used {
		if e, ok := diag.Explain(code); !ok || e.Title == "" || e.Cause == "" || e.Cure == "" {
			t.Errorf("%s is used in lang and has no entry in lang/diag/codes.go", code)
		}
	}
}

func TestHostileInputIsRefusedAndNeverCrashes(t *testing.T) {
	pair, err := os.ReadFile("../examples/classic-pair/classic-pair.ha.hcl")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, src string
		code      string // empty: it compiles
	}{
		{"200 kB of parentheses", "locals {\n a = " + strings.Repeat("(", 200_000), "HA1011"},
		{"balanced parentheses", "locals {\n a = " + strings.Repeat("(", 300) + "1" + strings.Repeat(")", 300) + "\n}\n", "HA1011"},
		{"spaced parentheses", "locals {\n a = " + strings.Repeat("( ", 100_000), "HA1011"},
		{"unary operators", "locals {\n a = " + strings.Repeat("!", 300_000) + "true\n}\n", "HA1011"},
		{"spaced unary operators", "locals {\n a = " + strings.Repeat("! ", 300_000) + "true\n}\n", "HA1011"},
		{"binary operators", "locals {\n a = 1" + strings.Repeat("+1", 500_000) + "\n}\n", "HA1011"},
		{"ternary operators", "locals {\n a = " + strings.Repeat("1?1:", 500_000) + "1\n}\n", "HA1011"},
		{"nested templates", "locals {\n a = " + strings.Repeat(`"${`, 60_000), "HA1011"},
		{"nested directives", "locals {\n a = \"" + strings.Repeat(`%{if true}`, 5_000) + "\"\n}\n", "HA1011"},
		{"nested blocks", strings.Repeat("a {\n", 300_000), "HA1011"},
		{"index chain", "locals {\n a = [0]" + strings.Repeat("[0]", 100_000) + "\n}\n", "HA1011"},
		{"a large file", "# " + strings.Repeat("x", 5<<20), "HA1011"},
		{"NUL", "locals {\n a = \"\x00\"\n}\n", "HA1011"},
		{"invalid UTF-8", "locals {\n a = \"\xff\xfe\"\n}\n", "HA1011"},
		{"escape", "locals {\n a = \x1b[2J\n}\n", "HA1000"},
		{"byte order mark", "\ufeff" + string(pair), ""},
		{"CRLF", strings.ReplaceAll(string(pair), "\n", "\r\n"), ""},
		{"empty", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, ds := CompileSource("x.ha.hcl", []byte(tt.src), Inputs{})
			if tt.code == "" {
				if ds.HasErrors() {
					t.Fatal(text(ds, r))
				}
				return
			}
			if len(ds) == 0 || ds[0].Code != tt.code {
				t.Fatalf("want %s, got:\n%.2000s", tt.code, text(ds, r))
			}
			if out := text(ds, r); strings.ContainsAny(out, "\x1b\x00") {
				t.Errorf("control characters in %q", out)
			}
		})
	}
}

func TestHostileJSONIsRefused(t *testing.T) {
	for name, src := range map[string]string{
		"arrays":    strings.Repeat("[", 300_000),
		"objects":   strings.Repeat(`{"a":`, 300_000),
		"templates": `{"locals": {"a": "${` + strings.Repeat("(", 60_000) + `}"}}`,
		"escapes":   `{"locals": {"a": "\u0024{` + strings.Repeat("(", 60_000) + `}"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			r, ds := CompileSource("x.ha.json", []byte(src), Inputs{})
			if len(ds) == 0 || ds[0].Code != "HA1011" {
				t.Fatalf("got:\n%.2000s", text(ds, r))
			}
		})
	}
}

func TestDirectoryIsOneConfiguration(t *testing.T) {
	fsys := fstest.MapFS{
		"a.ha.hcl": {Data: []byte(`
			node "lb1" { address = "10.0.0.11" }
			instance "web" {
			  interface = var.nic
			  router_id = var.vrid
			  members   = [for r in local.rows : node[r.name]]
			  vip { address = "10.0.0.10" }
			}`)},
		"b.ha.json": {Data: []byte(`{
			"//": "written by a generator",
			"node": {"lb2": {"address": "10.0.0.12"}},
			"variable": {"vrid": {"type": "number"}, "nic": {"default": "eth0"}},
			"locals": {"rows": "${csvdecode(file(\"nodes.csv\"))}"}
		}`)},
		"x.auto.havars.hcl": {Data: []byte("vrid = 61\nnic = \"eth1\"\n")},
		"nodes.csv":         {Data: []byte("name\nlb2\nlb1\n")},
		"notes.hcl":         {Data: []byte("((((")},
		"sub/c.ha.hcl":      {Data: []byte("((((")},
	}
	env := func(name string) (string, bool) { return "99", name == "HAFILE_VAR_vrid" }
	r, ds := Compile(fsys, ".", Inputs{Env: env, Vars: []Var{{File: "over.havars.hcl", Data: []byte("nic = \"eth2\"\n")}, {Name: "nic", Value: "eth3"}}})
	if ds.HasErrors() {
		t.Fatal(text(ds, r))
	}
	got := r.Plans["lb2"].Desired.Instances[0]
	if got.VRID != 61 || got.Interface != "eth3" || got.Priority != 200 {
		t.Errorf("VRID %d on %s, priority %d", got.VRID, got.Interface, got.Priority)
	}
	if r.Hashes["nodes.csv"] == "" || r.Hashes["notes.hcl"] != "" {
		t.Errorf("hashes %v", r.Hashes)
	}
	if r.Variables["vrid"] == "" {
		t.Error("the variable is not recorded")
	}
}

func TestSubdirectoryKeepsItsOwnNames(t *testing.T) {
	src, err := os.ReadFile("../examples/smallest/smallest.ha.hcl")
	if err != nil {
		t.Fatal(err)
	}
	fsys := fstest.MapFS{"examples/pair/pair.ha.hcl": {Data: src}}
	r, ds := Compile(fsys, "examples/pair", Inputs{})
	if ds.HasErrors() {
		t.Fatal(text(ds, r))
	}
	if got := r.Plans["lb1"].Sources[0].File; got != "pair.ha.hcl" {
		t.Errorf("the plan names %q", got)
	}
	if _, ok := r.Files["examples/pair/pair.ha.hcl"]; !ok {
		t.Error("ranges name another file than Files")
	}
}

func TestForEachMakesInstances(t *testing.T) {
	r, ds := CompileSource("x.ha.hcl", []byte(`
		node "lb" {
		  for_each  = { lb1 = "10.0.0.11", lb2 = "10.0.0.12" }
		  address   = each.value
		  interface = "bond0"
		  labels    = { side = each.key == "lb1" ? "left" : "right" }
		}
		script "up" {
		  for_each = toset(["a", "b"])
		  command  = ["/bin/check", each.key]
		}
		notify "hook" {
		  on = ["active"]
		  exec { command = ["/bin/hook", self.name, self.labels.side] }
		}
		instance "v" {
		  for_each  = { a = 61, b = 62 }
		  router_id = each.value
		  notify    = [notify.hook]

		  dynamic "member" {
		    for_each = node.lb
		    labels   = [member.key]
		    content {
		      priority = (member.key == "lb1") == (each.key == "a") ? 150 : 100
		    }
		  }
		  dynamic "vip" {
		    for_each = [10, 20]
		    content {
		      address = cidrhost("10.0.${each.value}.0/24", vip.value)
		    }
		  }
		  dynamic "track" {
		    for_each = [script.up[each.key]]
		    content {
		      script = track.value
		    }
		  }
		}
		output "preferred" { value = { for k, i in instance.v : k => i.preferred } }`), Inputs{})
	if ds.HasErrors() {
		t.Fatal(text(ds, r))
	}
	d := r.Plans["lb2"].Desired
	var got []string
	for _, in := range d.Instances {
		got = append(got, fmt.Sprintf("%s %d %d %s %s %s", in.Address, in.VRID, in.Priority, in.Interface, in.VIPs[1].Address, in.Track[0].Check))
	}
	want := []string{
		`instance.v["a"] 61 100 bond0 10.0.61.20/32 script.up["a"]`,
		`instance.v["b"] 62 150 bond0 10.0.62.20/32 script.up["b"]`,
	}
	if x := cmp.Diff(want, got); x != "" {
		t.Error(x)
	}
	if x := cmp.Diff([]string{"/bin/hook", "lb2", "right"}, d.Notifies[0].Exec.Command); x != "" {
		t.Error(x)
	}
	if got := string(r.Outputs["preferred"].Value); got != `{"a":"lb1","b":"lb2"}` {
		t.Errorf("output %s", got)
	}
}

func TestSelfIsEvaluatedOncePerMember(t *testing.T) {
	r, ds := CompileSource("x.ha.hcl", []byte(`
		node "a" { address = "10.0.0.11" }
		node "b" { address = "10.0.0.12" }
		instance "web" {
		  interface = self.name == "a" ? "eth0" : "eth1"
		  router_id = 51
		  members   = [node.a, node.b]
		  member "b" { priority = self.name == "b" ? 120 : 1 }
		  vip { address = "10.0.0.10" }
		}`), Inputs{})
	if ds.HasErrors() {
		t.Fatal(text(ds, r))
	}
	a, b := r.Plans["a"].Desired.Instances[0], r.Plans["b"].Desired.Instances[0]
	if a.Interface != "eth0" || b.Interface != "eth1" || a.Priority != 200 || b.Priority != 120 {
		t.Errorf("a: %s %d, b: %s %d", a.Interface, a.Priority, b.Interface, b.Priority)
	}
	if a.Members[1].Priority != 120 {
		t.Errorf("a believes that b has %d", a.Members[1].Priority)
	}
}

func TestAcceptedWarningsAreSetAside(t *testing.T) {
	src, err := os.ReadFile("../examples/classic-pair/classic-pair.ha.hcl")
	if err != nil {
		t.Fatal(err)
	}
	src = bytes.Replace(src, []byte(`required_version = ">= 0.1"`), []byte(`accept = ["HA2102"]`), 1)
	r, ds := CompileSource("x.ha.hcl", src, Inputs{})
	if len(ds) != 0 {
		t.Error(text(ds, r))
	}
	if len(r.Accepted) != 1 || r.Accepted[0].Code != "HA2102" {
		t.Errorf("accepted: %v", r.Accepted)
	}
}

func TestSameInputsGiveTheSameBytes(t *testing.T) {
	var first []byte
	for range 20 {
		r, ds := Compile(os.DirFS("../examples/classic-pair"), ".", Inputs{})
		raw, err := json.Marshal(struct {
			P map[string]*plan.Plan
			D diag.Diagnostics
		}{r.Plans, ds})
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = raw
		}
		if !bytes.Equal(first, raw) {
			t.Fatal("two runs differ")
		}
	}
}

func TestSelectNode(t *testing.T) {
	r, ds := CompileSource("x.ha.hcl", []byte(`
		node "lb1" {
		  address = "10.0.0.11"
		  match   = ["web-a*"]
		}
		node "lb2" { address = "10.0.0.12" }
		node "lb3" { match = ["web-*"] }`), Inputs{})
	if ds.HasErrors() {
		t.Fatal(text(ds, r))
	}
	on := func(a ...string) []netip.Addr {
		var out []netip.Addr
		for _, s := range a {
			out = append(out, netip.MustParseAddr(s))
		}
		return out
	}
	tests := []struct {
		name, explicit string
		host           HostFacts
		want, says     string
	}{
		{name: "named", explicit: "lb3", host: HostFacts{Name: "lb1"}, want: "lb3"},
		{name: "named wrongly", explicit: "lb4", says: `Did you mean "lb1"?`},
		{name: "by name", host: HostFacts{Name: "lb2"}, want: "lb2"},
		{name: "by the first label", host: HostFacts{Name: "LB2.example.net."}, want: "lb2"},
		{name: "by pattern", host: HostFacts{Name: "web-b"}, want: "lb3"},
		{name: "two patterns", host: HostFacts{Name: "web-a1", Addresses: on("10.0.0.11")}, says: "fits the host name"},
		{name: "by address", host: HostFacts{Name: "other", Addresses: on("127.0.0.1", "10.0.0.12")}, want: "lb2"},
		{name: "two addresses", host: HostFacts{Name: "other", Addresses: on("10.0.0.11", "10.0.0.12")}, says: "is on this machine"},
		{name: "none", host: HostFacts{Name: "laptop"}, says: "-node NAME"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, d := r.SelectNode(tt.explicit, tt.host)
			if got != tt.want || (d == nil) != (tt.says == "") {
				t.Fatalf("got %q, %v", got, d)
			}
			if d != nil && !strings.Contains(d.Detail, tt.says) {
				t.Errorf("it says %s", d.Detail)
			}
		})
	}
}

// FuzzCompile: no input crashes the compiler or puts a control character on a terminal,
// and fmt never changes a plan.
func FuzzCompile(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, src []byte) {
		r, ds := CompileSource("x.ha.hcl", src, Inputs{})
		for _, d := range ds {
			complete(t, d)
		}
		if out := text(ds, r); strings.ContainsAny(strings.ReplaceAll(out, "\n", ""), "\x00\x07\x1b\r\t") {
			t.Fatalf("control characters in %q", out)
		}
		formatted, fds := format.Format(src, "x.ha.hcl")
		if fds.HasErrors() || ds.HasErrors() {
			return
		}
		again, ds2 := CompileSource("x.ha.hcl", formatted, Inputs{})
		if ds2.HasErrors() {
			t.Fatalf("fmt broke it: %v\n%s", ds2, formatted)
		}
		for node, p := range r.Plans {
			if p.Digest() != again.Plans[node].Digest() {
				t.Fatalf("fmt changed the plan of %s", node)
			}
		}
	})
}

// FuzzModule: the same for a module that is called, for each key of a map.
func FuzzModule(f *testing.F) {
	f.Add([]byte(pairModule))
	f.Add([]byte("module \"m\" {\n source = \"../pair\"\n}\noutput \"x\" { value = module.m }\n"))
	f.Add([]byte("variable \"vrid\" {\n validation {\n condition = var.vrid > var.vip\n error_message = \"x\"\n }\n}\n"))
	seeds(f)
	f.Fuzz(func(t *testing.T, src []byte) {
		fsys := fstest.MapFS{
			"x.ha.hcl": {Data: []byte(twoNodes + `
				module "m" {
				  for_each = { a = 51, b = 52 }
				  source   = "./pair"
				  vrid     = each.value
				  vip      = "10.0.${each.value}.10"
				}
				output "x" { value = module.m["a"] }`)},
			"pair/main.ha.hcl": {Data: src},
		}
		r, ds := Compile(fsys, ".", Inputs{})
		for _, d := range ds {
			complete(t, d)
		}
		if out := text(ds, r); strings.ContainsAny(strings.ReplaceAll(out, "\n", ""), "\x00\x07\x1b\r\t") {
			t.Fatalf("control characters in %q", out)
		}
	})
}

func seeds(f *testing.F) {
	for _, pattern := range []string{"../examples/*/*.ha.hcl", "testdata/broken/*.txtar"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			if !strings.HasSuffix(file, ".txtar") {
				f.Add(raw)
				continue
			}
			for _, part := range txtar.Parse(raw).Files {
				if strings.HasSuffix(part.Name, ".ha.hcl") {
					f.Add(part.Data)
				}
			}
		}
	}
}

func indent(t *testing.T, v any) []byte {
	t.Helper()
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(raw, '\n')
}
