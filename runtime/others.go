package runtime

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"

	"hafile/lang/plan"
	"hafile/runtime/control"
	"hafile/runtime/node"
	"hafile/runtime/peers"
	"hafile/runtime/vrrp"
)

// codeStatusAddress: the status address cannot be listened on.
const codeStatusAddress = "HA3109"

// others is what this node tells the other members, and what it knows of them.
type others struct {
	log     *slog.Logger
	server  *peers.Server
	watcher *peers.Watcher

	// mu guards the listeners: plans bring and take them, and a look every second tries
	// again what has failed.
	mu       sync.Mutex
	at       netip.AddrPort // where to listen; not valid: nowhere
	listener net.Listener   // nil: not yet
	failed   string         // why, as told last
	prepared net.Listener   // by an apply that has not been committed
	next     netip.AddrPort // where
}

func newOthers(log *slog.Logger, said func() *peers.Said, changed func()) *others {
	return &others{log: log, server: peers.NewServer(said), watcher: peers.NewWatcher(changed)}
}

// statusAddress is where a plan's node listens; not valid: nowhere.
func statusAddress(p *plan.Plan) netip.AddrPort { return statusAddresses(p)[p.Node] }

// statusAddresses of all nodes of a plan that have one.
func statusAddresses(p *plan.Plan) map[string]netip.AddrPort {
	out := map[string]netip.AddrPort{}
	for i := range p.Desired.Instances {
		for _, m := range p.Desired.Instances[i].Members {
			if at, err := netip.ParseAddrPort(m.Status); err == nil {
				out[m.Node] = at
			}
		}
	}
	return out
}

// membersOf are the addresses from which the other members ask.
func membersOf(p *plan.Plan) []netip.Addr {
	var out []netip.Addr
	for i := range p.Desired.Instances {
		for _, m := range othersOf(p, &p.Desired.Instances[i]) {
			if m.Address.IsValid() && !slices.Contains(out, m.Address) {
				out = append(out, m.Address)
			}
		}
	}
	for node, at := range statusAddresses(p) {
		if node != p.Node && !slices.Contains(out, at.Addr()) {
			out = append(out, at.Addr())
		}
	}
	return out
}

// prepare opens the status address of a plan before it is committed, and says why it
// cannot.
func (o *others) prepare(p *plan.Plan) error {
	at := statusAddress(p)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.drop()
	if !at.IsValid() || at == o.at && o.listener != nil {
		return nil
	}
	l, err := peers.Listen(at, false)
	if err == nil {
		o.prepared, o.next = l, at
	}
	return err
}

// drop closes what was opened for nothing.
func (o *others) drop() {
	if o.prepared != nil {
		_ = o.prepared.Close()
		o.prepared = nil
	}
}

// apply follows a plan that runs.
func (o *others) apply(p *plan.Plan) {
	o.server.Admit(membersOf(p))
	o.server.Changed()
	whom := statusAddresses(p)
	self := whom[p.Node]
	delete(whom, p.Node)
	o.watcher.Watch(self.Addr(), whom)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.at == self && o.listener != nil {
		return
	}
	if o.listener != nil {
		_ = o.listener.Close()
	}
	o.at, o.listener, o.failed = self, nil, ""
	if o.prepared != nil && o.next == self {
		o.listen(o.prepared)
		o.prepared = nil
		return
	}
	o.open()
}

// open listens, also on an address that the machine does not have yet.
func (o *others) open() {
	if !o.at.IsValid() || o.listener != nil {
		return
	}
	l, err := peers.Listen(o.at, true)
	switch {
	case err == nil:
		o.failed = ""
		o.listen(l)
	case o.failed != err.Error():
		o.failed = err.Error()
		o.log.Warn("the other members learn nothing of this node but its adverts; trying again", "error", err)
	}
}

func (o *others) listen(l net.Listener) {
	o.listener = l
	go func() { // ends with the listener
		err := o.server.Serve(l)
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.listener == l {
			o.listener = nil
			if err != nil && !errors.Is(err, net.ErrClosed) {
				o.log.Warn("the status address has failed; trying again", "error", err)
			}
		}
	}()
}

// house tries again.
func (o *others) house() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open()
}

func (o *others) tidy() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.drop()
}

func (o *others) close() {
	o.watcher.Close()
	o.mu.Lock()
	o.at = netip.AddrPort{}
	l := o.listener
	o.drop()
	o.mu.Unlock()
	if l != nil {
		_ = l.Close()
	}
	o.server.Close()
}

// prepareStatus refuses a status address on which nobody could be answered.
func (d *daemon) prepareStatus(after *plan.Plan) *control.Problem {
	if err := d.others.prepare(after); err != nil {
		return &control.Problem{Exit: 1, Code: codeStatusAddress, Summary: "the other members could not ask this node",
			Detail: err.Error() + ". Correct status of node " + after.Node + ", or free the port."}
	}
	return nil
}

