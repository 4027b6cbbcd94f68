package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hafile/lang/planfile"
	"hafile/runtime/control"
	"hafile/runtime/keepalived"
)

// takeoverOptions are those of `hafile takeover`.
type takeoverOptions struct {
	applyOptions
	pid int
}

func (c *cli) takeoverCommand() *cobra.Command {
	var o takeoverOptions
	cmd := &cobra.Command{
		Use:   "takeover [PLAN|DIR|FILE]",
		Short: "Put hafile in the place of a keepalived that runs here, with the addresses it holds",
		Long: "Put hafile in the place of a keepalived that runs here, with the addresses it holds.\n\n" +
			"The daemon must be running, without a plan. Whatever may be refused is refused first: the plan is\n" +
			"prepared and every check has answered while keepalived works. Then keepalived is made to stand still,\n" +
			"hafile goes on with its addresses before its peers notice, and keepalived is killed without a goodbye.\n" +
			"If anything fails before, keepalived goes on. Do one machine of a group at a time, the backups first.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.takeover(cmd.Context(), target(args), &o) },
	}
	flags := cmd.Flags()
	o.register(flags)
	c.socketFlag(flags)
	c.completeNode(cmd)
	flags.IntVar(&o.pid, "pid", 0, "keepalived's parent is process `N`, where more than one runs")
	flags.BoolVar(&o.auto, "auto-approve", false, "do not ask")
	flags.BoolVar(&o.dryRun, "dry-run", false, "do everything up to the first change")
	flags.DurationVar(&o.wait, "wait", 60*time.Second, "how long to wait until the roles have settled")
	flags.StringArrayVar(&o.allow, "allow", nil, "let one refused thing through: check:CHECK, lvs, dialect:INSTANCE")
	return cmd
}

func (c *cli) takeover(ctx context.Context, what string, o *takeoverOptions) error {
	v := c.view()
	doc, facts, saved, err := c.planToApply(ctx, v, what, &o.applyOptions)
	if err != nil {
		return err
	}
	client := control.NewClient(c.socket)
	defer client.Close()
	status, err := client.Status(ctx)
	if err != nil {
		return err
	}
	k, err := o.find(status.PID)
	if err != nil {
		return err
	}
	if err := o.approve(v, doc, facts, saved); err != nil {
		return err
	}
	unit := k.Unit()
	if o.dryRun {
		unit = ""
	}
	service, err := holdService(ctx, systemdUnits, unit)
	if err != nil {
		return err
	}
	req := o.request(doc, v.interactive() && !o.auto)
	req.Takeover = k
	result, err := client.Apply(ctx, req, doc.Base.Digest, o.dryRun, v.applying(doc, o.asJSON))
	if result, err = o.outcome(client, k, doc, result, err); err != nil || result.Exit != exitOK && k.Alive() {
		return errors.Join(service.giveBack(context.WithoutCancel(ctx)), err, codeOf(result))
	}
	if o.dryRun {
		return nil
	}
	if err := service.retire(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	if err := o.returned(status.PID); err != nil {
		return err
	}
	if !o.asJSON {
		v.line("%s", afterTakeover(service.unit))
	}
	return codeOf(result)
}

func codeOf(r *control.Result) error {
	if r == nil || r.Exit == exitOK {
		return nil
	}
	return exit(r.Exit)
}

// find looks for the keepalived beside the daemon.
func (o *takeoverOptions) find(daemon int) (*keepalived.Daemon, error) {
	if o.pid != 0 {
		return keepalived.Open(o.pid, daemon)
	}
	all, err := keepalived.Find(daemon)
	switch {
	case err != nil:
		return nil, err
	case len(all) == 0:
		return nil, errors.New("no keepalived runs beside the daemon: hafile apply is all it takes; hafile apply -adopt if it left addresses")
	case len(all) > 1:
		var pids []string
		for _, k := range all {
			pids = append(pids, fmt.Sprint(k.Parent.PID))
		}
		return nil, fmt.Errorf("more than one keepalived runs here (processes %s): say which with -pid", strings.Join(pids, ", "))
	}
	return all[0], nil
}

// backWait is how long a daemon that has died in the middle may take to come back: its
// service is restarted within a second.
const backWait = 10 * time.Second

// outcome is what has become of a takeover, also where the daemon died in the middle: it
// finishes what it began when it is started again, and where it is not, keepalived goes on.
func (o *takeoverOptions) outcome(client *control.Client, k *keepalived.Daemon, doc *planfile.Document, result *control.Result, err error) (*control.Result, error) {
	var gone *control.Unreachable
	if !errors.As(err, &gone) {
		return result, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), backWait)
	defer cancel()
	for ctx.Err() == nil {
		s, down := client.Status(ctx)
		switch {
		case down != nil:
			time.Sleep(50 * time.Millisecond)
		case s.Plan != nil && s.Plan.Digest == doc.Digest:
			return &control.Result{}, nil
		default:
			return nil, fmt.Errorf("the daemon died meanwhile and %s runs as before: see the log of hafile, and try again", k)
		}
	}
	if !k.Alive() {
		return nil, fmt.Errorf("the daemon has taken the place of keepalived and does not answer now: %w", err)
	}
	if thawed := k.Thaw(); thawed != nil {
		return nil, errors.Join(thawed, err)
	}
	return nil, fmt.Errorf("the daemon died meanwhile and does not come back; %s runs as before. See the log of hafile before you start it again", k)
}

// returned finds a keepalived that somebody has started again.
func (o *takeoverOptions) returned(daemon int) error {
	time.Sleep(500 * time.Millisecond) // what restarts services does so at once, or after some 100 ms
	all, err := keepalived.Find(daemon)
	if err == nil && len(all) > 0 && o.pid == 0 {
		err = fmt.Errorf("hafile runs, and somebody has started %s again: end it, and tell who starts it", all[0])
	}
	return err
}

func afterTakeover(unit string) string {
	if unit == "" {
		return "keepalived has ended. Take it out of what starts it, and let hafile start at boot: systemctl enable hafile"
	}
	return unit + " has ended and is disabled. Let hafile start at boot: systemctl enable hafile"
}
