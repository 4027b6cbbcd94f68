package runtime

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"hafile/lang/plan"
	"hafile/runtime/control"
	"hafile/runtime/keepalived"
	"hafile/runtime/kernel"
	"hafile/runtime/kernel/netlink"
	"hafile/runtime/lab/netns"
	"hafile/runtime/store"
)

// keepalivedFor starts a keepalived on a machine with what pairPlan says, and waits until
// it holds the first address.
func (m *machine) keepalivedFor(vips ...string) *keepalived.Daemon {
	m.t.Helper()
	program := netns.Needs(m.t, "keepalived", "keepalived")
	conf := filepath.Join(m.dir, "keepalived.conf")
	text := fmt.Sprintf("vrrp_instance web {\n version 3\n state BACKUP\n interface eth0\n virtual_router_id 51\n priority %d\n advert_int 0.1\n virtual_ipaddress {\n  %s\n }\n}\n",
		pairPlan(m.name, vips...).Desired.Instances[0].Priority, strings.Join(vips, "\n  "))
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
	cmd := exec.Command(program, "-n", "-l", "-P", "-f", conf, "-p", filepath.Join(m.dir, "parent.pid"), "-r", filepath.Join(m.dir, "vrrp.pid"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := m.ns.Start(cmd); err != nil {
		m.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var k *keepalived.Daemon
	m.t.Cleanup(func() {
		if k != nil {
			_ = k.End()
		}
		_ = cmd.Process.Kill()
		<-ended
	})
	m.until("keepalived holds "+vips[0], func() bool {
		var err error
		k, err = keepalived.Open(cmd.Process.Pid, cmd.Process.Pid)
		return err == nil && m.has(vips[0])
	})
	return k
}

// stands reports whether a process stands still.
func stands(t *testing.T, p keepalived.Process) bool {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.PID))
	return err == nil && bytes.Contains(raw, []byte(") T "))
}

// works fails unless keepalived runs, and holds its address without our mark.
func (m *machine) works(k *keepalived.Daemon, vip string) {
	m.t.Helper()
	for _, p := range append([]keepalived.Process{k.Parent}, k.Children...) {
		if !k.Alive() || stands(m.t, p) {
			m.t.Errorf("process %d does not go on", p.PID)
		}
	}
	if !m.has(vip) {
		m.t.Errorf("keepalived lost %s", vip)
	}
	m.until(vip+" is not marked as ours", func() (foreign bool) {
		m.owner(func(o *netlink.Owner) {
			all, err := o.Conflicts(m.t.Context(), addressesOf(pairPlan("a", vip)))
			foreign = err == nil && len(all) == 1
		})
		return foreign
	})
}

// owner gives an owner of the machine's addresses, beside the daemon's, to do.
func (m *machine) owner(do func(*netlink.Owner)) {
	m.t.Helper()
	err := m.ns.Do(func() error {
		o, err := netlink.Open(netlink.Options{Report: func(kernel.Report) {}, Link: func(kernel.Link) {}})
		if err == nil {
			do(o)
			err = o.Close()
		}
		return err
	})
	if err != nil {
		m.t.Fatal(err)
	}
}

// mark does what a daemon has done that adopted an address.
func (m *machine) mark(vip string) {
	m.t.Helper()
	all := addressesOf(pairPlan("a", vip))
	m.owner(func(o *netlink.Owner) {
		o.Adopt(all)
		o.Want(1, all, nil)
		m.until("it is marked", func() bool {
			foreign, err := o.Conflicts(m.t.Context(), all)
			return err == nil && len(foreign) == 0
		})
	})
}

func (m *machine) ip(args string) string {
	m.t.Helper()
	cmd := exec.Command("ip", strings.Fields(args)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := m.ns.Start(cmd); err != nil {
		m.t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		m.t.Fatalf("ip %s: %v\n%s", args, err, &out)
	}
	return out.String()
}

func takes(k *keepalived.Daemon, allow ...string) func(*control.ApplyRequest) {
	return func(r *control.ApplyRequest) { r.Takeover, r.Allow = k, allow }
}

func TestTakeoverLeavesKeepalivedAloneWhereItIsRefused(t *testing.T) {
	m := only(t)
	k := m.keepalivedFor(vip1)
	m.start()
	heard := m.record()
	checked := func(command ...string) *plan.Plan {
		return edited(pairPlan("a", vip1), func(p *plan.Plan) {
			c := plan.DefaultCheck()
			c.Address, c.Name, c.IntervalMs, c.TimeoutMs = "script.chk", "chk", 100, 1000
			c.Script = &plan.Script{Command: command, User: "root"}
			p.Desired.Checks = []plan.Check{c}
			p.Desired.Instances[0].Track = []plan.Track{{Check: "script.chk", Weight: -60}}
		})
	}
	m.refused("a check is down", m.document(checked("/bin/false")), "HA3111", 4, "-allow=check:script.chk", takes(k))
	m.refused("a program is missing", m.document(checked("/no/such/program")), "HA3104", 1, "/no", takes(k))
	if err := m.ns.AddAddress("eth0", netip.MustParsePrefix("192.0.2.11/24")); err != nil {
		t.Fatal(err)
	}
	m.refused("another prefix length", m.document(pairPlan("a", vip1, vip2)), "HA3102", 4, "install_prefix", takes(k))
	gone := *k
	gone.Children = nil
	m.refused("other children", m.document(pairPlan("a", vip1)), "HA3110", 1, "try again", takes(&gone))
	balances := *k
	balances.Others = 1
	m.refused("LVS", m.document(pairPlan("a", vip1)), "HA3110", 4, "-lvs-out", takes(&balances))
	m.refused("a confirmation", m.document(pairPlan("a", vip1)), "HA3110", 1, "-confirm", takes(k), func(r *control.ApplyRequest) { r.ConfirmMs = 1000 })
	m.works(k, vip1)
	if checks := m.status().Checks; len(checks) != 0 {
		t.Errorf("checks of a refused plan run on: %+v", checks)
	}
	if gone := heard.removed(t); len(gone) != 0 {
		t.Errorf("removed: %v", gone)
	}
	result, _, err := m.send(m.document(checked("/bin/false")), takes(k, "check:script.chk"))
	if err != nil || result.Exit != 0 || k.Alive() {
		t.Errorf("with a word for the check: %+v, %v, keepalived lives: %v", result, err, k.Alive())
	}
	m.refused("where a plan runs", m.document(pairPlan("a", vip1, vip2)), "HA3110", 1, "apply -adopt", takes(k))
}

// What the kernel refuses after keepalived stands still is what no preparation can see.
func TestKeepalivedGoesOnWhereTheKernelRefusesThePlan(t *testing.T) {
	s := netns.SegmentT(t)
	m, b := newMachine(t, s, "a", "192.0.2.1/24"), newMachine(t, s, "b", "192.0.2.2/24")
	m.ip("link set lo mtu 60") // too little for IPv4: the kernel takes no address there
	k := m.keepalivedFor(vip1)
	b.start()
	b.apply(pairPlan("b", vip1))
	m.start()
	heard := m.record()
	broken := edited(pairPlan("a", vip1), func(p *plan.Plan) {
		p.Desired.Instances[0].VIPs = append(p.Desired.Instances[0].VIPs, plan.VIP{Address: netip.MustParsePrefix("198.51.100.1/32"), Interface: "lo"})
	})
	result, events, err := m.send(m.document(broken), takes(k))
	if err != nil || result.Exit != 7 || !strings.Contains(fmt.Sprint(events), "runs as before") {
		t.Fatalf("%+v, %v, %+v", result, err, events)
	}
	m.works(k, vip1)
	if gone := heard.removed(t); len(gone) != 0 {
		t.Errorf("removed: %v", gone)
	}
	time.Sleep(500 * time.Millisecond) // more than b's down interval
	if b.role() != "backup" {
		t.Errorf("b is %s", b.role())
	}
	if result := m.carried(pairPlan("a", vip1), takes(k)); result.Exit != 0 || k.Alive() || m.role() != "active" {
		t.Errorf("corrected: %+v, keepalived lives: %v, %s", result, k.Alive(), m.role())
	}
	if gone := heard.removed(t); len(gone) != 0 {
		t.Errorf("removed: %v", gone)
	}
	if b.role() != "backup" {
		t.Errorf("b is %s after the takeover", b.role())
	}
}

func (m *machine) carried(p *plan.Plan, change ...func(*control.ApplyRequest)) *control.Result {
	m.t.Helper()
	result, _, err := m.send(m.document(p), change...)
	if err != nil {
		m.t.Fatal(err)
	}
	return result
}

// A daemon that dies between the freeze and the end leaves it to the next one: keepalived
// goes on where the plan is not on the disk yet, and ends where it is.
func TestADaemonThatDiedInATakeoverIsSucceeded(t *testing.T) {
	for _, stored := range []bool{false, true} {
		t.Run(fmt.Sprintf("stored=%v", stored), func(t *testing.T) {
			m := only(t)
			if stored {
				m.start()
				m.apply(pairPlan("a", vip1))
				m.kill()
			}
			k := m.keepalivedFor(vip1)
			run, err := store.OpenRun(filepath.Join(m.dir, "run"))
			if err == nil {
				err = run.SetStanding(k)
			}
			if err == nil {
				err = k.Freeze()
			}
			if err != nil {
				t.Fatal(err)
			}
			m.mark(vip1)
			heard := m.record()
			m.start()
			if stored {
				m.untilRole("active")
				if k.Alive() {
					t.Error("keepalived is still there")
				}
			} else {
				m.works(k, vip1)
			}
			if gone := heard.removed(t); len(gone) != 0 {
				t.Errorf("removed: %v", gone)
			}
			if left, err := run.Standing(); left != nil || err != nil {
				t.Errorf("the record stays: %v, %v", left, err)
			}
		})
	}
}

// What keepalived -V has left on a standby goes; on a machine whose peer is silent it stays.
func TestAdoptOnAStandbyRemovesWhatWasLeft(t *testing.T) {
	a, b := pairOf(t)
	a.start()
	a.apply(pairPlan("a", vip1))
	if err := b.ns.AddAddress("eth0", netip.MustParsePrefix(vip1)); err != nil {
		t.Fatal(err)
	}
	b.start()
	if result := b.carried(pairPlan("b", vip1), func(r *control.ApplyRequest) { r.Adopt = true }); result.Exit != 0 {
		t.Fatalf("%+v", result)
	}
	b.until("the leftover is gone", func() bool { return !b.has(vip1) })
	if a.role() != "active" || b.role() != "backup" || !b.has("192.0.2.2/24") {
		t.Errorf("a is %s, b is %s, addresses of b: %s", a.role(), b.role(), b.addresses())
	}
}
