package main

import (
	"github.com/spf13/cobra"

	"hafile/runtime/control"
)

func (c *cli) statusCommand() *cobra.Command {
	var asJSON bool
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
				return v.document(s)
			}
			v.status(s)
			return nil
		},
	}
	c.socketFlag(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
