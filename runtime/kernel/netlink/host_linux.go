package netlink

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/google/nftables"
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
	links   map[string]*link // as last read
	strict  *host            // for things; nil in a host that is not asked for them

	filter *nftables.Conn // nil: there is no nftables

	was   map[int]alias // of interfaces with macvlans of ours, by index
	ns    *os.File      // the network namespace of the sockets
	inode uint64
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
	h := &host{sockets: map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: {Socket: s}}, was: map[int]alias{}}
	if h.ns, err = os.Open("/proc/thread-self/ns/net"); err == nil {
		h.inode, err = namespace()
	}
	if err != nil {
		h.close()
		return nil, fmt.Errorf("find the network namespace: %w", err)
	}
	return h, nil
}

func (h *host) close() {
	h.sockets[unix.NETLINK_ROUTE].Close()
	if h.ns != nil {
		_ = h.ns.Close()
	}
	if h.filter != nil {
		_ = h.filter.CloseLasting()
	}
	if h.strict != nil {
		h.strict.close()
	}
}

func (h *host) execute(req *nl.NetlinkRequest, kind uint16) ([][]byte, error) {
	req.Sockets = h.sockets
	return req.Execute(unix.NETLINK_ROUTE, kind)
}

// Apply implements kernel.Host.
func (h *host) Apply(op kernel.Op) error {
	if op.Thing != (kernel.Thing{}) {
		return h.applyThing(op)
	}
	l, ok := h.links[op.Interface]
	if !ok {
		return syscall.ENODEV
	}
	switch {
	case op.Kind == kernel.Replace:
		return h.replace(l, op)
	case op.Kind == kernel.Delete:
		return h.delete(l, op.Address)
	}
	return h.tell(op.Kind, l, op.Address)
}

func (h *host) tell(kind kernel.Kind, l *link, a kernel.Address) error {
	_, err := h.execute(addressRequest(kind, l.Index, a), 0)
	return err
}

// delete takes one address away, and never another with it.
func (h *host) delete(l *link, a kernel.Address) error {
	if a.Prefix.IsSingleIP() || a.Prefix.Addr().Is6() {
		return h.tell(kernel.Delete, l, a)
	}
	return h.promoting(l, func() error { return h.tell(kernel.Delete, l, a) })
}

// replace has a stand-in answer for the address meanwhile, where there can be one.
func (h *host) replace(l *link, op kernel.Op) (err error) {
	if in, ok := op.StandIn(); ok {
		if err := h.tell(kernel.Add, l, in); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, h.delete(l, in)) }()
	}
	if err := h.delete(l, op.Old); err != nil {
		return err
	}
	return h.tell(kernel.Add, l, op.Address)
}

// Read implements kernel.Host.
func (h *host) Read(things bool) (kernel.Reading, error) {
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
	h.links = map[string]*link{}
	for _, raw := range rawLinks {
		l, err := parseLink(raw)
		if err != nil {
			return r, err
		}
		at[l.Index], h.links[l.Name] = len(r.Links), &l
		r.Links = append(r.Links, l.Link)
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
		if a.label == r.Links[k].Name {
			a.label = ""
		}
		r.Installed = append(r.Installed, kernel.Installed{
			Address:   kernel.Address{Interface: r.Links[k].Name, Prefix: a.prefix, Label: a.label, Scope: a.scope},
			Secondary: a.secondary, Marked: a.marked})
		if !a.marked {
			r.Links[k].Addresses = append(r.Links[k].Addresses, a.prefix)
		}
	}
	if things && h.strict != nil {
		r.Things, err = h.things()
	}
	return r, err
}

func (h *host) dump(request func() *nl.NetlinkRequest, kind uint16) (raw [][]byte, err error) {
	for range dumpsMax {
		raw, err = h.execute(request(), kind)
		if !errors.Is(err, nl.ErrDumpInterrupted) {
			break
		}
	}
	return raw, err
}
