//go:build !linux

package host

import (
	"errors"
	"io/fs"
)

func owner(fs.FileInfo) string { return "an account of this system, which is no Linux" }

func refused(string, string) error { return nil }

// ScriptAccount is who runs scripts that name no user.
func ScriptAccount() (string, error) {
	return "", errors.New("scripts run on Linux only")
}
