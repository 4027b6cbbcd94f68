package host

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"
	"time"

	"hafile/runtime/program"
)

func owner(info fs.FileInfo) string {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "nobody knows whom"
	}
	uid := strconv.FormatUint(uint64(st.Uid), 10)
	if uid == "0" {
		return "root"
	}
	if u, err := user.LookupId(uid); err == nil {
		return u.Username
	}
	return "uid " + uid
}

// refused asks as root what the daemon, which is root, would answer. Others cannot see
// what root sees; the daemon's own answer is part of `apply`.
func refused(path, account string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	return program.Verify(program.Spec{Command: []string{path}, User: account, Timeout: time.Second})
}

// ScriptAccount is who runs scripts that name no user.
func ScriptAccount() (string, error) {
	for _, name := range []string{program.DefaultAccount, program.FallbackAccount} {
		if _, err := user.Lookup(name); err == nil {
			return name, nil
		}
	}
	return "", fmt.Errorf("neither account %q nor %q exists: create one of them, or write user", program.DefaultAccount, program.FallbackAccount)
}
