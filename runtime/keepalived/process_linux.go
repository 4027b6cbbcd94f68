package keepalived

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// stat is what the kernel says about a process.
type stat struct {
	name   string
	state  byte // T: it stands still; Z: it has ended
	parent int
	start  uint64
}

func readStat(pid int) (s stat, err error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return s, err
	}
	return parseStat(string(raw))
}

// parseStat reads proc(5). The name may have blanks and parentheses of its own.
func parseStat(line string) (s stat, err error) {
	open, end := strings.IndexByte(line, '('), strings.LastIndexByte(line, ')')
	if open < 0 || end < open {
		return s, fmt.Errorf("no name in %.40q", line)
	}
	s.name = line[open+1 : end]
	f := strings.Fields(line[end+1:])
	const state, parent, start = 0, 1, 19
	if len(f) <= start || len(f[state]) != 1 {
		return s, fmt.Errorf("%d fields in %.40q", len(f), line)
	}
	s.state = f[state][0]
	if s.parent, err = strconv.Atoi(f[parent]); err != nil {
		return s, err
	}
	s.start, err = strconv.ParseUint(f[start], 10, 64)
	return s, err
}

// is reports whether a process is keepalived. With process_names its children have names
// of their own that begin like that.
func (s stat) is() bool { return strings.HasPrefix(s.name, "keepalived") && s.state != 'Z' }

// alive is what the kernel says of p; false when it has ended.
func (p Process) alive() (stat, bool) {
	s, err := readStat(p.PID)
	return s, err == nil && s.start == p.Start && s.state != 'Z'
}

// sameNetwork reports whether two processes are in one network namespace.
func sameNetwork(a, b int) (bool, error) {
	one, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", a))
	if err != nil {
		return false, err
	}
	other, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", b))
	return one == other, err
}

// processes are the numbers of all that run.
func processes() ([]int, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var out []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			out = append(out, pid)
		}
	}
	slices.Sort(out)
	return out, nil
}

// speaksVRRP reports whether a process has a raw socket for VRRP, or for the
// authentication header around it.
func speaksVRRP(pid int) (bool, error) {
	open, err := sockets(pid)
	if err != nil {
		return false, err
	}
	for _, table := range []string{"raw", "raw6"} {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, table))
		if err != nil {
			return false, err
		}
		for line := range bytes.Lines(raw) {
			if protocol, inode := rawSocket(string(line)); (protocol == "0070" || protocol == "0033") && open[inode] {
				return true, nil
			}
		}
	}
	return false, nil
}

// rawSocket reads a line of /proc/net/raw: the protocol stands where others have a port.
func rawSocket(line string) (protocol, inode string) {
	f := strings.Fields(line)
	const local, node = 1, 9
	if len(f) <= node {
		return "", ""
	}
	_, protocol, _ = strings.Cut(f[local], ":")
	return protocol, f[node]
}

// sockets are the inodes of those that a process has open.
func sockets(pid int) (map[string]bool, error) {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for _, e := range entries {
		to, err := os.Readlink(filepath.Join(dir, e.Name()))
		if inode, ok := strings.CutPrefix(to, "socket:["); err == nil && ok {
			out[strings.TrimSuffix(inode, "]")] = true
		}
	}
	return out, nil
}
