package engine

import (
	"net/netip"
	"time"

	"hafile/runtime/kernel"
	"hafile/runtime/node"
	"hafile/runtime/vrrp"
	"hafile/runtime/vrrp/wire"
)

// No method of these may block: they are called on the loop's thread.

// Kernel owns the host's addresses. It answers every Want with an Engine.KernelReport of
// its gen, also when it had nothing to do, and reports again whenever what is there
// changes. A Want replaces those before it.
type Kernel interface {
	Want(gen uint64, want kernel.State, beside kernel.Things)
}

// Announcer tells the segment where addresses are, and paces that by itself. The slices
// stay valid.
type Announcer interface {
	Announce(iface string, addresses []netip.Addr, how node.Announcement)
	Silence(iface string, addresses []netip.Addr)
}

// Socket is a pair of sockets of one place (package rawsock). From
// AddSocket on until it has been removed, only the loop calls these methods.
type Socket interface {
	// FD is readable when something has arrived.
	FD() int
	// Next is what has arrived with a virtual router id of ours, and why the codec
	// refuses it, if it does; ok is false when nothing is left. The advert is valid
	// until the next call.
	Next() (a *wire.Advert, from netip.Addr, reason wire.Reason, ok bool)
	// Queue adds an advert to the next batch.
	Queue(a *wire.Advert, source netip.Addr)
	// Flush sends the batch. What cannot be sent is counted and forgotten: an advert
	// that is late is of no use.
	Flush() (sent int)
}

// Clock is time and the wait for it; see Epoll for the real one.
type Clock interface {
	// Now is the monotonic clock.
	Now() vrrp.Instant
	// Asleep is how long the machine has been suspended since it booted.
	Asleep() time.Duration
	// Wait returns when the deadline has passed (0: never), when a watched descriptor
	// is readable, or after a Wake. It appends the readable ones to ready. With a
	// deadline that has passed it only looks.
	Wait(deadline vrrp.Instant, ready []int) []int
	// Wake ends a Wait. Any goroutine may call it.
	Wake()
	Watch(fd int) error
	Unwatch(fd int) error
	Close() error
}
