package sim

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"hafile/lang/plan"
	"hafile/runtime/kernel"
	"hafile/runtime/node"
	"hafile/runtime/vrrp"
	"hafile/runtime/vrrp/wire"
)

// S7: a process that starts and finds addresses of its plan installed removes none of
// them before it has heard somebody else, been told to, or found itself unfit.
func S7(*World) Watch {
	kept := map[place]bool{}
	free := func(m *Machine) {
		for p := range kept {
			if p.m == m {
				delete(kept, p)
			}
		}
	}
	return func(f *Fact) string {
		switch f.Kind {
		case Began:
			free(f.Machine)
			if f.Machine.plan == nil {
				return ""
			}
			for i := range f.Machine.plan.Desired.Instances {
				in := &f.Machine.plan.Desired.Instances[i]
				for _, v := range in.VIPs {
					a := node.AddressOf(in, v)
					kept[place{f.Machine, a}] = f.Machine.Holds(a)
				}
			}
		case Ended, Plugged, Thawed:
			free(f.Machine)
		case Turned:
			started := f.Cause == Committed && len(f.Before) == 0 // the commit of the start itself
			heard := f.Cause == Heard && f.Advert.Priority > 0
			if heard || f.Cause == Rejected || f.Cause == CheckChanged || f.Cause == Stopped || f.Cause == LinkChanged && len(f.Before) > 0 ||
				f.Cause == Committed && !started {
				free(f.Machine)
			}
			for i := range f.Effects { // refused by the kernel, or nobody came
				if e := &f.Effects[i]; e.Kind == node.Transitioned && e.Transition.From == vrrp.Active {
					free(f.Machine)
				}
			}
		case Removed:
			p := place{f.Machine, f.Address}
			if f.Ours && kept[p] {
				return fmt.Sprintf("%s removes %s that it found at its start", p.m.Name, p.a)
			}
			delete(kept, p)
		}
		return ""
	}
}

// S8: of two actives of one group that have heard each other one gives way, at the latest
// when the next adverts have passed.
func S8(w *World) Watch {
	type pair struct{ from, to site }
	since := map[site]time.Duration{}
	heard := map[pair]time.Duration{}
	end := func(s site) {
		delete(since, s)
		for p := range heard {
			if p.from == s || p.to == s {
				delete(heard, p)
			}
		}
	}
	return func(f *Fact) string {
		switch f.Kind {
		case Stalled, Thawed, Ended:
			for s := range since {
				if s.m == f.Machine {
					end(s)
				}
			}
			return ""
		case Turned:
		default:
			return ""
		}
		for i := range f.View {
			s := site{f.Machine, f.View[i].Key}
			if f.View[i].Role != vrrp.Active || f.View[i].Leaving {
				end(s)
			} else if _, was := since[s]; !was || f.Cause == Committed || f.Cause == CheckChanged {
				end(s) // another rank: what was heard before says nothing
				since[s] = w.now
			}
		}
		for i := range f.Before {
			if router(f.View, f.Before[i].Key) == nil {
				end(site{f.Machine, f.Before[i].Key})
			}
		}
		if f.Cause != Heard || f.Advert.Priority == 0 || !speaks(f) {
			return ""
		}
		here, there := site{f.Machine, f.Key}, site{f.Sender, f.Key}
		a, active := since[here]
		b, both := since[there]
		if !active || !both || f.Sent < max(a, b) {
			return ""
		}
		if _, known := heard[pair{there, here}]; known {
			return ""
		}
		heard[pair{there, here}] = w.now
		if _, mutual := heard[pair{here, there}]; !mutual {
			return ""
		}
		within := w.longestInterval() + 2*w.longestDelay() + w.late()
		w.After(within, func() {
			if since[here] == a && since[there] == b {
				w.fail("S8", "%s and %s are both active although each has heard the other for %s", here, there, within)
			}
		})
		return ""
	}
}

// longestInterval of any plan that runs.
func (w *World) longestInterval() time.Duration {
	longest := time.Duration(0)
	for _, m := range w.machines {
		if m.plan == nil {
			continue
		}
		for i := range m.plan.Desired.Instances {
			longest = max(longest, intervalOf(&m.plan.Desired.Instances[i]))
		}
	}
	return longest
}

