package runtime

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"hafile/lang/diff"
	"hafile/lang/plan"
	"hafile/runtime/control"
	"hafile/runtime/health"
	"hafile/runtime/kernel"
	"hafile/runtime/node"
	"hafile/runtime/notify"
	"hafile/runtime/program"
	"hafile/runtime/rawsock"
	"hafile/runtime/vrrp"
	"hafile/runtime/vrrp/wire"
)

// Refusals by facts of this host and its segment.
const (
	codeInterface = "HA3101" // an interface does not exist or has no address to send from
	codeStranger  = "HA3102" // a VIP belongs to somebody else already
	codeDialect   = "HA3103" // a neighbour uses the VRID in another way
)

const (
	// listenSlack is added to an advert interval: a neighbour's adverts are not due on
	// the dot.
	listenSlack = 250 * time.Millisecond
	// listenMax bounds how long an apply listens; version 2 allows intervals of minutes.
	listenMax = 10 * time.Second
	// strangerWait is added where somebody answers for a new VIP and was not heard: most
	// intervals are shorter.
	strangerWait = 3 * time.Second
)

// prepare asks in the order of cost: what this host has, what runs on it, and then what
// its neighbours say. It returns in a few words what it has looked at.
func (d *daemon) prepare(ctx context.Context, t *transaction) (string, *control.Problem) {
	after := &t.req.Plan.Plan
	asks := []func() *control.Problem{
		t.prepareTakeover,
		func() *control.Problem { return d.prepareLinks(after, t.before.plan) },
		func() *control.Problem { return d.prepareSweeps(t) },
		func() *control.Problem { return d.preparePrograms(ctx, after, t.changes) },
		func() *control.Problem { return d.prepareSockets(after) },
		func() *control.Problem { return d.prepareStatus(after) },
		func() *control.Problem { return d.prepareAddresses(ctx, after, t.before.plan, t.req.Adopt) },
		func() *control.Problem { return d.prepareSegment(ctx, t) },
		func() *control.Problem { return t.ready(ctx) },
	}
	for _, ask := range asks {
		if p := ask(); p != nil {
			return "", p
		}
	}
	return prepared(after), nil
}

func prepared(p *plan.Plan) string {
	what := []string{"sockets"}
	for _, name := range slices.Sorted(maps.Keys(devices(p))) {
		what = append(what, "interface "+name)
	}
	programs := 0
	for i := range p.Desired.Checks {
		if p.Desired.Checks[i].Script != nil {
			programs++
		}
	}
	if programs > 0 {
		what = append(what, fmt.Sprintf("%d programs", programs))
	}
	return strings.Join(what, ", ")
}

// prepareLinks refuses an interface that is not there, unless the running plan waits for
// it already.
func (d *daemon) prepareLinks(after, before *plan.Plan) *control.Problem {
	known := devices(before)
	for _, name := range slices.Sorted(maps.Keys(devices(after))) {
		if _, there := d.links.get(name); !there && !known[name] {
			return d.noInterface(name, after)
		}
	}
	for i := range after.Desired.Checks {
		c := &after.Desired.Checks[i]
		if c.Interface == nil || before.Desired.Check(c.Address) != nil {
			continue
		}
		if _, there := d.links.get(c.Interface.Name); !there {
			return d.noInterface(c.Interface.Name, after)
		}
	}
	running := byKey(before)
	for i := range after.Desired.Instances {
		in := &after.Desired.Instances[i]
		if running[in.Wire()] != nil {
			continue
		}
		l, _ := d.links.get(in.Interface)
		if p := noSource(in, l); p != nil {
			return p
		}
	}
	return nil
}

// prepareSweeps refuses an instance that would go on under an interface that cannot be
// used: its addresses would be lost with it.
func (d *daemon) prepareSweeps(t *transaction) *control.Problem {
	for _, f := range t.former {
		in := t.req.Plan.Desired.Instance(f.Of)
		l, _ := d.links.get(in.Interface)
		if wrong := wrongWith(l); wrong != "" && in.Interface != f.Key.Interface {
			return &control.Problem{
				Exit: 4, Code: codeInterface, Summary: fmt.Sprintf("%s would move from %s to %s, and %s", in.Address, f.Key.Interface, in.Interface, wrong),
				Detail: "Bring the interface up, and apply again.",
			}
		}
	}
	return nil
}

