package keepalived

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/rogpeppe/go-internal/txtar"

	"hafile/lang"
	"hafile/lang/diag"
)

var (
	update = flag.Bool("update", false, "rewrite the golden files")
	corpus = flag.String("corpus", "", "directory of keepalived.conf files to convert")
)

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s (-want +got):\n%s", name, d)
	}
}

func seed(t *testing.T) []File {
	t.Helper()
	var files []File
	for _, node := range []string{"nginx01", "nginx02"} {
		src, err := os.ReadFile(filepath.Join("testdata/seed", node+".keepalived.conf"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, File{Node: node, Name: node + ".keepalived.conf", Src: src})
	}
	return files
}

func text(r *Report) []byte {
	var b bytes.Buffer
	_ = r.WriteText(&b)
	return b.Bytes()
}

// The pair that the project was started for, byte for byte.
func TestSeedPairBecomesOneFile(t *testing.T) {
	res, diags := Convert(seed(t), Options{EnableMail: true, OutName: "nginx-pair.ha.hcl"})
	for _, d := range diags {
		if d.Severity == diag.Error {
			t.Errorf("%s: %s: %s", d.Code, d.Summary, d.Detail)
		}
	}
	golden(t, "testdata/seed/nginx-pair.ha.hcl", res.HCL)
	golden(t, "testdata/seed/report.txt", text(&res.Report))
	var b bytes.Buffer
	if err := res.Report.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/seed/report.json", b.Bytes())
	if len(res.Secrets) != 1 || res.Secrets[0].Name != "vrrp-VI_1" || string(res.Secrets[0].Value) != "1111" {
		t.Errorf("secrets: %v", res.Secrets)
	}
}

// What keepalived would do with the pair is what the plans say, setting by setting.
func TestSeedPairCompilesToWhatKeepalivedDoes(t *testing.T) {
	res, _ := Convert(seed(t), Options{EnableMail: true})
	fleet, diags := lang.CompileSource("x.ha.hcl", res.HCL, lang.Inputs{})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	for node, want := range map[string]struct {
		priority uint8
		source   string
	}{"nginx01": {101, "172.29.88.224"}, "nginx02": {100, "172.29.88.225"}} {
		p := fleet.Plans[node]
		if p == nil || len(p.Desired.Instances) != 1 || len(p.Desired.Checks) != 1 || len(p.Desired.Notifies) != 1 {
			t.Fatalf("%s: %+v", node, p)
		}
		in, c, n := p.Desired.Instances[0], p.Desired.Checks[0], p.Desired.Notifies[0]
		got := fmt.Sprintln(in.Name, in.Interface, in.VRID, in.Version, in.AdvertMs, in.Preempt, in.Auth.Type, in.Auth.Password,
			in.VIPs[0].Address, in.Track[0].Weight, c.Script.Command, c.IntervalMs, c.Fall, c.Rise, n.On, n.Email.Relay, n.Email.To, n.Email.TimeoutMs)
		if got != "VI_1 eth0 51 2 2000 true pass credential(\"vrrp-VI_1\") 172.29.88.222/32 -5 [/etc/keepalived/check_nginx.sh] 2000 3 2 "+
			"[active backup fault stop] mail.example.com:25 [zhouxiao@example.com itsection@example.com] 30000\n" {
			t.Errorf("%s: %s", node, got)
		}
		if in.Priority != want.priority || in.SourceAddress.String() != want.source {
			t.Errorf("%s: priority %d from %s", node, in.Priority, in.SourceAddress)
		}
	}
}

// Without -enable-mail nothing changes but who is told: keepalived tells nobody.
func TestMailWithoutSMTPAlertIsKeptAndNotAttached(t *testing.T) {
	res, _ := Convert(seed(t), Options{})
	if !bytes.Contains(res.HCL, []byte(`notify "mail" {`)) || bytes.Contains(res.HCL, []byte("[notify.mail]")) {
		t.Errorf("the mail block is missing or attached:\n%s", res.HCL)
	}
}

// A secret is in Secrets and nowhere else, also when it stands in a comment.
func TestNoSecretOutsideOfSecrets(t *testing.T) {
	src := "vrrp_instance A {\n interface e0\n virtual_router_id 1\n #auth_pass hunter2secret\n authentication {\n" +
		"  auth_type PASS\n  auth_pass hunter2secret # auth_pass hunter2secret\n }\n virtual_ipaddress {\n 10.0.0.1\n }\n}\n$MY_PASS=hunter2secret\n"
	res, diags := Convert([]File{{Name: "k.conf", Src: []byte(src)}}, Options{Annotate: true})
	out, err := json.Marshal(struct {
		R Report
		D any
	}{res.Report, diags})
	if err != nil {
		t.Fatal(err)
	}
	all := fmt.Sprintf("%s%s%s%v%#v", res.HCL, text(&res.Report), out, res.Secrets, res.Secrets)
	if strings.Contains(all, "hunter2") {
		t.Errorf("the password is in the output:\n%s", all)
	}
	if masked := MaskSecrets([]byte(src)); bytes.Contains(masked, []byte("hunter2")) || len(masked) != len(src) {
		t.Errorf("masked source:\n%s", masked)
	}
}

// Each file of the table holds one conversion: options in its comment, NODE=NAME inputs,
// then the result, the report and the diagnostics.
func TestTable(t *testing.T) {
	files, err := filepath.Glob("testdata/table/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no table", err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			var in []File
			keep := txtar.Archive{Comment: ar.Comment}
			for _, f := range ar.Files {
				if node, file, ok := strings.Cut(f.Name, "="); ok {
					in = append(in, File{Node: node, Name: file, Src: f.Data})
					keep.Files = append(keep.Files, f)
				}
			}
			opts := options(string(ar.Comment))
			res, diags := Convert(in, opts)
			check(t, in, opts, res)
			if !diags.HasErrors() {
				checked(t, in, opts)
			}
			keep.Files = append(keep.Files,
				txtar.File{Name: "result", Data: res.HCL},
				txtar.File{Name: "report", Data: text(&res.Report)},
				txtar.File{Name: "diagnostics", Data: lines(diags)})
			golden(t, name, txtar.Format(&keep))
		})
	}
}

