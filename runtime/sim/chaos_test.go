package sim

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"hafile/lang/plan"
	"hafile/runtime/kernel"
)

var (
	seedFlag = flag.Uint64("seed", 0, "play this one seed, with its trace")
	runsFlag = flag.Int("runs", 0, "how many seeds to play; 0: a few seconds' worth")
	fromFlag = flag.Uint64("from", 0, "the first of them; 0: from 1 and from 1,000,000 on")
)

// chaos is a random run: faults at random moments, then all of them end and the group
// must settle within the bound of L4.
type chaos struct {
	*World
	r     *rand.Rand
	fleet *fleet
	calm  time.Duration // when the faults end
	edits *rand.Rand
}

func newChaos(seed uint64, trace func(string)) *chaos {
	o := rough(seed)
	o.Trace = trace
	plans := stream(seed, streamPlans)
	c := &chaos{r: stream(seed, streamFaults), fleet: drawFleet(plans), edits: plans}
	if groups := stream(seed, streamGroups); len(c.fleet.instances) > 1 && groups.IntN(2) == 0 {
		c.fleet.join(groups)
	}
	if seed >= seedsWide {
		c.fleet.wide = stream(seed, streamWide)
	}
	c.World = c.fleet.world(o)
	c.Watch(Safety...)
	return c
}

func (c *chaos) upTo(d time.Duration) time.Duration { return time.Duration(c.r.Int64N(int64(d)) + 1) }

func (c *chaos) machine() *Machine { return pick(c.r, c.machines...) }

// address of somebody's plan.
func (c *chaos) address() kernel.Address {
	p := c.machine().plan
	in := &p.Desired.Instances[c.r.IntN(len(p.Desired.Instances))]
	v := pick(c.r, in.VIPs...)
	return kernel.Address{Interface: in.DeviceOf(v), Prefix: v.Address}
}

func (c *chaos) check() plan.Addr {
	p := c.machine().plan
	if len(p.Desired.Checks) == 0 {
		return ""
	}
	return pick(c.r, p.Desired.Checks...).Address
}

// fault begins something bad and, mostly, lets it end after a while.
func (c *chaos) fault() {
	m, o := c.machine(), c.machine()
	while := c.upTo(6 * time.Second)
	if c.r.IntN(2) == 0 {
		while = c.upTo(300 * time.Millisecond)
	}
	iface := pick(c.r, m.interfaces()...)
	link := c.Link(m.Name, o.Name)
	switch c.r.IntN(19) {
	case 0:
		c.trace(m, "loses packets to %s", o.Name)
		link.Loss = 0.1 + c.r.Float64()/2
		c.After(while, func() { link.Loss = 0 })
	case 1, 2:
		c.trace(m, "is not heard by %s", o.Name)
		link.Cut = true
		c.After(while, func() { c.trace(m, "is heard by %s again", o.Name); link.Cut = false })
	case 3:
		c.trace(m, "is cut off")
		for _, x := range c.machines {
			to, from := c.Link(m.Name, x.Name), c.Link(x.Name, m.Name)
			to.Cut, from.Cut = true, true
			c.After(while, func() { to.Cut, from.Cut = false, false })
		}
	case 4:
		link.Jitter = c.upTo(40 * time.Millisecond)
		link.Duplicate, link.Corrupt = c.r.Float64()/4, c.r.Float64()/4
		c.trace(m, "has a bad link to %s", o.Name)
	case 5:
		m.Unplug(iface)
		c.After(while, func() { m.Plug(iface) })
	case 6:
		m.Recreate(iface)
		c.After(while, func() { m.Plug(iface) })
	case 7, 8:
		m.Kill()
		c.After(while, m.Start)
	case 9:
		m.Crash()
		c.After(while, m.Boot)
	case 10, 11:
		m.Stop()
		c.After(while, m.Start)
	case 12:
		m.Freeze()
		c.After(while, m.Thaw)
	case 13:
		m.Suspend()
		c.After(while, m.Resume)
	case 14, 15:
		if k := c.check(); k != "" {
			m.Fail(k, true)
			c.After(while, func() { m.Fail(k, false) })
		}
	case 16:
		a := c.address()
		for n := range 1 + c.r.IntN(7) {
			c.After(time.Duration(n)*while/8, func() { m.Remove(a) })
		}
	case 17:
		a := c.address()
		m.Refuse(a, errors.New("no buffer space available"))
		c.After(while, func() { m.Refuse(a, nil) })
	case 18:
		m.record = nil
		m.Kill()
		m.Start()
	}
}

