package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// Bounds of the server. A plan of a thousand instances is 2 MB.
const (
	bodyMax    = 16 << 20
	headerWait = 5 * time.Second
	bodyWait   = 10 * time.Second
	leftWait   = time.Second     // for what is left of a body that nobody has read
	lineWait   = 5 * time.Second // to write one line to a reader that does not read
)

// Backend is the daemon as the server sees it. Its methods are called from many
// goroutines.
type Backend interface {
	Status() *Status
	// Plan is the running plan; its Plan is nil where nothing is configured.
	Plan() *RunningPlan
	// Apply carries out a plan. A refusal is returned before anything is emitted; after
	// the first event the last one is a result. The context ends when the client goes
	// away, which stops nothing that has been committed.
	Apply(ctx context.Context, a Apply, emit func(Event)) *Problem
	// Retire, Rollback, Drain and Undrain answer as Apply does.
	Retire(ctx context.Context, r RetireRequest, emit func(Event)) *Problem
	Rollback(ctx context.Context, r RollbackRequest, emit func(Event)) *Problem
	Drain(ctx context.Context, r DrainRequest, emit func(Event)) *Problem
	Undrain(ctx context.Context, r UndrainRequest, emit func(Event)) *Problem
	// Confirm keeps the plan that waits for it.
	Confirm(ctx context.Context) (*Result, *Problem)
	History() (*History, *Problem)
}

// Apply is a request for Backend.Apply.
type Apply struct {
	ApplyRequest
	Base   string // If-Match: the digest the plan was made against, or planfile.NoBase
	DryRun bool
}

// Server answers on the control socket.
type Server struct {
	backend Backend
	hub     *Hub
	http    http.Server
	stop    context.CancelFunc
}

type writerKey struct{}

// NewServer serves what the backend knows and what is published on the hub.
func NewServer(b Backend, hub *Hub) *Server {
	ctx, stop := context.WithCancel(context.Background())
	s := &Server{backend: b, hub: hub, stop: stop}
	s.http = http.Server{
		Handler:           s.routes(),
		ReadHeaderTimeout: headerWait,
		IdleTimeout:       idleWait,
		MaxHeaderBytes:    16 << 10,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			known, ok := c.(*conn)
			return context.WithValue(ctx, writerKey{}, ok && known.writer)
		},
	}
	return s
}

// Serve answers until Close. The listener is one of [Listen]: connections from elsewhere
// may only read.
func (s *Server) Serve(l net.Listener) error {
	err := s.http.Serve(l)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Close ends the event streams, gives requests under way a second, and removes the socket.
func (s *Server) Close() {
	s.stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		s.http.Close()
	}
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", s.getStatus)
	mux.HandleFunc("GET /v1/plan", s.getPlan)
	mux.HandleFunc("POST /v1/plan", s.postPlan)
	mux.HandleFunc("POST /v1/confirm", s.postConfirm)
	mux.HandleFunc("POST /v1/rollback", posts(s.backend.Rollback))
	mux.HandleFunc("POST /v1/retire", posts(s.backend.Retire))
	mux.HandleFunc("POST /v1/drain", posts(s.backend.Drain))
	mux.HandleFunc("POST /v1/handover", posts(s.backend.Drain))
	mux.HandleFunc("POST /v1/undrain", posts(s.backend.Undrain))
	mux.HandleFunc("GET /v1/history", s.getHistory)
	mux.HandleFunc("GET /v1/events", s.getEvents)
	mux.HandleFunc("GET /metrics", s.getMetrics)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeProblem(w, http.StatusNotFound, &Problem{
			Exit: 1, Code: CodeNoSuchThing, Summary: "no such request",
			Detail: fmt.Sprintf("This daemon does not know %s %.100q. Use a hafile of its release, or upgrade the daemon.", r.Method, r.URL.Path),
		})
	})
	return bounded(mux)
}

// bounded: before it sends an answer net/http reads what is left of a body, and a client
// that has announced one and sends nothing would hold its connection for ever. Whoever
// reads a body sets a deadline of its own.
func bounded(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(leftWait))
		}
		h.ServeHTTP(w, r)
	})
}

func (s *Server) getStatus(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, s.backend.Status())
}

