package runtime

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"

	"hafile/lang/plan"
	"hafile/lang/planfile"
	"hafile/runtime/announce"
	"hafile/runtime/control"
	"hafile/runtime/engine"
	"hafile/runtime/health"
	"hafile/runtime/kernel"
	"hafile/runtime/kernel/netlink"
	"hafile/runtime/node"
	"hafile/runtime/notify"
	"hafile/runtime/store"
)

// Options of a daemon. What is empty has a default.
type Options struct {
	// Node is what this machine is called in plans. Empty: the first plan says.
	Node string
	// StateDir keeps the plan over restarts: /var/lib/hafile.
	StateDir string
	// RunDir keeps what is installed until the next boot: /run/hafile.
	RunDir string
	// Socket of the control API: hafile.sock in RunDir.
	Socket string
	// Credentials is the directory of credential("NAME"): $CREDENTIALS_DIRECTORY, else
	// /etc/hafile/credentials.
	Credentials string
	// RequireSignature: a plan is taken only with the signature of somebody in
	// AllowedSigners: /etc/hafile/allowed_signers.
	RequireSignature bool
	AllowedSigners   string
	Version          string
	Log              *slog.Logger
}

func (o *Options) fill() {
	o.StateDir = cmp.Or(o.StateDir, "/var/lib/hafile")
	o.RunDir = cmp.Or(o.RunDir, filepath.Dir(control.DefaultSocket))
	o.Socket = cmp.Or(o.Socket, filepath.Join(o.RunDir, filepath.Base(control.DefaultSocket)))
	o.Credentials = cmp.Or(o.Credentials, os.Getenv("CREDENTIALS_DIRECTORY"), "/etc/hafile/credentials")
	o.AllowedSigners = cmp.Or(o.AllowedSigners, "/etc/hafile/allowed_signers")
	if o.Log == nil {
		o.Log = slog.Default()
	}
}

// daemon is the owners and what is between them.
type daemon struct {
	opt     Options
	log     *slog.Logger
	started time.Time

	store  *store.Store
	rundir *store.Run
	stamp  *store.Stamp
	// sequences are of signatures.
	sequences *store.Sequences
	kernel    *netlink.Owner
	routes    *netlink.Routes
	want      wanter
	engine    *engine.Engine
	speaker   *announce.Announcer
	health    *health.Health
	notify    *notify.Notifier
	hub       *control.Hub
	server    *control.Server
	sockets   *sockets
	others    *others
	links     links
	roles     roles

	listener net.Listener

	// applying is held by the one apply that is under way, and guards the store.
	applying sync.Mutex
	tidying  sync.Mutex // taken before applying, by what only tidies up and by who waits for that
	// committing is held for the moments in which the engine gets another plan: by an
	// apply, and by the refresher when an interface has another address.
	committing sync.Mutex
	hosts      node.Resolved // of the last commit
	running    atomic.Pointer[running]
	previous   atomic.Pointer[running] // until its routers are gone
	// pending is the plan that runs until somebody confirms it; applying guards its end.
	pending     atomic.Pointer[pending]
	predictions predictions
	// drained keeps this node from holding addresses; nil: nothing does.
	drained atomic.Pointer[store.Drain]

	reported  bell                         // the kernel has said something
	left      atomic.Pointer[kernel.State] // what it has of ours, as it said last
	missing   []string                     // beside the addresses, as it said last; of its goroutine
	refresh   chan struct{}                // an interface has changed
	changed   chan struct{}                // something that a check may track
	quit      chan struct{}                // closed when the daemon begins to stop
	stopping  atomic.Bool
	recording sync.Mutex // of the record in the run directory, between its two writers
	recorded  store.Owned
	adoptions atomic.Int32   // starts in a row that took over from a crash
	wg        sync.WaitGroup // the goroutines that end with quit
	told      chan struct{}  // closed when the last transition has been told
}

// Run is the daemon. It runs the stored plan, answers on its socket, and returns when
// ctx is done and every address has been given to somebody or released; or with the
// error that kept it from starting. The sockets are of the calling process's network
// namespace.
func Run(ctx context.Context, o Options) error {
	o.fill()
	tune()
	d := &daemon{
		opt: o, log: o.Log, started: time.Now(), hub: control.NewHub(),
		refresh: make(chan struct{}, 1), changed: make(chan struct{}, 1), quit: make(chan struct{}), reported: newBell(),
	}
	d.running.Store(&running{plan: &plan.Plan{Language: plan.Language, Node: o.Node}})
	if err := d.open(); err != nil {
		d.release()
		return fmt.Errorf("start: %w", err)
	}
	served := d.begin()
	d.log.Info("hafile is running", "version", o.Version, "pid", os.Getpid(), "socket", o.Socket, "scheduling", d.engine.Stats().Scheduling)
	tell(d.log, sd.SdNotifyReady)
	var err error
	select {
	case <-ctx.Done():
	case err = <-served:
		d.log.Error("the control socket has failed; stopping", "error", err)
	}
	tell(d.log, sd.SdNotifyStopping)
	d.stop()
	d.release()
	d.log.Info("hafile has stopped")
	return err
}

