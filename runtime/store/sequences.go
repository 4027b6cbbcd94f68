package store

import (
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Sequences are the numbers of signatures that each router has reserved, in pages that
// outlive the process: the loop stores one without a system call, before the advert that
// it is for, and the process that comes after a crash goes on behind it. They do not
// outlive the machine, whose clock has gone on by more than any reserve when it is up again.
type Sequences struct {
	pages []byte
	slots []slot

	mu    sync.RWMutex
	taken map[string]*slot
	busy  map[*slot]bool // those in taken
}

// slot is one router's: a digest of its key, 0 where nobody has it, and the number.
type slot struct {
	of atomic.Uint64
	at atomic.Uint64
}

const (
	slotsMax  = 4096
	slotsSize = slotsMax * int(unsafe.Sizeof(slot{}))
)

// OpenSequences maps the pages.
func (r *Run) OpenSequences() (*Sequences, error) {
	path := filepath.Join(r.dir, "sequences")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("run directory: %w", err)
	}
	defer f.Close()
	if err := f.Truncate(int64(slotsSize)); err != nil {
		return nil, fmt.Errorf("run directory: %w", err)
	}
	pages, err := unix.Mmap(int(f.Fd()), 0, slotsSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", path, err)
	}
	// A page is aligned, and atomic.Uint64 has no other requirement.
	slots := unsafe.Slice((*slot)(unsafe.Pointer(&pages[0])), slotsMax)
	return &Sequences{pages: pages, slots: slots, taken: map[string]*slot{}, busy: map[*slot]bool{}}, nil
}

// Last is what a router has stored last, this process's or one's before; 0 if nothing. It
// gives the router a slot: where none is free, that of the router that was longest silent.
func (s *Sequences) Last(of string) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.taken[of]; known != nil {
		return known.at.Load(), nil
	}
	digest := digestOf(of)
	var free *slot
	for i := range s.slots {
		c := &s.slots[i]
		switch {
		case c.of.Load() == digest:
			s.taken[of], s.busy[c] = c, true
			return c.at.Load(), nil
		case s.busy[c]:
		case free == nil || c.at.Load() < free.at.Load():
			free = c
		}
	}
	if free == nil {
		return 0, errors.New("more routers sign than there is room for")
	}
	free.at.Store(0)
	free.of.Store(digest)
	s.taken[of], s.busy[free] = free, true
	return 0, nil
}

// Store a number of a router that Last was asked for.
func (s *Sequences) Store(of string, number uint64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if c := s.taken[of]; c != nil {
		c.at.Store(number)
	}
}

// Close unmaps the pages; what was stored stays in the file.
func (s *Sequences) Close() error { return unix.Munmap(s.pages) }

func digestOf(of string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(of))
	return max(h.Sum64(), 1)
}
