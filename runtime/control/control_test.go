package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hafile/lang/diff"
	"hafile/lang/plan"
	"hafile/lang/planfile"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var when = time.Date(2026, 11, 22, 10, 15, 0, 0, time.UTC)

func ptr[T any](v T) *T { return &v }

func samplePlan() *plan.Plan {
	in := plan.DefaultInstance()
	in.Address, in.Name, in.Interface, in.VRID, in.Version = "instance.VI_1", "VI_1", "eth0", 51, 2
	in.Auth = &plan.Auth{Type: "pass", Password: plan.Secret{Value: "s3cret"}}
	in.VIPs = []plan.VIP{{Address: netip.MustParsePrefix("172.29.88.222/32")}}
	return &plan.Plan{Language: plan.Language, Node: "lb1", Desired: plan.Desired{Instances: []plan.Instance{in}}}
}

func sampleStatus() *Status {
	return &Status{
		FormatVersion: plan.FormatVersion, HafileVersion: "0.1.0", Node: "lb1", PID: 42, Started: when, Lineage: "b7c0",
		Plan: &PlanStatus{Serial: 42, Digest: "sha256:4be1", Since: when, By: "anna", From: "apply"},
		Instances: []Instance{{
			Address: "instance.VI_1", Name: "VI_1", Src: "nginx-pair.ha.hcl:54",
			Wire:   Wire{Interface: "eth0", Family: plan.IPv4, VRID: 51, Version: 2, Transport: plan.Multicast, Source: netip.MustParseAddr("172.29.88.224")},
			Former: []Wire{{Interface: "eth0", Family: plan.IPv4, VRID: 50, Version: 2, Transport: plan.Multicast}}, Unswept: []string{"lb2"},
			Role: "active", Since: when, Why: "priority 101 is above the 100 of 172.29.88.225",
			Priority: Priority{Configured: 101, Effective: 96, Parts: []PriorityPart{{"script.chk_nginx", -5}}}, AdvertMs: 2000,
			VIPs:       []VIP{{netip.MustParsePrefix("172.29.88.222/32"), "eth0", true}},
			Peers:      []Peer{{Node: "lb2", Address: netip.MustParseAddr("172.29.88.225"), LastAdvertMs: ptr(int64(1500)), Priority: 100, Heard: true}},
			Checks:     []Tracked{{"script.chk_nginx", "down", -5}},
			LastChange: when, Counters: map[string]uint64{"sent": 3},
		}},
		Checks: []Check{{
			Address: "script.chk_nginx", State: "down", Since: when, Streak: 3, LastExit: ptr(1),
			LastOutput: "nginx is not running", LastRunMs: 12, LastEnd: when,
		}},
		Notifies:  []Notify{{Address: "notify.ops_mail", Sent: 1, Failed: 1, LastError: "connection refused"}},
		Engine:    Engine{Scheduling: "SCHED_RR 10", LatenessMaxMs: 0.2, Wakeups: 7},
		ConfirmBy: ptr(when.Add(2 * time.Minute)), Predictions: Predictions{Applied: 3, VIPs: 3, Mispredicted: 1, Last: "172.29.88.222 moves, predicted none"},
		Sockets: []Socket{{Interface: "eth0", Family: plan.IPv4, Transport: plan.Multicast, Received: 9, Dropped: map[string]uint64{"bad_ttl": 1}}},
	}
}

func sampleRunning() *RunningPlan {
	return &RunningPlan{FormatVersion: plan.FormatVersion, Status: *sampleStatus().Plan, Lineage: "b7c0", Plan: samplePlan()}
}

