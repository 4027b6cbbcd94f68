package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hafile/lang"
	"hafile/lang/convert/keepalived"
	"hafile/lang/diag"
	"hafile/lang/diff"
	"hafile/lang/hatest"
	"hafile/lang/planfile"
	"hafile/lang/render"
	"hafile/runtime/lab"
)

// labOptions are those of `hafile lab`.
type labOptions struct {
	dir, story, run, web string
	keep, asJSON         bool
}

func (c *cli) labCommand() *cobra.Command {
	var o labOptions
	cmd := &cobra.Command{
		Use:   "lab DIR",
		Short: "Bring every node up in network namespaces of this machine and play a story",
		Long: "Bring every node up in network namespaces of this machine, with the real daemon in each, and play a\n" +
			"story (DIR/*.hatest.hcl) while a client asks every VIP each millisecond. Needs root; leaves nothing.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.dir = args[0]
			return c.lab(withParent(cmd.Context()), &o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.story, "story", "", "play the runs of `FILE`")
	flags.StringVar(&o.run, "run", "", "play the run `NAME` only")
	flags.StringVar(&o.web, "web", "builtin", "the nodes' web server: builtin or nginx")
	flags.BoolVar(&o.keep, "keep", false, "keep the machines up after the story until ^C")
	flags.BoolVar(&o.asJSON, "json", false, "print what was measured as JSON, and the timeline to standard error")
	return cmd
}

// labHidden are the commands that the lab runs inside its machines.
func labHidden() []*cobra.Command {
	return []*cobra.Command{
		{Use: lab.InitCommand, Hidden: true, Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error { return lab.Init() }},
		{Use: lab.WebCommand + " NODE", Hidden: true, Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
			return lab.ServeWeb(cmd.Context(), args[0])
		}},
	}
}

// withParent ends when the process that started this one is gone: `go run` passes no
// signal on, and an orphaned lab would play to nobody.
func withParent(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	parent := os.Getppid()
	go func() {
		for range time.Tick(100 * time.Millisecond) {
			if os.Getppid() != parent {
				cancel()
				return
			}
		}
	}()
	return ctx
}

func (c *cli) lab(ctx context.Context, o *labOptions) error {
	v := c.view()
	if o.asJSON {
		v.out = c.std.err // the timeline; the document goes to standard output
	}
	if os.Geteuid() != 0 {
		return errors.New("the lab makes network namespaces and needs root: run it with sudo")
	}
	if o.web != "builtin" && o.web != "nginx" {
		return fmt.Errorf("-web %s: write builtin or nginx", o.web)
	}
	conf, err := c.loadGood(v, o.dir, &varFlags{})
	if err != nil {
		return err
	}
	for _, n := range conf.Nodes {
		if err := conf.supported(v, n.Name); err != nil {
			return err
		}
	}
	suite, err := c.stories(v, o.dir, o.story)
	if err != nil {
		return err
	}
	if o.run != "" && suite.Run(o.run) == nil {
		return fmt.Errorf("there is no run %q in %s", o.run, o.dir)
	}
	if err := v.labConversion(o.dir, conf); err != nil {
		return err
	}
	if err := v.labPlan(conf); err != nil {
		return err
	}
	broken := 0
	var results []*lab.Result
	for i := range suite.Runs {
		r := &suite.Runs[i]
		if o.run != "" && r.Name != o.run {
			continue
		}
		if r.Until == 0 || len(r.Variables) > 0 {
			v.note("%s needs no machines or other variables: hafile test plays it.", r.Name)
			continue
		}
		res, failed, err := c.play(ctx, v, o, conf, suite, r)
		if err != nil {
			return err
		}
		broken += failed
		results = append(results, res)
	}
	if o.asJSON {
		if err := c.view().document(results); err != nil {
			return err
		}
	}
	if broken > 0 {
		return exit(exitPromise)
	}
	return nil
}

// play brings the machines up, lets one story happen and takes them down again.
func (c *cli) play(ctx context.Context, v *view, o *labOptions, conf *config, suite *hatest.Suite, r *hatest.Run) (*lab.Result, int, error) {
	options, err := c.labSetup(o, conf)
	if err != nil {
		return nil, 0, err
	}
	show := v.timeline(r)
	options.Tell = show.tell
	l, err := lab.Up(ctx, options)
	if l != nil {
		defer func() {
			if err := l.Close(); err != nil {
				v.note("taking the lab down: %v", err)
			}
		}()
	}
	if err != nil {
		return nil, 0, err
	}
	res, err := l.Play(ctx, &r.Run)
	if err != nil {
		return res, 0, err
	}
	ds := suite.Check(r, &res.Outcome, conf.outputs())
	if err := v.verdict(r, res, ds, suite.Files); err != nil {
		return res, 0, err
	}
	if o.keep {
		v.line("The machines stay up until ^C. Their files are in %s.", l.Files())
		<-ctx.Done()
	}
	return res, len(res.Broken) + len(ds), nil
}

