package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Program is a file that a plan wants to run.
type Program struct {
	Path  string
	Found bool
	Owner string // a name, else "uid 1005"
	Mode  fs.FileMode
	// Refused is why the daemon would not run it: missing, or somebody could put another
	// in its place. Nil if it would, and where that cannot be told.
	Refused error
}

// String is what `plan` says of it: "found, root-owned, 0755", "missing", "found, owned
// by anna, 0777: refused". Why is in Refused, which is too long for a table.
func (p Program) String() string {
	switch {
	case !p.Found && !errors.Is(p.Refused, fs.ErrNotExist):
		return "cannot be looked at"
	case !p.Found:
		return "missing"
	case p.Mode.IsDir():
		return "a directory"
	}
	who := "root-owned"
	if p.Owner != "root" {
		who = "owned by " + p.Owner
	}
	s := fmt.Sprintf("found, %s, %04o", who, p.Mode.Perm())
	if p.Refused != nil {
		s += ": refused"
	}
	return s
}

// LookAt is what this machine knows of a program that runs as user; empty: as the
// account of [ScriptAccount].
func LookAt(path, user string) Program {
	p := Program{Path: path}
	info, err := os.Stat(path)
	if err != nil {
		p.Refused = err
		return p
	}
	p.Found, p.Mode, p.Owner = true, info.Mode(), owner(info)
	p.Refused = refused(path, user)
	return p
}
