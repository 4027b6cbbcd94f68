// Package notify tells people by mail, programs by running them, and servers by a post,
// that an instance or a sync group changed its role. It owns the queues; whoever reports a change never waits.
//
// There is one queue per (instance, notify), so that what is told about one instance
// arrives in order and one at a time. A queue holds one change, the newest: an older one
// that has not been told yet is superseded by it. What the queue holds is never lost. It
// is tried until it arrives or is superseded, with growing pauses:
//
//   - A mail lists the superseded changes in the one that goes out, so that nothing is
//     missing from the record. A relay that does not answer, or says 4xx, is tried again
//     after 1 s, 2 s, … 1 min; one that says 5xx (it is there and does not want the mail)
//     each 5 min. A mail that some recipients got is repeated for the others if the relay
//     may take it later (4xx), and is done if it never will (5xx).
//   - A hook that could not be started is tried like a mail to a dead relay. One that
//     ran and failed or outlived its deadline is run three times at most: hooks are not
//     made for being repeated, but the last state should not hang on one bad moment. A
//     hook that did not ask for the newer event is superseded by it all the same: what
//     it would do for "active" is wrong on a backup.
//   - A webhook is tried like a mail: a server that does not answer, or says 5xx, 408 or
//     429, soon again; one that says anything else but 2xx each 5 min. Its certificate is
//     verified.
//
// Mails are held to a rate per queue; over it they wait, and are superseded, until the
// flapping is over. TLS towards the relay is opportunistic (RFC 7435): where it offers
// STARTTLS it is used, with any certificate, and where that fails the mail goes in
// clear, because a forged certificate gains an attacker nothing over hiding the offer,
// and a mail that stays at home helps nobody.
//
// Nothing that is logged or shown has a secret in it. A webhook's token leaves in its
// header and nowhere else, and its address is shown without the path.
package notify

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"hafile/lang/plan"
)

// The events, as plan.NotifyEvents.
const (
	Active = "active"
	Backup = "backup"
	Fault  = "fault"
	Stop   = "stop"
)

// Transition is one change of role.
type Transition struct {
	Instance plan.Addr
	Name     string       // what hooks and mails call it
	Wire     plan.WireKey // whose queue: a rename of the instance keeps its order
	Group    bool         // it is about a sync group, and Wire is not set
	Notify   []plan.Addr  // whom the instance tells
	Node     string

	Event     string // Active, Backup, Fault or Stop; anything else is told to nobody
	From      string // the role before; empty at the start
	Why       string
	At        time.Time // the role holds since
	FromSince time.Time // the role before held since; zero: not known
	Priority  uint8     // effective
	VIPs      []netip.Prefix
}

// Options of New.
type Options struct {
	// Hello is the name in EHLO; empty: this host's name.
	Hello string
	// Secret is the value of a reference now; empty if there is none. It is asked for each
	// post, with no lock held.
	Secret func(plan.Secret) string
	// Dial connects to a relay or a server; nil: a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	Log  *slog.Logger // nil: slog.Default()

	deliver func(context.Context, *plan.Notify, *item) verdict // tests' own
}

// Status of one notify over all its queues. Its fields are those of control.Notify.
type Status struct {
	Address   plan.Addr
	Sent      uint64 // mails taken by the relay, hooks that exited with 0, posts answered by 2xx
	Failed    uint64 // tries that did not succeed
	Dropped   uint64 // superseded by a newer state before they were told
	Pending   int
	LastError string // empty after a success
}

// Limits.
const (
	retryFirst   = time.Second
	retryMax     = time.Minute
	retryRefused = 5 * time.Minute // after a 5xx
	retryDrain   = 500 * time.Millisecond

	mailBurst = 10          // mails of one queue without a pause
	mailEvery = time.Minute // then one each

	hookTries = 3 // runs of a hook that fails

	mailsAtOnce = 4
	hooksAtOnce = 16

	skippedMax = 20 // superseded changes that a mail lists
	retireFor  = time.Minute
)
