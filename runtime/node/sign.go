package node

import (
	"time"

	"hafile/runtime/vrrp"
)

// Wall tells the node the time of day. It counts for signatures only, and goes on from
// there with the monotonic clock until the next call: whoever sets the clock is believed.
func (n *Node) Wall(now vrrp.Instant, wall time.Time) { n.dayAt, n.day = now, wall }

// wall is the time of day of the call under way.
func (n *Node) wall() time.Time { return n.day.Add(n.now.Sub(n.dayAt)) }

// reserve comes before a signed advert. Effects are carried out in their order, so that
// the number is stored before the advert leaves.
func (n *Node) reserve(r *router) {
	if !r.core.Signs() {
		return
	}
	upTo, due := r.core.Reserve(n.wall())
	if !due && r.stored == r.key {
		return
	}
	r.stored = r.key
	n.out = append(n.out, Effect{Kind: Reserve, Key: r.key, UpTo: upTo})
	r.core.Reserved(upTo)
}
