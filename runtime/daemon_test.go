package runtime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hafile/lang/plan"
	"hafile/lang/planfile"
	"hafile/runtime/control"
	"hafile/runtime/lab/netns"
)

// The tests run real daemons: this test binary itself, started again in a namespace that
// the test made. They speak to them over their sockets, as hafile does.

const daemonEnv = "HAFILE_TEST_DAEMON"

func TestMain(m *testing.M) {
	if os.Getenv(tapEnv) != "" {
		fmt.Fprintln(os.Stderr, putTap())
		os.Exit(1)
	}
	if raw := os.Getenv(daemonEnv); raw != "" {
		os.Exit(beDaemon(raw))
	}
	os.Exit(m.Run())
}

func beDaemon(raw string) int {
	var o Options
	if err := json.Unmarshal([]byte(raw), &o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	o.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := Run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// machine is a node of a test: a namespace with eth0 on the segment, and a daemon.
type machine struct {
	t      *testing.T
	name   string
	ns     *netns.NS
	dir    string
	client *control.Client
	cmd    *exec.Cmd
	log    *os.File
	ended  chan error
	opt    Options // beside what every daemon of a test gets
}

func newMachine(t *testing.T, s *netns.Segment, name, address string) *machine {
	t.Helper()
	dir, err := os.MkdirTemp("", "hafile")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	m := &machine{t: t, name: name, dir: dir}
	m.ns = netns.NodeT(t, s, netns.Port{Name: "eth0", Addresses: []netip.Prefix{netip.MustParsePrefix(address)}})
	m.client = control.NewClient(m.socket())
	if err := os.Mkdir(filepath.Join(dir, "credentials"), 0o700); err != nil {
		t.Fatal(err)
	}
	if m.log, err = os.Create(filepath.Join(dir, "log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		m.client.Close()
		m.kill()
		if raw, err := os.ReadFile(m.log.Name()); err == nil && t.Failed() {
			t.Logf("log of %s:\n%s", name, raw)
		}
		m.log.Close()
	})
	return m
}

func (m *machine) socket() string { return filepath.Join(m.dir, "run", "hafile.sock") }

// start runs the daemon until it answers.
func (m *machine) start() {
	m.t.Helper()
	m.launch(nil)
	m.untilItAnswers()
}

// launch starts the daemon, with a tap if there is somebody to hold it.
func (m *machine) launch(tap *os.File) {
	m.t.Helper()
	o := m.opt
	o.Node, o.StateDir, o.RunDir = m.name, filepath.Join(m.dir, "state"), filepath.Join(m.dir, "run")
	o.Credentials, o.Version = filepath.Join(m.dir, "credentials"), "test"
	raw, err := json.Marshal(o)
	if err != nil {
		m.t.Fatal(err)
	}
	m.cmd = exec.Command("/proc/self/exe")
	m.cmd.Env = append(os.Environ(), daemonEnv+"="+string(raw))
	if tap != nil {
		m.cmd.Env, m.cmd.ExtraFiles = append(m.cmd.Env, tapEnv+"=3"), []*os.File{tap}
	}
	m.cmd.Stderr = m.log
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := m.ns.Start(m.cmd); err != nil {
		m.t.Fatal(err)
	}
	m.ended = make(chan error, 1)
	go func(cmd *exec.Cmd, ended chan error) { ended <- cmd.Wait() }(m.cmd, m.ended)
}

func (m *machine) untilItAnswers() {
	m.t.Helper()
	m.until("it answers", func() bool {
		_, err := m.client.Status(m.t.Context())
		return err == nil
	})
}

// kill ends the daemon as a crash does.
func (m *machine) kill() {
	if m.cmd != nil {
		_ = m.cmd.Process.Kill()
		<-m.ended
		m.cmd = nil
	}
}

// stop ends it as systemd does and waits for it.
func (m *machine) stop() {
	m.t.Helper()
	if err := m.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		m.t.Fatal(err)
	}
	select {
	case err := <-m.ended:
		if err != nil {
			m.t.Errorf("%s: %v", m.name, err)
		}
	case <-time.After(20 * time.Second):
		m.t.Fatalf("%s does not stop", m.name)
	}
	m.cmd = nil
}

func (m *machine) until(what string, ok func() bool) {
	m.t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
		if time.Now().After(end) {
			m.t.Fatalf("%s: not within 10 s: %s", m.name, what)
		}
	}
}