// getPlan shows inline secrets only to those who could read them in the state directory.
func (s *Server) getPlan(w http.ResponseWriter, r *http.Request) {
	running := s.backend.Plan()
	if !isWriter(r) {
		running = redacted(running)
	}
	w.Header().Set("ETag", `"`+running.Status.Digest+`"`)
	writeJSON(w, http.StatusOK, running)
}

func redacted(r *RunningPlan) *RunningPlan {
	if r.Plan == nil {
		return r
	}
	c := *r
	c.Plan = r.Plan.Redacted()
	return &c
}

func isWriter(r *http.Request) bool {
	w, _ := r.Context().Value(writerKey{}).(bool)
	return w
}

// permitted answers those who may not.
func permitted(w http.ResponseWriter, r *http.Request) bool {
	if isWriter(r) {
		return true
	}
	writeProblem(w, http.StatusForbidden, &Problem{
		Exit: 1, Code: CodeNotPermitted, Summary: "not permitted",
		Detail: "Only root may change what the daemon runs; the socket's group may look. Run the command as root.",
	})
	return false
}

func (s *Server) postPlan(w http.ResponseWriter, r *http.Request) {
	if !permitted(w, r) {
		return
	}
	a, status, p := readApply(w, r)
	if p != nil {
		writeProblem(w, status, p)
		return
	}
	inLines(w, func(emit func(Event)) *Problem { return s.backend.Apply(r.Context(), a, emit) })
}

func (s *Server) postConfirm(w http.ResponseWriter, r *http.Request) {
	if !permitted(w, r) {
		return
	}
	result, p := s.backend.Confirm(r.Context())
	if p != nil {
		writeProblem(w, statusOf(p), p)
		return
	}
	writeJSON(w, http.StatusOK, result)
}

func (s *Server) getHistory(w http.ResponseWriter, _ *http.Request) {
	h, p := s.backend.History()
	if p != nil {
		writeProblem(w, statusOf(p), p)
		return
	}
	writeJSON(w, http.StatusOK, h)
}

// smallMax is the largest of the other requests.
const smallMax = 64 << 10

// posts reads a request of one kind and answers in lines.
func posts[R any](do func(context.Context, R, func(Event)) *Problem) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !permitted(w, r) {
			return
		}
		rc := http.NewResponseController(w)
		_ = rc.SetReadDeadline(time.Now().Add(bodyWait))
		var req R
		dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, smallMax))
		err := dec.Decode(&req)
		if err == nil {
			if _, err = dec.Token(); err == nil {
				err = errors.New("something follows the request")
			}
		}
		_ = rc.SetReadDeadline(time.Time{})
		if !errors.Is(err, io.EOF) { // also at once: nothing is a request without options
			writeProblem(w, http.StatusBadRequest, badRequest("The body cannot be read: "+err.Error()+". Use this release's hafile."))
			return
		}
		inLines(w, func(emit func(Event)) *Problem { return do(r.Context(), req, emit) })
	}
}

// inLines answers with what is emitted, or with the refusal if nothing was.
func inLines(w http.ResponseWriter, do func(emit func(Event)) *Problem) {
	lines := &lineWriter{w: w, rc: http.NewResponseController(w)}
	p := do(lines.emit)
	switch {
	case p == nil:
	case lines.begun:
		lines.emit(Event{Type: "result", Time: time.Now(), Result: &Result{Exit: p.Exit, Message: p.Error()}})
	default:
		writeProblem(w, statusOf(p), p)
	}
}

// readApply reads the request. Half a body is waited for no longer than bodyWait.
func readApply(w http.ResponseWriter, r *http.Request) (Apply, int, *Problem) {
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Now().Add(bodyWait))
	a, err := decodeApply(http.MaxBytesReader(w, r.Body, bodyMax))
	_ = rc.SetReadDeadline(time.Time{})
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return a, http.StatusRequestEntityTooLarge, &Problem{
			Exit: 1, Code: CodeTooLarge, Summary: "the plan is too large",
			Detail: fmt.Sprintf("The daemon reads requests up to %d MiB. Take the plan's diagnostics or instances apart.", bodyMax>>20),
		}
	case err != nil:
		return a, http.StatusBadRequest, badRequest("The body is not an apply request: " + err.Error() + ". Make the plan with this release's hafile.")
	}
	a.Base = strings.Trim(r.Header.Get("If-Match"), `"`)
	if a.Base == "" {
		return a, http.StatusBadRequest, badRequest(`If-Match is missing: send the digest of the running plan, or "none" if there is none.`)
	}
	switch v := r.URL.Query().Get("dry_run"); v {
	case "", "0", "1":
		a.DryRun = v == "1"
	default:
		return a, http.StatusBadRequest, badRequest("dry_run is 0 or 1.")
	}
	return a, 0, nil
}

