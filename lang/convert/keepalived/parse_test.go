package keepalived

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/txtar"

	"hafile/lang"
	"hafile/lang/diag"
)

// tree prints what was parsed, one statement a line, with its position.
func tree(src, id string) (string, []diag.Diagnostic) {
	var diags []diag.Diagnostic
	root := parse(newSource("k", []byte(src), &diags), id, nil).root
	var b strings.Builder
	var show func(*directive, int)
	show = func(d *directive, depth int) {
		for _, c := range d.body {
			words := make([]string, len(c.words))
			for i, w := range c.words {
				words[i] = w.text
			}
			r := c.where()
			fmt.Fprintf(&b, "%s%d:%d %q", strings.Repeat("  ", depth), r.Start.Line, r.Start.Column, words)
			if c.block {
				fmt.Fprintf(&b, " to %d", c.end)
			}
			b.WriteByte('\n')
			show(c, depth+1)
		}
	}
	show(root, 0)
	return b.String(), diags
}

func TestEveryStatementHasItsPosition(t *testing.T) {
	for _, tc := range []struct{ name, src, want string }{
		{"nothing", "", ""},
		{"blanks and comments", " \t\n# x\n! y\n", ""},
		{"no final newline", "vrrp_version 2", `1:1 ["vrrp_version" "2"]`},
		{"CRLF", "global_defs {\r\n  router_id x\r\n}\r\n", "1:1 [\"global_defs\"] to 3\n  2:3 [\"router_id\" \"x\"]"},
		{"a quote splits words", `a"b c"d`, `1:1 ["a" "b c" "d"]`},
		{"an empty word", `router_id ""`, `1:1 ["router_id" ""]`},
		{"# and ! inside of quotes", `router_id "a#b!c" # d`, `1:1 ["router_id" "a#b!c"]`},
		{"a single quote protects nothing", `router_id 'a#b'`, `1:1 ["router_id" "'a"]`},
		{"an escaped # is a character", `router_id a\#b`, `1:1 ["router_id" "a#b"]`},
		{"a brace inside of quotes", `router_id "a{b}c"`, `1:1 ["router_id" "a{b}c"]`},
		{"columns are characters", `é "日本" x`, `1:1 ["é" "日本" "x"]`},
		{"all on one line", "vrrp_sync_group G{group{A B}}", "1:1 [\"vrrp_sync_group\" \"G\"] to 1\n  1:19 [\"group\"] to 1\n    1:25 [\"A\" \"B\"]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, _ := tree(tc.src, "lb1")
			if strings.TrimSpace(got) != tc.want {
				t.Errorf("got\n%s\nwant\n%s", got, tc.want)
			}
		})
	}
}

func TestSequences(t *testing.T) {
	for _, tc := range []struct{ src, want string }{
		{"~SEQ(N, 3) a$N", `a$N a$N a$N`}, // no parameter: $N is not at a word's start but ends it
		{"~SEQ(N, 2) a ${N}", "a 1 a 2"},
		{"~SEQ(N, -2) ${N}", "-1 -2"},
		{"~SEQ(N, 5, 3) ${N}", "5 4 3"},
		{"~SEQ(N, 0, 5, 10) ${N}", "0 5 10"},
		{"~SEQx(N, 0x9, 0xb) ${N}", "9 a b"},
		{"~SEQ(A, 2) ~SEQ(B, 2) ${A}${B}", "11 12 21 22"},
		{"~LST(N, x, y) ${N}", "x y"},
		{"~LST({A, B}, {1, 2}, {3}) ${A}-${B}", "1-2 3-"},
		{"$N=2\n~SEQ(I, $N) ${I}", "1 2"},
		{"$A=$B\n$B=x\n$A", "x"},
	} {
		var diags []diag.Diagnostic
		root := parse(newSource("k", []byte(tc.src), &diags), "lb1", nil).root
		var got []string
		for _, d := range root.body {
			if d.kind == isOrdinary {
				got = append(got, d.text)
			}
		}
		want := strings.ReplaceAll(tc.want, "a$N", "a1")
		if tc.src == "~SEQ(N, 3) a$N" {
			want = "a1 a2 a3"
		}
		if strings.Join(got, " ") != want || len(diags) > 0 {
			t.Errorf("%s: got %q, want %q (%v)", tc.src, got, want, diags)
		}
	}
}

func TestEndlessExpansionsEnd(t *testing.T) {
	for _, src := range []string{"$A=$A\n$A", "$A=$B\n$B=$A\n$A", "~SEQ(N, 2000000000) x", "~SEQ(A, 15000) ~SEQ(B, 15000) x", "$A=a ${A}${A}\n$A"} {
		_, diags := tree(src, "lb1")
		if !slices.ContainsFunc(diags, func(d diag.Diagnostic) bool { return d.Code == "HA4006" || d.Code == "HA4005" }) {
			t.Errorf("%q: nothing is said", src)
		}
	}
}

