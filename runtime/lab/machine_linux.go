package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"hafile/runtime/control"
	"hafile/runtime/lab/netns"
)

// machine is one node of the group: namespaces, and what runs in them.
type machine struct {
	Node
	ns  *netns.NS
	lab *Lab
	ear *ear
	dir string // on the host: run and state directories, logs, and what covers /etc

	init io.Closer // the first process lives until this is closed
	ctl  *control.Client

	mu     sync.Mutex
	daemon *process // nil while none runs
	web    *process
	// predecessor is the keepalived beside which hafile was started.
	predecessor *process
}

// boot makes a machine with its first process. Every mount is its own, and so are its
// processes: a script that looks for nginx by name finds this machine's only.
func (l *Lab) boot(n Node) (*machine, error) {
	ns, err := netns.NewWith(netns.Options{Mounts: true})
	if err != nil {
		return nil, err
	}
	m := &machine{Node: n, ns: ns, lab: l, dir: filepath.Join(l.dir, n.Name)}
	m.ctl = control.NewClient(m.socket())
	for _, sub := range []string{"run", "state", "log"} {
		if err := os.MkdirAll(filepath.Join(m.dir, sub), 0o755); err != nil {
			return nil, errors.Join(err, m.close())
		}
	}
	if err := errors.Join(m.plugIn(), m.coverEtc()); err != nil {
		return nil, errors.Join(err, m.close())
	}
	if err := m.startInit(); err != nil {
		return nil, errors.Join(err, m.close())
	}
	return m, nil
}

// plugIn connects every interface of the plan to the segment; the first one has the
// node's address.
func (m *machine) plugIn() error {
	for i, name := range m.Interfaces {
		port := netns.Port{Name: name}
		if i == 0 {
			port.Addresses = m.Addresses
		}
		if err := m.lab.segment.Connect(m.ns, port); err != nil {
			return err
		}
	}
	return nil
}

// coverEtc lays the example's etc over /etc, for this machine only. The copy is needed
// for the modes: git knows no 0600.
func (m *machine) coverEtc() error {
	if m.Etc == "" {
		return nil
	}
	cover := filepath.Join(m.dir, "etc")
	if err := copyTree(m.Etc, cover); err != nil {
		return err
	}
	return m.ns.Setup(func() error {
		err := unix.Mount("overlay", "/etc", "overlay", 0, "lowerdir="+cover+":/etc")
		if err != nil {
			return fmt.Errorf("lay %s over /etc (overlay file system): %w", m.Etc, err)
		}
		return nil
	})
}

// copyTree copies directories and files. What lies in a directory called credentials is
// for root only; the rest is readable, and programs stay programs.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if d.IsDir() {
			return os.Mkdir(target, 0o755)
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		mode := os.FileMode(0o644)
		if info, err := d.Info(); err == nil && info.Mode()&0o100 != 0 {
			mode = 0o755
		}
		if filepath.Base(filepath.Dir(path)) == "credentials" {
			mode = 0o600
		}
		return os.WriteFile(target, body, mode)
	})
}

// startInit starts the machine's first process in a new process namespace. It dies when
// its input is closed or this process dies, and the kernel ends everything else in the
// namespace with it; so nothing else in there needs a Pdeathsig, which Go could not set:
// the child finds that its parent has no number in its namespace, and ends itself.
func (m *machine) startInit() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	m.init = w
	cmd := exec.Command(m.lab.Self, InitCommand)
	cmd.Stdin, cmd.Stderr = r, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	// Package os forks once, at its first use of processes, to see whether the kernel has
	// pidfds. That child must not be the first process of the new namespace.
	if _, err := os.FindProcess(os.Getpid()); err != nil {
		return err
	}
	err = m.ns.Setup(func() error {
		if err := unix.Unshare(unix.CLONE_NEWPID | unix.CLONE_NEWUTS); err != nil {
			return fmt.Errorf("make namespaces for processes and for a host name: %w", err)
		}
		return errors.Join(unix.Sethostname([]byte(m.Name)), cmd.Start())
	})
	if err != nil {
		return err
	}
	go cmd.Wait()
	return m.awaitProc()
}

// awaitProc waits until the first process has mounted its /proc: a program started
// before would see the host's.
func (m *machine) awaitProc() error {
	deadline := time.Now().Add(5 * time.Second)
	for time.Now().Before(deadline) {
		out, err := m.output(context.Background(), "/bin/cat", "/proc/1/cmdline")
		if err == nil && bytes.Contains(out, []byte(InitCommand)) {
			return nil
		}
		time.Sleep(2 * time.Millisecond)
	}
	return fmt.Errorf("%s: its first process did not come up", m.Name)
}

