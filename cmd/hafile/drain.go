package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"hafile/runtime/control"
)

// drainOptions are those of `hafile drain` and `hafile handover`.
type drainOptions struct {
	reason, to    string
	within        time.Duration
	force, asJSON bool
}

func (c *cli) drainCommand() *cobra.Command {
	var o drainOptions
	cmd := &cobra.Command{
		Use:   "drain",
		Short: "Give this node's addresses away, and keep away until undrain",
		Long: "Give this node's addresses away, and keep away until undrain.\n\n" +
			"It is refused (exit 4) while no other member is known to be able to take each address: what its status address\n" +
			"says counts, and without one it is unknown. -force offers them all the same; what nobody takes stays here (exit 7).\n" +
			"A drain outlives restarts.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.drain(cmd.Context(), &o) },
	}
	c.drainFlags(cmd, &o)
	return cmd
}

func (c *cli) handoverCommand() *cobra.Command {
	var o drainOptions
	cmd := &cobra.Command{
		Use:   "handover -to NODE",
		Short: "Give this node's addresses to another one",
		Long: "Give this node's addresses to another one.\n\n" +
			"Refused as drain is, and where another member would take them than the one named. Where this node would take\n" +
			"them back at once (preempt), it stays drained until undrain.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.to == "" {
				return errors.New("say who is to have the addresses: hafile handover -to NODE")
			}
			return c.drain(cmd.Context(), &o)
		},
	}
	c.drainFlags(cmd, &o)
	cmd.Flags().StringVar(&o.to, "to", "", "the `NODE` that is to have them")
	return cmd
}

func (c *cli) drainFlags(cmd *cobra.Command, o *drainOptions) {
	c.socketFlag(cmd.Flags())
	cmd.Flags().StringVar(&o.reason, "reason", "", "why, for those who look at hafile status")
	cmd.Flags().DurationVar(&o.within, "for", 0, "how long at most: 2h (else until hafile undrain)")
	cmd.Flags().BoolVar(&o.force, "force", false, "also where nobody is known to be able to take the addresses")
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "print JSON, one event a line")
}

func (c *cli) drain(ctx context.Context, o *drainOptions) error {
	if o.within < 0 {
		return errors.New("-for is a time to come: 2h")
	}
	client := control.NewClient(c.socket)
	defer client.Close()
	result, err := client.Drain(ctx, control.DrainRequest{
		Reason: o.reason, ForMs: o.within.Milliseconds(), Force: o.force, To: o.to, By: whoAmI(),
	}, c.view().events(o.asJSON))
	if err != nil {
		return err
	}
	return exitOf(result)
}

func (c *cli) undrainCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "undrain",
		Short: "Let this node be a candidate again",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client := control.NewClient(c.socket)
			defer client.Close()
			result, err := client.Undrain(cmd.Context(), control.UndrainRequest{By: whoAmI()}, c.view().events(asJSON))
			if err != nil {
				return err
			}
			return exitOf(result)
		},
	}
	c.socketFlag(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, one event a line")
	return cmd
}
