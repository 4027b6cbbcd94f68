package lab

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	askEvery  = time.Millisecond      // a new connection to each VIP
	keepEvery = 10 * time.Millisecond // a request on the connection that is kept
	// patience is how long a request may go without an answer before it counts as lost.
	patience = 100 * time.Millisecond
)

// loss says how a request was lost.
type loss uint8

const (
	answered   loss = iota
	lostNew         // the connection did not come about
	lostFlight      // it did, and then died or fell silent
)

// reply is the end of one request.
type reply struct {
	vip   netip.Addr
	asked time.Time
	ended time.Time
	node  string // who answered
	loss  loss
}

// client asks VIPs for a page: each millisecond over a new connection, and on one
// connection that it keeps. It is one loop over non-blocking sockets, because a
// goroutine and a thread per waiting connection would disturb what it measures. A
// measure must not stand still either: it runs in real time, and what it could not ask
// because it did not run is told apart from what was not answered.
type client struct {
	epoll   int
	vips    []netip.Addr
	flights map[int]*flight // by socket
	order   []*flight       // by deadline
	kept    map[netip.Addr]*flight
	done    func(reply)
	stood   func(time.Duration)
}

// still is how long a round of the loop may take before the client counts as having
// stood still.
const still = 20 * time.Millisecond

// flight is one connection with a request on it.
type flight struct {
	fd        int // -1 once it has ended
	vip       netip.Addr
	keep      bool
	connected bool
	waiting   bool // for an answer
	asked     time.Time
	deadline  time.Time
}

// runClient asks until stop is closed. It must run on a thread of its own in the
// client's namespace; done and stood are called on that thread and must be quick.
func runClient(vips []netip.Addr, stop <-chan struct{}, done func(reply), stood func(time.Duration)) error {
	inRealTime()
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	c := &client{epoll: epoll, vips: vips, flights: map[int]*flight{}, kept: map[netip.Addr]*flight{}, done: done, stood: stood}
	defer c.close()
	return c.loop(stop)
}

// inRealTime lets the calling thread go before everything that does not run in real time.
// Where that is refused the client may stand still, and says so.
func inRealTime() {
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_RR, Priority: 1, Flags: unix.SCHED_FLAG_RESET_ON_FORK}
	_ = unix.SchedSetAttr(0, &attr, 0)
}

func (c *client) loop(stop <-chan struct{}) error {
	next, last := time.Now(), time.Now()
	events := make([]unix.EpollEvent, 1024)
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		now := time.Now()
		if d := now.Sub(last); d > still {
			c.stood(d)
			next = now
		}
		last = now
		for ; !next.After(now); next = next.Add(askEvery) {
			for _, vip := range c.vips {
				c.open(vip, false, now)
			}
		}
		c.keepAsking(now)
		n, err := unix.EpollWait(c.epoll, events, 1)
		if err != nil && err != unix.EINTR {
			return os.NewSyscallError("epoll_wait", err)
		}
		for _, ev := range events[:max(n, 0)] {
			if f := c.flights[int(ev.Fd)]; f != nil {
				c.ready(f, ev.Events)
			}
		}
		c.expire(now) // as of before the look: what had arrived by then has been read
	}
}

func (c *client) close() {
	for fd := range c.flights {
		unix.Close(fd)
	}
	unix.Close(c.epoll)
}

func socketAddress(vip netip.Addr) (family int, to unix.Sockaddr) {
	if vip.Is4() {
		return unix.AF_INET, &unix.SockaddrInet4{Port: webPort, Addr: vip.As4()}
	}
	return unix.AF_INET6, &unix.SockaddrInet6{Port: webPort, Addr: vip.As16()}
}

