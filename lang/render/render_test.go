package render

import (
	"bytes"
	"flag"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hafile/lang/diag"
	"hafile/lang/diff"
	"hafile/lang/plan"
	"hafile/lang/planfile"
)

var update = flag.Bool("update", false, "rewrite testdata")

var now = time.Date(2026, 11, 22, 10, 15, 0, 0, time.UTC)

// pair is the plan of lb1 or lb2 of the nginx pair.
func pair(node string) *plan.Plan {
	in := plan.DefaultInstance()
	in.Address, in.Name, in.Src = "instance.VI_1", "VI_1", plan.Src{0, 54, 1, 54, 16}
	in.Interface, in.VRID, in.Version, in.AdvertMs = "eth0", 51, 2, 2000
	in.Priority, in.SourceAddress = 101, netip.MustParseAddr("172.29.88.224")
	if node == "lb2" {
		in.Priority, in.SourceAddress = 100, netip.MustParseAddr("172.29.88.225")
	}
	in.Auth = &plan.Auth{Type: "pass", Password: plan.Secret{Credential: "vrrp-VI_1"}}
	in.Members = []plan.Member{{Node: "lb1", Priority: 101}, {Node: "lb2", Priority: 100}}
	in.VIPs = []plan.VIP{aVIP("172.29.88.222", 79)}
	in.Track = []plan.Track{{Check: "script.chk_nginx", Weight: -5}}
	in.Notify = []plan.Addr{"notify.ops_mail"}
	check := plan.DefaultCheck()
	check.Address, check.Name, check.Src = "script.chk_nginx", "chk_nginx", plan.Src{0, 31, 1, 31, 20}
	check.Script = &plan.Script{Command: []string{"/etc/hafile/check_nginx.sh"}}
	check.IntervalMs, check.TimeoutMs = 2000, 2000
	mail := plan.DefaultEmail()
	mail.To, mail.From, mail.Relay = []string{"ops@example.net", "oncall@example.net"}, "ha@lb1.example.net", "127.0.0.1:25"
	return &plan.Plan{
		Language: plan.Language, Node: node, Sources: []plan.Source{{File: "nginx-pair.ha.hcl"}},
		Desired: plan.Desired{
			Instances: []plan.Instance{in}, Checks: []plan.Check{check},
			Notifies: []plan.Notify{{
				Address: "notify.ops_mail", Src: plan.Src{0, 41, 1, 41, 20},
				On: []string{"active", "backup", "fault"}, Email: &mail,
			}},
		},
	}
}

func aVIP(a string, line int) plan.VIP {
	return plan.VIP{Address: netip.PrefixFrom(netip.MustParseAddr(a), 32), Src: plan.Src{0, line, 3, line, 40}}
}

func vi(p *plan.Plan) *plan.Instance { return &p.Desired.Instances[0] }

// edited is the pair's plan after an edit.
func edited(node string, edit func(*plan.Plan)) *plan.Plan {
	p := pair(node)
	edit(p)
	return p
}

func setPriority(p *plan.Plan, n uint8) { vi(p).Priority, vi(p).Members[0].Priority = n, n }

func running(p *plan.Plan, serial int, role string) *planfile.Running {
	return &planfile.Running{
		Node: p.Node, Lineage: "b7c0", Serial: serial, Plan: p, By: "anna",
		Since: time.Date(2026, 11, 19, 9, 2, 0, 0, time.UTC),
		Present: diff.Present{
			Roles:  map[plan.Addr]string{"instance.VI_1": role},
			Checks: map[plan.Addr]plan.CheckState{"script.chk_nginx": plan.CheckUp},
		},
	}
}

func document(p *plan.Plan, r *planfile.Running, ds ...diag.Diagnostic) *planfile.Document {
	return planfile.New(planfile.Input{
		HafileVersion: "0.1.0", Plan: p, Running: r, Diagnostics: ds, Now: now, Lifetime: planfile.Lifetime,
	})
}

func empty() *planfile.Running { return &planfile.Running{Node: "lb1", Lineage: "b7c0"} }

