package runtime

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A tap is between a daemon and its kernel: each system call by which the daemon changes a
// file or asks netlink waits until the test says what becomes of it. The daemon is the one
// that people run; nothing in it knows of the test. It works by seccomp's user
// notification: the test binary puts the filter on itself, hands the listener to the
// test, and becomes the daemon.

const tapEnv = "HAFILE_TEST_TAP"

// tapped are the calls that wait. openat does so only where it may make a file.
var tapped = []uint32{unix.SYS_FSYNC, unix.SYS_RENAMEAT, unix.SYS_UNLINKAT, unix.SYS_WRITE, unix.SYS_SENDTO}

// putTap is the first thing that a tapped daemon does.
func putTap() error {
	runtime.LockOSThread()
	const number, flags = 0, 32 // in struct seccomp_data: nr, and the low half of args[2]
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	is := func(what uint16, k uint32, then, otherwise int) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | what | unix.BPF_K, K: k, Jt: uint8(then), Jf: uint8(otherwise)}
	}
	answer := func(k uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: k} }
	prog := []unix.SockFilter{load(number)}
	for i, call := range tapped {
		prog = append(prog, is(unix.BPF_JEQ, call, len(tapped)-1-i+3, 0))
	}
	prog = append(prog,
		is(unix.BPF_JEQ, unix.SYS_OPENAT, 0, 3), load(flags), is(unix.BPF_JSET, unix.O_CREAT, 0, 1),
		answer(unix.SECCOMP_RET_USER_NOTIF), answer(unix.SECCOMP_RET_ALLOW))
	fprog := unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_NEW_LISTENER|unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, uintptr(unsafe.Pointer(&fprog)))
	if errno != 0 {
		return fmt.Errorf("seccomp: %w", errno)
	}
	if err := unix.Sendmsg(3, []byte("tap"), unix.UnixRights(int(fd)), nil, 0); err != nil {
		return err
	}
	_ = unix.Close(3)
	env := []string{}
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, tapEnv+"=") {
			env = append(env, e)
		}
	}
	return unix.Exec("/proc/self/exe", os.Args, env)
}

// verdict is what becomes of a call: it is made, perhaps after something else; it fails; or
// it is the daemon's last one.
type verdict struct {
	errno syscall.Errno
	kill  bool
	after func()
}

// tap asks judge about every call while that is set.
type tap struct {
	m  *machine
	fd int

	mu    sync.Mutex
	judge func(what string) verdict // nil: all calls are made
	done  chan struct{}
}

// startTapped is start, with a tap. It ends with the daemon.
func (m *machine) startTapped() *tap {
	m.t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		m.t.Fatal(err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "tap")
	p := &tap{m: m, done: make(chan struct{})}
	m.launch(theirs)
	theirs.Close()
	buf, control := make([]byte, 8), make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(pair[0], buf, control, unix.MSG_CMSG_CLOEXEC)
	unix.Close(pair[0])
	if err != nil || n == 0 {
		m.t.Fatalf("no listener from the daemon: %v", err)
	}
	messages, err := unix.ParseSocketControlMessage(control[:n])
	if err != nil {
		m.t.Fatal(err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		m.t.Fatal(err)
	}
	p.fd = fds[0]
	go p.run()
	m.untilItAnswers()
	return p
}

// notification and answer are the kernel's struct seccomp_notif and seccomp_notif_resp.
type notification struct {
	id         uint64
	pid, flags uint32
	nr         int32
	arch       uint32
	ip         uint64
	args       [6]uint64
}

type answer struct {
	id    uint64
	val   int64
	error int32
	flags uint32
}

func (p *tap) run() {
	defer close(p.done)
	defer unix.Close(p.fd)
	for {
		ready := []unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}}
		if _, err := unix.Poll(ready, -1); err != nil && err != unix.EINTR {
			return
		}
		if ready[0].Revents&unix.POLLIN == 0 {
			if ready[0].Revents != 0 {
				return // the last process with the filter is gone
			}
			continue
		}
		var n notification
		if p.ioctl(unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&n)) != 0 {
			continue // it was killed while it waited
		}
		v := p.ask(&n)
		if v.kill {
			_ = p.m.cmd.Process.Kill()
			continue
		}
		if v.after == nil {
			p.answer(n.id, v.errno)
			continue
		}
		go func() { // other calls must not wait for it
			v.after()
			p.answer(n.id, v.errno)
		}()
	}
}

func (p *tap) answer(id uint64, errno syscall.Errno) {
	a := answer{id: id, error: -int32(errno)}
	if errno == 0 {
		a.flags = unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE
	}
	p.ioctl(unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&a))
}

func (p *tap) ioctl(request uint, what unsafe.Pointer) syscall.Errno {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(p.fd), uintptr(request), uintptr(what))
	return errno
}

func (p *tap) set(judge func(what string) verdict) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.judge = judge
}

func (p *tap) ask(n *notification) verdict {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.judge == nil {
		return verdict{}
	}
	if what := p.name(n); what != "" {
		return p.judge(what)
	}
	return verdict{}
}

// name says what a call is about; empty for what is neither a file of the daemon's nor
// netlink.
func (p *tap) name(n *notification) string {
	switch n.nr {
	case unix.SYS_OPENAT:
		return p.file(n, "create", p.text(n, 1))
	case unix.SYS_WRITE:
		return p.file(n, "write", p.opened(n))
	case unix.SYS_FSYNC:
		return p.file(n, "sync", p.opened(n))
	case unix.SYS_RENAMEAT:
		return p.file(n, "rename to", p.text(n, 3))
	case unix.SYS_UNLINKAT:
		return p.file(n, "remove", p.text(n, 1))
	case unix.SYS_SENDTO:
		return p.netlink(n)
	}
	return ""
}

func (p *tap) file(_ *notification, what, path string) string {
	name, err := filepath.Rel(p.m.dir, path)
	if err != nil || strings.HasPrefix(name, "..") || name == "log" || strings.HasSuffix(name, ".sock") {
		return ""
	}
	return what + " " + name
}

func (p *tap) opened(n *notification) string {
	path, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", n.pid, n.args[0]))
	return path
}

func (p *tap) memory(n *notification, at uint64, size int) []byte {
	f, err := os.Open(fmt.Sprintf("/proc/%d/mem", n.pid))
	if err != nil {
		return nil
	}
	defer f.Close()
	b := make([]byte, size)
	got, _ := f.ReadAt(b, int64(at))
	return b[:got]
}

func (p *tap) text(n *notification, arg int) string {
	b := p.memory(n, n.args[arg], 256)
	text, _, _ := bytes.Cut(b, []byte{0})
	return string(text)
}

var requests = map[uint16]string{
	unix.RTM_NEWADDR: "add", unix.RTM_DELADDR: "delete", unix.RTM_GETADDR: "list addresses", unix.RTM_GETLINK: "list links",
}

// netlink is a request of the length that its own header has.
func (p *tap) netlink(n *notification) string {
	b := p.memory(n, n.args[1], unix.NLMSG_HDRLEN)
	if len(b) < unix.NLMSG_HDRLEN || uint64(binary.NativeEndian.Uint32(b)) != n.args[2] {
		return ""
	}
	return requests[binary.NativeEndian.Uint16(b[4:])]
}

// tappable skips where the kernel or the container has no such filters.
func tappable(t *testing.T) {
	t.Helper()
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, 3, 0, uintptr(unsafe.Pointer(&[3]uint16{}))) // SECCOMP_GET_NOTIF_SIZES
	if errno != 0 {
		t.Skipf("needs seccomp user notification: %v", errno)
	}
}
