package runtime

import (
	"bytes"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"hafile/lang/plan"
	"hafile/runtime/engine"
	"hafile/runtime/kernel"
	"hafile/runtime/node"
	"hafile/runtime/vrrp/wire"
)

// links are the interfaces as the kernel's owner told last. Its mutex is there because
// that owner writes and everybody reads.
type links struct {
	mu  sync.Mutex
	all map[string]kernel.Link
}

func (l *links) get(name string) (kernel.Link, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	link, there := l.all[name]
	return link, there
}

// has reports whether an interface of this machine, and of no other, has a MAC address: a
// virtual router's (RFC 9568, 7.3) is on every member.
func (l *links) has(mac net.HardwareAddr) bool {
	if bytes.HasPrefix(mac, []byte{0x00, 0x00, 0x5e, 0x00}) {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, link := range l.all {
		if bytes.Equal(link.MAC, mac) {
			return true
		}
	}
	return false
}

// names of the interfaces, without the loopback.
func (l *links) names() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(slices.Sorted(maps.Keys(l.all)), func(name string) bool { return name == "lo" })
}

func (l *links) set(link kernel.Link) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all == nil {
		l.all = map[string]kernel.Link{}
	}
	if link.Index == 0 {
		delete(l.all, link.Name)
		return
	}
	l.all[link.Name] = link
}

// fill takes a look at all interfaces, except where a later word is known already, and
// returns what it took.
func (l *links) fill(all []kernel.Link) (taken []kernel.Link) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all == nil {
		l.all = map[string]kernel.Link{}
	}
	for _, link := range all {
		if _, known := l.all[link.Name]; !known {
			l.all[link.Name] = link
			taken = append(taken, link)
		}
	}
	return taken
}

// tell hands the present state of one interface to the loop, under the lock: of two who
// tell at the same time the later one must not have the older news.
func (l *links) tell(e *engine.Engine, name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	link, there := l.all[name]
	if !there {
		link = kernel.Link{Name: name}
	}
	e.Link(name, wrongWith(link))
}

// wrongWith is what keeps an interface from being used, empty if nothing does.
func wrongWith(l kernel.Link) string {
	switch {
	case l.Index == 0:
		return "the interface " + l.Name + " does not exist"
	case !l.Up:
		return l.Name + " is down"
	case !l.Carrier:
		return l.Name + " has no carrier"
	}
	return ""
}

// sourceOf is the address that adverts come from: the plan's, or the first of the family
// on the interface, which with IPv6 is link-local (RFC 9568, 5.1.2.1). The zero address if
// there is none.
func sourceOf(in *plan.Instance, l kernel.Link) netip.Addr {
	if in.SourceAddress.IsValid() {
		return in.SourceAddress
	}
	for _, p := range l.Addresses {
		a := p.Addr()
		virtual := slices.ContainsFunc(in.VIPs, func(v plan.VIP) bool { return v.Address.Addr() == a })
		if plan.FamilyOf(a) == in.Family && !virtual && (a.Is4() || a.IsLinkLocalUnicast()) {
			return a
		}
	}
	return netip.Addr{}
}

// resolve adds to a plan what only this host knows. left is nil except at the start.
func (d *daemon) resolve(r *running, left *adoption) node.Resolved {
	out := node.Resolved{Plan: r.plan, Hosts: map[plan.Addr]node.Host{}, Former: d.formerNodes(r)}
	for i := range r.plan.Desired.Instances {
		in := &r.plan.Desired.Instances[i]
		l, _ := d.links.get(in.Interface)
		h := node.Host{Source: sourceOf(in, l)}
		if in.Auth != nil {
			h.Password = wire.NewPassword(password(in.Auth.Password, r.secrets))
			h.Sequence = sequenceAt(time.Now())
		}
		h.Signing = d.signing(in, r.plan.Node, r.secrets)
		if left != nil {
			left.claim(in, &h)
		}
		out.Hosts[in.Address] = h
	}
	return out
}

// sequenceAt is above every number of a process before this one: version 2 sends one
// advert a second, and at the most four more while somebody contends. It lasts until 2058.
func sequenceAt(now time.Time) uint32 {
	const epoch = 1704067200 // 2024
	return uint32(4 * (now.Unix() - epoch))
}

// describe lists the interfaces that a plan waits for.
func (d *daemon) describe(p *plan.Plan) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(devices(p))) {
		l, there := d.links.get(name)
		if !there {
			l = kernel.Link{Name: name}
		}
		if wrong := wrongWith(l); wrong != "" {
			out = append(out, fmt.Sprintf("%s; waiting for it", wrong))
		}
	}
	return out
}
