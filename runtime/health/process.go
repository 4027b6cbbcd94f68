package health

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"hafile/lang/plan"
)

const (
	commMax   = 15                     // bytes of a name that the kernel keeps (TASK_COMM_LEN less one)
	censusAge = 100 * time.Millisecond // how old a census may be; a tenth of the interval if that is less
)

// process counts the programs that run under a name.
type process struct {
	spec   *plan.Process
	census *census
	age    time.Duration
}

func (p process) look() (string, error) {
	all, err := p.census.take(p.age)
	if err != nil {
		return "", err
	}
	n := 0
	for i := range all {
		if p.census.called(&all[i], p.spec.Name) && p.started(all[i].pid) {
			n++
		}
	}
	found := fmt.Sprintf("%d running", n)
	s := p.spec
	switch {
	case s.Min == 0 && s.Max == 0 && n > 0:
		return found, fmt.Errorf("%d running, expected none", n)
	case n < s.Min:
		return found, fmt.Errorf("%d running, expected %d or more", n, s.Min)
	case s.Max > 0 && n > s.Max:
		return found, fmt.Errorf("%d running, expected %d or fewer", n, s.Max)
	}
	return found, nil
}

// started reports whether its arguments begin as they should.
func (p process) started(pid string) bool {
	if len(p.spec.Args) == 0 {
		return true
	}
	args := p.census.arguments(pid)
	return len(args) > len(p.spec.Args) && slices.Equal(args[1:len(p.spec.Args)+1], p.spec.Args)
}

// running is one process: no thread, and none that is dead and waits to be reaped.
type running struct {
	pid  string
	comm string // what it calls itself, at most commMax bytes
	exe  string // the name of its file; empty: a thread of the kernel, or not ours to see
}

// called is pgrep -x, which knows only what a program calls itself, and the name of its
// file. Of a long name the kernel keeps the beginning; then the first argument decides.
func (c *census) called(r *running, name string) bool {
	switch {
	case r.comm == name, r.exe == name:
		return true
	case len(name) <= commMax || r.comm != name[:commMax]:
		return false
	}
	args := c.arguments(r.pid)
	return len(args) > 0 && filepath.Base(args[0]) == name
}

// census looks at all processes, for all checks that count some: one at a time looks, and
// who comes meanwhile takes what it found. It opens nothing that waits for a process's
// memory: what a process in trouble holds must not hold up the count of the others.
type census struct {
	root string // /proc

	mu  sync.Mutex // held while somebody looks
	at  time.Time
	all []running
	err error
}

func newCensus(root string) *census { return &census{root: root} }

func (c *census) take(age time.Duration) ([]running, error) {
	asked := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at.Before(asked.Add(-age)) {
		c.at = time.Now()
		c.all, c.err = c.look()
	}
	return c.all, c.err
}

func (c *census) look() ([]running, error) {
	dir, err := os.Open(c.root)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var all []running
	buf := make([]byte, 1024)
	for _, pid := range names {
		if _, err := strconv.ParseUint(pid, 10, 31); err != nil {
			continue
		}
		raw, err := readSome(filepath.Join(c.root, pid, "stat"), buf)
		if err != nil {
			continue // it has ended meanwhile
		}
		comm, state, ok := parseStat(raw)
		if !ok || state == 'Z' || state == 'X' {
			continue
		}
		exe, err := os.Readlink(filepath.Join(c.root, pid, "exe"))
		if err != nil {
			exe = ""
		} else {
			exe = filepath.Base(strings.TrimSuffix(exe, " (deleted)")) // replaced by an upgrade
		}
		all = append(all, running{pid: pid, comm: comm, exe: exe})
	}
	if len(all) == 0 {
		return nil, errors.New("no process can be seen in " + c.root)
	}
	return all, nil
}

func readSome(path string, buf []byte) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	n, err := f.Read(buf)
	return buf[:n], err
}

// parseStat reads "PID (NAME) STATE …". A name may hold blanks and brackets; what follows
// it cannot.
func parseStat(raw []byte) (comm string, state byte, ok bool) {
	begin, end := bytes.IndexByte(raw, '('), bytes.LastIndexByte(raw, ')')
	if begin < 0 || end < begin || end+2 >= len(raw) || raw[end+1] != ' ' {
		return "", 0, false
	}
	return string(raw[begin+1 : end]), raw[end+2], true
}

// arguments of a process, the first as it was called; nil if it has ended.
func (c *census) arguments(pid string) []string {
	raw, err := readSome(filepath.Join(c.root, pid, "cmdline"), make([]byte, readMax))
	if err != nil && !errors.Is(err, fs.ErrNotExist) || len(raw) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(raw), "\x00"), "\x00")
}
