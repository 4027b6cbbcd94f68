package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"hafile/lang"
	"hafile/lang/format"
	"hafile/lang/plan"
	"hafile/lang/schema"
	"hafile/modules"
)

// The reference in docs/reference is made from the table that the compiler reads and from
// the files in docs/reference/examples: instance.vip.hcl shows instance.vip. Each example
// compiles together with what it needs of prelude.hcl, and every argument is shown.

const reference = root + "/docs/reference"

var generated = "<!-- Made from lang/schema and docs/reference/examples by go test ./cmd/hafile -run Reference -update. -->\n"

// table is what hafile schema -json prints.
func table() schema.Document { return schema.NewDocument(plan.FormatVersion, plan.Language) }

// snippets are the examples of a block, in order.
func snippets(t *testing.T, path string) []string {
	t.Helper()
	var out []string
	for _, suffix := range []string{"", ".2", ".3"} {
		src, err := os.ReadFile(filepath.Join(reference, "examples", path+suffix+".hcl"))
		if err != nil {
			return out
		}
		out = append(out, string(src))
	}
	return out
}

func TestReferenceIsTheTable(t *testing.T) {
	var index strings.Builder
	index.WriteString("# Reference\n\n" + generated + "\nEvery block, with every argument, its default and an example. `hafile schema instance.vip` prints the same.\n")
	index.WriteString("How it all goes together is in [../language.md](../language.md); the functions are in [functions.md](functions.md).\n\n")
	index.WriteString("| block | |\n|---|---|\n")
	pages := []string{"README.md", "functions.md"}
	for _, b := range table().Blocks {
		p := page{t: t, shown: map[string]string{}}
		p.block(b, "#")
		golden(t, filepath.Join(reference, b.Name+".md"), []byte(p.String()))
		pages = append(pages, b.Name+".md")
		fmt.Fprintf(&index, "| [`%s`](%s.md) | %s |\n", headerOf(b), b.Name, b.Doc)
	}
	index.WriteString("\nWhere an example names `node.lb1`, `script.nginx`, `check.web`, `notify.ops` or `instance.web`, these stand beside it:\n\n```hcl\n")
	index.WriteString(snippets(t, "prelude")[0] + "```\n")
	golden(t, filepath.Join(reference, "README.md"), []byte(index.String()))
	present, err := filepath.Glob(reference + "/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range present {
		if !slices.Contains(pages, filepath.Base(file)) {
			t.Errorf("%s is about no block", file)
		}
	}
}

func headerOf(b schema.Shown) string {
	if b.Label != "" {
		return fmt.Sprintf(`%s "%s" { }`, b.Name, strings.ToUpper(b.Label))
	}
	return b.Name + " { }"
}

// page is one file of the reference.
type page struct {
	strings.Builder
	t     *testing.T
	shown map[string]string // what of the blocks that stand in several places was shown where
}

func (p *page) block(b schema.Shown, level string) {
	fmt.Fprintf(p, "%s %s\n\n", level, b.Path)
	if level == "#" {
		p.WriteString(generated + "\n")
	}
	fmt.Fprintf(p, "`%s`: %s\n", headerOf(b), lower(b.Doc))
	p.traits(b)
	if first, again := p.shown[fingerprint(b)]; again {
		fmt.Fprintf(p, "\nTakes what `%s` takes.\n\n", first)
		return
	}
	p.shown[fingerprint(b)] = b.Path
	for _, src := range snippets(p.t, b.Path) {
		fmt.Fprintf(p, "\n```hcl\n%s```\n", src)
	}
	if len(b.Arguments)+len(b.Blocks) > 0 {
		p.WriteString("\n| argument | takes | default | |\n|---|---|---|---|\n")
	}
	for _, a := range b.Arguments {
		fmt.Fprintf(p, "| `%s` | %s | %s | %s |\n", a.Name, cell(a.Takes()), cell(a.Fallback()), cell(a.Doc+marks(a)))
	}
	for _, n := range b.Blocks {
		many := "once"
		if n.Repeatable {
			many = "any number"
		}
		fmt.Fprintf(p, "| `%s` | block, %s | | %s |\n", headerOf(n), many, cell(n.Doc))
	}
	p.WriteString("\n")
	for _, n := range b.Blocks {
		p.block(n, "##")
	}
}

