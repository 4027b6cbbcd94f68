package hatest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"hafile/lang/diag"
	"hafile/lang/story"
)

func parse(t *testing.T, src string) (*Suite, diag.Diagnostics) {
	t.Helper()
	return Parse([]string{"a.hatest.hcl"}, map[string][]byte{"a.hatest.hcl": []byte(src)}, nil)
}

func TestEventsAreReadAndSorted(t *testing.T) {
	s, ds := parse(t, `
run "story" {
  simulate {
    at   = "10s"
    fail = script.chk_nginx
    on   = node.lb1
  }
  simulate {
    at  = 2.5
    cut = node.lb["lb2"]
  }
  simulate {
    at   = "2500ms"
    heal = node.lb2
    from = node.lb1
    to   = node.lb2
  }
  dynamic "simulate" {
    for_each = ["a", "b"]
    content {
      at    = 20 + simulate.key
      apply = "edits/${simulate.value}"
    }
  }
  until = "1m"
  assert {
    condition     = true
    error_message = "never"
  }
}`)
	if len(ds) > 0 {
		t.Fatal(ds)
	}
	want := []story.Event{
		{At: 2500 * time.Millisecond, Kind: story.Cut, On: "lb2"},
		{At: 2500 * time.Millisecond, Kind: story.Heal, On: "lb2", From: "lb1", To: "lb2"},
		{At: 10 * time.Second, Kind: story.Fail, What: "script.chk_nginx", On: "lb1"},
		{At: 20 * time.Second, Kind: story.Apply, Dir: "edits/a"},
		{At: 21 * time.Second, Kind: story.Apply, Dir: "edits/b"},
	}
	if d := cmp.Diff(want, s.Runs[0].Events, cmpopts.IgnoreFields(story.Event{}, "Range")); d != "" {
		t.Errorf("events (-want +got):\n%s", d)
	}
	if s.Runs[0].Until != time.Minute || len(s.Runs[0].Asserts) != 1 {
		t.Errorf("until %s, %d asserts", s.Runs[0].Until, len(s.Runs[0].Asserts))
	}
}

