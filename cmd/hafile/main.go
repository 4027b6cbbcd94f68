// Command hafile is high availability as code: it compiles HCL files into a plan for each
// machine, shows what the plan does to every virtual IP, and hands it to the daemon that
// speaks VRRP. This package parses options, calls, and leaves the printing to view.go; it
// decides nothing.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hafile/lang/diag"
)

// version of this release.
const version = "0.1.0"

// The exit codes, never renumbered; docs/exit-codes.md explains each.
const (
	exitOK          = 0
	exitError       = 1 // usage, configuration, input or output
	exitChanges     = 2 // plan -detailed-exitcode: changes planned
	exitDiffers     = 3 // fmt -check, convert -strict, validate -strict
	exitRefused     = 4 // impact, guard, policy
	exitStale       = 5 // the plan does not fit the running state any more
	exitUnreachable = 6 // no daemon, or another node's plan
	exitUnsettled   = 7 // applied but not converged in time, or rolled back
	exitHalted      = 8 // rollout: something was worse than before
	exitPromise     = 9 // lab, test: a promise or an assertion failed
)

// exit ends a command with a code other than 0 after everything has been said.
type exit int

func (e exit) Error() string { return "exit" }

func main() {
	// The second signal ends the process at once; children and namespaces go with it.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
}

// run is one invocation: arguments in, exit code out.
func run(ctx context.Context, args []string, std streams) int {
	c := &cli{std: std}
	root := c.root()
	root.SetArgs(longOptions(root, args))
	root.SetIn(std.in)
	root.SetOut(std.out)
	root.SetErr(std.err)
	err := root.ExecuteContext(ctx)
	var code exit
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &code):
		return int(code)
	}
	return c.view().failure(err)
}

// cli is what every command shares.
type cli struct {
	std    streams
	color  string
	plain  bool
	chdir  string
	socket string
	// measure how long expressions take.
	measure bool
}

func (c *cli) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "hafile",
		Short:         "High availability as code: virtual IPs over VRRP from one set of HCL files",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          func(cmd *cobra.Command, args []string) error { return unknownCommand(cmd, args) },
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if c.chdir == "" {
				return nil
			}
			return os.Chdir(c.chdir)
		},
	}
	flags := root.PersistentFlags()
	flags.StringVar(&c.chdir, "chdir", "", "work in `DIR`")
	flags.StringVar(&c.color, "color", "auto", "colours: auto, always or never")
	flags.BoolVar(&c.plain, "no-color", false, "the same as -color=never")
	root.AddCommand(
		c.validateCommand(), c.fmtCommand(), c.planCommand(), c.showCommand(), c.applyCommand(), c.confirmCommand(), c.rollbackCommand(), c.historyCommand(),
		c.statusCommand(), c.convertCommand(), c.explainCommand(), c.runCommand(), c.takeoverCommand(), c.labCommand(),
	)
	root.AddCommand(c.languageCommands()...)
	root.AddCommand(c.driftCommand(), c.rolloutCommand(), c.drainCommand(), c.undrainCommand(), c.handoverCommand())
	root.SetHelpFunc(oneDash(root.HelpFunc()))
	root.AddCommand(labHidden()...)
	return root
}

// elsewhere are the words of other tools, and of this one's options.
var elsewhere = map[string]string{
	"version": "hafile -version prints it",
	"destroy": "take the blocks out, then hafile plan and hafile apply: what no file names is released",
	"import":  "hafile convert reads keepalived.conf",
	"state":   "there is no state file: hafile status and hafile show say what runs",
	"refresh": "hafile drift compares what runs with what the kernel has",
	"reload":  "hafile apply makes an edit, and touches only what differs",
	"start":   "systemctl start hafile; hafile run is the daemon",
	"stop":    "systemctl stop hafile gives the addresses away and loses nothing",
	"restart": "systemctl restart hafile",
	"check":   "hafile validate",
}

// unknownCommand says what to type instead.
func unknownCommand(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range root.Commands() {
		names = append(names, c.Name())
	}
	switch hint, near := elsewhere[args[0]], diag.Nearest(args[0], names); {
	case hint != "":
		return fmt.Errorf("there is no command %q: %s", args[0], hint)
	case near != "":
		return fmt.Errorf("there is no command %q: did you mean %s?", args[0], near)
	}
	return fmt.Errorf("there is no command %q: hafile -help lists them", args[0])
}

// languageCommands are those around the language, beside validate and fmt.
func (c *cli) languageCommands() []*cobra.Command {
	return []*cobra.Command{
		c.initCommand(), c.testCommand(), c.outputCommand(), c.consoleCommand(), c.graphCommand(), c.vendorCommand(),
		c.schemaCommand(), c.manpagesCommand(),
	}
}

// longOptions lets options be written with one dash, as Terraform's are: -json becomes
// --json where some command has such an option. What follows "--" is left alone.
func longOptions(root *cobra.Command, args []string) []string {
	known := map[string]bool{"help": true, "version": true}
	collect := func(f *pflag.Flag) { known[f.Name] = true }
	root.PersistentFlags().VisitAll(collect)
	for _, sub := range root.Commands() {
		sub.Flags().VisitAll(collect)
	}
	out := make([]string, 0, len(args))
	for i, arg := range args {
		if arg == "--" {
			return append(out, args[i:]...)
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(arg, "-"), "=")
		if strings.HasPrefix(arg, "-") && known[name] {
			arg = "-" + arg
		}
		out = append(out, arg)
	}
	return out
}
