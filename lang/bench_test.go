package lang

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

// fleet is n pairs with a script each, in one file.
func fleet(n int) []byte {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `
node "a%[1]d" { address = "10.%[2]d.%[3]d.1/24" }
node "b%[1]d" { address = "10.%[2]d.%[3]d.2/24" }
script "s%[1]d" {
  command = ["/bin/check", "%[1]d"]
  weight  = -60
}
instance "i%[1]d" {
  interface = "eth0"
  router_id = %[4]d
  members   = [node.a%[1]d, node.b%[1]d]
  vip { address = "10.%[2]d.%[3]d.10" }
  track { script = script.s%[1]d }
}
`, i, i/250, i%250, i%255+1)
	}
	return []byte(b.String())
}

// modularFleet is sample (d) with n clusters of two machines: a CSV file, a module that
// is called once for each cluster, references to all of them in a policy and an output.
func modularFleet(n int) fstest.MapFS {
	read := func(name string) string {
		raw, err := os.ReadFile("../examples/fleet/" + name)
		if err != nil {
			panic(err)
		}
		return string(raw)
	}
	var csv, clusters strings.Builder
	csv.WriteString("name,cluster,address,rank\n")
	clusters.WriteString("  clusters = {\n")
	for i := range n {
		net := fmt.Sprintf("10.%d.%d", i/250, i%250)
		fmt.Fprintf(&csv, "c%d-lb1,c%d,%s.1,0\nc%d-lb2,c%d,%s.2,1\n", i, i, net, i, i, net)
		fmt.Fprintf(&clusters, "    c%d = { vrid = %d, vips = [\"%s.10/24\"] }\n", i, i%255+1, net)
	}
	clusters.WriteString("  }\n")
	main := read("fleet.ha.hcl")
	head, rest, _ := strings.Cut(main, "  clusters = {\n")
	_, tail, _ := strings.Cut(rest, "  }\n}")
	_, tail, _ = strings.Cut("  }\n}"+tail, "  }\n")
	main = head + clusters.String() + tail
	// moved names a cluster of the sample
	before, after, _ := strings.Cut(main, "# Moving three")
	_, after, _ = strings.Cut(after, "policy ")
	main = before + "policy " + after
	return fstest.MapFS{
		"fleet.ha.hcl":                 {Data: []byte(main)},
		"fleet.csv":                    {Data: []byte(csv.String())},
		"modules/web-pair/main.ha.hcl": {Data: []byte(read("modules/web-pair/main.ha.hcl"))},
	}
}

// BenchmarkFleet: the time per pair stays the same as the fleet grows.
func BenchmarkFleet(b *testing.B) {
	for _, n := range []int{250, 1000, 4000} {
		src := fleet(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				if _, ds := CompileSource("x.ha.hcl", src, Inputs{}); len(ds) > 0 {
					b.Fatal(ds[0])
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/pair")
		})
	}
}

// BenchmarkModules: so does that of sample (d). 2,000 clusters are 4,000 nodes.
func BenchmarkModules(b *testing.B) {
	for _, n := range []int{125, 500, 2000, 8000} {
		fsys := modularFleet(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				if r, ds := Compile(fsys, ".", Inputs{}); ds.HasErrors() || len(r.Plans) != 2*n {
					b.Fatal(len(r.Plans), ds[0])
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/cluster")
		})
	}
}

// BenchmarkOneNode: the plan of one of 4,000 nodes of sample (d), against all of them.
func BenchmarkOneNode(b *testing.B) {
	fsys := modularFleet(2000)
	for name, node := range map[string]func(*Result) string{"whole": nil, "single": func(*Result) string { return "c7-lb2" }} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				r, ds := Compile(fsys, ".", Inputs{Node: node})
				if ds.HasErrors() || r.Plans["c7-lb2"] == nil || node != nil && len(r.Plans) != 1 {
					b.Fatal(len(r.Plans), ds)
				}
			}
		})
	}
}

// wholeRoots is n pairs whose every expression asks for a root with all of its names.
func wholeRoots(n int) []byte {
	var nodes, pairs strings.Builder
	for i := range n {
		fmt.Fprintf(&nodes, "node \"a%[1]d\" { address = \"10.%[2]d.%[3]d.1/24\" }\nnode \"b%[1]d\" { address = \"10.%[2]d.%[3]d.2/24\" }\n", i, i/250, i%250)
		fmt.Fprintf(&pairs, "    p%d = { a = \"a%d\", b = \"b%d\", vip = \"10.%d.%d.10\", vrid = %d }\n", i, i, i, i/250, i%250, i%255+1)
	}
	return []byte(nodes.String() + "locals {\n  pairs = {\n" + pairs.String() + `  }
}
instance "web" {
  for_each  = local.pairs
  interface = "eth0"
  router_id = each.value.vrid
  members   = [node[each.value.a], node[each.value.b]]
  vip { address = each.value.vip }
}
output "owners" { value = { for k, i in instance.web : k => i.preferred } }
output "count" { value = length(node) }
`)
}

// BenchmarkWholeRoots: node[each.key] in every instance is not quadratic.
func BenchmarkWholeRoots(b *testing.B) {
	for _, n := range []int{500, 2000, 8000} {
		src := wholeRoots(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				if _, ds := CompileSource("x.ha.hcl", src, Inputs{}); len(ds) > 0 {
					b.Fatal(ds[0])
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/pair")
		})
	}
}
