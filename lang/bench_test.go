package lang

import (
	"fmt"
	"strings"
	"testing"
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

// BenchmarkFleet: the time per pair stays the same as the fleet grows.
func BenchmarkFleet(b *testing.B) {
	for _, n := range []int{250, 500, 1000} {
		src := fleet(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				if _, ds := CompileSource("x.ha.hcl", src, Inputs{}); len(ds) > 0 {
					b.Fatal(ds)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/pair")
		})
	}
}