// The documents are a contract with other programs: a name that changes here breaks them.
func TestGoldenDocuments(t *testing.T) {
	for name, v := range map[string]any{
		"status":  sampleStatus(),
		"running": redacted(sampleRunning()),
		"history": sampleHistory(),
		"problem": &Problem{Exit: 5, Code: "HA3005", Summary: "the plan is stale", Detail: "Run hafile plan again."},
		"request": &ApplyRequest{Plan: &planfile.Document{FormatVersion: plan.FormatVersion, Digest: "sha256:4be1", Created: when,
			Base: planfile.Base{Lineage: "b7c0", Serial: 41, Digest: "sha256:9a02"}, Plan: *redacted(sampleRunning()).Plan,
			Changes: []diff.Change{}, Summary: diff.Summary{Worst: diff.Stays}}, MaxImpact: diff.Gains, WaitMs: 60000, By: "anna"},
		"events": []Event{
			{Type: "transition", Time: when, Transition: &Transition{Instance: "instance.VI_1", Name: "VI_1", From: "backup", To: "active", Why: "lb2 said goodbye", Priority: 101}},
			{Type: "kernel", Time: when, Message: "172.29.88.222/32 is up on eth0"},
			{Type: "step", Time: when, Step: &Step{Phase: "prepare", What: "interface eth0", OK: true, TookMs: 14}},
			{Type: "result", Time: when, Result: &Result{Exit: 0, Message: "plan 42 is running", Serial: 42, Digest: "sha256:4be1", Summary: diff.Summary{Change: 1, Worst: diff.Stays}}},
		},
	} {
		raw, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		raw = append(raw, '\n')
		path := filepath.Join("testdata", name+".golden.json")
		if *update {
			if err := os.WriteFile(path, raw, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(raw, want) {
			t.Errorf("%s differs from its golden file:\n%s", name, raw)
		}
	}
}

// backend answers what a test tells it.
type backend struct {
	mu      sync.Mutex
	applied []Apply
	running *RunningPlan
	answer  func(ctx context.Context, a Apply, emit func(Event)) *Problem
}

func (b *backend) Status() *Status    { return sampleStatus() }
func (b *backend) Plan() *RunningPlan { return b.running }

func (b *backend) Apply(ctx context.Context, a Apply, emit func(Event)) *Problem {
	b.mu.Lock()
	b.applied = append(b.applied, a)
	b.mu.Unlock()
	return b.answer(ctx, a, emit)
}

func (b *backend) Retire(_ context.Context, r RetireRequest, emit func(Event)) *Problem {
	if len(r.Allow) == 0 {
		return &Problem{Exit: 4, Code: "HA3107", Summary: "lb2 is not known to have the new identity", Detail: "Say so."}
	}
	emit(Event{Type: "result", Result: &Result{Message: "retired, allowed " + r.Allow[0] + " by " + r.By}})
	return nil
}

func (b *backend) Rollback(_ context.Context, r RollbackRequest, emit func(Event)) *Problem {
	emit(Event{Type: "step", Step: &Step{Phase: "commit", OK: true}})
	return &Problem{Exit: 7, Code: CodeRolledBack, Summary: fmt.Sprintf("plan %d does not fit", r.Serial), Detail: "Look."}
}

func (b *backend) Drain(_ context.Context, r DrainRequest, emit func(Event)) *Problem {
	emit(Event{Type: "result", Result: &Result{Message: "drained for " + r.Reason + " to " + r.To}})
	return nil
}

func (b *backend) Undrain(_ context.Context, r UndrainRequest, emit func(Event)) *Problem {
	emit(Event{Type: "result", Result: &Result{Message: "undrained by " + r.By}})
	return nil
}

func (b *backend) Confirm(context.Context) (*Result, *Problem) {
	return &Result{Serial: 42, Message: "plan 42 is kept"}, nil
}

func (b *backend) History() (*History, *Problem) { return sampleHistory(), nil }

func sampleHistory() *History {
	return &History{Lineage: "b7c0", Running: 42, ConfirmBy: ptr(when.Add(2 * time.Minute)), Plans: []PlanStatus{
		{Serial: 42, Digest: "sha256:4be1", Since: when, By: "anna"}, {Serial: 41, Digest: "sha256:9a02", Since: when},
	}}
}

// What else a person may ask for goes the same way: a refusal as an error, lines with a
// result at the end.
func TestRetireRollbackConfirmAndHistory(t *testing.T) {
	r := serve(t)
	none := func(Event) {}
	var p *Problem
	if _, err := r.client.Retire(t.Context(), RetireRequest{}, none); !errors.As(err, &p) || p.Exit != 4 || p.Code != "HA3107" {
		t.Errorf("retire refused: %v", err)
	}
	got, err := r.client.Retire(t.Context(), RetireRequest{Allow: []string{"retire:lb2"}, By: "anna"}, none)
	if err != nil || got.Exit != 0 || got.Message != "retired, allowed retire:lb2 by anna" {
		t.Errorf("retire: %+v, %v", got, err)
	}
	steps := 0
	got, err = r.client.Rollback(t.Context(), RollbackRequest{Serial: 41}, func(ev Event) {
		if ev.Type == "step" {
			steps++
		}
	})
	if err != nil || got.Exit != 7 || !strings.Contains(got.Message, "plan 41 does not fit") || steps != 1 {
		t.Errorf("rollback: %+v, %v, %d steps", got, err, steps)
	}
	if got, err = r.client.Confirm(t.Context()); err != nil || got.Serial != 42 {
		t.Errorf("confirm: %+v, %v", got, err)
	}
	h, err := r.client.History(t.Context())
	if err != nil || h.Running != 42 || len(h.Plans) != 2 || h.Plans[1].Serial != 41 || h.ConfirmBy == nil {
		t.Errorf("history: %+v, %v", h, err)
	}
}

type rig struct {
	*backend
	socket string
	hub    *Hub
	client *Client
}

func serve(t *testing.T) *rig {
	t.Helper()
	dir, err := os.MkdirTemp("", "hafile")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	r := &rig{backend: &backend{running: sampleRunning()}, socket: filepath.Join(dir, "s"), hub: NewHub()}
	l, err := Listen(r.socket, -1)
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(r.backend, r.hub)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	r.client = NewClient(r.socket)
	t.Cleanup(func() {
		r.client.Close()
		s.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return r
}

func TestStatusArrivesWhole(t *testing.T) {
	r := serve(t)
	s, err := r.client.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, _ := json.Marshal(s)
	want, _ := json.Marshal(sampleStatus())
	if !bytes.Equal(got, want) {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestPlanHasItsDigestAsETag(t *testing.T) {
	r := serve(t)
	resp, err := r.client.http.Get("http://hafile/v1/plan")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := resp.Header.Get("ETag"); got != `"sha256:4be1"` {
		t.Errorf("ETag %s", got)
	}
	p, err := r.client.Plan(t.Context())
	if err != nil || p.Plan.Desired.Instances[0].Auth.Password.Value != "s3cret" {
		t.Errorf("root does not get the plan as it is: %+v, %v", p, err)
	}
}

func TestApplyStreamsItsStepsAndEndsInAResult(t *testing.T) {
	r := serve(t)
	r.answer = func(_ context.Context, a Apply, emit func(Event)) *Problem {
		emit(Event{Type: "step", Step: &Step{Phase: "prepare", OK: true}})
		emit(Event{Type: "result", Result: &Result{Exit: 0, Serial: 43}})
		return nil
	}
	var types []string
	result, err := r.client.Apply(t.Context(), ApplyRequest{Plan: &planfile.Document{Plan: *samplePlan()}, MaxImpact: diff.Stays, By: "anna"},
		"sha256:9a02", true, func(ev Event) { types = append(types, ev.Type) })
	if err != nil || result.Serial != 43 || strings.Join(types, " ") != "step result" {
		t.Fatalf("%+v, %v, %v", result, err, types)
	}
	if a := r.applied[0]; a.Base != "sha256:9a02" || !a.DryRun || a.By != "anna" || a.MaxImpact != diff.Stays || a.Plan.Node != "lb1" {
		t.Errorf("the backend got %+v", a)
	}
}

func TestRefusalsKeepTheirExitCodeAndHaveAStatus(t *testing.T) {
	r := serve(t)
	for exit, status := range map[int]int{1: 400, 4: 403, 5: 412, 6: 421, 7: 500} {
		r.answer = func(context.Context, Apply, func(Event)) *Problem {
			return &Problem{Exit: exit, Code: "HA3000", Summary: "no", Detail: "Do something else."}
		}
		_, err := r.client.Apply(t.Context(), ApplyRequest{Plan: &planfile.Document{}}, "none", false, func(Event) {})
		var p *Problem
		if !errors.As(err, &p) || p.Exit != exit || p.Detail != "Do something else." {
			t.Errorf("exit %d: %v", exit, err)
		}
		if resp := post(t, r, `{"plan":{}}`, "none", ""); resp.StatusCode != status {
			t.Errorf("exit %d: %s", exit, resp.Status)
		}
	}
}

func TestRefusalAfterTheFirstStepIsAResult(t *testing.T) {
	r := serve(t)
	r.answer = func(_ context.Context, _ Apply, emit func(Event)) *Problem {
		emit(Event{Type: "step", Step: &Step{}})
		return &Problem{Exit: 7, Summary: "rolled back"}
	}
	result, err := r.client.Apply(t.Context(), ApplyRequest{Plan: &planfile.Document{}}, "none", false, func(Event) {})
	if err != nil || result.Exit != 7 || result.Message != "rolled back" {
		t.Errorf("%+v, %v", result, err)
	}
}

func post(t *testing.T, r *rig, body, base, query string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://hafile/v1/plan"+query, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if base != "" {
		req.Header.Set("If-Match", base)
	}
	resp, err := r.client.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp
}

func TestMalformedRequestsAreRefusedAndNeverReachTheDaemon(t *testing.T) {
	r := serve(t)
	r.answer = func(context.Context, Apply, func(Event)) *Problem { return nil }
	for name, c := range map[string]struct {
		body, base, query string
		status            int
	}{
		"empty":            {"", "none", "", 400},
		"not JSON":         {"{", "none", "", 400},
		"no plan":          {"{}", "none", "", 400},
		"two values":       {`{"plan":{}}{"plan":{}}`, "none", "", 400},
		"unknown desired":  {`{"plan":{"desired":{"teleports":[]}}}`, "none", "", 400},
		"unknown class":    {`{"plan":{},"max_impact":"much"}`, "none", "", 400},
		"negative wait":    {`{"plan":{},"wait_ms":-1}`, "none", "", 400},
		"deep":             {strings.Repeat("[", 200000), "none", "", 400},
		"no base":          {`{"plan":{}}`, "", "", 400},
		"odd dry_run":      {`{"plan":{}}`, "none", "?dry_run=maybe", 400},
		"larger than read": {`{"plan":{"node":"` + strings.Repeat("x", bodyMax) + `"}}`, "none", "", 413},
	} {
		if resp := post(t, r, c.body, c.base, c.query); resp.StatusCode != c.status {
			t.Errorf("%s: %s", name, resp.Status)
		}
	}
	if len(r.applied) != 0 {
		t.Errorf("%d of them reached the daemon", len(r.applied))
	}
	if post(t, r, `{"plan":{},"a_later_field":1}`, `"none"`, "?dry_run=1"); len(r.applied) != 1 || r.applied[0].Base != "none" || !r.applied[0].DryRun {
		t.Errorf("a field of a later release is not ignored: %+v", r.applied)
	}
}

func TestUnknownRequestIsAProblem(t *testing.T) {
	r := serve(t)
	for _, c := range [][2]string{{"GET", "/v1/teleport"}, {"DELETE", "/v1/plan"}, {"GET", "/"}} {
		req, _ := http.NewRequestWithContext(t.Context(), c[0], "http://hafile"+c[1], nil)
		_, err := r.client.do(req)
		var p *Problem
		if !errors.As(err, &p) || p.Code != "HA3022" {
			t.Errorf("%v: %v", c, err)
		}
	}
}

func TestEventsBeginWithASnapshotAndFollow(t *testing.T) {
	r := serve(t)
	stop := errors.New("enough")
	var types []string
	err := r.client.Events(t.Context(), func(ev Event) error {
		types = append(types, ev.Type)
		switch len(types) {
		case 1:
			r.hub.Publish(Event{Type: "transition", Transition: &Transition{To: "active"}})
			r.hub.Publish(Event{Type: "check"})
		case 3:
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || strings.Join(types, " ") != "snapshot transition check" {
		t.Errorf("%v, %v", types, err)
	}
}

// A reader that reads nothing is dropped; the one beside it gets everything, and the
// publisher never waits.
func TestSlowReaderIsDroppedAndHoldsNobodyUp(t *testing.T) {
	h := NewHub()
	slow, stopSlow := h.Subscribe()
	quick, stopQuick := h.Subscribe()
	for i := range 3 * queueLen {
		h.Publish(Event{Message: fmt.Sprint(i)})
		if ev := <-quick; ev.Message != fmt.Sprint(i) {
			t.Fatalf("event %d is %q", i, ev.Message)
		}
	}
	left := 0
	for range slow {
		left++
	}
	if left != queueLen {
		t.Errorf("the slow reader got %d", left)
	}
	stopSlow()
	stopQuick()
	h.Publish(Event{})
}

func TestSlowReaderOfTheSocketIsCutNotEnded(t *testing.T) {
	r := serve(t)
	begun, flooded := make(chan bool), make(chan bool)
	go func() {
		<-begun
		for range 100 * queueLen {
			r.hub.Publish(Event{Type: "check", Message: strings.Repeat("x", 4096)})
		}
		close(flooded)
	}()
	first := true
	err := r.client.Events(t.Context(), func(Event) error {
		if first {
			first = false
			close(begun)
			<-flooded
		}
		return nil
	})
	if err == nil {
		t.Error("a reader that missed events was not told")
	}
}

func TestClosingTheServerEndsEventStreamsCleanly(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "s")
	l, err := Listen(path, -1)
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(&backend{}, NewHub())
	go func() { _ = s.Serve(l) }()
	c := NewClient(path)
	defer c.Close()
	err = c.Events(t.Context(), func(Event) error {
		go s.Close()
		return nil
	})
	if err != nil {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the socket stays: %v", err)
	}
}

func TestHalfARequestIsNotWaitedForForEver(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the header deadline")
	}
	r := serve(t)
	c, err := net.Dial("unix", r.socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "GET /v1/sta")
	_ = c.SetReadDeadline(time.Now().Add(headerWait + 5*time.Second))
	raw, err := io.ReadAll(c)
	if err != nil {
		t.Errorf("the daemon still waits: %v, %q", err, raw)
	}
}

func TestConnectionsAreCapped(t *testing.T) {
	r := serve(t)
	for range writersMax {
		c, err := net.Dial("unix", r.socket)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	c, err := net.Dial("unix", r.socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("one more than the cap is served: %v", err)
	}
}

// A body that is announced and never comes holds no connection: a look reads none.
func TestABodyThatNeverComesIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	r := serve(t)
	for _, ask := range []string{"GET /v1/status", "GET /v1/nothing", "POST /v1/confirm"} {
		c, err := net.Dial("unix", r.socket)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "%s HTTP/1.1\r\nHost: hafile\r\nContent-Length: 1000\r\n\r\n", ask)
		_ = c.SetReadDeadline(time.Now().Add(leftWait + 5*time.Second))
		if raw, err := io.ReadAll(c); err != nil {
			t.Errorf("%s: the daemon still waits: %v after %q", ask, err, raw)
		}
	}
}

// A thousand clients at once, most of which say half of something: no more than the cap are
// held, and when they have had their time an honest one is answered.
func TestAThousandClientsAreBoundedAndPass(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the header deadline")
	}
	t.Parallel()
	r := serve(t)
	before := runtime.NumGoroutine()
	for i := range 1000 {
		c, err := net.Dial("unix", r.socket)
		if err != nil {
			continue
		}
		defer c.Close()
		_, _ = io.WriteString(c, []string{"", "GET", "GET /v1/status HTTP/1.1\r\nHost: h\r\n", "POST /v1/plan HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\n{"}[i%4])
	}
	if more := runtime.NumGoroutine() - before; more > 6*writersMax {
		t.Errorf("a thousand clients cost %d goroutines", more)
	}
	for end := time.Now().Add(2 * bodyWait); ; time.Sleep(100 * time.Millisecond) {
		_, err := r.client.Status(t.Context())
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

func TestSocketOfADeadDaemonIsReplacedAndALiveOneRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	dead.Close()
	l, err := Listen(path, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o660 {
		t.Errorf("mode %v", info.Mode())
	}
	if _, err := Listen(path, -1); err == nil || !strings.Contains(err.Error(), "another daemon") {
		t.Errorf("got %v", err)
	}
}

func TestUnreachableDaemonNamesTheNextStep(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "s")
	check := func(what, next string) {
		t.Helper()
		_, err := NewClient(path).Status(t.Context())
		var u *Unreachable
		if !errors.As(err, &u) || !strings.Contains(err.Error(), next) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", what, err)
		}
	}
	check("no socket", "systemctl start hafile")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	check("nobody listens", "systemctl start hafile")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	l, err = net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	check("hangs up", "systemctl status hafile")
}

func TestAnotherMajorFormatIsRefused(t *testing.T) {
	if err := FormatKnown("1.9"); err != nil {
		t.Error(err)
	}
	if err := FormatKnown("2.0"); err == nil {
		t.Error("2.0 is taken for ours")
	}
}

// TestMain lets the test binary be the client of another user.
func TestMain(m *testing.M) {
	if socket := os.Getenv("HAFILE_TEST_READER"); socket != "" {
		os.Exit(reader(socket))
	}
	os.Exit(m.Run())
}

// reader looks, and tries to write; it prints what it was told.
func reader(socket string) int {
	c := NewClient(socket)
	if _, err := c.Status(context.Background()); err != nil {
		fmt.Println("status:", err)
		return 1
	}
	p, err := c.Plan(context.Background())
	if err != nil {
		fmt.Println("plan:", err)
		return 1
	}
	fmt.Println("password:", p.Plan.Desired.Instances[0].Auth.Password.Value)
	_, err = c.Apply(context.Background(), ApplyRequest{Plan: &planfile.Document{}}, "none", false, func(Event) {})
	fmt.Println("apply:", err)
	return 0
}

func TestGroupMayLookAndOthersNothing(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs CAP_SETUID and CAP_SETGID")
	}
	r := serve(t)
	const group, nobody = 12345, 65534
	if err := os.Chown(r.socket, -1, group); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(r.socket), 0o755); err != nil {
		t.Fatal(err)
	}
	exe := filepath.Join(filepath.Dir(r.socket), "reader")
	raw, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(exe, raw, 0o755); err != nil {
		t.Fatal(err)
	}
	as := func(gid uint32) string {
		cmd := exec.CommandContext(t.Context(), exe)
		cmd.Env = []string{"HAFILE_TEST_READER=" + r.socket}
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: gid}}
		out, _ := cmd.CombinedOutput()
		return string(out)
	}
	said := as(group)
	if !strings.Contains(said, "password: (sensitive)") || !strings.Contains(said, "apply: not permitted") {
		t.Errorf("the group is told:\n%s", said)
	}
	if said := as(nobody); !strings.Contains(said, "status: not permitted to open") {
		t.Errorf("others are told:\n%s", said)
	}
	if len(r.applied) != 0 {
		t.Error("the group may apply")
	}
}

func FuzzApplyBody(f *testing.F) {
	seed, err := json.Marshal(ApplyRequest{Plan: &planfile.Document{FormatVersion: plan.FormatVersion, Plan: *samplePlan()}, MaxImpact: diff.Stays, WaitMs: 10})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(`{"plan":{"desired":{"instances":[{"vips":[{"address":"::/0"}]}]}}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, err := decodeApply(bytes.NewReader(raw))
		if err != nil {
			return
		}
		plan.Verify(&a.Plan.Plan)
		if _, err := json.Marshal(a.ApplyRequest); err != nil {
			t.Errorf("accepted, and cannot be written: %v", err)
		}
	})
}
