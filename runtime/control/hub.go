package control

import "sync"

// queueLen is how many events a reader may be behind before it is dropped.
const queueLen = 256

// Hub gives every event to every reader and waits for none of them. Its mutex guards
// the set of readers: they come and go on goroutines of the server, events come from
// the daemon.
type Hub struct {
	mu      sync.Mutex
	readers map[chan Event]bool
}

// NewHub has no readers yet.
func NewHub() *Hub { return &Hub{readers: map[chan Event]bool{}} }

// Publish never blocks: a reader that is queueLen events behind is dropped, and sees its
// channel closed.
func (h *Hub) Publish(ev Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.readers {
		select {
		case c <- ev:
		default:
			h.drop(c)
		}
	}
}

// Subscribe hands out the events from now on, and how to stop.
func (h *Hub) Subscribe() (events <-chan Event, stop func()) {
	c := make(chan Event, queueLen)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.readers[c] = true
	return c, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.drop(c)
	}
}

func (h *Hub) drop(c chan Event) {
	if h.readers[c] {
		delete(h.readers, c)
		close(c)
	}
}