func TestProgramsAreSplitTwice(t *testing.T) {
	for _, tc := range []struct{ line, command, args string }{
		{`script "/a b"`, "/a b", `["/a" "b"]`},
		{`script '/a "b c"'`, `/a "b c"`, `["/a" "b c"]`},
		{`script "/a 'b c' \"d e\"" f`, `/a 'b c' \"d e\"`, `["/a" "b c" "\"d" "e\""]`},
		{`script /a\ b`, `/a\ b`, `["/a b"]`},
		{`script "/a \x41\102\t\cA\q"`, `/a \x41\102\t\cA\q`, `["/a" "AB\t\x01q"]`},
		{`script "/a ''"`, `/a ''`, `["/a" ""]`},
	} {
		w := scriptWords(tc.line)
		if len(w) < 2 || w[1] != tc.command {
			t.Errorf("%s: words %q, want the command %q", tc.line, w, tc.command)
			continue
		}
		if got := fmt.Sprintf("%q", argv(w[1])); got != tc.args {
			t.Errorf("%s: got %s, want %s", tc.line, got, tc.args)
		}
	}
}

func TestEveryKeywordHasAVerdict(t *testing.T) {
	for name, ctx := range grammar() {
		for _, word := range ctx.names {
			body := word + " 1"
			if ctx.words[word].isBlock {
				body = word + " x {\n}"
			}
			src := body + "\n"
			if name != "" {
				src = name + " x {\n" + body + "\n}\n"
			}
			res, _ := Convert([]File{{Name: "k", Src: []byte(src)}}, Options{})
			for _, f := range res.Report.Files {
				for _, v := range f.Verdicts {
					if strings.Contains(v.Note, "no verdict") {
						t.Errorf("%s in %q: %s", word, name, v.Text)
					}
				}
			}
		}
	}
}

func seeds(f *testing.F) {
	for _, pattern := range []string{"testdata/seed/*.conf", "testdata/corpus/*.conf"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range names {
			src, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(src)
		}
	}
	tables, _ := filepath.Glob("testdata/table/*.txtar")
	for _, name := range tables {
		ar, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range ar.Files {
			if strings.Contains(file.Name, "=") {
				f.Add(file.Data)
			}
		}
	}
}

// Whatever the bytes are, the parser ends, and every position is inside of the file.
func FuzzParse(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, src []byte) {
		var diags []diag.Diagnostic
		s := newSource("k", src, &diags)
		p := parse(s, "lb1", nil)
		root, all := p.root, p.all
		root.walk(func(d *directive) {
			if d.n < 1 || d.n > len(s.start) || d.end < 1 || d.end > len(s.start) {
				t.Fatalf("line %d-%d of %d", d.n, d.end, len(s.start))
			}
			if r := d.where(); r.Start.Byte > r.End.Byte || r.End.Byte > len(src) {
				t.Fatalf("range %v of %d bytes", r, len(src))
			}
		})
		for _, c := range all {
			if !utf8.ValidString(c.String()) || strings.ContainsAny(c.String(), "\r\n\x1b") {
				t.Fatalf("comment %q", c.String())
			}
		}
	})
}

// Whatever two files are, the result parses, the counts add up, a second run gives the same
// bytes, and what compiles is what keepalived does.
func FuzzConvert(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, src []byte) {
		half := src[:len(src)/2]
		for _, in := range [][]File{
			{{Name: "k", Src: src}},
			{{Node: "lb1", Name: "k", Src: src}, {Node: "lb2", Name: "k", Src: src}},
			{{Node: "lb1", Name: "a", Src: src}, {Node: "lb2", Name: "b", Src: half}},
		} {
			opts := Options{Annotate: len(src)%2 == 0, Explicit: len(src)%3 == 0, InlineSecrets: len(src)%5 == 0, EnableMail: true}
			res, diags := Convert(in, opts)
			check(t, in, opts, res)
			for _, d := range diags {
				if d.Severity == diag.Error && !strings.HasPrefix(d.Code, "HA40") {
					t.Fatalf("does not compile: %v\n%s", diags, res.HCL)
				}
			}
			if diags.HasErrors() {
				continue
			}
			compiled, _ := lang.CompileSource("x.ha.hcl", res.HCL, lang.Inputs{})
			if c, _ := Check(in, opts, compiled, nil); len(c.Differences) > 0 {
				t.Fatalf("not what was converted: %+v\n%s", c.Differences, res.HCL)
			}
		}
	})
}
