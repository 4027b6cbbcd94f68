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
	return &events{file: os.NewFile(uintptr(fd), "netlink events"), changed: make(chan struct{}, 1)}, nil
}

// listen passes on that there is news until the socket is closed, which is its only way
// to end without an error.
func (e *events) listen() error {
	buf := make([]byte, 64<<10)
	for {
		_, err := e.file.Read(buf)
		switch {
		case errors.Is(err, os.ErrClosed):
			return nil
		case errors.Is(err, unix.ENOBUFS):
			e.lost.Add(1)
		case err != nil:
			return fmt.Errorf("listen to netlink events: %w", err)
		}
		select {
		case e.changed <- struct{}{}:
		default:
		}
	}
}
