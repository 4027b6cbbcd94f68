package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// disk is how the store changes files. There are two: the real one, and the one of the
// tests, which stops at every byte.
type disk interface {
	// write makes a new file with these bytes and syncs it.
	write(path string, data []byte) error
	rename(from, to string) error
	remove(path string) error
	// sync makes the names of a directory durable.
	sync(dir string) error
}

// tempPrefix marks files that a kill left half written; a start removes them.
const tempPrefix = ".new-"

// replace makes path hold data, or leaves it as it was.
func replace(d disk, path string, data []byte) error {
	dir, name := filepath.Split(path)
	temp := filepath.Join(dir, tempPrefix+name)
	if err := d.write(temp, data); err != nil {
		_ = d.remove(temp)
		return err
	}
	if err := d.rename(temp, path); err != nil {
		_ = d.remove(temp)
		return err
	}
	return d.sync(filepath.Dir(path))
}

type realDisk struct{}

func (realDisk) write(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

func (realDisk) rename(from, to string) error { return os.Rename(from, to) }
func (realDisk) remove(path string) error     { return os.Remove(path) }

func (realDisk) sync(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// read is the whole file, never through a link that somebody put in its place.
func read(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, recordMax+1))
	if err == nil && len(raw) > recordMax {
		err = fmt.Errorf("%w: larger than %d bytes", errDamaged, recordMax)
	}
	return raw, err
}

// privateDir makes a directory that only this user can enter. One that belongs to
// somebody else is refused: its owner could exchange the plan, and with it what root does.
func privateDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return fmt.Errorf("stat %s: %w", dir, err)
	}
	if int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to uid %d, hafile runs as uid %d: chown it", dir, st.Uid, os.Geteuid())
	}
	if st.Mode&0o077 == 0 {
		return nil
	}
	return os.Chmod(dir, 0o700)
}

// sweep removes what a kill left half written.
func sweep(d disk, dir string) error {
	names, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, n := range names {
		if strings.HasPrefix(n.Name(), tempPrefix) {
			if err := d.remove(filepath.Join(dir, n.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}
