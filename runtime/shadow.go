package runtime

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"hafile/lang/plan"
	"hafile/runtime/control"
	"hafile/runtime/engine"
	"hafile/runtime/health"
	"hafile/runtime/kernel"
	"hafile/runtime/kernel/netlink"
	"hafile/runtime/node"
	"hafile/runtime/rawsock"
	"hafile/runtime/vrrp/wire"
)

const (
	shadowLook = 50 * time.Millisecond
	// shadowSlack is what a disagreement may take beyond the protocol's own times: others
	// are not punctual.
	shadowSlack = 500 * time.Millisecond
)

// Shadow runs the routers of a plan beside a keepalived that has the addresses, says which
// role each would have, and where the addresses say otherwise. It hears what keepalived
// hears and runs the checks. It sends nothing, installs nothing, tells nobody but the log,
// and keeps no file. It returns when ctx is done, with the number of disagreements.
func Shadow(ctx context.Context, p *plan.Plan, o Options) (disagreements int, err error) {
	o.fill()
	d := &daemon{
		opt: o, log: o.Log, started: time.Now(), hub: control.NewHub(),
		changed: make(chan struct{}, 1), quit: make(chan struct{}), reported: newBell(),
	}
	secrets, problem := resolveSecrets(p, o.Credentials)
	if problem != nil {
		return 0, problem
	}
	run := &running{plan: p, secrets: secrets}
	d.running.Store(run)
	s := &shadow{daemon: d, plan: p, apart: map[plan.Addr]time.Time{}, said: map[plan.Addr]bool{}}
	defer s.close()
	if err := s.open(); err != nil {
		return 0, fmt.Errorf("start: %w", err)
	}
	s.begin(ctx, run)
	d.log.Info("watching; nothing is sent and nothing is changed", "node", p.Node, "instances", len(p.Desired.Instances))
	look := time.NewTicker(shadowLook)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return s.count, nil
		case <-look.C:
			if err := s.compare(ctx); err != nil && ctx.Err() == nil {
				d.log.Warn("the addresses cannot be read", "error", err)
			}
		}
	}
}

// shadow is a daemon without what writes.
type shadow struct {
	*daemon
	plan  *plan.Plan
	pairs []*rawsock.Pair
	apart map[plan.Addr]time.Time // since when prediction and addresses differ
	said  map[plan.Addr]bool      // of a difference that it was told
	count int
}

// mute hears and does not send.
type mute struct{ *rawsock.Pair }

func (mute) Queue(*wire.Advert, netip.Addr) {}
func (mute) Flush() int                     { return 0 }

// mirror says that everything wanted is there.
type mirror struct{ engine *engine.Engine }

func (m *mirror) Want(gen uint64, want kernel.State, _ kernel.Things) {
	m.engine.KernelReport(kernel.Report{Gen: gen, Have: want})
}

// unannounced says nothing to the segment.
type unannounced struct{}

func (unannounced) Announce(string, []netip.Addr, node.Announcement) {}
func (unannounced) Silence(string, []netip.Addr)                     {}

// open builds the owners. The one of the addresses is never told what is wanted, and so
// changes nothing.
func (s *shadow) open() (err error) {
	m := &mirror{}
	if s.engine, err = engine.Start(engine.Options{Kernel: m, Announcer: unannounced{}}); err != nil {
		return err
	}
	m.engine = s.engine // before the first commit, and so before the first Want
	s.kernel, err = netlink.Open(netlink.Options{
		Report:  func(kernel.Report) {},
		Link:    func(l kernel.Link) { s.links.set(l); s.links.tell(s.engine, l.Name); s.lookAgain() },
		Problem: func(err error) { s.log.Warn("netlink", "error", err) },
	})
	if err != nil {
		return err
	}
	if s.routes, err = netlink.OpenRoutes(s.lookAgain); err != nil {
		return err
	}
	s.health = health.New(health.Options{Log: s.log, OnState: s.checkChanged, Look: s.sight})
	all, err := s.kernel.Links(context.Background())
	s.links.fill(all)
	return err
}

