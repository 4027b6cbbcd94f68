package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hafile/lang/diff"
	"hafile/lang/planfile"
	"hafile/runtime/control"
	"hafile/runtime/rollout"
)

// rolloutOptions are those of `hafile rollout`.
type rolloutOptions struct {
	planOptions
	via, config, command, remote, plans string
	nodes, allow                        []string
	wait, pause, confirm                time.Duration
	auto, dryRun, inline, signed        bool
}

func (c *cli) rolloutCommand() *cobra.Command {
	var o rolloutOptions
	cmd := &cobra.Command{
		Use:   "rollout [DIR|FILE]",
		Short: "Take an edit through all nodes over ssh, one at a time, backups first",
		Long: "Take an edit through all nodes over ssh, one at a time, backups first.\n\n" +
			"Every node is asked for its status, and has prepared its plan, before anything is changed. After each node\n" +
			"the rollout waits until every address has its one owner, and halts with exit code 8 at the first thing that\n" +
			"is worse than before: the message says which nodes have the edit then, and what to do.\n" +
			"Edits of what the network sees get their second sweep (apply -retire) when all nodes have the first.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.rollout(cmd.Context(), target(args), &o)
		},
	}
	flags := cmd.Flags()
	o.vars.register(flags)
	flags.StringVar(&o.via, "via", "ssh", "how nodes are reached: ssh")
	flags.StringVar(&o.config, "ssh-config", "", "`FILE` for ssh -F")
	flags.StringVar(&o.command, "ssh-command", "ssh -o BatchMode=yes -o ConnectTimeout=10 -o ServerAliveInterval=5", "the ssh program and its options, set apart by blanks")
	flags.StringVar(&o.remote, "remote-command", "hafile", "what is called on a node, such as \"sudo hafile\"")
	flags.StringVar(&o.plans, "plans", "", "send the saved plans of `DIR` and compile nothing")
	flags.BoolVar(&o.signed, "signed", false, "with -plans, send the signature of each plan (NODE.plan.sig) too")
	flags.StringSliceVar(&o.nodes, "nodes", nil, "only these nodes, set apart by commas")
	flags.StringVar(&o.maxImpact, "max-impact", "", "refuse what does more to an address than `CLASS` (gains, unless you are asked)")
	flags.StringArrayVar(&o.allow, "allow", nil, "let one refused thing through on every node: release:ADDRESS, guard:INSTANCE")
	flags.DurationVar(&o.wait, "wait", 60*time.Second, "how long a node, and then the fleet, may take to settle")
	flags.DurationVar(&o.pause, "pause", 0, "wait between nodes, beside what edited checks need")
	flags.DurationVar(&o.confirm, "confirm", 0, "a node keeps its plan when all is well afterwards, and returns to the one before without that word within `TIME`")
	flags.BoolVar(&o.auto, "auto-approve", false, "do not ask")
	flags.BoolVar(&o.dryRun, "dry-run", false, "say the order and why, and change nothing")
	flags.BoolVar(&o.inline, "allow-inline-secrets", false, "send secrets that the files hold in clear")
	flags.BoolVar(&o.asJSON, "json", false, "print JSON, one event a line")
	return cmd
}

