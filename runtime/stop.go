package runtime

import (
	"context"
	"time"

	"hafile/runtime/store"
)

// Bounds of a stop; systemd's is 60 s (packaging/hafile.service). Package vrrp bounds a
// departure by three intervals and a skew, and version 2 allows intervals of minutes.
const (
	leaveMax   = 40 * time.Second
	releaseMax = 2 * time.Second
	drainMax   = 8 * time.Second
)

// stop says goodbye, answers until somebody else does, releases, and tells people.
func (d *daemon) stop() {
	d.stopping.Store(true)
	close(d.quit)
	d.applying.Lock() // an apply that is under way ends with quit
	defer d.applying.Unlock()
	d.wg.Wait()
	d.log.Info("stopping: saying goodbye, answering until a successor does")
	ctx, cancel := context.WithTimeout(context.Background(), leaveMax)
	defer cancel()
	if err := d.engine.Stop(ctx); err != nil {
		d.log.Warn("nobody took over in time; releasing the addresses", "error", err)
		d.engine.Close()
		d.kernel.Want(^uint64(0), nil, nil)
	}
	released := d.awaitRelease()
	d.engine.Close()
	<-d.told
	if released {
		d.forget()
	}
	d.health.Close()
	told, cancelTold := context.WithTimeout(context.Background(), drainMax)
	defer cancelTold()
	if err := d.notify.Drain(told); err != nil {
		d.log.Warn("stopping", "error", err)
	}
	d.server.Close()
}

// forget ends the record in the run directory: there is nothing to take over.
func (d *daemon) forget() {
	if err := d.rundir.SetOwned(store.Owned{}); err != nil {
		d.log.Warn("stopping", "error", err)
	}
}

// awaitRelease waits until the kernel has none of our addresses any more.
func (d *daemon) awaitRelease() bool {
	deadline := time.NewTimer(releaseMax)
	defer deadline.Stop()
	for {
		reported := d.reported.wait()
		left := d.left.Load()
		if left == nil || len(*left) == 0 {
			return true
		}
		select {
		case <-reported:
		case <-deadline.C:
			d.log.Error("addresses stay installed", "first", (*left)[0])
			return false
		}
	}
}

// release closes the owners that there are, in the reverse order of their making.
func (d *daemon) release() {
	if d.health != nil {
		d.health.Close()
	}
	if d.others != nil {
		d.others.close()
	}
	if d.engine != nil {
		d.engine.Close()
		d.sockets.close()
	}
	if d.speaker != nil {
		_ = d.speaker.Close()
	}
	if d.routes != nil {
		_ = d.routes.Close()
	}
	if d.kernel != nil {
		_ = d.kernel.Close()
	}
	if d.server == nil && d.listener != nil {
		_ = d.listener.Close()
	}
	if d.stamp != nil {
		_ = d.stamp.Close()
	}
	if d.sequences != nil {
		_ = d.sequences.Close()
	}
	if d.store != nil {
		_ = d.store.Close()
	}
}
