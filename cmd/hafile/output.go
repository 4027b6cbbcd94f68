package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"hafile/lang"
	"hafile/lang/diag"
)

func (c *cli) outputCommand() *cobra.Command {
	var vars varFlags
	var asJSON, raw bool
	var dir string
	cmd := &cobra.Command{
		Use:   "output [NAME]",
		Short: "Print the outputs of the files, as they compile",
		Args:  cobra.MaximumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return c.names(func(conf *config) []string { return slices.Sorted(maps.Keys(conf.Outputs)) })
		},
		RunE: func(_ *cobra.Command, args []string) error { return c.output(dir, target(args), &vars, asJSON, raw) },
	}
	vars.register(cmd.Flags())
	cmd.Flags().StringVar(&dir, "dir", "", "read the files of `DIR`")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&raw, "raw", false, "print a string, a number or a bool without quotes and without a line's end")
	return cmd
}

func (c *cli) output(dir, name string, vars *varFlags, asJSON, raw bool) error {
	v := c.view()
	conf, err := c.load(dir, vars)
	if err != nil {
		return err
	}
	if conf.diags.HasErrors() { // warnings are validate's business
		if err := v.diagnostics(conf.diags, conf.sources); err != nil {
			return err
		}
		return exit(exitError)
	}
	if name == "" {
		if raw {
			return fmt.Errorf("-raw prints one output: name it, as in hafile output -raw NAME")
		}
		return v.outputs(conf.Outputs, asJSON)
	}
	o, known := conf.Outputs[name]
	switch {
	case !known:
		return unknownOutput(name, slices.Sorted(maps.Keys(conf.Outputs)))
	case o.Sensitive:
		return fmt.Errorf("output %q is sensitive and nobody is shown it", name)
	case raw:
		return v.rawValue(name, o.Value)
	case asJSON:
		return v.document(o.Value)
	}
	v.line("%s", pretty(o.Value))
	return nil
}

func unknownOutput(name string, names []string) error {
	switch near := diag.Nearest(name, names); {
	case near != "":
		return fmt.Errorf("there is no output %q: did you mean %q?", name, near)
	case len(names) == 0:
		return fmt.Errorf("there is no output %q: the files declare none. Write output %q { value = ... }", name, name)
	}
	return fmt.Errorf("there is no output %q: there are %q", name, names)
}

// outputs prints all of them; as JSON in the shape of `terraform output -json`.
func (v *view) outputs(all map[string]lang.Output, asJSON bool) error {
	if asJSON {
		doc := map[string]any{}
		for name, o := range all {
			entry := map[string]any{"sensitive": o.Sensitive}
			if !o.Sensitive {
				entry["value"] = o.Value
			}
			doc[name] = entry
		}
		return v.document(doc)
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		value := "(sensitive)"
		if !all[name].Sensitive {
			value = pretty(all[name].Value)
		}
		v.line("%s = %s", name, value)
	}
	return nil
}

func (v *view) rawValue(name string, raw json.RawMessage) error {
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		return err
	}
	switch value := value.(type) {
	case string:
		v.printf("%s", value)
	case float64, bool:
		v.printf("%s", raw)
	default:
		return fmt.Errorf("output %q is no string, number or bool: print it with -json", name)
	}
	return nil
}

// pretty is JSON with its lines indented, which a reader of HCL can read.
func pretty(raw json.RawMessage) string {
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		return string(raw)
	}
	out, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return string(raw)
	}
	return string(out)
}

// names completes a word from the configuration in the working directory; a broken one
// completes nothing.
func (c *cli) names(of func(*config) []string) ([]string, cobra.ShellCompDirective) {
	conf, err := c.load(c.chdir, &varFlags{}) // nothing has gone there yet
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return of(conf), cobra.ShellCompDirectiveNoFileComp
}

// completeNode offers the nodes of the files for -node.
func (c *cli) completeNode(cmd *cobra.Command) {
	complete(cmd, "node", func(string) []string {
		names, _ := c.names(nodeNames)
		return names
	})
}

func nodeNames(conf *config) []string {
	var names []string
	for _, n := range conf.Nodes {
		names = append(names, n.Name)
	}
	return names
}
