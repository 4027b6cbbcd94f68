package lang

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"hafile/lang/module"
	"hafile/lang/plan"
	"hafile/lang/schema"
)

// tree is a file system of name and content pairs.
func tree(files ...string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for i := 0; i < len(files); i += 2 {
		fsys[files[i]] = &fstest.MapFile{Data: []byte(files[i+1])}
	}
	return fsys
}

// good compiles a directory that has no mistakes.
func good(t *testing.T, fsys fstest.MapFS, dir string, in Inputs) *Result {
	t.Helper()
	r, ds := Compile(fsys, dir, in)
	if ds.HasErrors() {
		t.Fatal(text(ds, r))
	}
	return r
}

const twoNodes = `
node "lb1" {
  address   = "10.0.0.11"
  address6  = "2001:db8::11"
  interface = "eth0"
}
node "lb2" {
  address   = "10.0.0.12"
  address6  = "2001:db8::12"
  interface = "eth0"
}
`

const pairModule = `
variable "vrid" { type = number }
variable "vip"  { type = string }
variable "note" {
  type    = string
  default = "none"
}
script "up" { command = ["/bin/check", "${path.module}"] }
instance "web" {
  router_id = var.vrid
  member "lb1" { priority = 150 }
  member "lb2" { priority = 100 }
  vip { address = var.vip }
  track { script = script.up }
}
output "preferred" { value = instance.web.preferred }
output "note" { value = var.note }
output "vip" { value = var.vip }
`

