package lang

import (
	"bytes"
	"strings"
	"testing"
	"testing/fstest"

	"hafile/lang/diag"
)

// marker is written wherever a secret may stand, and may be seen nowhere.
const marker = "Hunter2-xyzzy"

// frames of files with a place for one line in a block that holds secrets.
const (
	inAuth = twoNodes + `
instance "web" {
  router_id = 51
  version   = 2
  members   = [node.lb1, node.lb2]
  vip { address = "10.0.0.10" }
  auth {
    type = "pass"
    HERE
  }
}
`
	inInstance = twoNodes + `
instance "web" {
  router_id = 51
  version   = 2
  members   = [node.lb1, node.lb2]
  vip { address = "10.0.0.10" }
  HERE
}
`
	inWebhook = twoNodes + `
notify "n" {
  on = ["active"]
  webhook {
    url = "https://hooks.example.net/"
    HERE
  }
}
instance "web" {
  router_id = 51
  members   = [node.lb1, node.lb2]
  vip { address = "10.0.0.10" }
  notify = [notify.n]
}
`
)

var secretPlaces = []struct {
	frame string
	lines []string
}{
	{inAuth, []string{
		`password = "MARK"`, `password = MARK`, `password = 'MARK'`, `password = “MARK”`, `password: "MARK"`, `password: MARK`, `password "MARK"`, `password MARK`,
		`password = "MARK`, `password = MARK#x`, `password = "MARK" "x"`, `password = "x" # MARK`, `password = ["MARK"]`, `password = { a = "MARK" }`,
		`password = credentials("MARK")`, `password = credential("MARK/..")`, `password = credential(MARK)`, `password = env("MARK")`,
		`password = "a${MARK}"`, `password = "${upper("MARK")}"`, `password = "a\qMARK"`, `password = "${MARK"`, `password = upper("MARK", 1)`, `password = tonumber("MARK")`,
		`password = self.name == "lb1" ? "MARK" : "MARK2"`, `password = local.pww`, `password = local.pw`, `password = var.pww`, `password = var.pw`, `password = "a${var.pw}"`,
		`password = tonumber(var.pw)`, `password = jsondecode(var.pw)`, `password = jsondecode(local.pw)`, "password = <<EOT\nMARK\nEOT", "password = <<EOT\nMARK", `password = "MARK";`,
		`pasword = "MARK"`, `Password = "MARK"`, `passphrase = "MARK"`, `pw = "MARK"`, `word = "MARK"`, `auth_pass MARK`, `auth_pass = "MARK"`, `secret = "MARK"`,
		`type = "pass"`, `"MARK"`, `MARK`, `key { secret = "MARK" }`, "key {\n id = 1\n secrt = \"MARK\"\n}", "key \"1\" \"MARK\" {\n}", `key = "MARK"`, `mode = var.pw`, `active_key = var.pw`, `active_key = local.pw`,
		`dynamic "MARK" { }`,
	}},
	{inInstance, []string{
		`auth = "MARK"`, `auth "MARK" {`, `auth = { type = "pass", password = "MARK" }`, `auth { type = "pass", password = "MARK" }`, `auth { type = "pass" password = "MARK" }`,
		`auth { password = "MARK" }`, `auth { type pass password MARK }`, "authentication {\n auth_type PASS\n auth_pass MARK\n}", `authentication { auth_type PASS auth_pass MARK }`,
		`password = "MARK"`, `auth_pass = "MARK"`, `passwd MARK`, `priority = var.pw`, `interface = var.pw`, `interface = "${var.pw}"`, `track { script = var.pw }`,
		"precondition {\n condition = var.pw == \"x\"\n error_message = \"got ${var.pw}\"\n}", "precondition {\n condition = var.pw\n error_message = \"x\"\n}",
	}},
	{inWebhook, []string{
		`token = "MARK"`, `tokn = "MARK"`, `token = MARK`, `token: MARK`, `token "MARK"`, `token = ["MARK"]`, `bearer = "MARK"`, `foo = "MARK"`, `password = "MARK"`,
		`headers = { Authorization = "Bearer MARK" }`, `headers = { "Authorization: Bearer MARK" = "" }`, `headers = { X = "MARK\n" }`, `headers = { "X Y" = "MARK" }`, `headers = "MARK"`,
		`headers = ["MARK"]`, `headers = { X = MARK }`, `headers = { X = ["MARK"] }`, `header = { X = "MARK" }`, `headers { X = "MARK" }`, `headers = { X = var.pw }`,
		`ca_file = "https://u:MARK@h/"`,
	}},
	{strings.Replace(inWebhook, `url = "https://hooks.example.net/"`, "", 1), []string{
		`url = "htps://user:MARK@hooks.example.net/"`, `url = "https://user:MARK@hooks.example.net/"`, `url = "https://hooks.example.net/a?b=MARK"`, `url = "htps://hooks.example.net/T0/MARK"`,
		`url = "https://hooks.example.net/T0/MARK`, `url = "https://hooks.example.net/MARK" "x"`, `url = https://user:MARK@hooks.example.net/`, `url = ["https://h/MARK"]`, `url = "http:///MARK"`, `url = "http://[::1/MARK"`,
		`url = "http://h/%zz/MARK"`,
	}},
	{twoNodes + "notify \"n\" {\n on = [\"active\"]\n email {\n to = [\"a@b\"]\n from = \"c@d\"\n HERE\n }\n}\n", []string{
		`relay = "smtp://user:MARK@mail.example.net:25"`, `relay = "user:MARK@mail.example.net:25"`, `relay = "smtp://user:MARK@mail.example.net`, `password = "MARK"`, `relay = smtp://user:MARK@mail.example.net`,
	}},
	{twoNodes + "check \"n\" {\n http {\n HERE\n }\n}\n", []string{
		`url = "http://user:MARK@10.0.0.1/"`, `url = "htp://user:MARK@10.0.0.1/"`, `url = "htp://10.0.0.1/?token=MARK"`, "url = \"http://10.0.0.1/\"\n headers = { Authorization = \"MARK\\n\" }", `passwd = "MARK"`,
	}},
	{twoNodes + "HERE\n", []string{
		`variable "db_password" { default = "MARK" }`, "variable \"x\" {\n sensitive = true\n type = number\n default = \"MARK\"\n}", "variable \"x\" {\n sensitive = true\n default = \"MARK\n}",
		"variable \"x\" {\n sensitive = true\n default = MARK\n}", "variable \"x\" {\n sensitive = true\n default = \"MARK\"\n validation {\n condition = var.x == \"MARK2\"\n error_message = \"bad ${var.x}\"\n }\n}",
		"variable \"x\" {\n sensitive = true\n default = upper(\"MARK\", 2)\n}", `output "x" { value = var.pw }`, `output "x" { value = "${var.pw}x" }`, `locals { x = var.pw.a }`, `locals { x = var.pw + 1 }`, `locals { token = "MARK" + 1 }`,
		`module "m" { source = var.pw }`, "script \"a\" {\n command = [\"/bin/x\", \"--password=MARK\", 1, {}]\n}", `script "a" { env = { DB_PASSWORD = ["MARK"] } }`, `locals { x = var.pw ? 1 : 2 }`, `locals { x = [for k in var.pw : k] }`, `locals { x = cidrhost(var.pw, 1) }`, `locals { x = toset(var.pw)["a"] }`,
	}},
}

