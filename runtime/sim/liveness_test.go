package sim

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"hafile/lang/plan"
	"hafile/runtime/kernel"
	"hafile/runtime/vrrp"
)

// settledWorld is a fleet of the seed that has settled, and the machine that is active
// for its first instance.
func settledWorld(t *testing.T, f *fleet, seed uint64) (*World, *Machine, plan.WireKey) {
	t.Helper()
	w := f.world(rough(seed))
	w.Watch(Safety...)
	bootAll(w)
	run(t, w, w.now+w.Bounds().L4()+3*time.Second)
	if text := w.Settled(); text != "" {
		t.Fatalf("seed %d: %s", seed, text)
	}
	key := f.instances[0].common.Wire()
	return w, w.active(key), key
}

func bootAll(w *World) {
	for _, m := range w.Machines() {
		m.Boot()
	}
}

func run(t *testing.T, w *World, until time.Duration) {
	t.Helper()
	if v := w.Run(until); v != nil {
		t.Fatalf("seed %d: %s", w.opt.Seed, v)
	}
}

// active machine of a group; nil if there is none, or more than one.
func (w *World) active(key plan.WireKey) *Machine {
	var found *Machine
	for _, m := range w.Groups()[key] {
		if m.Router.Role != vrrp.Active {
			continue
		}
		if found != nil {
			return nil
		}
		found = m.Machine
	}
	return found
}

// until runs on until something is so, and says how long that took.
func until(t *testing.T, w *World, most time.Duration, what string, so func() bool) time.Duration {
	t.Helper()
	begin := w.now
	for !so() {
		if w.now-begin > most {
			t.Fatalf("seed %d: after %s: not yet %s", w.opt.Seed, most, what)
		}
		run(t, w, w.now+time.Millisecond)
	}
	return w.now - begin
}

const seeds = 40

func eachSeed(t *testing.T, do func(t *testing.T, seed uint64)) {
	most := uint64(seeds)
	if testing.Short() {
		most = 8
	}
	for seed := uint64(1); seed <= most && !t.Failed(); seed++ {
		do(t, seed)
	}
}

// drawn is a fleet of the seed without checks, so that only the named fault happens.
func drawn(seed uint64) *fleet {
	f := drawFleet(stream(seed, streamPlans))
	f.checks = nil
	for i := range f.instances {
		f.instances[i].common.Track = nil
	}
	return f
}

func TestL1ACrashCostsADownInterval(t *testing.T) {
	eachSeed(t, func(t *testing.T, seed uint64) {
		w, active, key := settledWorld(t, drawn(seed), seed)
		bound := w.Bounds().L1()
		active.Crash()
		until(t, w, bound, "somebody else is active", func() bool { return w.active(key) != nil })
	})
}

func TestL2ADepartureCostsNothing(t *testing.T) {
	eachSeed(t, func(t *testing.T, seed uint64) {
		w, active, key := settledWorld(t, drawn(seed), seed)
		address := kernel.Address{Interface: key.Interface, Prefix: active.plan.Desired.Instances[0].VIPs[0].Address}
		bound := w.Bounds().L2()
		active.Stop()
		until(t, w, bound, "somebody else is active", func() bool {
			if len(w.Holders(address)) == 0 {
				t.Fatalf("seed %d: nobody has %s", seed, address)
			}
			a := w.active(key)
			return a != nil && a != active
		})
	})
}

func TestL2AlsoIfTwoLeaveAtOnceAndGoodbyesAreLost(t *testing.T) {
	eachSeed(t, func(t *testing.T, seed uint64) {
		f := drawn(seed)
		f.nodes = []string{"lb1", "lb2", "lb3"}
		for i := range f.instances {
			f.instances[i].priority["lb3"] = 95
		}
		w, active, key := settledWorld(t, f, seed)
		left := 0
		for _, m := range w.Machines() {
			if m == active || left == 0 {
				left++
				m.Stop()
			}
			if m != active { // the first goodbyes are not heard
				w.Link(active.Name, m.Name).Cut = true
			}
		}
		run(t, w, w.now+7*time.Millisecond)
		for _, m := range w.Machines() {
			w.Link(active.Name, m.Name).Cut = false
		}
		until(t, w, w.Bounds().L1(), "somebody else is active", func() bool {
			a := w.active(key)
			return a != nil && a != active
		})
	})
}

func TestL3APartitionThatHealsLeavesOneActive(t *testing.T) {
	eachSeed(t, func(t *testing.T, seed uint64) {
		w, active, key := settledWorld(t, drawn(seed), seed)
		oneWay := seed%3 == 0
		for _, m := range w.Machines() {
			w.Link(active.Name, m.Name).Cut = true
			w.Link(m.Name, active.Name).Cut = !oneWay
		}
		run(t, w, w.now+w.Bounds().L1()+w.Bounds().Delay+w.Bounds().Interval)
		for _, l := range w.links {
			l.Cut = false
		}
		until(t, w, w.Bounds().L3(), "one is active", func() bool { return w.active(key) != nil })
		run(t, w, w.now+w.Bounds().L4())
		if text := w.Settled(); text != "" {
			t.Fatalf("seed %d: %s", seed, text)
		}
	})
}