func TestBadStories(t *testing.T) {
	tests := []struct{ name, src, want string }{
		{"no claim", `run "a" {}`, `1:1 Nothing is claimed`},
		{"no end", "run \"a\" {\n  simulate {\n    at = 1\n    stop = node.x\n  }\n}", `1:1 No end`},
		{"a story beside expect", "run \"a\" {\n  until = 1\n  expect = [\"HA1201\"]\n}", `2:3 A story beside expect`},
		{"no code", "run \"a\" {\n  expect = [\"HA9999\"]\n}", `2:12 Not a code`},
		{"no list of codes", "run \"a\" {\n  expect = \"HA1201\"\n}", `2:12 Not a list of codes`},
		{"a secret variable", "run \"a\" {\n  expect = [\"HA1201\"]\n  variables {\n    a = x.y\n  }\n}", `4:9 Variables not allowed`},
		{"no event", "run \"a\" {\n  until = 1\n  simulate {\n    at = 1\n  }\n}", "3:3 No event: A simulate block does exactly one of"},
		{"two events", "run \"a\" {\n  until = 9\n  simulate {\n    at = 1\n    stop = node.a\n    kill = node.a\n  }\n}", "6:5 Two events in one block"},
		{"a text for a node", "run \"a\" {\n  until = 9\n  simulate {\n    at = 1\n    stop = \"a\"\n  }\n}", "5:12 Not a node: Write node.a."},
		{"a failing check nowhere", "run \"a\" {\n  until = 9\n  simulate {\n    at = 1\n    fail = script.x\n  }\n}", "3:3 No node"},
		{"failing a node", "run \"a\" {\n  until = 9\n  simulate {\n    at = 1\n    fail = node.x\n    on = node.x\n  }\n}", "5:12 Not a script or check"},
		{"half a direction", "run \"a\" {\n  until = 9\n  simulate {\n    at = 1\n    cut = node.x\n    from = node.x\n  }\n}", "3:3 Half a direction"},
		{"after the end", "run \"a\" {\n  until = 9\n  simulate {\n    at = 10\n    stop = node.x\n  }\n}", "3:3 Event after the end of the run: The run ends at 9s and this event comes at 10s: raise until."},
		{"no time", "run \"a\" {\n  until = \"soon\"\n}", `2:11 Not a time: until takes a time`},
		{"a negative time", "run \"a\" {\n  until = \"-5s\"\n}", `2:11 Not a time`},
		{"twice", "run \"a\" {\n  until = 1\n}\nrun \"a\" {\n  until = 1\n}", `4:1 Duplicate run: "a" stands at a.hatest.hcl:1 already`},
		{"unknown argument", "run \"a\" {\n  until = 9\n  simulate {\n    at = 1\n    explode = node.x\n  }\n}", "5:5 There is no explode in simulate: Known here: at, on, "},
		{"another tool's word", "run \"a\" {\n  command = plan\n}", `2:3 There is no command in run: A run plays its story from the first election on.`},
		{"a word nearly right", "run \"a\" {\n  unti = 1\n}", `2:3 There is no unti in run: Did you mean until?`},
		{"a block as an argument", "run \"a\" {\n  simulate = 1\n}", `2:3 There is no simulate in run: simulate is written otherwise`},
		{"no message", "run \"a\" {\n  assert {\n    condition = true\n  }\n}", `2:10 assert lacks an argument: The argument "error_message" is required`},
		{"a quoted node", "run \"a\" {\n  until = 9\n  simulate {\n    at = 1\n    fail = script.x\n    on = \"lb1\"\n  }\n}", `6:10 Not a node: Write node.lb1.`},
		{"syntax", `run "a" {`, "1:9 unclosed configuration block"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, ds := parse(t, tt.src)
			if len(ds) == 0 {
				t.Fatal("no message")
			}
			if got := line(ds[0]); !strings.HasPrefix(got, tt.want) {
				t.Errorf("got  %s\nwant %s…", got, tt.want)
			}
		})
	}
}

func line(d diag.Diagnostic) string {
	return fmt.Sprintf("%d:%d %s: %s", d.Range.Start.Line, d.Range.Start.Column, d.Summary, d.Detail)
}

func TestAssertionsSeeTheOutcome(t *testing.T) {
	outcome := &story.Outcome{
		Owner:       map[string]string{"10.0.0.1/32": "lb2"},
		Unowned:     map[string]float64{"10.0.0.1/32": 0.6},
		Double:      map[string]float64{"10.0.0.1/32": 0},
		Lost:        map[string]story.Lost{"10.0.0.1/32": {Asked: 1000, New: 3}},
		Transitions: []story.Transition{{At: 1, Node: "lb2", Instance: "instance.web", From: "backup", To: "active"}},
		Mails:       []story.Mail{{Node: "lb2", To: []string{"ops@example.net"}, Subject: "web is active"}},
	}
	tests := []struct {
		condition string
		want      string // empty: it holds
	}{
		{`run.owner["10.0.0.1/32"] == "lb2"`, ""},
		{`run.owner["10.0.0.1/32"] == "lb1"`, `Assertion failed: said so. run.owner["10.0.0.1/32"] is "lb2".`},
		{`run.owner["10.0.0.1/32"] == node.lb1`, `node is not known here: A claim compares texts`},
		{`run.unowned["10.0.0.1/32"] < 1`, ""},
		{`run.lost["10.0.0.1/32"].new == 0`, "Assertion failed: said so"},
		{`run.transitions[0].to == "active" && run.mails[0].to[0] == "ops@example.net"`, ""},
		{`run.owner["10.0.0.1"] == ""`, `No such name: There are run.double, run.lost, run.mails, run.owner, run.transitions, run.unowned. A VIP is written with its prefix: "10.0.0.1/32".`},
		{`output.preferred == run.owner["10.0.0.1/32"]`, "Assertion failed: said so"},
		{`output.preferred == "lb1"`, ""},
		{`output.secret == ""`, "No such output: Outputs that are not sensitive: preferred."},
		{`"yes"`, "Condition is not true or false"},
		{`run.nothing`, "No such name: There are run.double"},
	}
	for _, tt := range tests {
		t.Run(tt.condition, func(t *testing.T) {
			s, ds := parse(t, "run \"a\" {\n  until = 1\n  assert {\n    condition = "+tt.condition+"\n    error_message = \"said so\"\n  }\n}")
			if len(ds) > 0 {
				t.Fatal(ds)
			}
			got := ""
			if ds := s.Check(&s.Runs[0], outcome, map[string][]byte{"preferred": []byte(`"lb1"`), "secret": nil}); len(ds) > 0 {
				got = ds[0].Summary + ": " + ds[0].Detail
			}
			if tt.want == "" && got != "" || !strings.HasPrefix(got, tt.want) {
				t.Errorf("got %q, want %q…", got, tt.want)
			}
		})
	}
}