// answer is what this node tells the other members.
func (d *daemon) answer() *peers.Said {
	run, snap := d.running.Load(), d.engine.Snapshot()
	s := &peers.Said{
		FormatVersion: plan.FormatVersion, HafileVersion: d.opt.Version, Node: d.nodeName(run),
		Serial: run.status.Serial, Digest: run.status.Digest, Instances: []peers.Instance{},
	}
	for i := range snap.Instances {
		is := &snap.Instances[i]
		in := run.plan.Desired.Instance(is.Address)
		if in == nil || is.Leaving {
			continue
		}
		told := peers.Instance{
			Address: is.Address, Role: roleOf(is), Priority: is.Effective, Ready: ready(is), Group: in.GroupDigest(),
			Identities: []peers.Identity{identityOf(is.Key)}, VIPs: []netip.Prefix{},
		}
		for _, k := range is.Former {
			told.Identities = append(told.Identities, identityOf(k))
		}
		for _, v := range in.VIPs {
			told.VIPs = append(told.VIPs, v.Address)
		}
		s.Instances = append(s.Instances, told)
	}
	return s
}

// ready reports whether a router would answer for its addresses if nobody else did.
func ready(is *node.Instance) bool {
	return (is.Role == vrrp.Active || is.Role == vrrp.Backup) && is.Failing == "" && !is.Stale.IsValid()
}

func identityOf(k plan.WireKey) peers.Identity {
	return peers.Identity{Family: k.Family, VRID: k.VRID, Version: k.Version}
}

// standing is what is known of another member of an instance.
type standing struct {
	node  string
	heard bool            // an advert within the silence: it is active, or was just now
	said  *peers.Said     // nil: unknown
	in    *peers.Instance // nil: unknown, or it has no such instance
	why   string          // unknown because
}

// ready reports whether it is known that it would answer for all of these addresses.
func (s *standing) ready(vips []netip.Prefix) bool {
	return s.in != nil && s.in.Ready && s.in.Covers(vips)
}

// unfit says why a member that is known would not do.
func (s *standing) unfit(vips []netip.Prefix) string {
	if !s.in.Ready {
		return fmt.Sprintf("%s is %s and not ready", s.node, s.in.Role)
	}
	for _, v := range vips {
		if !slices.Contains(s.in.VIPs, v) {
			return fmt.Sprintf("%s runs a plan without %s", s.node, v.Addr())
		}
	}
	return s.node + " is ready"
}

func vipsOf(in *plan.Instance) []netip.Prefix {
	var out []netip.Prefix
	for _, v := range in.VIPs {
		out = append(out, v.Address)
	}
	return out
}

// standings are the other members of an instance, in the plan's order.
func standings(p *plan.Plan, in *plan.Instance, is *node.Instance, now vrrp.Instant, known map[string]peers.Peer) []standing {
	var out []standing
	for _, m := range othersOf(p, in) {
		s := standing{node: m.Node}
		s.heard = is != nil && slices.ContainsFunc(is.Peers, func(a node.Peer) bool {
			return a.Address == addressOf(in, p.Node, m, is.Peers) && a.Priority > 0 && now.Sub(a.At) < is.Silence
		})
		k, asked := known[m.Node]
		switch {
		case k.Said != nil:
			s.said, s.in = k.Said, k.Said.Of(in.Address, identityOf(in.Wire()))
			if s.in == nil {
				s.why = "it does not run " + string(in.Address)
			}
		case asked:
			s.why = k.Why
		case m.Speaks != "":
			s.why = "it speaks " + m.Speaks
		default:
			s.why = "it has no status address"
		}
		out = append(out, s)
	}
	return out
}

// members are the other nodes of a plan as they are known.
func (d *daemon) members(p *plan.Plan, known map[string]peers.Peer) []control.Member {
	var out []control.Member
	seen := map[string]bool{p.Node: true}
	for i := range p.Desired.Instances {
		for _, m := range p.Desired.Instances[i].Members {
			if seen[m.Node] {
				continue
			}
			seen[m.Node] = true
			out = append(out, memberOf(m, known))
		}
	}
	slices.SortFunc(out, func(a, b control.Member) int { return cmp.Compare(a.Node, b.Node) })
	return out
}

func memberOf(m plan.Member, known map[string]peers.Peer) control.Member {
	out := control.Member{Node: m.Node, Speaks: m.Speaks, Status: m.Status}
	k, asked := known[m.Node]
	switch {
	case k.Said != nil:
		out.Known, out.HafileVersion, out.Serial, out.Digest = true, k.Said.HafileVersion, k.Said.Serial, k.Said.Digest
		out.Groups = map[plan.Addr]string{}
		for i := range k.Said.Instances {
			out.Groups[k.Said.Instances[i].Address] = k.Said.Instances[i].Group
		}
	case asked:
		out.Unknown = k.Why
	case m.Speaks != "":
		out.Unknown = fmt.Sprintf("it speaks %s, which has no status address", m.Speaks)
	default:
		out.Unknown = "it has no status address"
	}
	return out
}
