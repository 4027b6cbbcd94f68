package eval

import (
	"fmt"
	"math/big"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"hafile/lang/module"
)

// output evaluates one expression as an output of a module of its own.
func output(t *testing.T, expr string) (string, *Evaluator) {
	t.Helper()
	fsys := fstest.MapFS{"dir/a.txt": {Data: []byte("hello")}, "secret.txt": {Data: []byte("no")}, "dir/bad.bin": {Data: []byte("\xff")}}
	files := map[string][]byte{"dir/x.ha.hcl": []byte("output \"x\" { value = " + expr + " }\n")}
	m, ds := module.Load(fsys, "dir", files, nil)
	ds = append(ds, m.Index()...)
	if ds.HasErrors() {
		t.Fatalf("%s: %v", expr, ds)
	}
	env := func(name string) (string, bool) { return "value of " + name, name != "HAFILE_UNSET" }
	e := New(m, Inputs{Env: env, AllowEnv: []string{"ALLOWED"}}, []string{"DECLARED"})
	out := e.Outputs()
	if len(out) == 0 {
		return "", e
	}
	return string(out[0].Value), e
}

func TestFunctions(t *testing.T) {
	tests := []struct{ expr, want string }{
		{`abs(-3)`, `3`}, {`ceil(1.2)`, `2`}, {`floor(1.8)`, `1`}, {`max(1, 3, 2)`, `3`}, {`min(1, 3)`, `1`},
		{`parseint("ff", 16)`, `255`}, {`pow(2, 8)`, `256`}, {`signum(-4)`, `-1`},
		{`chomp("a\n")`, `"a"`}, {`format("%s-%02d", "a", 7)`, `"a-07"`}, {`formatlist("%s!", ["a", "b"])`, `["a!","b!"]`},
		{`indent(2, "a\nb")`, `"a\n  b"`}, {`join("-", ["a", "b"])`, `"a-b"`}, {`lower("A")`, `"a"`}, {`upper("a")`, `"A"`},
		{`regex("[0-9]+", "ab12")`, `"12"`}, {`regexall("[0-9]", "a1b2")`, `["1","2"]`}, {`replace("a.b", ".", "-")`, `"a-b"`},
		{`replace("a1b2", "/[0-9]/", "x")`, `"axbx"`}, {`split(",", "a,b")`, `["a","b"]`}, {`strlen("äb")`, `2`},
		{`substr("hello", 1, 3)`, `"ell"`}, {`trim("xax", "x")`, `"a"`}, {`trimspace(" a ")`, `"a"`},
		{`trimprefix("ab", "a")`, `"b"`}, {`trimsuffix("ab", "b")`, `"a"`}, {`title("ab")`, `"Ab"`},
		{`startswith("abc", "ab")`, `true`}, {`endswith("abc", "ab")`, `false`},
		{`chunklist([1, 2, 3], 2)`, `[[1,2],[3]]`}, {`coalesce(null, "a")`, `"a"`}, {`coalescelist([], ["a"])`, `["a"]`},
		{`compact(["a", "", "b"])`, `["a","b"]`}, {`concat([1], [2])`, `[1,2]`}, {`contains(["a"], "a")`, `true`},
		{`distinct(["a", "a"])`, `["a"]`}, {`element(["a", "b"], 3)`, `"b"`}, {`flatten([[1], [2, [3]]])`, `[1,2,3]`},
		{`index(["a", "b"], "b")`, `1`}, {`keys({ b = 1, a = 2 })`, `["a","b"]`}, {`merge({ a = 1 }, { b = 2 })`, `{"a":1,"b":2}`},
		{`range(3)`, `[0,1,2]`}, {`reverse([1, 2])`, `[2,1]`}, {`setproduct(["a"], ["x", "y"])`, `[["a","x"],["a","y"]]`},
		{`setunion(["a"], ["b"])`, `["a","b"]`}, {`setintersection(["a", "b"], ["b"])`, `["b"]`}, {`setsubtract(["a", "b"], ["b"])`, `["a"]`},
		{`slice([1, 2, 3], 1, 2)`, `[2]`}, {`sort(["b", "a"])`, `["a","b"]`}, {`values({ a = 1 })`, `[1]`}, {`zipmap(["a"], [1])`, `{"a":1}`},
		{`lookup({ a = 1 }, "a")`, `1`}, {`lookup({ a = 1 }, "b", 7)`, `7`}, {`lookup(tomap({ a = 1 }), "b", 7)`, `7`},
		{`length("äb")`, `2`}, {`length([1, 2])`, `2`}, {`length({ a = 1 })`, `1`}, {`length(toset(["a"]))`, `1`}, {`length([])`, `0`},
		{`alltrue([true, "true"])`, `true`}, {`alltrue([true, false])`, `false`}, {`alltrue([])`, `true`},
		{`anytrue([false, true])`, `true`}, {`anytrue([])`, `false`}, {`one(["a"])`, `"a"`}, {`one([])`, `null`}, {`one(toset(["a"]))`, `"a"`},
		{`sum([1, 2, 3.5])`, `6.5`},
		{`csvdecode("a,b\n1,2\n")`, `[{"a":"1","b":"2"}]`}, {`jsondecode("{\"a\":[1]}").a[0]`, `1`}, {`jsonencode({ a = 1 })`, `"{\"a\":1}"`},
		{`sha256("")`, `"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"`},
		{`base64encode("hi")`, `"aGk="`}, {`base64decode("aGk=")`, `"hi"`},
		{`try({ a = 1 }.b, "x")`, `"x"`}, {`can({ a = 1 }.b)`, `false`},
		{`tostring(1)`, `"1"`}, {`tonumber("1")`, `1`}, {`tobool("true")`, `true`}, {`tolist(toset(["a"]))`, `["a"]`}, {`tomap({ a = 1 })`, `{"a":1}`},
		{`duration("2m30s")`, `150`}, {`duration("500ms")`, `0.5`},
		{`cidrhost("10.0.0.0/24", 5)`, `"10.0.0.5"`}, {`cidrhost("10.0.0.0/24", -1)`, `"10.0.0.255"`}, {`cidrhost("2001:db8::/64", 16)`, `"2001:db8::10"`},
		{`cidrsubnet("10.0.0.0/16", 8, 3)`, `"10.0.3.0/24"`}, {`cidrsubnet("2001:db8::/32", 32, 1)`, `"2001:db8:0:1::/64"`},
		{`cidrnetmask("10.0.0.0/20")`, `"255.255.240.0"`}, {`cidrcontains("10.0.0.0/24", "10.0.0.9")`, `true`},
		{`cidrcontains("10.0.0.0/24", "10.0.0.0/23")`, `false`}, {`ipfamily("10.0.0.1")`, `"ipv4"`}, {`ipfamily("fe80::1/64")`, `"ipv6"`},
		{`ipadd("10.0.0.255", 1)`, `"10.0.1.0"`}, {`ipadd("2001:DB8::1/64", -1)`, `"2001:db8::/64"`},
		{`file("a.txt")`, `"hello"`}, {`file("${path.module}/a.txt")`, `"hello"`}, {`fileexists("a.txt")`, `true`}, {`fileexists("b.txt")`, `false`},
		{`env("DECLARED")`, `"value of DECLARED"`}, {`env("ALLOWED")`, `"value of ALLOWED"`}, {`env("HAFILE_X")`, `"value of HAFILE_X"`},
	}
	for _, tt := range tests {
		t.Run(tt.expr, func(t *testing.T) {
			got, e := output(t, tt.expr)
			if e.ds.HasErrors() {
				t.Fatal(e.ds)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestFunctionsRefuse(t *testing.T) {
	tests := []struct{ expr, says string }{
		{`file("../secret.txt")`, "leads out"}, {`file("/etc/passwd")`, "is absolute"}, {`fileexists("../secret.txt")`, "leads out"},
		{`file("../dir2/x")`, "leads out"}, {`file("bad.bin")`, "UTF-8"}, {`file("none.txt")`, "does not exist"},
		{`env("HOME")`, "not declared"}, {`env("HAFILE_UNSET")`, "is not set"},
		{`length(3)`, "needs a string"}, {`sum([])`, "at least one"}, {`sum(["a"])`, "numbers"}, {`sum([1/0, -1/0])`, "infinities"},
		{`one([1, 2])`, "none or one"}, {`index(["a"], "b")`, "does not hold"}, {`lookup({}, "a")`, "no key"},
		{`cidrhost("10.0.0.0/30", 9)`, "no host 9"}, {`cidrhost("10.0.0.0", 1)`, "not a prefix"}, {`cidrhost("10.0.0.0/8", 1.5)`, "whole number"},
		{`cidrsubnet("10.0.0.0/30", 4, 0)`, "longer"}, {`cidrsubnet("10.0.0.0/24", 2, 4)`, "0 to 3"}, {`cidrnetmask("fe80::/10")`, "IPv4"},
		{`ipadd("255.255.255.255", 1)`, "no address"}, {`base64decode("?")`, "base64"}, {`duration("soon")`, "unit"},
		{`credential("../x")`, "name of a credential"}, {`credential("")`, "name of a credential"}, {`secret_file("x")`, "absolute"},
		{`"x${credential("a")}"`, "string required"}, {`upper(credential("a"))`, "string required"}, {`format("%s", credential("a"))`, "secret reference"},
		{`tostring(credential("a"))`, "cannot convert"}, {`uuid()`, "clock or chance"}, {`1/0 - 1/0`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.expr, func(t *testing.T) {
			got, e := output(t, tt.expr)
			if !e.ds.HasErrors() {
				t.Fatalf("it gives %s", got)
			}
			if all := fmt.Sprint(e.ds); !strings.Contains(all, tt.says) {
				t.Errorf("it says %s", all)
			}
		})
	}
}

// TestSecretReferenceHoldsNoBytes: what little text a capsule can become is the reference.
func TestSecretReferenceHoldsNoBytes(t *testing.T) {
	for _, expr := range []string{`jsonencode(credential("vrrp-1"))`, `jsonencode([secret_file("/etc/a")])`} {
		got, _ := output(t, expr)
		if got != "" && !strings.Contains(got, "vrrp-1") && !strings.Contains(got, "/etc/a") {
			t.Errorf("%s gives %s", expr, got)
		}
	}
}

func TestInputsAreRecorded(t *testing.T) {
	_, e := output(t, `"${env("DECLARED")} ${file("a.txt")}"`)
	if e.Env()["DECLARED"] != module.Hash([]byte("value of DECLARED")) {
		t.Errorf("environment: %v", e.Env())
	}
	if e.m.Hashes["dir/a.txt"] != module.Hash([]byte("hello")) {
		t.Errorf("files: %v", e.m.Hashes)
	}
}

func TestVersionConstraints(t *testing.T) {
	tests := []struct {
		release, constraint string
		want                bool
	}{
		{"0.1.0", ">= 0.1", true}, {"0.1.0", ">= 0.2", false}, {"0.3.0", ">= 0.1, < 0.3", false}, {"v0.2.1-dev", "~> 0.2", true},
		{"0.3.0", "~> 0.2.0", false}, {"0.3.0", "~> 0.2", true}, {"1.0.0", "~> 0.2", false}, {"0.2.9", "~> 0.2.0", true},
		{"0.1.0", "0.1", true}, {"0.1.0", "!= 0.1.0", false}, {"", ">= 9", true}, {"devel", ">= 9", true},
	}
	for _, tt := range tests {
		got, err := satisfies(tt.release, tt.constraint)
		if err != nil || got != tt.want {
			t.Errorf("%q with %q: %v, %v", tt.release, tt.constraint, got, err)
		}
	}
	for _, bad := range []string{"", "latest", ">= x", "=> 1", "1..2"} {
		if _, err := satisfies("0.1.0", bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestNeighboursOfAFraction(t *testing.T) {
	for s, want := range map[string][2]string{"100.5": {"100", "101"}, "-1.5": {"-2", "-1"}, "0.1": {"0", "1"}, "-0.1": {"-1", "0"}} {
		f, _, _ := big.ParseFloat(s, 10, 64, big.ToNearestEven)
		if floor(f) != want[0] || ceil(f) != want[1] {
			t.Errorf("%s lies between %s and %s", s, floor(f), ceil(f))
		}
	}
}
