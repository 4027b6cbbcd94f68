package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

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

// Beside starts hafile on a machine beside its keepalived, which goes on. From then on
// hafile is the daemon of the machine.
func (l *Lab) Beside(ctx context.Context, node string) error {
	m := l.machine(node)
	m.mu.Lock()
	m.predecessor, m.daemon = m.daemon, nil
	m.mu.Unlock()
	l.Replace(node, "")
	return m.startDaemon(ctx)
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
