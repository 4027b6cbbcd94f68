package announce

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// Repeats are paced: 200 addresses five times over are a thousand broadcasts, and
	// every host of the segment has to look at each. First announcements are not.
	repeatsAtOnce = 2
	repeatsGap    = time.Millisecond
	// When the card's queue is full, a frame is tried again.
	triesMax  = 3
	fullPause = time.Millisecond
)

// Interface is where frames leave.
type Interface struct {
	Name   string
	Index  int // 0: it is gone
	MAC    net.HardwareAddr
	Router bool // forwards IPv6
}

// Announcer sends announcements by their schedules. Its methods do not block and may be
// called from any goroutine.
type Announcer struct {
	fd    int
	start time.Time

	// The agenda is shared with callers in a hurry: the lock is never held over a send.
	mu     sync.Mutex
	agenda agenda
	links  map[string]Interface

	wake    chan struct{} // has one token as long as the agenda has news
	quit    chan struct{}
	ended   chan struct{}
	closing sync.Once

	sent, failed, unsent atomic.Uint64
}

// Stats counts frames.
type Stats struct {
	Sent   uint64
	Failed uint64 // refused by the kernel: the interface is down, its queue was full for long
	Unsent uint64 // were due on an interface that is not known or has no Ethernet address
}

// Open makes the socket on the calling thread, whose network namespace it belongs to,
// and starts a goroutine that ends with [Announcer.Close]. It needs CAP_NET_RAW.
func Open() (*Announcer, error) {
	// Protocol 0: nothing is received.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open a packet socket: %w", err)
	}
	a := &Announcer{
		fd: fd, start: time.Now(),
		agenda: agenda{jobs: map[key]*job{}}, links: map[string]Interface{},
		wake: make(chan struct{}, 1), quit: make(chan struct{}), ended: make(chan struct{}),
	}
	go a.run()
	return a, nil
}

// Link makes an interface known, or, with Index 0, forgets it. What is due on one that is
// not known is counted as unsent.
func (a *Announcer) Link(i Interface) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if i.Index == 0 {
		delete(a.links, i.Name)
		return
	}
	a.links[i.Name] = i
}

// Announce begins the schedule of addresses that are up, or begins it anew.
func (a *Announcer) Announce(iface string, addrs []netip.Addr, s Schedule) {
	a.mu.Lock()
	a.agenda.announce(a.now(), iface, addrs, s)
	a.mu.Unlock()
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// Silence ends the schedules of addresses, before they are given up. At most the one
// frame that is being handed to the kernel leaves after it.
func (a *Announcer) Silence(iface string, addrs []netip.Addr) {
	a.mu.Lock()
	a.agenda.silence(iface, addrs)
	a.mu.Unlock()
}

// Stats is what has been sent so far.
func (a *Announcer) Stats() Stats {
	return Stats{Sent: a.sent.Load(), Failed: a.failed.Load(), Unsent: a.unsent.Load()}
}

// Close ends all schedules.
func (a *Announcer) Close() error {
	var err error
	a.closing.Do(func() {
		close(a.quit)
		<-a.ended
		err = unix.Close(a.fd)
	})
	return err
}

func (a *Announcer) now() time.Duration { return time.Since(a.start) }

func (a *Announcer) run() {
	defer close(a.ended)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		pause, idle := a.turn()
		if idle {
			timer.Stop()
		} else {
			timer.Reset(pause)
		}
		select {
		case <-a.quit:
			return
		case <-a.wake:
		case <-timer.C:
		}
	}
}

// turn sends every first announcement and a few repeats. It returns how long to wait for
// the next turn; idle: until there is news.
func (a *Announcer) turn() (pause time.Duration, idle bool) {
	for repeats := 0; ; {
		a.mu.Lock()
		j, first := a.agenda.next(a.now())
		var link Interface
		if j != nil {
			link = a.links[j.iface]
		}
		due, more := a.agenda.due()
		a.mu.Unlock()
		switch {
		case j == nil && !more:
			return 0, true
		case j == nil:
			return due - a.now(), false
		}
		a.send(j, link)
		if first {
			continue
		}
		if repeats++; repeats == repeatsAtOnce {
			return max(repeatsGap, due-a.now()), !more
		}
	}
}

func (a *Announcer) send(j *job, link Interface) {
	if len(link.MAC) != len(MAC{}) {
		a.unsent.Add(1)
		return
	}
	frame, protocol := announcement(MAC(link.MAC), j.addr, link.Router)
	to := &unix.SockaddrLinklayer{Ifindex: link.Index, Protocol: protocol}
	for range triesMax {
		if j.silenced.Load() {
			return
		}
		switch err := unix.Sendto(a.fd, frame, 0, to); {
		case err == nil:
			a.sent.Add(1)
			return
		case !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.ENOBUFS):
			a.failed.Add(1)
			return
		}
		time.Sleep(fullPause)
	}
	a.failed.Add(1)
}

// announcement is the frame for an address, and its protocol in network byte order.
func announcement(mac MAC, addr netip.Addr, router bool) (frame []byte, protocol uint16) {
	if addr.Is4() {
		return Gratuitous(mac, addr), htons(etherARP)
	}
	return Unsolicited(mac, addr, router), htons(etherIPv6)
}
