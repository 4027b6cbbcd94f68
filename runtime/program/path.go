package program

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Unsafe is a program that will not be run. Path is the component at fault, which need
// not be the program itself.
type Unsafe struct {
	Path   string
	Reason string
}

func (e *Unsafe) Error() string { return e.Path + " " + e.Reason }

func unsafef(path, format string, args ...any) error {
	return &Unsafe{Path: path, Reason: fmt.Sprintf(format, args...)}
}

// linksMax is how many symbolic links one path may pass, as in the kernel.
const linksMax = 40

// bits of a mode, for whom they hold.
const (
	mayRead = 4
	mayExec = 1
)

// target is a program that passed every check.
type target struct {
	path string   // resolved, without links
	elf  *os.File // open if it is an ELF program: what was checked is what runs
}

func (t *target) close() {
	if t.elf != nil {
		t.elf.Close()
	}
}

// open resolves the path of a program component by component and refuses it where
// somebody other than root and the account that is to run it could put another in its
// place, and where the account could not run it.
//
// An ELF program is run by the descriptor that was checked. The kernel cannot do that
// with a #! file, because the interpreter opens it again by its path; so directories
// above one must be writable by root alone.
func (a *account) open(path string) (*target, error) {
	resolved, dirs, err := a.walk(path)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(resolved, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, unsafef(resolved, "cannot be opened: %v", reason(err))
	}
	t := &target{path: resolved}
	if err := a.inspect(t, f, dirs); err != nil {
		f.Close()
		return nil, err
	}
	if t.elf == nil {
		f.Close()
	}
	return t, nil
}

// inspect checks the file behind a resolved path, by its descriptor.
func (a *account) inspect(t *target, f *os.File, dirs []string) error {
	info, err := f.Stat()
	if err != nil {
		return unsafef(t.path, "cannot be looked at: %v", reason(err))
	}
	if !info.Mode().IsRegular() {
		return unsafef(t.path, "is no file that can be run (%s)", info.Mode())
	}
	if err := a.onlyOurs(t.path, info); err != nil {
		return err
	}
	if !a.may(info, mayExec) {
		return unsafef(t.path, "is not executable by %s (%s)", a.name, describe(info))
	}
	head := make([]byte, 256)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return unsafef(t.path, "cannot be read: %v", reason(err))
	}
	head = head[:n]
	switch {
	case bytes.HasPrefix(head, []byte("\x7fELF")):
		t.elf = f
		return nil
	case bytes.HasPrefix(head, []byte("#!")):
		return a.script(t.path, head, info, dirs)
	}
	return unsafef(t.path, "is neither an ELF program nor a script that starts with #!: write its interpreter in the first line, as #!/bin/sh")
}

// script checks what a #! file needs beyond being executable: directories that only
// root writes, to be readable, and an interpreter that passes the same checks.
func (a *account) script(path string, head []byte, info fs.FileInfo, dirs []string) error {
	if !a.may(info, mayRead) {
		return unsafef(path, "is not readable by %s (%s), as its interpreter needs", a.name, describe(info))
	}
	for _, dir := range dirs {
		st, err := os.Lstat(dir)
		if err != nil {
			return unsafef(dir, "cannot be looked at: %v", reason(err))
		}
		if owner(st) != 0 {
			return unsafef(dir, "belongs to uid %d: a script must lie in directories that belong to root", owner(st))
		}
	}
	name := interpreter(head)
	if !filepath.IsAbs(name) {
		return unsafef(path, "names the interpreter %q, which is no absolute path", name)
	}
	resolved, _, err := a.walk(name)
	if err != nil {
		return fmt.Errorf("interpreter of %s: %w", path, err)
	}
	st, err := os.Lstat(resolved)
	if err != nil {
		return fmt.Errorf("interpreter of %s: %w", path, unsafef(resolved, "cannot be looked at: %v", reason(err)))
	}
	if err := a.onlyOurs(resolved, st); err != nil {
		return fmt.Errorf("interpreter of %s: %w", path, err)
	}
	if !st.Mode().IsRegular() || !a.may(st, mayExec) {
		return fmt.Errorf("interpreter of %s: %w", path, unsafef(resolved, "is not executable by %s (%s)", a.name, describe(st)))
	}
	return nil
}

// interpreter of a #! line, as the kernel reads it; it may be empty.
func interpreter(head []byte) string {
	line, _, _ := bytes.Cut(bytes.TrimPrefix(head, []byte("#!")), []byte("\n"))
	fields := strings.FieldsFunc(string(line), func(r rune) bool { return r == ' ' || r == '\t' || r == 0 })
	if len(fields) == 0 {
		return ""
	}
	return fields[0]
}

