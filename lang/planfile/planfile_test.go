package planfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"hafile/lang/diff"
	"hafile/lang/plan"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func pair(priority uint8) *plan.Plan {
	in := plan.DefaultInstance()
	in.Address, in.Name, in.Interface, in.VRID, in.Version = "instance.VI_1", "VI_1", "eth0", 51, 2
	in.Priority = priority
	in.Auth = &plan.Auth{Type: "pass", Password: plan.Secret{Credential: "vrrp"}}
	in.Members = []plan.Member{{Node: "lb1", Priority: priority}, {Node: "lb2", Priority: 100}}
	in.VIPs = []plan.VIP{{Address: netip.MustParsePrefix("172.29.88.222/32")}}
	return &plan.Plan{Language: plan.Language, Node: "lb1", Desired: plan.Desired{Instances: []plan.Instance{in}}}
}

func running(role string) Running {
	return Running{
		Node: "lb1", Lineage: "b7c0ffee", Serial: 41, Plan: pair(101), By: "anna", Since: noon.Add(-time.Hour),
		Present: diff.Present{Roles: map[plan.Addr]string{"instance.VI_1": role}},
	}
}

// document raises the priority of an active node.
func document() *Document { return documentOf(pair(150), running("active")) }

func documentOf(p *plan.Plan, r Running) *Document {
	return New(Input{HafileVersion: "0.1.0", Plan: p, Running: &r, Now: noon, Lifetime: Lifetime})
}

func inline() *plan.Plan {
	p := pair(150)
	p.Desired.Instances[0].Auth.Password = plan.Secret{Value: "hunter2"}
	return p
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	d := document()
	var b bytes.Buffer
	if err := Write(&b, d, false); err != nil {
		t.Fatal(err)
	}
	got, err := Read(&b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(d, got, cmpopts.EquateEmpty(), cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
		cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
		cmp.Comparer(func(a, b json.RawMessage) bool { return string(a) == string(b) })); diff != "" {
		t.Errorf("(-written +read):\n%s", diff)
	}
}

func TestRefusedToRead(t *testing.T) {
	edit := func(old, new string) string {
		var b bytes.Buffer
		if err := Write(&b, document(), false); err != nil {
			t.Fatal(err)
		}
		s := strings.Replace(b.String(), old, new, 1)
		if s == b.String() {
			t.Fatalf("nothing to replace: %s", old)
		}
		return s
	}
	tests := []struct {
		name, text, code, says string
	}{
		{"nothing", "", CodeUnreadable, "it is not JSON"},
		{"no JSON", "hafile {}", CodeUnreadable, "it is not JSON"},
		{"another document", `{"a": 1}`, CodeUnreadable, "no format_version"},
		{"two documents", edit("", "{}"), CodeUnreadable, "after top-level"},
		{"half of one", edit("\n}\n", "\n"), CodeUnreadable, "unexpected end"},
		{"another major format", edit(`"format_version": "1.0"`, `"format_version": "2.0"`), CodeOtherFormat, "this release reads 1.x"},
		{"a field of a newer release in desired", edit(`"name": "VI_1"`, `"name": "VI_1", "colour": "blue"`), CodeOtherFormat, "colour"},
		{"a changed priority", edit(`"priority": 150`, `"priority": 151`), CodeUnreadable, "changed by hand"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Read(strings.NewReader(tt.text))
			var p *Problem
			if !errors.As(err, &p) {
				t.Fatalf("err = %v", err)
			}
			if p.Code != tt.code || p.Exit != ExitError || !strings.Contains(p.Error(), tt.says) {
				t.Errorf("%s (exit %d) %v; want %s with %q", p.Code, p.Exit, p, tt.code, tt.says)
			}
		})
	}
}

func TestMinorFormatsAndUnknownFieldsAreRead(t *testing.T) {
	var b bytes.Buffer
	if err := Write(&b, document(), false); err != nil {
		t.Fatal(err)
	}
	s := strings.Replace(b.String(), `"format_version": "1.0"`, `"format_version": "1.7", "approved_by": "anna"`, 1)
	if _, err := Read(strings.NewReader(s)); err != nil {
		t.Error(err)
	}
}

func TestReadStopsAtItsLimit(t *testing.T) {
	_, err := Read(strings.NewReader(strings.Repeat(" ", SizeMax+1)))
	if err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("err = %v", err)
	}
}

func TestInlineSecretsAreNotWrittenUnlessAllowed(t *testing.T) {
	d := documentOf(inline(), running("active"))
	var b bytes.Buffer
	err := Write(&b, d, false)
	var p *Problem
	if !errors.As(err, &p) || p.Code != CodeInlineSecret || b.Len() > 0 || strings.Contains(p.Error(), "hunter2") {
		t.Errorf("err = %v, wrote %d bytes", err, b.Len())
	}
	if err := Write(&b, d, true); err != nil || !strings.Contains(b.String(), "hunter2") {
		t.Errorf("err = %v", err)
	}
}

