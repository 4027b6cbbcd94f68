package announce

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

const (
	probes   = 3
	probeGap = 100 * time.Millisecond // after each
)

// Answer is a machine that has one of the addresses.
type Answer struct {
	Addr netip.Addr
	MAC  net.HardwareAddr
}

func htons(v uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v))
}

// Probe asks the segment of an interface who has the addresses (RFC 5227, 2.1.1, and
// RFC 4862, 5.4): up to three times, 100 ms apart. It returns at once when each has been
// answered for, and otherwise after 300 ms, or with what it has when ctx ends. Every ARP
// packet that comes from one of the addresses and every neighbour advertisement of one
// counts, also an announcement that happens to pass. Another machine that only asks, as a
// member of the group does when the same plan arrives there, has not got the address.
//
// The sockets are made on the calling thread, and each family is asked at its own time.
// It needs CAP_NET_RAW.
func Probe(ctx context.Context, i Interface, addrs []netip.Addr) ([]Answer, error) {
	if len(addrs) > 0 && len(i.MAC) != len(MAC{}) {
		return nil, fmt.Errorf("probe on %s: it has no Ethernet address", i.Name)
	}
	var all []Answer
	for _, protocol := range []uint16{etherARP, etherIPv6} {
		of := slices.DeleteFunc(slices.Clone(addrs), func(a netip.Addr) bool { return a.Is4() != (protocol == etherARP) })
		if len(of) == 0 {
			continue
		}
		answers, err := probe(ctx, i, protocol, of)
		if all = append(all, answers...); err != nil {
			return all, err
		}
	}
	return all, nil
}

// probe asks for addresses of one family.
func probe(ctx context.Context, i Interface, protocol uint16, addrs []netip.Addr) ([]Answer, error) {
	p, err := newProber(i, protocol, addrs)
	if err != nil {
		return nil, fmt.Errorf("probe on %s: %w", i.Name, err)
	}
	defer p.file.Close()
	// A deadline in the past ends a read at once.
	defer context.AfterFunc(ctx, func() { _ = p.file.SetReadDeadline(time.Unix(1, 0)) })()
	for round := 0; round < probes && len(p.open) > 0 && ctx.Err() == nil; round++ {
		if err := p.round(ctx); err != nil {
			return p.answers, fmt.Errorf("probe on %s: %w", i.Name, err)
		}
	}
	return p.answers, ctx.Err()
}

type prober struct {
	file    *os.File
	mac     MAC
	addrs   []netip.Addr
	open    map[netip.Addr]bool // not answered for yet
	answers []Answer
	buf     []byte
}

func newProber(i Interface, protocol uint16, addrs []netip.Addr) (*prober, error) {
	// The protocol comes with the bind: before it, packets of other interfaces would
	// arrive.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: i.Index, Protocol: htons(protocol)}); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	p := &prober{file: os.NewFile(uintptr(fd), "neighbours"), mac: MAC(i.MAC), addrs: addrs, open: map[netip.Addr]bool{}, buf: make([]byte, 2048)}
	for _, a := range addrs {
		p.open[a] = true
	}
	return p, nil
}

// round asks once for what is open, and listens until the next is due.
func (p *prober) round(ctx context.Context) error {
	if err := p.file.SetReadDeadline(time.Now().Add(probeGap)); err != nil {
		return err
	}
	if ctx.Err() != nil { // it ended before the deadline was set
		return nil
	}
	for _, a := range p.addrs {
		if !p.open[a] {
			continue
		}
		if _, err := p.file.Write(question(p.mac, a)); err != nil && !errors.Is(err, unix.ENOBUFS) {
			return err
		}
	}
	for len(p.open) > 0 {
		n, err := p.file.Read(p.buf)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		case err != nil:
			return err
		}
		p.hear(p.buf[:n])
	}
	return nil
}

func question(mac MAC, a netip.Addr) []byte {
	if a.Is4() {
		return ProbeFrame(mac, a)
	}
	return Solicitation(mac, a)
}

// claimed is which address a frame says to have, and at which MAC.
func claimed(frame []byte) (netip.Addr, MAC, bool) {
	if a, err := ParseARP(frame); err == nil {
		return a.SenderIP, a.SenderMAC, true
	}
	n, err := ParseNA(frame)
	if n.TargetMAC == (MAC{}) {
		n.TargetMAC = n.frameFrom
	}
	return n.Target, n.TargetMAC, err == nil
}

func (p *prober) hear(frame []byte) {
	addr, mac, ok := claimed(frame)
	if !ok || mac == p.mac || !slices.Contains(p.addrs, addr) {
		return
	}
	answer := Answer{addr, net.HardwareAddr(mac[:])}
	known := slices.ContainsFunc(p.answers, func(b Answer) bool {
		return b.Addr == answer.Addr && slices.Equal(b.MAC, answer.MAC)
	})
	if !known {
		p.answers = append(p.answers, answer)
	}
	delete(p.open, addr)
}
