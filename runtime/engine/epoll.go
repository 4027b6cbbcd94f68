//go:build linux

package engine

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"hafile/runtime/vrrp"
)

// Epoll is the real Clock: a timerfd with absolute instants of CLOCK_MONOTONIC, an
// eventfd that wakes it, and what is watched, in one epoll. Measured on a busy machine
// it is some hundred times more punctual than a time.Timer.
type Epoll struct {
	epoll, timer, event int
	armed               vrrp.Instant
	events              [64]unix.EpollEvent
	spec                unix.ItimerSpec
	buf                 [8]byte

	// mu keeps a late Wake from writing to a descriptor that is somebody else's by then.
	// The loop takes it only to close.
	mu     sync.Mutex
	closed bool
}

// NewEpoll opens the three descriptors.
func NewEpoll() (*Epoll, error) {
	c := &Epoll{epoll: -1, timer: -1, event: -1}
	if err := c.open(); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Epoll) open() (err error) {
	if c.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	if c.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC); err != nil {
		return os.NewSyscallError("timerfd_create", err)
	}
	if c.event, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return os.NewSyscallError("eventfd", err)
	}
	if err = c.Watch(c.timer); err != nil {
		return err
	}
	return c.Watch(c.event)
}

// Now is CLOCK_MONOTONIC.
func (c *Epoll) Now() vrrp.Instant { return vrrp.Instant(clock(unix.CLOCK_MONOTONIC)) }

// Asleep is what CLOCK_BOOTTIME is ahead.
func (c *Epoll) Asleep() time.Duration {
	return clock(unix.CLOCK_BOOTTIME) - clock(unix.CLOCK_MONOTONIC)
}

func clock(id int32) time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(id, &ts); err != nil {
		panic(fmt.Sprintf("engine: clock %d: %v", id, err))
	}
	return time.Duration(ts.Nano())
}

// Wait blocks in epoll_wait and nowhere else.
func (c *Epoll) Wait(deadline vrrp.Instant, ready []int) []int {
	timeout := -1
	if deadline != 0 && deadline <= c.Now() {
		timeout = 0
	} else {
		c.arm(deadline)
	}
	n, err := unix.EpollWait(c.epoll, c.events[:], timeout)
	if err == unix.EINTR {
		return ready // the loop comes back
	}
	if err != nil {
		panic(fmt.Sprintf("engine: epoll_wait: %v", err))
	}
	for i := range c.events[:n] {
		switch fd := int(c.events[i].Fd); fd {
		case c.timer:
			c.armed = 0
			c.empty(fd)
		case c.event:
			c.empty(fd)
		default:
			ready = append(ready, fd)
		}
	}
	return ready
}

// arm sets the timer if it is set otherwise. Instant 0 disarms.
func (c *Epoll) arm(deadline vrrp.Instant) {
	if deadline == c.armed {
		return
	}
	c.armed = deadline
	c.spec.Value = unix.NsecToTimespec(int64(deadline))
	if err := unix.TimerfdSettime(c.timer, unix.TFD_TIMER_ABSTIME, &c.spec, nil); err != nil {
		panic(fmt.Sprintf("engine: timerfd_settime: %v", err))
	}
}

// empty takes the count out of a timerfd or an eventfd, so that it is no longer readable.
func (c *Epoll) empty(fd int) { _, _ = unix.Read(fd, c.buf[:]) }

// Wake may be called by any goroutine.
func (c *Epoll) Wake() {
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	_, _ = unix.Write(c.event, one[:]) // only a full counter refuses, and that wakes too
}

// Watch makes Wait return when fd is readable.
func (c *Epoll) Watch(fd int) error {
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(c.epoll, unix.EPOLL_CTL_ADD, fd, &ev))
}

// Unwatch ends that.
func (c *Epoll) Unwatch(fd int) error {
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(c.epoll, unix.EPOLL_CTL_DEL, fd, nil))
}

// Close closes the descriptors. Now and Asleep go on working, and a Wake does nothing.
func (c *Epoll) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	for _, fd := range []int{c.epoll, c.timer, c.event} {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
	return nil
}