func (m *machine) status() *control.Status {
	m.t.Helper()
	s, err := m.client.Status(m.t.Context())
	if err != nil {
		m.t.Fatal(err)
	}
	return s
}

// role of the only instance.
func (m *machine) role() string {
	s, err := m.client.Status(m.t.Context())
	if err != nil || len(s.Instances) == 0 {
		return ""
	}
	return s.Instances[0].Role
}

func (m *machine) untilRole(role string) {
	m.t.Helper()
	m.until("is "+role, func() bool { return m.role() == role })
}

// document is what hafile plan makes of a plan for this machine's daemon.
func (m *machine) document(p *plan.Plan) *planfile.Document {
	m.t.Helper()
	r, err := m.client.Plan(m.t.Context())
	if err != nil {
		m.t.Fatal(err)
	}
	s := m.status()
	now := planfile.Running{Node: s.Node, Lineage: r.Lineage, Serial: r.Status.Serial, Plan: r.Plan, Peers: control.PeersOf(s.Members)}
	now.Present.Roles = map[plan.Addr]string{}
	for _, in := range s.Instances {
		now.Present.Roles[in.Address] = in.Role
	}
	return planfile.New(planfile.Input{HafileVersion: "test", Plan: p, Running: &now, Now: time.Now()})
}

func (m *machine) send(doc *planfile.Document, change ...func(*control.ApplyRequest)) (*control.Result, []control.Event, error) {
	m.t.Helper()
	req := control.ApplyRequest{Plan: doc, WaitMs: 8000, By: "test"}
	for _, c := range change {
		c(&req)
	}
	var events []control.Event
	result, err := m.client.Apply(m.t.Context(), req, doc.Base.Digest, false, func(ev control.Event) { events = append(events, ev) })
	return result, events, err
}

// apply wants success.
func (m *machine) apply(p *plan.Plan) *control.Result {
	m.t.Helper()
	result, events, err := m.send(m.document(p))
	if err != nil {
		m.t.Fatal(err)
	}
	if result.Exit != 0 {
		m.t.Fatalf("%s: exit %d, %s; %+v", m.name, result.Exit, result.Message, events)
	}
	return result
}

// addresses of eth0 as the kernel has them.
func (m *machine) addresses() string {
	m.t.Helper()
	var list []string
	err := m.ns.Do(func() error {
		all, err := interfaceAddrs("eth0")
		list = all
		return err
	})
	if err != nil {
		m.t.Fatal(err)
	}
	return strings.Join(list, " ")
}

func (m *machine) has(address string) bool {
	return strings.Contains(" "+m.addresses()+" ", " "+address+" ")
}

// recorder hears every address that leaves eth0, from its start on.
type recorder struct{ fd int }

func (m *machine) record() *recorder {
	m.t.Helper()
	r := &recorder{}
	err := m.ns.Do(func() (err error) {
		if r.fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE); err != nil {
			return err
		}
		return unix.Bind(r.fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: unix.RTMGRP_IPV4_IFADDR})
	})
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { unix.Close(r.fd) })
	return r
}

// removed are the addresses that left since the last call.
func (r *recorder) removed(t *testing.T) []netip.Addr {
	t.Helper()
	var out []netip.Addr
	buf := make([]byte, 1<<16)
	for {
		n, err := unix.Read(r.fd, buf)
		if errors.Is(err, unix.EAGAIN) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		messages, err := syscall.ParseNetlinkMessage(buf[:n])
		if err != nil {
			t.Fatal(err)
		}
		for i := range messages {
			if messages[i].Header.Type != unix.RTM_DELADDR {
				continue
			}
			attrs, err := syscall.ParseNetlinkRouteAttr(&messages[i])
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range attrs {
				if a.Attr.Type == unix.IFA_LOCAL {
					addr, _ := netip.AddrFromSlice(a.Value)
					out = append(out, addr)
				}
			}
		}
	}
}

const (
	vip1 = "192.0.2.10/32"
	vip2 = "192.0.2.11/32"
)

