package module

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/json"

	"hafile/lang/diag"
	"hafile/lang/schema"
)

// Module is one directory: parsed, indexed, not evaluated.
type Module struct {
	FS     fs.FS  // what file() may read
	Dir    string // its path inside FS
	Path   string // its path from the root module, as path.module shows it
	Files  map[string][]byte
	Hashes map[string]string
	// VarFiles are the *.auto.havars files, in the order in which they count.
	VarFiles []string

	Hafile *hcl.Block // nil: none
	Decls  []*Decl    // in the order of files and lines
	Locals map[string]*hcl.Attribute

	Moved, Removed []*hcl.Block
	// Children are the directories that its module blocks call, by the name of the call.
	// One directory is loaded once, however often it is called.
	Children map[string]*Module

	bodies []hcl.Body
	index  map[string]map[string]*Decl
	byKind map[string][]*Decl
}

// Decl is one block with a name.
type Decl struct {
	Kind, Name string
	Block      *hcl.Block
	Schema     *schema.Block
}

// Range is where it is declared.
func (d *Decl) Range() hcl.Range { return BlockRange(d.Block) }

// Find is the declaration of a name; nil if there is none.
func (m *Module) Find(kind, name string) *Decl { return m.index[kind][name] }

// Names lists what is declared of a kind, in the order of declaration.
func (m *Module) Names(kind string) []string {
	var names []string
	if kind == "local" {
		for name := range m.Locals {
			names = append(names, name)
		}
		slices.Sort(names)
		return names
	}
	for _, d := range m.byKind[kind] {
		names = append(names, d.Name)
	}
	return names
}

// Has reports whether anything of a kind is declared here or in a module that is called.
func (m *Module) Has(kind string) bool {
	if len(m.byKind[kind]) > 0 {
		return true
	}
	for _, child := range m.Children {
		if child.Has(kind) {
			return true
		}
	}
	return false
}

// Of lists the declarations of a kind, in order.
func (m *Module) Of(kind string) []*Decl {
	return m.byKind[kind]
}

// IsConfig and IsAutoVars tell which files of a directory count.
func IsConfig(name string) bool {
	return strings.HasSuffix(name, ".ha.hcl") || strings.HasSuffix(name, ".ha.json")
}

func IsAutoVars(name string) bool {
	return strings.HasSuffix(name, ".auto.havars.hcl") || strings.HasSuffix(name, ".auto.havars.json")
}

// VarFilesAside are the files of variables beside the module that do not count by
// themselves: who wrote one may think that they do.
func (m *Module) VarFilesAside() []string {
	if m.FS == nil {
		return nil
	}
	names, _ := fs.Glob(m.FS, path.Join(m.Dir, "*.havars.hcl"))
	return slices.DeleteFunc(names, IsAutoVars)
}

// List finds the files of a directory that count.
func List(fsys fs.FS, dir string) (config, vars []string, ds diag.Diagnostics) {
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil {
		return nil, nil, diag.Diagnostics{unreadable(dir, err)}
	}
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		switch {
		case e.IsDir() || strings.HasPrefix(e.Name(), "."):
		case IsConfig(name):
			config = append(config, name)
		case IsAutoVars(name):
			vars = append(vars, name)
		}
	}
	if n := len(config) + len(vars); n > filesMax {
		return nil, nil, diag.Diagnostics{{
			Severity: diag.Error, Code: "HA1011", Summary: fmt.Sprintf("there are %d files of configuration in %s", n, here(dir)),
			Detail: fmt.Sprintf("At most %d are read as one. Put what belongs together into one file, or make modules of it.", filesMax),
		}}
	}
	if len(config) == 0 {
		ds = append(ds, diag.Diagnostic{
			Severity: diag.Error, Code: "HA1011", Summary: "no configuration here",
			Detail: fmt.Sprintf("There is no *.ha.hcl and no *.ha.json in %s. Name the directory that holds them; hafile init writes some to start from.", here(dir)),
		})
	}
	return config, vars, ds
}

// filesMax is more than anybody keeps in one directory who looks at it.
const filesMax = 2_000

func here(dir string) string {
	if dir == "." {
		return "this directory"
	}
	return dir
}