// begin hears, has the checks answer, and starts every router as what its addresses say.
func (s *shadow) begin(ctx context.Context, run *running) {
	resolved := s.resolve(run, nil)
	for at, n := range needs(&resolved) {
		l, there := s.links.get(at.Interface)
		if !there || !n.opens(at) {
			s.log.Warn("nothing can be heard here", "interface", at.Interface)
			continue
		}
		pair, err := rawsock.Open(configOf(at, l, n))
		if err == nil {
			s.pairs = append(s.pairs, pair)
			_, err = s.engine.AddSocket(at, mute{pair})
		}
		if err != nil {
			s.log.Warn("nothing can be heard here", "interface", at.Interface, "error", err)
		}
		s.links.tell(s.engine, at.Interface)
	}
	checks := s.plan.Desired.Checks
	s.watchRoutes(s.plan)
	go s.lookOut()
	s.roles.expect(s.plan)
	s.health.Apply(checks)
	s.answered(ctx, checks)
	left := &adoption{have: s.there(ctx), roles: map[plan.WireKey]string{}, still: time.Now()}
	_ = s.engine.Commit(context.Background(), s.resolve(run, left)) // ends with the loop at the latest
	go s.tellPredictions()
}

// answered waits until each check has said something.
func (s *shadow) answered(ctx context.Context, checks []plan.Check) {
	deadline := time.Now().Add(patience(checks))
	for ctx.Err() == nil && time.Now().Before(deadline) {
		waits := false
		for a, state := range s.health.States(checks) {
			s.engine.Check(a, state)
			waits = waits || state == plan.CheckUnknown
		}
		if !waits {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// there is what of the plan is installed, whoever did it.
func (s *shadow) there(ctx context.Context) kernel.State {
	all := addressesOf(s.plan)
	lies, err := s.kernel.Installed(ctx, all)
	if err != nil {
		s.log.Warn("the addresses cannot be read", "error", err)
	}
	return all.Like(lies)
}

// tellPredictions writes down every change of role that the plan would have made.
func (s *shadow) tellPredictions() {
	for {
		list, err := s.engine.Events().Next(context.Background())
		if err != nil {
			return
		}
		for _, t := range list {
			s.roles.told(&t)
			s.lookAgain()
			s.log.Info(t.Name+" would be "+t.To.String(), "was", t.From, "why", t.Why, "priority", t.Priority)
		}
	}
}

// compare looks whether the addresses are where the plan would have them.
func (s *shadow) compare(ctx context.Context) error {
	lies, err := s.kernel.Installed(ctx, addressesOf(s.plan))
	if err != nil {
		return err
	}
	snap := s.engine.Snapshot()
	for i := range snap.Instances {
		is := &snap.Instances[i]
		in := s.plan.Desired.Instance(is.Address)
		here := len(addressesOf(&plan.Plan{Desired: plan.Desired{Instances: []plan.Instance{*in}}}).Like(lies)) > 0
		s.judge(is, here, is.Silence+time.Duration(in.AdvertMs)*time.Millisecond+shadowSlack, time.Now())
	}
	return nil
}

// judge tells a difference that lasts from one that the protocol's own times explain.
func (s *shadow) judge(is *node.Instance, here bool, tolerance time.Duration, now time.Time) {
	since, differs := s.apart[is.Address]
	switch {
	case is.Claimed == here:
		if s.said[is.Address] {
			s.log.Info(is.Name+": both agree again", "addresses", whether(here), "role", is.Role)
		}
		delete(s.apart, is.Address)
		delete(s.said, is.Address)
	case !differs:
		s.apart[is.Address] = now
	case now.Sub(since) > tolerance && !s.said[is.Address]:
		s.said[is.Address] = true
		s.count++
		s.log.Warn(fmt.Sprintf("%s: disagreement: the addresses are %s, and hafile would be %s", is.Name, whether(here), is.Role),
			"why", is.Why, "priority", is.Effective, "for", now.Sub(since).Round(time.Millisecond))
	}
}

func whether(here bool) string {
	if here {
		return "here"
	}
	return "not here"
}

func (s *shadow) close() {
	close(s.quit)
	if s.health != nil {
		s.health.Close()
	}
	if s.engine != nil {
		s.engine.Close()
	}
	for _, p := range s.pairs {
		_ = p.Close()
	}
	if s.routes != nil {
		_ = s.routes.Close()
	}
	if s.kernel != nil {
		_ = s.kernel.Close()
	}
}
