//go:build linux

package rawsock

import (
	"net"
	"syscall"
)

// descriptor is a socket as packages ipv4 and ipv6 want to see one. It asks an IPConn for
// SyscallConn, and for LocalAddr to name it in an error; the methods of the embedded nil
// are never called.
type descriptor struct {
	*net.IPConn
	fd int
}

var (
	_ net.Conn        = (*descriptor)(nil)
	_ net.PacketConn  = (*descriptor)(nil)
	_ syscall.RawConn = direct(0)
)

func (d *descriptor) SyscallConn() (syscall.RawConn, error) { return direct(d.fd), nil }

func (d *descriptor) LocalAddr() net.Addr { return &net.IPAddr{IP: net.IPv4zero} }

// direct is a descriptor without the Go runtime's poller: what is to be done with it is
// done at once, and once, because every call carries MSG_DONTWAIT.
type direct uintptr

func (d direct) Control(f func(fd uintptr)) error    { f(uintptr(d)); return nil }
func (d direct) Read(f func(fd uintptr) bool) error  { f(uintptr(d)); return nil }
func (d direct) Write(f func(fd uintptr) bool) error { f(uintptr(d)); return nil }
