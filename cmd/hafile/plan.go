package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hafile/lang"
	"hafile/lang/diff"
	"hafile/lang/plan"
	"hafile/lang/planfile"
	"hafile/lang/render"
	"hafile/runtime/control"
	"hafile/runtime/host"
)

// planOptions are what `plan` and `apply` share.
type planOptions struct {
	vars      varFlags
	node      string
	maxImpact string
	asJSON    bool
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

func (c *cli) planCommand() *cobra.Command {
	var o planOptions
	var out string
	var detailed, inline, full, summary bool
	var expires time.Duration
	cmd := &cobra.Command{
		Use:   "plan [DIR|FILE|-]",
		Short: "Say what an edit will do to each VIP of this node, before it is done",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			v := c.view()
			doc, facts, err := c.makePlan(cmd.Context(), v, target(args), &o, expires)
			if err != nil {
				return err
			}
			closing := ""
			if out != "" {
				if err := savePlan(out, doc, inline); err != nil {
					return err
				}
				closing = saved(out, doc)
			}
			if err := v.planOrJSON(doc, o.asJSON, mode(summary, full), facts, closing); err != nil {
				return err
			}
			if p := planfile.Gate(doc.Changes, diff.Class(o.maxImpact), nil); p != nil {
				return planProblem(p)
			}
			if detailed && len(doc.Changes) > 0 {
				return exit(exitChanges)
			}
			return nil
		},
	}
	o.register(cmd.Flags())
	c.socketFlag(cmd.Flags())
	c.completeNode(cmd)
	cmd.Flags().StringVar(&out, "out", "", "save the plan to `FILE` for hafile apply")
	cmd.Flags().BoolVar(&detailed, "detailed-exitcode", false, "exit 2 when there are changes")
	cmd.Flags().BoolVar(&inline, "allow-inline-secrets", false, "let -out hold secrets that the files hold in clear")
	cmd.Flags().BoolVar(&full, "full", false, "show what stays the same, too")
	cmd.Flags().BoolVar(&summary, "summary", false, "show the last lines only")
	cmd.Flags().DurationVar(&expires, "expires", planfile.Lifetime, "how long the plan may be applied; 0: for ever")
	return cmd
}

// makePlan compiles, asks the daemon what it runs, and compares. Where no daemon is
// reached the plan is against an empty node, and says so.
func (c *cli) makePlan(ctx context.Context, v *view, target string, o *planOptions, life time.Duration) (*planfile.Document, render.Facts, error) {
	conf, err := c.load(target, &o.vars)
	if err != nil {
		return nil, render.Facts{}, err
	}
	if conf.diags.HasErrors() { // warnings are part of the plan
		if err := v.diagnostics(conf.diags, conf.sources); err != nil {
			return nil, render.Facts{}, err
		}
		return nil, render.Facts{}, exit(exitError)
	}
	node, err := selectNode(conf, o.node)
	if err != nil {
		return nil, render.Facts{}, err
	}
	if err := conf.supported(v, node); err != nil {
		return nil, render.Facts{}, err
	}
	client := control.NewClient(c.socket)
	defer client.Close()
	running, status, err := askRunning(ctx, client)
	var gone *control.Unreachable
	if errors.As(err, &gone) {
		v.note("%s %s. The plan is shown against an empty node.", v.paint(yellow, "Note:"), gone)
	} else if err != nil {
		return nil, render.Facts{}, err
	}
	doc := planfile.New(planfile.Input{
		HafileVersion: version, Plan: conf.Plans[node], Running: running,
		Inputs:      planfile.Inputs{Files: conf.Hashes, Vars: conf.Variables, Env: conf.Env},
		Diagnostics: conf.diags, Accepted: conf.Accepted, Now: time.Now(), Lifetime: life,
	})
	return doc, hostFacts(&doc.Plan, status), nil
}

// planOrJSON draws a plan with what this machine says of it, or prints the document.
func (v *view) planOrJSON(doc *planfile.Document, asJSON bool, m render.Mode, facts render.Facts, closing string) error {
	if asJSON {
		return render.JSON(v.out, doc)
	}
	return v.plan(doc, m, facts, closing)
}

// selectNode says which node of the configuration this machine is.
func selectNode(conf *config, explicit string) (string, error) {
	if explicit == "" {
		explicit = os.Getenv("HAFILE_NODE")
	}
	facts := lang.HostFacts{}
	if explicit == "" {
		facts.Name, _ = os.Hostname() // without a name the addresses decide; a glob may want the domain
		facts.Addresses = host.Addresses()
	}
	node, d := conf.SelectNode(explicit, facts)
	if d != nil {
		return "", &diagError{*d, exitError}
	}
	return node, nil
}

// askRunning is what a daemon runs at present, in the form in which plans are compared
// with it.
func askRunning(ctx context.Context, client *control.Client) (*planfile.Running, *control.Status, error) {
	status, err := client.Status(ctx)
	if err != nil {
		return nil, nil, err
	}
	r := &planfile.Running{
		Node: status.Node, Lineage: status.Lineage,
		Present: diff.Present{Roles: map[plan.Addr]string{}, Checks: map[plan.Addr]plan.CheckState{}},
	}
	for _, in := range status.Instances {
		r.Present.Roles[in.Address] = in.Role
	}
	for _, check := range status.Checks {
		r.Present.Checks[check.Address] = plan.CheckState(check.State)
	}
	if status.Plan == nil {
		return r, status, nil
	}
	running, err := client.Plan(ctx)
	if err != nil {
		return nil, nil, err
	}
	r.Plan, r.Serial, r.Since, r.By = running.Plan, running.Status.Serial, running.Status.Since, running.Status.By
	return r, status, nil
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

func (c *cli) showCommand() *cobra.Command {
	var asJSON, full, summary bool
	cmd := &cobra.Command{
		Use:   "show [PLAN]",
		Short: "Show a plan file, or the plan that the daemon runs",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			doc, err := c.shown(cmd.Context(), target(args))
			if err != nil {
				return err
			}
			return c.view().planOrJSON(doc, asJSON, mode(summary, full), render.Facts{Host: "as saved"}, "")
		},
	}
	c.socketFlag(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&full, "full", false, "show what stays the same, too")
	cmd.Flags().BoolVar(&summary, "summary", false, "show the last lines only")
	return cmd
}

// shown is a plan file, or the running plan as it would be against an empty node.
func (c *cli) shown(ctx context.Context, name string) (*planfile.Document, error) {
	if name != "" {
		return c.readPlan(name)
	}
	client := control.NewClient(c.socket)
	defer client.Close()
	running, err := client.Plan(ctx)
	if err != nil {
		return nil, err
	}
	if running.Plan == nil {
		return nil, errors.New("the daemon runs no plan: hafile apply gives it one")
	}
	return planfile.New(planfile.Input{HafileVersion: version, Plan: running.Plan, Now: running.Status.Since}), nil
}
