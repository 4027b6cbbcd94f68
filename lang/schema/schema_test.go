package schema

import (
	"slices"
	"strings"
	"testing"

	"hafile/lang/diag"
)

func walk(b *Block, visit func(path string, b *Block)) {
	var down func(path string, b *Block)
	down = func(path string, b *Block) {
		visit(path, b)
		for _, n := range b.Blocks {
			down(strings.TrimPrefix(path+"."+n.Name, "."), n)
		}
	}
	down("", b)
}

func TestEveryArgumentIsDescribedOnce(t *testing.T) {
	walk(&File, func(path string, b *Block) {
		var seen []string
		for _, a := range b.Args {
			if slices.Contains(seen, a.Name) || b.Block(a.Name) != nil && !b.Block(a.Name).Later {
				t.Errorf("%s.%s stands twice", path, a.Name)
			}
			seen = append(seen, a.Name)
			if a.Doc == "" && !a.Later && a.Wrong == "" {
				t.Errorf("%s.%s has no description", path, a.Name)
			}
			if (a.Kind == Ref || a.Kind == Refs) != (len(a.Refs) > 0) {
				t.Errorf("%s.%s: a reference names its kinds, and nothing else does", path, a.Name)
			}
		}
	})
}

// What the schema calls sensitive is masked by the renderer too, which works where
// nothing parses and so cannot ask the schema.
func TestSensitiveArgumentsAreMasked(t *testing.T) {
	names := SensitiveNames()
	if len(names) == 0 {
		t.Fatal("no argument is sensitive")
	}
	for _, name := range names {
		if got := string(diag.Mask([]byte(name + ` = "x"`))); got != name+" = \"\xf5\"" {
			t.Errorf("%s: %s", name, got)
		}
	}
	for _, word := range []string{"auth_pass", "auth_key", "pasword", "passphrase", "tokn", "secrt"} {
		if got := string(diag.Mask([]byte(word + ` = "x"`))); got != word+" = \"\xf5\"" {
			t.Errorf("%s: %s", word, got)
		}
	}
}

// A name that is open must not look like a secret: its values are what a message is about.
func TestOpenArgumentsAreNotMasked(t *testing.T) {
	var walk func(*Block)
	walk = func(b *Block) {
		for _, a := range b.Args {
			if src := a.Name + ` = "x"`; !a.Sensitive && string(diag.Mask([]byte(src))) != src && a.Name != "headers" {
				t.Errorf("%s is masked", a.Name)
			}
		}
		for _, n := range b.Blocks {
			walk(n)
		}
	}
	walk(&File)
}
