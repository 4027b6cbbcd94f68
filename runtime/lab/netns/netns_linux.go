package netns

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Options of a namespace.
type Options struct {
	// Mounts gives the namespace a mount namespace too, private in both directions:
	// what [NS.Setup] mounts is seen by the processes that [NS.Start] starts and by
	// nobody else.
	Mounts bool
}

// NS is a network namespace. Its methods may be called from any goroutine.
type NS struct {
	mounts bool
	file   *os.File
	links  *netlink.Handle
	keeper chan func()
	ended  chan struct{} // closed when the keeper's goroutine is over
	close  sync.Once
}

// New makes a namespace with its loopback up. It needs CAP_SYS_ADMIN and CAP_NET_ADMIN.
func New() (*NS, error) { return NewWith(Options{}) }

// NewWith is [New] with options.
//
// It starts one goroutine on a thread of its own, the keeper, which stays in the
// namespace until [NS.Close].
func NewWith(o Options) (*NS, error) {
	n := &NS{mounts: o.Mounts, keeper: make(chan func()), ended: make(chan struct{})}
	ready := make(chan error, 1)
	go onOwnThread(func() { n.keep(o, ready) })
	if err := <-ready; err != nil {
		return nil, fmt.Errorf("make a network namespace: %w", err)
	}
	return n, nil
}

// onOwnThread runs fn on a thread that ends with it. It must be a goroutine's first
// call. The main thread is left alone: it cannot end, and /proc/self is what it sees.
func onOwnThread(fn func()) {
	runtime.LockOSThread()
	if unix.Gettid() != unix.Getpid() {
		fn()
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		fn()
	}()
	<-done
	runtime.UnlockOSThread()
}

func (n *NS) keep(o Options, ready chan<- error) {
	defer close(n.ended)
	err := n.enter(o)
	ready <- err
	if err != nil {
		return
	}
	for fn := range n.keeper {
		fn()
	}
}

// enter turns the calling thread into the namespace's first.
func (n *NS) enter(o Options) error {
	flags := unix.CLONE_NEWNET
	if o.Mounts {
		// The threads of a process share root and working directory; CLONE_FS takes
		// this one out, or CLONE_NEWNS is refused.
		flags |= unix.CLONE_NEWNS | unix.CLONE_FS
	}
	if err := unix.Unshare(flags); err != nil {
		return err
	}
	if o.Mounts {
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			return fmt.Errorf("make the mounts private: %w", err)
		}
	}
	file, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	links, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err == nil {
		err = up(links, "lo")
	}
	if err != nil {
		return errors.Join(err, file.Close())
	}
	n.file, n.links = file, links
	return nil
}

// Close lets go of the namespace: the keeper ends, and with it every child whose
// Pdeathsig is set. What else still runs inside keeps the namespace until it ends too.
func (n *NS) Close() error {
	var err error
	n.close.Do(func() {
		close(n.keeper)
		<-n.ended
		n.links.Close()
		err = n.file.Close()
	})
	return err
}

// FD is the descriptor of the namespace, as setns(2) takes it; valid until [NS.Close].
func (n *NS) FD() int { return int(n.file.Fd()) }

// Do runs fn inside, on a thread that no other goroutine will ever run on, and returns
// its error. Calls do not wait for each other. If fn leaves by runtime.Goexit, which is
// how t.Fatal leaves, Do says so.
func (n *NS) Do(fn func() error) error {
	err := errors.New("the function in the namespace ended its goroutine")
	done := make(chan struct{})
	go func() {
		defer close(done)
		onOwnThread(func() {
			if e := n.join(); e != nil {
				err = e
				return
			}
			err = fn()
		})
	}()
	<-done
	return err
}

// join makes the calling thread the namespace's. Control keeps the descriptor open
// meanwhile: after a Close its number may already be another file's.
func (n *NS) join() error {
	raw, err := n.file.SyscallConn()
	if err == nil {
		var refused error
		err = raw.Control(func(fd uintptr) { refused = unix.Setns(int(fd), unix.CLONE_NEWNET) })
		err = cmp.Or(err, refused)
	}
	if err != nil {
		return fmt.Errorf("enter a network namespace: %w", err)
	}
	return nil
}

// Setup runs fn on the keeper, the only thread that has the mount namespace of
// [Options], and panics without that option: a mount would be the host's. fn must be
// short: Start waits for it. It must not call Setup or Start.
func (n *NS) Setup(fn func() error) error {
	if !n.mounts {
		panic("netns: Setup in a namespace without Options.Mounts")
	}
	return n.onKeeper(fn)
}

// Start starts cmd inside. The fork happens on the keeper, so that a Pdeathsig of the
// caller fires when the namespace is closed or this process dies, not when some thread
// of the scheduler ends.
func (n *NS) Start(cmd *exec.Cmd) error { return n.onKeeper(cmd.Start) }

func (n *NS) onKeeper(fn func() error) error {
	result := make(chan error, 1)
	n.keeper <- func() { result <- fn() }
	return <-result
}

// Sysctl writes a value below /proc/sys inside: Sysctl("net.ipv4.ip_forward", "1").
func (n *NS) Sysctl(key, value string) error {
	path := filepath.Join("/proc/sys", strings.ReplaceAll(key, ".", "/"))
	return n.Do(func() error { return os.WriteFile(path, []byte(value), 0o644) })
}