func (d *daemon) noInterface(name string, p *plan.Plan) *control.Problem {
	who := ""
	for i := range p.Desired.Instances {
		if in := &p.Desired.Instances[i]; in.Interface == name {
			who = fmt.Sprintf(" (%s)", in.Address)
			break
		}
	}
	if who == "" {
		who = " to track"
	}
	return &control.Problem{
		Exit: 1, Code: codeInterface, Summary: fmt.Sprintf("there is no interface %s%s", name, who),
		Detail: fmt.Sprintf("This machine has %s. Correct the interface, or create it and apply again.", strings.Join(d.links.names(), ", ")),
	}
}

func noSource(in *plan.Instance, l kernel.Link) *control.Problem {
	source := sourceOf(in, l)
	switch {
	case !source.IsValid():
		what := string(in.Family)
		if in.Family == plan.IPv6 {
			what = "link-local"
		}
		return &control.Problem{
			Exit: 1, Code: codeInterface, Summary: fmt.Sprintf("%s has no %s address to send adverts from (%s)", l.Name, what, in.Address),
			Detail: "Give it one, or name another interface, and apply again.",
		}
	case !slices.ContainsFunc(l.Addresses, func(p netip.Prefix) bool { return p.Addr() == source }):
		return &control.Problem{
			Exit: 1, Code: codeInterface, Summary: fmt.Sprintf("%s is not an address of %s (%s)", source, l.Name, in.Address),
			Detail: fmt.Sprintf("%s has %s. Correct source_address, or make the plan for this node.", l.Name, prefixes(l.Addresses)),
		}
	}
	return nil
}

func prefixes(all []netip.Prefix) string {
	if len(all) == 0 {
		return "none"
	}
	var out []string
	for _, p := range all {
		out = append(out, p.String())
	}
	return strings.Join(out, ", ")
}

// preparePrograms looks at programs that are new or changed: those that run already say
// by themselves what is wrong with them.
func (d *daemon) preparePrograms(ctx context.Context, after *plan.Plan, changes []diff.Change) *control.Problem {
	for i := range changes {
		c := &changes[i]
		if c.Action != diff.Add && c.Action != diff.Update {
			continue
		}
		var err error
		if check := after.Desired.Check(c.Address); check != nil {
			err = health.Verify(ctx, check)
		} else if n := after.Desired.Notify(c.Address); n != nil {
			err = notify.Verify(ctx, n)
		}
		if err != nil {
			return &control.Problem{
				Exit: 1, Code: program.Code, Summary: fmt.Sprintf("the program of %s cannot be run", c.Address),
				Detail: err.Error() + "; correct that and apply again",
			}
		}
	}
	return nil
}

func (d *daemon) prepareSockets(after *plan.Plan) *control.Problem {
	resolved := d.resolve(&running{plan: after}, nil)
	for at, n := range needs(&resolved) {
		l, there := d.links.get(at.Interface)
		if !there {
			continue // the running plan waits for it, as this one will
		}
		if err := d.sockets.ensure(at, l, n); err != nil {
			return &control.Problem{Exit: 1, Code: codeInterface, Summary: "adverts could not be sent or received",
				Detail: err.Error() + ". The daemon needs CAP_NET_RAW and CAP_NET_ADMIN."}
		}
	}
	return nil
}

// prepareAddresses refuses what somebody else has installed on this machine.
func (d *daemon) prepareAddresses(ctx context.Context, after, before *plan.Plan, adopt bool) *control.Problem {
	fresh := addressesOf(after).Without(addressesOf(before)).Without(ownedBy(after))
	if len(fresh) == 0 {
		return nil
	}
	conflicts, err := d.kernel.Conflicts(ctx, fresh)
	if adopt && err == nil {
		var exact kernel.State
		if exact, err = d.kernel.Installed(ctx, fresh); err == nil {
			conflicts = leftover(conflicts, exact)
		}
	}
	if err != nil {
		return &control.Problem{Exit: 1, Code: codeStranger, Summary: "the kernel's addresses cannot be read", Detail: err.Error()}
	}
	if len(conflicts) == 0 {
		return nil
	}
	c := conflicts[0]
	if adopt {
		return &control.Problem{
			Exit: 4, Code: codeStranger, Summary: fmt.Sprintf("%s cannot be taken over as it is", c.Address),
			Detail: c.Err + ". Correct the prefix in the configuration (install_prefix), or remove the address, and apply again.",
		}
	}
	return &control.Problem{
		Exit: 4, Code: codeStranger, Summary: fmt.Sprintf("%s belongs to somebody else on this machine", c.Address),
		Detail: c.Err + ". Stop what installed it (keepalived?), or remove the address, and apply again; apply -adopt takes it over as it is.",
	}
}

