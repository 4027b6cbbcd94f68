package program

import (
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"
)

// account is who runs a program.
type account struct {
	name     string
	home     string
	uid, gid uint32
	groups   []uint32 // all of them, the primary one too
}

// accountOf resolves the user that a plan names.
func accountOf(name string) (*account, error) {
	if name != "" {
		return lookup(name)
	}
	a, err := lookup(DefaultAccount)
	if err == nil {
		return a, nil
	}
	a, err = lookup(FallbackAccount)
	if err != nil {
		return nil, fmt.Errorf("neither account %q nor %q exists: create one of them, or write user", DefaultAccount, FallbackAccount)
	}
	return a, nil
}

func lookup(name string) (*account, error) {
	u, err := user.Lookup(name)
	if _, number := strconv.ParseUint(name, 10, 32); err != nil && number == nil {
		u, err = user.LookupId(name)
	}
	if err != nil {
		return nil, fmt.Errorf("account %q: %w", name, err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("account %q: uid %q: %w", name, u.Uid, err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("account %q: gid %q: %w", name, u.Gid, err)
	}
	a := &account{name: u.Username, home: u.HomeDir, uid: uint32(uid), gid: uint32(gid), groups: []uint32{uint32(gid)}}
	ids, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("groups of account %q: %w", name, err)
	}
	for _, id := range ids {
		g, err := strconv.ParseUint(id, 10, 32)
		if err == nil && !slices.Contains(a.groups, uint32(g)) {
			a.groups = append(a.groups, uint32(g))
		}
	}
	return a, nil
}

// reachable reports whether this process can run programs as the account at all.
func (a *account) reachable() error {
	if euid := os.Geteuid(); euid != 0 && uint32(euid) != a.uid {
		return fmt.Errorf("account %q: only root can run programs as another user, and the daemon runs as uid %d", a.name, euid)
	}
	return nil
}

// environ is all that a program sees of its surroundings.
func (a *account) environ(extra map[string]string) []string {
	env := map[string]string{
		"PATH": Path, "HOME": a.home, "USER": a.name, "LOGNAME": a.name, "SHELL": "/bin/sh",
	}
	for k, v := range extra {
		env[k] = v
	}
	list := make([]string, 0, len(env))
	for k, v := range env {
		list = append(list, k+"="+v)
	}
	slices.Sort(list)
	return list
}
