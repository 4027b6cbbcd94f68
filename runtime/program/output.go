package program

import (
	"os"
	"strings"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"
)

// tail keeps the last OutputMax bytes of what is written to it.
type tail struct {
	buf [OutputMax]byte
	n   int // bytes ever written
}

func (t *tail) Write(p []byte) (int, error) {
	written := len(p)
	if len(p) > OutputMax {
		t.n += len(p) - OutputMax
		p = p[len(p)-OutputMax:]
	}
	for len(p) > 0 {
		k := copy(t.buf[t.n%OutputMax:], p)
		t.n += k
		p = p[k:]
	}
	return written, nil
}

func (t *tail) String() string {
	if t.n <= OutputMax {
		return Clean(string(t.buf[:t.n]))
	}
	at := t.n % OutputMax
	s := string(t.buf[at:]) + string(t.buf[:at])
	// The cut may have gone through a character.
	for i := 0; i < utf8.UTFMax-1 && s != "" && !utf8.RuneStart(s[0]); i++ {
		s = s[1:]
	}
	return Clean(s)
}

// Clean makes text of a stranger safe for a terminal, a log line and a mail: lines and
// tabs stay, every other control or format character (escape sequences, direction
// marks) and every byte that is no UTF-8 becomes U+FFFD. White space at the end goes.
func Clean(s string) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	s = strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029') {
			return utf8.RuneError
		}
		return r
	}, strings.ToValidUTF8(s, string(utf8.RuneError)))
	return strings.TrimRightFunc(s, unicode.IsSpace)
}

// drain reads a program's output until the last writer is gone or the run is over. The
// pipe holds 64 KiB, so that what was written before the end is still read after it.
type drain struct {
	r    *os.File
	tail tail
	done chan struct{}
}

func startDrain(r *os.File) *drain {
	d := &drain{r: r, done: make(chan struct{})}
	go func() { // ends at the end of the file or when finish sets the deadline
		defer close(d.done)
		buf := make([]byte, 32<<10)
		for {
			n, err := r.Read(buf)
			d.tail.Write(buf[:n])
			if err != nil {
				return
			}
		}
	}()
	return d
}

// finish takes what is in the pipe and lets go of it, whoever still holds the other end.
func (d *drain) finish() string {
	d.r.SetReadDeadline(time.Unix(1, 0))
	<-d.done
	d.rest()
	d.r.Close()
	return d.tail.String()
}

// rest reads without waiting, at most one full pipe: a flood has no end.
func (d *drain) rest() {
	raw, err := d.r.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) {
		buf := make([]byte, 64<<10)
		for left := len(buf); left > 0; {
			n, err := syscall.Read(int(fd), buf[:left])
			if err == syscall.EINTR {
				continue
			}
			if n <= 0 {
				return
			}
			d.tail.Write(buf[:n])
			left -= n
		}
	})
}
