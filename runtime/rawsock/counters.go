//go:build linux

package rawsock

import (
	"errors"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"hafile/runtime/vrrp/wire"
)

// tally is written by the loop and read by others.
type tally struct {
	received, sent            atomic.Uint64
	sendErrors, receiveErrors atomic.Uint64
	errno                     atomic.Uintptr
	dropped                   [wire.Reasons]atomic.Uint64
}

func (t *tally) fail(err error) {
	t.sendErrors.Add(1)
	var errno unix.Errno
	if errors.As(err, &errno) {
		t.errno.Store(uintptr(errno))
	}
}

// Counters of a pair, never reset.
type Counters struct {
	// Received counts packets; those with an id of nobody here are sampled, see doc.go.
	Received uint64
	// Dropped counts them by reason. What a router drops (another password, say) is in
	// its own counters.
	Dropped [wire.Reasons]uint64
	Sent    uint64
	// SendErrors counts adverts that did not leave; LastSendError is the last cause.
	SendErrors    uint64
	LastSendError error
	ReceiveErrors uint64
	// Overflows counts packets that found the receive buffer full.
	Overflows uint64
}

// Counters as they are now.
func (p *Pair) Counters() Counters {
	t := &p.tally
	c := Counters{
		Received: t.received.Load(), Sent: t.sent.Load(),
		SendErrors: t.sendErrors.Load(), ReceiveErrors: t.receiveErrors.Load(), Overflows: overflows(p.ear.fd),
	}
	for i := range c.Dropped {
		c.Dropped[i] = t.dropped[i].Load()
	}
	if errno := unix.Errno(t.errno.Load()); errno != 0 {
		c.LastSendError = os.NewSyscallError("send", errno)
	}
	return c
}

// overflows asks SO_MEMINFO, which costs nothing for each packet as SO_RXQ_OVFL would.
// Package unix has no function for an option that is an array.
func overflows(fd int) uint64 {
	const drops = 8 // SK_MEMINFO_DROPS
	var info [drops + 1]uint32
	size := uint32(unsafe.Sizeof(info))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return 0
	}
	return uint64(info[drops])
}
