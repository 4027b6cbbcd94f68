package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"hafile/lang"
	"hafile/lang/diag"
	"hafile/lang/module"
	"hafile/lang/vendored"
	"hafile/modules"
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

// evaluation is how long a configuration may take to evaluate: a fleet of 4,000 machines
// takes a second, and what takes this long would take a year.
const evaluation = 60 * time.Second

// sourceMax is more than one file may have; see lang/module.
const sourceMax = 5 << 20

// load compiles a target: a directory (the working directory by default), one file, or
// "-" for standard input.
func (c *cli) load(target string, vars *varFlags) (*config, error) {
	return c.loadFor(target, vars, nil)
}

// loadFor is load for a command that wants the plan of one node, which node tells when
// the nodes are known: see lang.Inputs.
func (c *cli) loadFor(target string, vars *varFlags, node func(*lang.Result) string) (*config, error) {
	in := c.inputs(vars)
	in.Node = node
	if target == "-" {
		src, err := io.ReadAll(io.LimitReader(c.std.in, sourceMax))
		if err != nil {
			return nil, err
		}
		res, ds := lang.CompileSource("stdin", src, in)
		return newConfig(place{}, target, vars, res, ds), nil
	}
	if target == "" {
		target = "."
	}
	info, err := os.Stat(target)
	if err != nil {
		return nil, err
	}
	dir := target
	if !info.IsDir() {
		dir = filepath.Dir(target)
	}
	p, err := openPlace(dir)
	if err != nil {
		return nil, err
	}
	defer p.root.Close()
	var res *lang.Result
	var ds diag.Diagnostics
	if info.IsDir() {
		res, ds = lang.Compile(p.root.FS(), p.rel, in)
	} else {
		res, ds = lang.CompileFiles(p.root.FS(), []string{path.Join(p.rel, filepath.Base(target))}, in)
	}
	ds = append(ds, vendored.Check(p.root.FS(), slices.Sorted(maps.Keys(res.Hashes)))...)
	return newConfig(p, target, vars, res, ds), nil
}

// inputs is what every compilation gets from outside.
func (c *cli) inputs(vars *varFlags) lang.Inputs {
	// A compilation allocates much, keeps it and ends: to collect rarely costs memory for
	// a moment and takes a third less time.
	debug.SetGCPercent(800)
	in := lang.Inputs{Vars: vars.vars, Env: os.LookupEnv, Version: version, Deadline: evaluation, Library: modules.FS}
	if c.measure {
		start := time.Now()
		in.Clock = func() time.Duration { return time.Since(start) }
	}
	return in
}

// place is a directory of configuration within what may be read: the repository around
// it, so that "../../modules/x" works and a link to /etc does not, or itself where there
// is no repository.
type place struct {
	typed string // as the caller typed it
	rel   string // within root, with slashes
	root  *os.Root
}

func openPlace(dir string) (place, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return place{}, err
	}
	if abs, err = filepath.EvalSymlinks(abs); err != nil {
		return place{}, err
	}
	top := repository(abs)
	rel, err := filepath.Rel(top, abs)
	if err != nil {
		return place{}, err
	}
	root, err := os.OpenRoot(top)
	return place{typed: dir, rel: filepath.ToSlash(rel), root: root}, err
}

// repository is the nearest directory above dir that git knows, or dir itself.
func repository(dir string) string {
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Lstat(filepath.Join(d, ".git")); err == nil {
			return d
		}
		if d == filepath.Dir(d) {
			return dir
		}
	}
}

// inside is a name of the root as it is called from the directory of configuration.
func (p place) inside(name string) string {
	rel, err := filepath.Rel(filepath.FromSlash(p.rel), filepath.FromSlash(name))
	if err != nil || p.rel == "" {
		return name
	}
	return rel
}

// shown is a name of the root as the caller would type it.
func (p place) shown(name string) string {
	if p.root == nil || strings.HasPrefix(name, module.LibraryPrefix) {
		return name
	}
	return filepath.Join(p.typed, p.inside(name))
}

// newConfig gives every file the name under which the caller knows it: the compiler sees
// a file system, the reader of a message does not.
func newConfig(p place, target string, vars *varFlags, res *lang.Result, ds diag.Diagnostics) *config {
	rename := func(name string) string {
		given := slices.ContainsFunc(vars.vars, func(v lang.Var) bool { return v.File == name })
		if name == "" || given {
			return name
		}
		return p.shown(name)
	}
	conf := &config{Result: res, target: target, sources: map[string][]byte{}, diags: renamed(rename, ds)}
	res.Accepted = renamed(rename, res.Accepted)
	for node, lacking := range res.Unsupported {
		res.Unsupported[node] = renamed(rename, lacking)
	}
	for name, src := range res.Files {
		conf.sources[rename(name)] = src
	}
	for i := range res.Timings {
		res.Timings[i].Range.Filename = rename(res.Timings[i].Range.Filename)
	}
	hashes := map[string]string{}
	for name, sum := range res.Hashes {
		hashes[filepath.ToSlash(p.inside(name))] = sum
	}
	res.Hashes = hashes
	return conf
}

func renamed(rename func(string) string, ds diag.Diagnostics) diag.Diagnostics {
	var out diag.Diagnostics
	for _, d := range ds {
		if d.Range != nil {
			r := *d.Range
			r.Filename = rename(r.Filename)
			d.Range = &r
		}
		related := make([]diag.Related, len(d.Related))
		for i, rel := range d.Related {
			rel.Range.Filename = rename(rel.Range.Filename)
			related[i] = rel
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
