package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"hafile/lang/convert/keepalived"
)

// convertOptions are those of `hafile convert`.
type convertOptions struct {
	keepalived.Options
	out           string
	nodes         []string
	strict, force bool
	asJSON        bool
}

func (c *cli) convertCommand() *cobra.Command {
	var o convertOptions
	cmd := &cobra.Command{
		Use:   "convert [NODE=]FILE...",
		Short: "Turn the keepalived.conf files of a group into one file in HCL",
		Example: "  hafile convert lb1=a/keepalived.conf lb2=b/keepalived.conf -out pair.ha.hcl\n" +
			"  hafile convert -node lb1,lb2 keepalived.conf     one file with @lb1 and @lb2 lines\n" +
			"  hafile convert - < keepalived.conf > x.ha.hcl     the report goes to standard error",
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return c.convert(args, &o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.out, "out", "", "write the result to `FILE`, and secrets beside it")
	flags.StringSliceVar(&o.nodes, "node", nil, "the nodes that a file without NODE= is for")
	flags.BoolVar(&o.EnableMail, "enable-mail", false, "attach mail settings to every instance")
	flags.BoolVar(&o.InlineSecrets, "inline-secrets", false, "write passwords into the result")
	flags.BoolVar(&o.Explicit, "explicit", false, "write defaults too, where the originals state them")
	flags.BoolVar(&o.Annotate, "annotate", false, "put verdicts into the result as comments")
	flags.BoolVar(&o.strict, "strict", false, "exit 3 when anything was changed, dropped or not understood")
	flags.BoolVar(&o.force, "force", false, "overwrite what exists")
	flags.BoolVar(&o.asJSON, "json", false, "print the report as JSON")
	return cmd
}

// convert writes nothing until everything is read, converted and compiled.
func (c *cli) convert(args []string, o *convertOptions) error {
	v := c.view()
	files, err := c.keepalivedFiles(args, o.nodes)
	if err != nil {
		return err
	}
	if o.out != "" {
		if !strings.HasSuffix(o.out, ".ha.hcl") {
			return fmt.Errorf("-out %s: hafile reads files that end in .ha.hcl, name it so", o.out)
		}
		o.OutName = filepath.Base(o.out)
	}
	res, ds := keepalived.Convert(files, o.Options)
	sources := map[string][]byte{res.Report.Out: res.HCL}
	for _, f := range files {
		sources[f.Name] = keepalived.MaskSecrets(f.Src)
	}
	if err := v.diagnostics(ds, sources); err != nil {
		return err
	}
	if !ds.HasErrors() {
		if err := o.write(v, &res); err != nil {
			return err
		}
	}
	if err := v.conversion(&res, o); err != nil {
		return err
	}
	switch {
	case ds.HasErrors():
		return exit(exitError)
	case o.strict && res.Report.Lost():
		return exit(exitDiffers)
	}
	return nil
}

// keepalivedFiles reads NODE=FILE, FILE and "-". One file for several nodes is given
// once for each.
func (c *cli) keepalivedFiles(args, nodes []string) ([]keepalived.File, error) {
	var files []keepalived.File
	for _, arg := range args {
		node, name, ok := strings.Cut(arg, "=")
		if !ok {
			node, name = "", arg
		}
		src, err := c.readInput(name)
		if err != nil {
			return nil, err
		}
		forNodes := nodes
		switch {
		case node != "":
			forNodes = []string{node}
		case len(nodes) == 0:
			forNodes = []string{""}
		}
		for _, n := range forNodes {
			files = append(files, keepalived.File{Node: n, Name: name, Src: src})
		}
	}
	return files, nil
}

// readInput reads a file of sane size, or standard input for "-".
func (c *cli) readInput(name string) ([]byte, error) {
	const most = 4 << 20
	in := c.std.in
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	src, err := io.ReadAll(io.LimitReader(in, most+1))
	if err == nil && len(src) > most {
		err = fmt.Errorf("%s is larger than 4 MiB: this is no keepalived.conf", name)
	}
	return src, err
}

// write puts the result and its secrets where they belong, after it has made sure that
// nothing that says something else is overwritten.
func (o *convertOptions) write(v *view, res *keepalived.Result) error {
	if o.out == "" {
		if !o.asJSON {
			v.printf("%s", res.HCL)
		}
		return nil
	}
	files := o.secretFiles(res.Secrets)
	files[o.out] = output{res.HCL, 0o644}
	for name, f := range files {
		present, err := os.ReadFile(name)
		switch {
		case err == nil && (o.force || bytes.Equal(present, f.body)), errors.Is(err, os.ErrNotExist):
		case err == nil:
			return fmt.Errorf("%s exists already: use -force to overwrite it, or another -out", name)
		default:
			return err
		}
	}
	for name, f := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return err
		}
		if err := writeFile(name, f.body, f.mode); err != nil {
			return err
		}
	}
	return nil
}

// output is a file to write.
type output struct {
	body []byte
	mode os.FileMode
}

// secretFiles are the secrets by the file that each goes to: credentials/NAME beside
// the result, credentials/NODE/NAME where only one node needs it.
func (o *convertOptions) secretFiles(secrets []keepalived.Secret) map[string]output {
	files := map[string]output{}
	for _, s := range secrets {
		files[filepath.Join(filepath.Dir(o.out), "credentials", s.Node, s.Name)] = output{s.Value, 0o600}
	}
	return files
}
