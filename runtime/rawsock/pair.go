//go:build linux

package rawsock

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"

	"hafile/runtime/vrrp/wire"
)

// Config of a pair.
type Config struct {
	Interface string
	Index     int     // of the interface
	VRIDs     []uint8 // that are received
}

// packetMax is more than the longest advert (20 + 8 + 255·4 + 8 + 28 bytes); what is cut
// off by it promises more than it holds and is counted so.
const packetMax = 2048

// batchMax is how many adverts leave in one call.
const batchMax = 64

// Pair is the two sockets of one interface.
type Pair struct {
	name     string
	rx       int
	tx       descriptor
	sender   *ipv4.PacketConn
	ids      atomic.Pointer[vrids]
	tally    tally
	buf      []byte
	advert   wire.Advert
	messages []ipv4.Message // batchMax of them; the first queued are to be sent
	queued   int
	closing  sync.Once
}

// Open makes both sockets in the network namespace of the calling thread. It needs
// CAP_NET_RAW and CAP_NET_ADMIN.
func Open(c Config) (*Pair, error) {
	p := &Pair{name: c.Interface, rx: -1, buf: make([]byte, packetMax)}
	p.tx.fd = -1
	if err := p.open(c); err != nil {
		_ = p.Close()
		return nil, fmt.Errorf("sockets on %s: %w", c.Interface, err)
	}
	return p, nil
}

func (p *Pair) open(c Config) (err error) {
	if p.rx, err = receiver(c); err != nil {
		return err
	}
	if p.tx.fd, err = sender(c); err != nil {
		return err
	}
	p.sender = ipv4.NewPacketConn(&p.tx)
	p.messages = make([]ipv4.Message, batchMax)
	for i := range p.messages {
		p.messages[i] = ipv4.Message{Buffers: [][]byte{make([]byte, 0, 128)}, Addr: group}
	}
	return p.SetVRIDs(c.VRIDs)
}

// SetVRIDs changes which adverts are received, from one packet to the next.
func (p *Pair) SetVRIDs(ids []uint8) error {
	set := setOf(ids)
	program, err := filter(set, true)
	if err != nil {
		return err
	}
	p.ids.Store(set)
	return attach(p.rx, program)
}

// Interface that the pair was opened on.
func (p *Pair) Interface() string { return p.name }

// FD is readable when Next has something to do.
func (p *Pair) FD() int { return p.rx }

// Next is what has arrived with a virtual router id of ours, and why the codec refuses it
// if it does; ok is false when nothing is left. The advert is valid until the next call
// and holds what wire.Parse says. It reads packet by packet: a queue that runs empty is
// how every round ends, and package ipv4 allocates an error for that.
func (p *Pair) Next() (a *wire.Advert, from netip.Addr, reason wire.Reason, ok bool) {
	for {
		n, err := unix.Read(p.rx, p.buf)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return nil, netip.Addr{}, 0, false
		case err != nil:
			p.tally.receiveErrors.Add(1)
			return nil, netip.Addr{}, 0, false
		}
		h, reason := wire.Parse(p.buf[:n], &p.advert)
		if p.take(reason) {
			return &p.advert, h.Source, reason, true
		}
	}
}

// take counts a packet and reports whether a router of ours should hear of it.
func (p *Pair) take(reason wire.Reason) bool {
	ids := p.ids.Load()
	weight := ids.weight(&p.advert)
	p.tally.received.Add(weight)
	if reason == wire.OK && weight != 1 {
		reason = wire.UnknownVRID
	}
	if reason != wire.OK {
		p.tally.dropped[reason].Add(weight)
	}
	return ids[p.advert.VRID]
}

// Queue adds an advert to the next batch. It panics where wire.Append does.
func (p *Pair) Queue(a *wire.Advert, source netip.Addr) {
	if p.queued == batchMax {
		p.Flush()
	}
	b := &p.messages[p.queued].Buffers[0]
	*b = wire.Append((*b)[:0], wire.Header{Source: source}, a)
	p.queued++
}

// Flush sends the batch and returns how much of it has left. An advert that cannot be
// sent is counted and skipped: its next is not far.
func (p *Pair) Flush() (sent int) {
	for rest := p.messages[:p.queued]; len(rest) > 0; {
		n, err := p.sender.WriteBatch(rest, unix.MSG_DONTWAIT)
		if err != nil {
			if errors.Is(err, unix.EINTR) {
				continue
			}
			p.tally.fail(err)
			n = 1
		} else {
			sent += n
		}
		rest = rest[n:]
	}
	p.queued = 0
	p.tally.sent.Add(uint64(sent))
	return sent
}

// Close closes both sockets. The loop must have let go of the pair.
func (p *Pair) Close() (err error) {
	p.closing.Do(func() {
		for _, fd := range []int{p.rx, p.tx.fd} {
			if fd >= 0 {
				err = errors.Join(err, os.NewSyscallError("close", unix.Close(fd)))
			}
		}
	})
	return err
}