// A printed document shows no secret, and cannot set "(sensitive)" as a password.
func TestARedactedDocumentIsReadButNotApplied(t *testing.T) {
	d := documentOf(inline(), running("active"))
	var b bytes.Buffer
	if err := WriteRedacted(&b, d); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "hunter2") {
		t.Errorf("a secret in %s", b.String())
	}
	if got := d.Desired.Instances[0].Auth.Password.Value; got != "hunter2" {
		t.Errorf("the document itself now has %q", got)
	}
	read, err := Read(&b)
	if err != nil {
		t.Fatal(err)
	}
	if v := Check(read, running("active"), noon); v.Problem == nil || v.Problem.Code != CodeInlineSecret {
		t.Errorf("verdict %+v", v)
	}
}

func TestAgainstNoDaemon(t *testing.T) {
	d := New(Input{Plan: pair(101), Now: noon})
	if d.Reached() || d.Base.Digest != NoBase || !d.Expires.IsZero() || d.Summary.Add != 1 {
		t.Errorf("base %+v, expires %s, summary %+v", d.Base, d.Expires, d.Summary)
	}
	empty := Running{Node: "lb1", Lineage: "b7c0ffee"}
	if d := documentOf(pair(101), empty); !d.Reached() || d.Base.Digest != NoBase {
		t.Errorf("base %+v", d.Base)
	}
}

// two instances with these priorities.
func two(first, second uint8) *plan.Plan {
	p := pair(first)
	in := pair(second).Desired.Instances[0]
	in.Address, in.Name, in.VRID = "instance.VI_2", "VI_2", in.VRID+1
	in.VIPs[0].Address = netip.MustParsePrefix("172.29.88.223/32")
	p.Desired.Instances = append(p.Desired.Instances, in)
	return p
}

// present is a daemon that runs both, in these roles.
func present(first, second string) Running {
	r := running(first)
	r.Plan = two(101, 101)
	r.Present.Roles["instance.VI_2"] = second
	return r
}

func TestCheck(t *testing.T) {
	lowered := func() *Document { return documentOf(pair(90), running("backup")) } // on a backup nobody notices
	tests := []struct {
		name string
		doc  *Document
		now  func(*Running)
		at   time.Duration
		code string
		exit int
		says string
		note string
	}{
		{name: "as planned", doc: document()},
		{name: "another node", doc: document(), now: func(r *Running) { r.Node = "lb2" },
			code: CodeOtherNode, exit: ExitNode, says: "for node lb1: this daemon is lb2"},
		{name: "a daemon that does not know its name yet", doc: document(), now: func(r *Running) { r.Node = "" }},
		{name: "another daemon", doc: document(), now: func(r *Running) { r.Lineage = "0dd" },
			code: CodeOtherDaemon, exit: ExitStale, says: "against b7c0, here runs 0dd"},
		{name: "another daemon comes before the same content", doc: document(),
			now:  func(r *Running) { r.Lineage, r.Plan = "0dd", pair(150) },
			code: CodeOtherDaemon, exit: ExitStale},
		{name: "already applied", doc: document(), now: func(r *Running) { r.Plan, r.Serial = pair(150), 42 },
			code: CodeAlreadyApplied, exit: ExitDone, says: "as plan 42, since 2026-11-22 11:00, by anna; nothing to do"},
		{name: "already applied and expired", doc: document(), at: 24 * time.Hour, now: func(r *Running) { r.Plan, r.Serial = pair(150), 42 },
			code: CodeAlreadyApplied, exit: ExitDone},
		{name: "an inline secret differs under one digest", doc: documentOf(inline(), running("active")),
			now: func(r *Running) {
				r.Plan, r.Serial = inline(), 42
				r.Plan.Desired.Instances[0].Auth.Password.Value = "hunter1"
			},
			code: CodeConfigMoved, exit: ExitStale},
		{name: "somebody applied another plan", doc: document(), now: func(r *Running) { r.Plan, r.Serial, r.By = pair(120), 42, "bob" },
			code: CodeConfigMoved, exit: ExitStale, says: "now plan 42 ("},
		{name: "the same plan under another serial", doc: document(), now: func(r *Running) { r.Serial = 43 },
			code: CodeConfigMoved, exit: ExitStale, says: "by bob"},
		{name: "made on an empty daemon that has a plan now", doc: documentOf(pair(150), Running{Node: "lb1", Lineage: "b7c0ffee"}),
			code: CodeConfigMoved, exit: ExitStale, says: "against an empty daemon"},
		{name: "role moved, more harm", doc: lowered(),
			code: CodeRoleMoved, exit: ExitStale, says: "moves instead of none: instance.VI_1 was backup when planned and is active now"},
		{name: "another instance would move than the one that was to",
			doc: documentOf(two(90, 90), present("active", "backup")), now: func(r *Running) { *r = present("active", "active") },
			code: CodeRoleMoved, exit: ExitStale, says: "instance.VI_2 moves instead of none: instance.VI_2 was backup when planned and is active now"},
		{name: "role moved, no more harm", doc: document(), now: func(r *Running) { r.Present.Roles["instance.VI_1"] = "backup" },
			note: "instance.VI_1 was active when planned and is backup now; the impact is no worse than planned"},
		{name: "expired", doc: document(), at: Lifetime + time.Second, code: CodeExpired, exit: ExitStale, says: "2026-11-22T16:00:00Z"},
		{name: "about to expire", doc: document(), at: Lifetime},
		{name: "made elsewhere, without a daemon", doc: func() *Document {
			d := document()
			d.Base = Base{Digest: pair(101).Digest()}
			return d
		}(), now: func(r *Running) { r.Serial = 99 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := running("active")
			if strings.Contains(tt.says, "bob") {
				r.By = "bob"
			}
			if tt.now != nil {
				tt.now(&r)
			}
			v := Check(tt.doc, r, noon.Add(tt.at))
			if v.Note != tt.note {
				t.Errorf("note %q, want %q", v.Note, tt.note)
			}
			switch {
			case v.Problem == nil && tt.code == "":
			case v.Problem == nil || tt.code == "":
				t.Errorf("problem %+v, want code %q", v.Problem, tt.code)
			case v.Problem.Code != tt.code || v.Problem.Exit != tt.exit || !strings.Contains(v.Problem.Error(), tt.says):
				t.Errorf("%s exit %d %q; want %s exit %d with %q", v.Problem.Code, v.Problem.Exit, v.Problem, tt.code, tt.exit, tt.says)
			}
		})
	}
}