// Two modules may use each other's outputs, as long as no value needs itself.
func TestModulesUseEachOthersOutputs(t *testing.T) {
	r := good(t, tree("x.ha.hcl", twoNodes+`
		module "a" {
		  source = "./pair"
		  vrid   = 51
		  vip    = "10.0.0.10"
		  note   = module.b.vip
		}
		module "b" {
		  source = "./pair"
		  vrid   = 52
		  vip    = ipadd(module.a.vip, 1)
		}
		output "note" { value = module.a.note }`,
		"pair/main.ha.hcl", pairModule), ".", Inputs{})
	if got := string(r.Outputs["note"].Value); got != `"10.0.0.11"` {
		t.Errorf("note %s", got)
	}
	var got []string
	for _, in := range r.Plans["lb1"].Desired.Instances {
		got = append(got, fmt.Sprintf("%s %s %d %s", in.Address, in.Name, in.VRID, in.Track[0].Check))
	}
	want := []string{
		"module.a.instance.web a.web 51 module.a.script.up",
		"module.b.instance.web b.web 52 module.b.script.up",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if got := r.Plans["lb1"].Desired.Checks[0].Script.Command[1]; got != "./pair" {
		t.Errorf("path.module is %s", got)
	}
}

// A module of a module, called for each key of a map whose keys are no identifiers, and
// what is traced of all that.
func TestModulesNest(t *testing.T) {
	r := good(t, tree("x.ha.hcl", twoNodes+`
		module "site" {
		  for_each = { "ams.1" = 51, "fra/2" = 52 }
		  source   = "./site"
		  vrid     = each.value
		}`,
		"site/main.ha.hcl", `
		variable "vrid" {}
		module "web" {
		  source = "../pair"
		  vrid   = var.vrid
		  vip    = "10.0.${var.vrid}.10"
		}
		output "all" { value = module.web }`,
		"pair/main.ha.hcl", pairModule), ".", Inputs{})
	in := r.Plans["lb2"].Desired.Instances[1]
	if in.Address != `module.site["fra/2"].module.web.instance.web` || in.VIPs[0].Address.String() != "10.0.52.10/32" {
		t.Errorf("%s %s", in.Address, in.VIPs[0].Address)
	}
	var lines []string
	for _, s := range in.Via.Positions() {
		lines = append(lines, fmt.Sprintf("%s:%d", r.Plans["lb2"].Sources[s[0]].File, s[1]))
	}
	if d := cmp.Diff([]string{"site/main.ha.hcl:3", "x.ha.hcl:13", "x.ha.hcl:14"}, lines); d != "" {
		t.Error(d)
	}
}

func TestModulesOfTheLibraryAreFoundByName(t *testing.T) {
	library := tree("pair/main.ha.hcl", pairModule)
	r := good(t, tree("x.ha.hcl", twoNodes+`
		module "web" {
		  source = "hafile/pair"
		  vrid   = 51
		  vip    = "10.0.0.10"
		}`), ".", Inputs{Library: library})
	if got := r.Plans["lb1"].Sources[0].File; got != "hafile/pair/main.ha.hcl" {
		t.Errorf("the plan names %s", got)
	}
}

// Beside the directory, within what may be read; names in plans are as the directory sees
// them.
func TestModulesBesideTheDirectory(t *testing.T) {
	r := good(t, tree("sites/ams/x.ha.hcl", twoNodes+`
		locals { rows = csvdecode(file("${path.root}/rows.csv")) }
		module "web" {
		  source = "../../modules/pair"
		  vrid   = tonumber(local.rows[0].vrid)
		  vip    = "10.0.0.10"
		}`, "sites/ams/rows.csv", "vrid\n77\n",
		"modules/pair/main.ha.hcl", pairModule+`locals { motd = file("${path.module}/motd") }`, "modules/pair/motd", "hello"), "sites/ams", Inputs{})
	p := r.Plans["lb1"]
	if p.Desired.Instances[0].VRID != 77 {
		t.Errorf("VRID %d", p.Desired.Instances[0].VRID)
	}
	var files []string
	for _, s := range p.Sources {
		files = append(files, s.File)
	}
	want := []string{"../../modules/pair/main.ha.hcl", "../../modules/pair/motd", "rows.csv", "x.ha.hcl"}
	if d := cmp.Diff(want, files); d != "" {
		t.Error(d)
	}
}

func TestDefaultsHoldForAllInstances(t *testing.T) {
	r := good(t, tree("x.ha.hcl", `
		hafile {
		  max_impact = "stays"
		  defaults {
		    version    = 2
		    advert_int = "3s"
		    preempt    = false
		    announce { refresh = 0 }
		  }
		}`+twoNodes+`
		module "web" {
		  source = "./pair"
		  vrid   = 51
		  vip    = "10.0.0.10"
		}
		instance "own" {
		  router_id  = 52
		  advert_int = "1s"
		  members    = [node.lb1, node.lb2]
		  vip { address = "10.0.0.20" }
		  member "lb2" { preempt = true }
		}`, "pair/main.ha.hcl", pairModule), ".", Inputs{})
	d := &r.Plans["lb2"].Desired
	own, web := d.Instance("instance.own"), d.Instance("module.web.instance.web")
	if web.Version != 2 || web.AdvertMs != 3000 || web.Preempt || web.Announce.RefreshMs != 0 {
		t.Errorf("of the module: %+v", web)
	}
	if own.Version != 2 || own.AdvertMs != 1000 || !own.Preempt {
		t.Errorf("of the root: %+v", own)
	}
	if r.MaxImpact != "stays" {
		t.Errorf("max_impact %q", r.MaxImpact)
	}
}

func TestMovedTakesForEach(t *testing.T) {
	r := good(t, tree("x.ha.hcl", twoNodes+`
		locals { sites = { a = 51, b = 52 } }
		module "web" {
		  for_each = local.sites
		  source   = "./pair"
		  vrid     = each.value
		  vip      = "10.0.${each.value}.10"
		}
		moved {
		  for_each = local.sites
		  from     = instance.web[each.key]
		  to       = module.web[each.key].instance.web
		}
		moved {
		  from = module.old
		  to   = module.web["a"]
		}
		removed { from = instance.gone }`, "pair/main.ha.hcl", pairModule), ".", Inputs{})
	p := r.Plans["lb1"]
	for i := range p.Moved {
		p.Moved[i].Src = plan.Src{}
	}
	p.Removed[0].Src = plan.Src{}
	want := []plan.Move{
		{From: `instance.web["a"]`, To: `module.web["a"].instance.web`},
		{From: `instance.web["b"]`, To: `module.web["b"].instance.web`},
		{From: "module.old", To: `module.web["a"]`},
	}
	if d := cmp.Diff(want, p.Moved); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]plan.Removal{{From: "instance.gone", Release: plan.RemoveHandOver}}, p.Removed); d != "" {
		t.Error(d)
	}
}

// testdata/everything uses every argument of every block, and its plan shows where each
// arrives.
func TestEverythingReachesThePlan(t *testing.T) {
	r, ds := Compile(os.DirFS("testdata/everything"), ".", Inputs{Version: "0.1.0"})
	if ds.HasErrors() {
		t.Fatal(text(ds, r))
	}
	p := r.Plans["a"]
	compare(t, "testdata/everything/a.plan.golden.json", indent(t, p))
	if got := p.Desired.Instance("instance.u").Peers("a"); len(got) != 1 || got[0].String() != "10.0.0.12" {
		t.Errorf("peers %v", got)
	}
	if n := r.Nodes[0]; n.SSH != "root@a" || n.Status == "" || n.Prefix6.Bits() != 64 {
		t.Errorf("%+v", n)
	}
	if len(r.Unsupported["a"]) == 0 {
		t.Error("everything is supported: then this release has no use for plan.Unsupported")
	}
	for _, d := range r.Unsupported["a"] {
		complete(t, d)
		if d.Range == nil {
			t.Errorf("no place: %+v", d)
		}
	}
}