// Read reads files of fsys.
func Read(fsys fs.FS, names []string) (map[string][]byte, diag.Diagnostics) {
	files := map[string][]byte{}
	var ds diag.Diagnostics
	for _, name := range names {
		info, err := fs.Stat(fsys, name)
		switch {
		case err != nil:
			ds = append(ds, unreadable(name, err))
			continue
		case !info.Mode().IsRegular():
			// To open a pipe would wait for somebody to write into it.
			ds = append(ds, *refusal(name, nil, "this is no file", "It is a directory, a device or a pipe. Give it another name, or put a file there."))
			continue
		case info.Size() > sizeMax:
			ds = append(ds, *refusal(name, nil, fmt.Sprintf("the file is larger than %d MiB", sizeMax>>20),
				fmt.Sprintf("It has %d bytes. Split it: all files of a directory are one configuration.", info.Size())))
			continue
		}
		src, err := fs.ReadFile(fsys, name)
		if err != nil {
			ds = append(ds, unreadable(name, err))
			continue
		}
		files[name] = src
	}
	return files, ds
}

func unreadable(name string, err error) diag.Diagnostic {
	return diag.Diagnostic{
		Severity: diag.Error, Code: "HA1011", Summary: fmt.Sprintf("%s cannot be read", here(name)),
		Detail: fmt.Sprintf("%v. Check the name, the rights and, for a link, where it leads.", err),
	}
}

// Load parses files; Index reads what they declare. After errors the module holds what parsed.
func Load(fsys fs.FS, dir string, files map[string][]byte, varFiles []string) (*Module, diag.Diagnostics) {
	m := &Module{
		FS: fsys, Dir: dir, Path: ".", Files: files, VarFiles: varFiles, Hashes: map[string]string{},
		Locals: map[string]*hcl.Attribute{}, Children: map[string]*Module{},
		index: map[string]map[string]*Decl{}, byKind: map[string][]*Decl{},
	}
	var ds diag.Diagnostics
	var config []string
	for _, name := range sortedNames(files) {
		m.Hashes[name] = Hash(files[name])
		if !slices.Contains(varFiles, name) {
			config = append(config, name)
		}
	}
	for _, f := range parseAll(config, files) {
		ds = append(ds, f.diags...)
		if f.body != nil {
			m.bodies = append(m.bodies, f.body)
		}
	}
	if ds.HasErrors() {
		// Half a file has half of its names: to judge the rest would blame the innocent.
		return m, ds
	}
	for _, body := range m.bodies {
		ds = append(ds, m.sniff(body)...)
	}
	return m, ds
}

// sniff takes the hafile block alone, so that files for a newer release are refused for
// that and not for twenty arguments that this one has not heard of.
func (m *Module) sniff(body hcl.Body) diag.Diagnostics {
	content, _, hd := body.PartialContent(&hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{schema.Hafile.Header()}})
	ds := Translate(hd, &schema.File, "")
	for _, b := range content.Blocks {
		if m.Hafile != nil {
			ds = append(ds, duplicate("the hafile block", BlockRange(b), BlockRange(m.Hafile)))
			continue
		}
		m.Hafile = b
	}
	return ds
}

// Index reads what the files declare.
func (m *Module) Index() diag.Diagnostics {
	var ds diag.Diagnostics
	for _, body := range m.bodies {
		ds = append(ds, m.takeBody(body)...)
	}
	return ds
}

