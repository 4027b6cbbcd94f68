package main

import (
	"context"
	"errors"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"hafile/lang/planfile"
	"hafile/runtime"
)

func (c *cli) runCommand() *cobra.Command {
	o := runtime.Options{Version: version}
	var (
		level  string
		shadow bool
	)
	cmd := &cobra.Command{
		Use:   "run [DIR|FILE]",
		Short: "Be the daemon: hold the addresses of the plan that was applied last",
		Long: "Be the daemon: hold the addresses of the plan that was applied last.\n\n" +
			"With -shadow it is none: it listens beside keepalived, says which role the routers of DIR would have,\n" +
			"and where the addresses of this machine say otherwise. It sends nothing, installs nothing and keeps no\n" +
			"file; the checks run. It ends with a signal, and with exit code 3 if there was a disagreement.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var l slog.Level
			if err := l.UnmarshalText([]byte(level)); err != nil {
				return err
			}
			o.Socket = c.socket
			o.Log = slog.New(slog.NewTextHandler(c.std.err, &slog.HandlerOptions{Level: l}))
			if shadow {
				return c.shadow(cmd.Context(), target(args), o)
			}
			if len(args) > 0 {
				return errors.New("the daemon takes no file: what it runs is given to it with hafile apply")
			}
			return runtime.Run(cmd.Context(), o)
		},
	}
	credentials := os.Getenv("CREDENTIALS_DIRECTORY") // systemd's
	if credentials == "" {
		credentials = "/etc/hafile/credentials"
	}
	flags := cmd.Flags()
	c.socketFlag(flags)
	flags.StringVar(&o.Node, "node", "", "this machine is node `NAME` (else what the first plan says)")
	flags.StringVar(&o.StateDir, "state-dir", "/var/lib/hafile", "where plans and history are kept")
	flags.StringVar(&o.RunDir, "run-dir", "/run/hafile", "where what is true until the next boot is kept")
	flags.StringVar(&o.Credentials, "credentials", credentials, "where credential(NAME) is looked up")
	flags.BoolVar(&o.RequireSignature, "require-signature", false, "take signed plans only (apply -signed)")
	flags.StringVar(&o.AllowedSigners, "allowed-signers", "/etc/hafile/allowed_signers", "who may sign plans, as ssh-keygen reads it")
	flags.BoolVar(&shadow, "shadow", false, "listen beside keepalived, predict, and write nothing")
	flags.StringVar(&level, "log", "info", "log from this `LEVEL` up: debug, info, warn, error")
	return cmd
}

// shadow compiles what would be applied, and watches.
func (c *cli) shadow(ctx context.Context, what string, o runtime.Options) error {
	doc, _, err := c.makePlan(ctx, c.view(), what, &planOptions{node: o.Node, against: []string{"none"}}, planfile.Lifetime)
	if err != nil {
		return err
	}
	disagreements, err := runtime.Shadow(ctx, &doc.Plan, o)
	if err == nil && disagreements > 0 {
		return exit(exitDiffers)
	}
	return err
}
