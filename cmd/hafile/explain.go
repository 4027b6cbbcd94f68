package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"hafile/lang/diag"
)

func (c *cli) explainCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "explain CODE",
		Short: "Say what a code such as HA1202 means, with an example and the cure",
		Args:  cobra.ExactArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			var codes []string
			for _, e := range diag.Codes() {
				codes = append(codes, e.Code+"\t"+e.Title)
			}
			return codes, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			code := strings.ToUpper(strings.Trim(args[0], ":,[] "))
			if code != "" && strings.Trim(code, "0123456789") == "" {
				code = "HA" + code
			}
			e, known := diag.Explain(code)
			if !known {
				return fmt.Errorf("there is no code %q: codes look like HA1202 and stand before a message", args[0])
			}
			c.view().explain(e)
			return nil
		},
	}
}
