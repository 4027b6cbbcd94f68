package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"hafile/lang/plan"
)

// DefaultSocket is where a daemon listens unless told otherwise.
const DefaultSocket = "/run/hafile/hafile.sock"

// Unreachable says that no daemon answers; the command's exit code is 6.
type Unreachable struct {
	Socket string
	Err    error
}

func (u *Unreachable) Unwrap() error { return u.Err }

// Error ends in the next step.
func (u *Unreachable) Error() string {
	switch {
	case errors.Is(u.Err, fs.ErrPermission):
		return fmt.Sprintf("not permitted to open %s: run the command as root, or join the socket's group to look", u.Socket)
	case errors.Is(u.Err, fs.ErrNotExist), errors.Is(u.Err, syscall.ECONNREFUSED):
		return fmt.Sprintf("no hafile daemon answers at %s: start it (systemctl start hafile, or hafile run), or name its socket with -socket", u.Socket)
	}
	return fmt.Sprintf("the hafile daemon at %s does not answer (%v): see systemctl status hafile", u.Socket, u.Err)
}

// Client asks one daemon. A refusal comes back as a *[Problem], a daemon that is not
// there as an *[Unreachable].
type Client struct {
	socket string
	http   http.Client
}

// idleWait is how long either end keeps a connection that nobody uses.
const idleWait = time.Minute

// NewClient opens nothing yet.
func NewClient(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}
	return &Client{socket: socket, http: http.Client{Transport: &http.Transport{
		DialContext: dial, DisableCompression: true, ResponseHeaderTimeout: 2 * time.Minute, IdleConnTimeout: idleWait,
	}}}
}

// Close gives idle connections back.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Status of the daemon.
func (c *Client) Status(ctx context.Context) (*Status, error) {
	var s Status
	if err := c.get(ctx, "/v1/status", &s); err != nil {
		return nil, err
	}
	return &s, FormatKnown(s.FormatVersion)
}

// Plan that runs; its Plan is nil on a daemon that has none.
func (c *Client) Plan(ctx context.Context) (*RunningPlan, error) {
	var r RunningPlan
	if err := c.get(ctx, "/v1/plan", &r); err != nil {
		return nil, err
	}
	return &r, FormatKnown(r.FormatVersion)
}

// Apply sends a plan that was made against the running plan with digest base
// (planfile.NoBase: none). Each line of the answer is given to each as it comes, the
// result among them. Once it has begun, it goes on without this client.
func (c *Client) Apply(ctx context.Context, req ApplyRequest, base string, dryRun bool, each func(Event)) (*Result, error) {
	body, err := json.Marshal(req)
	if err != nil {
		return nil, err
	}
	path := "/v1/plan"
	if dryRun {
		path += "?dry_run=1"
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://hafile"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("If-Match", `"`+base+`"`)
	return c.result(r, each)
}

// Retire leaves out the identities that instances had before an edit. The rest is as
// with Apply.
func (c *Client) Retire(ctx context.Context, req RetireRequest, each func(Event)) (*Result, error) {
	return c.post(ctx, "/v1/retire", req, each)
}

// Rollback returns to a plan of the history. The rest is as with Apply.
func (c *Client) Rollback(ctx context.Context, req RollbackRequest, each func(Event)) (*Result, error) {
	return c.post(ctx, "/v1/rollback", req, each)
}

// Drain gives the node's addresses away; with To it is a handover. The rest is as with
// Apply.
func (c *Client) Drain(ctx context.Context, req DrainRequest, each func(Event)) (*Result, error) {
	if req.To != "" {
		return c.post(ctx, "/v1/handover", req, each)
	}
	return c.post(ctx, "/v1/drain", req, each)
}

// Undrain takes a drain back. The rest is as with Apply.
func (c *Client) Undrain(ctx context.Context, req UndrainRequest, each func(Event)) (*Result, error) {
	return c.post(ctx, "/v1/undrain", req, each)
}

func (c *Client) post(ctx context.Context, path string, req any, each func(Event)) (*Result, error) {
	body, err := json.Marshal(req)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://hafile"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	return c.result(r, each)
}

// Confirm keeps the plan that waits for it.
func (c *Client) Confirm(ctx context.Context) (*Result, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://hafile/v1/confirm", nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var result Result
	if err := json.NewDecoder(resp.Body).Decode(&result); err != nil {
		return nil, &Unreachable{c.socket, err}
	}
	return &result, nil
}

// History of plans, the newest first.
func (c *Client) History(ctx context.Context) (*History, error) {
	var h History
	if err := c.get(ctx, "/v1/history", &h); err != nil {
		return nil, err
	}
	return &h, nil
}

// result gives each line to each; the last one is the result.
func (c *Client) result(r *http.Request, each func(Event)) (*Result, error) {
	var result *Result
	err := c.lines(r, func(ev Event) error {
		if ev.Type == "result" {
			result = ev.Result
		}
		each(ev)
		return nil
	})
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return nil, fmt.Errorf("%w; when it runs again, hafile status says which plan it has", err)
	case err != nil:
		return nil, err
	case result == nil:
		return nil, errors.New("the daemon's answer ends without a result: look at hafile status before you try again")
	}
	return result, nil
}

