package runtime

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"hafile/lang/plan"
	"hafile/runtime/announce"
	"hafile/runtime/kernel"
	"hafile/runtime/node"
)

// speaker hands the loop's announcements to their owner, who knows no plan.
type speaker struct{ *announce.Announcer }

// Announce passes on a schedule, which has the same fields.
func (s speaker) Announce(iface string, addresses []netip.Addr, how node.Announcement) {
	s.Announcer.Announce(iface, addresses, announce.Schedule(how))
}

func announceable(l kernel.Link) announce.Interface {
	return announce.Interface{Name: l.Name, Index: l.Index, MAC: l.MAC, Router: forwards(l.Name)}
}

// forwards reports whether an interface forwards IPv6, which its neighbours are told with
// every announcement.
func forwards(iface string) bool {
	b, err := os.ReadFile(filepath.Join("/proc/sys/net/ipv6/conf", iface, "forwarding"))
	return err == nil && strings.TrimSpace(string(b)) != "0"
}

// look tells the speaker again what no message of the kernel says when it changes.
func (d *daemon) look() {
	for i := range d.running.Load().plan.Desired.Instances {
		in := &d.running.Load().plan.Desired.Instances[i]
		if l, there := d.links.get(in.Interface); there && in.Family == plan.IPv6 {
			d.speaker.Link(announceable(l))
		}
	}
}

// probe asks a segment who has these addresses. One that cannot be asked answers nothing:
// the daemon says so and goes on, for its own adverts would meet the same wall.
func (d *daemon) probe(ctx context.Context, l kernel.Link, vips []netip.Addr) map[netip.Addr]net.HardwareAddr {
	answers, err := announce.Probe(ctx, announceable(l), vips)
	if err != nil && ctx.Err() == nil {
		d.log.Warn("new addresses were not asked for on the segment", "interface", l.Name, "error", err)
	}
	out := map[netip.Addr]net.HardwareAddr{}
	for _, a := range answers {
		if !d.links.has(a.MAC) { // another interface of this machine on the same segment
			out[a.Addr] = a.MAC
		}
	}
	return out
}
