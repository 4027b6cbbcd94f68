package sim

import (
	"slices"

	"hafile/runtime/kernel"
)

// host is a machine's kernel: its interfaces and what is installed on them. It outlives
// processes and dies with the machine.
type host struct {
	m         *Machine
	fake      *kernel.Fake
	installed []kernel.Installed
	links     []kernel.Link
}

// newHost is a kernel that has just booted, with the machine's own addresses.
func newHost(m *Machine) *host {
	h := &host{m: m, fake: kernel.NewFake(m.interfaces()...)}
	for _, name := range m.interfaces() {
		h.own(name)
	}
	r := h.read()
	h.installed, h.links = r.Installed, r.Links
	return h
}

// own gives an interface the machine's own address, as its administrator does.
func (h *host) own(iface string) {
	_ = h.fake.Run("ip addr add " + h.m.links[iface].address.String() + " dev " + iface)
}

func (h *host) read() kernel.Reading {
	r, _ := h.fake.Read(true) // it never fails
	return r
}

// stranger is somebody else's hand. The kernel tells who listens.
func (h *host) stranger(command string) {
	_ = h.fake.Run(command) // it may be too late for it: what is gone cannot be removed
	h.changed(false)
	if p := h.m.process; p != nil {
		p.kernelEvent()
	}
}

// changed tells which addresses have come and gone, and by whose hand.
func (h *host) changed(ours bool) {
	r := h.read()
	now := r.Installed
	h.links = r.Links
	for _, i := range now {
		if !has(h.installed, i.Address) {
			h.m.w.trace(h.m, "kernel: + %s", i.Address)
			h.m.w.emit(Fact{Kind: Added, Machine: h.m, Address: i.Address, Ours: ours})
		}
	}
	gone := h.installed
	h.installed = now
	for _, i := range gone {
		if !has(now, i.Address) {
			h.m.w.trace(h.m, "kernel: - %s", i.Address)
			h.m.w.emit(Fact{Kind: Removed, Machine: h.m, Address: i.Address, Ours: ours})
		}
	}
}

func has(all []kernel.Installed, a kernel.Address) bool {
	return slices.ContainsFunc(all, func(i kernel.Installed) bool { return i.Address == a })
}

// hand is the host as the owner of its addresses in a process uses it.
type hand struct{ p *process }

func (h hand) Read(bool) (kernel.Reading, error) {
	r := h.p.m.host.read()
	h.p.tellLinks(r.Links)
	return r, nil
}

func (h hand) Apply(op kernel.Op) error {
	err := h.p.m.host.fake.Apply(op)
	h.p.m.w.trace(h.p.m, "%s%s", op, after(" # ", err))
	if op.Kind != kernel.Mark {
		h.p.m.host.changed(true)
	}
	return err
}

func after(sign string, err error) string {
	if err == nil {
		return ""
	}
	return sign + err.Error()
}

// up reports whether an interface is up.
func (h *host) up(iface string) bool {
	for i := range h.links {
		if h.links[i].Name == iface {
			return h.links[i].Up
		}
	}
	return false
}
