package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"hafile/lang"
	"hafile/lang/diag"
	"hafile/lang/diff"
	"hafile/lang/plan"
	"hafile/lang/planfile"
	"hafile/lang/revision"
	"hafile/runtime/control"
	"hafile/runtime/host"
)

// against is what a plan is compared with. The zero value is the daemon of this machine.
type against struct {
	words    []string
	nothing  bool                           // every node is empty
	base     *config                        // compiled: another directory, or a commit
	statuses map[string]*control.StatusFile // saved, by node
}

// isDaemon reports whether this machine's daemon is asked.
func (a *against) isDaemon() bool { return !a.nothing && a.base == nil && a.statuses == nil }

// parseAgainst reads -against. Two may stand together: one that says what runs, and a
// saved status that says in which roles.
func (c *cli) parseAgainst(words []string, target string, vars *varFlags) (*against, error) {
	a := &against{words: words}
	for _, w := range words {
		if err := a.add(c, w, target, vars); err != nil {
			return nil, fmt.Errorf("-against %s: %w", w, err)
		}
	}
	switch {
	case a.nothing && len(words) > 1, slices.Contains(words, "daemon") && len(words) > 1:
		return nil, errors.New("-against daemon and -against none stand alone")
	case a.base != nil && a.base.diags.HasErrors():
		if err := c.view().diagnostics(a.base.diags, a.base.sources); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("-against %s: it does not compile; compare with something that does", strings.Join(words, " "))
	}
	return a, nil
}

func (a *against) add(c *cli, w, target string, vars *varFlags) (err error) {
	rev, isGit := strings.CutPrefix(w, "git:")
	switch {
	case w == "daemon":
		return nil
	case w == "none":
		a.nothing = true
		return nil
	case !isGit && strings.HasSuffix(w, ".json") && !strings.HasSuffix(w, ".ha.json"):
		return a.addStatuses(w)
	case a.base != nil:
		return errors.New("something else to compare with was named already")
	case isGit:
		a.base, err = c.loadRevision(target, rev, vars)
	default:
		a.base, err = c.load(w, vars)
	}
	return err
}

// addStatuses reads what `hafile status -json` printed, of one node or of several, one
// after another.
func (a *against) addStatuses(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if a.statuses == nil {
		a.statuses = map[string]*control.StatusFile{}
	}
	for dec := json.NewDecoder(f); ; {
		s := &control.StatusFile{}
		switch err := dec.Decode(s); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("this is not what hafile status -json prints: %w", err)
		}
		if err := control.FormatKnown(s.FormatVersion); err != nil {
			return err
		}
		if s.Node == "" {
			return errors.New("it is of a daemon that has not been told which node it is, or not a status")
		}
		a.statuses[s.Node] = s
	}
}

// loadRevision compiles the target as it was in a commit. Where the commit has no such
// directory, it has no nodes.
func (c *cli) loadRevision(target, rev string, vars *varFlags) (*config, error) {
	if target == "-" {
		return nil, errors.New("standard input is in no commit: name a directory")
	}
	info, err := os.Stat(orHere(target))
	if err != nil {
		return nil, err
	}
	dir := orHere(target)
	if !info.IsDir() {
		dir = filepath.Dir(dir)
	}
	p, err := openPlace(dir)
	if err != nil {
		return nil, err
	}
	defer p.root.Close()
	tree, err := revision.Open(dir, rev)
	if err != nil {
		return nil, err
	}
	name := p.rel
	if !info.IsDir() {
		name = path.Join(p.rel, filepath.Base(target))
	}
	if _, err := fs.Stat(tree, name); errors.Is(err, fs.ErrNotExist) {
		return newConfig(p, target, vars, &lang.Result{}, nil), nil
	}
	compile := func(in lang.Inputs) (*lang.Result, diag.Diagnostics) { return lang.Compile(tree, p.rel, in) }
	if !info.IsDir() {
		compile = func(in lang.Inputs) (*lang.Result, diag.Diagnostics) {
			return lang.CompileFiles(tree, []string{name}, in)
		}
	}
	res, ds := compile(c.inputs(vars))
	return newConfig(p, target, vars, res, ds), nil
}

