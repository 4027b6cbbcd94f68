package runtime

import (
	"context"
	"net"
	"net/netip"

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
	return announce.Interface{Name: l.Name, Index: l.Index, MAC: l.MAC}
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
		out[a.Addr] = a.MAC
	}
	return out
}
