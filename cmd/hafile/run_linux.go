package main

import (
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"hafile/runtime"
)

func (c *cli) runCommand() *cobra.Command {
	o := runtime.Options{Version: version}
	var level string
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Be the daemon: hold the addresses of the plan that was applied last",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var l slog.Level
			if err := l.UnmarshalText([]byte(level)); err != nil {
				return err
			}
			o.Socket = c.socket
			o.Log = slog.New(slog.NewTextHandler(c.std.err, &slog.HandlerOptions{Level: l}))
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
	flags.StringVar(&level, "log", "info", "log from this `LEVEL` up: debug, info, warn, error")
	return cmd
}