// open starts a connection. A reset ends it (SO_LINGER 0): a thousand connections a
// second would use up all ports with TIME_WAIT.
func (c *client) open(vip netip.Addr, keep bool, now time.Time) {
	f := &flight{fd: -1, vip: vip, keep: keep, asked: now, deadline: now.Add(patience)}
	family, to := socketAddress(vip)
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		c.end(f, lostNew, "")
		return
	}
	f.fd = fd
	_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	if keep {
		c.kept[vip] = f
	}
	err = unix.Connect(fd, to)
	if err != nil && err != unix.EINPROGRESS {
		c.end(f, lostNew, "")
		return
	}
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLET, Fd: int32(fd)}
	if err := unix.EpollCtl(c.epoll, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		c.end(f, lostNew, "")
		return
	}
	c.flights[fd] = f
	c.order = append(c.order, f)
}

// keepAsking sends the next request on kept connections, and opens those that are gone.
func (c *client) keepAsking(now time.Time) {
	for _, vip := range c.vips {
		f := c.kept[vip]
		switch {
		case f == nil:
			c.open(vip, true, now)
		case f.connected && !f.waiting && now.Sub(f.asked) >= keepEvery:
			f.asked, f.deadline = now, now.Add(patience)
			c.order = append(c.order, f)
			c.ask(f)
		}
	}
}

// ready moves a connection on.
func (c *client) ready(f *flight, events uint32) {
	if !f.connected {
		if events&(unix.EPOLLERR|unix.EPOLLHUP) != 0 {
			c.end(f, failed(f.fd), "")
			return
		}
		if events&unix.EPOLLOUT == 0 {
			return
		}
		f.connected = true
		c.ask(f)
	}
	if f.fd >= 0 && events&(unix.EPOLLIN|unix.EPOLLERR|unix.EPOLLHUP) != 0 {
		c.read(f)
	}
}

// failed tells a connection that never was from one that was in flight: its owner had
// answered, and the next one did not know it, before this thread came to look. The kernel
// says ECONNREFUSED of the one and ECONNRESET of the other.
func failed(fd int) loss {
	if code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR); err == nil && unix.Errno(code) == unix.ECONNRESET {
		return lostFlight
	}
	return lostNew
}

func (c *client) ask(f *flight) {
	f.waiting = true
	request := fmt.Appendf(nil, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", f.vip)
	if _, err := unix.Write(f.fd, request); err != nil {
		c.end(f, lostFlight, "")
	}
}

func (c *client) read(f *flight) {
	var buf [2048]byte
	n, err := unix.Read(f.fd, buf[:])
	switch {
	case err == unix.EAGAIN:
		return
	case err != nil || n == 0:
		c.end(f, lostFlight, "")
		return
	}
	head, body, _ := bytes.Cut(buf[:n], []byte("\r\n\r\n"))
	if status := bytes.Fields(head); len(status) < 2 || string(status[1]) != "200" {
		c.end(f, lostFlight, "")
		return
	}
	c.end(f, answered, string(bytes.TrimSpace(body)))
}

// end reports a request. A kept connection stays open after an answer.
func (c *client) end(f *flight, l loss, node string) {
	keep := f.keep && l == answered
	f.waiting = false
	if !keep {
		if f.fd >= 0 {
			delete(c.flights, f.fd)
			unix.Close(f.fd)
		}
		f.fd = -1
		if f.keep {
			delete(c.kept, f.vip)
		}
	}
	if f.keep && l == lostNew {
		return // to come back is no request; the next one counts again
	}
	c.done(reply{vip: f.vip, asked: f.asked, ended: time.Now(), node: node, loss: l})
}

// expire loses what has waited too long. The list is in the order of deadlines; a kept
// connection stands in it once for each request.
func (c *client) expire(now time.Time) {
	i := 0
	for ; i < len(c.order) && !c.order[i].deadline.After(now); i++ {
		f := c.order[i]
		switch {
		case f.fd < 0 || f.keep && f.connected && !f.waiting:
		case f.connected:
			c.end(f, lostFlight, "")
		default:
			c.end(f, lostNew, "")
		}
	}
	c.order = c.order[i:]
}