// longestDelay of any link.
func (w *World) longestDelay() time.Duration {
	longest := w.opt.Network.Delay + w.opt.Network.Jitter
	for _, l := range w.links {
		longest = max(longest, l.Delay+l.Jitter)
	}
	return longest
}

// D6: what is announced, once or again and again, is up and of an active router.
func D6(*World) Watch {
	type spoken struct {
		m     *Machine
		iface string
		a     netip.Addr
	}
	aloud := map[spoken]bool{}
	return func(f *Fact) string {
		if f.Kind == Began || f.Kind == Ended {
			for s := range aloud {
				if s.m == f.Machine {
					delete(aloud, s)
				}
			}
		}
		for i := range f.Effects {
			e := &f.Effects[i]
			for _, a := range e.Addresses {
				s := spoken{f.Machine, e.Interface, a}
				switch e.Kind {
				case node.Silence:
					delete(aloud, s)
				case node.Announce:
					aloud[s] = true
					if !f.Machine.process.believes(e.Interface, a) {
						return fmt.Sprintf("%s announces %s on %s, which is not up as far as it knows", f.Machine.Name, a, e.Interface)
					}
				}
			}
		}
		if f.Kind != Turned || len(f.Effects) == 0 {
			return ""
		}
		for s := range aloud {
			if s.m == f.Machine && !activeFor(f.View, s.iface, s.a) {
				return fmt.Sprintf("%s goes on announcing %s, for which none of its routers is active", s.m.Name, s.a)
			}
		}
		return ""
	}
}

func activeFor(view []node.Instance, iface string, a netip.Addr) bool {
	for i := range view {
		stands := slices.ContainsFunc(view[i].Addresses, func(x node.Address) bool {
			return x.Interface == iface && x.Prefix.Addr() == a
		})
		if view[i].Role == vrrp.Active && stands {
			return true
		}
	}
	return false
}

// believes reports whether the last report of the kernel has an address.
func (p *process) believes(iface string, a netip.Addr) bool {
	return slices.ContainsFunc(p.known, func(k kernel.Address) bool {
		return k.Interface == iface && k.Prefix.Addr() == a
	})
}

// S10: an address belongs to at most one router of a plan.
func S10(*World) Watch {
	return func(f *Fact) string {
		if f.Kind != Turned || f.Cause != Committed {
			return ""
		}
		seen := map[kernel.Address]plan.Addr{}
		for i := range f.View {
			in := &f.View[i]
			if in.Leaving {
				continue
			}
			for _, a := range in.Addresses {
				if other, twice := seen[a.Address]; twice {
					return fmt.Sprintf("%s: %s belongs to %s and to %s", f.Machine.Name, a.Address, other, in.Address)
				}
				seen[a.Address] = in.Address
			}
		}
		return ""
	}
}

// S11: no sequence of check results takes a priority out of 1..254, and none moves 255.
func S11(*World) Watch {
	return func(f *Fact) string {
		for i := range f.View {
			in := &f.View[i]
			if in.Effective == 0 || (in.Effective == vrrp.Owner) != (in.Configured == vrrp.Owner) {
				return fmt.Sprintf("%s: %s has priority %d, configured is %d", f.Machine.Name, in.Address, in.Effective, in.Configured)
			}
		}
		return ""
	}
}

// S12: what we have not installed we do not remove.
func S12(*World) Watch {
	ours := map[place]bool{}
	return func(f *Fact) string {
		p := place{f.Machine, f.Address}
		switch f.Kind {
		case Added:
			ours[p] = f.Ours
		case Removed:
			if f.Ours && !ours[p] {
				return fmt.Sprintf("%s removes %s, which it has not installed", p.m.Name, p.a)
			}
			delete(ours, p)
		}
		return ""
	}
}

// patience is since when a backup has to listen, and for how long at least.
type patience struct {
	from  time.Duration
	least time.Duration
	why   string
}

