package netlink

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Route is one prefix in one routing table.
type Route struct {
	To    netip.Prefix
	Table uint32 // 254: main
}

// Routes watches whether the kernel has a route of exactly some prefixes. It has sockets
// of its own: a machine with a full table of the Internet must not have the owner of the
// addresses look for each of its changes. It listens only while something is watched.
type Routes struct {
	changed func()
	events  *os.File
	host    *host
	ended   chan struct{}

	// mu guards the rest, and is held for a look: plans and the listener both look.
	mu        sync.Mutex
	have      map[Route]bool // what is watched
	known     bool
	listening bool
}

// routeAudit is a look without a reason: the kernel does not tell of every IPv4 route
// that goes with an interface or an address.
const routeAudit = 30 * time.Second

// OpenRoutes makes the sockets on the calling thread and starts the listener, which ends
// with [Routes.Close]. changed is called after something may have changed, and must not
// block.
func OpenRoutes(changed func()) (*Routes, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open a netlink socket for routes: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("bind a netlink socket for routes: %w", err)
	}
	h, err := openStrict()
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	r := &Routes{changed: changed, events: os.NewFile(uintptr(fd), "netlink routes"), host: h, ended: make(chan struct{}), have: map[Route]bool{}}
	go r.listen()
	return r, nil
}

// Close ends the listener.
func (r *Routes) Close() error {
	err := r.events.Close()
	<-r.ended
	r.host.close()
	return err
}

// Watch replaces what is watched, and looks before it returns if there is something new.
func (r *Routes) Watch(all []Route) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	next, fresh := make(map[Route]bool, len(all)), false
	for _, w := range all {
		had, watched := r.have[w]
		next[w], fresh = had, fresh || !watched
	}
	r.have = next
	if err := r.subscribe(len(all) > 0); err != nil {
		return err
	}
	if !fresh {
		return nil
	}
	err := r.look()
	r.known = err == nil
	return err
}

// Has says whether the kernel had the route at the last look; known is false where there
// was none, or the route is not watched.
func (r *Routes) Has(w Route) (has, known bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	has, watched := r.have[w]
	return has, watched && r.known
}

// subscribe begins or ends hearing of changes: routes, and what takes them away silently.
func (r *Routes) subscribe(on bool) error {
	if on == r.listening {
		return nil
	}
	option := unix.NETLINK_ADD_MEMBERSHIP
	if !on {
		option = unix.NETLINK_DROP_MEMBERSHIP
	}
	raw, err := r.events.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		for _, group := range []int{unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE, unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR} {
			failed = errors.Join(failed, unix.SetsockoptInt(int(fd), unix.SOL_NETLINK, option, group))
		}
	})
	r.listening = on
	return errors.Join(err, failed)
}

// listen looks again whenever a message may be about what is watched.
func (r *Routes) listen() {
	defer close(r.ended)
	buf := make([]byte, 64<<10)
	for {
		_ = r.events.SetReadDeadline(time.Now().Add(routeAudit))
		n, err := r.events.Read(buf)
		switch {
		case errors.Is(err, os.ErrClosed):
			return
		case err == nil && !r.concerns(buf[:n]):
			continue
		case err != nil && !errors.Is(err, unix.ENOBUFS) && !errors.Is(err, os.ErrDeadlineExceeded):
			time.Sleep(lookAgain) // a socket that only fails must not keep a processor busy
		}
		r.again()
	}
}

func (r *Routes) again() {
	r.mu.Lock()
	watched := len(r.have) > 0
	if watched {
		_ = r.look() // a look that fails changes nothing; the next one comes by itself
	}
	r.mu.Unlock()
	if watched {
		r.changed()
	}
}

// concerns reports whether some message is about a watched route, or about a link or an
// address.
func (r *Routes) concerns(b []byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(b) >= unix.SizeofNlMsghdr {
		n, kind := int(binary.NativeEndian.Uint32(b)), binary.NativeEndian.Uint16(b[4:])
		if n < unix.SizeofNlMsghdr || n > len(b) {
			return true
		}
		if kind != unix.RTM_NEWROUTE && kind != unix.RTM_DELROUTE {
			return true
		}
		if w, err := parseRoute(b[unix.SizeofNlMsghdr:n]); err != nil {
			return true
		} else if _, watched := r.have[w]; watched {
			return true
		}
		b = b[min((n+3)&^3, len(b)):]
	}
	return false
}

// look dumps each table and family that has something watched, a message at a time.
func (r *Routes) look() error {
	type where struct {
		table uint32
		six   bool
	}
	places := map[where]bool{}
	now := make(map[Route]bool, len(r.have))
	for w := range r.have {
		now[w] = false
		places[where{w.Table, w.To.Addr().Is6()}] = true
	}
	for p := range places {
		if err := r.dump(p.table, p.six, now); err != nil {
			return fmt.Errorf("list the routes of table %d: %w", p.table, err)
		}
	}
	r.have, r.known = now, true
	return nil
}

func (r *Routes) dump(table uint32, six bool, now map[Route]bool) (err error) {
	for range dumpsMax {
		req := nl.NewNetlinkRequest(unix.RTM_GETROUTE, unix.NLM_F_DUMP)
		msg := &nl.RtMsg{}
		msg.Family = unix.AF_INET
		if six {
			msg.Family = unix.AF_INET6
		}
		req.AddData(msg)
		req.AddData(nl.NewRtAttr(unix.RTA_TABLE, nl.Uint32Attr(table)))
		req.Sockets = r.host.sockets
		err = req.ExecuteIter(unix.NETLINK_ROUTE, unix.RTM_NEWROUTE, func(raw []byte) bool {
			if w, err := parseRoute(raw); err == nil {
				if _, watched := now[w]; watched {
					now[w] = true
				}
			}
			return true
		})
		switch {
		case errors.Is(err, unix.ENOENT): // there is no such table
			return nil
		case !errors.Is(err, nl.ErrDumpInterrupted):
			return err
		}
	}
	return err
}

// parseRoute reads struct rtmsg and its attributes. A route without a destination is the
// default route.
func parseRoute(b []byte) (Route, error) {
	if len(b) < unix.SizeofRtMsg {
		return Route{}, errShort
	}
	w := Route{Table: uint32(b[4])}
	to := netip.IPv4Unspecified()
	if b[0] == unix.AF_INET6 {
		to = netip.IPv6Unspecified()
	}
	bits := int(b[1])
	err := attributes(b[unix.SizeofRtMsg:], func(kind uint16, value []byte) {
		switch kind {
		case unix.RTA_DST:
			if a, ok := netip.AddrFromSlice(value); ok {
				to = a
			}
		case unix.RTA_TABLE:
			if len(value) == 4 {
				w.Table = binary.NativeEndian.Uint32(value)
			}
		}
	})
	w.To = netip.PrefixFrom(to, bits).Masked()
	if err == nil && !w.To.IsValid() {
		err = errors.New("a netlink message has a route without a prefix")
	}
	return w, err
}