var readable = diag.Diagnostic{
	Severity: diag.Warning, Code: "HA2102", Summary: "Password readable on the wire", Address: "instance.VI_1",
	Range: &diag.Range{Filename: "nginx-pair.ha.hcl", Start: diag.Pos{Line: 60}},
}

var hostFacts = Facts{
	Host:       "host name lb1",
	Programs:   map[string]string{"/etc/hafile/check_nginx.sh": "found, root-owned, 0755"},
	Interfaces: map[string]string{"eth0": "up, 172.29.88.224/24"},
	Peers:      "Peer lb2 has not been seen.",
}

const applyNext = `Nothing was written; "hafile apply" carries this out.`

func added(p *plan.Plan) {
	setPriority(p, 150)
	vi(p).VIPs = append(vi(p).VIPs, aVIP("172.29.88.223", 80))
}

// two adds a second instance that is called by the given name.
func two(p *plan.Plan, name string, file int) {
	in := *vi(p)
	in.Address, in.Name, in.Src = plan.Addr("instance."+name), name, plan.Src{file, 12, 1, 12, 9}
	in.Interface, in.VRID, in.VIPs = "eth1", 60, []plan.VIP{aVIP("192.0.2.10", 20)}
	in.Priority, in.AdvertMs, in.Members = 101, 2000, pair("lb1").Desired.Instances[0].Members
	p.Sources = append(p.Sources, plan.Source{File: "web.ha.hcl"})
	p.Desired.Instances = append(p.Desired.Instances, in)
}

func scenes() map[string]struct {
	doc *planfile.Document
	o   Options
} {
	type scene = struct {
		doc *planfile.Document
		o   Options
	}
	first := document(pair("lb1"), empty(), readable)
	vip := document(edited("lb1", added), running(pair("lb1"), 41, "active"), diag.Diagnostic{
		Severity: diag.Warning, Code: "HA1301", Summary: "script.chk_nginx can no longer move the VIP", Address: "instance.VI_1",
		Range:   &diag.Range{Filename: "nginx-pair.ha.hcl", Start: diag.Pos{Line: 36}},
		Related: []diag.Related{{Range: diag.Range{Filename: "nginx-pair.ha.hcl", Start: diag.Pos{Line: 68}}, Message: "priority = 150"}},
		Detail:  "150 - 5 = 145 is still above lb2's 100, so a dead nginx would keep the VIP. Use weight = -51 or lower, or drop the weight so that failure means fault.",
	})
	before := edited("lb1", func(p *plan.Plan) { added(p); two(p, "web_old", 1); vi(p).Members[1].Speaks = "keepalived-2.2" })
	risky := document(edited("lb1", func(p *plan.Plan) {
		vi(p).Members[1].Speaks = "keepalived-2.2"
		setPriority(p, 90)
		vi(p).AdvertMs = 1000
		two(p, "web", 1)
	}), running(before, 42, "active"))
	three := edited("lb1", func(p *plan.Plan) {
		vi(p).Members = append(vi(p).Members, plan.Member{Node: "lb3", Priority: 50})
		vi(p).Track[0].Weight = 0
		vi(p).Preempt, vi(p).PreemptDelayMs = false, 5000
		two(p, "small", 1)
		p.Desired.Instances[1].Members, p.Desired.Instances[1].Track = pair("lb1").Desired.Instances[0].Members, []plan.Track{{Check: "script.chk_nginx", Weight: -1}}
		x := plan.DefaultExec()
		x.Command = []string{"/etc/hafile/hook.sh"}
		p.Desired.Notifies[0].Email, p.Desired.Notifies[0].Exec = nil, &x
	})
	return map[string]scene{
		"first":           {first, Options{Width: 112, Facts: hostFacts, Closing: applyNext}},
		"first-unwrapped": {first, Options{}},
		"first-full":      {first, Options{Width: 112, Mode: Full}},
		"first-summary":   {first, Options{Width: 112, Mode: Summary}},
		"unreached":       {document(pair("lb2"), nil), Options{Width: 112}},
		"vip-added":       {vip, Options{Width: 112, Facts: Facts{Running: "running plan 41 (2026-11-19 09:02, anna)   VI_1 active for 3d4h"}, Closing: "Saved to lb1.plan.\n  hafile apply lb1.plan"}},
		"vip-added-full":  {vip, Options{Width: 112, Mode: Full}},
		"vip-on-backup":   {document(edited("lb1", added), running(pair("lb1"), 41, "backup")), Options{Width: 112}},
		"risky":           {risky, Options{Width: 112}},
		"risky-narrow":    {risky, Options{Width: 60}},
		"risky-color":     {risky, Options{Width: 112, Color: true}},
		"removed":         {document(&plan.Plan{Language: 1, Node: "lb1"}, running(pair("lb1"), 41, "active")), Options{Width: 112}},
		"script-edited":   {document(edited("lb1", func(p *plan.Plan) { p.Desired.Checks[0].Fall = 2 }), running(pair("lb1"), 41, "active")), Options{Width: 112}},
		"nothing":         {document(pair("lb1"), running(pair("lb1"), 41, "active")), Options{Width: 112}},
		"three-members":   {document(three, empty()), Options{Width: 112}},
		"secret": {document(edited("lb1", func(p *plan.Plan) { vi(p).Auth.Password = plan.Secret{Value: "hunter2"} }),
			running(edited("lb1", func(p *plan.Plan) { vi(p).Auth.Password = plan.Secret{Value: "hunter1"} }), 41, "active")), Options{Width: 112, Mode: Full}},
	}
}

