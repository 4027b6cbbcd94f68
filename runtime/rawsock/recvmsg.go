//go:build linux

package rawsock

import (
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"

	"hafile/runtime/vrrp/wire"
)

// inbox receives from raw IPv6 sockets, which deliver no IP header: the source is the
// sender's address, destination and hop limit come as control messages. Packages unix and
// ipv6 allocate for each of them.
type inbox struct {
	header  unix.Msghdr
	vector  unix.Iovec
	from    unix.RawSockaddrInet6
	control [128]byte // room for both messages
}

func newInbox(buf []byte) *inbox {
	m := &inbox{}
	m.vector.Base = &buf[0]
	m.vector.SetLen(len(buf))
	m.header.Name = (*byte)(unsafe.Pointer(&m.from))
	m.header.Iov = &m.vector
	m.header.SetIovlen(1)
	m.header.Control = &m.control[0]
	return m
}

// receive fills the buffer. What the kernel does not say is zero in the header, and no
// advert passes with that.
func (m *inbox) receive(fd int) (n int, h wire.Header, err error) {
	m.header.Namelen = unix.SizeofSockaddrInet6
	m.header.SetControllen(len(m.control))
	size, _, errno := unix.Syscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&m.header)), unix.MSG_DONTWAIT)
	if errno != 0 {
		return 0, h, errno
	}
	h.Source = netip.AddrFrom16(m.from.Addr)
	for rest := m.control[:m.header.Controllen]; len(rest) >= unix.SizeofCmsghdr; {
		c := (*unix.Cmsghdr)(unsafe.Pointer(&rest[0]))
		length := int(c.Len)
		if length < unix.CmsgLen(0) || length > len(rest) {
			break
		}
		data := rest[unix.CmsgLen(0):length]
		switch {
		case c.Level != unix.IPPROTO_IPV6:
		case c.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
			h.Destination = netip.AddrFrom16([16]byte(data))
		case c.Type == unix.IPV6_HOPLIMIT && len(data) >= 4:
			h.TTL = uint8(*(*int32)(unsafe.Pointer(&data[0])))
		}
		rest = rest[min(unix.CmsgSpace(length-unix.CmsgLen(0)), len(rest)):]
	}
	return int(size), h, nil
}

// outOf are the control messages that give a packet its source and its hop limit: they
// are written where sourceAt and limitAt say.
func outOf(index int) []byte {
	b := make([]byte, limitOffset+unix.CmsgSpace(4))
	c := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
	c.Level, c.Type = unix.IPPROTO_IPV6, unix.IPV6_PKTINFO
	c.SetLen(unix.CmsgLen(unix.SizeofInet6Pktinfo))
	info := (*unix.Inet6Pktinfo)(unsafe.Pointer(&b[unix.CmsgLen(0)]))
	info.Ifindex = uint32(index)
	c = (*unix.Cmsghdr)(unsafe.Pointer(&b[limitOffset]))
	c.Level, c.Type = unix.IPPROTO_IPV6, unix.IPV6_HOPLIMIT
	c.SetLen(unix.CmsgLen(4))
	return b
}

var limitOffset = unix.CmsgSpace(unix.SizeofInet6Pktinfo)

func sourceAt(control []byte) []byte { return control[unix.CmsgLen(0):][:16] }

func limitAt(control []byte) []byte { return control[limitOffset+unix.CmsgLen(0):][:4] }
