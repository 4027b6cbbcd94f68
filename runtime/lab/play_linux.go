package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	vnetns "github.com/vishvananda/netns"

	"hafile/lang/story"
	"hafile/runtime/control"
	"hafile/runtime/lab/netns"
)

// slack is what a noisy machine may add to a bound of the protocol.
const slack = 300 * time.Millisecond

// outsideLink is the port of the client and of the relay.
const outsideLink = "eth0"

// Lab is a group of machines that is up.
type Lab struct {
	Options
	dir      string
	segment  *netns.Segment
	outside  *netns.NS
	machines []*machine
	rec      *recorder
	ear      *ear
	relay    *relay

	stop     chan struct{} // closed to end the watchers
	watchers sync.WaitGroup

	mu          sync.Mutex
	transitions []story.Transition
	current     string // the directory that is applied
	failures    []error
}

// Up brings the machines up: networks, web servers, daemons without a plan. Whatever
// happens, Close must follow.
func Up(ctx context.Context, o Options) (*Lab, error) {
	dir, err := os.MkdirTemp("", "hafile-lab-")
	if err != nil {
		return nil, err
	}
	l := &Lab{Options: o, dir: dir, stop: make(chan struct{}), current: o.Dir, rec: newRecorder(o.VIPs, time.Now())}
	if err := os.Chmod(dir, 0o755); err != nil { // /etc is a layer over a part of it
		return l, err
	}
	if l.segment, err = netns.NewSegment(); err != nil {
		return l, err
	}
	if l.ear, err = listen(l.segment.NS, l.stop); err != nil {
		return l, err
	}
	if l.outside, err = netns.New(); err != nil {
		return l, err
	}
	if err := l.segment.Connect(l.outside, netns.Port{Name: outsideLink, Addresses: []netip.Prefix{o.Outside}}); err != nil {
		return l, err
	}
	if l.relay, err = startRelay(l.outside, o.Relays); err != nil {
		return l, err
	}
	for _, n := range o.Nodes {
		m, err := l.boot(n)
		if err != nil {
			return l, fmt.Errorf("%s: %w", n.Name, err)
		}
		l.machines = append(l.machines, m)
		if err := l.equip(ctx, m); err != nil {
			return l, err
		}
	}
	l.watchers.Go(l.ask)
	return l, nil
}

// equip starts what runs in a machine, and what watches it.
func (l *Lab) equip(ctx context.Context, m *machine) error {
	if err := l.watchAddresses(m); err != nil {
		return err
	}
	if err := m.startWeb(ctx); err != nil {
		return err
	}
	if err := m.startDaemon(ctx); err != nil {
		return err
	}
	if m.Keepalived == "" {
		l.watchers.Go(func() { l.watchDaemon(m) })
	}
	return nil
}

// Files is where the machines keep their files: NODE/run, NODE/state, NODE/log.
func (l *Lab) Files() string { return l.dir }

// Close ends everything and removes it. It is safe after an Up that failed half way.
func (l *Lab) Close() error {
	close(l.stop)
	var errs []error
	for _, m := range l.machines {
		errs = append(errs, m.close())
	}
	l.watchers.Wait()
	if l.ear != nil {
		<-l.ear.done
	}
	if l.relay != nil {
		l.relay.close()
	}
	if l.outside != nil {
		errs = append(errs, l.outside.Close())
	}
	if l.segment != nil {
		errs = append(errs, l.segment.Close())
	}
	return errors.Join(append(errs, os.RemoveAll(l.dir))...)
}

// ask is the client, on a thread of the outside.
func (l *Lab) ask() {
	err := l.outside.Do(func() error { return runClient(l.VIPs, l.stop, l.rec.replied, l.rec.stood) })
	if err != nil {
		l.failed(fmt.Errorf("the client: %w", err))
	}
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
		At: at.Seconds(), Node: m.Name, Instance: string(t.Instance), From: t.From, To: t.To,
	})
	l.mu.Unlock()
	l.tell(ToneChange, m.Name, "%s %s -> %s: %s", t.Name, t.From, t.To, t.Why)
}

