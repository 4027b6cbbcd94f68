package rollout

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Halted says where a rollout ended early, and which nodes have the edit then.
type Halted struct {
	Step    Step     `json:"step"`
	Why     string   `json:"why"`
	With    []string `json:"with"`    // nodes that run the edit
	Without []string `json:"without"` // nodes that do not
	Unknown []string `json:"unknown"` // nodes that do not answer
	// Returned are nodes that have been told to return to their plan before, and Returns
	// those that could not be told and do so by themselves, for want of a confirmation.
	Returned []string `json:"returned,omitempty"`
	Returns  []string `json:"returns,omitempty"`

	confirm time.Duration
}

// halt looks where the edit is. A connection that broke says nothing about what the node
// has done: only its status does. The context of the rollout may be over.
func (r *runner) halt(at *Step, cause error, turn, steps []Step) *Halted {
	h := &Halted{Step: *at, Why: cause.Error(), With: []string{}, Without: []string{}, Unknown: []string{}, confirm: r.Confirm}
	for i := range turn {
		if r.Confirm > 0 && turn[i].Action == Apply {
			r.takeBack(h, turn[i].Node)
		}
	}
	for i := range steps {
		step := &steps[i]
		if step.Action != Apply {
			continue
		}
		switch has, err := r.runs(step); {
		case err != nil:
			h.Unknown = append(h.Unknown, step.Node)
		case has:
			h.With = append(h.With, step.Node)
		default:
			h.Without = append(h.Without, step.Node)
		}
	}
	return h
}

// takeBack ends the countdown of a plan that has made something worse, if one runs.
func (r *runner) takeBack(h *Halted, node string) {
	ctx, cancel := context.WithTimeout(context.Background(), lookMax)
	defer cancel()
	now, err := ask(ctx, r.Remote, node)
	switch {
	case err == nil && now.ConfirmBy == nil:
		return
	case err == nil:
		err = r.command(ctx, &command{node, nil, []string{"rollback", "-auto-approve", "-json"}})
	}
	if err == nil {
		h.Returned = append(h.Returned, node)
		return
	}
	h.Returns = append(h.Returns, node)
}

// runs reports whether a node runs what a step makes it run.
func (r *runner) runs(step *Step) (bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), lookMax)
	defer cancel()
	now, err := ask(ctx, r.Remote, step.Node)
	return err == nil && now.Plan != nil && now.Plan.Digest == step.Digest, err
}

// lookMax is how long a node may take to answer when a rollout has been halted.
const lookMax = 20 * time.Second

// Error is one line each for why, where the edit is, and what to do next.
func (h *Halted) Error() string {
	lines := []string{fmt.Sprintf("halted at %s on %s: %s", h.Step.Action, h.Step.Node, h.Why)}
	where := fmt.Sprintf("with the edit: %s; without it: %s", names(h.With), names(h.Without))
	if len(h.Unknown) > 0 {
		where += "; not known: " + names(h.Unknown)
	}
	lines = append(lines, where)
	if len(h.Returned) > 0 {
		lines = append(lines, "returned to the plan before: "+names(h.Returned))
	}
	if len(h.Returns) > 0 {
		lines = append(lines, fmt.Sprintf("returns to the plan before by itself within %s, if it took the edit: %s", h.confirm, names(h.Returns)))
	}
	if len(h.Unknown) > 0 {
		lines = append(lines, fmt.Sprintf("when %s can be reached again, hafile status there says what runs", names(h.Unknown)))
	}
	next := "cure the cause and run hafile rollout again: it takes the nodes that are left"
	if len(h.With) > 0 && h.Step.Action == Apply {
		next += "; or take the edit back with hafile rollback on " + names(h.With)
	}
	return strings.Join(append(lines, next), "\n")
}

func names(nodes []string) string {
	if len(nodes) == 0 {
		return "none"
	}
	return strings.Join(nodes, ", ")
}
