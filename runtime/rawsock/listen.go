//go:build linux

package rawsock

import (
	"context"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"hafile/runtime/vrrp/wire"
)

// Listen reports what is heard on an interface with the given ids until ctx is done, for
// whoever wants to know its neighbours before it speaks. It sends nothing. heard runs on
// the calling goroutine; its advert is valid during the call. With a reason other than OK
// the advert is what wire.Parse says. Unicast is heard from the peers of the Config only.
func Listen(ctx context.Context, c Config, heard func(a *wire.Advert, from netip.Addr, reason wire.Reason)) error {
	e, err := listener(&c)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", c.Interface, err)
	}
	defer unix.Close(e.fd)
	done, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return os.NewSyscallError("eventfd", err)
	}
	defer unix.Close(done)
	woken := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(woken)
		_, _ = unix.Write(done, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	})
	defer func() {
		if !stop() {
			<-woken // before done is closed
		}
	}()
	return e.listen(ctx, done, heard)
}

// listener is an ear with its filter.
func listener(c *Config) (*ear, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	program, err := filter(c.layout(), setOf(c.VRIDs), false)
	if err != nil {
		return nil, err
	}
	e, err := newEar(c)
	if err != nil {
		return nil, err
	}
	if err := attach(e.fd, program); err != nil {
		_ = unix.Close(e.fd)
		return nil, err
	}
	return e, nil
}

func (e *ear) listen(ctx context.Context, done int, heard func(*wire.Advert, netip.Addr, wire.Reason)) error {
	var a wire.Advert
	fds := []unix.PollFd{{Fd: int32(e.fd), Events: unix.POLLIN}, {Fd: int32(done), Events: unix.POLLIN}}
	for ctx.Err() == nil {
		if _, err := unix.Poll(fds, -1); err != nil && err != unix.EINTR {
			return os.NewSyscallError("poll", err)
		}
		from, reason, peer, err := e.hear(&a)
		if err != nil {
			continue // nothing there, or the interface went down: others watch that
		}
		if !peer {
			reason = wire.UnknownPeer
		}
		heard(&a, from, reason)
	}
	return nil
}
