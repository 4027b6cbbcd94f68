//go:build linux

package rawsock

import (
	"fmt"
	"os"

	"golang.org/x/net/bpf"
	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"

	"hafile/runtime/vrrp/wire"
)

const (
	// receiveBuffer holds some thousand adverts: about a second of a flood.
	receiveBuffer = 4 << 20
	// sendBuffer is one batch of the longest adverts.
	sendBuffer = 256 << 10
	// control is the kernel's band for traffic that keeps the network up (TC_PRIO_CONTROL).
	control = 7
)

// option is one step of making a socket.
type option struct {
	what string
	set  func(fd int) error
}

func integer(what string, level, name, value int) option {
	return option{what, func(fd int) error { return unix.SetsockoptInt(fd, level, name, value) }}
}

// receiver opens the socket that receives. It is deaf until its filter is attached: a raw
// socket hears every interface from the moment it exists.
func receiver(c Config) (int, error) {
	return build(wire.Protocol,
		option{"attach the filter", func(fd int) error { return attach(fd, deaf()) }},
		option{"drain", drain},
		bind(c),
		option{"bind to the group", func(fd int) error {
			return unix.Bind(fd, &unix.SockaddrInet4{Addr: wire.Group().As4()})
		}},
		// The membership is by index: by address it would follow the address elsewhere.
		option{"join the group", func(fd int) error {
			return unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP,
				&unix.IPMreqn{Multiaddr: wire.Group().As4(), Ifindex: int32(c.Index)})
		}},
		// What other sockets of this host have joined is not ours.
		integer("IP_MULTICAST_ALL", unix.IPPROTO_IP, unix.IP_MULTICAST_ALL, 0),
		integer("SO_RCVBUFFORCE", unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer),
	)
}

// sender opens the socket that sends: whole packets, whose source may be an address that
// the interface does not have. It never receives, so that nothing queues up in it.
func sender(c Config) (int, error) {
	return build(unix.IPPROTO_RAW,
		option{"attach the filter", func(fd int) error { return attach(fd, deaf()) }},
		bind(c),
		integer("IP_HDRINCL", unix.IPPROTO_IP, unix.IP_HDRINCL, 1),
		integer("IP_MULTICAST_LOOP", unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP, 0),
		option{"IP_MULTICAST_IF", func(fd int) error {
			return unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_IF, &unix.IPMreqn{Ifindex: int32(c.Index)})
		}},
		integer("SO_PRIORITY", unix.SOL_SOCKET, unix.SO_PRIORITY, control),
		integer("SO_SNDBUFFORCE", unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, sendBuffer),
	)
}

func bind(c Config) option {
	return option{"SO_BINDTODEVICE", func(fd int) error { return unix.BindToDevice(fd, c.Interface) }}
}

// build opens a raw socket and takes the steps in their order.
func build(protocol int, steps ...option) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	for _, step := range steps {
		if err := step.set(fd); err != nil {
			_ = unix.Close(fd)
			return -1, fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return fd, nil
}

func attach(fd int, program []bpf.RawInstruction) error {
	return ipv4.NewPacketConn(&descriptor{fd: fd}).SetBPF(program)
}

// drain throws away what came between the socket and its filter.
func drain(fd int) error {
	var buf [1]byte
	for {
		if _, err := unix.Read(fd, buf[:]); err == unix.EAGAIN {
			return nil
		} else if err != nil && err != unix.EINTR {
			return err
		}
	}
}
