package smtpsink

import (
	"context"
	"net"
	"slices"
	"sync"
)

// Sink is a running server.
type Sink struct {
	opt    Options
	listen net.Listener
	wg     sync.WaitGroup
	closed chan struct{}

	mu       sync.Mutex // guards what connections and the owner share
	how      Behaviour
	messages []Message
	arrived  chan struct{} // closed and made anew with each message
	conns    map[net.Conn]struct{}
	accepted int
}

// Serve answers on the listener, which it owns from now on, until Close.
func Serve(listen net.Listener, opt Options) *Sink {
	s := &Sink{
		opt: opt, listen: listen, how: opt.Behaviour,
		closed: make(chan struct{}), arrived: make(chan struct{}), conns: map[net.Conn]struct{}{},
	}
	s.wg.Add(1)
	go func() { // ends when Close closes the listener
		defer s.wg.Done()
		s.accept()
	}()
	return s
}

func (s *Sink) accept() {
	for {
		conn, err := s.listen.Accept()
		if err != nil {
			return
		}
		if !s.enter(conn) {
			conn.Close()
			return
		}
		go func() { // ends with its connection, which Close closes
			defer s.wg.Done()
			defer s.leave(conn)
			newSession(s, conn).run()
		}()
	}
}

func (s *Sink) enter(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.closed:
		return false
	default:
	}
	s.wg.Add(1)
	s.accepted++
	s.conns[conn] = struct{}{}
	return true
}

func (s *Sink) leave(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, conn)
	conn.Close()
}

// Addr it listens on.
func (s *Sink) Addr() net.Addr { return s.listen.Addr() }

// Behave so from the next answer on.
func (s *Sink) Behave(b Behaviour) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.how = b
}

func (s *Sink) behaviour() Behaviour {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.how
}

// Accepted is how many connections have come.
func (s *Sink) Accepted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted
}

// Messages taken so far, oldest first.
func (s *Sink) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.messages)
}

// Wait for at least n messages, and return all.
func (s *Sink) Wait(ctx context.Context, n int) ([]Message, error) {
	for {
		s.mu.Lock()
		have, arrived := slices.Clone(s.messages), s.arrived
		s.mu.Unlock()
		if len(have) >= n {
			return have, nil
		}
		select {
		case <-arrived:
		case <-ctx.Done():
			return have, ctx.Err()
		}
	}
}

func (s *Sink) keep(m Message) {
	if s.opt.OnMessage != nil {
		s.opt.OnMessage(m)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.messages) == messagesMax {
		s.messages = slices.Delete(s.messages, 0, 1)
	}
	s.messages = append(s.messages, m)
	close(s.arrived)
	s.arrived = make(chan struct{})
}

// Close breaks every connection off and waits for their goroutines.
func (s *Sink) Close() {
	s.mu.Lock()
	select {
	case <-s.closed:
	default:
		close(s.closed)
	}
	for conn := range s.conns {
		conn.Close()
	}
	s.mu.Unlock()
	s.listen.Close()
	s.wg.Wait()
}
