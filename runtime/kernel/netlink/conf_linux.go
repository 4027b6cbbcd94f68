package netlink

import (
	"encoding/binary"
	"errors"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Sysctls of an interface under net.ipv4.conf, by the kernel's number (linux/ip.h). They
// are read and set by netlink: that way they are those of the socket's network namespace,
// whatever thread asks, and a read-only /proc is no obstacle.
const (
	confPromoteSecondaries = 20
)

const ifaInetConf = 1 // IFLA_INET_CONF

// parseConf finds the IPv4 sysctls in IFLA_AF_SPEC.
func parseConf(spec []byte) (conf []byte) {
	_ = attributes(spec, func(family uint16, value []byte) {
		if family != unix.AF_INET {
			return
		}
		_ = attributes(value, func(kind uint16, value []byte) {
			if kind == ifaInetConf {
				conf = append([]byte(nil), value...)
			}
		})
	})
	return conf
}

// sysctl reads one; known is false where the kernel has not said it.
func (l *link) sysctl(number int) (value uint32, known bool) {
	at := 4 * (number - 1)
	if at+4 > len(l.conf) {
		return 0, false
	}
	return binary.NativeEndian.Uint32(l.conf[at:]), true
}

// setSysctl sets one of an interface.
func (h *host) setSysctl(index, number int, value uint32) error {
	req := nl.NewNetlinkRequest(unix.RTM_SETLINK, unix.NLM_F_ACK)
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(index)
	req.AddData(msg)
	spec := nl.NewRtAttr(unix.IFLA_AF_SPEC, nil)
	conf := spec.AddRtAttr(unix.AF_INET, nil).AddRtAttr(ifaInetConf, nil)
	conf.AddRtAttr(number, nl.Uint32Attr(value))
	req.AddData(spec)
	_, err := h.execute(req, 0)
	return err
}

// promoting calls do while the secondaries of an interface outlive their primary, and
// leaves the sysctl as it was. It is so for microseconds only: what happens when somebody
// else deletes an address is the machine's own business.
func (h *host) promoting(l *link, do func() error) error {
	if was, known := l.sysctl(confPromoteSecondaries); !known || was != 0 {
		return do()
	}
	if err := h.setSysctl(l.Index, confPromoteSecondaries, 1); err != nil {
		return do() // net.ipv4.conf.all may say so, and else one look puts ours back
	}
	return errors.Join(do(), h.setSysctl(l.Index, confPromoteSecondaries, 0))
}
