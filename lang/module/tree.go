package module

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"hafile/lang/diag"
	"hafile/lang/schema"
)

// LibraryPrefix begins the source of a module that comes with hafile: "hafile/web-pair".
const LibraryPrefix = "hafile/"

// callsMax is how deep modules may call modules.
const callsMax = 20

// Tree loads the modules that m calls, and those that they call. Library holds the ones
// that come with hafile, each under its name; nil: there are none.
func (m *Module) Tree(library fs.FS) diag.Diagnostics {
	t := tree{root: m, library: library, loaded: map[string]*Module{}, broken: map[string]bool{}}
	t.children(m, []string{m.Dir})
	return t.ds
}

type tree struct {
	root    *Module
	library fs.FS
	loaded  map[string]*Module
	broken  map[string]bool
	ds      diag.Diagnostics
}

// All lists m and every module below it, each directory once.
func (m *Module) All() []*Module {
	var all []*Module
	var walk func(*Module)
	walk = func(m *Module) {
		if slices.Contains(all, m) {
			return
		}
		all = append(all, m)
		for _, d := range m.Of("module") {
			if child := m.Children[d.Name]; child != nil {
				walk(child)
			}
		}
	}
	walk(m)
	return all
}

func (t *tree) children(m *Module, stack []string) {
	for _, d := range m.Of("module") {
		source, at, ok := t.source(d)
		if !ok {
			continue
		}
		if child := t.call(m, source, at, stack); child != nil {
			m.Children[d.Name] = child
		}
	}
}

var sourceSchema = &hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "source"}}}

// source is the literal string of a call: what is loaded must be known before anything
// is evaluated.
func (t *tree) source(d *Decl) (string, hcl.Range, bool) {
	content, _, _ := d.Block.Body.PartialContent(sourceSchema)
	attr := content.Attributes["source"]
	if attr == nil {
		t.fail("HA1007", d.Range(), fmt.Sprintf("module %q needs source", d.Name), `Write source = "./modules/NAME", or "hafile/NAME" for one that comes with hafile.`)
		return "", hcl.Range{}, false
	}
	v, hd := attr.Expr.Value(nil)
	if hd.HasErrors() || v.IsNull() || v.Type().FriendlyName() != "string" {
		t.fail("HA1010", attr.Expr.Range(), "source must be a plain string", `What is loaded must be known before anything is evaluated. Write source = "./modules/NAME".`)
		return "", hcl.Range{}, false
	}
	return v.AsString(), attr.Expr.Range(), true
}

func (t *tree) fail(code string, at hcl.Range, summary, detail string, args ...any) {
	t.ds = append(t.ds, diag.Diagnostic{Severity: diag.Error, Code: code, Summary: summary, Detail: fmt.Sprintf(detail, args...), Range: At(at)})
}

func (t *tree) call(m *Module, source string, at hcl.Range, stack []string) *Module {
	fsys, dir, shown, ok := t.resolve(m, source, at)
	if !ok {
		return nil
	}
	key := dir
	if strings.HasPrefix(source, LibraryPrefix) || m.inLibrary() {
		key = LibraryPrefix + dir
	}
	switch {
	case slices.Contains(stack, key):
		t.fail("HA1005", at, "a module calls itself", "The way round is %s. Take one call out.", strings.Join(append(stack, key), " -> "))
		return nil
	case len(stack) > callsMax:
		t.fail("HA1010", at, "modules are called too deeply", "%d levels are the limit. Call fewer modules from modules.", callsMax)
		return nil
	case t.loaded[key] != nil:
		return t.loaded[key]
	case t.broken[key]:
		return nil
	}
	child := t.load(fsys, dir, shown, key, at)
	if child == nil {
		t.broken[key] = true
		return nil
	}
	t.loaded[key] = child
	t.children(child, append(slices.Clone(stack), key))
	return child
}

func (m *Module) inLibrary() bool { return strings.HasPrefix(m.Path, LibraryPrefix) }

