package announce

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hafile/runtime/lab/netns"
)

var (
	macA = net.HardwareAddr{2, 0, 0, 0, 0, 0xa}
	macB = net.HardwareAddr{2, 0, 0, 0, 0, 0xb}
)

// pair is two machines on one cable: a announces, b is a neighbour.
func pair(t *testing.T) (a, b *netns.NS, ifaceA Interface) {
	t.Helper()
	a, b = netns.NewT(t), netns.NewT(t)
	err := netns.Cable(
		a, netns.Port{Name: "eth0", MAC: macA, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}},
		b, netns.Port{Name: "eth0", MAC: macB, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.2/24")}})
	if err != nil {
		t.Fatal(err)
	}
	return a, b, iface(t, a)
}

func iface(t *testing.T, n *netns.NS) Interface {
	t.Helper()
	index, mac, err := n.Index("eth0")
	if err != nil {
		t.Fatal(err)
	}
	return Interface{Name: "eth0", Index: index, MAC: mac}
}

// listen receives every ARP frame that arrives in n.
func listen(t *testing.T, n *netns.NS) <-chan ARP {
	t.Helper()
	heard := make(chan ARP, 10000)
	var p *prober
	err := n.Do(func() (err error) {
		p, err = newProber(iface(t, n), etherARP, nil)
		if err != nil {
			return err
		}
		rc, err := p.file.SyscallConn()
		if err != nil {
			return err
		}
		return rc.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20) })
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { _ = p.file.Close(); <-done })
	go func() {
		defer close(done)
		for {
			k, err := p.file.Read(p.buf)
			if err != nil {
				return
			}
			if a, err := ParseARP(p.buf[:k]); err == nil {
				heard <- a
			}
		}
	}()
	return heard
}

func start(t *testing.T, n *netns.NS) *Announcer {
	t.Helper()
	var a *Announcer
	err := n.Do(func() (err error) { a, err = Open(); return err })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	return a
}

// take waits for n frames.
func take(t *testing.T, heard <-chan ARP, n int) (out []ARP) {
	t.Helper()
	timeout := time.After(10 * time.Second)
	for len(out) < n {
		select {
		case a := <-heard:
			out = append(out, a)
		case <-timeout:
			t.Fatalf("%d frames of %d", len(out), n)
		}
	}
	return out
}

func TestEveryAddressIsAnnouncedOnceThenRepeatedInPaces(t *testing.T) {
	a, b, i := pair(t)
	heard := listen(t, b)
	ann := start(t, a)
	ann.Link(i)
	var vips []netip.Addr
	for k := range 200 {
		vips = append(vips, netip.AddrFrom4([4]byte{10, 0, 1, byte(k)}))
	}
	began := time.Now()
	ann.Announce("eth0", vips, Schedule{Repeat: 5})
	frames := take(t, heard, 1000)
	var first []netip.Addr
	for _, f := range frames[:200] {
		first = append(first, f.SenderIP)
	}
	if !slices.Equal(first, vips) {
		t.Errorf("the first 200 are %v", first)
	}
	if took := time.Since(began); took < 800/repeatsAtOnce*repeatsGap*9/10 {
		t.Errorf("a thousand frames in %v", took)
	}
	for _, f := range frames {
		if f.SenderMAC != MAC(macA) || f.SenderIP != f.TargetIP || f.Op != ARPRequest || f.TargetMAC != broadcast {
			t.Fatalf("%+v", f)
		}
	}
	await(t, ann, Stats{Sent: 1000})
}

func TestANeighbourMovesTheAddressToUs(t *testing.T) {
	netns.Needs(t, "ip", "iproute2")
	a, b, i := pair(t)
	ann := start(t, a)
	i.Router = true
	ann.Link(i)
	for _, vip := range []string{"10.0.0.9", "2001:db8::9"} {
		command(t, b, "ip neigh replace "+vip+" lladdr 02:00:00:00:00:99 dev eth0 nud stale")
		ann.Announce("eth0", addrs(vip), Schedule{Repeat: 40}) // IPv6 listens late on a new link
		for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(2 * time.Millisecond) {
			out := command(t, b, "ip neigh show "+vip)
			if strings.Contains(out, macA.String()) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("the neighbour has %q", out)
			}
		}
	}
}

