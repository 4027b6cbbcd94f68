package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hafile/lang/diff"
	"hafile/lang/plan"
	"hafile/lang/planfile"
	"hafile/lang/render"
	"hafile/lang/sshsig"
	"hafile/runtime/control"
)

// applyOptions are those of `hafile apply`.
type applyOptions struct {
	planOptions
	auto, noWait, dryRun, adopt bool
	wait, confirm               time.Duration
	retire                      bool
	allow                       []string
	digest                      string
	signed                      bool
	raw                         signedPlan // with signed
}

func (c *cli) applyCommand() *cobra.Command {
	var o applyOptions
	cmd := &cobra.Command{
		Use:   "apply [PLAN|DIR|FILE]",
		Short: "Carry out a saved plan, or plan and carry out",
		Long: "Carry out a saved plan, or plan and carry out.\n\n" +
			"A saved plan (hafile plan -out) is carried out only while it fits what runs. At a terminal the\n" +
			"plan is shown and you are asked; elsewhere the plan file, or -auto-approve, is the word for it.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.retire {
				if len(args) > 0 || o.confirm > 0 || o.dryRun {
					return errors.New("-retire takes no plan, and neither -confirm nor -dry-run: it changes what runs by one word less")
				}
				return c.retire(cmd.Context(), &o)
			}
			return c.apply(cmd.Context(), target(args), &o)
		},
	}
	o.register(cmd.Flags())
	c.socketFlag(cmd.Flags())
	c.completeNode(cmd)
	cmd.Flags().BoolVar(&o.auto, "auto-approve", false, "do not ask")
	cmd.Flags().BoolVar(&o.noWait, "no-wait", false, "do not wait until the roles have settled")
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "do everything up to the first change")
	cmd.Flags().BoolVar(&o.adopt, "adopt", false, "take over addresses that somebody else has installed")
	cmd.Flags().DurationVar(&o.wait, "wait", 60*time.Second, "how long to wait until the roles have settled")
	cmd.Flags().DurationVar(&o.confirm, "confirm", 0, "return to the plan before unless hafile confirm arrives within `TIME`")
	cmd.Flags().BoolVar(&o.retire, "retire", false, "drop old identities on the wire, once every member has the new ones")
	cmd.Flags().StringArrayVar(&o.allow, "allow", nil, "let one refused thing through: release:ADDRESS, guard:INSTANCE, retire:NODE")
	cmd.Flags().BoolVar(&o.signed, "signed", false, "send PLAN with its signature (PLAN.sig, or behind the plan on standard input)")
	cmd.Flags().StringVar(&o.digest, "check-digest", "", "refuse unless the plan's digest begins with `DIGEST`")
	return cmd
}

func (c *cli) apply(ctx context.Context, what string, o *applyOptions) error {
	v := c.view()
	doc, facts, saved, err := c.planToApply(ctx, v, what, o)
	if err != nil {
		return err
	}
	if want := strings.TrimPrefix(o.digest, "sha256:"); !strings.HasPrefix(strings.TrimPrefix(doc.Digest, "sha256:"), want) {
		return fmt.Errorf("the plan's digest is %s and does not begin with %s: look at what was approved", doc.Digest, o.digest)
	}
	if len(doc.Changes) == 0 && doc.Reached() && doc.Base.Digest != planfile.NoBase {
		now, err := c.secretsNow(ctx, doc, o)
		if err != nil {
			return err
		}
		if now.Change == 0 {
			v.nothingToDo(doc, o.asJSON)
			return nil
		}
		doc.Summary = now
		v.note("The content of a secret has changed since plan %d was applied.", doc.Base.Serial)
	}
	if err := o.approve(v, doc, facts, saved); err != nil {
		return err
	}
	client := control.NewClient(c.socket)
	defer client.Close()
	result, err := client.Apply(ctx, o.request(doc, v.interactive() && !o.auto), doc.Base.Digest, o.dryRun, v.applying(doc, o.asJSON))
	if err != nil {
		return err
	}
	if result.Exit != exitOK {
		return exit(result.Exit)
	}
	return nil
}

// secretsNow is what a plan that is running already would do: the files name secrets, and
// only the daemon knows whether their content is still the same.
func (c *cli) secretsNow(ctx context.Context, doc *planfile.Document, o *applyOptions) (diff.Summary, error) {
	named := false
	doc.Plan.EachSecret(func(_ plan.Addr, s *plan.Secret) { named = named || !s.Inline() })
	if !named {
		return diff.Summary{}, nil
	}
	client := control.NewClient(c.socket)
	defer client.Close()
	result, err := client.Apply(ctx, o.request(doc, true), doc.Base.Digest, true, func(control.Event) {})
	if err != nil {
		return diff.Summary{}, err
	}
	return result.Summary, nil
}