// listening is what S13 and S16 share: a backup that has a reason to be silent stays so
// for its missed adverts. A goodbye ends that, a commit and a stall begin it anew.
func listening(w *World, begin func(f *Fact, in *node.Instance) (patience, bool), until func(*wire.Advert, *node.Instance) bool) Watch {
	must := map[site]patience{}
	return func(f *Fact) string {
		if f.Kind != Turned {
			return ""
		}
		for i := range f.View {
			in := &f.View[i]
			s := site{f.Machine, in.Key}
			p, known := must[s]
			if known && f.Cause == Tick && in.Role == vrrp.Active && roleIn(f.Before, in.Key) == vrrp.Backup {
				if waited := w.now - p.from; waited < w.slow(p.least) {
					return fmt.Sprintf("%s is active %s after %s, it must listen for %s", s, waited, p.why, p.least)
				}
			}
			forget := f.Cause == Committed || in.Role != vrrp.Backup && in.Role != vrrp.Waiting
			if forget || f.Cause == Heard && f.Key == in.Key && until(f.Advert, in) {
				delete(must, s)
			}
			if p, is := begin(f, in); is {
				must[s] = p
			}
		}
		return ""
	}
}

// slowest is the longest interval of an instance's identities.
func slowest(hosts *node.Resolved, in *plan.Instance) time.Duration {
	longest := time.Duration(0)
	for _, face := range faces(hosts, in) {
		longest = max(longest, time.Duration(face.AdvertMs)*time.Millisecond)
	}
	return longest
}

// S13: a backup does not become active while it has heard, in time, an advert that keeps
// it a backup; it counts from when the packet came in, also if it slept then.
func S13(w *World) Watch {
	return listening(w, func(f *Fact, in *node.Instance) (patience, bool) {
		if f.Cause != Heard || f.Key != in.Key || in.Role != vrrp.Backup || f.Advert.Priority < in.Effective || !speaks(f) {
			return patience{}, false
		}
		p := instanceOf(f.Machine.process.hosts.Plan, in.Key)
		interval := min(f.Advert.Interval, slowest(&f.Machine.process.hosts, p))
		return patience{f.Arrived, time.Duration(p.DownAdverts) * interval, "an advert of " + f.From.String()}, true
	}, func(a *wire.Advert, in *node.Instance) bool {
		// A lesser one that is not preempted, for a delay or for its list, is followed.
		return a.Priority == 0 || a.Priority < in.Effective
	})
}

// S16: a router that starts and has nothing to go on with listens first.
func S16(w *World) Watch {
	return listening(w, func(f *Fact, in *node.Instance) (patience, bool) {
		if wasThere(f.Before, in) || in.Role == vrrp.Active || in.Configured == vrrp.Owner {
			return patience{}, false
		}
		p := instanceOf(f.Machine.process.hosts.Plan, in.Key)
		if p == nil {
			return patience{}, false
		}
		return patience{w.now, time.Duration(p.DownAdverts) * intervalOf(p), "its start"}, true
	}, func(*wire.Advert, *node.Instance) bool { return true }) // it counts by that advert's interval from there on
}

// S17: what is told of a router is a chain: each change begins where the last one ended.
func S17(*World) Watch {
	last := map[site]vrrp.Role{}
	return func(f *Fact) string {
		if f.Kind == Began {
			for s := range last {
				if s.m == f.Machine {
					delete(last, s)
				}
			}
		}
		follow(f, last)
		for i := range f.Effects {
			if f.Effects[i].Kind != node.Transitioned {
				continue
			}
			t := &f.Effects[i].Transition
			if t.Group() {
				continue
			}
			s := site{f.Machine, t.Key}
			if was, known := last[s]; known && was != t.From {
				return fmt.Sprintf("%s: %s, but it was %s", f.Machine.Name, t, was)
			}
			last[s] = t.To
		}
		for i := range f.Before {
			key := f.Before[i].Key
			if !slices.ContainsFunc(f.View, func(in node.Instance) bool { return in.Key == key }) {
				delete(last, site{f.Machine, key})
			}
		}
		return ""
	}
}
