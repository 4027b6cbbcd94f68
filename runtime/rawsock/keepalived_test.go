//go:build linux

package rawsock

import (
	"bufio"
	"fmt"
	"hafile/runtime/lab/netns"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"hafile/runtime/vrrp/wire"
)

// dialects in which a keepalived is met, all at once. The host of the test is at .1 and
// ::1, keepalived at .2 and ::2.
var dialects = []struct {
	name   string // of keepalived's instance
	vrid   uint8
	config string // its lines
	pair   Config
	from   netip.Addr // that we send from
	advert wire.Advert
	secret string // of AH
}{
	{
		name: "v3", vrid: 1, config: "version 3",
		from: source, advert: own(message(1, 0)),
	}, {
		name: "v3_ipv6", vrid: 2, config: "version 3",
		pair: Config{IPv6: true},
		from: source6, advert: own(message6(2, 0)),
	}, {
		name: "v3_unicast", vrid: 3, config: "version 3\nunicast_src_ip 10.0.0.2\nunicast_peer {\n10.0.0.1\n}",
		pair: Config{Transport: wire.Unicast, Source: source, Peers: []Peer{{VRID: 3, Address: peer4}}},
		from: source, advert: own(message(3, 0)),
	}, {
		name: "v3_unicast_ipv6", vrid: 4, config: "version 3\nunicast_src_ip fd00::2\nunicast_peer {\nfd00::1\n}",
		pair: Config{IPv6: true, Transport: wire.Unicast, Source: netip.MustParseAddr("fd00::1"), Peers: []Peer{{VRID: 4, Address: peer6}}},
		from: netip.MustParseAddr("fd00::1"), advert: own(message6(4, 0)),
	}, {
		name: "v2_ah", vrid: 5, config: "version 2\nauthentication {\nauth_type AH\nauth_pass ahpass12\n}",
		pair: Config{AH: true},
		from: source, advert: own(authenticated(5, 0, 1, "ahpass12")), secret: "ahpass12",
	}, {
		name: "v2_ah_unicast", vrid: 6, config: "version 2\nauthentication {\nauth_type AH\nauth_pass short\n}\nunicast_src_ip 10.0.0.2\nunicast_peer {\n10.0.0.1\n}",
		pair: Config{AH: true, Transport: wire.Unicast, Source: source, Peers: []Peer{{VRID: 6, Address: peer4}}},
		from: source, advert: own(authenticated(6, 0, 1, "short")), secret: "short",
	},
}

// own gives each router its addresses: one that loses them to another steps down.
func own(a *wire.Advert) wire.Advert {
	for i, addr := range a.Addresses {
		raw := addr.AsSlice()
		raw[len(raw)-1] += a.VRID
		a.Addresses[i], _ = netip.AddrFromSlice(raw)
	}
	return *a
}

// keepalived runs on a host with all of them, at priority 100. What it logs comes back
// line by line.
func (h host) keepalived(t *testing.T) <-chan string {
	t.Helper()
	bin := netns.Needs(t, "keepalived", "keepalived")
	var conf strings.Builder
	for i := range dialects {
		d := &dialects[i]
		fmt.Fprintf(&conf, "vrrp_instance %s {\ninterface eth0\nvirtual_router_id %d\npriority 100\nadvert_int 1\n%s\nvirtual_ipaddress {\n", d.name, d.vrid, d.config)
		for _, a := range d.advert.Addresses {
			fmt.Fprintln(&conf, a)
		}
		fmt.Fprint(&conf, "}\n}\n")
	}
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(file("conf"), []byte(conf.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "--dont-fork", "--vrrp", "--log-console", "--log-detail", "--no-syslog",
		"--use-file", file("conf"), "--pid", file("parent"), "--vrrp_pid", file("vrrp"))
	out, in := io.Pipe()
	cmd.Stdout, cmd.Stderr = in, in
	if err := h.ns.Start(cmd); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 4096)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			lines <- s.Text()
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		_ = in.Close()
	})
	return lines
}

// TestKeepalivedIsUnderstoodAndUnderstands: what it sends is accepted, verified and as
// configured; and one advert of ours with a higher priority makes it step down.
func TestKeepalivedIsUnderstoodAndUnderstands(t *testing.T) {
	a, b := cable(t)
	pairs := make([]*Pair, len(dialects))
	for i := range dialects {
		c := dialects[i].pair
		c.VRIDs = []uint8{dialects[i].vrid}
		pairs[i] = a.openWith(t, c)
	}
	lines := b.keepalived(t)
	for i := range dialects {
		d, p := &dialects[i], pairs[i]
		if !within(10*time.Second, p) { // it takes over after 3.6 s
			t.Errorf("%s: nothing heard", d.name)
			continue
		}
		got, _, reason, ok := p.Next()
		switch {
		case !ok || reason != wire.OK:
			t.Errorf("%s: heard %v, %s", d.name, ok, reason)
			continue
		case got.Version != d.advert.Version || got.Auth != d.advert.Auth || got.Priority != 100 || got.Interval != time.Second || fmt.Sprint(got.Addresses) != fmt.Sprint(d.advert.Addresses):
			t.Errorf("%s: heard %s", d.name, got)
		case d.secret != "" && !wire.NewAHKey(wire.NewPassword(d.secret)).Verify(got):
			t.Errorf("%s: does not verify", d.name)
		}
		reply := d.advert
		reply.Priority = 200
		reply.AH.Sequence = got.AH.Sequence + 1
		p.Queue(&reply, d.from)
		if p.Flush() != 1 {
			t.Errorf("%s: %v", d.name, p.Counters().LastSendError)
		}
	}
	waiting := map[string]bool{}
	for i := range dialects {
		waiting[dialects[i].name] = true
	}
	var log []string
	for timeout := time.After(5 * time.Second); len(waiting) > 0; {
		select {
		case line, running := <-lines:
			if !running {
				t.Fatalf("keepalived ended:\n%s", strings.Join(log, "\n"))
			}
			log = append(log, line)
			for name := range waiting {
				if strings.Contains(line, "("+name+") Master received advert from ") && strings.Contains(line, "higher priority 200") {
					delete(waiting, name)
				}
			}
		case <-timeout:
			t.Fatalf("did not step down: %v\n%s", waiting, strings.Join(log, "\n"))
		}
	}
}