// Settle applies the first configuration and waits until every VIP is owned and
// answered for.
func (l *Lab) Settle(ctx context.Context) error {
	errs := make([]error, len(l.machines))
	var all sync.WaitGroup
	for i, m := range l.machines {
		all.Go(func() { errs[i] = l.applyOn(ctx, m, l.Dir) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return l.awaitOwners(ctx)
}

// AwaitOwner waits until exactly the given node holds a VIP, within a bound.
func (l *Lab) AwaitOwner(ctx context.Context, vip netip.Addr, node string, within time.Duration) error {
	return l.await(ctx, vip, node, within, func(owners []string) bool { return slices.Equal(owners, []string{node}) })
}

// AwaitHolder waits until the given node holds a VIP, alone or not: a daemon that was
// killed leaves its addresses behind.
func (l *Lab) AwaitHolder(ctx context.Context, vip netip.Addr, node string, within time.Duration) error {
	return l.await(ctx, vip, node, within, func(owners []string) bool { return slices.Contains(owners, node) })
}

func (l *Lab) await(ctx context.Context, vip netip.Addr, node string, within time.Duration, done func([]string) bool) error {
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	for {
		owners := l.rec.owners(vip)
		if done(owners) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline.C:
			return fmt.Errorf("after %s %s is held by %s, not by %s", within, vip, nobody(owners), node)
		case <-time.After(time.Millisecond):
		}
	}
}

// Replace gives a node another daemon: keepalived with this configuration, or hafile
// where it is empty. The old one must have been stopped.
func (l *Lab) Replace(node, keepalived string) {
	m := l.machine(node)
	m.Keepalived = keepalived
	if keepalived == "" {
		l.watchers.Go(func() { l.watchDaemon(m) })
	}
}

// Apply gives a configuration to one node, or to every node that runs hafile where node
// is empty.
func (l *Lab) Apply(ctx context.Context, dir, node string) error {
	if err := l.applyAll(ctx, dir, node); err != nil {
		return err
	}
	l.current = dir
	return nil
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

// Losses are the requests since t that got no answer.
func (l *Lab) Losses(t time.Time) []Loss { return l.rec.losses(t) }

// Seen is what clients saw since the last call: the longest time without an answer, and
// what was lost.
func (l *Lab) Seen() (gap time.Duration, lost story.Lost) { return l.rec.cutWindow(time.Now()) }

// Play settles and lets the story happen.
func (l *Lab) Play(ctx context.Context, r *story.Run) (*Result, error) {
	if err := l.Settle(ctx); err != nil {
		return nil, err
	}
	start := time.Now()
	l.rec.restart(start)
	l.mu.Lock()
	l.transitions = nil
	l.mu.Unlock()
	res := &Result{}
	for i, e := range r.Events {
		if err := l.wait(ctx, start.Add(e.At)); err != nil {
			return res, err
		}
		l.settle(res)
		res.Events = append(res.Events, Measured{Event: e, Allowed: allowed(e, l.Budgets(l.current))})
		if err := l.Do(ctx, e); err != nil {
			return res, fmt.Errorf("event %d (%s): %w", i+1, e, err)
		}
	}
	if err := l.wait(ctx, start.Add(r.Until)); err != nil {
		return res, err
	}
	l.settle(res)
	l.rec.outcome(&res.Outcome, time.Now())
	if still := l.rec.stoodStill(); still > 0 {
		l.tell(ToneNote, "", "this machine was too busy to ask for %s in all", round(still))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	res.Outcome.Transitions = slices.Clone(l.transitions)
	res.Outcome.Mails = l.relay.mails(start)
	return res, errors.Join(l.failures...)
}

// wait sleeps until the story goes on, with a running count of what clients lose.
func (l *Lab) wait(ctx context.Context, until time.Time) error {
	for {
		left := time.Until(until)
		if left <= 0 {
			return ctx.Err()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(min(left, 250*time.Millisecond)):
		}
		lost := l.rec.lostNow()
		l.tell(ToneLive, "", "%d asked, %d new lost, %d in flight lost", lost.Asked, lost.New, lost.InFlight)
	}
}

// settle holds what clients saw since the last event against what was promised for it.
func (l *Lab) settle(res *Result) {
	gap, lost := l.rec.cutWindow(time.Now())
	if len(res.Events) == 0 {
		return
	}
	m := &res.Events[len(res.Events)-1]
	m.Gap, m.Lost = gap, lost
	text := fmt.Sprintf("clients waited %s at the longest, the protocol allows %s; of %d requests %d new ones and %d in flight were lost",
		round(gap), round(m.Allowed), lost.Asked, lost.New, lost.InFlight)
	tone := ToneGood
	if broken := m.broken(); broken != "" {
		tone = ToneBad
		res.Broken = append(res.Broken, fmt.Sprintf("%s: %s", m.Event, broken))
	}
	l.tell(tone, "", "%s", text)
}

// broken says which promise an event broke; empty if none. Where the protocol allows no
// wait, no new request may be lost.
func (m *Measured) broken() string {
	switch {
	case m.Gap > m.Allowed+slack:
		return fmt.Sprintf("clients waited %s, allowed are %s", round(m.Gap), round(m.Allowed))
	case m.Allowed == 0 && m.Lost.New > 0:
		return fmt.Sprintf("%d new requests were lost, none may be", m.Lost.New)
	}
	return ""
}

func round(d time.Duration) time.Duration { return d.Round(time.Millisecond) }

// describe says an event as it happens to the machine.
func describe(e story.Event) string {
	switch e.Kind {
	case story.Fail:
		return "the web server of " + e.On + " dies"
	case story.Recover:
		return "the web server of " + e.On + " comes back"
	case story.Stop:
		return "the daemon of " + e.On + " is stopped"
	case story.Kill:
		return "the daemon of " + e.On + " is killed (SIGKILL)"
	case story.Start:
		return "the daemon of " + e.On + " is started"
	case story.Cut:
		return "the link of " + e.On + " is cut"
	case story.Heal:
		return "the link of " + e.On + " is back"
	case story.Apply:
		where := e.On
		if where == "" {
			where = "every node"
		}
		return "apply " + e.Dir + " on " + where
	}
	return e.String()
}

// Do lets one event happen.
func (l *Lab) Do(ctx context.Context, e story.Event) error {
	l.tell(ToneEvent, e.On, "%s", describe(e))
	if e.Kind == story.Apply {
		return l.Apply(ctx, filepath.Join(l.Base, e.Dir), e.On)
	}
	m := l.machine(e.On)
	if m == nil {
		return fmt.Errorf("there is no node %q", e.On)
	}
	switch e.Kind {
	case story.Fail:
		m.stopWeb()
		return nil
	case story.Recover:
		return m.startWeb(ctx)
	case story.Stop:
		return m.endDaemon(ctx, syscall.SIGTERM)
	case story.Kill:
		return m.endDaemon(ctx, syscall.SIGKILL)
	case story.Start:
		return m.startDaemon(ctx)
	case story.Freeze:
		_, err := m.signalDaemon(syscall.SIGSTOP)
		return err
	case story.Thaw:
		_, err := m.signalDaemon(syscall.SIGCONT)
		return err
	case story.Cut, story.Heal:
		return l.link(m, e)
	}
	return fmt.Errorf("the lab cannot %s", e.Kind)
}

// link cuts or heals all links of a node. A cable has no direction: a one-way cut can
// only be simulated.
func (l *Lab) link(m *machine, e story.Event) error {
	if e.From != "" {
		return errors.New("the lab cuts links whole: from and to are for hafile test")
	}
	change := l.segment.Cut
	if e.Kind == story.Heal {
		change = l.segment.Mend
	}
	for _, name := range m.Interfaces {
		if err := change(m.ns, name); err != nil {
			return err
		}
	}
	return nil
}

func (l *Lab) machine(name string) *machine {
	for _, m := range l.machines {
		if m.Name == name {
			return m
		}
	}
	return nil
}

// applyAll applies a directory on one node, or on all of them: those that hold no VIP
// first.
func (l *Lab) applyAll(ctx context.Context, dir, on string) error {
	for _, m := range l.backupsFirst() {
		if on != "" && m.Name != on {
			continue
		}
		if err := l.applyOn(ctx, m, dir); err != nil {
			return err
		}
	}
	return nil
}

// applyOn runs the command as a user would. keepalived has its own file.
func (l *Lab) applyOn(ctx context.Context, m *machine, dir string) error {
	if m.Keepalived != "" {
		return nil
	}
	began := time.Now()
	argv := append([]string{l.Self}, l.Command(m.Name, dir, m.socket())...)
	out, err := m.output(ctx, argv...)
	if err != nil {
		return fmt.Errorf("hafile %s on %s: %w\n%s", strings.Join(argv[1:], " "), m.Name, err, out)
	}
	l.tell(ToneNote, m.Name, "applied %s in %s: %s", dir, round(time.Since(began)), lastLine(out))
	return nil
}

func (l *Lab) backupsFirst() []*machine {
	holds := map[string]bool{}
	for _, vip := range l.VIPs {
		for _, node := range l.rec.owners(vip) {
			holds[node] = true
		}
	}
	ms := slices.Clone(l.machines)
	slices.SortStableFunc(ms, func(a, b *machine) int {
		switch {
		case holds[a.Name] == holds[b.Name]:
			return 0
		case holds[a.Name]:
			return 1
		}
		return -1
	})
	return ms
}

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

// awaitOwners waits for the first election to be over.
func (l *Lab) awaitOwners(ctx context.Context) error {
	const longest = 2 * time.Minute // an advert interval may be 40 s
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	for {
		owned, moved := l.rec.allAnswered()
		if owned {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the first election did not end: %w\n%s", ctx.Err(), l.machines[0].logTail("daemon.log"))
		case <-moved:
		case <-time.After(10 * time.Millisecond):
		}
	}
}