func (c *cli) rollout(ctx context.Context, target string, o *rolloutOptions) error {
	v := c.view()
	if err := o.check(); err != nil {
		return err
	}
	source, err := c.plansFor(ctx, v, target, o)
	if err != nil {
		return err
	}
	limit := o.limit(v)
	run := rollout.Options{
		Nodes: source.nodes, Remote: o.ssh(source.hosts), Plan: source.plan, Bytes: source.bytes, Signed: o.signed,
		MaxImpact: limit, Allow: o.allow, Wait: o.wait, Pause: o.pause, Confirm: o.confirm, Tell: v.rolling(o.asJSON),
	}
	before, err := rollout.Ask(ctx, run.Remote, run.Nodes)
	if err != nil {
		return err
	}
	docs, err := source.plan(before)
	if err != nil {
		return err
	}
	steps := rollout.Order(docs, before)
	if absent := rollout.Absent(docs, before); len(absent) > 0 {
		steps = slices.DeleteFunc(steps, func(s rollout.Step) bool { return s.Action == rollout.Retire })
		v.note("%s %s not part of this: the second sweep is left for when they have the edit.", v.paint(yellow, "Note:"), strings.Join(absent, ", "))
	}
	if err := v.order(docs, steps, o.asJSON); err != nil || len(steps) == 0 {
		return err
	}
	if err := allowed(docs, before, limit, o.allow); err != nil {
		return err
	}
	if err := rollout.Prepare(ctx, run, before, steps); err != nil {
		return refusedBefore(err)
	}
	if o.dryRun {
		v.dryRolled(o.asJSON)
		return nil
	}
	if err := o.consent(v, len(docs)); err != nil {
		return err
	}
	if err := rollout.Run(ctx, run, before, steps); err != nil {
		return &control.Problem{Exit: exitHalted, Code: codeHalted, Summary: "the rollout was halted", Detail: err.Error()}
	}
	v.rolledOut(len(run.Nodes), o.asJSON)
	return nil
}

const (
	codeHalted    = "HA3014" // a rollout stopped at the first thing that was worse than before
	codeUnstarted = "HA3015" // a node would refuse its part, and no node was changed
)

func (o *rolloutOptions) check() error {
	switch {
	case o.via != "ssh":
		return fmt.Errorf("-via %s is not known: ssh is", o.via)
	case o.signed && o.plans == "":
		return errors.New("-signed needs -plans DIR: what is signed is a file")
	case o.maxImpact != "" && diff.Class(o.maxImpact).Rank() < 0:
		return fmt.Errorf("%q is no class of impact: one of %v", o.maxImpact, diff.Classes)
	case o.confirm > 0 && o.confirm <= o.wait+o.pause:
		return fmt.Errorf("-confirm %s would be over before a node has settled: make it longer than -wait %s and -pause %s together", o.confirm, o.wait, o.pause)
	}
	return nil
}

// asks: a person looks at the order and is asked.
func (o *rolloutOptions) asks(v *view) bool { return !o.auto && v.interactive() }

// limit is the highest class that goes through at any node.
func (o *rolloutOptions) limit(v *view) diff.Class {
	switch {
	case o.maxImpact != "":
		return diff.Class(o.maxImpact)
	case o.asks(v), o.dryRun:
		return diff.Drops
	}
	return diff.Gains
}

// allowed refuses before the first node what would be refused at some node.
func allowed(docs []*planfile.Document, now rollout.Statuses, limit diff.Class, allow []string) error {
	if node := now.Pending(); node != "" {
		return &control.Problem{
			Exit: exitRefused, Code: control.CodePending, Summary: node + " runs a plan that waits for its confirmation",
			Detail: "Keep it with hafile confirm there, or return to the plan before with hafile rollback.",
		}
	}
	for _, d := range docs {
		if p := planfile.Gate(d.Changes, limit, allow); p != nil {
			p.Detail = d.Node + ": " + p.Detail
			return planProblem(p)
		}
	}
	return nil
}

// refusedBefore answers with the exit code of the node that would refuse.
func refusedBefore(err error) error {
	p := &control.Problem{Exit: exitError, Code: codeUnstarted, Summary: "a node would refuse its part, and nothing was changed anywhere", Detail: err.Error()}
	var failed *rollout.Failed
	if errors.As(err, &failed) {
		p.Exit = failed.Exit
	}
	return p
}

func (o *rolloutOptions) consent(v *view, nodes int) error {
	switch {
	case o.auto:
		return nil
	case !o.asks(v):
		return errors.New("nobody can be asked here: use -auto-approve, or -dry-run")
	}
	yes, err := v.ask(fmt.Sprintf("Take this through %s?", plural(nodes, "node")))
	if err == nil && !yes {
		err = errors.New("nothing was changed: the answer was not yes")
	}
	return err
}

// ssh is the way to the nodes.
func (o *rolloutOptions) ssh(hosts map[string]string) *sshRemote {
	r := &sshRemote{program: strings.Fields(o.command), hafile: strings.Fields(o.remote), hosts: hosts}
	if o.config != "" {
		r.program = append(r.program, "-F", o.config)
	}
	return r
}
