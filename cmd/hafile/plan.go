package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hafile/lang"
	"hafile/lang/diag"
	"hafile/lang/diff"
	"hafile/lang/planfile"
	"hafile/lang/render"
	"hafile/runtime/control"
)

// planOptions are what `plan` and `apply` share.
type planOptions struct {
	vars      varFlags
	node      string
	maxImpact string
	asJSON    bool
	against   []string // plan only
}

func (o *planOptions) register(flags *pflag.FlagSet) {
	o.vars.register(flags)
	flags.StringVar(&o.node, "node", "", "plan for node `NAME` (else $HAFILE_NODE, else what fits this machine)")
	flags.StringVar(&o.maxImpact, "max-impact", "", "refuse, with exit code 4, what is worse than `CLASS`: none, stays, gains, weakens, moves, outage, drops")
	flags.BoolVar(&o.asJSON, "json", false, "print JSON")
}

func (c *cli) socketFlag(flags *pflag.FlagSet) {
	otherwise := os.Getenv("HAFILE_SOCKET")
	if otherwise == "" {
		otherwise = control.DefaultSocket
	}
	flags.StringVar(&c.socket, "socket", otherwise, "the daemon's socket")
}

// planOnly are the options that `plan` alone has.
type planOnly struct {
	planOptions
	out                                  string
	all, detailed, inline, full, summary bool
	expires                              time.Duration
}

func (c *cli) planCommand() *cobra.Command {
	var o planOnly
	cmd := &cobra.Command{
		Use:   "plan [DIR|FILE|-]",
		Short: "Say what an edit will do to each VIP of this node, before it is done",
		Long: "Say what an edit will do to each VIP of this node, before it is done.\n\n" +
			"The plan is against what this machine's daemon runs. -against compares with something else: none (an\n" +
			"empty node), a directory, git:REF (the same directory in a commit), or STATUS.json (what hafile status\n" +
			"-json -with-plan printed; without its plan, name a directory or git:REF too). Roles that nobody has\n" +
			"observed are assumed, and the plan says so. -all makes the plans of all nodes.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.all {
				return c.planAll(cmd.Context(), target(args), &o)
			}
			return c.planOne(cmd.Context(), target(args), &o)
		},
	}
	o.register(cmd.Flags())
	c.socketFlag(cmd.Flags())
	c.completeNode(cmd)
	flags := cmd.Flags()
	flags.StringVar(&o.out, "out", "", "save the plan to `FILE` for hafile apply; with -all, to a directory")
	flags.BoolVar(&o.all, "all", false, "plan for every node")
	flags.StringArrayVar(&o.against, "against", nil, "compare with `WHAT`: daemon, none, DIR, git:REF or STATUS.json")
	flags.BoolVar(&o.detailed, "detailed-exitcode", false, "exit 2 when there are changes")
	flags.BoolVar(&o.inline, "allow-inline-secrets", false, "let -out hold secrets that the files hold in clear")
	flags.BoolVar(&o.full, "full", false, "show what stays the same, too")
	flags.BoolVar(&o.summary, "summary", false, "show the last lines only")
	flags.DurationVar(&o.expires, "expires", planfile.Lifetime, "how long the plan may be applied; 0: for ever")
	return cmd
}

func (c *cli) planOne(ctx context.Context, target string, o *planOnly) error {
	v := c.view()
	doc, facts, err := c.makePlan(ctx, v, target, &o.planOptions, o.expires)
	if err != nil {
		return err
	}
	closing := ""
	if o.out != "" {
		if err := savePlan(o.out, doc, o.inline); err != nil {
			return err
		}
		closing = saved(o.out, doc)
	}
	if err := v.planOrJSON(doc, o.asJSON, mode(o.summary, o.full), facts, closing); err != nil {
		return err
	}
	return o.verdict(doc)
}

// verdict is the exit code of plans that have been shown.
func (o *planOnly) verdict(docs ...*planfile.Document) error {
	changes := 0
	for _, doc := range docs {
		p := planfile.Gate(doc.Changes, diff.Class(o.maxImpact), nil)
		if p == nil && o.maxImpact != "" {
			p = doc.Blocked
		}
		if p != nil {
			if len(docs) > 1 {
				p.Detail = doc.Node + ": " + p.Detail
			}
			return planProblem(p)
		}
		changes += len(doc.Changes)
	}
	if o.detailed && changes > 0 {
		return exit(exitChanges)
	}
	return nil
}