func (p *page) traits(b schema.Shown) {
	var says []string
	if b.ForEach {
		says = append(says, "takes `for_each`")
	}
	if b.Self {
		says = append(says, "knows `self`")
	}
	if b.Open {
		says = append(says, "takes any other name")
	}
	if len(says) > 0 {
		fmt.Fprintf(p, "It %s.\n", strings.Join(says, " and "))
	}
}

func marks(a schema.ShownArg) string {
	out := ""
	if a.SameOnAllMembers {
		out += " Members must agree."
	}
	if a.Sensitive {
		out += " Never shown."
	}
	return out
}

// fingerprint tells blocks that are one and the same wherever they stand.
func fingerprint(b schema.Shown) string {
	s := b.Name
	for _, a := range b.Arguments {
		s += " " + a.Name + a.Doc
	}
	return s
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

func lower(s string) string {
	if len(s) > 1 && s[1] >= 'a' && s[1] <= 'z' {
		return strings.ToLower(s[:1]) + s[1:]
	}
	return s
}

var declared = regexp.MustCompile(`(?m)^(\w+) "([\w-]+)" \{`)

// withPrelude adds what an example names and does not declare: the nodes always, because
// members are named by strings too.
func withPrelude(t *testing.T, src string) string {
	t.Helper()
	has := map[string]bool{}
	for _, m := range declared.FindAllStringSubmatch(src, -1) {
		has[m[1]+"."+m[2]] = true
	}
	prelude := snippets(t, "prelude")[0]
	out := src
	for _, piece := range strings.Split(prelude, "\n\n") {
		m := declared.FindStringSubmatch(piece)
		name := m[1] + "." + m[2]
		if needed := m[1] == "node" || strings.Contains(src, name); needed && !has[name] {
			out += "\n" + strings.TrimRight(piece, "\n") + "\n"
		}
	}
	return out
}

// TestReferenceExamplesCompile, and show every argument of every block.
func TestReferenceExamplesCompile(t *testing.T) {
	files, err := filepath.Glob(reference + "/examples/*.hcl")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	used := map[string]bool{}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got, ds := format.Format(src, "x.ha.hcl"); ds.HasErrors() || string(got) != string(src) {
			t.Errorf("%s is not in canonical layout", file)
		}
		compileSnippet(t, file, withPrelude(t, string(src)))
		f, hd := hclsyntax.ParseConfig(src, file, hcl.InitialPos)
		if hd.HasErrors() {
			t.Fatal(hd)
		}
		collect(f.Body.(*hclsyntax.Body), "", used)
	}
	everyBlock(table().Blocks, func(b schema.Shown) {
		if !strings.Contains(b.Path, ".") && len(snippets(t, b.Path)) == 0 {
			t.Errorf("%s has no example", b.Path)
		}
		for _, a := range b.Arguments {
			if !used[b.Path+"."+a.Name] && !used[sameElsewhere(b, a, used)] {
				t.Errorf("%s.%s is in no example", b.Path, a.Name)
			}
		}
	})
}

func compileSnippet(t *testing.T, name, src string) {
	t.Helper()
	env := func(string) (string, bool) { return "", false }
	_, ds := lang.CompileSource(name, []byte(src), lang.Inputs{Version: version, Library: modules.FS, Env: env})
	for _, d := range ds {
		if d.Severity == "error" {
			t.Errorf("%s: %s %s: %s", name, d.Code, d.Summary, d.Detail)
		}
	}
}

func collect(body *hclsyntax.Body, path string, used map[string]bool) {
	for name := range body.Attributes {
		used[strings.TrimPrefix(path+"."+name, ".")] = true
	}
	for _, b := range body.Blocks {
		collect(b.Body, strings.TrimPrefix(path+"."+b.Type, "."), used)
	}
}

func everyBlock(blocks []schema.Shown, visit func(schema.Shown)) {
	for _, b := range blocks {
		visit(b)
		everyBlock(b.Blocks, visit)
	}
}

// sameElsewhere is where an argument that means the same in several blocks is shown.
func sameElsewhere(in schema.Shown, a schema.ShownArg, used map[string]bool) string {
	found := ""
	everyBlock(table().Blocks, func(b schema.Shown) {
		for _, other := range b.Arguments {
			same := other.Name == a.Name && other.Doc == a.Doc && (b.Name == in.Name || in.Name == "member" || in.Name == "defaults" || in.Name == "instance" || in.Name == "script" || in.Name == "check")
			if same && used[b.Path+"."+other.Name] {
				found = b.Path + "." + other.Name
			}
		}
	})
	return found
}
