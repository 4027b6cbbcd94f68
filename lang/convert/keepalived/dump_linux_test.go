package keepalived

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hafile/lang"
	"hafile/lang/plan"
	"hafile/runtime/lab/netns"
)

// What keepalived itself holds after it has read a file is what the plan of the result
// says: priorities, intervals, addresses, peers and the rest. keepalived runs in a
// namespace of its own, without anything in its file that would run a program.
func TestKeepalivedHoldsWhatThePlanSays(t *testing.T) {
	netns.Skip(t)
	program := netns.Needs(t, "keepalived", "keepalived")
	files := corpusFiles(t)
	more, _ := filepath.Glob("testdata/dump/*.conf")
	var mu sync.Mutex
	compared := map[string]int{}
	t.Run("files", func(t *testing.T) { dumps(t, program, append(files, more...), &mu, compared) })
	if len(compared) < 20 && *corpus == "" {
		t.Errorf("%d files were compared, 20 are wanted", len(compared))
	}
	t.Logf("%d files compared", len(compared))
}

// corpusFiles are the files that come with the package, or those of -corpus.
func corpusFiles(t *testing.T) []string {
	t.Helper()
	dir := "testdata/corpus"
	if *corpus != "" {
		dir = *corpus
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.conf"))
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	return files
}

// oneFile reads a file, and names it and the node that it is for.
func oneFile(t *testing.T, name string) (base, node string, src []byte) {
	t.Helper()
	src, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	node = "lb1"
	if ids := idsOf(src); len(ids) > 0 {
		node = ids[0]
	}
	return strings.TrimSuffix(filepath.Base(name), ".conf"), node, src
}

func dumps(t *testing.T, program string, files []string, mu *sync.Mutex, compared map[string]int) {
	for _, name := range files {
		base, node, src := oneFile(t, name)
		in := []File{{Node: node, Name: base, Src: src}}
		res, diags := Convert(in, Options{})
		if diags.HasErrors() {
			continue
		}
		compiled, _ := lang.CompileSource("x.ha.hcl", res.HCL, lang.Inputs{})
		p := compiled.Plans[compiled.Nodes[0].Name]
		if p == nil || len(p.Desired.Instances) == 0 {
			continue
		}
		t.Run(base, func(t *testing.T) {
			t.Parallel() // keepalived takes a second to end
			held := dump(t, program, node, src, p)
			if held == nil {
				t.Skip("keepalived does not run this file")
			}
			for i := range p.Desired.Instances {
				want := &p.Desired.Instances[i]
				got := held[want.Name]
				if got == nil {
					t.Errorf("keepalived has no instance %q", want.Name)
					continue
				}
				mu.Lock()
				compared[base]++
				mu.Unlock()
				for _, line := range disagree(want, got, p.Node) {
					t.Errorf("%s: %s", want.Name, line)
				}
			}
		})
	}
}

// state is an instance as keepalived dumps it: each line KEY = VALUE, and the lines of its
// lists.
type state struct {
	value map[string]string
	lists map[string][]string
}

// harmless is a file without what would run a program, write beside the test, or need a
// namespace of that name.
func harmless(src string) string {
	drop := regexp.MustCompile(`^\s*(@\S+\s+)?(notify|notify_\w+|startup_script\w*|shutdown_script\w*|\w*notify_fifo\w*|net_namespace\w*|enable_dbus|enable_snmp\w*|enable_traps|config_save_dir|tmp_config_directory|\w+_dump_file|init_file|reload_\w+|lvs_sync_daemon\w*|\w+_rt_priority|\w+_rlimit\w+|\w+_cpu_affinity|\w+_no_swap|\w+_priority|smtp_server|script_user|enable_script_security|instance|use_pid_dir|include\w*|random_seed)(\s|$)`)
	keep := regexp.MustCompile(`^\s*priority\s`)
	script := regexp.MustCompile(`^(\s*(@\S+\s+)?(script|misc_path|quorum_up|quorum_down|notify_up|notify_down))\s+.*$`)
	user := regexp.MustCompile(`^\s*(@\S+\s+)?user\s`)
	var out []string
	for line := range strings.Lines(src) {
		line = strings.TrimRight(line, "\r\n")
		tail := ""
		if strings.HasSuffix(strings.TrimRight(line, " \t"), `\`) {
			tail = ` \`
		}
		switch {
		case user.MatchString(line), drop.MatchString(line) && !keep.MatchString(line):
			if tail == "" {
				continue
			}
			line = "#" + tail // a definition goes on behind it
		case script.MatchString(line):
			line = script.ReplaceAllString(line, `$1 "/bin/true"`) + tail
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n") + "\n"
}

// interfaces that a file or a plan names.
func interfaces(src string, p *plan.Plan) []string {
	var out []string
	add := func(name string) {
		if interfaceName(name) && name != "lo" && !strings.ContainsAny(name, "{}\"'$<>") && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	for _, m := range regexp.MustCompile(`\b(?:interface|dev|iif|oif|default_interface)\s+([^\s{}]+)`).FindAllStringSubmatch(src, -1) {
		add(m[1])
	}
	for _, i := range p.Desired.Instances {
		add(i.Interface)
		for _, v := range i.VIPs {
			add(i.DeviceOf(v))
		}
	}
	for _, c := range p.Desired.Checks {
		if c.Interface != nil {
			add(c.Interface.Name)
		}
	}
	for _, m := range regexp.MustCompile(`track_interface\s*\{([^}]*)\}`).FindAllStringSubmatch(src, -1) {
		for line := range strings.Lines(m[1]) {
			if f := strings.Fields(line); len(f) > 0 && !strings.HasPrefix(f[0], "#") {
				add(f[0])
			}
		}
	}
	return out
}

// dump runs keepalived on a file until it has said what it holds; nil: it does not run.
func dump(t *testing.T, program, node string, src []byte, p *plan.Plan) map[string]*state {
	t.Helper()
	ns, far := netns.NewT(t), netns.NewT(t)
	for i, name := range interfaces(string(src), p) {
		port := netns.Port{Name: name, Addresses: []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("198.18.%d.1/24", i))}}
		if err := netns.Cable(ns, port, far, netns.Port{Name: fmt.Sprintf("far%d", i)}); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	conf := filepath.Join(dir, "keepalived.conf")
	if err := os.WriteFile(conf, []byte(harmless(string(src))), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(program, "-P", "-n", "-l", "-D", "-i", node, "-f", conf, "-p", filepath.Join(dir, "pid"), "-r", filepath.Join(dir, "vrrp.pid"))
	cmd.Env, cmd.Stdout, cmd.Stderr = []string{"TMPDIR=" + dir, "PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := ns.Start(cmd); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
		}
	}()
	file := filepath.Join(dir, "keepalived.data")
	asked := false
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		select {
		case err := <-ended:
			ended <- err
			return nil
		default:
		}
		said, _ := os.ReadFile(log.Name())
		if strings.Contains(string(said), "Startup complete") && !asked {
			asked = true
			_ = cmd.Process.Signal(syscall.SIGUSR1)
		}
		if text, err := os.ReadFile(file); err == nil && strings.Contains(string(text), "------< Interfaces >------") {
			return parseDump(string(text))
		}
	}
	said, _ := os.ReadFile(log.Name())
	t.Fatalf("keepalived says nothing:\n%s", said)
	return nil
}

func parseDump(text string) map[string]*state {
	out := map[string]*state{}
	var cur *state
	list := ""
	_, text, _ = strings.Cut(text, "------< VRRP Topology >------\n")
	text, _, _ = strings.Cut(text, "\n------<")
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		indent := len(line) - len(strings.TrimLeft(line, " "))
		key, value, ok := strings.Cut(strings.TrimSpace(line), " = ")
		switch {
		case indent == 1 && key == "VRRP Instance":
			cur = &state{map[string]string{}, map[string][]string{}}
			out[value] = cur
		case cur == nil || indent == 1:
			cur = nil
		case indent == 3 && ok:
			cur.value[key] = value
		case indent == 3:
			list, _, _ = strings.Cut(strings.TrimSuffix(strings.TrimSpace(line), " :"), " (")
		default:
			cur.lists[list] = append(cur.lists[list], strings.TrimSpace(line))
		}
	}
	return out
}

// disagree lists what a plan and keepalived have differently.
func disagree(want *plan.Instance, got *state, node string) (out []string) {
	same := func(what, keepalived, hafile string) {
		if keepalived != hafile {
			out = append(out, fmt.Sprintf("%s: keepalived holds %q, the plan %q", what, keepalived, hafile))
		}
	}
	same("version", got.value["VRRP Version"], fmt.Sprint(want.Version))
	same("VRID", got.value["Virtual Router ID"], fmt.Sprint(want.VRID))
	same("priority", got.value["Priority"], fmt.Sprint(want.Priority))
	n, unit, _ := strings.Cut(got.value["Advert interval"], " ")
	ms, _ := strconv.ParseInt(n, 10, 64)
	if unit == "sec" {
		ms *= 1000
	}
	same("interval", fmt.Sprint(ms), fmt.Sprint(want.AdvertMs))
	same("preemption", got.value["Preempt"], map[bool]string{true: "enabled", false: "disabled"}[want.Preempt])
	same("accept", got.value["Accept"], map[bool]string{true: "enabled", false: "disabled"}[want.Accept])
	same("missed adverts", got.value["Down timer adverts"], fmt.Sprint(want.DownAdverts))
	same("announcements", got.value["Gratuitous ARP repeat"], fmt.Sprint(want.Announce.Repeat))
	same("pause between them", got.value["Gratuitous ARP delay"], fmt.Sprint(want.Announce.DelayMs/1000))
	if delay, ok := got.value["Preempt delay"]; ok {
		same("preempt delay", strings.TrimSuffix(delay, " secs"), strings.TrimRight(strings.TrimRight(fmt.Sprintf("%.6f", float64(want.PreemptDelayMs)/1000), "0"), "."))
	}
	if iface := got.value["Interface"]; !want.VirtualMAC {
		same("interface", iface, want.Interface)
	}
	if src := got.value["Using src_ip"]; strings.HasSuffix(src, "(from configuration)") {
		same("source", strings.TrimSuffix(src, " (from configuration)"), want.SourceAddress.String())
	}
	same("authentication", map[string]string{"": "", "NONE": "", "SIMPLE_PASSWORD": "pass", "IPSEC_AH": "ah"}[got.value["Authentication type"]], authOf(want))
	same("addresses", addressesHeld(got.lists["Virtual IP"], want), addressesOf(want, false))
	same("addresses that are not advertised", addressesHeld(got.lists["Virtual IP Excluded"], want), addressesOf(want, true))
	var peers []string
	for _, l := range got.lists["Unicast Peer"] {
		peers = append(peers, strings.Fields(l)[0])
	}
	slices.Sort(peers)
	var ours []string
	if want.Transport == plan.Unicast {
		for _, a := range want.Peers(node) {
			ours = append(ours, a.String())
		}
	}
	slices.Sort(ours)
	same("peers", strings.Join(peers, " "), strings.Join(ours, " "))
	same("routes", fmt.Sprint(len(got.lists["Virtual Routes"])), fmt.Sprint(len(want.Routes)))
	same("rules", fmt.Sprint(len(got.lists["Virtual Rules"])), fmt.Sprint(len(want.Rules)))
	return out
}

func authOf(i *plan.Instance) string {
	if i.Auth == nil {
		return ""
	}
	return i.Auth.Type
}

// addressesHeld reads ADDRESS[/LEN] dev IF ... of a dump. An address that stands there
// twice, with two labels, is one to the kernel.
func addressesHeld(lines []string, i *plan.Instance) string {
	var out []string
	for _, l := range lines {
		f := strings.Fields(l)
		p, _, ok := prefix(f[0])
		if !ok {
			out = append(out, l)
			continue
		}
		dev := i.Interface
		for j, w := range f {
			if w == "dev" && j+1 < len(f) && !i.VirtualMAC {
				dev = f[j+1]
			}
		}
		if s := fmt.Sprintf("%s dev %s", p, dev); !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func addressesOf(i *plan.Instance, unadvertised bool) string {
	var out []string
	for _, v := range i.VIPs {
		if v.Unadvertised != unadvertised {
			continue
		}
		bits := v.InstallPrefix
		if bits == 0 {
			bits = v.Address.Bits()
		}
		dev := i.DeviceOf(v)
		if i.VirtualMAC {
			dev = i.Interface
		}
		out = append(out, fmt.Sprintf("%s dev %s", netip.PrefixFrom(v.Address.Addr(), bits), dev))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}
