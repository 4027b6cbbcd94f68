package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"hafile/lang/plan"
)

func (c *cli) graphCommand() *cobra.Command {
	var vars varFlags
	var asJSON, dot bool
	cmd := &cobra.Command{
		Use:     "graph [DIR|FILE|-]",
		Short:   "Show who backs up whom, and what each instance depends on",
		Example: "  hafile graph -dot | dot -Tsvg > fleet.svg",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			v := c.view()
			conf, err := c.loadGood(v, target(args), &vars)
			if err != nil {
				return err
			}
			g := graphOf(conf)
			switch {
			case asJSON:
				return v.document(map[string]any{"format_version": plan.FormatVersion, "instances": g})
			case dot:
				v.printf("%s", dotOf(g))
			default:
				v.graph(g)
			}
			return nil
		},
	}
	vars.register(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&dot, "dot", false, "print a graph for Graphviz")
	cmd.MarkFlagsMutuallyExclusive("json", "dot")
	return cmd
}

// graphed is an instance in the graph.
type graphed struct {
	Address plan.Addr   `json:"address"`
	VIPs    []string    `json:"vips"`
	Members []graphNode `json:"members"` // the preferred one first
	Tracks  []plan.Addr `json:"tracks"`
	Notify  []plan.Addr `json:"notify"`
	Groups  []plan.Addr `json:"groups"`
}

type graphNode struct {
	Node     string `json:"node"`
	Priority uint8  `json:"priority"`
}

// graphOf draws the union of what the nodes' plans say: members may track different things.
func graphOf(conf *config) []graphed {
	all := map[plan.Addr]*graphed{}
	for _, name := range slices.Sorted(maps.Keys(conf.Plans)) {
		d := &conf.Plans[name].Desired
		for i := range d.Instances {
			in := &d.Instances[i]
			g := all[in.Address]
			if g == nil {
				g = &graphed{Address: in.Address, VIPs: []string{}, Tracks: []plan.Addr{}, Notify: []plan.Addr{}, Groups: []plan.Addr{}}
				all[in.Address] = g
				for _, m := range in.Members {
					g.Members = append(g.Members, graphNode{m.Node, m.Priority})
				}
				slices.SortStableFunc(g.Members, func(a, b graphNode) int { return cmp.Compare(b.Priority, a.Priority) })
			}
			for _, v := range in.VIPs {
				g.VIPs = with(g.VIPs, v.Address.Addr().String())
			}
			for _, t := range in.Track {
				g.Tracks = with(g.Tracks, t.Check)
			}
			for _, n := range in.Notify {
				g.Notify = with(g.Notify, n)
			}
		}
		for _, group := range d.Groups {
			for _, a := range group.Instances {
				if g := all[a]; g != nil {
					g.Groups = with(g.Groups, group.Address)
				}
			}
		}
	}
	out := []graphed{}
	for _, a := range slices.Sorted(maps.Keys(all)) {
		out = append(out, *all[a])
	}
	return out
}

func with[T comparable](list []T, x T) []T {
	if slices.Contains(list, x) {
		return list
	}
	return append(list, x)
}

func (v *view) graph(all []graphed) {
	for _, g := range all {
		v.line("%s  %s", v.paint(bold, string(g.Address)), strings.Join(g.VIPs, " "))
		var order []string
		for _, m := range g.Members {
			order = append(order, fmt.Sprintf("%s (%d)", m.Node, m.Priority))
		}
		v.line("    %-8s %s", "order", strings.Join(order, ", then "))
		for _, row := range []struct {
			word string
			what []plan.Addr
		}{{"tracks", g.Tracks}, {"notifies", g.Notify}, {"group", g.Groups}} {
			if len(row.what) > 0 {
				v.line("    %-8s %s", row.word, joined(row.what))
			}
		}
	}
}

func joined(all []plan.Addr) string {
	var words []string
	for _, a := range all {
		words = append(words, string(a))
	}
	return strings.Join(words, ", ")
}

// dotOf is the graph in Graphviz's language: from an instance to what it needs.
func dotOf(all []graphed) string {
	var b strings.Builder
	b.WriteString("digraph hafile {\n  rankdir = LR\n  node [shape = box]\n")
	for _, g := range all {
		fmt.Fprintf(&b, "  %q [label = %q]\n", g.Address, string(g.Address)+"\n"+strings.Join(g.VIPs, "\n"))
		for i, m := range g.Members {
			style := "solid"
			if i > 0 {
				style = "dashed"
			}
			fmt.Fprintf(&b, "  %q -> %q [label = %q, style = %s]\n", g.Address, "node."+m.Node, fmt.Sprint(m.Priority), style)
		}
		for _, a := range slices.Concat(g.Tracks, g.Notify) {
			fmt.Fprintf(&b, "  %q -> %q\n", g.Address, a)
		}
		for _, a := range g.Groups {
			fmt.Fprintf(&b, "  %q -> %q\n", a, g.Address)
		}
	}
	b.WriteString("}\n")
	return b.String()
}