func command(t *testing.T, n *netns.NS, line string) string {
	t.Helper()
	var out []byte
	words := strings.Fields(line)
	err := n.Do(func() (err error) {
		out, err = exec.Command(words[0], words[1:]...).CombinedOutput()
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v: %s", line, err, out)
	}
	return string(out)
}

func TestNothingIsSentAfterSilence(t *testing.T) {
	a, b, i := pair(t)
	heard := listen(t, b)
	ann := start(t, a)
	ann.Link(i)
	ann.Announce("eth0", addrs("10.0.0.8 10.0.0.9"), Schedule{Repeat: 3})
	take(t, heard, 2)
	ann.Silence("eth0", addrs("10.0.0.9"))
	late := ann.Stats()
	time.Sleep(150 * time.Millisecond) // all repeats would be over
	var of8, of9 int
	for len(heard) > 0 {
		if (<-heard).SenderIP == addrs("10.0.0.9")[0] {
			of9++
		} else {
			of8++
		}
	}
	if sent := int(late.Sent) - 2; of8 != 2 || of9 > max(sent, 1) {
		t.Errorf("after the silence %d of the other and %d of its own, %d were on their way", of8, of9, sent)
	}
}

func TestWhatCannotBeSentIsCounted(t *testing.T) {
	a, _, i := pair(t)
	ann := start(t, a)
	ann.Announce("eth0", addrs("10.0.0.9"), Schedule{})
	await(t, ann, Stats{Unsent: 1})
	ann.Link(i)
	if err := a.Down("eth0"); err != nil {
		t.Fatal(err)
	}
	ann.Announce("eth0", addrs("10.0.0.9"), Schedule{})
	await(t, ann, Stats{Unsent: 1, Failed: 1})
	i.Index = 0
	ann.Link(i)
	ann.Announce("eth0", addrs("10.0.0.9"), Schedule{})
	await(t, ann, Stats{Unsent: 2, Failed: 1})
}

func await(t *testing.T, a *Announcer, want Stats) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); a.Stats() != want; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%+v, want %+v", a.Stats(), want)
		}
	}
}

func probeIn(t *testing.T, ctx context.Context, n *netns.NS, vips string) (out string, took time.Duration) {
	t.Helper()
	i := iface(t, n)
	err := n.Do(func() error {
		began := time.Now()
		answers, err := Probe(ctx, i, addrs(vips))
		took = time.Since(began)
		for _, a := range answers {
			out += fmt.Sprintf("%s %s\n", a.Addr, a.MAC)
		}
		return err
	})
	if err != nil {
		out += err.Error()
	}
	return out, took
}

func TestAProbeIsAnsweredByARealKernel(t *testing.T) {
	netns.Needs(t, "ip", "iproute2")
	a, b, _ := pair(t)
	if err := b.AddAddress("eth0", netip.MustParsePrefix("10.0.0.9/32")); err != nil {
		t.Fatal(err)
	}
	got, took := probeIn(t, context.Background(), a, "10.0.0.9 10.0.0.2")
	want := []string{"10.0.0.2 " + macB.String(), "10.0.0.9 " + macB.String()}
	lines := strings.Fields(strings.ReplaceAll(got, " ", "="))
	slices.Sort(lines)
	if !slices.Equal(lines, []string{strings.ReplaceAll(want[0], " ", "="), strings.ReplaceAll(want[1], " ", "=")}) {
		t.Errorf("got %s", got)
	}
	if took > probeGap {
		t.Errorf("it took %v though all was known", took)
	}
	got, _ = probeIn(t, context.Background(), a, "10.0.0.9 10.0.0.77")
	if got != "10.0.0.9 "+macB.String()+"\n" {
		t.Errorf("of two, one is taken: %q", got)
	}
	if neigh := command(t, b, "ip neigh show"); strings.Contains(neigh, macA.String()) {
		t.Errorf("the neighbour has learned from a probe: %s", neigh)
	}
}