// Whatever is written around it, no message, no snippet and no JSON shows a secret.
func TestSecretsAreNeverShown(t *testing.T) {
	decls := "\nvariable \"pw\" {\n  sensitive = true\n  default   = \"MARK\"\n}\nlocals {\n  pw = \"MARK\"\n  pv = 1\n}\n"
	for _, p := range secretPlaces {
		for _, line := range p.lines {
			src := strings.ReplaceAll(strings.Replace(p.frame, "HERE", line, 1)+decls, "MARK", marker)
			unshown(t, line, tree("x.ha.hcl", src), Inputs{})
		}
	}
}

// The files and flags of variables, of which the value of a misspelt name may be the one
// of a sensitive variable.
func TestSecretsOfVariablesAreNeverShown(t *testing.T) {
	src := strings.Replace(inAuth, "HERE", "password = var.pw", 1) + "variable \"pw\" {\n  sensitive = true\n  TYPE\n}\n"
	for _, line := range []string{`pw = "MARK"`, `pww = "MARK"`, `other = "MARK"`, `pw "MARK"`, `pw: MARK`, `pw = MARK`, `pw = "MARK`, `pw = upper("MARK")`, `pw = ["MARK"]`, "pw = <<EOT\nMARK\nEOT", "pw = <<EOT\nMARK", `pw { MARK = "MARK" }`, `pw = "MARK" MARK`, `MARK`} {
		for _, typ := range []string{"", "type = number", "type = list(number)", "type = object({ a = string })", "validation {\n condition = length(var.pw) == 1\n error_message = \"bad ${var.pw}\"\n }"} {
			line := strings.ReplaceAll(line, "MARK", marker)
			files := tree("x.ha.hcl", strings.Replace(src, "TYPE", typ, 1), "x.auto.havars.hcl", line+"\n")
			unshown(t, line, files, Inputs{})
		}
	}
	for _, typ := range []string{"type = number", "type = list(number)", "validation {\n condition = false\n error_message = \"bad ${var.pw}\"\n }"} {
		files := tree("x.ha.hcl", strings.Replace(src, "TYPE", typ, 1))
		unshown(t, typ, files, Inputs{Vars: []Var{{Name: "pw", Value: marker}}})
		unshown(t, typ, files, Inputs{Env: func(name string) (string, bool) { return marker, name == "HAFILE_VAR_pw" }})
	}
}

func unshown(t *testing.T, line string, files fstest.MapFS, in Inputs) {
	t.Helper()
	r, ds := Compile(files, ".", in)
	var b bytes.Buffer
	if err := diag.WriteJSON(&b, ds, r.Files); err != nil {
		t.Fatal(err)
	}
	for kind, shown := range map[string]string{"text": text(ds, r), "JSON": b.String()} {
		for _, part := range []string{marker, "Hunter2", "-xyzzy"} {
			if strings.Contains(shown, part) {
				t.Errorf("%s: %s shows it:\n%s", line, kind, shown)
				break
			}
		}
	}
}