// question is one instance about which the segment is asked.
type question struct {
	in   *plan.Instance
	spec vrrp.Spec
	at   node.Place
	need *need // of the place, for this router alone
	// dialect: it is new here, or speaks otherwise than before.
	dialect bool
	// sweeps: it runs here already, and takes this identity beside the one that it has.
	sweeps bool
	vips   []netip.Addr // new on this machine
	rival  bool         // another machine was heard that is active
}

// alone is the router without the identities that it had before.
func (q *question) alone() vrrp.Spec {
	spec := q.spec
	spec.Former = nil
	return spec
}

// prepareSegment listens on each interface for those that use the same VRID, and asks
// who has the new VIPs. It ends as soon as it knows.
func (d *daemon) prepareSegment(ctx context.Context, t *transaction) *control.Problem {
	bySegment := map[string][]*question{}
	for _, q := range d.questions(t) {
		bySegment[q.in.Interface] = append(bySegment[q.in.Interface], q)
	}
	var (
		wg    sync.WaitGroup
		found = make([]*control.Problem, len(bySegment))
	)
	for i, name := range slices.Sorted(maps.Keys(bySegment)) {
		l, there := d.links.get(name)
		if !there || wrongWith(l) != "" {
			continue // nobody can be heard; the router will say that it is in fault
		}
		wg.Go(func() { found[i] = d.ask(ctx, l, bySegment[name], t.req.Allow) })
	}
	wg.Wait()
	t.rivals = map[plan.Addr]bool{}
	for _, asked := range bySegment {
		for _, q := range asked {
			t.rivals[q.in.Address] = q.rival
		}
	}
	for _, p := range found {
		if p != nil {
			return p
		}
	}
	return nil
}

func (d *daemon) questions(t *transaction) []*question {
	after := &t.req.Plan.Plan
	now := d.resolve(&running{plan: after, secrets: t.secrets, former: t.former}, nil)
	was := d.resolve(t.before, nil)
	old := byKey(t.before.plan)
	before := answeredBy(t.before.plan)
	var out []*question
	for i := range after.Desired.Instances {
		in := &after.Desired.Instances[i]
		at := node.PlaceOf(in)
		q := &question{in: in, spec: now.Spec(in), dialect: true, at: at, need: &need{
			source: now.Hosts[in.Address].Source, routers: map[uint8][]rawsock.Peer{in.VRID: peersOf(after.Node, in)},
		}}
		if o := old[in.Wire()]; o != nil {
			q.dialect = speaksOtherwise(was.Spec(o), q.spec)
		}
		had := func(plan.VIP) bool { return false }
		if q.sweeps = len(now.Former[in.Address]) > 0; q.sweeps {
			had = hadBy(node.Predecessor(t.before.plan, after, in))
		}
		for _, v := range in.VIPs {
			if !had(v) && !before[answering{in.DeviceOf(v), v.Address}] && in.DeviceOf(v) == in.Interface {
				q.vips = append(q.vips, v.Address.Addr())
			}
		}
		if q.dialect || len(q.vips) > 0 {
			out = append(out, q)
		}
	}
	return out
}

// hadBy: an address that goes with its instance to another interface is not new.
func hadBy(was *plan.Instance) func(plan.VIP) bool {
	return func(v plan.VIP) bool {
		return slices.ContainsFunc(was.VIPs, func(w plan.VIP) bool { return w.Address == v.Address })
	}
}

// speaksOtherwise reports whether neighbours of the one would drop adverts of the other.
func speaksOtherwise(a, b vrrp.Spec) bool {
	if (a.Signing == nil) != (b.Signing == nil) || a.Signing != nil && a.Signing.Protection.Mode != b.Signing.Protection.Mode {
		return true
	}
	return a.Auth != b.Auth || a.Password != b.Password || a.Version == 2 && a.Interval != b.Interval
}

