package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"hafile/lang"
	"hafile/lang/diag"
	"hafile/lang/eval"
	"hafile/lang/hatest"
	"hafile/lang/module"
	"hafile/lang/plan"
	"hafile/lang/story"
	"hafile/runtime/sim"
)

// testOptions are those of `hafile test`.
type testOptions struct {
	dir, run, junit string
	vars            varFlags
	verbose, asJSON bool
	seed            uint64
}

func (c *cli) testCommand() *cobra.Command {
	var o testOptions
	cmd := &cobra.Command{
		Use:   "test [DIR]",
		Short: "Play the stories of *.hatest.hcl on a simulated clock, and hold their claims",
		Long: "Play the runs of DIR/*.hatest.hcl and DIR/tests/*.hatest.hcl: real nodes on a simulated clock and network.\n" +
			"Needs neither root nor a network. Exits with 9 when a claim does not hold.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.dir = cmp.Or(target(args), ".")
			return c.test(cmd.Context(), &o)
		},
	}
	flags := cmd.Flags()
	o.vars.register(flags)
	flags.StringVar(&o.run, "run", "", "play the runs whose name `REGEXP` finds")
	flags.BoolVarP(&o.verbose, "verbose", "v", false, "print the timeline: events, changes of role, who has which VIP")
	flags.BoolVar(&o.asJSON, "json", false, "print the results as JSON")
	flags.StringVar(&o.junit, "junit", "", "write the results to `FILE` as JUnit XML too")
	flags.Uint64Var(&o.seed, "seed", 1, "seed of the little that is left to chance")
	return cmd
}

// tested is the result of one run.
type tested struct {
	Name     string            `json:"name"`
	File     string            `json:"file"`
	OK       bool              `json:"ok"`
	Seconds  float64           `json:"simulated_seconds"`
	Events   int               `json:"events"`
	Outcome  *story.Outcome    `json:"outcome,omitempty"`
	Failures []diag.Diagnostic `json:"failures,omitempty"`

	run *hatest.Run
}

func (c *cli) test(ctx context.Context, o *testOptions) error {
	v := c.view()
	only, err := regexp.Compile(o.run)
	if err != nil {
		return fmt.Errorf("-run %s: %w", o.run, err)
	}
	suite, err := c.stories(v, o.dir, "")
	if err != nil {
		return err
	}
	var runs []*hatest.Run
	for i := range suite.Runs {
		if only.MatchString(suite.Runs[i].Name) {
			runs = append(runs, &suite.Runs[i])
		}
	}
	if len(runs) == 0 {
		if o.run == "" {
			return fmt.Errorf("the test files of %s hold no run: write run \"NAME\" { ... } (docs/language.md has one)", o.dir)
		}
		return fmt.Errorf("no run has a name that %q finds", o.run)
	}
	if !o.asJSON {
		v.line("1..%d", len(runs))
	}
	var results []tested
	failed := 0
	for i, r := range runs {
		t, sources, err := c.testRun(ctx, v, o, suite, r)
		if err != nil {
			return err
		}
		if !t.OK {
			failed++
		}
		results = append(results, t)
		if !o.asJSON {
			if err := v.tested(i+1, &t, sources); err != nil {
				return err
			}
		}
	}
	if o.asJSON {
		err = v.document(map[string]any{"format_version": plan.FormatVersion, "seed": o.seed, "ok": failed == 0, "runs": results})
	} else {
		v.line("# %s, %d ok, %d failed", plural(len(runs), "run"), len(runs)-failed, failed)
	}
	if o.junit != "" && err == nil {
		err = writeFile(o.junit, junit(o.dir, results), 0o644)
	}
	if err == nil && failed > 0 {
		err = exit(exitPromise)
	}
	return err
}

// testRun compiles the configuration with the run's variables and plays the story. An
// error is one that no claim is about: the files themselves are wrong.
func (c *cli) testRun(ctx context.Context, v *view, o *testOptions, suite *hatest.Suite, r *hatest.Run) (tested, map[string][]byte, error) {
	t := tested{Name: r.Name, File: r.Range.Filename, Seconds: r.Until.Seconds(), Events: len(r.Events), run: r}
	vars := &varFlags{vars: slices.Clone(o.vars.vars)}
	if r.Variables != nil {
		vars.vars = append(vars.vars, lang.Var{File: "the variables of run " + r.Name, Data: r.Variables})
	}
	conf, err := c.load(o.dir, vars)
	if err != nil {
		return t, nil, err
	}
	sources := conf.sources
	for name, src := range suite.Files {
		sources[name] = src
	}
	switch {
	case len(r.Expect) > 0:
		t.Failures = r.Expected(conf.diags)
	case conf.diags.HasErrors() && r.Variables == nil:
		if err := v.diagnostics(conf.diags, sources); err != nil {
			return t, nil, err
		}
		return t, nil, exit(exitError)
	case conf.diags.HasErrors():
		t.Failures = conf.diags
	default:
		err = c.playSimulated(ctx, v, o, conf, vars, suite, &t)
	}
	t.OK = len(t.Failures) == 0
	return t, sources, err
}