func TestText(t *testing.T) {
	for name, s := range scenes() {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := Text(&b, s.doc, s.o); err != nil {
				t.Fatal(err)
			}
			golden(t, "testdata/"+name+".txt", b.String())
			for i, l := range strings.Split(b.String(), "\n") {
				if l != strings.TrimRight(l, " ") {
					t.Errorf("line %d ends in blanks", i+1)
				}
			}
			if strings.Contains(b.String(), "hunter") {
				t.Error("a secret is shown")
			}
		})
	}
}

// A plan file may come from anywhere: it must not steer the terminal that shows it.
func TestNothingInADocumentReachesTheTerminalRaw(t *testing.T) {
	evil := "x\x1b]0;owned\x07\r\u009b31m"
	p := pair("lb1")
	p.Sources[0].File, p.Node = evil, evil
	vi(p).Interface, vi(p).Name, vi(p).Members[0].Node = evil, evil, evil
	p.Desired.Checks[0].Script.Command[0] = evil
	p.Desired.Notifies[0].Email.Relay, p.Desired.Notifies[0].On[0] = evil, evil
	d := document(p, empty(), diag.Diagnostic{Severity: diag.Warning, Code: evil, Summary: evil, Detail: evil,
		Range: &diag.Range{Filename: evil}, Related: []diag.Related{{Message: evil}}})
	d.HafileVersion, d.Base.By = evil, evil
	for i := range d.Changes {
		d.Changes[i].Impact.Text, d.Changes[i].Was = evil, evil
		for k := range d.Changes[i].Fields {
			d.Changes[i].Fields[k].Path = evil
			d.Changes[i].Fields[k].Impact = &diff.Impact{Class: diff.Class(evil), Text: evil, Safer: evil}
		}
	}
	for _, mode := range []Mode{Default, Summary, Full} {
		var b bytes.Buffer
		if err := Text(&b, d, Options{Mode: mode, Width: 90, Facts: Facts{Peers: evil}}); err != nil {
			t.Fatal(err)
		}
		if i := strings.IndexAny(b.String(), "\x1b\x07\r\u009b"); i >= 0 {
			t.Errorf("mode %d: a control character near %q", mode, b.String()[max(0, i-40):i])
		}
	}
}

func TestJSONIsTheDocumentWithoutSecrets(t *testing.T) {
	d := document(edited("lb1", func(p *plan.Plan) { vi(p).Auth.Password = plan.Secret{Value: "hunter2"} }), empty())
	var b bytes.Buffer
	if err := JSON(&b, d); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "hunter2") || !strings.Contains(b.String(), plan.Redacted) {
		t.Errorf("%s", b.String())
	}
	if _, err := planfile.Read(&b); err != nil {
		t.Errorf("a printed document is not read: %v", err)
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got):\n%s", file, d)
	}
}
