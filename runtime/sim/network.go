package sim

import (
	"net/netip"
	"time"

	"hafile/runtime/node"
	"hafile/runtime/vrrp/wire"
)

// Link is one direction between two machines.
type Link struct {
	Cut    bool // nothing passes
	Delay  time.Duration
	Jitter time.Duration // is added, up to so much: packets overtake each other

	Loss, Duplicate, Corrupt float64 // of all packets: 0 to 1
}

// packet is one that is under way.
type packet struct {
	to      *Machine
	iface   string
	at      node.Place
	source  netip.Addr
	from    *Machine
	sent    time.Duration
	arrived time.Duration
	bytes   []byte
}

// backlog is how many packets a socket holds for a process that does not read.
const backlog = 256

// Link from one machine to another, to be looked at and changed.
func (w *World) Link(from, to string) *Link {
	key := [2]string{from, to}
	l := w.links[key]
	if l == nil {
		l = new(Link)
		*l = w.opt.Network
		w.links[key] = l
	}
	return l
}

// send takes an advert to everybody else on the segment, as multicast does: who is a peer
// of whom by unicast is not simulated.
func (w *World) send(from *Machine, e *node.Effect) {
	iface := e.Interface
	if !from.plugged(iface) {
		return
	}
	bytes := packed(e)
	for _, to := range w.machines {
		if to == from || to.links[iface] == nil {
			continue
		}
		l := w.Link(from.Name, to.Name)
		if l.Cut || w.chance(l.Loss) {
			continue
		}
		copies := 1
		if w.chance(l.Duplicate) {
			copies = 2
		}
		for range copies {
			delay := l.Delay
			if l.Jitter > 0 {
				delay += time.Duration(w.rndNet.Int64N(int64(l.Jitter) + 1))
			}
			p := &packet{to: to, from: from, iface: iface, at: e.Place, source: e.Source, sent: w.now, bytes: bytes}
			if w.chance(l.Corrupt) {
				p.bytes = w.damaged(bytes)
			}
			w.events.push(event{at: w.now + delay, packet: p})
		}
	}
}

// packed is an advert as it is sent: a whole packet over IPv4, a message over IPv6.
func packed(e *node.Effect) []byte {
	if e.Source.Is4() {
		return wire.Append(nil, wire.Header{Source: e.Source, ID: 1}, &e.Advert)
	}
	return wire.AppendMessage(nil, wire.Header{Source: e.Source}, &e.Advert)
}

func (k *packet) parse(a *wire.Advert) wire.Reason {
	if k.source.Is4() {
		d := wire.Dialect{AH: k.at.AH}
		_, reason := d.Parse(k.bytes, a)
		return reason
	}
	return wire.ParseMessage(k.bytes, wire.Header{Source: k.source, Destination: wire.Group6(), TTL: wire.TTL}, a)
}

func (w *World) chance(of float64) bool { return of > 0 && w.rndNet.Float64() < of }

// damaged flips one bit behind the IPv4 header, whose own sum the kernel checks.
func (w *World) damaged(bytes []byte) []byte {
	header := 0
	if bytes[0]>>4 == 4 {
		header = 20
	}
	b := append([]byte(nil), bytes...)
	at := header + w.rndNet.IntN(len(b)-header)
	b[at] ^= 1 << w.rndNet.IntN(8)
	return b
}

// arrive puts the packet into the socket of the process that runs there, if any.
func (p *packet) arrive(w *World) {
	to := p.to
	if to.process == nil || !to.plugged(p.iface) || to.clock.suspended || len(to.process.arrived) >= backlog {
		return
	}
	p.arrived = w.now
	to.process.arrived = append(to.process.arrived, p)
	to.process.wakeAfter(0)
}