func TestWhereNobodyAnswersThreeProbesAreSentIn300ms(t *testing.T) {
	a, b, _ := pair(t)
	heard := listen(t, b)
	got, took := probeIn(t, context.Background(), a, "10.0.0.77")
	if got != "" || took < probes*probeGap || took > 2*probes*probeGap {
		t.Errorf("%q after %v", got, took)
	}
	for _, f := range take(t, heard, probes) {
		if !f.SenderIP.IsUnspecified() || f.TargetIP != addrs("10.0.0.77")[0] {
			t.Errorf("%+v", f)
		}
	}
}

// TestAProbeOverIPv6 is answered by a real kernel, which learns nothing from it, and two
// that ask at once do not answer each other.
func TestAProbeOverIPv6(t *testing.T) {
	netns.Needs(t, "ip", "iproute2")
	a, b, _ := pair(t)
	for _, vip := range []string{"2001:db8::9/128", "fe80::51/128"} {
		if err := b.AddAddress("eth0", netip.MustParsePrefix(vip)); err != nil {
			t.Fatal(err)
		}
	}
	got, took := probeIn(t, context.Background(), a, "2001:db8::9 fe80::51")
	if !strings.Contains(got, "2001:db8::9 "+macB.String()) || !strings.Contains(got, "fe80::51 "+macB.String()) || took > probeGap {
		t.Errorf("%q after %v", got, took)
	}
	if neigh := command(t, b, "ip -6 neigh show"); strings.Contains(neigh, macA.String()) {
		t.Errorf("the neighbour has learned from a probe: %s", neigh)
	}
	other := make(chan string)
	go func() {
		got, _ := probeIn(t, context.Background(), b, "2001:db8::77")
		other <- got
	}()
	got, _ = probeIn(t, context.Background(), a, "2001:db8::77")
	if got += <-other; got != "" {
		t.Errorf("got %q", got)
	}
}

// The same plan arrives on both nodes of a pair at once.
func TestTwoThatProbeAtOnceDoNotAnswerEachOther(t *testing.T) {
	a, b, _ := pair(t)
	other := make(chan string)
	go func() {
		got, _ := probeIn(t, context.Background(), b, "10.0.0.77")
		other <- got
	}()
	got, _ := probeIn(t, context.Background(), a, "10.0.0.77")
	if got += <-other; got != "" {
		t.Errorf("got %q", got)
	}
}

func TestAProbeEndsWithItsContext(t *testing.T) {
	a, _, _ := pair(t)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	got, took := probeIn(t, ctx, a, "10.0.0.77")
	if got != context.DeadlineExceeded.Error() || took > probeGap {
		t.Errorf("%q after %v", got, took)
	}
}

// An announcement that passes is an answer, and padding does no harm.
func TestWhatCountsAsAnAnswer(t *testing.T) {
	vip := addrs("10.0.0.9")[0]
	pad := func(b []byte) []byte { return append(b, bytes.Repeat([]byte{0}, 18)...) }
	other := ARP{Op: ARPReply, SenderMAC: MAC(macB), SenderIP: addrs("10.0.0.8")[0], TargetIP: vip}
	tests := []struct {
		name  string
		frame []byte
		want  int
	}{
		{"a gratuitous request", pad(Gratuitous(MAC(macB), vip)), 1},
		{"a gratuitous reply", GratuitousReply(MAC(macB), vip), 1},
		{"our own frame", Gratuitous(MAC(macA), vip), 0},
		{"somebody else's probe", ProbeFrame(MAC(macB), vip), 0},
		{"another address", other.frame(), 0},
		{"a solicitation", Solicitation(MAC(macB), addrs("2001:db8::9")[0]), 0},
		{"a cut frame", Gratuitous(MAC(macB), vip)[:30], 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := &prober{mac: MAC(macA), addrs: []netip.Addr{vip}, open: map[netip.Addr]bool{vip: true}}
			p.hear(tt.frame)
			p.hear(tt.frame)
			if len(p.answers) != tt.want || len(p.open) != 1-tt.want {
				t.Errorf("answers %v, open %v", p.answers, p.open)
			}
		})
	}
}
