package render

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"hafile/lang/diff"
	"hafile/lang/plan"
	"hafile/lang/planfile"
)

// fleetOf makes n nodes of the given number of instances each, against empty nodes.
func fleetOf(n, instances int) (*planfile.Fleet, []*planfile.Document) {
	var docs []*planfile.Document
	for i := range n {
		p := &plan.Plan{Language: plan.Language, Node: fmt.Sprintf("node%04d", i)}
		for k := range instances {
			in := plan.DefaultInstance()
			in.Address, in.Name = plan.Addr(fmt.Sprintf("instance.i%d", k)), fmt.Sprintf("i%d", k)
			in.Interface, in.VRID = "eth0", uint8(k%255+1)
			in.VIPs = []plan.VIP{{Address: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i), byte(k)}), 32)}}
			p.Desired.Instances = append(p.Desired.Instances, in)
		}
		docs = append(docs, planfile.New(planfile.Input{HafileVersion: "test", Plan: p, Now: time.Unix(0, 0)}))
	}
	f := planfile.NewFleet(docs, time.Unix(0, 0))
	f.Against = []string{"none"}
	return f, docs
}

// The limit holds whatever is in the fleet; beginning and end always stand, and more room
// never shows less.
func TestMarkdownFitsAndCutsTheMiddle(t *testing.T) {
	for _, size := range []struct{ nodes, instances int }{{1, 1}, {1, 200}, {2, 40}, {40, 3}, {600, 1}} {
		f, docs := fleetOf(size.nodes, size.instances)
		before := 0
		for _, limit := range []int{MarkdownMin, 3000, 10000, 60000, 1 << 20, 0} {
			var b strings.Builder
			if err := Markdown(&b, f, docs, limit); err != nil {
				t.Fatal(err)
			}
			s := b.String()
			what := fmt.Sprintf("%d nodes of %d instances in %d bytes", size.nodes, size.instances, limit)
			if limit > 0 && len(s) > limit {
				t.Errorf("%s: %d bytes", what, len(s))
			}
			if len(s) < before {
				t.Errorf("%s: %d bytes, fewer than in a smaller limit (%d)", what, len(s), before)
			}
			before = len(s)
			for _, want := range []string{"### hafile plan: ", "| node | changes |", "| node0000 |", "Against none.", "Nothing was changed."} {
				if !strings.Contains(s, want) {
					t.Errorf("%s: no %q in it", what, want)
				}
			}
			if strings.Count(s, "<details>") != strings.Count(s, "</details>") || strings.Count(s, "```")%2 != 0 {
				t.Errorf("%s: something is not closed", what)
			}
		}
	}
}

// What others wrote into a plan is text and no markup.
func TestMarkdownIsNotSteeredByAPlan(t *testing.T) {
	f, docs := fleetOf(1, 1)
	docs[0].Node = "x|<img>@all`"
	docs[0].Changes[0].Address = "instance.```\n</details>"
	f.Nodes[0].Node = docs[0].Node
	f.Nodes[0].VIPs = []planfile.FleetVIP{{Address: netip.MustParsePrefix("10.0.0.1/32"), Class: diff.Moves}}
	var b strings.Builder
	if err := Markdown(&b, f, docs, 0); err != nil {
		t.Fatal(err)
	}
	s := b.String()
	if !strings.Contains(s, "````text\n") || strings.Contains(s, "| x|<img>") || strings.Contains(strings.Split(s, "````")[0], "@all") {
		t.Errorf("%s", s)
	}
}
