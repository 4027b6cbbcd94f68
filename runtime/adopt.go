package runtime

import (
	"time"

	"golang.org/x/sys/unix"

	"hafile/lang/plan"
	"hafile/runtime/kernel"
	"hafile/runtime/node"
	"hafile/runtime/store"
	"hafile/runtime/vrrp"
)

const (
	// adoptionsMax starts in a row may take over from a crashed process. One more is a
	// process that crashes whenever it is active: better that somebody else is.
	adoptionsMax = 3
	// provenAfter is how long a process lives before its start counts as a success.
	provenAfter = 10 * time.Second
)

// adoption is what a process before this one has left.
type adoption struct {
	have  kernel.State // its addresses that are installed
	lies  kernel.State // as they lie there; of a predecessor that is not ours
	roles map[plan.WireKey]string
	// age of its last advert; negative: not known.
	age time.Duration
	// still is since when a predecessor that takes part stands still. Until then it sent
	// its adverts.
	still time.Time
}

// inherit looks at what is left, and counts. The count is on the disk before anything is
// done: it is for the case that this process does not live long enough to write it.
func (d *daemon) inherit(left *store.Owned) *adoption {
	a := &adoption{have: d.kernel.Adoptable(), roles: map[plan.WireKey]string{}, age: -1}
	if len(a.have) == 0 {
		return a
	}
	d.adoptions.Store(int32(left.Adoptions + 1))
	counted := *left
	counted.Adoptions++
	if err := d.rundir.SetOwned(counted); err != nil {
		d.log.Warn("the start is not counted", "error", err)
	}
	if counted.Adoptions > adoptionsMax {
		d.log.Error("crashed too often while it held addresses; releasing them", "starts", counted.Adoptions)
		a.have = nil
		return a
	}
	for _, r := range left.Routers {
		a.roles[r.Wire] = r.Role
	}
	if last := d.stamp.Last(); last != 0 {
		a.age = time.Duration(monotonic() - last)
	}
	d.log.Warn("took over the addresses of a process that ended without releasing them", "addresses", len(a.have), "last_advert", a.age)
	return a
}

// claim says whether an instance finds its addresses installed, and whether anybody can
// have missed its adverts meanwhile.
func (a *adoption) claim(in *plan.Instance, h *node.Host) {
	for _, v := range in.VIPs {
		h.Holding = h.Holding || a.have.Has(node.AddressOf(in, v))
	}
	role, known := a.roles[in.Wire()]
	if !a.still.IsZero() {
		a.age = time.Since(a.still)
	}
	if !h.Holding || a.age < 0 || known && role != vrrp.Active.String() {
		return
	}
	// The stamp is of the last advert of any router: this one's may be an interval older.
	// The shortest down interval is that of a peer with priority 254.
	interval := time.Duration(in.AdvertMs) * time.Millisecond
	h.Fresh = a.age+interval < vrrp.Down(in.Version, 254, interval, in.DownAdverts)
}

// owned is the record for the process after this one.
func owned(snap *node.Snapshot, adoptions int) store.Owned {
	o := store.Owned{Adoptions: adoptions}
	for i := range snap.Instances {
		in := &snap.Instances[i]
		if !in.Claimed {
			continue
		}
		r := store.OwnedRouter{Wire: in.Key, Role: in.Role.String()}
		for _, a := range in.Addresses {
			r.Addresses = append(r.Addresses, store.OwnedAddress{Interface: a.Interface, Address: a.Prefix, Label: a.Label, Scope: a.Scope})
		}
		o.Routers = append(o.Routers, r)
	}
	return o
}

// installed are the addresses of a record.
func installed(o *store.Owned) kernel.State {
	var all []kernel.Address
	for _, r := range o.Routers {
		for _, a := range r.Addresses {
			all = append(all, kernel.Address{Interface: a.Interface, Prefix: a.Address, Label: a.Label, Scope: a.Scope})
		}
	}
	return kernel.StateOf(all...)
}

// monotonic is the loop's clock, which goes on over a restart of the process.
func monotonic() int64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) // cannot fail
	return ts.Nano()
}
