package store

import (
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Stamp is one number in a page that outlives the process: the instant of the last
// advert, on the monotonic clock. The loop stores it without a system call; the process
// that comes after a crash reads it.
type Stamp struct {
	page []byte
	last int64
}

// OpenStamp maps the page. Between two boots the number means nothing: pass foreign when
// the record beside it is of another boot, and it begins at 0.
func (r *Run) OpenStamp(foreign bool) (*Stamp, error) {
	path := filepath.Join(r.dir, "stamp")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("run directory: %w", err)
	}
	defer f.Close()
	if err := f.Truncate(int64(os.Getpagesize())); err != nil {
		return nil, fmt.Errorf("run directory: %w", err)
	}
	page, err := unix.Mmap(int(f.Fd()), 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", path, err)
	}
	s := &Stamp{page: page}
	if foreign {
		s.Cell().Store(0)
	}
	s.last = s.Cell().Load()
	return s, nil
}

// Cell is the number. It must not be used after Close.
func (s *Stamp) Cell() *atomic.Int64 {
	// A page is aligned, and atomic.Int64 has no other requirement.
	return (*atomic.Int64)(unsafe.Pointer(&s.page[0]))
}

// Last is what the process before this one stored; 0 if there was none.
func (s *Stamp) Last() int64 { return s.last }

// Close unmaps the page; what was stored stays in the file.
func (s *Stamp) Close() error { return unix.Munmap(s.page) }
