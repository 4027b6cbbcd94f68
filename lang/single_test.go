package lang

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"hafile/lang/diag"
	"hafile/lang/plan"
	"hafile/modules"
)

// just is what a caller answers who wants the plan of one node.
func just(node string) func(*Result) string { return func(*Result) string { return node } }

// canonical is a plan as it is applied.
func canonical(t *testing.T, p *plan.Plan) []byte {
	t.Helper()
	if p == nil {
		return nil
	}
	return indent(t, p)
}

// single holds one compilation for each node against that of the fleet: the same bytes,
// and nothing said that is not said of the fleet.
func single(t *testing.T, compile func(Inputs) (*Result, diag.Diagnostics), in Inputs) {
	t.Helper()
	whole, all := compile(in)
	for _, n := range whole.Nodes {
		in.Node = just(n.Name)
		r, ds := compile(in)
		for name := range r.Plans {
			if name != n.Name {
				t.Errorf("%s: the plan of %s is made, too", n.Name, name)
			}
		}
		if ds.HasErrors() && !all.HasErrors() || len(r.Plans) == 0 && len(whole.Plans) > 0 && !all.HasErrors() {
			t.Errorf("%s: only alone is it an error:\n%s", n.Name, text(ds, r))
		}
		if a, b := canonical(t, whole.Plans[n.Name]), canonical(t, r.Plans[n.Name]); !all.HasErrors() && !bytes.Equal(a, b) {
			t.Errorf("%s: two plans:\n%s", n.Name, firstDifference(a, b))
		}
		said := ranges(all)
		for _, line := range strings.Split(strings.TrimSpace(ranges(ds)), "\n") {
			if !strings.Contains(said, line) {
				t.Errorf("%s: it is said of the node and not of the fleet: %s", n.Name, line)
			}
		}
	}
}

func firstDifference(a, b []byte) string {
	x, y := strings.Split(string(a), "\n"), strings.Split(string(b), "\n")
	for i := range x {
		if i >= len(y) || x[i] != y[i] {
			return strings.Join(x[i:min(i+3, len(x))], "\n") + "\nagainst\n" + strings.Join(y[min(i, len(y)):min(i+3, len(y))], "\n")
		}
	}
	return "the second is longer"
}

// A node's plan is the same bytes, whether it is compiled alone or with all others: of
// the examples, of the file that uses every argument, and of the broken files, where
// nothing is said of a node that is not said of the fleet.
func TestOneNodeCompilesToTheSameBytes(t *testing.T) {
	dirs, err := filepath.Glob("../examples/*/*.ha.hcl")
	if err != nil || len(dirs) < 5 {
		t.Fatal(dirs, err)
	}
	everything, err := filepath.Glob("testdata/everything/*.ha.hcl")
	if err != nil || len(everything) == 0 {
		t.Fatal(err)
	}
	for _, file := range append(dirs, everything...) {
		dir := filepath.Dir(file)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			root, rel := filepath.Dir(dir), filepath.Base(dir)
			single(t, func(in Inputs) (*Result, diag.Diagnostics) { return Compile(os.DirFS(root), rel, in) }, Inputs{Library: modules.FS, Env: os.LookupEnv})
		})
	}
	broken, err := filepath.Glob("testdata/broken/*.txtar")
	if err != nil || len(broken) == 0 {
		t.Fatal(err)
	}
	for _, file := range broken {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			fsys, in, _ := unpack(t, file)
			single(t, func(in Inputs) (*Result, diag.Diagnostics) { return Compile(fsys, ".", in) }, in)
		})
	}
	t.Run("modules", func(t *testing.T) {
		files, err := filepath.Glob("../modules/*/example/*.ha.hcl")
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		for _, file := range files {
			single(t, func(in Inputs) (*Result, diag.Diagnostics) { return Compile(os.DirFS(filepath.Dir(file)), ".", in) }, Inputs{Library: modules.FS})
		}
	})
	t.Run("fleet", func(t *testing.T) {
		fsys := modularFleet(12)
		single(t, func(in Inputs) (*Result, diag.Diagnostics) { return Compile(fsys, ".", in) }, Inputs{})
	})
}

