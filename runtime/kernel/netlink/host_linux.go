package netlink

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"hafile/runtime/kernel"
)

const (
	// The kernel answers at once or something is very wrong; the owner must not hang.
	answerMax = 2 // seconds
	// A dump that a change has interrupted may be incomplete and is repeated.
	dumpsMax = 10
)

// host is the real kernel.Host: the socket for commands.
type host struct {
	sockets map[int]*nl.SocketHandle
	index   map[string]int // of each link, as last read
}

func openHost() (*host, error) {
	s, err := nl.GetNetlinkSocketAt(netns.None(), netns.None(), unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	wait := &unix.Timeval{Sec: answerMax}
	err = errors.Join(s.SetReceiveTimeout(wait), s.SetSendTimeout(wait))
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("set up a netlink socket: %w", err)
	}
	_ = s.SetExtAck(true) // its absence costs the reason in an error, nothing else
	return &host{sockets: map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: {Socket: s}}}, nil
}

func (h *host) close() { h.sockets[unix.NETLINK_ROUTE].Close() }

// Apply implements kernel.Host.
func (h *host) Apply(op kernel.Op) error {
	index, ok := h.index[op.Interface]
	if !ok {
		return syscall.ENODEV
	}
	req := addressRequest(op.Kind, index, op.Prefix)
	req.Sockets = h.sockets
	_, err := req.Execute(unix.NETLINK_ROUTE, 0)
	return err
}

// Read implements kernel.Host.
func (h *host) Read() (kernel.Reading, error) {
	var r kernel.Reading
	rawLinks, err := h.dump(linksRequest, unix.RTM_NEWLINK)
	if err != nil {
		return r, fmt.Errorf("list the interfaces: %w", err)
	}
	rawAddresses, err := h.dump(addressesRequest, unix.RTM_NEWADDR)
	if err != nil {
		return r, fmt.Errorf("list the addresses: %w", err)
	}
	at := map[int]int{} // position in r.Links by index
	h.index = map[string]int{}
	for _, raw := range rawLinks {
		l, err := parseLink(raw)
		if err != nil {
			return r, err
		}
		at[l.Index], h.index[l.Name] = len(r.Links), l.Index
		r.Links = append(r.Links, l)
	}
	for _, raw := range rawAddresses {
		a, err := parseAddress(raw)
		if err != nil {
			return r, err
		}
		k, known := at[a.index]
		if !known {
			continue // the interface came between the two dumps; its event is on the way
		}
		r.Installed = append(r.Installed, kernel.Installed{
			Address: kernel.Address{Interface: r.Links[k].Name, Prefix: a.prefix}, Marked: a.marked})
		if !a.marked {
			r.Links[k].Addresses = append(r.Links[k].Addresses, a.prefix)
		}
	}
	return r, nil
}

func (h *host) dump(request func() *nl.NetlinkRequest, kind uint16) (raw [][]byte, err error) {
	for range dumpsMax {
		req := request()
		req.Sockets = h.sockets
		raw, err = req.Execute(unix.NETLINK_ROUTE, kind)
		if !errors.Is(err, nl.ErrDumpInterrupted) {
			break
		}
	}
	return raw, err
}
