package lab

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"hafile/runtime/lab/netns"
)

// Advert is a VRRP packet as it passed over the segment, or left a machine.
type Advert struct {
	At       time.Time // by the kernel's clock
	From     netip.Addr
	Version  uint8
	VRID     uint8
	Priority uint8
	VIPs     []netip.Addr // that it is about
}

// ear listens for adverts of IPv4: to the whole segment, whoever sends them, or to what
// leaves one machine.
type ear struct {
	fd   int
	mu   sync.Mutex
	all  []Advert
	done chan struct{}
}

// listen opens an ear for what the bridge sees; closing stop ends it.
func listen(segment *netns.NS, stop <-chan struct{}) (*ear, error) {
	link, _, err := segment.Index(netns.BridgeName)
	if err != nil {
		return nil, err
	}
	return hear(segment, stop, &unix.SockaddrLinklayer{Protocol: htons(unix.ETH_P_IP), Ifindex: link}, false)
}

// listenAt opens an ear for what a machine sends, by multicast or not. What it sends is
// heard before any queue of this host may lose it.
func listenAt(machine *netns.NS, stop <-chan struct{}) (*ear, error) {
	return hear(machine, stop, &unix.SockaddrLinklayer{Protocol: htons(unix.ETH_P_ALL)}, true)
}

func hear(ns *netns.NS, stop <-chan struct{}, at *unix.SockaddrLinklayer, leaving bool) (*ear, error) {
	e := &ear{done: make(chan struct{})}
	err := ns.Do(func() error {
		// SOCK_DGRAM: the packet begins with its IP header whatever the link is.
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return os.NewSyscallError("socket", err)
		}
		e.fd = fd
		timeout := unix.Timeval{Usec: 50_000} // so that stop is seen
		return errors.Join(
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
			unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout),
			unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, advertsOnly(leaving)),
			unix.Bind(fd, at),
		)
	})
	if err != nil {
		return nil, err
	}
	go e.run(stop)
	return e, nil
}

const protocolVRRP = 112

// advertsOnly is a filter of IPv4 packets of protocol 112, or of those of them that leave.
func advertsOnly(leaving bool) *unix.SockFprog {
	const typeOfPacket = 0xfffff000 + 4 // SKF_AD_OFF + SKF_AD_PKTTYPE
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: at}
	}
	unless := func(is uint32, skip uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: is, Jf: skip}
	}
	other := uint8(0)
	if leaving {
		other = 1
	}
	filter := []unix.SockFilter{
		load(0), {Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: 0xf0}, unless(0x40, 5),
		load(9), unless(protocolVRRP, 3),
		load(typeOfPacket), unless(unix.PACKET_OUTGOING, other),
		{Code: unix.BPF_RET | unix.BPF_K, K: 0xffff},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
	}
	return &unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
}

func htons(v uint16) uint16 { return v<<8 | v>>8 }

func (e *ear) run(stop <-chan struct{}) {
	defer close(e.done)
	defer unix.Close(e.fd)
	buf, oob := make([]byte, 2048), make([]byte, 256)
	for {
		select {
		case <-stop:
			return
		default:
		}
		n, oobn, _, _, err := unix.Recvmsg(e.fd, buf, oob, 0)
		if err != nil {
			continue // the timeout; a segment that is gone ends with stop
		}
		if a, ok := advertOf(buf[:n]); ok {
			a.At = stamp(oob[:oobn])
			e.mu.Lock()
			e.all = append(e.all, a)
			e.mu.Unlock()
		}
	}
}

// advertOf reads the few fields that matter here. It is no second codec: what it cannot
// read at its place it does not take.
func advertOf(p []byte) (Advert, bool) {
	if len(p) < 20 || p[0]>>4 != 4 || p[9] != protocolVRRP {
		return Advert{}, false
	}
	header := int(p[0]&0xf) * 4
	if header < 20 || len(p) < header+8 {
		return Advert{}, false
	}
	a := Advert{From: netip.AddrFrom4([4]byte(p[12:16])), Version: p[header] >> 4, VRID: p[header+1], Priority: p[header+2]}
	for i := 0; i < int(p[header+3]) && header+12+4*i <= len(p); i++ {
		a.VIPs = append(a.VIPs, netip.AddrFrom4([4]byte(p[header+8+4*i:])))
	}
	return a, true
}

// stamp is the kernel's time of arrival.
func stamp(oob []byte) time.Time {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return time.Now()
	}
	for _, m := range messages {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SCM_TIMESTAMPNS && len(m.Data) >= 16 {
			return time.Unix(int64(binary.NativeEndian.Uint64(m.Data)), int64(binary.NativeEndian.Uint64(m.Data[8:])))
		}
	}
	return time.Now()
}

// heard returns the adverts since t.
func (e *ear) heard(t time.Time) []Advert {
	e.mu.Lock()
	defer e.mu.Unlock()
	var since []Advert
	for _, a := range e.all {
		if a.At.After(t) {
			since = append(since, a)
		}
	}
	return since
}