// What hurts a node is told to it, even where the other half of it runs elsewhere; what
// is wrong between others is for validate.
func TestOneNodeIsToldWhatConcernsIt(t *testing.T) {
	const fleet = `
node "a" { address = "10.0.0.1/24" }
node "b" { address = "10.0.0.2/24" }
node "c" { address = "10.0.0.3/24" }
node "d" { address = "10.0.0.4/24" }
node "e" { address = "10.9.0.1/24" }
node "f" { address = "10.9.0.2/24" }
instance "one" {
  interface = "eth0"
  router_id = 51
  members   = [node.a, node.b]
  vip { address = "10.0.0.10/24" }
}
instance "two" {
  interface = "eth0"
  router_id = RID
  members   = [node.c, node.d]
  vip { address = "VIP/24" }
}
instance "three" {
  interface = "eth0"
  router_id = 53
  members   = [node.e, node.f]
  vip { address = "10.9.0.10/24" }
}
`
	for name, c := range map[string]struct{ rid, vip, code string }{
		"a VRID":     {"51", "10.0.0.11", "HA1201"},
		"an address": {"52", "10.0.0.10", "HA1204"},
	} {
		src := []byte(strings.NewReplacer("RID", c.rid, "VIP", c.vip).Replace(fleet))
		for node, told := range map[string]bool{"a": true, "d": true, "e": false} {
			r, ds := CompileSource("x.ha.hcl", src, Inputs{Node: just(node)})
			if got := slices.ContainsFunc(ds, func(d diag.Diagnostic) bool { return d.Code == c.code }); got != told {
				t.Errorf("%s that is taken twice, on %s: told %v, want %v\n%s", name, node, got, told, text(ds, r))
			}
		}
	}
}

// A sync group is judged for every node that runs a part of it.
func TestOneNodeIsToldOfItsSyncGroup(t *testing.T) {
	src := []byte(twoNodes + `
node "lb3" {
  address   = "10.0.0.13"
  interface = "eth0"
}
instance "in" {
  router_id = 51
  members   = [node.lb1, node.lb2]
  vip { address = "10.0.0.10" }
}
instance "out" {
  router_id = 52
  members   = [node.lb2, node.lb3]
  vip { address = "10.0.0.11" }
}
sync_group "both" { instances = [instance.in, instance.out] }
`)
	for _, node := range []string{"lb1", "lb2", "lb3"} {
		_, ds := CompileSource("x.ha.hcl", src, Inputs{Node: just(node)})
		if !slices.ContainsFunc(ds, func(d diag.Diagnostic) bool { return d.Code == "HA1205" }) {
			t.Errorf("%s is not told that the halves of its group have other members", node)
		}
	}
}

// A policy is of the fleet, and no plan passes by it.
func TestOneNodeStandsUnderEveryPolicy(t *testing.T) {
	fsys := modularFleet(3)
	main := fsys["fleet.ha.hcl"]
	fsys["fleet.ha.hcl"] = &fstest.MapFile{Data: bytes.Replace(main.Data, []byte("length(m.vips) > 0"), []byte(`k != "c2"`), 1)}
	_, ds := Compile(fsys, ".", Inputs{Node: just("c0-lb1")})
	if !slices.ContainsFunc(ds, func(d diag.Diagnostic) bool { return d.Code == "HA1411" }) {
		t.Error("a policy that does not hold of another cluster is passed by")
	}
}

// A name that no node has is no reason to compile half: the caller lists the nodes.
func TestUnknownNodeCompilesAll(t *testing.T) {
	r, ds := CompileSource("x.ha.hcl", fleet(2), Inputs{Node: just("nobody")})
	if len(ds) > 0 || len(r.Plans) != 4 {
		t.Errorf("%d plans, %v", len(r.Plans), ds)
	}
}
