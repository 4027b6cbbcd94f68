package rollout

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"hafile/lang/diff"
	"hafile/lang/planfile"
)

// Remote runs hafile on a node, with this input; on several at once. Exit is the exit code of hafile; an error
// says that it did not run, or that nothing is known of how it ended.
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
	// Confirm is how long a node keeps its plan without a word; 0: it keeps it at once. The
	// word is sent when nothing is worse than before.
	Confirm time.Duration
	Tell    func(Told)
}

// Told is what happens, as it happens.
type Told struct {
	Type   string  `json:"type"` // order, prepared, step, pause, done, halted, result
	Step   *Step   `json:"step,omitempty"`
	Halted *Halted `json:"halted,omitempty"`
	Text   string  `json:"text,omitempty"`
}

// Run takes the edit through the nodes, and halts at the first thing that is worse than
// before, with a [*Halted]. The plan of each node is made anew from the state that the ones
// before have left.
func Run(ctx context.Context, o Options, before Statuses, steps []Step) error {
	r := runner{Options: o, before: before, now: before}
	for rest := steps; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[0].Together && rest[n].Together {
			n++
		}
		if at, err := r.turn(ctx, rest[:n], n == len(rest)); err != nil {
			h := r.halt(&rest[at], err, rest[:n], steps)
			r.Tell(Told{Type: "halted", Halted: h})
			return h
		}
		rest = rest[n:]
	}
	return nil
}

// Prepare has every node do all that an apply does before its first change. What a node
// would refuse in the middle of the rollout is refused before anything has changed.
func Prepare(ctx context.Context, o Options, now Statuses, steps []Step) error {
	r := runner{Options: o, before: now, now: now}
	for i := range steps {
		if step := &steps[i]; step.Action == Apply {
			c, err := r.applying(step.Node, "-dry-run")
			if err == nil {
				err = r.command(ctx, c)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", step.Node, err)
			}
			r.Tell(Told{Type: "prepared", Step: step})
		}
	}
	return nil
}

type runner struct {
	Options
	before, now Statuses
}

// turn takes one step, or those that must be taken together, and what must hold before the
// next. at is the step that failed.
func (r *runner) turn(ctx context.Context, steps []Step, last bool) (at int, err error) {
	commands := make([]*command, len(steps))
	for i := range steps {
		r.Tell(Told{Type: "step", Step: &steps[i]})
		if commands[i], err = r.commandOf(&steps[i]); err != nil {
			return i, err
		}
	}
	if at, err = r.all(ctx, commands); err != nil {
		return at, err
	}
	if wait := r.Pause + longest(steps); wait > 0 {
		r.Tell(Told{Type: "pause", Step: &steps[0], Text: wait.String()})
		if err := sleep(ctx, wait); err != nil {
			return 0, err
		}
	}
	if err := r.converge(ctx, last); err != nil {
		return 0, err
	}
	for i := range steps {
		if r.Confirm > 0 && steps[i].Action == Apply {
			if err := r.command(ctx, &command{steps[i].Node, nil, []string{"confirm", "-json"}}); err != nil {
				return i, err
			}
		}
		r.Tell(Told{Type: "done", Step: &steps[i]})
	}
	return 0, nil
}

func longest(steps []Step) time.Duration {
	var ms int64
	for i := range steps {
		ms = max(ms, steps[i].PauseMs)
	}
	return time.Duration(ms) * time.Millisecond
}

// command is a call of hafile on a node.
type command struct {
	node  string
	stdin []byte
	args  []string
}

func (r *runner) commandOf(step *Step) (*command, error) {
	switch {
	case step.Action == Retire:
		return r.retiring(step.Node), nil
	case r.Confirm > 0:
		return r.applying(step.Node, "-confirm="+r.Confirm.String())
	}
	return r.applying(step.Node)
}

// all runs commands at one moment, and waits for each.
func (r *runner) all(ctx context.Context, commands []*command) (at int, err error) {
	errs := make([]error, len(commands))
	var wait sync.WaitGroup
	for i, c := range commands {
		wait.Go(func() { errs[i] = r.command(ctx, c) })
	}
	wait.Wait()
	for i := range errs {
		if errs[i] != nil {
			return i, errs[i]
		}
	}
	return 0, nil
}

// applying sends the plan of one node, made from what is known now.
func (r *runner) applying(node string, more ...string) (*command, error) {
	docs, err := r.Plan(r.now)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(docs, func(d *planfile.Document) bool { return d.Node == node })
	if at < 0 {
		return nil, errors.New("it has no plan any more")
	}
	body, err := r.Bytes(docs[at])
	if err != nil {
		return nil, err
	}
	args := append([]string{"apply", "-json", "-wait=" + r.Wait.String()}, more...)
	if r.MaxImpact != "" {
		args = append(args, "-max-impact="+string(r.MaxImpact))
	}
	for _, a := range r.Allow {
		args = append(args, "-allow="+a)
	}
	if r.Signed {
		args = append(args, "-signed")
	}
	return &command{node, body, append(args, "-")}, nil
}

// retiring vouches for the members that have been seen with the same edit.
func (r *runner) retiring(node string) *command {
	args := []string{"apply", "-retire", "-json"}
	for _, other := range r.Nodes {
		if other != node {
			args = append(args, "-allow=retire:"+other)
		}
	}
	return &command{node: node, args: args}
}

// Failed is a command that a node answered with an exit code other than 0.
type Failed struct {
	Exit int
	Text string // the last that it said
}

func (f *Failed) Error() string { return fmt.Sprintf("exit code %d: %s", f.Exit, f.Text) }

func (r *runner) command(ctx context.Context, c *command) error {
	bounded, cancel := context.WithTimeout(ctx, r.Wait+time.Minute)
	defer cancel()
	out, exit, err := r.Remote.Run(bounded, c.node, c.stdin, c.args...)
	if err == nil && exit != 0 {
		err = &Failed{exit, tail(out)}
	}
	return err
}

// converge waits until every node answers and nothing is worse than before the rollout. A
// connection that fails once is no reason to halt in the middle.
func (r *runner) converge(ctx context.Context, last bool) error {
	deadline := time.Now().Add(r.Wait)
	for {
		now, err := Ask(ctx, r.Remote, r.Nodes)
		if err == nil {
			r.now = now
			if worse := Worse(r.before, now, last); len(worse) > 0 {
				err = errors.New("worse than before: " + strings.Join(worse, "; "))
			}
		}
		if err == nil || time.Now().After(deadline) {
			return err
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
