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

// Advert is a VRRP packet as it passed over the segment.
type Advert struct {
	At       time.Time // by the kernel's clock, when the bridge saw it
	From     netip.Addr
	VRID     uint8
	Priority uint8
}

// ear listens to the whole segment for adverts of IPv4, whoever sends them.
type ear struct {
	fd   int
	mu   sync.Mutex
	all  []Advert
	done chan struct{}
}

// listen opens the ear; closing stop ends it.
func listen(segment *netns.NS, stop <-chan struct{}) (*ear, error) {
	e := &ear{done: make(chan struct{})}
	err := segment.Do(func() error {
		// SOCK_DGRAM: the packet begins with its IP header whatever the link is.
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return os.NewSyscallError("socket", err)
		}
		e.fd = fd
		link, _, err := segment.Index(netns.BridgeName)
		if err != nil {
			return err
		}
		timeout := unix.Timeval{Usec: 50_000} // so that stop is seen
		return errors.Join(
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
			unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout),
			unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: htons(unix.ETH_P_IP), Ifindex: link}),
		)
	})
	if err != nil {
		return nil, err
	}
	go e.run(stop)
	return e, nil
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
	const vrrp = 112
	if len(p) < 20 || p[0]>>4 != 4 || p[9] != vrrp {
		return Advert{}, false
	}
	header := int(p[0]&0xf) * 4
	if header < 20 || len(p) < header+8 {
		return Advert{}, false
	}
	return Advert{From: netip.AddrFrom4([4]byte(p[12:16])), VRID: p[header+1], Priority: p[header+2]}, true
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
