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
	"hafile/lang/plan"
)

// convertOptions are those of `hafile convert`.
type convertOptions struct {
	keepalived.Options
	out           string
	nodes         []string
	strict, force bool
	asJSON        bool
	check         bool
	lvsOut        string
}

func (c *cli) convertCommand() *cobra.Command {
	var o convertOptions
	cmd := &cobra.Command{
		Use:   "convert [NODE=]FILE...",
		Short: "Turn the keepalived.conf files of a group into one file in HCL",
		Example: "  hafile convert lb1=a/keepalived.conf lb2=b/keepalived.conf -out pair.ha.hcl\n" +
			"  hafile convert -node lb1,lb2 keepalived.conf     one file with @lb1 and @lb2 lines\n" +
			"  hafile convert - < keepalived.conf > x.ha.hcl     the report goes to standard error\n" +
			"  hafile convert -check lb1=a/keepalived.conf lb2=b/keepalived.conf pair.ha.hcl",
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
	flags.BoolVar(&o.check, "check", false, "compare the files with a configuration, the last argument, setting by setting; exit 3 when they differ")
	flags.BoolVar(&o.Split, "split", false, "make a file of each included one, beside -out")
	flags.StringVar(&o.lvsOut, "lvs-out", "", "write what remains for keepalived -C to `FILE`")
	flags.BoolVar(&o.asJSON, "json", false, "print the report as JSON")
	return cmd
}

// convert writes nothing until everything is read, converted and compiled.
func (c *cli) convert(args []string, o *convertOptions) error {
	v := c.view()
	target := ""
	if o.check {
		if len(args) < 2 {
			return fmt.Errorf("-check compares files of keepalived with a configuration: hafile convert -check keepalived.conf new.ha.hcl")
		}
		target, args = args[len(args)-1], args[:len(args)-1]
	}
	files, err := c.keepalivedFiles(args, o.nodes)
	if err != nil {
		return err
	}
	inc := &includes{cli: c, sources: map[string][]byte{}}
	for _, f := range files {
		inc.mains = append(inc.mains, filepath.Dir(f.Name))
	}
	o.Include = inc.find
	if o.check {
		return c.check(v, files, target, o)
	}
	if o.Split && o.out == "" {
		return errors.New("-split needs -out: it writes several files")
	}
	if o.out != "" {
		if !strings.HasSuffix(o.out, ".ha.hcl") {
			return fmt.Errorf("-out %s: hafile reads files that end in .ha.hcl, name it so", o.out)
		}
		o.OutName = filepath.Base(o.out)
	}
	res, ds := keepalived.Convert(files, o.Options)
	sources := inc.sources
	sources[res.Report.Out] = res.HCL
	for _, f := range res.Files {
		sources[f.Name] = f.HCL
	}
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
	files := o.restFiles(res.Rests)
	if o.out == "" {
		if !o.asJSON {
			v.printf("%s", res.HCL)
		}
	} else {
		for name, f := range o.secretFiles(res.Secrets) {
			files[name] = f
		}
		files[o.out] = output{res.HCL, 0o644}
		for _, f := range res.Files {
			files[filepath.Join(filepath.Dir(o.out), f.Name)] = output{f.HCL, 0o644}
		}
	}
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

// restFiles are what remains for keepalived -C: one file, or one for each node where they
// are not alike. They may hold passwords of what they check.
func (o *convertOptions) restFiles(rests []keepalived.Rest) map[string]output {
	files := map[string]output{}
	if o.lvsOut == "" {
		return files
	}
	alike := true
	for _, r := range rests {
		alike = alike && bytes.Equal(r.Src, rests[0].Src)
	}
	for _, r := range rests {
		name := o.lvsOut
		if !alike {
			ext := filepath.Ext(name)
			name = strings.TrimSuffix(name, ext) + "." + r.Node + ext
		}
		files[name] = output{r.Src, 0o600}
	}
	return files
}

// check compares files of keepalived with a configuration.
func (c *cli) check(v *view, files []keepalived.File, target string, o *convertOptions) error {
	conf, err := c.load(target, &varFlags{})
	if err != nil {
		return err
	}
	if conf.diags.HasErrors() {
		if err := v.diagnostics(conf.diags, conf.sources); err != nil {
			return err
		}
		return exit(exitError)
	}
	dir := filepath.Dir(target)
	if info, err := os.Stat(target); err == nil && info.IsDir() {
		dir = target
	}
	secret := func(node string, s plan.Secret) ([]byte, bool) {
		if s.Credential == "" || filepath.Base(s.Credential) != s.Credential {
			return nil, false // a path is one of the node
		}
		for _, name := range []string{filepath.Join(dir, "credentials", node, s.Credential), filepath.Join(dir, "credentials", s.Credential)} {
			if value, err := os.ReadFile(name); err == nil {
				return value, true
			}
		}
		return nil, false
	}
	found, ds := keepalived.Check(files, o.Options, conf.Result, secret)
	if ds.HasErrors() {
		sources := map[string][]byte{}
		for _, f := range files {
			sources[f.Name] = keepalived.MaskSecrets(f.Src)
		}
		if err := v.diagnostics(ds, sources); err != nil {
			return err
		}
		return exit(exitError)
	}
	if err := v.comparison(&found, o.asJSON); err != nil {
		return err
	}
	if len(found.Differences) > 0 || o.strict && len(found.Left) > 0 {
		return exit(exitDiffers)
	}
	return nil
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