// playSimulated plays a run whose configuration is good, and holds its claims.
func (c *cli) playSimulated(ctx context.Context, v *view, o *testOptions, conf *config, vars *varFlags, suite *hatest.Suite, t *tested) error {
	if t.run.Until > 0 {
		if lacking := unplayable(conf); len(lacking) > 0 {
			if err := v.diagnostics(lacking, conf.sources); err != nil {
				return err
			}
			return exit(exitError) // it is the same for every run
		}
		player := &sim.Player{Plans: conf.Plans, Seed: o.seed, Apply: func(dir string) (map[string]*plan.Plan, error) {
			return c.simulatedEdit(v, filepath.Join(o.dir, dir), vars)
		}}
		if o.verbose && !o.asJSON {
			player.Tell = v.moment
		}
		outcome, err := interruptible(ctx, func() (*story.Outcome, error) { return player.Play(&t.run.Run) })
		var code exit
		switch {
		case errors.As(err, &code):
			return code
		case ctx.Err() != nil:
			return errors.New("interrupted")
		case err != nil:
			t.Failures = diag.Diagnostics{{Severity: diag.Error, Code: "HA5002", Summary: "the story cannot be played", Detail: err.Error() + ".", Range: &t.run.Range}}
			return nil
		}
		t.Outcome = outcome
	}
	t.Failures = suite.Check(t.run, t.Outcome, conf.outputs())
	return nil
}

// interruptible leaves a story of years behind when somebody ends the command.
func interruptible(ctx context.Context, play func() (*story.Outcome, error)) (*story.Outcome, error) {
	type result struct {
		outcome *story.Outcome
		err     error
	}
	done := make(chan result, 1)
	go func() {
		outcome, err := play()
		done <- result{outcome, err}
	}()
	select {
	case r := <-done:
		return r.outcome, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// simulatedEdit compiles the directory that a story applies. Its warnings are not what the
// test is about.
func (c *cli) simulatedEdit(v *view, dir string, vars *varFlags) (map[string]*plan.Plan, error) {
	conf, err := c.load(dir, vars)
	if err != nil {
		return nil, err
	}
	if conf.diags.HasErrors() {
		if err := v.diagnostics(conf.diags, conf.sources); err != nil {
			return nil, err
		}
		return nil, exit(exitError)
	}
	if lacking := unplayable(conf); len(lacking) > 0 {
		return nil, fmt.Errorf("%s asks for what cannot be played yet: %s", dir, lacking[0].Summary)
	}
	return conf.Plans, nil
}

// unplayable is what this release's nodes cannot do. What they leave to others, a story
// decides itself: it says when a check fails, whatever that would have asked, and nobody
// asks for a status.
func unplayable(conf *config) diag.Diagnostics {
	var lacking diag.Diagnostics
	for _, n := range conf.Nodes {
		for _, d := range conf.Unsupported[n.Name] {
			asked := d.Address.Kind() == "check" && strings.HasPrefix(d.Summary, "a check of ")
			told := d.Address.Kind() == "notify"
			atApply := strings.HasPrefix(d.Summary, "a status address")
			if !asked && !told && !atApply {
				lacking = append(lacking, d)
			}
		}
	}
	return lacking.Dedup()
}

// outputs of the root module as JSON; a sensitive one is nil.
func (c *config) outputs() map[string][]byte {
	out := map[string][]byte{}
	for name, o := range c.Outputs {
		out[name] = o.Value
	}
	return out
}

// stories reads the test files of a directory, or the one that is named.
func (c *cli) stories(v *view, dir, one string) (*hatest.Suite, error) {
	names := []string{one}
	if one == "" {
		var err error
		if names, err = storyFiles(dir); err != nil {
			return nil, err
		}
	}
	files := map[string][]byte{}
	var ds diag.Diagnostics
	for _, name := range names {
		src, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		files[name] = src
		if d := module.Check(name, src); d != nil {
			ds = append(ds, *d)
		}
	}
	suite := &hatest.Suite{}
	if !ds.HasErrors() {
		suite, ds = hatest.Parse(names, files, eval.Functions())
	}
	if err := v.diagnostics(ds, files); err != nil {
		return nil, err
	}
	if ds.HasErrors() {
		return nil, exit(exitError)
	}
	return suite, nil
}

func storyFiles(dir string) ([]string, error) {
	var names []string
	for _, pattern := range []string{"*.hatest.hcl", "tests/*.hatest.hcl"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return nil, err
		}
		names = append(names, found...)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s has no *.hatest.hcl: there is no story to play", dir)
	}
	return names, nil
}