func badRequest(detail string) *Problem {
	return &Problem{Exit: 1, Code: CodeMalformed, Summary: "malformed request", Detail: detail}
}

// decodeApply reads one JSON value and nothing behind it.
func decodeApply(body io.Reader) (Apply, error) {
	var a Apply
	dec := json.NewDecoder(body)
	if err := dec.Decode(&a.ApplyRequest); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("it ends early")
		}
		return a, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return a, errors.New("something follows the request")
	}
	switch {
	case (a.Signature == "") != (len(a.Signed) == 0):
		return a, errors.New("what is signed and its signature come together")
	case a.Plan == nil && a.Signature == "":
		return a, errors.New("it has no plan")
	case a.WaitMs < 0 || a.WaitMs > int64(time.Hour/time.Millisecond):
		return a, fmt.Errorf("wait_ms must be 0..3600000, got %d", a.WaitMs)
	case a.ConfirmMs < 0 || a.ConfirmMs > int64(24*time.Hour/time.Millisecond):
		return a, fmt.Errorf("confirm_ms must be 0..86400000, got %d", a.ConfirmMs)
	case a.MaxImpact != "" && a.MaxImpact.Rank() < 0:
		return a, fmt.Errorf("%q is no class of impact", a.MaxImpact)
	}
	return a, nil
}

// statusOf is the row of the table in docs/exit-codes.md.
func statusOf(p *Problem) int {
	switch p.Exit {
	case 1:
		return http.StatusBadRequest
	case 4:
		return http.StatusForbidden
	case 5:
		return http.StatusPreconditionFailed
	case 6:
		return http.StatusMisdirectedRequest
	}
	return http.StatusInternalServerError
}

// getEvents subscribes before it takes the snapshot: an event in between is told twice
// rather than not at all.
func (s *Server) getEvents(w http.ResponseWriter, r *http.Request) {
	events, stop := s.hub.Subscribe()
	defer stop()
	lines := &lineWriter{w: w, rc: http.NewResponseController(w)}
	lines.emit(Event{Type: "snapshot", Time: time.Now(), Status: s.backend.Status()})
	for lines.err == nil {
		select {
		case <-r.Context().Done():
			return
		case ev, ok := <-events:
			if !ok {
				panic(http.ErrAbortHandler) // a cut stream is not mistaken for its end
			}
			lines.emit(ev)
		}
	}
}

// lineWriter writes JSON lines, each at once. After an error it writes no more, and the
// caller goes on: what it does is worth more than the report of it.
type lineWriter struct {
	w     http.ResponseWriter
	rc    *http.ResponseController
	begun bool
	err   error
}

func (l *lineWriter) emit(ev Event) {
	if l.err != nil {
		return
	}
	if !l.begun {
		l.begun = true
		l.w.Header().Set("Content-Type", "application/jsonl")
	}
	_ = l.rc.SetWriteDeadline(time.Now().Add(lineWait))
	raw, err := json.Marshal(ev)
	if err == nil {
		_, err = l.w.Write(append(raw, '\n'))
	}
	if err == nil {
		err = l.rc.Flush()
	}
	_ = l.rc.SetWriteDeadline(time.Time{})
	l.err = err
}

func writeProblem(w http.ResponseWriter, status int, p *Problem) { writeJSON(w, status, p) }

func writeJSON(w http.ResponseWriter, status int, v any) {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("control: an answer that cannot be written: %v", err))
	}
	rc := http.NewResponseController(w)
	_ = rc.SetWriteDeadline(time.Now().Add(lineWait))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(raw, '\n'))
	_ = rc.Flush()
	_ = rc.SetWriteDeadline(time.Time{})
}