// labSetup says what to bring up, from the compiled configuration.
func (c *cli) labSetup(o *labOptions, conf *config) (lab.Options, error) {
	self, err := ownPath()
	if err != nil {
		return lab.Options{}, err
	}
	s := lab.Options{
		Self: self, Web: o.web, Dir: o.dir,
		Command: func(node, dir, socket string) []string {
			return []string{"apply", "-auto-approve", "-max-impact=drops", "-wait=30s", "-node=" + node, "-socket=" + socket, dir}
		},
		Budgets: func(dir string) []diff.Budget { return c.budgets(dir) },
		Base:    o.dir,
	}
	for _, n := range conf.Nodes {
		s.Nodes = append(s.Nodes, labNode(o.dir, conf, n))
	}
	for _, p := range conf.Plans {
		for _, in := range p.Desired.Instances {
			for _, vip := range in.VIPs {
				if a := vip.Address.Addr(); !slices.Contains(s.VIPs, a) {
					s.VIPs = append(s.VIPs, a)
				}
			}
		}
		for _, n := range p.Desired.Notifies {
			if n.Email != nil && !slices.Contains(s.Relays, n.Email.Relay) {
				s.Relays = append(s.Relays, n.Email.Relay)
			}
		}
	}
	if len(s.Nodes) == 0 || len(s.VIPs) == 0 {
		return s, fmt.Errorf("%s declares no node or no VIP: the lab has nothing to bring up", o.dir)
	}
	s.Outside, err = outside(s)
	return s, err
}

// ownPath is under which name this program can be started again: the one that it was
// started by, where that still is this program. The name counts, and a link has another.
func ownPath() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	called, err := exec.LookPath(os.Args[0])
	if err != nil {
		return self, nil
	}
	a, errA := os.Stat(self)
	b, errB := os.Stat(called)
	if errA != nil || errB != nil || !os.SameFile(a, b) {
		return self, nil
	}
	return filepath.Abs(called)
}

// segmentBits is the size of the lab's segment where node.address has no prefix.
const segmentBits = 24

func labNode(dir string, conf *config, n lang.Node) lab.Node {
	m := lab.Node{Name: n.Name}
	p := n.Prefix
	if !p.IsValid() {
		p = netip.PrefixFrom(n.IP, segmentBits)
	}
	m.Addresses = []netip.Prefix{netip.PrefixFrom(n.IP, p.Bits())}
	for _, in := range conf.Plans[n.Name].Desired.Instances {
		names := []string{in.Interface}
		for _, vip := range in.VIPs {
			names = append(names, in.DeviceOf(vip))
		}
		for _, name := range names {
			if !slices.Contains(m.Interfaces, name) {
				m.Interfaces = append(m.Interfaces, name)
			}
		}
	}
	if etc := filepath.Join(dir, n.Name, "etc"); isDir(etc) {
		m.Etc = etc
	}
	return m
}

func isDir(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// outside is the first address of the segment that nobody has.
func outside(s lab.Options) (netip.Prefix, error) {
	segment := s.Nodes[0].Addresses[0]
	for a := segment.Masked().Addr().Next(); segment.Contains(a); a = a.Next() {
		taken := slices.Contains(s.VIPs, a) || slices.ContainsFunc(s.Nodes, func(n lab.Node) bool { return n.Addresses[0].Addr() == a })
		if !taken {
			return netip.PrefixFrom(a, segment.Bits()), nil
		}
	}
	return netip.Prefix{}, fmt.Errorf("the segment %s has no free address for the client", segment.Masked())
}

// budgets of a directory's plans: every member has the same, so that any plan will do.
func (c *cli) budgets(dir string) []diff.Budget {
	conf, err := c.load(dir, &varFlags{})
	if err != nil || conf.diags.HasErrors() {
		return nil // applying the directory says what is wrong with it
	}
	for _, p := range conf.Plans {
		return diff.Budgets(p)
	}
	return nil
}

// labConversion turns the originals of an example into HCL again and says whether that
// is what stands beside them.
func (v *view) labConversion(dir string, conf *config) error {
	originals, err := filepath.Glob(filepath.Join(dir, "keepalived", "*.keepalived.conf"))
	if err != nil || len(originals) == 0 {
		return err
	}
	var files []keepalived.File
	for _, name := range originals {
		src, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		node := strings.TrimSuffix(filepath.Base(name), ".keepalived.conf")
		files = append(files, keepalived.File{Node: node, Name: name, Src: src})
	}
	written, err := filepath.Glob(filepath.Join(dir, "*.ha.hcl"))
	if err != nil || len(written) != 1 {
		return err
	}
	res, ds := keepalived.Convert(files, keepalived.Options{EnableMail: true, OutName: filepath.Base(written[0])})
	if ds.HasErrors() {
		return v.diagnostics(ds, nil)
	}
	src, err := os.ReadFile(written[0])
	if err != nil {
		return err
	}
	verdict := v.paint(green, "the same as "+written[0])
	if !bytes.Equal(src, res.HCL) {
		verdict = v.paint(yellow, "not the same as "+written[0]+", which is used")
	}
	v.line("%s %s: %s", v.paint(bold, "convert"), strings.Join(originals, ", "), verdict)
	return nil
}

// labPlan shows what the first node is about to get.
func (v *view) labPlan(conf *config) error {
	node := conf.Nodes[0].Name
	v.line("%s %s", v.paint(bold, "plan"), node)
	doc := planfile.New(planfile.Input{HafileVersion: version, Plan: conf.Plans[node], Diagnostics: diag.Diagnostics{}, Now: time.Now()})
	return v.plan(doc, render.Default, render.Facts{Host: "in the lab"}, "")
}
