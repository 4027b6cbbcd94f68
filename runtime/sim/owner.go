package sim

import (
	"time"

	"hafile/runtime/kernel"
	"hafile/runtime/vrrp"
)

// owner is the owner of the addresses in a process: a ledger, and what package netlink
// does around it. A round takes its time before it begins and none from there on.
type owner struct {
	ledger *kernel.Ledger
	asked  bool // there was a wish
	wish   bool // there is one that no round has seen
	gen    uint64
	wanted kernel.State
	beside kernel.Things

	round uint64 // number of the round that is due
	due   time.Duration
	links []kernel.Link
	known kernel.State // as the node was told last
}

// lookGap passes between what the kernel tells and the look that follows from it.
const lookGap = 5 * time.Millisecond

func (p *process) own(record kernel.State) {
	p.ledger = kernel.NewLedger(record)
}

// want is engine.Kernel's.
func (p *process) want(gen uint64, want kernel.State, beside kernel.Things) {
	p.asked, p.wish, p.gen, p.wanted, p.beside = true, true, gen, want, beside
	p.roundIn(within(p.m.w.rndHost, p.m.w.opt.Host.Kernel))
}

// kernelEvent is the kernel's word that something has changed.
func (p *process) kernelEvent() { p.roundIn(lookGap) }

// roundIn makes a round due, not later than one that is due already.
func (p *process) roundIn(d time.Duration) {
	at := p.m.w.now + d
	if p.due != 0 && p.due <= at {
		return
	}
	p.due = at
	p.round++
	round := p.round
	p.then(d, func() {
		if round == p.round {
			p.goRound()
		}
	})
}

func (p *process) goRound() {
	p.due = 0
	if p.wish {
		p.wish = false
		p.ledger.Surround(p.beside)
		p.ledger.Want(p.gen, p.wanted)
	}
	now := time.Duration(p.m.clock.instant(p.m.w.now))
	_ = p.ledger.Round(now, hand{p}, func(r kernel.Report) { // a look never fails here
		p.post(func(now vrrp.Instant) { p.report(now, r) })
	})
	if at, ok := p.ledger.Deadline(); ok {
		p.roundIn(max(at-now, time.Microsecond))
	}
}

func (p *process) report(now vrrp.Instant, r kernel.Report) {
	if p.m.w.opt.Trace != nil {
		p.m.w.trace(p.m, "kernel reports %d: has %v, refuses %v, removed %v", r.Gen, r.Have, r.Refused, r.Removed)
	}
	p.known = r.Have
	p.give(now, Reported, func() { p.out = p.node.Kernel(now, r, p.out[:0]) })
}

// tellLinks hands on what has become of interfaces.
func (p *process) tellLinks(links []kernel.Link) {
	for _, l := range links {
		before := kernel.Link{}
		for _, o := range p.links {
			if o.Name == l.Name {
				before = o
			}
		}
		if before.Name == l.Name && before.Up == l.Up && before.Index == l.Index {
			continue
		}
		wrong := ""
		if !l.Up {
			wrong = l.Name + " is down"
		}
		p.post(func(now vrrp.Instant) {
			p.trace("link %s: %s", l.Name, wrong)
			p.give(now, LinkChanged, func() { p.out = p.node.Link(now, l.Name, wrong, p.out[:0]) })
		})
	}
	p.links = links
}

func installedBy(record []held) kernel.State {
	var all []kernel.Address
	for _, h := range record {
		all = append(all, h.addresses...)
	}
	return kernel.StateOf(all...)
}
