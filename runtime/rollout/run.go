package rollout

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"hafile/lang/diff"
	"hafile/lang/planfile"
	"hafile/runtime/control"
)

// Remote runs hafile on a node, with this input. Exit is the exit code of hafile; an error
// says that it did not run at all.
type Remote interface {
	Run(ctx context.Context, node string, stdin []byte, args ...string) (out []byte, exit int, err error)
}

// Options of a rollout.
type Options struct {
	Nodes  []string
	Remote Remote
	// Plan makes the plans of now, for nodes in these states.
	Plan func(Statuses) ([]*planfile.Document, error)
	// Bytes of a plan as it is sent; signed ones are those of the file.
	Bytes     func(*planfile.Document) ([]byte, error)
	Signed    bool
	MaxImpact diff.Class
	Allow     []string
	Wait      time.Duration // how long each node may take to settle, and all of them then
	Pause     time.Duration // between nodes, beside what edited checks need
	Tell      func(Told)
}

// Told is what happens, as it happens.
type Told struct {
	Type string `json:"type"` // step, done, pause, result
	Step *Step  `json:"step,omitempty"`
	Text string `json:"text,omitempty"`
}

// Halted says where a rollout ended early. Nothing is undone: some nodes have the edit.
type Halted struct {
	Step Step
	Why  string
	Done []string // nodes that have the edit
	Left []string // nodes that do not
}

// Error is one line each for why, where the edit is, and what to do next.
func (h *Halted) Error() string {
	return fmt.Sprintf("halted at %s on %s: %s\nwith the edit: %s; without it: %s\nrun the rollout again when that is cured, or hafile rollback where it went wrong",
		h.Step.Action, h.Step.Node, h.Why, names(h.Done), names(h.Left))
}

func names(nodes []string) string {
	if len(nodes) == 0 {
		return "none"
	}
	return strings.Join(nodes, ", ")
}

// look is how often a state that has not converged is asked for again.
const look = 500 * time.Millisecond

// Ask is the state of every node. One that does not answer is an error: what cannot be
// seen cannot be rolled through.
func Ask(ctx context.Context, r Remote, nodes []string) (Statuses, error) {
	out := Statuses{}
	for _, node := range nodes {
		raw, exit, err := r.Run(ctx, node, nil, "status", "-json", "-with-plan")
		if err == nil && exit != 0 {
			err = fmt.Errorf("hafile status: exit code %d: %s", exit, tail(raw))
		}
		s := &control.StatusFile{}
		if err == nil {
			err = json.Unmarshal(raw, s)
		}
		if err == nil {
			err = control.FormatKnown(s.FormatVersion)
		}
		switch {
		case err != nil:
			return nil, fmt.Errorf("%s: %w", node, err)
		case s.Node != "" && s.Node != node:
			return nil, fmt.Errorf("%s: the machine that answers there is %s", node, s.Node)
		}
		s.Node = node
		out[node] = s
	}
	return out, nil
}

// Run takes the edit through the nodes, and halts at the first thing that is worse than
// before. The plan of each node is made anew from the state that the ones before have left.
func Run(ctx context.Context, o Options, before Statuses, steps []Step) error {
	r := runner{Options: o, before: before, now: before}
	for i := range steps {
		if step := &steps[i]; step.Action == Apply {
			r.left = append(r.left, step.Node)
		}
	}
	for i := range steps {
		step := &steps[i]
		if err := r.step(ctx, step, i == len(steps)-1); err != nil {
			return &Halted{Step: *step, Why: err.Error(), Done: r.done, Left: r.left}
		}
	}
	return nil
}

type runner struct {
	Options
	before, now Statuses
	done, left  []string
}

func (r *runner) step(ctx context.Context, step *Step, last bool) error {
	r.Tell(Told{Type: "step", Step: step})
	var err error
	if step.Action == Retire {
		err = r.retire(ctx, step.Node)
	} else {
		err = r.apply(ctx, step.Node)
	}
	if err != nil {
		return err
	}
	if wait := r.Pause + time.Duration(step.PauseMs)*time.Millisecond; wait > 0 {
		r.Tell(Told{Type: "pause", Step: step, Text: wait.String()})
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
	if err := r.converge(ctx, last); err != nil {
		return err
	}
	r.Tell(Told{Type: "done", Step: step})
	return nil
}

// apply sends the plan of one node, made from what is known now.
func (r *runner) apply(ctx context.Context, node string) error {
	docs, err := r.Plan(r.now)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(docs, func(d *planfile.Document) bool { return d.Node == node })
	if at < 0 {
		return errors.New("it has no plan any more")
	}
	body, err := r.Bytes(docs[at])
	if err != nil {
		return err
	}
	args := []string{"apply", "-json", "-wait=" + r.Wait.String()}
	if r.MaxImpact != "" {
		args = append(args, "-max-impact="+string(r.MaxImpact))
	}
	for _, a := range r.Allow {
		args = append(args, "-allow="+a)
	}
	if r.Signed {
		args = append(args, "-signed")
	}
	if err := r.command(ctx, node, body, append(args, "-")...); err != nil {
		return err
	}
	r.done = append(r.done, node)
	r.left = slices.DeleteFunc(r.left, func(n string) bool { return n == node })
	return nil
}

// retire vouches for the members that have been seen with the same edit.
func (r *runner) retire(ctx context.Context, node string) error {
	args := []string{"apply", "-retire", "-json"}
	for _, other := range r.Nodes {
		if other != node {
			args = append(args, "-allow=retire:"+other)
		}
	}
	return r.command(ctx, node, nil, args...)
}

func (r *runner) command(ctx context.Context, node string, stdin []byte, args ...string) error {
	bounded, cancel := context.WithTimeout(ctx, r.Wait+time.Minute)
	defer cancel()
	out, exit, err := r.Remote.Run(bounded, node, stdin, args...)
	if err == nil && exit != 0 {
		err = fmt.Errorf("exit code %d: %s", exit, tail(out))
	}
	return err
}

// converge waits until nothing is worse than before the rollout.
func (r *runner) converge(ctx context.Context, last bool) error {
	deadline := time.Now().Add(r.Wait)
	for {
		now, err := Ask(ctx, r.Remote, r.Nodes)
		if err != nil {
			return err
		}
		r.now = now
		worse := Worse(r.before, now, last)
		switch {
		case len(worse) == 0:
			return nil
		case time.Now().After(deadline):
			return errors.New("worse than before: " + strings.Join(worse, "; "))
		}
		if err := sleep(ctx, look); err != nil {
			return err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tail is the last line that a command said, which is where it says why.
func tail(out []byte) string {
	const most = 600
	out = bytes.TrimSpace(out)
	out = out[max(0, len(out)-most):]
	lines := strings.Split(string(out), "\n")
	if last := lines[len(lines)-1]; strings.HasPrefix(last, "{") || len(lines) == 1 {
		return last
	}
	return strings.Join(lines, " ")
}
