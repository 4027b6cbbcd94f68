package runtime

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"hafile/lang/plan"
	"hafile/runtime/control"
	"hafile/runtime/engine"
	"hafile/runtime/kernel"
	"hafile/runtime/rawsock"
	"hafile/runtime/vrrp/wire"
)

// sockets keeps one pair of sockets for each interface that has a router, and in the
// kernel's filter the ids of those routers. The mutex is there because an apply opens
// what its plan needs while the watcher of links replaces what an interface lost.
type sockets struct {
	engine *engine.Engine

	mu   sync.Mutex
	open map[string]*pair
}

type pair struct {
	*rawsock.Pair
	index int // of the interface when it was opened
	ids   map[uint8]bool
}

// idsOf are the virtual router ids of a plan by interface.
func idsOf(p *plan.Plan) map[string][]uint8 {
	out := map[string][]uint8{}
	for i := range p.Desired.Instances {
		in := &p.Desired.Instances[i]
		out[in.Interface] = append(out[in.Interface], in.VRID)
	}
	return out
}

// ensure makes adverts with these ids arrive from the interface, beside those that do
// already. It reports whether it has opened sockets.
func (s *sockets) ensure(l kernel.Link, ids []uint8) (opened bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.open[l.Name]
	if p == nil || p.index != l.Index {
		return true, s.replace(l, p, ids)
	}
	missing := slices.DeleteFunc(slices.Clone(ids), func(id uint8) bool { return p.ids[id] })
	if len(missing) == 0 {
		return false, nil
	}
	for _, id := range missing {
		p.ids[id] = true
	}
	return false, p.SetVRIDs(slices.Sorted(maps.Keys(p.ids)))
}

// replace opens a pair on an interface that has none, or that has come back as another.
func (s *sockets) replace(l kernel.Link, before *pair, ids []uint8) error {
	next := &pair{index: l.Index, ids: map[uint8]bool{}}
	for _, id := range ids {
		next.ids[id] = true
	}
	if before != nil {
		maps.Copy(next.ids, before.ids)
	}
	var err error
	next.Pair, err = rawsock.Open(rawsock.Config{Interface: l.Name, Index: l.Index, VRIDs: slices.Sorted(maps.Keys(next.ids))})
	if err != nil {
		return err
	}
	old, err := s.engine.AddSocket(l.Name, plan.IPv4, next.Pair)
	if closer, ok := old.(*rawsock.Pair); ok {
		_ = closer.Close()
	}
	if err != nil {
		_ = next.Close()
		delete(s.open, l.Name)
		return fmt.Errorf("sockets on %s: %w", l.Name, err)
	}
	s.open[l.Name] = next
	return nil
}

// trim closes what no router needs any more and narrows the filters to those that do.
func (s *sockets) trim(needed map[string][]uint8) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, p := range s.open {
		ids := needed[name]
		if len(ids) == 0 {
			s.engine.RemoveSocket(name, plan.IPv4)
			_ = p.Close()
			delete(s.open, name)
			continue
		}
		set := map[uint8]bool{}
		for _, id := range ids {
			set[id] = true
		}
		if !maps.Equal(set, p.ids) && p.SetVRIDs(slices.Sorted(maps.Keys(set))) == nil {
			p.ids = set
		}
	}
}

// close lets go of all.
func (s *sockets) close() { s.trim(nil) }

func (s *sockets) status() []control.Socket {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []control.Socket
	for _, name := range slices.Sorted(maps.Keys(s.open)) {
		c := s.open[name].Counters()
		sock := control.Socket{Interface: name, Family: plan.IPv4, Received: c.Received, Dropped: map[string]uint64{}, Sent: c.Sent, SendErrors: c.SendErrors}
		if c.LastSendError != nil {
			sock.LastSendError = c.LastSendError.Error()
		}
		for reason, n := range c.Dropped {
			if n > 0 {
				sock.Dropped[wire.Reason(reason).String()] = n
			}
		}
		out = append(out, sock)
	}
	return out
}
