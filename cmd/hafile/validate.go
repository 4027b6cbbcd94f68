package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hafile/lang/diag"
	"hafile/lang/plan"
)

// validateOptions are those of `hafile validate`.
type validateOptions struct {
	vars                             varFlags
	node, jsonInto                   string
	asJSON, strict, timings, compact bool
}

func (c *cli) validateCommand() *cobra.Command {
	var o validateOptions
	cmd := &cobra.Command{
		Use:   "validate [DIR|FILE|-]",
		Short: "Check the files, for every node, without looking at this machine",
		Long: "Check the files, for every node. Nothing but the files is read: no root, no network, no daemon, nothing\n" +
			"is written. With -node it is also said which secrets that node must have, and what in its plan this\n" +
			"release cannot do; hafile plan looks at the machine itself.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return c.validate(target(args), &o) },
	}
	o.vars.register(cmd.Flags())
	flags := cmd.Flags()
	flags.BoolVar(&o.asJSON, "json", false, "print the diagnostics as JSON")
	flags.StringVar(&o.jsonInto, "json-into", "", "write the diagnostics to `FILE` as JSON, too")
	flags.BoolVar(&o.strict, "strict", false, "exit 3 when there are warnings")
	flags.StringVar(&o.node, "node", "", "say what node `NAME` needs, too")
	flags.BoolVar(&o.timings, "timings", false, "say which expressions took longest")
	flags.BoolVar(&o.compact, "compact-warnings", false, "one line for each warning")
	c.completeNode(cmd)
	return cmd
}

func (c *cli) validate(target string, o *validateOptions) error {
	v := c.view()
	c.measure = o.timings
	start := time.Now()
	conf, err := c.load(target, &o.vars)
	if err != nil {
		return err
	}
	took := time.Since(start)
	if o.jsonInto != "" {
		if err := intoJSON(o.jsonInto, conf); err != nil {
			return err
		}
	}
	switch {
	case o.asJSON:
		err = diag.WriteJSON(v.out, conf.diags, conf.sources)
	case o.compact:
		err = v.compactWarnings(conf)
	default:
		err = v.diagnostics(conf.diags, conf.sources)
	}
	if o.timings && !o.asJSON {
		v.timings(conf, took)
	}
	switch {
	case err != nil:
		return err
	case conf.diags.HasErrors():
		return exit(exitError)
	}
	if o.node != "" {
		if _, err := selectNode(conf.Result, o.node); err != nil {
			return err
		}
	}
	if !o.asJSON {
		v.valid(conf, o.node)
	}
	if o.strict && len(conf.diags) > 0 {
		return exit(exitDiffers)
	}
	return nil
}

func intoJSON(name string, conf *config) error {
	var b bytes.Buffer
	if err := diag.WriteJSON(&b, conf.diags, conf.sources); err != nil {
		return err
	}
	return writeFile(name, b.Bytes(), 0o644)
}

// compactWarnings prints errors whole and each warning in a line.
func (v *view) compactWarnings(conf *config) error {
	if err := v.diagnostics(onlyErrors(conf.diags), conf.sources); err != nil {
		return err
	}
	for _, d := range conf.diags {
		if d.Severity != diag.Warning {
			continue
		}
		at := ""
		if d.Range != nil {
			at = fmt.Sprintf("%s:%d:%d: ", d.Range.Filename, d.Range.Start.Line, d.Range.Start.Column)
		}
		v.note("%s %s%s: %s", v.paint(yellow, "Warning"), at, d.Code, d.Summary)
	}
	return nil
}

// timings lists what took long.
func (v *view) timings(conf *config, took time.Duration) {
	v.line("Compiled in %s. The expressions that took longest:", took.Round(time.Millisecond/10))
	var rows [][]string
	for _, t := range conf.Timings {
		rows = append(rows, []string{"  " + t.Took.Round(100*time.Nanosecond).String(), fmt.Sprintf("%s:%d:%d", t.Range.Filename, t.Range.Start.Line, t.Range.Start.Column)})
	}
	for _, line := range columns(rows) {
		v.line("%s", line)
	}
}

// valid says what was checked, and what was not.
func (v *view) valid(conf *config, node string) {
	instances := map[string]bool{}
	for _, p := range conf.Plans {
		for _, in := range p.Desired.Instances {
			instances[string(in.Address)] = true
		}
	}
	v.line("%s %s, %s, %s, %s accepted.", v.paint(green, "Valid:"), plural(len(conf.Nodes), "node"),
		plural(len(instances), "instance"), plural(len(conf.diags), "warning"), plural(len(conf.Accepted), "warning"))
	v.line("Checked: syntax, references, bounds, and that the members of each instance agree.")
	if node != "" {
		v.needs(conf, node)
	}
	v.line("Not checked: this machine, the running daemon, what secrets contain. hafile plan does.")
	v.later(conf)
}

// later lists what the files ask for and the runtime of this release refuses.
func (v *view) later(conf *config) {
	var all diag.Diagnostics
	for _, n := range conf.Nodes {
		all = append(all, conf.Unsupported[n.Name]...)
	}
	for _, d := range all.Dedup() {
		at := ""
		if d.Range != nil {
			at = fmt.Sprintf("%s:%d: ", d.Range.Filename, d.Range.Start.Line)
		}
		v.line("%s %s%s; plan and apply refuse it.", v.paint(yellow, "Note:"), at, d.Summary)
	}
}

// needs is what one node must have for its plan.
func (v *view) needs(conf *config, node string) {
	p := conf.Plans[node]
	v.line("%s runs %s with %s.", node, plural(len(p.Desired.Instances), "instance"), plural(len(p.Desired.Checks), "check"))
	if secrets := secretsOf(p); len(secrets) > 0 {
		v.line("%s needs these secrets: %s.", node, strings.Join(secrets, ", "))
	}
}

// secretsOf lists the references that a node resolves, as they are written.
func secretsOf(p *plan.Plan) []string {
	var all []string
	p.EachSecret(func(_ plan.Addr, s *plan.Secret) {
		if !s.Inline() {
			all = with(all, s.String())
		}
	})
	slices.Sort(all)
	return all
}
