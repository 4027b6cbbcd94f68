package diag

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hafile/lang/plan"
)

// rangeOf is the range of the first occurrence of text.
func rangeOf(t testing.TB, file, src, text string) *Range {
	t.Helper()
	i := strings.Index(src, text)
	if i < 0 {
		t.Fatalf("%q is not in the source", text)
	}
	pos := func(i int) Pos {
		return Pos{Line: strings.Count(src[:i], "\n") + 1, Column: i - strings.LastIndex(src[:i], "\n"), Byte: i}
	}
	return &Range{Filename: file, Start: pos(i), End: pos(i + len(text))}
}

const pair = `instance "VI_1" {
  track { check = check.chk_ngnix }
	password = "top-secret" # was "older"
}
`

func TestRender(t *testing.T) {
	ds := Diagnostics{{
		Severity: Error, Code: "HA1003", Summary: `there is no check "chk_ngnix"`, Address: "instance.VI_1", Node: "lb1",
		Detail: "Did you mean check.chk_nginx? This sentence is here to be longer than the terminal.", Range: rangeOf(t, "x", pair, "check.chk_ngnix"),
		Related: []Related{{Range: *rangeOf(t, "x", pair, `instance "VI_1"`), Message: "the instance"}},
	}, {
		Severity: Warning, Code: "HA2104", Summary: "the password stands in the file", Detail: "Write credential().", Range: rangeOf(t, "x", pair, `"top-secret"`),
	}, {
		Severity: Error, Code: "HA1017", Summary: "several lines", Detail: "first\n  indented second", Range: &Range{Filename: "gone", Start: Pos{Line: 3, Column: 4}},
	}}
	var b bytes.Buffer
	if err := Render(&b, ds, Options{Sources: map[string][]byte{"x": []byte(pair)}, Width: 60}); err != nil {
		t.Fatal(err)
	}
	want := `Error HA1003: there is no check "chk_ngnix"
  x:2:19, in instance.VI_1, on node lb1
     2 |   track { check = check.chk_ngnix }
       |                   ^^^^^^^^^^^^^^^
  Did you mean check.chk_nginx? This sentence is here to be
  longer than the terminal.
  x:1:1  the instance
     1 | instance "VI_1" {
       | ^^^^^^^^^^^^^^^

Warning HA2104: the password stands in the file
  x:3:13
     3 |   password = "****" #****
       |              ^^^^^^
  Write credential().

Error HA1017: several lines
  gone:3:4
  first
    indented second
`
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Error(d)
	}
}

func TestColourOnlyWhereAsked(t *testing.T) {
	ds := Diagnostics{{Severity: Error, Code: "HA1003", Summary: "x", Detail: "y"}}
	for _, color := range []bool{false, true} {
		var b bytes.Buffer
		_ = Render(&b, ds, Options{Color: color})
		if strings.Contains(b.String(), "\x1b[") != color {
			t.Errorf("colour %v: %q", color, b.String())
		}
	}
}

func TestControlCharactersNeverReachTheTerminal(t *testing.T) {
	src := "a = 1 # \x1b[2J\a\u202e\xff\n"
	ds := Diagnostics{{Severity: Error, Code: "HA1003", Summary: "s\x1b[1m", Detail: "d\x00\u2066", Address: "a\rb", Range: rangeOf(t, "f\x1b", src, "a")}}
	var b bytes.Buffer
	_ = Render(&b, ds, Options{Sources: map[string][]byte{"f\x1b": []byte(src)}})
	for _, bad := range []string{"\x1b", "\a", "\x00", "\r", "\u202e", "\u2066", "\xff"} {
		if strings.Contains(b.String(), bad) {
			t.Errorf("%q in %q", bad, b.String())
		}
	}
}

func TestLimitSaysWhatIsLeft(t *testing.T) {
	ds := make(Diagnostics, 12)
	var b bytes.Buffer
	_ = Render(&b, ds, Options{Limit: 10})
	if !strings.HasSuffix(b.String(), "\nand 2 more\n") {
		t.Error(b.String())
	}
}