// segment is what was heard and answered on one interface.
type segment struct {
	questions []*question
	allow     []string
	own       []netip.Prefix

	heard    map[plan.Addr][]netip.Addr // VIPs that accepted adverts announce
	spoke    map[plan.Addr]bool
	answered map[netip.Addr]net.HardwareAddr // nil: not asked to the end yet
	problem  *control.Problem
}

// wait is how long a neighbour may be silent that has the interval of the plan.
func (s *segment) wait() (longest time.Duration) {
	for _, q := range s.questions {
		longest = max(longest, min(q.spec.Interval, listenMax)+listenSlack)
	}
	return longest
}

// places are where the segment is listened to.
func (s *segment) places() map[node.Place]*need {
	out := map[node.Place]*need{}
	for _, q := range s.questions {
		if n := out[q.at]; n != nil {
			out[q.at] = joined(n, q.need)
		} else {
			out[q.at] = q.need
		}
	}
	return out
}

func (s *segment) vips() (vips []netip.Addr) {
	for _, q := range s.questions {
		vips = append(vips, q.vips...)
	}
	return vips
}

// ask listens and asks at the same time. Where somebody answers for a new VIP and has not
// been heard, it listens for longer: an active member in another dialect, or with a
// longer interval, is a neighbour to be named and no stranger.
func (d *daemon) ask(ctx context.Context, l kernel.Link, questions []*question, allow []string) *control.Problem {
	s := &segment{questions: questions, allow: allow, own: l.Addresses, heard: map[plan.Addr][]netip.Addr{}, spoke: map[plan.Addr]bool{}}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan map[netip.Addr]net.HardwareAddr, 1)
	go func() { answers <- d.probe(ctx, l, s.vips()) }() // ends with ctx
	adverts := overhear(ctx, l, s.places())
	enough := time.NewTimer(s.wait())
	defer enough.Stop()
	more := strangerWait
	for !s.done() {
		select {
		case s.answered = <-answers:
		case h, open := <-adverts:
			switch {
			case open:
				s.hear(&h)
			case ctx.Err() != nil:
				return nil // the client went away, and the apply ends
			default:
				adverts = nil // nothing can be heard; the answers still count
			}
		case <-enough.C:
			switch {
			case s.answered == nil:
				enough.Reset(listenSlack) // the question takes longer than the interval
			case s.stranger() == nil || more == 0:
				return s.verdict()
			default:
				enough.Reset(more)
				more = 0
			}
		}
	}
	return s.verdict()
}

// overhear is what is heard at these places until ctx ends.
func overhear(ctx context.Context, l kernel.Link, places map[node.Place]*need) <-chan heardAdvert {
	adverts := make(chan heardAdvert, 64)
	var all sync.WaitGroup
	for at, n := range places {
		if !n.opens(at) {
			continue
		}
		all.Go(func() {
			_ = rawsock.Listen(ctx, configOf(at, l, n), func(a *wire.Advert, from netip.Addr, reason wire.Reason) {
				if reason != wire.OK {
					return
				}
				copied := *a
				copied.Addresses = slices.Clone(a.Addresses)
				select {
				case adverts <- heardAdvert{copied, at, from}:
				case <-ctx.Done():
				}
			})
		})
	}
	go func() {
		all.Wait()
		close(adverts)
	}()
	return adverts
}

type heardAdvert struct {
	wire.Advert
	at   node.Place
	from netip.Addr
}

func (s *segment) hear(h *heardAdvert) {
	if slices.ContainsFunc(s.own, func(p netip.Prefix) bool { return p.Addr() == h.from }) {
		return
	}
	for _, q := range s.questions {
		if q.in.VRID != h.VRID || q.at != h.at {
			continue
		}
		wrong := vrrp.Describe(q.spec, &h.Advert, h.from)
		switch {
		case q.sweeps && h.Priority > 0 && vrrp.Describe(q.alone(), &h.Advert, h.from) == "" && inUse(q.in, h.Addresses) != "":
			s.problem = &control.Problem{
				Exit: 4, Code: codeDialect, Summary: fmt.Sprintf("another group uses VRID %d on %s (%s)", q.in.VRID, q.in.Interface, q.in.Address),
				Detail: fmt.Sprintf("%s announces %s with it; the instance would join its election and lose its addresses. Choose another router_id.", h.from, inUse(q.in, h.Addresses)),
			}
		case wrong == "":
			s.spoke[q.in.Address] = true
			if h.Priority > 0 {
				q.rival = true
				s.heard[q.in.Address] = append(s.heard[q.in.Address], h.Addresses...)
			}
		case q.dialect && s.problem == nil && !slices.Contains(s.allow, "dialect:"+string(q.in.Address)):
			s.problem = &control.Problem{
				Exit: 4, Code: codeDialect, Summary: fmt.Sprintf("a neighbour uses VRID %d on %s in another way (%s)", q.in.VRID, q.in.Interface, q.in.Address),
				Detail: fmt.Sprintf("%s. Both would be active, each deaf to the other. Make them equal, or choose another router_id; if the neighbour changes next, apply -allow=dialect:%s.",
					wrong, q.in.Address),
			}
		}
	}
}

