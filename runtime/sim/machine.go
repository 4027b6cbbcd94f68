package sim

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"hafile/lang/plan"
	"hafile/runtime/kernel"
	"hafile/runtime/node"
	"hafile/runtime/vrrp"
)

// Machine is hardware, a kernel, and at most one process that runs a node.
type Machine struct {
	Name string

	w     *World
	links map[string]*port
	clock clock
	host  *host // nil: switched off

	plan   *plan.Plan                  // as stored: it outlives everything
	former map[plan.Addr][]node.Former // likewise
	// insisted: a plan was refused, and its people do not care what the next one costs.
	insisted bool
	failing  map[plan.Addr]bool
	process  *process

	// What a process leaves until the next boot: what it holds, and the instant of its
	// last advert.
	record []held
	stamp  vrrp.Instant
}

// port is an interface.
type port struct {
	address netip.Prefix
}

// held is what a process notes of one router for the process after it.
type held struct {
	key       plan.WireKey
	role      vrrp.Role
	addresses []kernel.Address
}

func newMachine(w *World, name string, interfaces map[string]netip.Prefix) *Machine {
	m := &Machine{w: w, Name: name, links: map[string]*port{}, failing: map[plan.Addr]bool{}}
	for iface, address := range interfaces {
		m.links[iface] = &port{address: address}
	}
	return m
}

// interfaces by name.
func (m *Machine) interfaces() []string { return slices.Sorted(maps.Keys(m.links)) }

// plugged reports whether packets pass an interface.
func (m *Machine) plugged(iface string) bool {
	return m.host != nil && m.host.up(iface)
}

// Running reports whether there is a process, frozen or not.
func (m *Machine) Running() bool { return m.process != nil }

// Awake reports whether there is a process and nothing keeps it from running.
func (m *Machine) Awake() bool { return m.process != nil && !m.process.frozen }

// Plan that is stored, and runs if anything does; nil if there is none yet.
func (m *Machine) Plan() *plan.Plan { return m.plan }

// Apply commits a verified plan and stores it; a process that is about to stop refuses
// it. Where no process runs it is stored for the next one.
func (m *Machine) Apply(p *plan.Plan) {
	if p.Node != m.Name {
		panic("sim: the plan of " + p.Node + " for " + m.Name)
	}
	m.w.trace(m, "apply")
	if m.process == nil {
		m.plan, m.former = p, nil
		return
	}
	q := m.process
	q.post(func(now vrrp.Instant) {
		if !q.stopping {
			hosts, refused := q.sweep(p)
			if refused && !m.insisted {
				m.w.trace(m, "refuses the plan: it would take an identity that is not retired")
				m.insisted = true
				return
			}
			insisted := m.insisted
			m.insisted = false
			before := m.plan
			m.plan = p
			q.commit(now, before, hosts, insisted)
		}
	})
}

// Boot switches the machine on, and Start follows.
func (m *Machine) Boot() {
	if m.host != nil {
		return
	}
	m.w.trace(m, "boots")
	drift := m.w.opt.Host.Drift
	if drift > 0 {
		drift = m.w.rndHost.Int64N(2*drift+1) - drift
	}
	uptime := vrrp.Instant(time.Second).Add(time.Duration(m.w.rndHost.Int64N(int64(time.Hour))))
	m.clock = clock{base: uptime, at: m.w.now, ppb: drift}
	m.host = newHost(m)
	m.record, m.stamp = nil, 0
	m.Start()
}

// Start begins a process with the stored plan.
func (m *Machine) Start() {
	if m.host == nil || m.process != nil {
		return
	}
	m.process = newProcess(m)
	m.process.begin()
}

// Stop asks the process to leave; it ends when it has.
func (m *Machine) Stop() {
	if p := m.process; p != nil && !p.stopping {
		m.w.trace(m, "stop")
		p.post(func(now vrrp.Instant) { p.stop(now) })
	}
}

// Kill ends the process without a word. Its addresses stay.
func (m *Machine) Kill() {
	if m.process == nil {
		return
	}
	m.w.trace(m, "is killed")
	m.end(false)
}