func TestMask(t *testing.T) {
	tests := []struct{ src, want string }{
		{`password = "1111"`, `password = "****"`},
		{`  "password": "a\"b",`, `  "password": "****",`},
		{`password = credential("vrrp-1")`, `password = credential("vrrp-1")`},
		{`password = credentials("vrrp-1")`, `password = credentials("****")`},
		{`password = var.pass`, `password = var.pass`},
		{`password = var.x ? "one" : "two"`, `password = var.x ? "****" : "****"`},
		{`auth_pass 1111`, `auth_pass ****`},
		{`vrrp_password = "x"`, `vrrp_password = "****"`},
		{`password = 1234`, `password = ****`},
		{"password = <<EOT\nsecret\nEOT\nname = \"a\"", "password = <<EOT\n****\nEOT\nname = \"a\""},
		{`password = "unclosed`, `password = "****`},
		{`password = hunter2#s`, `password = ****`},
		{`password: hunter-2`, `password: ****`},
		{`password = 'hunter2'`, `password = ****`},
		{`pasword = "x"`, `pasword = "****"`},
		{`password = "a${f("b")}c" # old`, `password = "****" #****`},
		{`variable "password" {`, `variable "password" {`},
		{`name = "open"`, `name = "open"`},
		{`auth = "x"`, `auth = "****"`},
		{`auth { type = "pass", password = "x" }`, `auth { type = "pass", password = "****" }`},
		{"auth {\n  type = \"pass\" # old\n  word = \"x\"\n}\nname = \"a\"", "auth {\n  type = \"pass\" #****\n  word = \"****\"\n}\nname = \"a\""},
		{"auth {\n key \"1\" \"x\" {\n id = 1\n word = \"y\"\n}\n}", "auth {\n key \"****\" \"****\" {\n id = 1\n word = \"****\"\n}\n}"},
		{`{"auth": {"type": "pass", "word": "x"}, "name": "a"}`, `{"auth": {"type": "pass", "word": "****"}, "name": "a"}`},
		{"webhook {\n url = \"https://u:p@h/T0/B0\"\n tkn = \"x\"\n timeout = \"1s\"\n}", "webhook {\n url = \"https://****@h/****\"\n tkn = \"****\"\n timeout = \"1s\"\n}"},
		{`headers = { Accept = "x" }`, `headers = { Accept = "****" }`},
		{`relay = "smtp://u:p@h:25"`, `relay = "smtp://****@h:25"`},
		{`url = "http://h/x?key=1"`, `url = "http://h/x?****"`},
		{`command = ["/bin/x", "--password=x"]`, `command = ["/bin/x", "--password=****"]`},
		{"variable \"pw\" {\n sensitive = true\n default = \"x\"\n}", "variable \"pw\" {\n sensitive = true\n default = \"****\"\n}"},
		{"variable \"v\" {\n default = \"x\"\n}", "variable \"v\" {\n default = \"x\"\n}"},
	}
	for _, tt := range tests {
		if d := cmp.Diff(tt.want, visibly(Mask([]byte(tt.src)))); d != "" {
			t.Error(d)
		}
	}
}

func TestDedupCountsWhatForEachRepeats(t *testing.T) {
	var ds Diagnostics
	r := &Range{Filename: "x", Start: Pos{Line: 1}}
	for i := range 500 {
		ds = append(ds, Diagnostic{Code: "HA1003", Summary: "s", Detail: "d.", Range: r, Address: "instance.a"})
		ds[i].Address += "[" // each its own
		for range i {
			ds[i].Address += "x"
		}
	}
	got := ds.Dedup()
	if len(got) != 1 || got[0].Detail != "d. (and 499 more of the same here)" {
		t.Errorf("%d, %s", len(got), got[0].Detail)
	}
}

// Each instance of a module names itself, its address and its numbers; the cause is one.
func TestDedupCountsWhatOnlyDiffersInItsValues(t *testing.T) {
	at := &Range{Filename: "x", Start: Pos{Line: 1, Byte: 1}}
	var ds Diagnostics
	for i := range 500 {
		a := plan.Addr(fmt.Sprintf("module.web[%q].instance.web", fmt.Sprint("c", i)))
		ds = append(ds,
			Diagnostic{Severity: Warning, Code: "HA1204", Summary: fmt.Sprintf("10.0.%d.10 is not in the network of 10.1.%d.0/24", i, i), Detail: "Correct it.", Address: a, Range: at},
			Diagnostic{Severity: Error, Code: "HA1202", Summary: "router_id must be the same on all members of " + string(a), Detail: "Write one.", Address: a, Range: at},
			Diagnostic{Severity: Error, Code: "HA1202", Summary: "accept must be the same on all members of " + string(a), Detail: "Write one.", Address: a, Range: at})
	}
	got := ds.Dedup()
	if len(got) != 3 {
		t.Fatalf("%d messages: %v", len(got), got)
	}
	for _, d := range got {
		if !strings.HasSuffix(d.Detail, "(and 499 more in module.web[…].instance.web)") {
			t.Error(d.Detail)
		}
	}
}