// InitCommand is the argument with which this binary is a machine's first process.
const InitCommand = "lab-init"

// Init is what a machine's first process does: /proc of its own, then reap what is
// orphaned until the lab closes the other end of its input.
func Init() error {
	if os.Getpid() != 1 {
		return errors.New("this is the first process of a machine in the lab: hafile lab starts it")
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	go func() {
		var status unix.WaitStatus
		for {
			if _, err := unix.Wait4(-1, &status, 0, nil); err == unix.ECHILD {
				time.Sleep(100 * time.Millisecond)
			}
		}
	}()
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// process is a program that runs in a machine until it is ended.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{}
	err    error
}

// start runs a program in the machine with its output in a log file.
func (m *machine) start(log string, argv ...string) (*process, error) {
	out, err := os.OpenFile(filepath.Join(m.dir, "log", log), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := m.ns.Start(cmd); err != nil {
		return nil, fmt.Errorf("%s: start %s: %w", m.Name, argv[0], err)
	}
	p := &process{cmd: cmd, exited: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.exited)
	}()
	return p, nil
}

// environment of everything that runs in a machine: nothing of the caller's.
func environment() []string {
	return []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"}
}

// output runs a program in the machine to its end and returns what it printed.
func (m *machine) output(ctx context.Context, argv ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Env = environment()
	if err := m.ns.Start(cmd); err != nil {
		return nil, err
	}
	err := cmd.Wait()
	return out.Bytes(), err
}

// kill ends a process, and returns when it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
}

// socket is on the host: a machine shares no directory but its own.
func (m *machine) socket() string { return filepath.Join(m.dir, "run", "hafile.sock") }

// startDaemon starts the daemon and waits until it answers.
func (m *machine) startDaemon(ctx context.Context) error {
	if m.Keepalived != "" {
		return m.startKeepalived(ctx)
	}
	argv := append([]string{m.lab.Self, "run",
		"-node", m.Name, "-state-dir", filepath.Join(m.dir, "state"), "-run-dir", filepath.Join(m.dir, "run"),
		"-socket", m.socket(), "-credentials", "/etc/hafile/credentials"}, m.lab.Daemon...)
	p, err := m.start("daemon.log", argv...)
	if err != nil {
		return err
	}
	m.mu.Lock()
	m.daemon = p
	m.mu.Unlock()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	for {
		if _, err := m.ctl.Status(ctx); err == nil {
			return nil
		}
		select {
		case <-p.exited:
			return fmt.Errorf("%s: the daemon ended: %w\n%s", m.Name, p.err, m.logTail("daemon.log"))
		case <-deadline.C:
			return fmt.Errorf("%s: the daemon does not answer\n%s", m.Name, m.logTail("daemon.log"))
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// logTail is the end of a log, for an error.
func (m *machine) logTail(name string) string {
	const most = 2000
	body, _ := os.ReadFile(filepath.Join(m.dir, "log", name))
	return string(body[max(0, len(body)-most):])
}

// signalDaemon sends a signal; an error says that no daemon runs.
func (m *machine) signalDaemon(sig os.Signal) (*process, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.daemon == nil {
		return nil, fmt.Errorf("%s: no daemon is running", m.Name)
	}
	if m.Keepalived != "" && sig == syscall.SIGKILL {
		return m.daemon, m.killKeepalived(m.daemon)
	}
	return m.daemon, m.daemon.cmd.Process.Signal(sig)
}

// endDaemon sends a signal that ends the daemon and waits for its end.
func (m *machine) endDaemon(ctx context.Context, sig os.Signal) error {
	p, err := m.signalDaemon(sig)
	if err != nil {
		return err
	}
	select {
	case <-p.exited:
	case <-ctx.Done():
		return ctx.Err()
	}
	m.mu.Lock()
	m.daemon = nil
	m.mu.Unlock()
	return nil
}

// close ends everything in the machine.
func (m *machine) close() error {
	m.ctl.Close()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range []*process{m.daemon, m.web, m.predecessor} {
		if p != nil {
			p.kill()
		}
	}
	var err error
	if m.init != nil {
		err = m.init.Close()
	}
	return errors.Join(err, m.ns.Close())
}
