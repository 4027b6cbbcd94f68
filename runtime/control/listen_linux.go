package control

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Connections at one time. Those of root are counted apart, so that a reader who opens
// them all cannot lock the operator out.
const (
	readersMax = 32
	writersMax = 32
)

// Listen opens the unix socket at path with mode 0660 and, where gid is not negative,
// that group. A socket file that nobody listens on any more is replaced; one that
// answers is another daemon's, and an error.
func Listen(path string, gid int) (net.Listener, error) {
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		c.Close()
		return nil, fmt.Errorf("listen on %s: another daemon answers there", path)
	}
	// The mode is set under another name: nobody may connect before it is.
	temp := filepath.Join(filepath.Dir(path), "."+filepath.Base(path))
	_ = os.Remove(temp)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: temp, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	l.SetUnlinkOnClose(false)
	err = os.Chmod(temp, 0o660)
	if err == nil && gid >= 0 {
		err = os.Chown(temp, -1, gid)
	}
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		l.Close()
		_ = os.Remove(temp)
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	return &listener{UnixListener: l, path: path}, nil
}

// listener knows who connects, and counts.
type listener struct {
	*net.UnixListener
	path             string
	readers, writers atomic.Int32
}

// Accept closes what is over the cap at once: to wait would let a reader block root.
func (l *listener) Accept() (net.Conn, error) {
	for {
		u, err := l.AcceptUnix()
		if err != nil {
			return nil, err
		}
		c, err := l.admit(u)
		if err == nil {
			return c, nil
		}
		u.Close()
	}
}

func (l *listener) admit(u *net.UnixConn) (net.Conn, error) {
	cred, err := peerCred(u)
	if err != nil {
		return nil, err
	}
	c := &conn{UnixConn: u, writer: mayWrite(cred.Uid), count: &l.readers}
	most := int32(readersMax)
	if c.writer {
		c.count, most = &l.writers, writersMax
	}
	if c.count.Add(1) > most {
		c.count.Add(-1)
		return nil, errors.New("too many connections")
	}
	return c, nil
}

// Close removes the socket file too.
func (l *listener) Close() error {
	err := l.UnixListener.Close()
	_ = os.Remove(l.path)
	return err
}

// mayWrite: root, and whoever the daemon itself is.
func mayWrite(uid uint32) bool { return uid == 0 || int(uid) == os.Geteuid() }

func peerCred(u *net.UnixConn) (*unix.Ucred, error) {
	raw, err := u.SyscallConn()
	if err != nil {
		return nil, err
	}
	var cred *unix.Ucred
	var optErr error
	err = raw.Control(func(fd uintptr) {
		cred, optErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	return cred, errors.Join(err, optErr)
}

// conn is a connection whose other end is known.
type conn struct {
	*net.UnixConn
	writer bool
	count  *atomic.Int32
	closed atomic.Bool
}

func (c *conn) Close() error {
	if c.closed.CompareAndSwap(false, true) {
		c.count.Add(-1)
	}
	return c.UnixConn.Close()
}