// Two values of one thing are two mistakes, even where its keys are many.
func TestDedupKeepsTheMistakesOfOneThingApart(t *testing.T) {
	at := &Range{Filename: "x", Start: Pos{Line: 1, Byte: 1}}
	var ds Diagnostics
	for _, name := range []string{"lb1", "lb2"} {
		ds = append(ds, Diagnostic{Severity: Error, Code: "HA1402", Summary: fmt.Sprintf("there is no node %q", name), Address: `instance.web["a"]`, Range: at})
	}
	if got := ds.Dedup(); len(got) != 2 {
		t.Error(got)
	}
}

func TestDedupForgetsTheNodeOfWhatIsTrueOfAll(t *testing.T) {
	ds := Diagnostics{{Code: "HA1105", Summary: "s", Node: "a"}, {Code: "HA1105", Summary: "s", Node: "b"}}
	if got := ds.Dedup(); len(got) != 1 || got[0].Node != "" {
		t.Errorf("%+v", got)
	}
}

// A typo in a block that is made 500 times in a large file: the stock writer takes 47 s.
func TestManyMessagesOverALargeFileAreQuick(t *testing.T) {
	src := strings.Repeat("# a line of some length that says nothing\n", 30_000)
	ds := make(Diagnostics, 500)
	for i := range ds {
		ds[i] = Diagnostic{Severity: Error, Code: "HA1003", Summary: "s", Range: &Range{Filename: "x", Start: Pos{Line: 29_000 + i, Byte: 42 * (29_000 + i - 1)}}}
	}
	start := time.Now()
	_ = Render(&bytes.Buffer{}, ds, Options{Sources: map[string][]byte{"x": []byte(src)}})
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("it took %s", d)
	}
}

func TestJSONIsTheTwin(t *testing.T) {
	ds := Diagnostics{{Severity: Warning, Code: "HA2104", Summary: "s", Detail: "d", Range: rangeOf(t, "x", pair, `"top-secret"`)}}
	var b bytes.Buffer
	if err := WriteJSON(&b, ds, map[string][]byte{"x": []byte(pair)}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "top-secret") {
		t.Error("the secret is in the snippet")
	}
	var rep Report
	if err := json.Unmarshal(b.Bytes(), &rep); err != nil {
		t.Fatal(err)
	}
	s := rep.Diagnostics[0].Snippet
	if !rep.Valid || rep.WarningCount != 1 || s == nil || s.Code[s.HighlightStartOffset:s.HighlightEndOffset] != `"****"` {
		t.Errorf("%+v %+v", rep, s)
	}
}

func TestNearest(t *testing.T) {
	names := []string{"chk_nginx", "chk_apache", "lb1", "router_id"}
	for word, want := range map[string]string{"chk_ngnix": "chk_nginx", "lb2": "lb1", "router-id": "router_id", "ROUTER_ID": "router_id", "vip": "", "": ""} {
		if got := Nearest(word, names); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}

func TestCodesAreInOrderAndOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range Codes() {
		if seen[e.Code] {
			t.Errorf("%s stands twice", e.Code)
		}
		seen[e.Code] = true
		if e.Title == "" || e.Cause == "" || !strings.HasSuffix(e.Cure, ".") {
			t.Errorf("%s is incomplete: %+v", e.Code, e)
		}
	}
	if _, ok := Explain("ha1003"); !ok {
		t.Error("case matters")
	}
}

func FuzzRender(f *testing.F) {
	f.Add("password = \"x\"\n\x1b", 1, 2, 3)
	f.Fuzz(func(t *testing.T, src string, line, from, to int) {
		d := Diagnostic{Severity: Error, Code: "HA1000", Summary: src, Detail: src, Range: &Range{Filename: "x", Start: Pos{Line: line, Byte: from}, End: Pos{Line: line, Byte: to}}}
		var b bytes.Buffer
		o := Options{Sources: map[string][]byte{"x": []byte(src)}, Width: from % 100}
		if err := Render(&b, Diagnostics{d}, o); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(b.String(), "\x00\x07\x1b\r\t") {
			t.Fatalf("control characters in %q", b.String())
		}
		NewReport(Diagnostics{d}, o.Sources)
	})
}

func visibly(masked []byte) string {
	text, _, _ := shown(masked, 0, len(masked))
	return string(text)
}