func options(comment string) Options {
	has := func(s string) bool { return strings.Contains(comment, s) }
	return Options{EnableMail: has("-enable-mail"), InlineSecrets: has("-inline-secrets"), Explicit: has("-explicit"),
		Annotate: has("-annotate"), OutName: "out.ha.hcl"}
}

func lines(diags diag.Diagnostics) []byte {
	var b bytes.Buffer
	for _, d := range diags {
		if !strings.HasPrefix(d.Code, "HA40") {
			continue // the compiler's own: its tests pin them
		}
		at := ""
		if d.Range != nil {
			at = fmt.Sprintf("%s:%d:%d: ", d.Range.Filename, d.Range.Start.Line, d.Range.Start.Column)
		}
		fmt.Fprintf(&b, "%s%s %s: %s\n    %s\n", at, d.Severity, d.Code, d.Summary, d.Detail)
		for _, r := range d.Related {
			fmt.Fprintf(&b, "    %s:%d:%d: %s\n", r.Range.Filename, r.Range.Start.Line, r.Range.Start.Column, r.Message)
		}
	}
	return b.Bytes()
}

// check is what holds for every conversion, whatever the input.
func check(t *testing.T, in []File, opts Options, res Result) {
	t.Helper()
	if _, diags := hclsyntax.ParseConfig(res.HCL, "out", hcl.InitialPos); diags.HasErrors() {
		t.Errorf("the result does not parse: %v\n%s", diags, res.HCL)
	}
	for _, f := range res.Report.Files {
		sum, covered := 0, 0
		for _, n := range f.Counts {
			sum += n
		}
		for _, v := range f.Verdicts {
			covered += v.Directives
			if strings.Contains(v.Note, "no verdict") {
				t.Errorf("%s:%d: %s: %s", f.Name, v.Line, v.Text, v.Note)
			}
			if v.Where > bytes.Count(res.HCL, []byte("\n")) {
				t.Errorf("%s:%d points behind the result", f.Name, v.Line)
			}
		}
		if sum != f.Directives || covered != sum {
			t.Errorf("%s: %d directives, counts add up to %d, verdicts cover %d", f.Name, f.Directives, sum, covered)
		}
		if len(f.Nodes) == 1 && !t.Failed() {
			if n := statements(in, f); n != f.Directives {
				t.Errorf("%s: the tree has %d statements, the report %d", f.Name, n, f.Directives)
			}
		}
	}
	again, _ := Convert(in, opts)
	if !bytes.Equal(again.HCL, res.HCL) || !bytes.Equal(text(&again.Report), text(&res.Report)) {
		t.Error("a second run gives other bytes")
	}
}

// statements counts the tree, without the report's help.
func statements(in []File, f FileReport) (n int) {
	for _, file := range in {
		if file.Name != f.Name {
			continue
		}
		var diags []diag.Diagnostic
		for _, m := range load([]File{file}, nil, &diags) {
			m.root.walk(func(*directive) { n++ })
			n--
		}
	}
	return n
}
