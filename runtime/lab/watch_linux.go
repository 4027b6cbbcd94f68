package lab

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	vnetns "github.com/vishvananda/netns"

	"hafile/lang/story"
	"hafile/runtime/control"
)

// ask is the client, on a thread of the outside.
func (l *Lab) ask() {
	err := l.outside.Do(func() error {
		if l.Echo > 0 {
			return runEchoes(l.VIPs, l.own(), l.Echo, l.wanted, l.stop, l.rec.replied, l.rec.stood)
		}
		return runClient(l.VIPs, l.stop, l.rec.replied, l.rec.stood)
	})
	if err != nil {
		l.failed(fmt.Errorf("the client: %w", err))
	}
}

// Want says which of the VIPs are asked for from now on, with [Options.Echo]: nobody is
// to be asked for what nobody should have.
func (l *Lab) Want(vips []netip.Addr) {
	before, asked := l.wanted(), map[netip.Addr]bool{}
	for _, vip := range vips {
		if asked[vip] = true; before != nil && !before[vip] {
			l.rec.forget(vip)
		}
	}
	l.asked.Store(&asked)
}

// own are the machines' addresses that never move.
func (l *Lab) own() []netip.Addr {
	var own []netip.Addr
	for _, n := range l.Nodes {
		own = append(own, n.Addresses[0].Addr())
	}
	return own
}

func (l *Lab) wanted() map[netip.Addr]bool {
	if asked := l.asked.Load(); asked != nil {
		return *asked
	}
	return nil
}

// failed notes that a part of the lab itself broke: its figures are worth nothing then.
func (l *Lab) failed(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures = append(l.failures, err)
}

func (l *Lab) tell(tone Tone, node, format string, args ...any) {
	l.rec.mu.Lock()
	at := time.Since(l.rec.start)
	l.rec.mu.Unlock()
	l.Tell(Moment{At: at, Tone: tone, Node: node, Text: fmt.Sprintf(format, args...)})
}

// watchAddresses follows who holds which VIP, as the machine's kernel tells it.
func (l *Lab) watchAddresses(m *machine) error {
	updates := make(chan netlink.AddrUpdate, 1024)
	ns := vnetns.NsHandle(m.ns.FD())
	err := netlink.AddrSubscribeWithOptions(updates, l.stop, netlink.AddrSubscribeOptions{
		Namespace: &ns, ListExisting: true, ReceiveBufferSize: 1 << 20,
		ErrorCallback: func(err error) {
			select {
			case <-l.stop:
			default:
				l.failed(fmt.Errorf("%s: watch addresses: %w", m.Name, err))
			}
		},
	})
	if err != nil {
		return err
	}
	l.watchers.Go(func() {
		on := map[netip.Addr]map[int]bool{} // an address may be on two interfaces for a while
		for u := range updates {
			vip, ok := netip.AddrFromSlice(u.LinkAddress.IP)
			if vip = vip.Unmap(); ok && slices.Contains(l.VIPs, vip) {
				l.rec.changed(AddressEvent{At: time.Now(), Node: m.Name, VIP: vip, Link: u.LinkIndex, Added: u.NewAddr})
				if on[vip] == nil {
					on[vip] = map[int]bool{}
				}
				if delete(on[vip], u.LinkIndex); u.NewAddr {
					on[vip][u.LinkIndex] = true
				}
				if !u.NewAddr && len(on[vip]) > 0 {
					continue
				}
				l.rec.held(m.Name, vip, u.NewAddr, time.Now())
				l.tell(ToneChange, m.Name, "%s %s  (held by %s)", verb(u.NewAddr), vip, nobody(l.rec.owners(vip)))
			}
		}
	})
	return nil
}

func verb(holds bool) string {
	if holds {
		return "has"
	}
	return "released"
}

func nobody(owners []string) string {
	if len(owners) == 0 {
		return "nobody"
	}
	return strings.Join(owners, " and ")
}

// watchDaemon follows the roles of a machine, through restarts of its daemon.
func (l *Lab) watchDaemon(m *machine) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-l.stop
		cancel()
	}()
	for ctx.Err() == nil {
		_ = m.ctl.Events(ctx, func(e control.Event) error { // it ends with the daemon
			if t := e.Transition; t != nil {
				l.transition(m, t)
			}
			return nil
		})
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (l *Lab) transition(m *machine, t *control.Transition) {
	l.rec.mu.Lock()
	at := time.Since(l.rec.start)
	l.rec.mu.Unlock()
	l.mu.Lock()
	l.transitions = append(l.transitions, story.Transition{
		At: at.Seconds(), Node: m.Name, Instance: string(cmp.Or(t.Instance, t.Group)), From: t.From, To: t.To,
	})
	l.mu.Unlock()
	l.tell(ToneChange, m.Name, "%s %s -> %s: %s", t.Name, t.From, t.To, t.Why)
}

// Run runs a program in a machine to its end and returns what it printed.
func (l *Lab) Run(ctx context.Context, node string, argv ...string) ([]byte, error) {
	return l.machine(node).output(ctx, argv...)
}

// Sniff starts a program on the bridge, which sees every frame of the segment. It ends
// with the lab.
func (l *Lab) Sniff(cmd *exec.Cmd) error { return l.segment.NS.Start(cmd) }

// Log is the end of what a node's daemon has logged.
func (l *Lab) Log(node string) string {
	m := l.machine(node)
	if m == nil {
		return "" // it did not come up
	}
	return m.logTail("daemon.log")
}

// Adverts that passed over the segment since t.
func (l *Lab) Adverts(t time.Time) []Advert { return l.ear.heard(t) }

// Sent are the adverts that have left a machine since t, heard there. One that a queue of
// a busy host has lost on its way is among them.
func (l *Lab) Sent(node string, t time.Time) []Advert { return l.machine(node).ear.heard(t) }

// Losses are the requests since t that got no answer.
func (l *Lab) Losses(t time.Time) []Loss { return l.rec.losses(t) }

// AddressEvents are the messages of the machines' kernels about VIPs since t
// (RTM_NEWADDR, RTM_DELADDR).
func (l *Lab) AddressEvents(t time.Time) []AddressEvent { return l.rec.addressEvents(t) }

// Transitions are the changes of role so far, as the daemons tell them.
func (l *Lab) Transitions() []story.Transition {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.transitions)
}

// Owners are the nodes that hold a VIP at present, sorted.
func (l *Lab) Owners(vip netip.Addr) []string { return l.rec.owners(vip) }

// StoodStill is for how long the client did not run, and so asked nothing.
func (l *Lab) StoodStill() time.Duration { return l.rec.stoodStill() }

// SeenOf is what the clients of each VIP saw since the last call of it or of Seen.
func (l *Lab) SeenOf() map[netip.Addr]Seen { return l.rec.cutEach(time.Now()) }

// Seen is what clients saw since the last call: the longest time without an answer, and
// what was lost.
func (l *Lab) Seen() (gap time.Duration, lost story.Lost) { return l.rec.cutWindow(time.Now()) }
