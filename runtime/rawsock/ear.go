//go:build linux

package rawsock

import (
	"net/netip"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"hafile/runtime/vrrp/wire"
)

// packetMax is more than the longest advert (20 + 24 + 8 + 255·4 + 8 + 28 bytes of IPv4,
// 8 + 255·16 + 28 of IPv6); what is cut off by it promises more than it holds and is
// counted so.
const packetMax = 5000

// ear is the receiving socket with what is needed to understand what it hears.
type ear struct {
	fd      int
	ah      bool
	dialect wire.Dialect
	peers   atomic.Pointer[peers] // unicast only
	buf     []byte
	inbox   *inbox // IPv6 only
}

func newEar(c *Config) (*ear, error) {
	fd, err := receiver(c)
	if err != nil {
		return nil, err
	}
	e := &ear{fd: fd, ah: c.AH, dialect: c.dialect(), buf: make([]byte, packetMax)}
	if c.IPv6 {
		e.inbox = newInbox(e.buf)
	}
	if c.Transport == wire.Unicast {
		e.peers.Store(tableOf(c, c.Peers))
	}
	return e, nil
}

// hear reads one packet into a. peer is false for unicast from an address that is none of
// the router's peers. It reads packet by packet: a queue that runs empty is how every
// round ends, and package ipv4 allocates an error for that.
func (e *ear) hear(a *wire.Advert) (from netip.Addr, reason wire.Reason, peer bool, err error) {
	if e.inbox != nil {
		return e.hear6(a)
	}
	n, err := unix.Read(e.fd, e.buf)
	if err != nil {
		return netip.Addr{}, 0, false, err
	}
	packet := e.buf[:n]
	d, peer := e.dialectOf(e.route(packet))
	h, reason := d.Parse(packet, a)
	return h.Source, reason, peer, nil
}

func (e *ear) hear6(a *wire.Advert) (from netip.Addr, reason wire.Reason, peer bool, err error) {
	n, h, err := e.inbox.receive(e.fd)
	if err != nil {
		return netip.Addr{}, 0, false, err
	}
	message := e.buf[:n]
	vrid := uint8(0)
	if n > 1 {
		vrid = message[1]
	}
	d, peer := e.dialectOf(vrid, h.Source)
	return h.Source, d.ParseMessage(message, h, a), peer, nil
}

// route is what an IPv4 packet has where its virtual router id and its source should be.
func (e *ear) route(p []byte) (vrid uint8, source netip.Addr) {
	if len(p) < shortest {
		return 0, netip.Addr{}
	}
	at := int(p[0]&0xf)*4 + 1
	if e.ah {
		at += wire.AHOverhead
	}
	if at < len(p) {
		vrid = p[at]
	}
	return vrid, netip.AddrFrom4([4]byte(p[12:16]))
}

// dialectOf a sender, and whether it is a peer. Multicast has no peers.
func (e *ear) dialectOf(vrid uint8, source netip.Addr) (*wire.Dialect, bool) {
	table := e.peers.Load()
	if table == nil {
		return &e.dialect, true
	}
	if d := table.dialects[peer{vrid, source}]; d != nil {
		return d, true
	}
	return &e.dialect, false
}
