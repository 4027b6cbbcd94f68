package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"hafile/lang/diff"
	"hafile/runtime/control"
)

func (c *cli) confirmCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "confirm",
		Short: "Keep the plan that was applied with -confirm",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client := control.NewClient(c.socket)
			defer client.Close()
			result, err := client.Confirm(cmd.Context())
			if err != nil {
				return err
			}
			c.view().events(asJSON)(control.Event{Type: "result", Time: time.Now(), Result: result})
			return exitOf(result)
		},
	}
	c.socketFlag(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// exitOf is the error of a result that is none.
func exitOf(r *control.Result) error {
	if r.Exit == exitOK {
		return nil
	}
	return exit(r.Exit)
}

// rollbackOptions are those of `hafile rollback`.
type rollbackOptions struct {
	auto, noWait, dryRun, asJSON bool
	wait                         time.Duration
	maxImpact                    string
	allow                        []string
}

func (c *cli) rollbackCommand() *cobra.Command {
	var o rollbackOptions
	cmd := &cobra.Command{
		Use:   "rollback [N]",
		Short: "Return to the plan before, or to plan N of the history",
		Long: "Return to the plan before, or to plan N of the history.\n\n" +
			"While a plan waits for its confirmation, this ends it. Else the plan of then is applied again, with the\n" +
			"secrets of then, and refused like any other where it does more to the addresses than is allowed.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			serial := 0
			if len(args) > 0 {
				var err error
				if serial, err = strconv.Atoi(args[0]); err != nil || serial < 1 {
					return fmt.Errorf("%q is no number of a plan: see hafile history", args[0])
				}
			}
			return c.rollback(cmd.Context(), serial, &o)
		},
	}
	c.socketFlag(cmd.Flags())
	cmd.Flags().BoolVar(&o.auto, "auto-approve", false, "do not ask")
	cmd.Flags().BoolVar(&o.noWait, "no-wait", false, "do not wait until the roles have settled")
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "do everything up to the first change")
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "print JSON, one event a line")
	cmd.Flags().DurationVar(&o.wait, "wait", 60*time.Second, "how long to wait until the roles have settled")
	cmd.Flags().StringVar(&o.maxImpact, "max-impact", "", "refuse what does more to an address than `CLASS` (gains, unless you are asked)")
	cmd.Flags().StringArrayVar(&o.allow, "allow", nil, "let one refused thing through: release:ADDRESS, guard:INSTANCE")
	return cmd
}

func (c *cli) rollback(ctx context.Context, serial int, o *rollbackOptions) error {
	v := c.view()
	client := control.NewClient(c.socket)
	defer client.Close()
	limit := diff.Class(o.maxImpact)
	if limit != "" && limit.Rank() < 0 {
		return fmt.Errorf("%q is no class of impact: one of %v", o.maxImpact, diff.Classes)
	}
	switch {
	case o.auto || o.dryRun:
	case !v.interactive():
		return errors.New("nobody can be asked here: use -auto-approve")
	default:
		what := "to the plan before"
		if serial > 0 {
			what = fmt.Sprintf("to plan %d", serial)
		}
		yes, err := v.ask(fmt.Sprintf("Return %s?", what))
		if err != nil || !yes {
			return errors.Join(err, errors.New("nothing was changed: the answer was not yes"))
		}
		if limit == "" {
			limit = diff.Drops
		}
	}
	if limit == "" {
		limit = diff.Gains
	}
	req := control.RollbackRequest{Serial: serial, MaxImpact: limit, Allow: o.allow, DryRun: o.dryRun, By: whoAmI()}
	if !o.noWait {
		req.WaitMs = o.wait.Milliseconds()
	}
	result, err := client.Rollback(ctx, req, v.events(o.asJSON))
	if err != nil {
		return err
	}
	return exitOf(result)
}

func (c *cli) historyCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "history",
		Short: "List the plans that can be returned to",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client := control.NewClient(c.socket)
			defer client.Close()
			h, err := client.History(cmd.Context())
			if err != nil {
				return err
			}
			v := c.view()
			if asJSON {
				return v.document(h)
			}
			v.history(h)
			return nil
		},
	}
	c.socketFlag(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// retire is `hafile apply -retire`: the second sweep of an edit of the wire.
func (c *cli) retire(ctx context.Context, o *applyOptions) error {
	v := c.view()
	client := control.NewClient(c.socket)
	defer client.Close()
	result, err := client.Retire(ctx, control.RetireRequest{Allow: o.allow, By: whoAmI()}, v.events(o.asJSON))
	if err != nil {
		return err
	}
	return exitOf(result)
}