// resolve finds the directory of a source, as messages and path.module show it.
func (t *tree) resolve(m *Module, source string, at hcl.Range) (fsys fs.FS, dir, shown string, ok bool) {
	switch {
	case strings.HasPrefix(source, LibraryPrefix):
		name := strings.TrimPrefix(source, LibraryPrefix)
		if t.library == nil || !fs.ValidPath(name) || name == "." {
			t.fail("HA1010", at, fmt.Sprintf("there is no module %q", source), "No such module comes with this hafile. %s", t.shelf(name))
			return nil, "", "", false
		}
		if _, err := fs.Stat(t.library, name); err != nil {
			t.fail("HA1010", at, fmt.Sprintf("there is no module %q", source), "No such module comes with this hafile. %s", t.shelf(name))
			return nil, "", "", false
		}
		return t.library, name, source, true
	case strings.HasPrefix(source, "./") || strings.HasPrefix(source, "../"):
		dir := path.Join(m.Dir, source)
		if m.FS == nil || !fs.ValidPath(dir) {
			t.fail("HA1010", at, fmt.Sprintf("%s cannot be read", source), "It leads out of what may be read: modules stand in the same repository. Copy it there; hafile vendor does that.")
			return nil, "", "", false
		}
		shown := path.Join(m.Path, source)
		if !strings.HasPrefix(shown, "../") {
			shown = "./" + shown
		}
		return m.FS, dir, shown, true
	case strings.Contains(source, "://") || strings.HasPrefix(source, "git::") || strings.HasPrefix(source, "git@") || strings.HasPrefix(source, "github.com/"):
		t.fail("HA1010", at, "a module is not fetched from the network", `Copy it into the repository with hafile vendor, and write source = "./vendor/NAME".`)
	default:
		t.fail("HA1010", at, fmt.Sprintf("%q is not where a module can be", source), "Write source = %q, or \"hafile/NAME\" for one that comes with hafile.", "./"+strings.TrimPrefix(source, "/"))
	}
	return nil, "", "", false
}

// shelf says which modules come with hafile.
func (t *tree) shelf(name string) string {
	var names []string
	if t.library != nil {
		entries, _ := fs.ReadDir(t.library, ".")
		for _, e := range entries {
			if e.IsDir() {
				names = append(names, e.Name())
			}
		}
	}
	if near := diag.Nearest(name, names); near != "" {
		return fmt.Sprintf("Did you mean %q?", LibraryPrefix+near)
	}
	if len(names) == 0 {
		return "Write a relative path."
	}
	return "There are " + strings.Join(names, ", ") + "."
}

func (t *tree) load(fsys fs.FS, dir, shown, key string, at hcl.Range) *Module {
	config, _, ds := List(fsys, dir)
	if ds.HasErrors() {
		t.fail("HA1010", at, fmt.Sprintf("there is no module in %s", shown), "%s", ds[0].Detail)
		return nil
	}
	files, ds := Read(fsys, config)
	t.ds = append(t.ds, ds...)
	if ds.HasErrors() {
		return nil
	}
	if key != dir {
		files = prefixed(files)
	}
	child, ds := Load(fsys, dir, files, nil)
	child.Path = shown
	if !ds.HasErrors() {
		ds = append(ds, child.Index()...)
	}
	if child.Hafile != nil {
		ds = append(ds, diag.Diagnostic{
			Severity: diag.Error, Code: "HA1002", Summary: "there is no block hafile in a module", Range: At(BlockRange(child.Hafile)),
			Detail: "It holds for the whole set of files: write it beside the call, in the root module.",
		})
	}
	t.ds = append(t.ds, ds...)
	if ds.HasErrors() {
		return nil
	}
	for name, src := range child.Files {
		t.root.Files[name] = src
	}
	for name, sum := range child.Hashes {
		t.root.Hashes[name] = sum
	}
	return child
}

// prefixed names the files of a module that comes with hafile after it, so that nobody
// looks for them beside the configuration.
func prefixed(files map[string][]byte) map[string][]byte {
	out := map[string][]byte{}
	for name, src := range files {
		out[LibraryPrefix+name] = src
	}
	return out
}

// Variables is the schema of a call: a module's variables are the arguments of its call.
func (m *Module) Variables() *schema.Block {
	call := schema.Module
	call.Args = slices.Clone(call.Args)
	for _, name := range m.Names("var") {
		call.Args = append(call.Args, schema.Arg{Name: name, Kind: schema.Any, Doc: "A variable of the module."})
	}
	return &call
}
