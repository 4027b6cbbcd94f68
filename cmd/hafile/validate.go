package main

import (
	"github.com/spf13/cobra"

	"hafile/lang/diag"
)

func (c *cli) validateCommand() *cobra.Command {
	var vars varFlags
	var asJSON, strict bool
	cmd := &cobra.Command{
		Use:   "validate [DIR|FILE|-]",
		Short: "Check the files, for every node, without looking at this machine",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return c.validate(target(args), &vars, asJSON, strict)
		},
	}
	vars.register(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the diagnostics as JSON")
	cmd.Flags().BoolVar(&strict, "strict", false, "exit 3 when there are warnings")
	return cmd
}

func (c *cli) validate(target string, vars *varFlags, asJSON, strict bool) error {
	v := c.view()
	conf, err := c.load(target, vars)
	if err != nil {
		return err
	}
	if asJSON {
		err = diag.WriteJSON(v.out, conf.diags, conf.sources)
	} else {
		err = v.diagnostics(conf.diags, conf.sources)
	}
	switch {
	case err != nil:
		return err
	case conf.diags.HasErrors():
		return exit(exitError)
	}
	if !asJSON {
		v.valid(conf)
	}
	if strict && len(conf.diags) > 0 {
		return exit(exitDiffers)
	}
	return nil
}

// later counts what the plans ask for and this release cannot do.
func later(conf *config) int {
	seen := map[diag.Range]bool{}
	for _, lacking := range conf.Unsupported {
		for _, d := range lacking {
			if d.Range != nil {
				seen[*d.Range] = true
			}
		}
	}
	return len(seen)
}

// valid says what was checked, and what was not.
func (v *view) valid(conf *config) {
	instances := map[string]bool{}
	for _, p := range conf.Plans {
		for _, in := range p.Desired.Instances {
			instances[string(in.Address)] = true
		}
	}
	v.line("%s %s, %s, %s, %s accepted.", v.paint(green, "Valid:"), plural(len(conf.Nodes), "node"),
		plural(len(instances), "instance"), plural(len(conf.diags), "warning"), plural(len(conf.Accepted), "warning"))
	v.line("Checked: syntax, references, bounds, and that the members of each instance agree.")
	v.line("Not checked: this machine, the running daemon, what secrets contain. hafile plan does.")
	if n := later(conf); n > 0 {
		v.line("Not in this release: %s that the files ask for; plan and apply refuse them by name.", plural(n, "thing"))
	}
}
