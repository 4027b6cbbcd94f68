package lab

import (
	"testing"

	"golang.org/x/sys/unix"

	"hafile/runtime/lab/netns"
)

// A connection whose handshake the old owner finished and whose first packet the new one
// resets was in flight; one that is refused never was. Both are over when the client looks.
func TestWhatWasAnsweredAndThenResetWasInFlight(t *testing.T) {
	ns := netns.NewT(t)
	for _, tt := range []struct {
		claim     string
		listening bool
		want      loss
	}{
		{"reset by who did not know it", true, lostFlight},
		{"refused", false, lostNew},
	} {
		t.Run(tt.claim, func(t *testing.T) {
			var got loss
			if err := ns.Do(func() (err error) { got, err = endOf(tt.listening); return err }); err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// endOf opens a connection to a server that resets it at once, or to none, and judges it.
func endOf(listening bool) (loss, error) {
	server, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(server)
	loopback := &unix.SockaddrInet4{Port: webPort, Addr: [4]byte{127, 0, 0, 1}}
	if err := unix.Bind(server, loopback); err != nil {
		return 0, err
	}
	if listening {
		if err := unix.Listen(server, 1); err != nil {
			return 0, err
		}
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, loopback); err != nil && err != unix.EINPROGRESS {
		return 0, err
	}
	if listening {
		conn, _, err := unix.Accept(server)
		if err != nil {
			return 0, err
		}
		_ = unix.SetsockoptLinger(conn, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		unix.Close(conn)
	}
	for events := int16(0); events&unix.POLLERR == 0; {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if n, err := unix.Poll(fds, 5000); err != nil && err != unix.EINTR || n == 0 {
			return 0, unix.ETIMEDOUT
		}
		events = fds[0].Revents
	}
	return failed(fd), nil
}
