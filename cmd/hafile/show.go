package main

import (
	"context"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"hafile/lang/planfile"
	"hafile/lang/render"
	"hafile/runtime/control"
)

// showOptions are those of `hafile show`.
type showOptions struct {
	asJSON, full, summary, markdown, impact bool
	maxBytes                                int
}

func (c *cli) showCommand() *cobra.Command {
	var o showOptions
	cmd := &cobra.Command{
		Use:   "show [PLAN|DIR]",
		Short: "Show a plan file, a directory of them, or the plan that the daemon runs",
		Long: "Show a plan file, a directory of them (plan -all -out DIR), or the plan that the daemon runs.\n\n" +
			"-markdown is for a comment on a change: the table first, each plan folded, and with -max-bytes what does\n" +
			"not fit is cut out of the middle. No form shows a secret.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.maxBytes > 0 && !o.markdown {
				return errors.New("-max-bytes is for -markdown")
			}
			return c.show(cmd.Context(), target(args), &o)
		},
	}
	c.socketFlag(cmd.Flags())
	flags := cmd.Flags()
	flags.BoolVar(&o.asJSON, "json", false, "print JSON")
	flags.BoolVar(&o.full, "full", false, "show what stays the same, too")
	flags.BoolVar(&o.summary, "summary", false, "show the last lines only")
	flags.BoolVar(&o.markdown, "markdown", false, "print Markdown for a comment")
	flags.BoolVar(&o.impact, "impact", false, "show only what happens to addresses, a line each")
	flags.IntVar(&o.maxBytes, "max-bytes", 0, "with -markdown, print at most `N` bytes")
	return cmd
}

func (c *cli) show(ctx context.Context, name string, o *showOptions) error {
	v := c.view()
	fleet, docs, single, err := c.shown(ctx, name)
	switch {
	case err != nil:
		return err
	case o.markdown:
		return render.Markdown(v.out, fleet, docs, o.maxBytes)
	case o.impact:
		return render.Impacts(v.out, docs, v.color)
	case single:
		return v.planOrJSON(docs[0], o.asJSON, mode(o.summary, o.full), render.Facts{Host: "as saved"}, "")
	}
	return v.fleet(fleet, docs, &planOnly{planOptions: planOptions{asJSON: o.asJSON}, full: o.full, summary: o.summary})
}

// shown is a plan file, a directory of them, or the running plan as it would be against an
// empty node.
func (c *cli) shown(ctx context.Context, name string) (_ *planfile.Fleet, docs []*planfile.Document, single bool, err error) {
	if info, err := os.Stat(name); name != "" && err == nil && info.IsDir() {
		fleet, docs, err := readFleet(name)
		return fleet, docs, false, planError(err)
	}
	doc, err := c.shownPlan(ctx, name)
	if err != nil {
		return nil, nil, false, err
	}
	docs = []*planfile.Document{doc}
	return planfile.NewFleet(docs, doc.Created), docs, true, nil
}

func (c *cli) shownPlan(ctx context.Context, name string) (*planfile.Document, error) {
	if name != "" {
		return c.readPlan(name)
	}
	client := control.NewClient(c.socket)
	defer client.Close()
	running, err := client.Plan(ctx)
	if err != nil {
		return nil, err
	}
	if running.Plan == nil {
		return nil, errors.New("the daemon runs no plan: hafile apply gives it one")
	}
	return planfile.New(planfile.Input{HafileVersion: version, Plan: running.Plan, Now: running.Status.Since}), nil
}
