package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"hafile/lang/plan"
	"hafile/runtime/control"
	"hafile/runtime/drift"
	"hafile/runtime/host"
	"hafile/runtime/node"
)

// driftDocument is what `hafile drift -json` prints.
type driftDocument struct {
	FormatVersion string              `json:"format_version"`
	Node          string              `json:"node"`
	Plan          *control.PlanStatus `json:"plan,omitempty"`
	Drift         []drift.Item        `json:"drift"`
	Unseen        []string            `json:"not_compared,omitempty"`
}

// secondLook is how long a difference must last: the daemon repairs within 50 ms what
// somebody has removed, and a change of role takes no longer.
const secondLook = 500 * time.Millisecond

func (c *cli) driftCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "drift",
		Short: "Compare what the daemon holds with what the kernel has, and change nothing",
		Long: "Compare what the daemon holds with what the kernel has, and change nothing.\n\n" +
			"Exit code 3 says that something differs, and has for half a second: an address that is missing, or there\n" +
			"though this node is not active, or an interface that is down. Whoever may read the socket may ask.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			doc, err := c.drift(cmd.Context())
			if err != nil {
				return err
			}
			v := c.view()
			if asJSON {
				err = v.document(doc)
			} else {
				v.drift(doc)
			}
			if err == nil && len(doc.Drift) > 0 {
				err = exit(exitDiffers)
			}
			return err
		},
	}
	c.socketFlag(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (c *cli) drift(ctx context.Context) (*driftDocument, error) {
	client := control.NewClient(c.socket)
	defer client.Close()
	doc, err := lookForDrift(ctx, client)
	if err != nil || len(doc.Drift) == 0 {
		return doc, err
	}
	select {
	case <-time.After(secondLook):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	again, err := lookForDrift(ctx, client)
	if err != nil {
		return nil, err
	}
	again.Drift = drift.Both(doc.Drift, again.Drift)
	if again.Drift == nil {
		again.Drift = []drift.Item{}
	}
	return again, nil
}

func lookForDrift(ctx context.Context, client *control.Client) (*driftDocument, error) {
	running, status, err := askRunning(ctx, client)
	if err != nil {
		return nil, err
	}
	doc := &driftDocument{FormatVersion: plan.FormatVersion, Node: status.Node, Plan: status.Plan, Drift: []drift.Item{}}
	if running.Plan == nil {
		return doc, nil
	}
	links, err := host.Interfaces()
	if err != nil {
		return nil, err
	}
	doc.Drift = append(doc.Drift, drift.Compare(status, running.Plan, links)...)
	things, err := routesAndRules()
	if err != nil {
		return nil, err
	}
	doc.Drift = append(doc.Drift, drift.Beside(status, running.Plan, node.RoutesAndRules, things)...)
	doc.Unseen = drift.Unseen(running.Plan)
	return doc, nil
}
