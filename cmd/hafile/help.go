package main

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// long finds an option as cobra writes it; people write it with one dash here.
var long = regexp.MustCompile(`(^|[\s,\["(])--([a-z])`)

func singleDash(s string) string { return long.ReplaceAllString(s, "$1-$2") }

// oneDash is help with options as the documentation writes them.
func oneDash(help func(*cobra.Command, []string)) func(*cobra.Command, []string) {
	return func(cmd *cobra.Command, args []string) {
		out := cmd.OutOrStdout()
		var b bytes.Buffer
		cmd.SetOut(&b)
		help(cmd, args)
		cmd.SetOut(out)
		fmt.Fprint(out, singleDash(b.String()))
	}
}

func (c *cli) manpagesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "manpages DIR",
		Short: "Write manual pages into a directory, one for each command",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			pages := manpages(cmd.Root())
			for _, name := range slices.Sorted(keysOf(pages)) {
				if err := writeFile(filepath.Join(args[0], name), pages[name], 0o644); err != nil {
					return err
				}
			}
			c.view().line("%s in %s: man -l %s", plural(len(pages), "page"), args[0], filepath.Join(args[0], "hafile.1"))
			return nil
		},
	}
}

func keysOf(m map[string][]byte) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// manpages are the pages by file name, from what -help prints.
func manpages(root *cobra.Command) map[string][]byte {
	pages := map[string][]byte{"hafile.1": manpage(root)}
	for _, cmd := range commands(root) {
		pages["hafile-"+cmd.Name()+".1"] = manpage(cmd)
	}
	return pages
}

// commands that a person calls.
func commands(root *cobra.Command) []*cobra.Command {
	var out []*cobra.Command
	for _, cmd := range root.Commands() {
		if !cmd.Hidden && cmd.Name() != "help" && cmd.Name() != "completion" {
			out = append(out, cmd)
		}
	}
	return out
}

func manpage(cmd *cobra.Command) []byte {
	var b bytes.Buffer
	name := strings.ReplaceAll(cmd.CommandPath(), " ", "-")
	fmt.Fprintf(&b, ".TH %s 1 \"\" \"hafile %s\" \"hafile\"\n", strings.ToUpper(name), version)
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", roff(name), roff(cmd.Short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", roff(singleDash(cmd.UseLine())))
	fmt.Fprintf(&b, ".SH DESCRIPTION\n%s\n", roff(cmp.Or(cmd.Long, cmd.Short+".")))
	if cmd.HasAvailableSubCommands() {
		b.WriteString(".SH COMMANDS\n")
		for _, sub := range commands(cmd) {
			fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(sub.Name()), roff(sub.Short))
		}
	}
	b.WriteString(".SH OPTIONS\n")
	cmd.Flags().VisitAll(func(f *pflag.Flag) { manOption(&b, f) })
	if cmd.HasParent() {
		cmd.Parent().PersistentFlags().VisitAll(func(f *pflag.Flag) { manOption(&b, f) })
	} else {
		cmd.PersistentFlags().VisitAll(func(f *pflag.Flag) { manOption(&b, f) })
	}
	if cmd.Example != "" {
		fmt.Fprintf(&b, ".SH EXAMPLES\n.nf\n%s\n.fi\n", roff(cmd.Example))
	}
	b.WriteString(".SH EXIT STATUS\n0 done; 1 error; 2 changes are planned (with \\-detailed\\-exitcode); 3 files differ, something was lost, or warnings (with \\-strict); 4 refused; 5 stale; 6 no daemon, or a plan for another node; 7 not settled, or rolled back; 9 a promise or an assertion failed.\n")
	if cmd.HasParent() {
		b.WriteString(".SH SEE ALSO\n.BR hafile (1)\n")
	}
	return b.Bytes()
}

func manOption(b *bytes.Buffer, f *pflag.Flag) {
	if f.Hidden || f.Name == "help" {
		return
	}
	value, usage := pflag.UnquoteUsage(f)
	name := "-" + f.Name
	if value != "" {
		name += " " + value
	}
	fmt.Fprintf(b, ".TP\n.B %s\n%s\n", roff(name), roff(usage))
}

// roff escapes what roff reads as a command.
func roff(s string) string {
	s = strings.ReplaceAll(s, `\`, `\e`)
	s = strings.ReplaceAll(s, "-", `\-`)
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