// pairPlan is the plan of node a or b: VRRPv3 each 100 ms, a has priority 150, b 100.
func pairPlan(node string, vips ...string) *plan.Plan {
	in := plan.DefaultInstance()
	in.Address, in.Name, in.Interface, in.VRID, in.AdvertMs = "instance.web", "web", "eth0", 51, 100
	in.Members = []plan.Member{
		{Node: "a", Address: netip.MustParseAddr("192.0.2.1"), Priority: 150},
		{Node: "b", Address: netip.MustParseAddr("192.0.2.2"), Priority: 100},
	}
	in.Priority = map[string]uint8{"a": 150, "b": 100}[node]
	for _, v := range vips {
		in.VIPs = append(in.VIPs, plan.VIP{Address: netip.MustParsePrefix(v)})
	}
	p := &plan.Plan{Language: plan.Language, Node: node, Desired: plan.Desired{Instances: []plan.Instance{in}}}
	p.Normalize()
	return p
}

func pairOf(t *testing.T) (a, b *machine) {
	t.Helper()
	s := netns.SegmentT(t)
	return newMachine(t, s, "a", "192.0.2.1/24"), newMachine(t, s, "b", "192.0.2.2/24")
}

func only(t *testing.T) *machine {
	t.Helper()
	return newMachine(t, netns.SegmentT(t), "a", "192.0.2.1/24")
}

func TestApplyTakesTheVIP(t *testing.T) {
	m := only(t)
	m.start()
	if s := m.status(); s.Plan != nil || s.Node != "a" || len(s.Instances) != 0 || s.Lineage == "" {
		t.Fatalf("an empty daemon says %+v", s)
	}
	result := m.apply(pairPlan("a", vip1))
	if result.Serial != 1 || result.Digest != pairPlan("a", vip1).Digest() || result.Summary.Add != 1 {
		t.Errorf("result %+v", result)
	}
	s := m.status()
	in := s.Instances[0]
	if in.Role != "active" || !in.VIPs[0].Present || in.Priority.Effective != 150 || in.Wire.Source.String() != "192.0.2.1" {
		t.Errorf("status %+v", in)
	}
	if s.Plan.Serial != 1 || s.Plan.By != "test" || s.Plan.From != "apply" || in.Counters["sent"] == 0 {
		t.Errorf("status %+v, counters %v", s.Plan, in.Counters)
	}
	if !m.has(vip1) {
		t.Errorf("eth0 has %s", m.addresses())
	}
	if again := m.apply(pairPlan("a", vip1)); again.Serial != 1 || !strings.Contains(again.Message, "already") {
		t.Errorf("the second time: %+v", again)
	}
}

func TestEditsDoNotTouchTheAddressThatStays(t *testing.T) {
	m := only(t)
	m.start()
	m.apply(pairPlan("a", vip1))
	heard := m.record()
	m.apply(pairPlan("a", vip1, vip2))
	if !m.has(vip1) || !m.has(vip2) {
		t.Fatalf("eth0 has %s", m.addresses())
	}
	renamed := pairPlan("a", vip1, vip2)
	renamed.Desired.Instances[0].Address, renamed.Desired.Instances[0].Name = "instance.shop", "shop"
	m.apply(renamed)
	if gone := heard.removed(t); len(gone) != 0 {
		t.Errorf("removed meanwhile: %v", gone)
	}
	m.apply(pairPlan("a", vip1))
	if gone := heard.removed(t); len(gone) != 1 || gone[0].String() != "192.0.2.11" {
		t.Errorf("removed: %v", gone)
	}
	if s := m.status(); s.Plan.Serial != 4 || s.Instances[0].Counters["goodbyes"] != 0 || s.Instances[0].Counters["transitions"] > 2 {
		t.Errorf("serial %d, counters %v", s.Plan.Serial, s.Instances[0].Counters)
	}
}

func TestRestartRunsTheStoredPlan(t *testing.T) {
	m := only(t)
	m.start()
	m.apply(pairPlan("a", vip1))
	m.stop()
	if m.has(vip1) {
		t.Errorf("after a stop eth0 has %s", m.addresses())
	}
	m.start()
	m.untilRole("active")
	if s := m.status(); s.Plan.Serial != 1 || s.Plan.From != "stored" || s.Plan.By != "test" {
		t.Errorf("plan %+v", s.Plan)
	}
}

