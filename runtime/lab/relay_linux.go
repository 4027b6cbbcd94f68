package lab

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"hafile/lang/story"
	"hafile/runtime/lab/netns"
	"hafile/runtime/notify/smtpsink"
)

// relay answers for every relay of the plans, on the outside, and keeps the mail.
type relay struct{ sinks []*smtpsink.Sink }

// startRelay listens on the port of each relay. A relay that the plan gives as an
// address is given to the outside; a name is for the nodes' /etc/hosts.
func startRelay(outside *netns.NS, relays []string) (*relay, error) {
	r := &relay{}
	var ports []string
	for _, addr := range relays {
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			return r, err
		}
		if ip, err := netip.ParseAddr(host); err == nil && !ip.IsLoopback() {
			if err := outside.AddAddress(outsideLink, netip.PrefixFrom(ip, ip.BitLen())); err != nil {
				return r, err
			}
		}
		if slices.Contains(ports, port) {
			continue
		}
		ports = append(ports, port)
		err = outside.Do(func() error {
			l, err := net.Listen("tcp", ":"+port)
			if err == nil {
				r.sinks = append(r.sinks, smtpsink.Serve(l, smtpsink.Options{}))
			}
			return err
		})
		if err != nil {
			return r, fmt.Errorf("answer for the relay %s: %w", addr, err)
		}
	}
	return r, nil
}

func (r *relay) close() {
	for _, s := range r.sinks {
		s.Close()
	}
}

// mails that have come since start. A machine's host name is its node's, and a client
// greets with it.
func (r *relay) mails(start time.Time) []story.Mail {
	var mails []story.Mail
	for _, s := range r.sinks {
		for _, m := range s.Messages() {
			if m.At.Before(start) {
				continue
			}
			mails = append(mails, story.Mail{
				At: m.At.Sub(start).Seconds(), Node: m.Hello, To: m.To, Subject: m.Subject(),
			})
		}
	}
	return mails
}
