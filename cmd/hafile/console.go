package main

import (
	"bufio"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"testing/fstest"

	"github.com/spf13/cobra"

	"hafile/lang"
	"hafile/lang/diag"
)

func (c *cli) consoleCommand() *cobra.Command {
	var vars varFlags
	var node string
	cmd := &cobra.Command{
		Use:     "console [DIR]",
		Short:   "Evaluate expressions, one a line, with the names of the files",
		Example: "  echo 'cidrhost(\"10.0.0.0/24\", 10)' | hafile console\n  echo 'instance.web.preferred' | hafile console",
		Args:    cobra.MaximumNArgs(1),
		RunE:    func(_ *cobra.Command, args []string) error { return c.console(target(args), node, &vars) },
	}
	vars.register(cmd.Flags())
	cmd.Flags().StringVar(&node, "node", "", "let self be node `NAME`")
	c.completeNode(cmd)
	return cmd
}

// consoleFile holds the expression, as the one output of this name.
const (
	consoleFile   = "console.ha.hcl"
	consoleOutput = "hafile_console"
)

func (c *cli) console(dir, node string, vars *varFlags) error {
	v := c.view()
	if dir == "" {
		dir = "."
	}
	p, err := openPlace(dir)
	if err != nil {
		return err
	}
	defer p.root.Close()
	if node != "" {
		conf, err := c.load(dir, vars)
		if err != nil {
			return err
		}
		if _, err := selectNode(conf.Result, node); err != nil {
			return err
		}
	}
	in := c.inputs(vars)
	in.Self = node
	failed := false
	lines := bufio.NewScanner(v.in)
	for v.prompt(); lines.Scan(); v.prompt() {
		expr := strings.TrimSpace(lines.Text())
		if expr == "" {
			continue
		}
		if expr == "exit" {
			break
		}
		res, ds := lang.Compile(beside{p.root.FS(), p.rel, expr}, p.rel, in)
		ds = onlyErrors(ds)
		if len(ds) > 0 {
			failed = true
			conf := newConfig(p, dir, vars, res, ds)
			if err := v.diagnostics(conf.diags, conf.sources); err != nil {
				return err
			}
			continue
		}
		v.line("%s", pretty(res.Outputs[consoleOutput].Value))
	}
	if err := lines.Err(); err != nil {
		return err
	}
	if failed {
		return exit(exitError)
	}
	return nil
}

func (v *view) prompt() {
	if v.interactive() {
		v.printf("> ")
	}
}

func onlyErrors(ds diag.Diagnostics) diag.Diagnostics {
	var out diag.Diagnostics
	for _, d := range ds {
		if d.Severity == diag.Error {
			out = append(out, d)
		}
	}
	return out
}

// beside is a file system with one more file in a directory.
type beside struct {
	fs.FS
	dir, expr string
}

func (b beside) extra() fs.FS {
	src := fmt.Sprintf("output %q {\n  value = (\n%s\n)\n}\n", consoleOutput, b.expr)
	return fstest.MapFS{consoleFile: &fstest.MapFile{Data: []byte(src)}}
}

func (b beside) Open(name string) (fs.File, error) {
	if name == path.Join(b.dir, consoleFile) {
		return b.extra().Open(consoleFile)
	}
	return b.FS.Open(name)
}

func (b beside) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(b.FS, name)
	if err != nil || path.Clean(name) != path.Clean(b.dir) {
		return entries, err
	}
	more, err := fs.ReadDir(b.extra(), ".")
	return append(entries, more...), err
}