// walk follows a path from the root, checks every directory and link that it passes,
// and returns the path without links and the directories it lies in.
func (a *account) walk(path string) (resolved string, dirs []string, err error) {
	if !filepath.IsAbs(path) {
		return "", nil, unsafef(path, "must be an absolute path")
	}
	todo := components(path)
	at, links := "/", 0
	for {
		info, err := os.Lstat(at)
		if err != nil {
			return "", nil, unsafef(at, "%v", reason(err))
		}
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			if links++; links > linksMax {
				return "", nil, unsafef(path, "passes more than %d symbolic links", linksMax)
			}
			// The link's own mode means nothing; its directory was checked, and in a sticky
			// directory the owner of the link decides where it leads.
			if !a.owns(info) {
				return "", nil, unsafef(at, "is a link of uid %d, who is neither root nor %s", owner(info), a.name)
			}
			to, err := os.Readlink(at)
			if err != nil {
				return "", nil, unsafef(at, "cannot be followed: %v", reason(err))
			}
			todo = append(components(to), todo...)
			if filepath.IsAbs(to) {
				at, dirs = "/", nil
			} else {
				at, dirs = dirs[len(dirs)-1], dirs[:len(dirs)-1]
			}
			continue
		case info.IsDir():
			if err := a.onlyOurs(at, info); err != nil {
				return "", nil, err
			}
			if !a.may(info, mayExec) {
				return "", nil, unsafef(at, "cannot be entered by %s (%s)", a.name, describe(info))
			}
		case len(todo) > 0:
			return "", nil, unsafef(at, "is no directory")
		}
		if len(todo) == 0 {
			return at, dirs, nil
		}
		next := todo[0]
		todo = todo[1:]
		if next == ".." {
			if len(dirs) > 0 {
				at, dirs = dirs[len(dirs)-1], dirs[:len(dirs)-1]
			}
			continue
		}
		dirs = append(slices.Clip(dirs), at)
		at = filepath.Join(at, next)
	}
}

// components of a path. Dots-dots stay, because they mean the parent of where a link led.
func components(path string) []string {
	var parts []string
	for p := range strings.SplitSeq(path, "/") {
		if p != "" && p != "." {
			parts = append(parts, p)
		}
	}
	return parts
}

// onlyOurs refuses what somebody other than root and the account could change. A
// directory with the sticky bit, as /tmp, passes: in it nobody can rename or remove an
// entry of root or of the account, and the owner of every entry is checked in its turn.
func (a *account) onlyOurs(path string, info fs.FileInfo) error {
	if !a.owns(info) {
		return unsafef(path, "belongs to uid %d, who is neither root nor %s (%s)", owner(info), a.name, describe(info))
	}
	if info.IsDir() && info.Mode()&fs.ModeSticky != 0 {
		return nil
	}
	switch mode := info.Mode().Perm(); {
	case mode&0o002 != 0:
		return unsafef(path, "can be written by everybody (%s): chmod o-w", describe(info))
	case mode&0o020 != 0 && group(info) != 0:
		return unsafef(path, "can be written by group %d (%s): chmod g-w", group(info), describe(info))
	}
	return nil
}

func (a *account) owns(info fs.FileInfo) bool { return owner(info) == 0 || owner(info) == a.uid }

// may reports whether the mode gives the account the right. Access lists are not looked
// at: where they say otherwise, the run itself says so.
func (a *account) may(info fs.FileInfo, right fs.FileMode) bool {
	mode := info.Mode().Perm()
	switch {
	case a.uid == 0 && right == mayExec && !info.IsDir():
		return mode&0o111 != 0
	case a.uid == 0:
		return true
	case owner(info) == a.uid:
		return mode>>6&right != 0
	case slices.Contains(a.groups, group(info)):
		return mode>>3&right != 0
	}
	return mode&right != 0
}

func owner(info fs.FileInfo) uint32 { return info.Sys().(*syscall.Stat_t).Uid }
func group(info fs.FileInfo) uint32 { return info.Sys().(*syscall.Stat_t).Gid }

func describe(info fs.FileInfo) string {
	return fmt.Sprintf("mode %04o, uid %d, gid %d", info.Mode().Perm(), owner(info), group(info))
}

// reason is an error without the operation and path that the caller names itself.
func reason(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}
