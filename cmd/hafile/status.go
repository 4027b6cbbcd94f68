package main

import (
	"context"

	"github.com/spf13/cobra"

	"hafile/runtime/control"
)

func (c *cli) statusCommand() *cobra.Command {
	var asJSON, withPlan bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say who owns what, since when and why",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client := control.NewClient(c.socket)
			defer client.Close()
			s, err := client.Status(cmd.Context())
			if err != nil {
				return err
			}
			v := c.view()
			if asJSON {
				return c.statusDocument(cmd.Context(), v, client, s, withPlan)
			}
			v.status(s)
			return nil
		},
	}
	c.socketFlag(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&withPlan, "with-plan", false, "with -json, print the running plan too, for plan -against")
	return cmd
}

// statusDocument prints a status as JSON. A running plan is shown without its secrets.
func (c *cli) statusDocument(ctx context.Context, v *view, client *control.Client, s *control.Status, withPlan bool) error {
	f := control.StatusFile{Status: *s}
	if withPlan && s.Plan != nil {
		running, err := client.Plan(ctx)
		if err != nil {
			return err
		}
		f.Running = running.Plan.Redacted()
	}
	return v.document(f)
}