// compiled loads what is to be planned, for one node or for all; see loadFor. Warnings
// are part of the plan; errors end it.
func (c *cli) compiled(v *view, target string, vars *varFlags, node func(*lang.Result) string) (*config, error) {
	conf, err := c.loadFor(target, vars, node)
	if err != nil {
		return nil, err
	}
	if conf.diags.HasErrors() {
		if err := v.diagnostics(conf.diags, conf.sources); err != nil {
			return nil, err
		}
		return nil, exit(refusedBy(conf.diags))
	}
	return conf, nil
}

// refusedBy tells files that are wrong from sound ones that a policy or a precondition of
// theirs refuses.
func refusedBy(ds diag.Diagnostics) int {
	for i := range ds {
		if d := &ds[i]; d.Severity == diag.Error && d.Code != "HA1411" && d.Code != "HA1412" {
			return exitError
		}
	}
	return exitRefused
}

// limited takes over what the files let plan and apply do, where -max-impact says nothing.
func (o *planOptions) limited(conf *config) {
	if o.maxImpact == "" {
		o.maxImpact = conf.MaxImpact
	}
}

// makePlan compiles, asks what runs, and compares. Where no daemon is reached the plan is
// against an empty node, and says so.
func (c *cli) makePlan(ctx context.Context, v *view, target string, o *planOptions, life time.Duration) (*planfile.Document, render.Facts, error) {
	conf, err := c.compiled(v, target, &o.vars, func(r *lang.Result) string {
		node, _ := selectNode(r, o.node) // without one everything is compiled, and it is said below
		return node
	})
	if err != nil {
		return nil, render.Facts{}, err
	}
	o.limited(conf)
	a, err := c.parseAgainst(o.against, target, &o.vars)
	if err != nil {
		return nil, render.Facts{}, err
	}
	node, err := selectNode(conf.Result, o.node)
	if err != nil {
		return nil, render.Facts{}, err
	}
	doc, status, err := c.planNode(ctx, v, conf, node, a, life)
	if err != nil {
		return nil, render.Facts{}, err
	}
	if !a.isDaemon() {
		return doc, render.Facts{Host: "not asked"}, nil
	}
	return doc, hostFacts(&doc.Plan, status), nil
}

// planNode is the plan of one node of a compiled configuration.
func (c *cli) planNode(ctx context.Context, v *view, conf *config, node string, a *against, life time.Duration) (*planfile.Document, *control.Status, error) {
	if err := conf.supported(v, node); err != nil {
		return nil, nil, err
	}
	running, status, err := a.running(ctx, c, node)
	var gone *control.Unreachable
	if errors.As(err, &gone) {
		v.note("%s %s. The plan is shown against an empty node.", v.paint(yellow, "Note:"), gone)
	} else if err != nil {
		return nil, nil, err
	}
	found := conf.diags
	if a.isDaemon() {
		found = append(slices.Clone(found), unsafePrograms(conf.Plans[node], status)...)
	}
	return planfile.New(planfile.Input{
		HafileVersion: version, Plan: conf.Plans[node], Running: running,
		Inputs:      planfile.Inputs{Files: conf.Hashes, Vars: conf.Variables, Env: conf.Env},
		Diagnostics: found, Accepted: conf.Accepted, Now: time.Now(), Lifetime: life,
	}), status, nil
}

// planOrJSON draws a plan with what this machine says of it, or prints the document.
func (v *view) planOrJSON(doc *planfile.Document, asJSON bool, m render.Mode, facts render.Facts, closing string) error {
	if asJSON {
		return render.JSON(v.out, doc)
	}
	return v.plan(doc, m, facts, closing)
}

// savePlan writes a plan file; one that holds secrets is for its owner only.
func savePlan(name string, doc *planfile.Document, inline bool) error {
	var b bytes.Buffer
	if err := planfile.Write(&b, doc, inline); err != nil {
		return planError(err)
	}
	if err := writeFile(name, b.Bytes(), 0o600); err != nil {
		return fmt.Errorf("save the plan: %w", err)
	}
	return nil
}

// readPlan reads a plan file; "-" is standard input.
func (c *cli) readPlan(name string) (*planfile.Document, error) {
	if name == "-" {
		doc, err := planfile.Read(c.std.in)
		return doc, planError(err)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	doc, err := planfile.Read(f)
	return doc, planError(err)
}

// planError gives the refusals of a plan file their exit code.
func planError(err error) error {
	var p *planfile.Problem
	if errors.As(err, &p) {
		return planProblem(p)
	}
	return err
}

func planProblem(p *planfile.Problem) error {
	return &control.Problem{Exit: p.Exit, Code: p.Code, Summary: p.Summary, Detail: p.Detail}
}
