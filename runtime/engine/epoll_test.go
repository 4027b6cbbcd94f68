//go:build linux

package engine

import (
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func newEpoll(t testing.TB) *Epoll {
	t.Helper()
	c, err := NewEpoll()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// TestWaitEndsAtTheDeadlineAndNotBefore, again and again on the same timer.
func TestWaitEndsAtTheDeadlineAndNotBefore(t *testing.T) {
	c := newEpoll(t)
	for range 20 {
		deadline := c.Now().Add(2 * time.Millisecond)
		if ready := c.Wait(deadline, nil); len(ready) != 0 {
			t.Fatalf("ready: %v", ready)
		}
		if now := c.Now(); now < deadline {
			t.Fatalf("woke %s early", deadline.Sub(now))
		}
	}
}

// TestAPastDeadlineOnlyLooks.
func TestAPastDeadlineOnlyLooks(t *testing.T) {
	c := newEpoll(t)
	fd := eventfd(t)
	if err := c.Watch(fd); err != nil {
		t.Fatal(err)
	}
	if ready := c.Wait(c.Now()-1, nil); len(ready) != 0 {
		t.Errorf("ready: %v", ready)
	}
	ring(t, fd)
	if ready := c.Wait(c.Now()-1, nil); !slices.Equal(ready, []int{fd}) {
		t.Errorf("ready: %v", ready)
	}
}

// TestWakeEndsAWait that has no deadline, also one that begins after it; an earlier
// deadline moves the timer.
func TestWakeEndsAWait(t *testing.T) {
	c := newEpoll(t)
	c.Wake()
	c.Wait(0, nil)
	go c.Wake()
	c.Wait(c.Now().Add(time.Hour), nil)
	deadline := c.Now().Add(time.Millisecond)
	c.Wait(deadline, nil)
	if c.Now() < deadline {
		t.Error("a wake-up was taken twice")
	}
}

// TestWatchedDescriptorsAreReported until they are watched no longer.
func TestWatchedDescriptorsAreReported(t *testing.T) {
	c := newEpoll(t)
	a, b := eventfd(t), eventfd(t)
	for _, fd := range []int{a, b} {
		if err := c.Watch(fd); err != nil {
			t.Fatal(err)
		}
		ring(t, fd)
	}
	ready := c.Wait(0, nil)
	slices.Sort(ready)
	if want := []int{min(a, b), max(a, b)}; !slices.Equal(ready, want) {
		t.Errorf("ready: %v, want %v", ready, want)
	}
	if err := c.Unwatch(a); err != nil {
		t.Fatal(err)
	}
	if ready := c.Wait(0, nil); !slices.Equal(ready, []int{b}) {
		t.Errorf("ready: %v", ready)
	}
}

// TestALateWakeWritesToNobody: the descriptors may be somebody else's by then.
func TestALateWakeWritesToNobody(t *testing.T) {
	c := newEpoll(t)
	var wakers sync.WaitGroup
	for range 4 {
		wakers.Go(func() {
			for range 1000 {
				c.Wake()
			}
		})
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	fd := eventfd(t) // very likely the number that has just become free
	wakers.Wait()
	var buf [8]byte
	if _, err := unix.Read(fd, buf[:]); err != unix.EAGAIN {
		t.Errorf("somebody wrote: %v", err)
	}
}

// TestTheIdleLoopAllocatesNothing.
func TestTheIdleLoopAllocatesNothing(t *testing.T) {
	c := newEpoll(t)
	ready := make([]int, 0, 8)
	if n := testing.AllocsPerRun(50, func() {
		ready = c.Wait(c.Now().Add(100*time.Microsecond), ready[:0])
		c.Asleep()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestTheThreadIsInRealTime where it may, and children are not.
func TestTheThreadIsInRealTime(t *testing.T) {
	said := make(chan string, 1)
	policy := make(chan unix.SchedAttr, 1)
	go func() {
		runtime.LockOSThread() // and ends with it
		said <- prioritize()
		attr, err := unix.SchedGetAttr(0, 0)
		if err != nil {
			t.Error(err)
			attr = &unix.SchedAttr{}
		}
		policy <- *attr
	}()
	text, attr := <-said, <-policy
	if !strings.HasPrefix(text, "SCHED_RR") {
		t.Skipf("needs CAP_SYS_NICE and real time: %s", text)
	}
	if text != "SCHED_RR 10" || attr.Policy != unix.SCHED_RR || attr.Priority != 10 || attr.Flags&unix.SCHED_FLAG_RESET_ON_FORK == 0 {
		t.Errorf("%s: %+v", text, attr)
	}
}

// TestWithoutTheCapabilityItSaysSo: what is left then is for the limits to say.
func TestWithoutTheCapabilityItSaysSo(t *testing.T) {
	if !canNice() {
		t.Skip("needs CAP_SYS_NICE, to drop it")
	}
	said := make(chan string, 1)
	go func() {
		runtime.LockOSThread()
		dropNice(t)
		said <- prioritize()
	}()
	switch got := <-said; got {
	case "normal (no CAP_SYS_NICE)", "nice -20 (no CAP_SYS_NICE)":
	case "SCHED_RR 10":
		t.Skip("RLIMIT_RTPRIO allows real time without the capability")
	default:
		t.Errorf("it says %q", got)
	}
}

// dropNice takes CAP_SYS_NICE from the calling thread.
func dropNice(t *testing.T) {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&hdr, &data[0]); err != nil {
		t.Error(err)
	}
	for i := range data {
		if i == unix.CAP_SYS_NICE/32 {
			data[i].Effective &^= 1 << (unix.CAP_SYS_NICE % 32)
			data[i].Permitted &^= 1 << (unix.CAP_SYS_NICE % 32)
		}
	}
	if err := unix.Capset(&hdr, &data[0]); err != nil {
		t.Error(err)
	}
}

func eventfd(t testing.TB) int {
	t.Helper()
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}

func ring(t testing.TB, fd int) {
	t.Helper()
	if _, err := unix.Write(fd, []byte{1, 0, 0, 0, 0, 0, 0, 0}); err != nil {
		t.Fatal(err)
	}
}