func TestL5ABetterMemberThatReturnsOwnsAgain(t *testing.T) {
	eachSeed(t, func(t *testing.T, seed uint64) {
		f := drawn(seed)
		f.instances[0].common.Preempt = true
		f.instances[0].priority["lb2"] = 200
		w, active, key := settledWorld(t, f, seed)
		if active.Name != "lb2" {
			t.Fatalf("seed %d: %s is active", seed, active.Name)
		}
		active.Crash()
		run(t, w, w.now+w.Bounds().L1()+time.Second)
		active.Boot()
		until(t, w, w.Bounds().L5(), "lb2 is active", func() bool { return w.active(key) == active })
	})
}

func TestL6WhatAStrangerRemovesIsBackUntilTheSixthTime(t *testing.T) {
	w, active, key := settledWorld(t, pair(), 1)
	a := kernel.Address{Interface: "eth0", Prefix: vip(100).Address}
	for n := 1; n <= 5; n++ {
		active.Remove(a)
		if active.Holds(a) {
			t.Fatal("it is still there")
		}
		until(t, w, w.Bounds().L6(), "back", func() bool { return active.Holds(a) })
		run(t, w, w.now+500*time.Millisecond)
	}
	active.Remove(a)
	until(t, w, 2*time.Second+w.Bounds().L1(), "another one is active", func() bool {
		other := w.active(key)
		return other != nil && other != active
	})
	if active.Holds(a) {
		t.Error("it holds the address still")
	}
}

func TestARefusedAddressEndsWithAnotherOwner(t *testing.T) {
	w := pair().world(rough(1))
	w.Watch(Safety...)
	a := kernel.Address{Interface: "eth0", Prefix: vip(100).Address}
	bootAll(w)
	w.Machine("lb1").Refuse(a, errors.New("permission denied"))
	run(t, w, 12*time.Second)
	if !w.Machine("lb2").Holds(a) || w.Machine("lb1").Holds(a) {
		t.Errorf("held by %v", w.Holders(a))
	}
}

func TestL9AFrozenActiveThatWakesUpIsNotOneOfTwoForLong(t *testing.T) {
	eachSeed(t, func(t *testing.T, seed uint64) {
		w, active, key := settledWorld(t, drawn(seed), seed)
		wake := active.Thaw
		if seed%2 == 0 {
			active.Suspend()
			wake = active.Resume
		} else {
			active.Freeze()
		}
		run(t, w, w.now+w.Bounds().L1()+w.Bounds().Interval)
		wake()
		until(t, w, w.Bounds().L9(), "one is active", func() bool { return w.active(key) != nil })
	})
}

// A backup that is frozen for a while takes nothing over: what waits in its socket is
// heard before its deadline counts.
func TestAFrozenBackupThatWakesUpStaysABackup(t *testing.T) {
	eachSeed(t, func(t *testing.T, seed uint64) {
		w, active, key := settledWorld(t, drawn(seed), seed)
		for _, m := range w.Machines() {
			if m != active {
				m.Freeze()
			}
		}
		run(t, w, w.now+2*w.Bounds().L1())
		for _, m := range w.Machines() {
			m.Thaw()
		}
		for range 200 {
			run(t, w, w.now+w.Bounds().Down/100)
			if w.active(key) != active {
				t.Fatalf("seed %d: %s is not the only active", seed, active.Name)
			}
		}
	})
}

func TestL11AnInterfaceThatIsMadeAnewIsUsedAgain(t *testing.T) {
	eachSeed(t, func(t *testing.T, seed uint64) {
		w, active, key := settledWorld(t, drawn(seed), seed)
		active.Recreate(key.Interface)
		run(t, w, w.now+time.Second)
		active.Plug(key.Interface)
		run(t, w, w.now+w.Bounds().L11())
		if text := w.Settled(); text != "" {
			t.Fatalf("seed %d: %s", seed, text)
		}
	})
}

// A process that is killed and comes back before anybody missed it removes nothing and
// is active throughout; without the record of its addresses their tag is enough.
func TestARestartBeforeAnybodyMissesItIsSeenByNobody(t *testing.T) {
	eachSeed(t, func(t *testing.T, seed uint64) {
		w, active, key := settledWorld(t, drawn(seed), seed)
		if seed%2 == 0 {
			active.record = nil
		}
		active.Kill()
		run(t, w, w.now+20*time.Millisecond)
		active.Start()
		for range 100 {
			run(t, w, w.now+w.Bounds().Down/50)
			if w.active(key) != active {
				t.Fatalf("seed %d: %s is not the only active", seed, active.Name)
			}
		}
	})
}

// A departure that is broken off by a new start of the same process's successor.
func TestARestartWhileLeaving(t *testing.T) {
	eachSeed(t, func(t *testing.T, seed uint64) {
		w, active, _ := settledWorld(t, drawn(seed), seed)
		active.Stop()
		run(t, w, w.now+3*time.Millisecond)
		active.Kill()
		active.Start()
		run(t, w, w.now+w.Bounds().L4())
		if text := w.Settled(); text != "" {
			t.Fatalf("seed %d: %s", seed, text)
		}
	})
}

func TestTheSameSeedGivesTheSameRun(t *testing.T) {
	traceOf := func() string {
		var all []byte
		newChaos(7, func(l string) { all = fmt.Append(all, l, "\n") }).play()
		return string(all)
	}
	if a, b := traceOf(), traceOf(); a != b || len(a) == 0 {
		t.Error("two runs of one seed differ")
	}
}
