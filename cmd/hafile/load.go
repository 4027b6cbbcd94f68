package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"hafile/lang"
	"hafile/lang/diag"
)

// config is a compiled directory, file or standard input, with names as the caller of
// the command would type them.
type config struct {
	*lang.Result
	target  string
	diags   diag.Diagnostics
	sources map[string][]byte
}

// varFlags collects -var and -var-file in the order in which they are written: the last
// one wins.
type varFlags struct{ vars []lang.Var }

func (f *varFlags) register(flags *pflag.FlagSet) {
	flags.Var(&varFlag{set: &f.vars, file: false}, "var", "set a variable: `NAME=VALUE`")
	flags.Var(&varFlag{set: &f.vars, file: true}, "var-file", "read variables from `FILE`")
}

type varFlag struct {
	set  *[]lang.Var
	file bool
}

func (f *varFlag) String() string { return "" }
func (f *varFlag) Type() string   { return "string" }

func (f *varFlag) Set(s string) error {
	if f.file {
		data, err := os.ReadFile(s)
		if err != nil {
			return err
		}
		*f.set = append(*f.set, lang.Var{File: s, Data: data})
		return nil
	}
	name, value, ok := strings.Cut(s, "=")
	if !ok {
		return fmt.Errorf("%q is not NAME=VALUE", s)
	}
	*f.set = append(*f.set, lang.Var{Name: name, Value: value})
	return nil
}

// load compiles a target: a directory (the working directory by default), one file, or
// "-" for standard input.
func (c *cli) load(target string, vars *varFlags) (*config, error) {
	in := lang.Inputs{Vars: vars.vars, Env: os.LookupEnv, Version: version}
	if target == "-" {
		src, err := io.ReadAll(c.std.in)
		if err != nil {
			return nil, err
		}
		res, ds := lang.CompileSource("stdin", src, in)
		return newConfig("", target, res, ds), nil
	}
	if target == "" {
		target = "."
	}
	info, err := os.Stat(target)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		res, ds := lang.Compile(os.DirFS(target), ".", in)
		return newConfig(target, target, res, ds), nil
	}
	dir := filepath.Dir(target)
	res, ds := lang.CompileFiles(os.DirFS(dir), []string{filepath.Base(target)}, in)
	return newConfig(dir, target, res, ds), nil
}

// newConfig puts the directory before every name: the compiler sees a file system whose
// root is the directory, the reader of a message does not.
func newConfig(dir, target string, res *lang.Result, ds diag.Diagnostics) *config {
	conf := &config{Result: res, target: target, sources: map[string][]byte{}}
	conf.diags = renamed(dir, ds)
	if res != nil {
		for node, lacking := range res.Unsupported {
			res.Unsupported[node] = renamed(dir, lacking)
		}
		for name, src := range res.Files {
			conf.sources[filepath.Join(dir, name)] = src
		}
	}
	return conf
}

func renamed(dir string, ds diag.Diagnostics) diag.Diagnostics {
	var out diag.Diagnostics
	rename := func(r diag.Range) diag.Range {
		if r.Filename != "" && !filepath.IsAbs(r.Filename) {
			r.Filename = filepath.Join(dir, r.Filename)
		}
		return r
	}
	for _, d := range ds {
		if d.Range != nil {
			r := rename(*d.Range)
			d.Range = &r
		}
		related := make([]diag.Related, len(d.Related))
		for i, rel := range d.Related {
			related[i] = diag.Related{Range: rename(rel.Range), Message: rel.Message}
		}
		d.Related = related
		out = append(out, d)
	}
	return out
}

// supported refuses what the node's plan asks for and this release cannot do.
func (c *config) supported(v *view, node string) error {
	lacking := c.Unsupported[node]
	if len(lacking) == 0 {
		return nil
	}
	if err := v.diagnostics(lacking, c.sources); err != nil {
		return err
	}
	return exit(exitError)
}

// loadGood is load for commands that go on only with a configuration without errors:
// it says what is wrong itself.
func (c *cli) loadGood(v *view, target string, vars *varFlags) (*config, error) {
	conf, err := c.load(target, vars)
	if err != nil {
		return nil, err
	}
	if len(conf.diags) > 0 {
		if err := v.diagnostics(conf.diags, conf.sources); err != nil {
			return nil, err
		}
	}
	if conf.diags.HasErrors() {
		return nil, exit(exitError)
	}
	return conf, nil
}

// target is a command's only argument, or the default.
func target(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}