// signedPlan is a plan file, byte for byte, and its signature.
type signedPlan struct{ plan, signature []byte }

// readSigned reads PLAN and PLAN.sig, or both one after the other from standard input. It
// is the daemon that judges the signature.
func (c *cli) readSigned(name string, s *signedPlan) (doc *planfile.Document, err error) {
	switch name {
	case "":
		return nil, errors.New("-signed needs a plan file, or - for standard input")
	case "-":
		var all []byte
		if all, err = io.ReadAll(io.LimitReader(c.std.in, planfile.SizeMax+1)); err != nil {
			return nil, err
		}
		at := bytes.LastIndex(all, []byte(sshsig.Begin))
		if at < 0 {
			return nil, errors.New("no signature follows the plan: cat PLAN PLAN.sig | hafile apply -signed -")
		}
		s.plan, s.signature = all[:at], all[at:]
	default:
		if s.plan, err = os.ReadFile(name); err != nil {
			return nil, err
		}
		if s.signature, err = os.ReadFile(name + ".sig"); err != nil {
			return nil, fmt.Errorf("%w: sign it with ssh-keygen -Y sign -n hafile-plan -f KEY %s", err, name)
		}
	}
	doc, err = planfile.Read(bytes.NewReader(s.plan))
	return doc, planError(err)
}

// planToApply reads a saved plan or makes one now.
func (c *cli) planToApply(ctx context.Context, v *view, what string, o *applyOptions) (doc *planfile.Document, facts render.Facts, saved bool, err error) {
	if o.signed {
		doc, err = c.readSigned(what, &o.raw)
		return doc, render.Facts{Host: "as signed"}, true, err
	}
	if isPlanFile(what) {
		doc, err = c.readPlan(what)
		return doc, render.Facts{Host: "as saved"}, true, err
	}
	doc, facts, err = c.makePlan(ctx, v, what, &o.planOptions, planfile.Lifetime)
	if err == nil && !doc.Reached() {
		client := control.NewClient(c.socket)
		defer client.Close()
		_, err = client.Status(ctx) // says who does not answer
	}
	return doc, facts, false, err
}

// isPlanFile tells a plan from a configuration: configurations are directories and end
// in .hcl or .json, and a plan comes on standard input.
func isPlanFile(name string) bool {
	if name == "-" {
		return true
	}
	info, err := os.Stat(name)
	if err != nil || info.IsDir() {
		return false
	}
	return !strings.HasSuffix(name, ".hcl") && !strings.HasSuffix(name, ".ha.json")
}

// approve shows the plan to a person and asks, or takes the plan file or -auto-approve
// for an answer.
func (o *applyOptions) approve(v *view, doc *planfile.Document, facts render.Facts, saved bool) error {
	if !o.asJSON && !o.auto && len(doc.Changes) > 0 {
		if err := v.planOrJSON(doc, false, mode(saved && !v.interactive(), false), facts, ""); err != nil {
			return err
		}
	}
	switch {
	case o.auto || o.dryRun:
		return nil
	case v.interactive():
		yes, err := v.ask(fmt.Sprintf("Apply this to %s?", doc.Node))
		if err == nil && !yes {
			err = errors.New("not applied: the answer was not yes")
		}
		return err
	case saved:
		return nil
	}
	return errors.New("nobody can be asked here: save a plan (hafile plan -out FILE) and apply that, or use -auto-approve")
}

// request is what the daemon gets. Where nobody has looked at the plan, nothing worse
// than "gains" goes through unless it was asked for.
func (o *applyOptions) request(doc *planfile.Document, seen bool) control.ApplyRequest {
	limit := diff.Class(o.maxImpact)
	if limit == "" {
		if limit = diff.Gains; seen {
			limit = diff.Drops
		}
	}
	r := control.ApplyRequest{Plan: doc, Signed: o.raw.plan, Signature: string(o.raw.signature), MaxImpact: limit, Allow: o.allow, Adopt: o.adopt, By: whoAmI()}
	if !o.noWait {
		r.WaitMs = o.wait.Milliseconds()
	}
	r.ConfirmMs = o.confirm.Milliseconds()
	return r
}

// whoAmI is the person behind sudo, if there is one.
func whoAmI() string {
	if name := os.Getenv("SUDO_USER"); name != "" {
		return name
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}