// What no file uses was never tried.
func TestEverythingUsesEveryArgument(t *testing.T) {
	used := map[string]bool{}
	files, _ := filepath.Glob("testdata/everything/*.ha.hcl")
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		body, ds := module.Parse(file, src)
		if ds.HasErrors() {
			t.Fatal(ds)
		}
		uses(body.(*hclsyntax.Body), "", used)
	}
	var walk func(b *schema.Block, path string)
	walk = func(b *schema.Block, path string) {
		if b.ForEach && !used[path+".for_each"] {
			t.Errorf("%s.for_each is nowhere in testdata/everything", path)
		}
		for _, a := range b.Args {
			if !used[path+"."+a.Name] && !a.Later && a.Wrong == "" {
				t.Errorf("%s.%s is nowhere in testdata/everything", path, a.Name)
			}
		}
		for _, n := range b.Blocks {
			if !n.Later {
				walk(n, path+"/"+n.Name)
			}
		}
	}
	walk(&schema.File, "")
}

func uses(b *hclsyntax.Body, path string, into map[string]bool) {
	for name := range b.Attributes {
		into[path+"."+name] = true
	}
	for _, n := range b.Blocks {
		uses(n.Body, path+"/"+n.Type, into)
	}
}

func TestLoopsEndAtTheDeadline(t *testing.T) {
	src := "locals { x = [for a in range(1000) : [for b in range(1000) : [for c in range(1000) : a + b + c]]] }\n"
	start := time.Now()
	_, ds := CompileSource("x.ha.hcl", []byte(src), Inputs{Deadline: 50 * time.Millisecond})
	if len(ds) != 1 || ds[0].Code != "HA1020" {
		t.Fatalf("%v", ds)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
}

// Five levels of ten calls each are a few lines and a hundred thousand modules.
func TestTooManyCallsAreRefused(t *testing.T) {
	fsys := fstest.MapFS{"m5/x.ha.hcl": {Data: []byte("locals { a = 1 }\n")}}
	for level := range 5 {
		var b strings.Builder
		for i := range 10 {
			fmt.Fprintf(&b, "module \"m%d\" { source = \"../m%d\" }\n", i, level+1)
		}
		fsys[fmt.Sprintf("m%d/x.ha.hcl", level)] = &fstest.MapFile{Data: []byte(b.String())}
	}
	_, ds := Compile(fsys, "m0", Inputs{})
	if len(ds) != 1 || ds[0].Code != "HA1010" {
		t.Fatalf("%v", ds)
	}
}

func TestTooManyFilesAreRefused(t *testing.T) {
	fsys := fstest.MapFS{}
	for i := range 10_000 {
		fsys[fmt.Sprintf("%d.ha.hcl", i)] = &fstest.MapFile{}
	}
	_, ds := Compile(fsys, ".", Inputs{})
	if len(ds) != 1 || ds[0].Code != "HA1011" || !strings.Contains(ds[0].Summary, "10000 files") {
		t.Fatalf("%v", ds)
	}
}

func TestSlowExpressionsAreNamed(t *testing.T) {
	var now time.Duration
	clock := func() time.Duration { now += time.Millisecond; return now }
	r, ds := CompileSource("x.ha.hcl", []byte("locals {\n a = 1 + 1\n}\n"), Inputs{Clock: clock})
	if ds.HasErrors() || len(r.Timings) != 1 || r.Timings[0].Took != time.Millisecond || r.Timings[0].Range.Start.Line != 2 {
		t.Errorf("%v %v", ds, r.Timings)
	}
}

// A route may be there for one member only: who takes part does not depend on it. And
// unicast instances of one VRID that send from different addresses do not meet.
func TestABlockForOneMember(t *testing.T) {
	r := good(t, tree("x.ha.hcl", twoNodes+`
instance "web" {
  router_id = 51
  members   = [node.lb1, node.lb2]
  vip { address = "10.0.0.10" }
  dynamic "route" {
    for_each = self.name == "lb1" ? [self.name] : []
    content {
      to  = "192.0.2.0/24"
      via = "10.0.0.254"
    }
  }
}
instance "a" {
  router_id = 60
  transport = "unicast"
  members   = [node.lb1, node.lb2]
  vip { address = "10.0.0.20" }
}
instance "b" {
  router_id = 60
  transport = "unicast"
  member "lb1" { source_address = "10.0.0.13" }
  member "lb2" { source_address = "10.0.0.14" }
  vip { address = "10.0.0.21" }
}
`), ".", Inputs{})
	for node, want := range map[string]int{"lb1": 1, "lb2": 0} {
		if got := len(r.Plans[node].Desired.Instance("instance.web").Routes); got != want {
			t.Errorf("%s has %d routes, want %d", node, got, want)
		}
	}
}