// edit applies another fleet, on one machine now and on the others at some time.
func (c *chaos) edit() {
	next, said := c.fleet.edit(c.edits, c.r.IntN(3) > 0)
	c.fleet = next
	c.trace(nil, "edit: %s", strings.Join(said, "; "))
	at := time.Duration(0)
	for _, i := range c.r.Perm(len(c.machines)) {
		m, p := c.machines[i], next.planOf(c.machines[i].Name)
		c.After(at, func() { m.Apply(p) })
		if c.r.IntN(4) == 0 {
			return // the others keep theirs
		}
		at += pick(c.r, 0, c.upTo(20*time.Millisecond), c.upTo(3*time.Second))
	}
}

// heal ends every fault, and gives everybody the same plan.
func (c *chaos) heal() {
	c.trace(nil, "heals")
	for _, l := range c.links {
		*l = c.opt.Network
	}
	for _, m := range c.machines {
		m.Boot()
		m.Resume()
		m.Thaw()
		for _, iface := range m.interfaces() {
			m.Plug(iface)
		}
		for k := range m.failing {
			m.failing[k] = false
		}
		if p := m.process; p != nil {
			for _, i := range p.view {
				for _, a := range i.Addresses {
					m.host.fake.Refuse(a.Address, nil)
				}
			}
		}
		m.Start()
		m.Apply(c.fleet.planOf(m.Name))
	}
}

// play is one seed from its first fault to its last word.
func (c *chaos) play() *Violation {
	for _, m := range c.machines {
		c.After(c.upTo(3*time.Second), m.Boot)
	}
	c.calm = 8*time.Second + c.upTo(30*time.Second)
	busy := pick(c.r, 150*time.Millisecond, time.Second, 4*time.Second)
	for at := c.upTo(6 * time.Second); at < c.calm; at += c.upTo(busy) {
		if c.r.IntN(5) == 0 {
			c.After(at, c.edit)
		} else {
			c.After(at, c.fault)
		}
	}
	if v := c.Run(c.calm); v != nil {
		return v
	}
	return c.settle()
}

func (c *chaos) settle() *Violation {
	// What still ends by itself: faults scheduled before, a departure, a pause after the
	// kernel's refusals, checks that must be seen to work again.
	const others = 40 * time.Second
	for range 3 {
		c.heal()
		if v := c.Run(c.now + others/3 + c.Bounds().Leave); v != nil {
			return v
		}
	}
	c.heal()
	end := c.now + c.Bounds().L4() + 10*time.Second
	if v := c.Run(end); v != nil {
		return v
	}
	if text := c.Settled(); text != "" {
		c.fail("L4", "after %s without a fault: %s", c.Bounds().L4(), text)
	}
	return c.broken
}

// TestRandomRuns plays seeds. One that fails is played again with its trace; put it into
// testdata/seeds, where it stays for ever.
func TestRandomRuns(t *testing.T) {
	runs := *runsFlag
	switch {
	case *seedFlag != 0:
		playSeed(t, *seedFlag, true)
		return
	case runs == 0 && testing.Short():
		runs = 30
	case runs == 0:
		runs = 150
	}
	for _, seed := range keptSeeds(t, "seeds") {
		playSeed(t, seed, false)
	}
	steps := uint64(0)
	for _, seed := range seedsOf(uint64(runs)) {
		if !t.Failed() {
			steps += playSeed(t, seed, false)
		}
	}
	t.Logf("%d events", steps)
}

// seedsOf a run are the seeds to play: from -from on, or half of them from either alphabet of edits.
func seedsOf(runs uint64) []uint64 {
	var all []uint64
	for n := range runs {
		switch {
		case *fromFlag > 0:
			all = append(all, *fromFlag+n)
		case n%2 == 0:
			all = append(all, 1+n/2)
		default:
			all = append(all, seedsWide+n/2)
		}
	}
	return all
}

// keptSeeds are those that once found something. Their files say what.
func keptSeeds(t *testing.T, dir string) []uint64 {
	t.Helper()
	kept, err := os.ReadDir(filepath.Join("testdata", dir))
	if err != nil {
		t.Fatal(err)
	}
	var seeds []uint64
	for _, k := range kept {
		if seed, err := strconv.ParseUint(k.Name(), 10, 64); err == nil {
			seeds = append(seeds, seed)
		}
	}
	return seeds
}

func playSeed(t *testing.T, seed uint64, loud bool) uint64 {
	t.Helper()
	c := newChaos(seed, nil)
	v := c.play()
	if v == nil && !loud {
		return c.Steps()
	}
	var lines []string
	again := newChaos(seed, func(l string) { lines = append(lines, l) }).play()
	if fmt.Sprint(again) != fmt.Sprint(v) {
		t.Errorf("seed %d: two runs of it differ: %v, %v", seed, v, again)
	}
	if n := len(lines); n > 120 && !loud {
		lines = lines[n-120:]
	}
	t.Log(strings.Join(lines, "\n"))
	if v != nil {
		t.Errorf("seed %d (go test ./runtime/sim -run RandomRuns -v -seed=%d): %s", seed, seed, v)
	}
	return c.Steps()
}
