package lang

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"hafile/lang/diag"
	"hafile/lang/eval"
	"hafile/lang/module"
	"hafile/lang/plan"
)

// Compile reads every *.ha.hcl and *.ha.json of one directory of fsys, and the
// *.auto.havars.hcl beside them, as one configuration.
func Compile(fsys fs.FS, root string, in Inputs) (*Result, diag.Diagnostics) {
	root = path.Clean(root)
	return within(in, func() (*Result, diag.Diagnostics) { return compileDir(fsys, root, in) })
}

// within gives an evaluation a deadline. HCL cannot be interrupted: what is late is left
// behind, and the process with it, which is why the daemon never compiles.
func within(in Inputs, compile func() (*Result, diag.Diagnostics)) (*Result, diag.Diagnostics) {
	if in.Deadline <= 0 {
		return compile()
	}
	type answer struct {
		r  *Result
		ds diag.Diagnostics
	}
	done := make(chan answer, 1)
	go func() {
		r, ds := compile()
		done <- answer{r, ds}
	}()
	timer := time.NewTimer(in.Deadline)
	defer timer.Stop()
	select {
	case a := <-done:
		return a.r, a.ds
	case <-timer.C:
		return &Result{}, diag.Diagnostics{{
			Severity: diag.Error, Code: "HA1020", Summary: fmt.Sprintf("the files are not evaluated after %s", in.Deadline),
			Detail: "Some expression loops over too much: a for inside of a for multiplies. Group once in a local, { for x in all : x.key => x... }, and look up by key; hafile validate -timings names what takes long.",
		}}
	}
}

func compileDir(fsys fs.FS, root string, in Inputs) (*Result, diag.Diagnostics) {
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
	return within(in, func() (*Result, diag.Diagnostics) { return compile(fsys, path.Dir(names[0]), files, nil, in) })
}

// CompileSource compiles one file that is in memory (standard input, what the converter
// wrote). file() finds nothing there.
func CompileSource(name string, src []byte, in Inputs) (*Result, diag.Diagnostics) {
	return within(in, func() (*Result, diag.Diagnostics) {
		return compile(nil, ".", map[string][]byte{name: src}, nil, in)
	})
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
	ranges    map[plan.Src]diag.Range
	byName    map[string]*eval.Object
	nodes     map[string]Node
	checks    map[plan.Addr]plan.Check
	weights   map[plan.Addr]int
	instances []*instance
	byAddr    map[plan.Addr]*instance
	onNode    map[string][]*member
	only      string // the node whose plan is wanted; empty: all
	groups    []*group
	defaults  *eval.Block
	moved     []plan.Move
	removed   []plan.Removal
	idles     diag.Diagnostics
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
	if !blinds(ds) {
		ds = append(ds, m.Tree(in.Library)...)
		res.Files = m.Files
	}
	if blinds(ds) {
		return res, ds.Dedup()
	}
	c := &compiler{
		m: m, res: res, dir: dir, ds: ds,
		byName: map[string]*eval.Object{}, nodes: map[string]Node{},
		checks: map[plan.Addr]plan.Check{}, weights: map[plan.Addr]int{}, defaults: settings.Defaults,
		ranges: map[plan.Src]diag.Range{}, byAddr: map[plan.Addr]*instance{}, onNode: map[string][]*member{},
	}
	res.MaxImpact = settings.MaxImpact
	c.e = eval.New(m, evalInputs(in), settings.Env)
	c.run(in)
	all := append(c.ds, c.e.Diagnostics()...)
	all = all.Scrub(c.mask(in, len(all) > 0))
	for _, t := range c.e.Timings(timingsMost) {
		res.Timings = append(res.Timings, Timing(t))
	}
	all, res.Accepted = accept(all.Dedup(), settings)
	return res, all
}

const timingsMost = 20

// blinds reports errors after which half of the names are unknown, so that what follows
// would be blamed for it.
func blinds(ds diag.Diagnostics) bool {
	return slices.ContainsFunc(ds, func(d diag.Diagnostic) bool {
		return slices.Contains([]string{"HA1000", "HA1002", "HA1007", "HA1010", "HA1018"}, d.Code)
	})
}

func evalInputs(in Inputs) eval.Inputs {
	out := eval.Inputs{Env: in.Env, AllowEnv: in.AllowEnv, Clock: in.Clock, Self: in.Self}
	for _, v := range in.Vars {
		out.Vars = append(out.Vars, eval.Var(v))
	}
	return out
}

// run evaluates everything that is declared, used or not: a mistake in a block that
// nobody uses yet is a mistake.
func (c *compiler) run(in Inputs) {
	c.res.Variables = c.e.Variables()
	c.e.Locals()
	c.readNodes()
	c.readChecks()
	c.readNotifies()
	c.readInstances()
	c.readGroups()
	c.e.Preconditions()
	for _, o := range c.e.Outputs() {
		c.res.Outputs[o.Name] = Output{Value: o.Value, Sensitive: o.Sensitive, Description: o.Description}
	}
	c.res.Env = c.e.Env()
	c.index()
	c.readMoves()
	if c.failed() {
		return // a proof about half a fleet proves nothing
	}
	c.nothing()
	alone := c.unused()
	c.narrow(in)
	c.build()
	if c.failed() {
		return
	}
	c.e.Policies()
	c.prove()
	c.verify()
	c.verifyAlone(alone)
	if !c.failed() {
		c.ds = append(c.ds, c.idles...)
	}
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
	up := ""
	for dir := c.dir; dir != "."; dir = path.Dir(dir) {
		if rest, inside := strings.CutPrefix(name, dir+"/"); inside {
			return up + rest
		}
		up += "../"
	}
	return up + name
}

// via are the positions of the repetitions and calls that made a thing.
func (c *compiler) via(ranges []diag.Range) plan.Via {
	var out []plan.Src
	for _, r := range ranges {
		out = append(out, c.src(r))
	}
	return plan.ViaOf(out)
}

func (c *compiler) src(r diag.Range) plan.Src {
	i, ok := c.file[r.Filename]
	if !ok {
		return plan.Src{}
	}
	s := plan.Src{i, r.Start.Line, r.Start.Column, r.End.Line, r.End.Column}
	c.ranges[s] = r
	return s
}

// mask hides what the evaluator knows to be secret in what snippets are cut from; the
// renderer hides what looks like it besides. It gives back what no message may say, where
// there are messages.
func (c *compiler) mask(in Inputs, messages bool) (secrets []string) {
	for _, v := range in.Vars {
		if v.File != "" {
			c.res.Files[v.File] = v.Data
		}
	}
	if messages {
		secrets = append(diag.SecretsOf(c.res.Files), c.e.SecretTexts()...)
	}
	before := maps.Clone(c.res.Files)
	for name, src := range c.res.Files {
		c.res.Files[name] = slices.Clone(src)
	}
	for _, r := range c.e.SecretRanges() {
		src, from, to := c.res.Files[r.Filename], r.Start.Byte, r.End.Byte
		if to > len(src) {
			continue
		}
		for i := from; i < to; i++ {
			if src[i] >= ' ' && !strings.ContainsRune(`"[]{}(),`, rune(src[i])) {
				src[i] = diag.Hidden
			}
		}
		if messages {
			secrets = append(secrets, diag.Secrets(before[r.Filename][from:to], src[from:to])...)
		}
	}
	return secrets
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