func TestCrashIsAdoptedWithoutRemovingAnAddress(t *testing.T) {
	a, b := pairOf(t)
	a.start()
	a.apply(pairPlan("a", vip1))
	b.start()
	b.apply(pairPlan("b", vip1))
	heard := a.record()
	a.kill()
	if !a.has(vip1) {
		t.Fatal("the kernel took the address with the process")
	}
	a.start()
	a.untilRole("active")
	if gone := heard.removed(t); len(gone) != 0 {
		t.Errorf("removed: %v", gone)
	}
	b.untilRole("backup")
}

func TestAddressesOfACrashedDaemonGoWhenItsPlanIsGone(t *testing.T) {
	m := only(t)
	m.start()
	m.apply(pairPlan("a", vip1))
	m.kill()
	if err := os.RemoveAll(filepath.Join(m.dir, "state")); err != nil {
		t.Fatal(err)
	}
	m.start()
	m.until("the address is gone", func() bool { return !m.has(vip1) })
	if !m.has("192.0.2.1/24") {
		t.Error("and took the machine's own with it")
	}
}

func TestFourthCrashInARowReleases(t *testing.T) {
	m := only(t)
	m.start()
	m.apply(pairPlan("a", vip1))
	for range adoptionsMax {
		m.kill()
		m.start()
		m.untilRole("active")
	}
	heard := m.record()
	m.kill()
	m.start()
	m.until("the address is released", func() bool { return len(heard.removed(t)) > 0 })
}

func TestTwoDaemonsFailOver(t *testing.T) {
	a, b := pairOf(t)
	a.start()
	a.apply(pairPlan("a", vip1))
	b.start()
	b.apply(pairPlan("b", vip1)) // a answers for the VIP; its adverts say that it may
	if a.role() != "active" || b.role() != "backup" {
		t.Fatalf("a is %s, b is %s", a.role(), b.role())
	}
	if p := b.status().Instances[0].Peers; len(p) != 1 || p[0].Node != "a" || !p[0].Heard || p[0].Priority != 150 {
		t.Errorf("b's peers: %+v", p)
	}
	a.stop() // says goodbye, and answers until b does
	if b.role() != "active" || a.has(vip1) || !b.has(vip1) {
		t.Errorf("after the stop b is %s", b.role())
	}
	a.start()
	a.untilRole("active")
	b.untilRole("backup")
	b.until("released", func() bool { return !b.has(vip1) })
	a.kill()
	b.untilRole("active")
}

func TestInterfaceThatIsMissingAtTheStartIsWaitedFor(t *testing.T) {
	s := netns.SegmentT(t)
	m := newMachine(t, s, "a", "192.0.2.1/24")
	m.start()
	m.apply(pairPlan("a", vip1))
	m.stop()
	if err := m.ns.Delete("eth0"); err != nil {
		t.Fatal(err)
	}
	m.start()
	m.untilRole("fault")
	if why := m.status().Instances[0].Why; !strings.Contains(why, "eth0 does not exist") {
		t.Errorf("it says: %s", why)
	}
	s2 := netns.SegmentT(t)
	if err := s2.Connect(m.ns, netns.Port{Name: "eth0", Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.7/24")}}); err != nil {
		t.Fatal(err)
	}
	m.untilRole("active")
	if source := m.status().Instances[0].Wire.Source.String(); source != "192.0.2.7" {
		t.Errorf("adverts come from %s", source)
	}
}

func TestLinkThatGoesAwayIsAFault(t *testing.T) {
	s := netns.SegmentT(t)
	m := newMachine(t, s, "a", "192.0.2.1/24")
	m.start()
	m.apply(pairPlan("a", vip1))
	if err := s.Cut(m.ns, "eth0"); err != nil {
		t.Fatal(err)
	}
	m.untilRole("fault")
	if err := s.Mend(m.ns, "eth0"); err != nil {
		t.Fatal(err)
	}
	m.untilRole("active")
}

func TestSecondDaemonOnOneStateDirectoryDoesNotStart(t *testing.T) {
	m := only(t)
	m.start()
	err := Run(t.Context(), Options{StateDir: filepath.Join(m.dir, "state"), RunDir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "another hafile daemon") {
		t.Errorf("got %v", err)
	}
}