func TestVariablesOfARunStandAboveThoseOfTheFile(t *testing.T) {
	s, ds := parse(t, `
variables {
  vrid = 51
  vips = ["10.0.0.10"]
}
run "a" {
  variables {
    vrid = 52
    text = "$${x}"
  }
  expect = ["HA1201", "HA1012"]
}
run "b" { expect = ["HA1201"] }`)
	if len(ds) > 0 {
		t.Fatal(ds)
	}
	want := "text = \"$${x}\"\nvips = [\"10.0.0.10\"]\nvrid = 52\n"
	if got := string(s.Runs[0].Variables); got != want {
		t.Errorf("%s", got)
	}
	if got := string(s.Runs[1].Variables); got != "vips = [\"10.0.0.10\"]\nvrid = 51\n" {
		t.Errorf("%s", got)
	}
	if got := s.Runs[0].Expect; len(got) != 2 || got[1].Code != "HA1012" {
		t.Errorf("%v", got)
	}
}

func TestExpectedCodesMustComeAndNoOthers(t *testing.T) {
	r := Run{Expect: []Expect{{Code: "HA1201"}, {Code: "HA2102"}}}
	error1 := diag.Diagnostic{Severity: diag.Error, Code: "HA1201"}
	warning := diag.Diagnostic{Severity: diag.Warning, Code: "HA2102"}
	tests := []struct {
		ds   diag.Diagnostics
		want string
	}{
		{diag.Diagnostics{error1, warning}, ""},
		{diag.Diagnostics{error1, warning, {Severity: diag.Warning, Code: "HA1203"}}, ""},
		{diag.Diagnostics{error1}, "HA5004"},
		{diag.Diagnostics{error1, warning, {Severity: diag.Error, Code: "HA1203"}}, "HA1203"},
	}
	for _, tt := range tests {
		got := ""
		for _, d := range r.Expected(tt.ds) {
			got += d.Code
		}
		if got != tt.want {
			t.Errorf("%v: %q, want %q", tt.ds, got, tt.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("run \"a\" {\n  until = 9\n  simulate {\n    at = 1\n    stop = node.x\n  }\n}")
	f.Add("run \"a\" {\n  until = \"1m\"\n  dynamic \"simulate\" {\n    for_each = [1]\n    content {\n      at = 1\n      cut = node.x[\"a\"]\n    }\n  }\n}")
	f.Fuzz(func(t *testing.T, src string) {
		s, ds := Parse([]string{"f"}, map[string][]byte{"f": []byte(src)}, nil)
		if s == nil {
			t.Fatal("no suite")
		}
		for _, d := range ds {
			if d.Range == nil || d.Summary == "" {
				t.Errorf("a message without a place or a summary: %+v", d)
			}
		}
	})
}
