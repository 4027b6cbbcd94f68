package lang

import (
	"io/fs"
	"path"
	"slices"
	"strings"

	"hafile/lang/diag"
	"hafile/lang/eval"
	"hafile/lang/module"
	"hafile/lang/plan"
)

// Compile reads every *.ha.hcl and *.ha.json of one directory of fsys, and the
// *.auto.havars.hcl beside them, as one configuration.
func Compile(fsys fs.FS, root string, in Inputs) (*Result, diag.Diagnostics) {
	root = path.Clean(root)
	config, vars, ds := module.List(fsys, root)
	if ds.HasErrors() {
		return &Result{}, ds
	}
	files, ds := module.Read(fsys, append(config, vars...))
	if ds.HasErrors() {
		return &Result{Files: files}, ds
	}
	return compile(fsys, root, files, vars, in)
}

// CompileFiles compiles just the named files of fsys; file() reads beside the first.
func CompileFiles(fsys fs.FS, names []string, in Inputs) (*Result, diag.Diagnostics) {
	files, ds := module.Read(fsys, names)
	if ds.HasErrors() || len(names) == 0 {
		return &Result{Files: files}, ds
	}
	return compile(fsys, path.Dir(names[0]), files, nil, in)
}

// CompileSource compiles one file that is in memory (standard input, what the converter
// wrote). file() finds nothing there.
func CompileSource(name string, src []byte, in Inputs) (*Result, diag.Diagnostics) {
	return compile(nil, ".", map[string][]byte{name: src}, nil, in)
}

// compiler is one compilation: the fleet as far as it is known.
type compiler struct {
	m    *module.Module
	e    *eval.Evaluator
	ds   diag.Diagnostics
	res  *Result
	dir  string
	file map[string]int // index into sources, by name

	sources   []plan.Source
	byName    map[string]*eval.Object
	nodes     map[string]Node
	checks    map[plan.Addr]plan.Check
	weights   map[plan.Addr]int
	instances []*instance
}

func compile(fsys fs.FS, dir string, files map[string][]byte, vars []string, in Inputs) (*Result, diag.Diagnostics) {
	res := &Result{
		Plans: map[string]*plan.Plan{}, Files: files, Hashes: map[string]string{}, Outputs: map[string]Output{},
		Unsupported: map[string]diag.Diagnostics{},
	}
	m, ds := module.Load(fsys, dir, files, vars)
	res.Hashes = m.Hashes
	if !ds.HasErrors() {
		ds = append(ds, eval.Sniff(m, in.Version)...)
	}
	if ds.HasErrors() {
		return res, ds.Dedup()
	}
	settings, more := eval.ReadSettings(m)
	ds = append(append(ds, more...), m.Index()...)
	if blinds(ds) {
		return res, ds.Dedup()
	}
	c := &compiler{
		m: m, res: res, dir: dir, ds: ds,
		byName: map[string]*eval.Object{}, nodes: map[string]Node{},
		checks: map[plan.Addr]plan.Check{}, weights: map[plan.Addr]int{},
	}
	c.e = eval.New(m, evalInputs(in), settings.Env)
	c.run()
	c.mask(in)
	all := append(c.ds, c.e.Diagnostics()...)
	all, res.Accepted = accept(all.Dedup(), settings)
	return res, all
}

// blinds reports errors after which half of the names are unknown, so that what follows
// would be blamed for it.
func blinds(ds diag.Diagnostics) bool {
	return slices.ContainsFunc(ds, func(d diag.Diagnostic) bool {
		return slices.Contains([]string{"HA1000", "HA1002", "HA1007", "HA1018"}, d.Code)
	})
}

func evalInputs(in Inputs) eval.Inputs {
	out := eval.Inputs{Env: in.Env, AllowEnv: in.AllowEnv}
	for _, v := range in.Vars {
		out.Vars = append(out.Vars, eval.Var(v))
	}
	return out
}

// run evaluates everything that is declared, used or not: a mistake in a block that
// nobody uses yet is a mistake.
func (c *compiler) run() {
	c.res.Variables = c.e.Variables()
	c.e.Locals()
	c.readNodes()
	c.readScripts()
	c.readNotifies()
	c.readInstances()
	for _, o := range c.e.Outputs() {
		c.res.Outputs[o.Name] = Output{Value: o.Value, Sensitive: o.Sensitive, Description: o.Description}
	}
	c.res.Env = c.e.Env()
	c.index()
	if c.failed() {
		return // a proof about half a fleet proves nothing
	}
	c.build()
	if c.failed() {
		return
	}
	c.prove()
	c.verify()
}

func (c *compiler) failed() bool { return c.ds.HasErrors() || c.e.Diagnostics().HasErrors() }

// index numbers the files for the positions in plans, by their names in the directory.
func (c *compiler) index() {
	c.file = map[string]int{}
	var names []string
	for name := range c.m.Hashes {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, name := range names {
		c.file[name] = i
		c.sources = append(c.sources, plan.Source{File: c.relative(name), SHA256: strings.TrimPrefix(c.m.Hashes[name], "sha256:")})
	}
}

func (c *compiler) relative(name string) string {
	if c.dir == "." {
		return name
	}
	return strings.TrimPrefix(name, c.dir+"/")
}

func (c *compiler) src(r diag.Range) plan.Src {
	i, ok := c.file[r.Filename]
	if !ok {
		return plan.Src{}
	}
	return plan.Src{i, r.Start.Line, r.Start.Column, r.End.Line, r.End.Column}
}

// mask hides what the evaluator knows to be secret in what snippets are cut from; the
// renderer hides what looks like it besides.
func (c *compiler) mask(in Inputs) {
	for _, v := range in.Vars {
		if v.File != "" {
			c.res.Files[v.File] = v.Data
		}
	}
	for name, src := range c.res.Files {
		c.res.Files[name] = slices.Clone(src)
	}
	for _, r := range c.e.SecretRanges() {
		src := c.res.Files[r.Filename]
		for i := r.Start.Byte; i < min(r.End.Byte, len(src)); i++ {
			if src[i] > ' ' && !strings.ContainsRune(`"[]{}(),`, rune(src[i])) {
				src[i] = '*'
			}
		}
	}
}

// accept sets aside the warnings that the hafile block accepts.
func accept(ds diag.Diagnostics, s eval.Settings) (rest, accepted diag.Diagnostics) {
	for _, d := range ds {
		if d.Severity == diag.Warning && slices.Contains(s.Accept, d.Code) {
			accepted = append(accepted, d)
			continue
		}
		rest = append(rest, d)
	}
	for _, code := range s.Accept {
		if d := unacceptable(code, s); d != nil {
			rest = append(rest, *d)
		}
	}
	return rest, accepted
}

func unacceptable(code string, s eval.Settings) *diag.Diagnostic {
	d := diag.Diagnostic{Severity: diag.Error, Code: "HA1101", Range: &s.AcceptRange, Address: "hafile"}
	switch known, ok := diag.Explain(code); {
	case !ok:
		d.Summary, d.Detail = "accept names "+code+", which no message has", "Write a code such as HA2102, as it stands in front of the warning."
	case !known.Warning:
		d.Summary, d.Detail = code+" is an error and cannot be accepted", "Correct what it names; hafile explain "+code+" says how."
	default:
		return nil
	}
	return &d
}