func sortedNames(files map[string][]byte) []string {
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Hash is how inputs are recorded.
func Hash(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Parse checks and parses one file; the body is nil after errors.
func Parse(name string, src []byte) (hcl.Body, diag.Diagnostics) {
	if d := Check(name, src); d != nil {
		return nil, diag.Diagnostics{*d}
	}
	var f *hcl.File
	var hd hcl.Diagnostics
	if strings.HasSuffix(name, ".json") {
		f, hd = json.Parse(src, name)
	} else {
		f, hd = hclsyntax.ParseConfig(src, name, hcl.InitialPos)
	}
	if hd.HasErrors() && !strings.HasSuffix(name, ".json") {
		if d := wholeFile(name, src); d != nil {
			return nil, diag.Diagnostics{*d}
		}
	}
	ds := syntax(src, hd)
	if ds.HasErrors() || f == nil {
		return nil, ds
	}
	return f.Body, ds
}

type parsed struct {
	body  hcl.Body
	diags diag.Diagnostics
}

// parseAll parses side by side, as many at once as there are processors: a file knows
// nothing of the others. The answers are in the order of the names.
func parseAll(names []string, files map[string][]byte) []parsed {
	all := make([]parsed, len(names))
	next := make(chan int)
	var done sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(names)) {
		done.Go(func() {
			for i := range next {
				all[i].body, all[i].diags = Parse(names[i], files[names[i]])
			}
		})
	}
	for i := range names {
		next <- i
	}
	close(next)
	done.Wait()
	return all
}

// takeBody indexes the blocks of one file.
func (m *Module) takeBody(body hcl.Body) diag.Diagnostics {
	content, hd := body.Content(schema.File.HCL())
	ds := Translate(hd, &schema.File, "")
	for _, b := range content.Blocks {
		ds = append(ds, m.take(b)...)
	}
	return ds
}

func (m *Module) take(b *hcl.Block) diag.Diagnostics {
	s := schema.File.Block(b.Type)
	switch {
	case s.Later:
		m.declare(&Decl{Kind: b.Type, Name: b.Labels[0], Block: b, Schema: s})
		return diag.Diagnostics{NotYet(b.Type, BlockRange(b), "block")}
	case b.Type == "hafile":
		return nil // taken by sniff
	case b.Type == "locals":
		return m.takeLocals(b)
	case b.Type == "moved":
		m.Moved = append(m.Moved, b)
		return nil
	case b.Type == "removed":
		m.Removed = append(m.Removed, b)
		return nil
	}
	d := &Decl{Kind: b.Type, Name: b.Labels[0], Block: b, Schema: s}
	if b.Type == "variable" {
		d.Kind = "var"
	}
	if !hclsyntax.ValidIdentifier(d.Name) {
		return diag.Diagnostics{{
			Severity: diag.Error, Code: "HA1018", Summary: fmt.Sprintf("%q is not a name", d.Name), Range: At(b.LabelRanges[0]),
			Detail: fmt.Sprintf("A label starts with a letter and goes on with letters, digits, _ and -, so that %s.%s can be written. %s",
				d.Kind, "name", nameHint(b.Type)),
		}}
	}
	if first := m.Find(d.Kind, d.Name); first != nil {
		return diag.Diagnostics{duplicate(fmt.Sprintf("%s %q", b.Type, d.Name), BlockRange(b), first.Range())}
	}
	m.declare(d)
	return nil
}

func nameHint(kind string) string {
	if kind == "instance" {
		return `Choose one and keep the old as name = "...".`
	}
	return "Choose one."
}

func (m *Module) declare(d *Decl) {
	if m.index[d.Kind] == nil {
		m.index[d.Kind] = map[string]*Decl{}
	}
	m.index[d.Kind][d.Name] = d
	m.byKind[d.Kind] = append(m.byKind[d.Kind], d)
	m.Decls = append(m.Decls, d)
}

func (m *Module) takeLocals(b *hcl.Block) diag.Diagnostics {
	attrs, hd := b.Body.JustAttributes()
	ds := Translate(hd, &schema.Locals, "")
	for _, a := range sortedAttrs(attrs) {
		if first, taken := m.Locals[a.Name]; taken {
			ds = append(ds, duplicate("local."+a.Name, a.NameRange, first.NameRange))
			continue
		}
		m.Locals[a.Name] = a
	}
	return ds
}

func sortedAttrs(attrs hcl.Attributes) []*hcl.Attribute {
	list := make([]*hcl.Attribute, 0, len(attrs))
	for _, a := range attrs {
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b *hcl.Attribute) int {
		return cmp.Or(cmp.Compare(a.NameRange.Filename, b.NameRange.Filename), cmp.Compare(a.NameRange.Start.Byte, b.NameRange.Start.Byte))
	})
	return list
}

func duplicate(what string, second, first hcl.Range) diag.Diagnostic {
	return diag.Diagnostic{
		Severity: diag.Error, Code: "HA1006", Summary: what + " is declared twice", Range: At(second),
		Detail:  fmt.Sprintf("It stands at %s:%d already. Rename or remove one.", first.Filename, first.Start.Line),
		Related: []diag.Related{{Range: Range(first), Message: "first declared here"}},
	}
}

// NotYet refuses what a later release will know.
func NotYet(name string, at hcl.Range, what string) diag.Diagnostic {
	return diag.Diagnostic{
		Severity: diag.Error, Code: "HA1901", Summary: fmt.Sprintf("the %s %s is not in this release", what, name), Range: At(at),
		Detail: "It is part of the language but this release cannot do it yet, and nothing is ignored in silence. Take it out, or wait for the release that has it.",
	}
}