// Events gives every event to each, a snapshot first, until the daemon stops (nil), the
// context ends, or each returns an error.
func (c *Client) Events(ctx context.Context, each func(Event) error) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://hafile/v1/events", nil)
	if err != nil {
		return err
	}
	return c.lines(r, each)
}

// getWait is how long a daemon may take to answer what costs it nothing.
const getWait = 10 * time.Second

func (c *Client) get(ctx context.Context, path string, v any) error {
	bounded, cancel := context.WithTimeout(ctx, getWait)
	defer cancel()
	r, err := http.NewRequestWithContext(bounded, http.MethodGet, "http://hafile"+path, nil)
	if err != nil {
		return err
	}
	resp, err := c.do(r)
	if err == nil {
		defer resp.Body.Close()
		err = json.NewDecoder(resp.Body).Decode(v)
	}
	var refused *Problem
	var gone *Unreachable
	switch {
	case err == nil, ctx.Err() != nil, errors.As(err, &refused), errors.As(err, &gone):
		return err
	case bounded.Err() != nil:
		err = fmt.Errorf("no answer within %s", getWait)
	}
	return &Unreachable{c.socket, err}
}

func (c *Client) lines(r *http.Request, each func(Event) error) error {
	resp, err := c.do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	dec := json.NewDecoder(resp.Body)
	for {
		var ev Event
		switch err := dec.Decode(&ev); {
		case errors.Is(err, io.EOF):
			return nil
		case r.Context().Err() != nil:
			return r.Context().Err()
		case err != nil:
			return &Unreachable{c.socket, fmt.Errorf("its answer was cut: %w", err)}
		}
		if err := each(ev); err != nil {
			return err
		}
	}
}

// do turns everything but 200 into an error.
func (c *Client) do(r *http.Request) (*http.Response, error) {
	resp, err := c.http.Do(r)
	switch {
	case err != nil && r.Context().Err() != nil:
		return nil, r.Context().Err()
	case err != nil:
		return nil, &Unreachable{c.socket, cause(err)}
	case resp.StatusCode == http.StatusOK:
		return resp, nil
	}
	defer resp.Body.Close()
	var p Problem
	raw, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if json.Unmarshal(raw, &p) != nil || p.Summary == "" {
		return nil, fmt.Errorf("the daemon at %s answers %s: is it hafile?", c.socket, resp.Status)
	}
	return nil, &p
}

// cause is the error without the made-up URL around it.
func cause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}

// FormatKnown: minor versions add fields, which are ignored; another major version means
// something else.
func FormatKnown(version string) error {
	major, _, _ := strings.Cut(version, ".")
	ours, _, _ := strings.Cut(plan.FormatVersion, ".")
	if major != ours {
		return fmt.Errorf("the daemon speaks format %q, this hafile %s: use one release for both", version, plan.FormatVersion)
	}
	return nil
}