// done: a neighbour in another dialect ends it; else every new instance has heard its
// active, and the answers are in and explained.
func (s *segment) done() bool {
	if s.problem != nil {
		return true
	}
	for _, q := range s.questions {
		if q.dialect && !s.spoke[q.in.Address] {
			return false
		}
	}
	return s.answered != nil && s.stranger() == nil
}

func (s *segment) verdict() *control.Problem {
	if s.problem != nil {
		return s.problem
	}
	return s.stranger()
}

// stranger is somebody who answers for a new VIP and is not the group's active: a member
// that is active announces the address in its adverts.
func (s *segment) stranger() *control.Problem {
	for _, q := range s.questions {
		for _, v := range q.vips {
			mac, taken := s.answered[v]
			if !taken || slices.Contains(s.heard[q.in.Address], v) {
				continue
			}
			return &control.Problem{
				Exit: 4, Code: codeStranger, Summary: fmt.Sprintf("another machine answers for %s on %s (%s)", v, q.in.Interface, mac),
				Detail: fmt.Sprintf("It is no active member of %s, whose adverts would list the address. Take the address off that machine, or choose another, and apply again.", q.in.Address),
			}
		}
	}
	return nil
}

// byKey finds instances by what the network sees.
func byKey(p *plan.Plan) map[plan.WireKey]*plan.Instance {
	out := map[plan.WireKey]*plan.Instance{}
	for i := range p.Desired.Instances {
		out[p.Desired.Instances[i].Wire()] = &p.Desired.Instances[i]
	}
	return out
}

// devices are the interfaces that a plan needs.
func devices(p *plan.Plan) map[string]bool {
	out := map[string]bool{}
	for i := range p.Desired.Instances {
		in := &p.Desired.Instances[i]
		out[in.Interface] = true
		for _, v := range in.VIPs {
			out[in.DeviceOf(v)] = true
		}
		for _, r := range in.Routes {
			for _, h := range slices.Concat(r.NextHops, []plan.NextHop{{Interface: r.Interface}}) {
				if h.Interface != "" {
					out[h.Interface] = true
				}
			}
		}
	}
	return out
}

// ownedBy are the VIPs of which this machine is the address owner: they are its own
// addresses, and whoever configures its interfaces has installed them (RFC 9568, 5.2.4).
func ownedBy(p *plan.Plan) kernel.State {
	var owned []kernel.Address
	for i := range p.Desired.Instances {
		if in := &p.Desired.Instances[i]; in.Priority == plan.OwnerPriority {
			for _, v := range in.VIPs {
				owned = append(owned, node.AddressOf(in, v))
			}
		}
	}
	return kernel.StateOf(owned...)
}

// answering is a VIP where the segment asks for it, however it is installed there.
type answering struct {
	device  string
	address netip.Prefix
}

func answeredBy(p *plan.Plan) map[answering]bool {
	out := map[answering]bool{}
	for i := range p.Desired.Instances {
		in := &p.Desired.Instances[i]
		for _, v := range in.VIPs {
			out[answering{in.DeviceOf(v), v.Address}] = true
		}
	}
	return out
}

// addressesOf are all the VIPs of a plan where they would be installed.
func addressesOf(p *plan.Plan) kernel.State {
	var all []kernel.Address
	for i := range p.Desired.Instances {
		in := &p.Desired.Instances[i]
		for _, v := range in.VIPs {
			all = append(all, node.AddressOf(in, v))
		}
	}
	return kernel.StateOf(all...)
}
