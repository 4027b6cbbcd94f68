//go:build linux

package rawsock

import (
	"fmt"
	"net/netip"
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
	sendBuffer = 512 << 10
	// control is the kernel's band for traffic that keeps the network up (TC_PRIO_CONTROL).
	control = 7
	// classSelector6 marks it on the wire; IPv4 has it in its header.
	classSelector6 = 0xc0
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
func receiver(c *Config) (int, error) {
	steps := []option{
		{"attach the filter", func(fd int) error { return attach(fd, deaf()) }},
		{"drain", drain},
		bindDevice(c),
	}
	switch {
	case c.Transport == wire.Unicast:
		steps = append(steps, freebind(c), bind("bind to the source", c, c.Source))
	case c.IPv6:
		steps = append(steps,
			bind("bind to the group", c, c.group()),
			option{"join the group", func(fd int) error {
				return unix.SetsockoptIPv6Mreq(fd, unix.IPPROTO_IPV6, unix.IPV6_JOIN_GROUP,
					&unix.IPv6Mreq{Multiaddr: c.group().As16(), Interface: uint32(c.Index)})
			}},
			integer("IPV6_MULTICAST_ALL", unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_ALL, 0))
	default:
		steps = append(steps,
			bind("bind to the group", c, c.group()),
			// The membership is by index: by address it would follow the address elsewhere.
			option{"join the group", func(fd int) error {
				return unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP,
					&unix.IPMreqn{Multiaddr: c.group().As4(), Ifindex: int32(c.Index)})
			}},
			// What other sockets of this host have joined is not ours.
			integer("IP_MULTICAST_ALL", unix.IPPROTO_IP, unix.IP_MULTICAST_ALL, 0))
	}
	if c.IPv6 {
		steps = append(steps,
			integer("IPV6_RECVHOPLIMIT", unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT, 1),
			integer("IPV6_RECVPKTINFO", unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1))
	}
	steps = append(steps, integer("SO_RCVBUFFORCE", unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer))
	return build(c, c.protocol(), steps...)
}

// sender opens the socket that sends: whole packets over IPv4, messages over IPv6, whose
// source may be an address that the interface does not have. It never receives, so that
// nothing queues up in it.
func sender(c *Config) (int, error) {
	steps := []option{
		{"attach the filter", func(fd int) error { return attach(fd, deaf()) }},
		bindDevice(c),
		integer("SO_PRIORITY", unix.SOL_SOCKET, unix.SO_PRIORITY, control),
		integer("SO_SNDBUFFORCE", unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, sendBuffer),
	}
	if c.IPv6 {
		return build(c, wire.Protocol, append(steps,
			freebind(c),
			integer("IPV6_MULTICAST_IF", unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_IF, c.Index),
			integer("IPV6_MULTICAST_LOOP", unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_LOOP, 0),
			integer("IPV6_TCLASS", unix.IPPROTO_IPV6, unix.IPV6_TCLASS, classSelector6))...)
	}
	steps = append(steps,
		integer("IP_HDRINCL", unix.IPPROTO_IP, unix.IP_HDRINCL, 1),
		integer("IP_MULTICAST_LOOP", unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP, 0),
		option{"IP_MULTICAST_IF", func(fd int) error {
			return unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_IF, &unix.IPMreqn{Ifindex: int32(c.Index)})
		}})
	if c.Transport == wire.Unicast {
		// For the routing rules of this host: the source in the packet does not count there.
		steps = append(steps, freebind(c), bind("bind to the source", c, c.Source))
	}
	return build(c, unix.IPPROTO_RAW, steps...)
}

func bindDevice(c *Config) option {
	return option{"SO_BINDTODEVICE", func(fd int) error { return unix.BindToDevice(fd, c.Interface) }}
}

// freebind lets a socket have an address that is not there yet, or not any more.
func freebind(c *Config) option {
	if c.IPv6 {
		return integer("IPV6_FREEBIND", unix.IPPROTO_IPV6, unix.IPV6_FREEBIND, 1)
	}
	return integer("IP_FREEBIND", unix.IPPROTO_IP, unix.IP_FREEBIND, 1)
}

func bind(what string, c *Config, to netip.Addr) option {
	return option{what, func(fd int) error {
		if c.IPv6 {
			return unix.Bind(fd, &unix.SockaddrInet6{Addr: to.As16(), ZoneId: zone(c, to)})
		}
		return unix.Bind(fd, &unix.SockaddrInet4{Addr: to.As4()})
	}}
}

// zone is the interface, for an address that means nothing without one.
func zone(c *Config, a netip.Addr) uint32 {
	if a.IsLinkLocalUnicast() || a.IsLinkLocalMulticast() {
		return uint32(c.Index)
	}
	return 0
}

// build opens a raw socket and takes the steps in their order.
func build(c *Config, protocol int, steps ...option) (int, error) {
	family := unix.AF_INET
	if c.IPv6 {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, protocol)
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