// open builds the owners. What fails here is told and nothing runs.
func (d *daemon) open() (err error) {
	if d.store, err = store.Open(d.opt.StateDir); err != nil {
		return err
	}
	d.storeSays()
	if d.rundir, err = store.OpenRun(d.opt.RunDir); err != nil {
		return err
	}
	left, err := d.rundir.Owned()
	if err != nil {
		d.log.Warn("starting without it", "error", err)
	}
	if d.stamp, err = d.rundir.OpenStamp(left.Boot == ""); err != nil {
		return err
	}
	if d.sequences, err = d.rundir.OpenSequences(); err != nil {
		return err
	}
	if d.listener, err = control.Listen(d.opt.Socket, -1); err != nil {
		return err
	}
	if err := d.openNetwork(&left); err != nil {
		return err
	}
	d.notify = notify.New(notify.Options{Log: d.log, Secret: d.secret})
	d.health = health.New(health.Options{Log: d.log, OnState: d.checkChanged, Look: d.sight})
	return d.boot(&left)
}

// storeSays logs what the store has noted since it was asked last, and returns it for a
// message to end with; empty if all is well.
func (d *daemon) storeSays() string {
	said := ""
	for _, note := range d.store.Notes() {
		d.log.Warn("state directory: " + note)
		said += "; " + note
	}
	return said
}

// openNetwork builds the loop and the owners around it. Each wants to call the other, so
// that callbacks wait until all of them are there.
func (d *daemon) openNetwork(left *store.Owned) (err error) {
	built := make(chan struct{})
	defer close(built)
	if d.kernel, err = netlink.Open(d.netlinkOptions(left, built)); err != nil {
		return err
	}
	d.want.owner = d.kernel
	if d.routes, err = netlink.OpenRoutes(d.lookAgain); err != nil {
		return err
	}
	if d.speaker, err = announce.Open(); err != nil {
		return err
	}
	d.engine, err = engine.Start(engine.Options{Kernel: &d.want, Announcer: speaker{d.speaker}, Stamp: d.stamp.Cell(), Reserve: d.reserve})
	if err != nil {
		return err
	}
	d.sockets = &sockets{engine: d.engine, open: map[node.Place]*pair{}}
	d.others = newOthers(d.log, d.answer, func() {})
	return nil
}

// boot runs the stored plan. An interface that is missing is waited for: a machine must
// come up with what it has.
func (d *daemon) boot(left *store.Owned) error {
	run := d.running.Load()
	if rec := d.store.Current(); rec != nil {
		run = runningOf(rec, "stored")
	}
	if err := d.fits(run); err != nil {
		return err
	}
	all, err := d.kernel.Links(context.Background())
	if err != nil {
		return fmt.Errorf("look at the interfaces: %w", err)
	}
	for _, l := range d.links.fill(all) {
		d.speaker.Link(announceable(l))
	}
	for _, waits := range d.describe(run.plan) {
		d.log.Warn(waits)
	}
	d.bring(run)
	if dr := d.store.Drain(); dr != nil { // before anything could be taken
		d.drain(dr)
		d.log.Warn("this machine is drained: it takes no address that somebody else can have", "reason", dr.Reason, "by", dr.By, "until", dr.Until)
	}
	var inherited *adoption
	if !d.finishTakeover() {
		inherited = d.inherit(left)
	}
	d.commit(run, inherited)
	d.want.begin()
	if run.configured() {
		d.log.Info("running the stored plan", "serial", run.status.Serial, "digest", planfile.Short(run.status.Digest), "by", run.status.By)
	} else {
		d.log.Info("no plan yet; waiting for hafile apply")
	}
	return nil
}

// fits refuses another node's plan: two machines with one identity would fight.
func (d *daemon) fits(run *running) error {
	if d.opt.Node != "" && run.configured() && run.plan.Node != d.opt.Node {
		return fmt.Errorf("the stored plan in %s is for node %s and not for %s: empty the directory, or start with -node %s",
			d.opt.StateDir, run.plan.Node, d.opt.Node, run.plan.Node)
	}
	return nil
}

// begin starts what runs beside the loop. Each ends with quit, the first with the engine.
func (d *daemon) begin() (served <-chan error) {
	failed := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() { <-d.quit; cancel() }()
	d.wg.Go(d.refresher)
	d.wg.Go(d.lookOut)
	d.wg.Go(d.keepHouse)
	d.wg.Go(func() { watchdog(ctx, d.log, func() { d.engine.Stats() }) })
	d.told = make(chan struct{})
	go d.tellTransitions()
	d.server = control.NewServer(d, d.hub)
	go func() {
		if err := d.server.Serve(d.listener); err != nil {
			failed <- err
		}
	}()
	return failed
}

// runningOf is a stored record as the plan that runs.
func runningOf(rec *store.Record, from string) *running {
	return &running{plan: rec.Plan, secrets: rec.Secrets, former: rec.Former, status: control.PlanStatus{
		Serial: rec.Serial, Digest: rec.Digest, Since: rec.When, By: rec.By, From: from,
	}}
}
