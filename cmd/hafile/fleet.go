package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"hafile/lang/planfile"
)

// fleetFile is the name of the summary beside the plans of a fleet.
const fleetFile = "fleet.json"

// planExtension is that of the plans in a directory.
const planExtension = ".plan"

// planAll makes the plan of every node that runs hafile.
func (c *cli) planAll(ctx context.Context, target string, o *planOnly) error {
	v := c.view()
	if o.node != "" {
		return errors.New("-all is for every node, -node for one: use one of them")
	}
	if len(o.against) == 0 || slices.Contains(o.against, "daemon") {
		return errors.New("a daemon knows its own node only: compare a fleet with -against git:REF, DIR, STATUS.json, or none for empty nodes")
	}
	docs, a, conf, err := c.fleetPlans(ctx, v, target, &o.planOptions, o.expires)
	if err != nil {
		return err
	}
	fleet := planfile.NewFleet(docs, time.Now())
	fleet.HafileVersion, fleet.Against, fleet.Gone = version, a.words, a.gone(conf)
	if o.out != "" {
		if err := saveFleet(o.out, fleet, docs, o.inline); err != nil {
			return err
		}
	}
	if err := v.fleet(fleet, docs, o); err != nil {
		return err
	}
	return o.verdict(docs...)
}

func (c *cli) fleetPlans(ctx context.Context, v *view, target string, o *planOptions, life time.Duration) ([]*planfile.Document, *against, *config, error) {
	conf, err := c.compiled(v, target, &o.vars, nil)
	if err != nil {
		return nil, nil, nil, err
	}
	o.limited(conf)
	a, err := c.parseAgainst(o.against, target, &o.vars)
	if err != nil {
		return nil, nil, nil, err
	}
	var docs []*planfile.Document
	for _, n := range conf.Nodes {
		if n.Speaks != "" {
			continue // its own files say what it does
		}
		doc, _, err := c.planNode(ctx, v, conf, n.Name, a, life)
		if err != nil {
			return nil, nil, nil, err
		}
		docs = append(docs, doc)
	}
	return docs, a, conf, nil
}

// saveFleet writes NODE.plan for each node, and fleet.json last: a directory that has it is
// whole. Plans of nodes that are no more would be applied by mistake, and go.
func saveFleet(dir string, fleet *planfile.Fleet, docs []*planfile.Document, inline bool) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(dir, fleetFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	stale, err := filepath.Glob(filepath.Join(dir, "*"+planExtension))
	if err != nil {
		return err
	}
	for i, doc := range docs {
		name := doc.Node + planExtension
		if doc.Node != filepath.Base(doc.Node) || strings.HasPrefix(doc.Node, ".") {
			return fmt.Errorf("the name of node %q is no name of a file: save its plan with -node and -out FILE", doc.Node)
		}
		if err := savePlan(filepath.Join(dir, name), doc, inline); err != nil {
			return err
		}
		fleet.Nodes[i].File = name
		stale = slices.DeleteFunc(stale, func(s string) bool { return filepath.Base(s) == name })
	}
	for _, name := range stale {
		if _, err := readPlanFile(name); err != nil {
			continue // not one of ours
		}
		if err := os.Remove(name); err != nil {
			return err
		}
	}
	raw, err := json.MarshalIndent(fleet, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, fleetFile), append(raw, '\n'), 0o644)
}

// readFleet reads a directory of plans. Without fleet.json the plans themselves say all
// but what they were compared with.
func readFleet(dir string) (*planfile.Fleet, []*planfile.Document, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*"+planExtension))
	if err != nil {
		return nil, nil, err
	}
	if len(names) == 0 {
		return nil, nil, fmt.Errorf("there is no plan in %s: hafile plan -all -out %s writes them", dir, dir)
	}
	var docs []*planfile.Document
	for _, name := range names {
		doc, err := readPlanFile(name)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
		docs = append(docs, doc)
	}
	fleet := planfile.NewFleet(docs, docs[0].Created)
	raw, err := os.ReadFile(filepath.Join(dir, fleetFile))
	if errors.Is(err, os.ErrNotExist) {
		return fleet, docs, nil
	}
	var written planfile.Fleet
	if err == nil {
		err = json.Unmarshal(raw, &written)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", filepath.Join(dir, fleetFile), err)
	}
	for i := range written.Nodes {
		at := slices.IndexFunc(fleet.Nodes, func(n planfile.FleetNode) bool { return n.Node == written.Nodes[i].Node })
		if at < 0 || fleet.Nodes[at].Digest != written.Nodes[i].Digest {
			return nil, nil, fmt.Errorf("%s does not fit the plans beside it (%s): make them anew with hafile plan -all -out %s", fleetFile, written.Nodes[i].Node, dir)
		}
	}
	fleet.Against, fleet.Gone = written.Against, written.Gone
	return fleet, docs, nil
}

func readPlanFile(name string) (*planfile.Document, error) {
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return planfile.Read(bytes.NewReader(raw))
}
