package health

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"hafile/lang/plan"
)

// ping sends one echo request and waits for its answer (RFC 792; RFC 4443, section 4).
type ping struct{ spec *plan.Ping }

// The types of echo messages.
const (
	echo4, answer4 = 8, 0
	echo6, answer6 = 128, 129
)

const (
	echoHead  = 8  // type, code, checksum, identifier, sequence
	tokenLen  = 16 // by which we know our own
	packetMax = 1500
)

func (p ping) ask(ctx context.Context) (string, error) {
	conn, err := p.open()
	if err != nil {
		return "", err
	}
	defer conn.Close()
	defer within(ctx, conn)()
	token := make([]byte, tokenLen)
	_, _ = rand.Read(token) // it never fails
	began := time.Now()
	if _, err := conn.Write(echoRequest(p.spec.Address.Unmap().Is6(), token)); err != nil {
		return "", because(ctx, err)
	}
	buf := make([]byte, packetMax)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return "", because(ctx, err)
		}
		if isAnswer(p.spec.Address.Unmap().Is6(), buf[:n], token) {
			return fmt.Sprintf("answered in %v", time.Since(began).Round(10*time.Microsecond)), nil
		}
	}
}

// open makes a socket that hears of nobody else: the kind that anybody may have where
// net.ipv4.ping_group_range allows it, else a raw one.
func (p ping) open() (*os.File, error) {
	to := p.spec.Address.Unmap()
	family, protocol := unix.AF_INET, unix.IPPROTO_ICMP
	if to.Is6() {
		family, protocol = unix.AF_INET6, unix.IPPROTO_ICMPV6
	}
	const flags = unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|flags, protocol)
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) {
		fd, err = unix.Socket(family, unix.SOCK_RAW|flags, protocol)
	}
	if err != nil {
		return nil, fmt.Errorf("open a socket for echo requests: %w", err)
	}
	if err := p.aim(fd, to); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "ping"), nil
}

// aim binds the socket to its interface, if it has one, and to whom it asks.
func (p ping) aim(fd int, to netip.Addr) error {
	zone := to.Zone()
	if name := p.spec.Interface; name != "" {
		if err := unix.SetsockoptString(fd, unix.SOL_SOCKET, unix.SO_BINDTODEVICE, name); err != nil {
			return fmt.Errorf("interface %s: %w", name, err)
		}
		if to.Is6() && to.IsLinkLocalUnicast() && zone == "" {
			zone = name
		}
	}
	if to.Is4() {
		return unix.Connect(fd, &unix.SockaddrInet4{Addr: to.As4()})
	}
	index, err := zoneIndex(zone)
	if err != nil {
		return err
	}
	return unix.Connect(fd, &unix.SockaddrInet6{Addr: to.As16(), ZoneId: index})
}

func zoneIndex(zone string) (uint32, error) {
	if zone == "" {
		return 0, nil
	}
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(n), nil
	}
	i, err := net.InterfaceByName(zone)
	if err != nil {
		return 0, err
	}
	return uint32(i.Index), nil
}

// echoRequest has its checksum with IPv4. With IPv6 the kernel makes it, as it covers
// addresses that only the kernel knows (RFC 3542, section 3.1).
func echoRequest(v6 bool, token []byte) []byte {
	b := make([]byte, echoHead, echoHead+len(token))
	b[0] = echo4
	if v6 {
		b[0] = echo6
	}
	copy(b[4:], token[:2]) // the identifier; the kernel puts its own into that of a ping socket
	binary.BigEndian.PutUint16(b[6:], 1)
	b = append(b, token...)
	if !v6 {
		binary.BigEndian.PutUint16(b[2:], checksum(b))
	}
	return b
}

// checksum of the Internet (RFC 1071).
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	if len(b)%2 == 1 {
		sum += uint32(b[len(b)-1]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// isAnswer reports whether a packet answers our request. A raw socket of IPv4 shows the
// IP header too.
func isAnswer(v6 bool, b, token []byte) bool {
	want := byte(answer6)
	if !v6 {
		want = answer4
		if len(b) >= 20 && b[0]>>4 == 4 {
			b = b[min(int(b[0]&15)*4, len(b)):]
		}
	}
	return len(b) >= echoHead && b[0] == want && b[1] == 0 && bytes.Equal(b[echoHead:], token)
}
