package keepalived

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// signalWait bounds how long a process may take to do what a signal says, which the
// kernel does for it.
const signalWait = 2 * time.Second

// Find lists the keepalived daemons in the network namespace of a process. It needs root's
// capabilities: it looks at what others have open.
func Find(beside int) ([]*Daemon, error) {
	pids, err := processes()
	if err != nil {
		return nil, err
	}
	all := map[int]stat{}
	for _, pid := range pids {
		if s, err := readStat(pid); err == nil && s.is() {
			all[pid] = s
		}
	}
	var out []*Daemon
	for _, pid := range pids {
		s, is := all[pid]
		if _, child := all[s.parent]; !is || child {
			continue
		}
		if here, err := sameNetwork(pid, beside); err != nil || !here {
			continue // it has ended meanwhile, or is of another machine on this kernel
		}
		d, err := Open(pid, beside)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

// Open looks at the keepalived whose parent process has this number. It and its children
// must be in the network namespace of the process beside, and speak VRRP there.
func Open(pid, beside int) (*Daemon, error) {
	s, err := readStat(pid)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("there is no process %d", pid)
	case err != nil:
		return nil, err
	case !s.is():
		return nil, fmt.Errorf("process %d is %s and not keepalived", pid, s.name)
	}
	d := &Daemon{Parent: Process{pid, s.start}}
	if d.Children, err = childrenOf(pid); err != nil {
		return nil, err
	}
	for _, p := range append([]Process{d.Parent}, d.Children...) {
		here, err := sameNetwork(p.PID, beside)
		switch {
		case err != nil:
			return nil, err
		case !here:
			return nil, fmt.Errorf("process %d of keepalived is in another network namespace (net_namespace)", p.PID)
		}
	}
	return d, d.count()
}

// Verify reports whether the daemon is still what it was when it was looked at.
func (d *Daemon) Verify() error {
	if s, alive := d.Parent.alive(); !alive || !s.is() {
		return fmt.Errorf("%s runs no longer", d)
	}
	now, err := childrenOf(d.Parent.PID)
	switch {
	case err != nil:
		return err
	case !slices.Equal(now, d.Children):
		return fmt.Errorf("%s has other children than a moment ago: try again", d)
	}
	return nil
}

// count tells the child that speaks VRRP from the others.
func (d *Daemon) count() error {
	for _, p := range d.Children {
		speaks, err := speaksVRRP(p.PID)
		switch {
		case err != nil:
			return err
		case !speaks:
			d.Others++
		}
	}
	if d.Others == len(d.Children) {
		return fmt.Errorf("keepalived (process %d) has no VRRP running", d.Parent.PID)
	}
	return nil
}

func childrenOf(parent int) ([]Process, error) {
	pids, err := processes()
	if err != nil {
		return nil, err
	}
	var out []Process
	for _, pid := range pids {
		if s, err := readStat(pid); err == nil && s.parent == parent && s.is() {
			out = append(out, Process{pid, s.start})
		}
	}
	return out, nil
}

// Freeze makes it stand still. Nothing is sent, answered or taken down until Thaw or End.
// If it fails, it has been thawed.
func (d *Daemon) Freeze() error {
	err := d.each(true, unix.SIGSTOP, func(s stat, alive bool) bool { return alive && s.state == 'T' })
	if err == nil {
		err = d.Verify()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("stop %s: %w", d, err), d.Thaw())
	}
	return nil
}

// Thaw lets it go on.
func (d *Daemon) Thaw() error {
	err := d.each(false, unix.SIGCONT, func(s stat, alive bool) bool { return !alive || s.state != 'T' })
	if err != nil {
		return fmt.Errorf("continue %s: %w", d, err)
	}
	return nil
}

// End kills it while it stands still, and returns when it is gone.
func (d *Daemon) End() error {
	err := d.each(false, unix.SIGKILL, func(_ stat, alive bool) bool { return !alive })
	if err != nil {
		return fmt.Errorf("end %s: %w", d, err)
	}
	return nil
}

// each sends a signal to those that live, the parent first or last, and waits until all
// are as it makes them.
func (d *Daemon) each(parentFirst bool, sig unix.Signal, done func(stat, bool) bool) error {
	all := append(slices.Clone(d.Children), d.Parent)
	if parentFirst {
		all = append([]Process{d.Parent}, d.Children...)
	}
	for _, p := range all {
		if _, alive := p.alive(); !alive {
			continue
		}
		if err := unix.Kill(p.PID, sig); err != nil && err != unix.ESRCH {
			return fmt.Errorf("process %d: %w", p.PID, err)
		}
	}
	deadline := time.Now().Add(signalWait)
	for _, p := range all {
		for !done(p.alive()) {
			if time.Now().After(deadline) {
				return fmt.Errorf("process %d does not do what %s says", p.PID, unix.SignalName(sig))
			}
			time.Sleep(200 * time.Microsecond)
		}
	}
	return nil
}

// Alive reports whether its parent process still runs, standing still or not.
func (d *Daemon) Alive() bool {
	_, alive := d.Parent.alive()
	return alive
}

// Unit is the systemd service that it runs in; empty if it is none.
func (d *Daemon) Unit() string {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", d.Parent.PID))
	if err != nil {
		return ""
	}
	return unitOf(string(raw))
}

// unitOf finds the last service in the path of a control group.
func unitOf(cgroups string) string {
	for line := range strings.Lines(cgroups) {
		if unit := path.Base(strings.TrimSpace(line)); strings.HasSuffix(unit, ".service") {
			return unit
		}
	}
	return ""
}
