//go:build linux

package rawsock

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"

	"hafile/runtime/vrrp/wire"
)

// batchMax is how many adverts leave in one call.
const batchMax = 64

// Pair is the two sockets of one interface, family and mode.
type Pair struct {
	config   Config
	ear      *ear
	tx       descriptor
	sender   batches
	group    target // multicast
	ids      atomic.Pointer[vrids]
	tally    tally
	advert   wire.Advert
	messages []ipv4.Message // batchMax of them; the first queued are to be sent
	queued   int
	id       uint16 // of the last packet with an authentication header
	closing  sync.Once
	virtual  atomic.Pointer[virtual]
	frames   [][]byte // queued, of routers with a virtual MAC
}

// batches is package ipv4's or package ipv6's; their messages are one type.
type batches interface {
	WriteBatch(ms []ipv4.Message, flags int) (int, error)
}

// Open makes both sockets in the network namespace of the calling thread. It needs
// CAP_NET_RAW and CAP_NET_ADMIN.
func Open(c Config) (*Pair, error) {
	c.Source = c.Source.WithZone("")
	p := &Pair{config: c, group: targetAt(c.group())}
	p.tx.fd = -1
	if err := p.open(); err != nil {
		_ = p.Close()
		return nil, fmt.Errorf("sockets on %s: %w", c.Interface, err)
	}
	return p, nil
}

func (p *Pair) open() (err error) {
	c := &p.config
	if err := c.check(); err != nil {
		return err
	}
	if p.ear, err = newEar(c); err != nil {
		return err
	}
	if p.tx.fd, err = sender(c); err != nil {
		return err
	}
	p.sender = ipv4.NewPacketConn(&p.tx)
	if c.IPv6 {
		p.sender = ipv6.NewPacketConn(&p.tx)
	}
	p.messages = make([]ipv4.Message, batchMax)
	for i := range p.messages {
		p.messages[i] = ipv4.Message{Buffers: [][]byte{make([]byte, 0, 128)}}
		if c.IPv6 {
			p.messages[i].OOB = outOf(c.Index)
		}
	}
	if err := p.SetVirtual(c.Virtual); err != nil {
		return err
	}
	return p.SetVRIDs(c.VRIDs)
}

// SetVRIDs changes which adverts are received, from one packet to the next.
func (p *Pair) SetVRIDs(ids []uint8) error {
	set := setOf(ids)
	program, err := filter(p.config.layout(), set, true)
	if err != nil {
		return err
	}
	p.ids.Store(set)
	return attach(p.ear.fd, program)
}

// Interface that the pair was opened on.
func (p *Pair) Interface() string { return p.config.Interface }

// FD is readable when Next has something to do.
func (p *Pair) FD() int { return p.ear.fd }

// Next is what has arrived with a virtual router id of ours, and why it is refused if it
// is; ok is false when nothing is left. The advert is valid until the next call and holds
// what wire.Parse says.
func (p *Pair) Next() (a *wire.Advert, from netip.Addr, reason wire.Reason, ok bool) {
	for {
		from, reason, peer, err := p.ear.hear(&p.advert)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return nil, netip.Addr{}, 0, false
		case err != nil:
			p.tally.receiveErrors.Add(1)
			return nil, netip.Addr{}, 0, false
		}
		if reason, ours := p.take(reason, peer); ours {
			return &p.advert, from, reason, true
		}
	}
}

// take counts a packet and reports whether a router of ours should hear of it.
func (p *Pair) take(reason wire.Reason, peer bool) (wire.Reason, bool) {
	ids := p.ids.Load()
	ours := ids[p.advert.VRID]
	weight := ids.weight(&p.advert)
	p.tally.received.Add(weight)
	switch {
	case ours && !peer:
		reason = wire.UnknownPeer
	case reason == wire.OK && !ours:
		reason = wire.UnknownVRID
	}
	if reason != wire.OK {
		p.tally.dropped[reason].Add(weight)
	}
	return reason, ours
}

// Queue adds an advert to the next batch: with unicast one for each peer of its router.
// It panics where wire.Append does.
func (p *Pair) Queue(a *wire.Advert, source netip.Addr) {
	table := p.ear.peers.Load()
	if table == nil {
		if v := p.virtual.Load(); v != nil && v.ids[a.VRID] {
			p.frame(v, a, source)
			return
		}
		p.queue(a, source, p.group)
		return
	}
	for _, to := range table.of[a.VRID] {
		p.queue(a, source, to)
	}
}

func (p *Pair) queue(a *wire.Advert, source netip.Addr, to target) {
	if p.queued == batchMax {
		p.Flush()
	}
	m := &p.messages[p.queued]
	m.Addr = to.net
	h := wire.Header{Source: source, Destination: to.address, TTL: to.ttl}
	if p.config.IPv6 {
		raw := source.As16()
		copy(sourceAt(m.OOB), raw[:])
		binary.NativeEndian.PutUint32(limitAt(m.OOB), uint32(to.ttl))
		m.Buffers[0] = wire.AppendMessage(m.Buffers[0][:0], h, a)
	} else {
		h.ID = p.identify(a)
		m.Buffers[0] = wire.Append(m.Buffers[0][:0], h, a)
	}
	p.queued++
}

// identify numbers the packets whose authentication header covers the number. To the
// others the kernel gives one.
func (p *Pair) identify(a *wire.Advert) uint16 {
	if a.Auth != wire.AuthAH {
		return 0
	}
	if p.id++; p.id == 0 {
		p.id++
	}
	return p.id
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
	if len(p.frames) > 0 {
		sent += p.flushFrames()
	}
	p.tally.sent.Add(uint64(sent))
	return sent
}

// Close closes both sockets. The loop must have let go of the pair.
func (p *Pair) Close() (err error) {
	p.closing.Do(func() {
		fds := []int{p.tx.fd}
		if v := p.virtual.Load(); v != nil {
			fds = append(fds, v.fd)
		}
		if p.ear != nil {
			fds = append(fds, p.ear.fd)
		}
		for _, fd := range fds {
			if fd >= 0 {
				err = errors.Join(err, os.NewSyscallError("close", unix.Close(fd)))
			}
		}
	})
	return err
}