func TestCheckComputesTheImpactAgain(t *testing.T) {
	d := document() // stays, on an active node
	v := Check(d, running("backup"), noon)
	if v.Summary.Worst != diff.None || len(v.Changes) != 1 {
		t.Errorf("%+v", v)
	}
}

func TestGate(t *testing.T) {
	replaced := pair(101)
	replaced.Desired.Instances[0].VIPs[0].Address = netip.MustParsePrefix("172.29.88.223/32")
	both := replaced.Clone()
	both.Desired.Instances[0].VRID = 52
	both.Desired.Instances[0].Members[1].Speaks = "keepalived-2.2"
	tests := []struct {
		name  string
		plan  *plan.Plan
		max   diff.Class
		allow []string
		exit  int // -1: let through
		says  string
	}{
		{"no limit", replaced, "", nil, -1, ""},
		{"below the limit", pair(150), diff.Stays, nil, -1, ""},
		{"above the limit", replaced, diff.Stays, nil, ExitRefused, `nothing beyond "stays"`},
		{"moves above stays", pair(90), diff.Stays, nil, ExitRefused, "priority: moves to lb2"},
		{"a drop allowed by name", replaced, diff.Gains, []string{"release:172.29.88.222"}, -1, ""},
		{"a drop allowed by prefix", replaced, diff.Gains, []string{"release:172.29.88.222/32"}, -1, ""},
		{"another drop allowed", replaced, diff.Gains, []string{"release:172.29.88.9"}, ExitRefused, "vip: drops"},
		{"a drop allowed lets no outage pass", both, diff.Gains, []string{"release:172.29.88.222"}, ExitRefused, "router_id: outage"},
		{"the instance allowed", both, diff.Gains, []string{"release:instance.VI_1"}, -1, ""},
		{"an instance that goes", &plan.Plan{Node: "lb1"}, diff.Moves, nil, ExitRefused, "drops"},
		{"an instance that goes, its vip named", &plan.Plan{Node: "lb1"}, diff.Moves, []string{"release:172.29.88.222"}, -1, ""},
		{"no such class", replaced, "some", nil, ExitError, "none, stays, gains"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			changes, _ := diff.Plans(pair(101), tt.plan, running("active").Present)
			p := Gate(changes, tt.max, tt.allow)
			switch {
			case p == nil && tt.exit == -1:
			case p == nil || tt.exit == -1:
				t.Errorf("problem %v", p)
			case p.Exit != tt.exit || !strings.Contains(p.Error(), tt.says):
				t.Errorf("exit %d %q", p.Exit, p)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	for _, d := range []*Document{document(), documentOf(inline(), running("backup")), New(Input{Plan: pair(1), Now: noon})} {
		var b bytes.Buffer
		if err := Write(&b, d, true); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Add([]byte(`{"format_version":"1.0","desired":{"checks":[{"address":"script.a","script":{"command":null}}]}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		// The digest of a mutation is never right: fill it in, so that what lies behind
		// it is tried too.
		_, _ = Read(bytes.NewReader(raw))
		d, err := Read(bytes.NewReader(rightDigest(raw)))
		if err != nil {
			return
		}
		Check(d, running("active"), noon)
		plan.Verify(&d.Plan)
		var b bytes.Buffer
		if err := Write(&b, d, true); err != nil {
			t.Fatal(err)
		}
		again, err := Read(&b)
		if err != nil {
			t.Fatalf("what was written is not read: %v", err)
		}
		if d.Plan.Digest() != again.Plan.Digest() {
			t.Fatal("another digest after a round trip")
		}
	})
}

func rightDigest(raw []byte) []byte {
	var d Document
	if json.Unmarshal(raw, &d) != nil {
		return raw
	}
	d.Digest = d.Plan.Digest()
	out, err := json.Marshal(&d)
	if err != nil {
		return raw
	}
	return out
}
