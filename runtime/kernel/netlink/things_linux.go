package netlink

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"hafile/runtime/kernel"
)

// openStrict opens a socket for dumps that the kernel filters: of a full table of the
// Internet it then gives the routes of one protocol. An error that ends such a dump has its
// reason in one message with it, which the library takes for an echo of the request and
// reads beyond; so reasons are not asked for.
func openStrict() (*host, error) {
	h, err := openHost()
	if err != nil {
		return nil, err
	}
	s := h.sockets[unix.NETLINK_ROUTE].Socket
	if err := s.SetExtAck(false); err != nil {
		h.close()
		return nil, fmt.Errorf("set up a netlink socket for routes: %w", err)
	}
	// Older kernels give everything then, which costs time and no truth.
	_ = unix.SetsockoptInt(s.GetFd(), unix.SOL_NETLINK, unix.NETLINK_GET_STRICT_CHK, 1)
	return h, nil
}

// things are the routes and rules with our tag.
func (h *host) things() (kernel.Things, error) {
	names := make(map[int]string, len(h.links))
	for name, l := range h.links {
		names[l.Index] = name
	}
	out := append(h.closed(), h.virtualLinks()...)
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		raw, err := h.strict.dump(func() *nl.NetlinkRequest {
			return familyRequest(unix.RTM_GETROUTE, family, kernel.Tag)
		}, unix.RTM_NEWROUTE)
		if err != nil {
			return nil, fmt.Errorf("list the routes: %w", err)
		}
		for _, b := range raw {
			r, mine, err := parseRouteThing(b, names)
			if err != nil {
				return nil, err
			}
			if mine {
				out = append(out, kernel.Thing{Route: &r})
			}
		}
	}
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		raw, err := h.strict.dump(func() *nl.NetlinkRequest {
			return familyRequest(unix.RTM_GETRULE, family, 0)
		}, unix.RTM_NEWRULE)
		if err != nil {
			return nil, fmt.Errorf("list the rules: %w", err)
		}
		for _, b := range raw {
			r, mine, err := parseRule(b)
			if err != nil {
				return nil, err
			}
			if mine {
				out = append(out, kernel.Thing{Rule: &r})
			}
		}
	}
	return out, nil
}

// Things are the routes and rules with hafile's tag in the network namespace of the
// calling thread. It needs no right.
func Things() (kernel.Things, error) {
	h, err := openHost()
	if err != nil {
		return nil, err
	}
	defer h.close()
	if h.strict, err = openStrict(); err != nil {
		return nil, err
	}
	r, err := h.Read(true)
	return r.Things, err
}

func familyRequest(command int, family, protocol uint8) *nl.NetlinkRequest {
	req := nl.NewNetlinkRequest(command, unix.NLM_F_DUMP)
	req.AddData(&nl.RtMsg{RtMsg: unix.RtMsg{Family: family, Protocol: protocol}})
	return req
}

// applyThing carries out an operation on a route or a rule.
func (h *host) applyThing(op kernel.Op) error {
	switch {
	case op.Thing.Link != nil:
		return h.applyLink(op)
	case op.Thing.Closed != nil:
		return h.applyClosed(op)
	}
	req := (*nl.NetlinkRequest)(nil)
	if r := op.Thing.Route; r != nil {
		var err error
		if req, err = h.routeRequest(op.Kind, r); err != nil {
			return err
		}
	} else {
		req = ruleRequest(op.Kind, op.Thing.Rule)
	}
	_, err := h.execute(req, 0)
	return err
}

// watched is what messages about routes have to name to be worth a look.
type prefixes map[netip.Prefix]bool

func prefixesOf(all kernel.Things) prefixes {
	out := prefixes{}
	for _, t := range all {
		if t.Route != nil {
			out[t.Route.To] = true
		}
	}
	return out
}

// worthALook reports whether a message may be about something of ours: all but those
// about strangers' routes, of which a router with a full table has thousands a second. A
// stranger's that replaces ours has ours's prefix.
func worthALook(b []byte, ours prefixes) bool {
	for len(b) >= unix.SizeofNlMsghdr {
		n, kind := int(binary.NativeEndian.Uint32(b)), binary.NativeEndian.Uint16(b[4:])
		if n < unix.SizeofNlMsghdr || n > len(b) || kind != unix.RTM_NEWROUTE && kind != unix.RTM_DELROUTE {
			return true
		}
		if r, mine, err := parseRouteThing(b[unix.SizeofNlMsghdr:n], nil); mine || err != nil || ours[r.To] {
			return true
		}
		b = b[min((n+3)&^3, len(b)):]
	}
	return false
}
