package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// systemdUnits is where systemd looks for what counts until the next boot; it is there
// only while systemd runs.
const systemdUnits = "/run/systemd/system"

// service is the unit that keepalived runs in. Where there is none, nothing is done.
type service struct {
	unit string
	dir  string // systemdUnits
}

// holdService keeps systemd from starting the unit again when its process is killed.
func holdService(ctx context.Context, dir, unit string) (service, error) {
	if _, err := os.Stat(dir); err != nil || unit == "" {
		return service{}, nil
	}
	s := service{unit, dir}
	if err := os.MkdirAll(filepath.Dir(s.dropIn()), 0o755); err != nil {
		return s, err
	}
	if err := os.WriteFile(s.dropIn(), []byte("[Service]\nRestart=no\n"), 0o644); err != nil {
		return s, err
	}
	if err := systemctl(ctx, "daemon-reload"); err != nil {
		return s, errors.Join(err, s.giveBack(ctx))
	}
	return s, nil
}

func (s service) dropIn() string {
	return filepath.Join(s.dir, s.unit+".d", "90-hafile-takeover.conf")
}

// giveBack leaves the unit as it was.
func (s service) giveBack(ctx context.Context) error {
	if s.unit == "" {
		return nil
	}
	if err := os.Remove(s.dropIn()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	_ = os.Remove(filepath.Dir(s.dropIn())) // unless others have something in it
	return systemctl(ctx, "daemon-reload")
}

// retire keeps the unit from starting at the next boot. Its process is gone: stop ends
// what of it is left, and a restart that was planned.
func (s service) retire(ctx context.Context) error {
	if s.unit == "" {
		return nil
	}
	return errors.Join(systemctl(ctx, "stop", s.unit), systemctl(ctx, "disable", s.unit), s.giveBack(ctx))
}

func systemctl(ctx context.Context, args ...string) error {
	out, err := exec.CommandContext(ctx, "systemctl", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("systemctl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
