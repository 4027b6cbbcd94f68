package netlink

import (
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hafile/runtime/kernel"
	"hafile/runtime/lab/netns"
)

// shown is what ip(8) shows of ours, each line without what differs between its versions.
func shown(t *testing.T, n *netns.NS, commands ...string) string {
	t.Helper()
	var all []string
	for _, command := range commands {
		err := n.Do(func() error {
			words := strings.Fields(command)
			out, err := exec.Command(words[0], words[1:]...).CombinedOutput()
			for line := range strings.Lines(strings.ReplaceAll(string(out), "\n\t", " ")) {
				if strings.Contains(line, "proto 200") {
					all = append(all, strings.Join(strings.Fields(strings.ReplaceAll(line, "pref medium", "")), " "))
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(command, err)
		}
	}
	return strings.Join(all, "\n")
}

var everyRoute = []string{"ip -d -4 route show table all", "ip -d -6 route show table all"}
var everyRule = []string{"ip -d -4 rule show", "ip -d -6 rule show"}

func route(to string, hops ...kernel.Hop) kernel.Route {
	return kernel.Route{To: netip.MustParsePrefix(to), Hops: hops}
}

func via(gateway, iface string) kernel.Hop {
	h := kernel.Hop{Interface: iface}
	if gateway != "" {
		h.Via = netip.MustParseAddr(gateway)
	}
	return h
}

func routes(all ...kernel.Route) (out kernel.Things) {
	for _, r := range all {
		r = r.Normal()
		out = append(out, kernel.Thing{Route: &r})
	}
	return out
}

func rules(all ...kernel.Rule) (out kernel.Things) {
	for _, r := range all {
		r = r.Normal()
		out = append(out, kernel.Thing{Rule: &r})
	}
	return out
}

// settled waits until the owner has nothing to do, and fails if it never stops acting:
// what is read back must be what was wanted, or it would be set again for ever.
func settled(t *testing.T, o *Owner, said <-chan told, g uint64, want kernel.State, beside kernel.Things) *kernel.Report {
	t.Helper()
	o.Want(g, want, beside)
	return await(t, said, "the answer", gen(g)).report
}

// Every kind of route that the language has is read back as it was wanted.
func TestRoutesAreWhatIsWanted(t *testing.T) {
	n := space(t)
	for _, command := range []string{
		"ip addr add 192.0.2.1/24 dev eth0", "ip addr add 198.51.100.1/24 dev eth1",
		"ip addr add 2001:db8::1/64 dev eth0 nodad", "ip addr add 2001:db8:1::1/64 dev eth1 nodad",
		"ip route add 10.99.0.0/16 via 192.0.2.99",
	} {
		ip(t, n, command)
	}
	blackhole := route("10.3.0.0/16")
	blackhole.Type = "blackhole"
	blackhole6 := route("2001:db8:3::/48")
	blackhole6.Type = "unreachable"
	tabled := route("0.0.0.0/0", via("192.0.2.254", ""))
	tabled.Table, tabled.Metric, tabled.MTU = 1000, 50, 1400
	sourced := route("10.4.0.0/16", via("192.0.2.254", "eth0"))
	sourced.Source = netip.MustParseAddr("192.0.2.10")
	on := func(h kernel.Hop, weight int) kernel.Hop { h.Weight = weight; return h }
	onlink := route("10.5.0.0/16", kernel.Hop{Via: netip.MustParseAddr("203.0.113.1"), Interface: "eth0", OnLink: true})
	from := route("2001:db8:4::/48", via("2001:db8::fe", "eth0"))
	from.From = netip.MustParsePrefix("2001:db8:9::/64")
	tests := []struct {
		name  string
		route kernel.Route
		want  string
	}{
		{"by a gateway", route("10.1.0.0/16", via("192.0.2.254", "eth0")), "unicast 10.1.0.0/16 via 192.0.2.254 dev eth0 proto 200 scope global"},
		{"by an interface", route("10.2.0.0/16", via("", "eth1")), "unicast 10.2.0.0/16 dev eth1 proto 200 scope link"},
		{"nowhere", blackhole, "blackhole 10.3.0.0/16 proto 200 scope global"},
		{"in a table, with a metric and an mtu", tabled, "unicast default via 192.0.2.254 dev eth0 table 1000 proto 200 scope global metric 50 mtu 1400"},
		{"with the VIP as its source", sourced, "unicast 10.4.0.0/16 via 192.0.2.254 dev eth0 proto 200 scope global src 192.0.2.10"},
		{"to a gateway of no subnet", onlink, "unicast 10.5.0.0/16 via 203.0.113.1 dev eth0 proto 200 scope global onlink"},
		{"by two ways", route("10.6.0.0/16", on(via("192.0.2.254", "eth0"), 3), via("198.51.100.254", "eth1")),
			"unicast 10.6.0.0/16 proto 200 scope global nexthop via 192.0.2.254 dev eth0 weight 3 nexthop via 198.51.100.254 dev eth1 weight 1"},
		{"IPv6", route("2001:db8:2::/48", via("2001:db8::fe", "eth0")), "unicast 2001:db8:2::/48 via 2001:db8::fe dev eth0 proto 200 scope global metric 1024"},
		{"IPv6 nowhere", blackhole6, "unreachable 2001:db8:3::/48 dev lo proto 200 scope global metric 1024"},
		{"IPv6 from some addresses", from, "unicast 2001:db8:4::/48 from 2001:db8:9::/64 via 2001:db8::fe dev eth0 proto 200 scope global metric 1024"},
		{"IPv6 by two ways", route("2001:db8:5::/48", via("2001:db8:1::fe", "eth1"), via("2001:db8::fe", "eth0")),
			"unicast 2001:db8:5::/48 proto 200 scope global metric 1024 nexthop via 2001:db8:1::fe dev eth1 weight 1 nexthop via 2001:db8::fe dev eth0 weight 1"},
	}
	o, said := run(t, n, nil)
	vip := onEth0("192.0.2.10/32")
	for i, tt := range tests {
		r := settled(t, o, said, uint64(2*i+1), vip, routes(tt.route))
		if strings.HasPrefix(tt.name, "IPv6 from") && len(r.Missing) > 0 {
			t.Logf("this kernel knows no routes from somewhere (CONFIG_IPV6_SUBTREES): %v", r.Missing)
			continue
		}
		got := shown(t, n, everyRoute...)
		got = strings.NewReplacer(" error -113", "", " table main", "").Replace(got)
		if got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
		o.Want(uint64(2*i+2), vip, routes(tt.route)) // again: there must be nothing to do
		r = await(t, said, "the answer", gen(uint64(2*i+2))).report
		if len(r.Missing)+len(r.Restored) > 0 {
			t.Errorf("%s: %+v", tt.name, r)
		}
	}
	settled(t, o, said, 100, nil, nil)
	if got := shown(t, n, everyRoute...); got != "" {
		t.Errorf("left over: %s", got)
	}
	ip(t, n, "ip route del 10.99.0.0/16 via 192.0.2.99") // the stranger's has stayed
}

func onEth0(prefixes ...string) kernel.State { return on("eth0", prefixes...) }

func TestRulesAreWhatIsWanted(t *testing.T) {
	n := space(t)
	from := netip.MustParsePrefix("192.0.2.10/32")
	six := netip.MustParsePrefix("2001:db8::10/128")
	all := rules(
		kernel.Rule{Priority: 100, From: from, Table: 100, Suppress: -1},
		kernel.Rule{Priority: 101, To: netip.MustParsePrefix("10.0.0.0/8"), IIF: "eth0", OIF: "eth1", Table: 1000, Suppress: 0},
		kernel.Rule{Priority: 102, Not: true, Mark: 0x10, Mask: 0xf0, Table: 100, Suppress: -1},
		kernel.Rule{Priority: 103, From: from, Action: "prohibit", Suppress: -1},
		kernel.Rule{IPv6: true, Priority: 100, From: six, Table: 100, Suppress: -1},
	)
	ip(t, n, "ip rule add priority 99 from 192.0.2.10 table 99")
	o, said := run(t, n, nil)
	settled(t, o, said, 1, nil, all)
	want := strings.Join([]string{
		"100: from 192.0.2.10 lookup 100 proto 200",
		"101: from all to 10.0.0.0/8 iif eth0 oif eth1 lookup 1000 suppress_prefixlength 0 proto 200",
		"102: not from all fwmark 0x10/0xf0 lookup 100 proto 200",
		"103: from 192.0.2.10 prohibit proto 200",
		"100: from 2001:db8::10 lookup 100 proto 200",
	}, "\n")
	got := strings.NewReplacer(" [detached]", "", "[detached] ", "").Replace(shown(t, n, everyRule...))
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	// An edit of one leaves the others alone; the new one comes first.
	edited := append(rules(kernel.Rule{Priority: 100, From: from, Table: 200, Suppress: -1}), all[1:]...)
	settled(t, o, said, 2, nil, edited)
	if got := shown(t, n, "ip -4 -d rule show"); strings.Count(got, "\n") != 3 || !strings.Contains(got, "lookup 200") || strings.Contains(got, "100: from 192.0.2.10 lookup 100") {
		t.Errorf("after the edit:\n%s", got)
	}
	settled(t, o, said, 3, nil, nil)
	if got := shown(t, n, everyRule...); got != "" {
		t.Errorf("left over: %s", got)
	}
	ip(t, n, "ip rule del priority 99")
}

// A route is replaced in one step, and comes back whoever or whatever takes it away.
func TestRoutesComeBack(t *testing.T) {
	n := space(t)
	ip(t, n, "ip addr add 192.0.2.1/24 dev eth0")
	ip(t, n, "ip addr add 2001:db8::1/64 dev eth0 nodad")
	four, six := route("10.1.0.0/16", via("192.0.2.254", "eth0")), route("2001:db8:2::/48", via("fe80::1", "eth0"))
	rule := kernel.Rule{Priority: 100, From: netip.MustParsePrefix("192.0.2.10/32"), Table: 100, Suppress: -1}
	all := append(routes(four, six), rules(rule)...)
	o, said := run(t, n, nil)
	settled(t, o, said, 1, onEth0("192.0.2.10/32"), all)
	there := func() bool {
		return strings.Count(shown(t, n, append(everyRoute, everyRule...)...), "proto 200") == 3
	}
	if !there() {
		t.Fatal("not there at first:", shown(t, n, append(everyRoute, everyRule...)...))
	}
	for _, hands := range [][]string{
		{"ip route del 10.1.0.0/16"}, {"ip -6 route del 2001:db8:2::/48"}, {"ip rule del priority 100"},
		{"ip link set eth0 down", "ip link set eth0 up"},
		{"ip route flush proto 200"},
	} {
		for _, command := range hands {
			ip(t, n, command)
		}
		began := time.Now()
		for !there() {
			if time.Since(began) > 5*time.Second {
				t.Fatalf("after %v they do not come back:\n%s", hands, shown(t, n, append(everyRoute, everyRule...)...))
			}
			time.Sleep(2 * time.Millisecond)
		}
		t.Logf("after %v: %v", hands, time.Since(began))
	}
	await(t, said, "the word that they were gone", func(r kernel.Report) bool { return len(r.Restored) > 0 })
	// Another gateway is one operation, not a delete and an add.
	settled(t, o, said, 2, onEth0("192.0.2.10/32"), append(routes(route("10.1.0.0/16", via("192.0.2.253", "eth0")), six), rules(rule)...))
	if got := shown(t, n, "ip -4 route"); got != "10.1.0.0/16 via 192.0.2.253 dev eth0 proto 200" {
		t.Errorf("after the edit: %s", got)
	}
}

func TestAStrangersRouteIsNotTouched(t *testing.T) {
	n := space(t)
	ip(t, n, "ip addr add 192.0.2.1/24 dev eth0")
	ip(t, n, "ip route add 10.1.0.0/16 via 192.0.2.99 dev eth0")
	o, said := run(t, n, nil)
	r := settled(t, o, said, 1, nil, routes(route("10.1.0.0/16", via("192.0.2.254", "eth0"))))
	if len(r.Missing) != 1 || !strings.Contains(r.Missing[0], "not by hafile") {
		t.Errorf("missing: %q", r.Missing)
	}
	settled(t, o, said, 2, nil, nil)
	ip(t, n, "ip route del 10.1.0.0/16 via 192.0.2.99 dev eth0")
	// What a process before this one has left is ours, and goes when nobody wants it.
	settled(t, o, said, 3, nil, routes(route("10.1.0.0/16", via("192.0.2.254", "eth0"))))
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	next, heard := run(t, n, nil)
	settled(t, next, heard, 1, nil, nil)
	if got := shown(t, n, everyRoute...); got != "" {
		t.Errorf("left over: %s", got)
	}
}

// Whatever the bytes are, nothing is read beyond them, and what is read has a text.
func FuzzThings(f *testing.F) {
	all := append(routes(route("10.6.0.0/16", via("192.0.2.254", ""), via("198.51.100.254", ""))),
		rules(kernel.Rule{Priority: 100, From: netip.MustParsePrefix("192.0.2.10/32"), IIF: "eth0", Table: 1000, Suppress: 0})...)
	h := &host{links: map[string]*link{}}
	for _, thing := range all {
		if thing.Rule != nil {
			f.Add(ruleRequest(kernel.Add, thing.Rule).Serialize()[unix.SizeofNlMsghdr:])
			continue
		}
		req, err := h.routeRequest(kernel.Add, thing.Route)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(req.Serialize()[unix.SizeofNlMsghdr:])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, _, err := parseRouteThing(b, nil); err == nil {
			_ = kernel.Thing{Route: &r}.String()
		}
		if r, _, err := parseRule(b); err == nil {
			_ = kernel.Thing{Rule: &r}.String()
		}
		worthALook(b, prefixes{})
	})
}
