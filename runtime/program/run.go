package program

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Verify checks that the program could be run now: the account exists, the path is
// safe, the account may execute it. Its errors name the path component at fault.
func Verify(s Spec) error {
	_, t, err := s.prepare()
	if err != nil {
		return err
	}
	t.close()
	return nil
}

func (s *Spec) prepare() (*account, *target, error) {
	if len(s.Command) == 0 {
		return nil, nil, errors.New("no program is named")
	}
	a, err := accountOf(s.User)
	if err != nil {
		return nil, nil, err
	}
	if err := a.reachable(); err != nil {
		return nil, nil, err
	}
	t, err := a.open(s.Command[0])
	if err != nil {
		return nil, nil, err
	}
	return a, t, nil
}

// Run runs the program to its end, to its deadline or to the end of ctx, whichever
// comes first. At the latter two the whole process group is killed with SIGKILL: a
// friendlier signal first would make "ended at its deadline" mean something later.
// The checks of Verify are made for every run.
func Run(ctx context.Context, s Spec) Result {
	r := Result{Exit: -1, Started: time.Now()}
	err := s.run(ctx, &r)
	r.Ended = time.Now()
	if err != nil {
		r.Err = fmt.Errorf("not started: %w", err)
	}
	return r
}

func (s *Spec) run(ctx context.Context, r *Result) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	a, t, err := s.prepare()
	if err != nil {
		return err
	}
	defer t.close()
	read, write, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make a pipe for the output: %w", err)
	}
	cmd := s.command(a, t)
	cmd.Stdout, cmd.Stderr = write, write
	err = cmd.Start()
	write.Close()
	if err != nil {
		read.Close()
		return fmt.Errorf("run %s as %s: %w", s.Command[0], a.name, reason(err))
	}
	out := startDrain(read)
	s.wait(ctx, cmd, r)
	r.Output = out.finish()
	return nil
}

// command of one run. There is no Pdeathsig: it fires when the thread that forked ends,
// not the process, and Go's threads come and go.
func (s *Spec) command(a *account, t *target) *exec.Cmd {
	path := t.path
	if t.elf != nil {
		// The child's own table: the descriptor is closed by the exec that it serves.
		path = fmt.Sprintf("/proc/self/fd/%d", t.elf.Fd())
	}
	cmd := &exec.Cmd{
		Path: path, Args: s.Command, Env: a.environ(s.Env), Dir: "/",
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if os.Geteuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid, Groups: a.groups}
	}
	return cmd
}

// wait ends when the leader of the group has ended, by itself or by force.
func (s *Spec) wait(ctx context.Context, cmd *exec.Cmd, r *Result) {
	r.Ran = true
	pid := cmd.Process.Pid
	ended := make(chan struct{})
	go func() { // ends with the child, which the code below kills if need be
		defer close(ended)
		awaitExit(pid)
	}()
	deadline := time.NewTimer(s.Timeout - time.Since(r.Started))
	defer deadline.Stop()
	var stopped error
	select {
	case <-ended:
	case <-deadline.C:
		r.TimedOut = true
		stopped = fmt.Errorf("timed out after %v", s.Timeout)
	case <-ctx.Done():
		stopped = errors.New("stopped: the daemon no longer wants it")
	}
	if stopped != nil || s.Leftovers == KillLeftovers {
		// The leader is not reaped yet, so that its number cannot be somebody else's group.
		syscall.Kill(-pid, syscall.SIGKILL)
	}
	<-ended
	cmd.Wait() // reaps; how it ended is in ProcessState
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case stopped != nil:
		r.Err = stopped
	case ok && status.Signaled():
		r.Err = fmt.Errorf("killed by %s", unix.SignalName(status.Signal()))
	case ok:
		r.Exit = status.ExitStatus()
	}
}

// awaitExit blocks until the process has ended, and leaves it to be reaped.
func awaitExit(pid int) {
	var info unix.Siginfo
	for unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
}