// Crash switches the machine off: nothing of it is left but its disk.
func (m *Machine) Crash() {
	if m.host == nil {
		return
	}
	m.w.trace(m, "loses its power")
	if m.process != nil {
		m.end(false)
	}
	for _, i := range m.host.installed {
		m.w.emit(Fact{Kind: Removed, Machine: m, Address: i.Address})
	}
	m.host = nil
	m.clock = clock{}
}

// end is the end of a process.
func (m *Machine) end(left bool) {
	p := m.process
	m.process = nil
	p.dead = true
	if left {
		m.record, m.stamp = nil, 0
	}
	m.w.emit(Fact{Kind: Ended, Machine: m, Before: p.view})
}

// Freeze stops the process where it is, as SIGSTOP does: what arrives is kept.
func (m *Machine) Freeze() {
	if p := m.process; p != nil && !p.frozen {
		m.w.trace(m, "is frozen")
		p.frozen = true
		m.w.emit(Fact{Kind: Stalled, Machine: m})
	}
}

// Thaw lets it go on.
func (m *Machine) Thaw() {
	p := m.process
	if p == nil || !p.frozen || m.clock.suspended {
		return
	}
	m.w.trace(m, "is thawed")
	p.thaw()
}

// Suspend stops the machine with its clock, as a hypervisor does that says so: what
// arrives is lost.
func (m *Machine) Suspend() {
	if m.host == nil || m.clock.suspended {
		return
	}
	m.w.trace(m, "is suspended")
	m.clock.suspend(m.w.now)
	if p := m.process; p != nil && !p.frozen {
		p.frozen = true
		m.w.emit(Fact{Kind: Stalled, Machine: m})
	}
}

// Resume lets it go on.
func (m *Machine) Resume() {
	if m.host == nil || !m.clock.suspended {
		return
	}
	m.w.trace(m, "is resumed")
	m.clock.resume(m.w.now)
	if m.process != nil {
		m.process.thaw()
	}
}

// Unplug takes the carrier from an interface.
func (m *Machine) Unplug(iface string) { m.link(iface, "down") }

// Plug gives it back.
func (m *Machine) Plug(iface string) { m.link(iface, "up") }

func (m *Machine) link(iface, to string) {
	if m.host == nil || m.host.up(iface) == (to == "up") {
		return
	}
	m.w.trace(m, "%s goes %s", iface, to)
	m.w.emit(Fact{Kind: Plugged, Machine: m, Interface: iface, Up: to == "up"})
	m.host.stranger("ip link set " + iface + " " + to)
}

// Recreate deletes an interface with all its addresses and makes it anew, down.
func (m *Machine) Recreate(iface string) {
	if m.host == nil {
		return
	}
	m.w.trace(m, "%s is made anew", iface)
	m.w.emit(Fact{Kind: Plugged, Machine: m, Interface: iface})
	m.host.stranger("ip link del " + iface)
	_ = m.host.fake.Run("ip link add " + iface + " type veth")
	m.host.own(iface)
	m.host.stranger("ip link set " + iface + " down")
}

// Remove takes an address away behind the process's back.
func (m *Machine) Remove(a kernel.Address) {
	if m.host != nil {
		m.w.trace(m, "a stranger removes %s", a)
		m.host.stranger("ip addr del " + a.Prefix.String() + " dev " + a.Interface)
	}
}

// Refuse makes the kernel answer every attempt to add an address with err; nil ends that.
func (m *Machine) Refuse(a kernel.Address, err error) {
	if m.host != nil {
		m.w.trace(m, "the kernel refuses %s: %v", a, err)
		m.host.fake.Refuse(a, err)
	}
}

// Fail makes what a check watches break, or work again. It is known by its address in
// the stored plan, and follows it through renames.
func (m *Machine) Fail(check plan.Addr, broken bool) {
	m.w.trace(m, "%s %s", check, map[bool]string{true: "breaks", false: "works again"}[broken])
	m.failing[check] = broken
}

// answers reports whether an address is still installed in another form.
func (m *Machine) answers(a kernel.Address) bool {
	return m.host != nil && slices.ContainsFunc(m.host.installed, func(i kernel.Installed) bool {
		return i.Address != a && i.Interface == a.Interface && i.Single() == a.Single()
	})
}

// Holds reports whether an address is installed here, whoever did it.
func (m *Machine) Holds(a kernel.Address) bool {
	return m.host != nil && has(m.host.installed, a)
}
