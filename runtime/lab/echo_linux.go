package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// echoPatience is long: the kernel answers, and what it answers late was not lost.
	echoPatience = 300 * time.Millisecond
	// echoRounds is how many rounds are remembered; it is more than patience lasts.
	echoRounds = 2048
	echoID     = 0x4841
	// echoAhead is how many rounds may be under way of which the machines' own addresses
	// have not answered: more would overflow the queues of this machine, which then lose
	// what the pair has not lost. After echoAway nobody waits for them any longer.
	echoAhead  = 4
	echoAway   = 100 * time.Millisecond
	echoBuffer = 32 << 20 // what arrives while the client stands still
)

// echoes asks every VIP for an echo (RFC 792), again and again. The kernel of whoever
// holds an address answers, so that fifty addresses can be asked on a machine that has
// other work: a connection to each would take all of it.
type echoes struct {
	fd     int
	vips   []netip.Addr // and after them the machines' own addresses
	own    int          // how many those are
	every  time.Duration
	to     []*unix.SockaddrInet4
	index  map[[4]byte]int
	wanted func() map[netip.Addr]bool // nil: all
	rounds [echoRounds]echoRound
	next   uint32 // the round to come
	oldest uint32 // the first that is still open
	done   func(reply)
	stood  func(time.Duration)
}

// echoRound is one request to each VIP.
type echoRound struct {
	number uint32
	asked  time.Time
	open   []bool
}

// runEchoes is [runClient] with echo requests, for those that are wanted at the time.
func runEchoes(vips, own []netip.Addr, every time.Duration, wanted func() map[netip.Addr]bool, stop <-chan struct{}, done func(reply), stood func(time.Duration)) error {
	inRealTime()
	e := &echoes{vips: slices.Concat(vips, own), own: len(own), every: every, wanted: wanted, index: map[[4]byte]int{}, done: done, stood: stood}
	for i, vip := range e.vips {
		if !vip.Is4() {
			return fmt.Errorf("%s: echoes are asked of IPv4 addresses only", vip)
		}
		e.to = append(e.to, &unix.SockaddrInet4{Addr: vip.As4()})
		e.index[vip.As4()] = i
	}
	for i := range e.rounds {
		e.rounds[i].open = make([]bool, len(e.vips))
	}
	if err := e.listen(); err != nil {
		return err
	}
	defer unix.Close(e.fd)
	return e.loop(stop)
}

// listen opens the socket. Its filter lets replies pass only; each reply is a packet
// with its IP header.
func (e *echoes) listen() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMP)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	e.fd = fd
	const icmpFilter, echoReply = 1, 0
	filter := make([]byte, 4)
	binary.NativeEndian.PutUint32(filter, ^uint32(1<<echoReply))
	return errors.Join(
		unix.SetsockoptString(fd, unix.SOL_RAW, icmpFilter, string(filter)),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, echoBuffer),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, echoBuffer),
	)
}

func (e *echoes) loop(stop <-chan struct{}) error {
	at, last := time.Now(), time.Now()
	poll := []unix.PollFd{{Fd: int32(e.fd), Events: unix.POLLIN}}
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		now := time.Now()
		if d := now.Sub(last); d > still {
			e.stood(d)
			at = now
		}
		last = now
		switch waits := e.waits(now); {
		case waits && !at.After(now):
			e.stood(e.every)
			at = at.Add(e.every)
		case !at.After(now):
			e.ask(now)
			at = at.Add(e.every)
		}
		left := unix.NsecToTimespec(int64(max(0, time.Until(at))))
		if _, err := unix.Ppoll(poll, &left, nil); err != nil && err != unix.EINTR {
			return os.NewSyscallError("ppoll", err)
		}
		e.read()
		e.expire(now) // as of before the look: what had arrived by then has been read
	}
}

// waits reports whether the machines themselves are behind, whose network is this one's.
func (e *echoes) waits(now time.Time) bool {
	if e.next-e.oldest < echoAhead {
		return false
	}
	r := &e.rounds[(e.next-echoAhead)%echoRounds]
	return now.Sub(r.asked) < echoAway && slices.Contains(r.open[len(e.vips)-e.own:], true)
}

// ask sends one round. What the socket does not take was not asked.
func (e *echoes) ask(now time.Time) {
	r := &e.rounds[e.next%echoRounds]
	r.number, r.asked = e.next, now
	e.next++
	packet := make([]byte, 16)
	packet[0] = 8 // echo
	binary.BigEndian.PutUint16(packet[4:], echoID)
	binary.BigEndian.PutUint16(packet[6:], uint16(r.number))
	binary.BigEndian.PutUint32(packet[8:], r.number)
	binary.BigEndian.PutUint16(packet[2:], checksum(packet))
	wanted := e.wanted()
	for i := range e.to {
		if i < len(e.vips)-e.own && wanted != nil && !wanted[e.vips[i]] {
			continue
		}
		err := unix.Sendto(e.fd, packet, 0, e.to[i])
		// A neighbour that did not answer ARP is told of as an error of the next packet.
		r.open[i] = err != unix.EAGAIN && err != unix.ENOBUFS
	}
}

// checksum is that of RFC 1071; the length is even.
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

func (e *echoes) read() {
	var buf [256]byte
	for {
		n, err := unix.Read(e.fd, buf[:])
		switch {
		case err == unix.EAGAIN:
			return
		case err != nil:
			continue // of a packet that could not be sent
		}
		e.answer(buf[:n])
	}
}

// answer notes one reply.
func (e *echoes) answer(p []byte) {
	if len(p) < 20 {
		return
	}
	header := int(p[0]&0xf) * 4
	if len(p) < header+16 || binary.BigEndian.Uint16(p[header+4:]) != echoID {
		return
	}
	i, known := e.index[[4]byte(p[12:16])]
	number := binary.BigEndian.Uint32(p[header+8:])
	r := &e.rounds[number%echoRounds]
	if !known || r.number != number || !r.open[i] {
		return
	}
	r.open[i] = false
	e.done(reply{vip: e.vips[i], asked: r.asked, ended: time.Now()})
}

// expire loses what has waited too long.
func (e *echoes) expire(now time.Time) {
	for ; e.oldest != e.next; e.oldest++ {
		r := &e.rounds[e.oldest%echoRounds]
		if e.next-e.oldest < echoRounds && now.Sub(r.asked) < echoPatience {
			return
		}
		for i := range r.open {
			if r.open[i] {
				r.open[i] = false
				e.done(reply{vip: e.vips[i], asked: r.asked, ended: now, loss: lostNew})
			}
		}
	}
}