func orHere(target string) string {
	if target == "" {
		return "."
	}
	return target
}

// running is what a node runs, as far as is known; nil: an empty node that nobody asked.
func (a *against) running(ctx context.Context, c *cli, node string) (*planfile.Running, *control.Status, error) {
	switch {
	case a.isDaemon():
		client := control.NewClient(c.socket)
		defer client.Close()
		return askRunning(ctx, client)
	case a.nothing:
		return nil, nil, nil
	case a.statuses == nil:
		return &planfile.Running{Node: node, Plan: a.base.Plans[node], Present: diff.Present{Assumed: true}}, nil, nil
	}
	s := a.statuses[node]
	if s == nil {
		if a.base == nil {
			return nil, nil, fmt.Errorf("no status of node %s was given: save it there with hafile status -json -with-plan", node)
		}
		return &planfile.Running{Node: node, Plan: a.base.Plans[node], Present: diff.Present{Assumed: true}}, nil, nil
	}
	r, err := a.observed(s)
	return r, nil, err
}

// observed is a saved status, with the plan that it carries or that was compiled for it.
func (a *against) observed(s *control.StatusFile) (*planfile.Running, error) {
	r := runningOf(&s.Status)
	if s.Plan == nil {
		return r, nil
	}
	r.Serial, r.Since, r.By = s.Plan.Serial, s.Plan.Since, s.Plan.By
	if r.Plan = s.Running; r.Plan == nil && a.base != nil {
		r.Plan = a.base.Plans[s.Node]
	}
	switch {
	case r.Plan == nil:
		return nil, fmt.Errorf("the status of %s does not say what runs there: save it with hafile status -json -with-plan, or name the configuration that runs with a second -against", s.Node)
	case r.Plan.Digest() != s.Plan.Digest:
		return nil, &control.Problem{
			Exit: planfile.ExitStale, Code: planfile.CodeConfigMoved, Summary: fmt.Sprintf("%s does not run what it is compared with", s.Node),
			Detail: fmt.Sprintf("its status says plan %d (%s), the configuration compiles to %s; compare with what was applied there",
				s.Plan.Serial, planfile.Short(s.Plan.Digest), planfile.Short(r.Plan.Digest())),
		}
	}
	return r, nil
}

// gone are nodes that run something and that the configuration has no more.
func (a *against) gone(conf *config) []string {
	var names []string
	note := func(node string) {
		if _, stays := conf.Plans[node]; !stays && !slices.Contains(names, node) {
			names = append(names, node)
		}
	}
	if a.base != nil {
		for node := range a.base.Plans {
			note(node)
		}
	}
	for node := range a.statuses {
		note(node)
	}
	slices.Sort(names)
	return names
}

// runningOf is a status in the form in which plans are compared with it, without the plan.
func runningOf(s *control.Status) *planfile.Running {
	r := &planfile.Running{
		Node: s.Node, Lineage: s.Lineage,
		Present: diff.Present{Roles: map[plan.Addr]string{}, Checks: map[plan.Addr]plan.CheckState{}},
	}
	for _, in := range s.Instances {
		r.Present.Roles[in.Address] = in.Role
	}
	r.Peers = control.PeersOf(s.Members)
	for _, check := range s.Checks {
		r.Present.Checks[check.Address] = plan.CheckState(check.State)
	}
	return r
}

// askRunning is what a daemon runs at present.
func askRunning(ctx context.Context, client *control.Client) (*planfile.Running, *control.Status, error) {
	status, err := client.Status(ctx)
	if err != nil {
		return nil, nil, err
	}
	r := runningOf(status)
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

// selectNode says which node of the configuration this machine is.
func selectNode(conf *lang.Result, explicit string) (string, error) {
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
