package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"hafile/lang/story"
	"hafile/runtime/lab/netns"
)

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

	asked atomic.Pointer[map[netip.Addr]bool] // see Want

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
	var err error
	if m.ear, err = listenAt(m.ns, l.stop); err != nil {
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
		if m.ear != nil {
			<-m.ear.done
		}
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

func (l *Lab) machine(name string) *machine {
	for _, m := range l.machines {
		if m.Name == name {
			return m
		}
	}
	return nil
}
