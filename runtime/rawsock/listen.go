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
// the advert is what wire.Parse says.
func Listen(ctx context.Context, c Config, heard func(a *wire.Advert, from netip.Addr, reason wire.Reason)) error {
	fd, err := receiver(c)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", c.Interface, err)
	}
	defer unix.Close(fd)
	program, err := filter(setOf(c.VRIDs), false)
	if err != nil {
		return err
	}
	if err := attach(fd, program); err != nil {
		return fmt.Errorf("listen on %s: %w", c.Interface, err)
	}
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
	return listen(ctx, fd, done, heard)
}

func listen(ctx context.Context, fd, done int, heard func(*wire.Advert, netip.Addr, wire.Reason)) error {
	buf := make([]byte, packetMax)
	var a wire.Advert
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(done), Events: unix.POLLIN}}
	for ctx.Err() == nil {
		if _, err := unix.Poll(fds, -1); err != nil && err != unix.EINTR {
			return os.NewSyscallError("poll", err)
		}
		n, err := unix.Read(fd, buf)
		if err != nil {
			continue // nothing there, or the interface went down: others watch that
		}
		h, reason := wire.Parse(buf[:n], &a)
		heard(&a, h.Source, reason)
	}
	return nil
}
