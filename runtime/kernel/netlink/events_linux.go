package netlink

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// eventsBuffer holds about 6,000 changes; the default of 208 KiB overflows after 256.
const eventsBuffer = 4 << 20

// events is the socket on which the kernel says that something has changed.
type events struct {
	file    *os.File
	changed chan struct{} // has one token as long as there is news
	lost    atomic.Uint64 // how often the buffer overflowed

	ours      atomic.Pointer[prefixes] // of routes, as wanted last
	following bool                     // of the owner's goroutine

	filter   *os.File // nftables says there that something has changed; may be nil
	filtered bool
}

func (e *events) close() error {
	err := e.file.Close()
	if e.filter != nil {
		err = errors.Join(err, e.filter.Close())
	}
	return err
}

// follow has the kernel tell of routes and rules, as long as any are wanted, and of
// nftables.
func (e *events) follow(ours prefixes, on, closes bool) error {
	e.ours.Store(&ours)
	if closes != e.filtered && e.filter != nil {
		e.filtered = closes
		if err := followFilter(e.filter, closes); err != nil {
			return err
		}
	}
	if on == e.following {
		return nil
	}
	option := unix.NETLINK_ADD_MEMBERSHIP
	if !on {
		option = unix.NETLINK_DROP_MEMBERSHIP
	}
	raw, err := e.file.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		for _, group := range []int{unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE, unix.RTNLGRP_IPV4_RULE, unix.RTNLGRP_IPV6_RULE} {
			failed = errors.Join(failed, unix.SetsockoptInt(int(fd), unix.SOL_NETLINK, option, group))
		}
	})
	e.following = on
	return errors.Join(err, failed)
}

func openEvents(buffer int) (*events, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open a netlink socket for events: %w", err)
	}
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, buffer) != nil {
		// Without CAP_NET_ADMIN the kernel's limit holds; an overflow only costs a look.
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, buffer)
	}
	groups := uint32(unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR)
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("subscribe to netlink events: %w", err)
	}
	e := &events{file: os.NewFile(uintptr(fd), "netlink events"), changed: make(chan struct{}, 1)}
	e.ours.Store(&prefixes{})
	e.filter, _ = watchFilter(e.changed) // a kernel may have no nftables; whoever needs it is told
	return e, nil
}

// listen passes on that there is news until the socket is closed, which is its only way
// to end without an error.
func (e *events) listen() error {
	buf := make([]byte, 64<<10)
	for {
		n, err := e.file.Read(buf)
		switch {
		case errors.Is(err, os.ErrClosed):
			return nil
		case errors.Is(err, unix.ENOBUFS):
			e.lost.Add(1)
		case err != nil:
			return fmt.Errorf("listen to netlink events: %w", err)
		case !worthALook(buf[:n], *e.ours.Load()):
			continue
		}
		select {
		case e.changed <- struct{}{}:
		default:
		}
	}
}
