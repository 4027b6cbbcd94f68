package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"hafile/lang/diff"
	"hafile/lang/planfile"
	"hafile/runtime/rollout"
)

// planSource is where the plans of a rollout come from.
type planSource struct {
	nodes []string
	hosts map[string]string
	plan  func(rollout.Statuses) ([]*planfile.Document, error)
	bytes func(*planfile.Document) ([]byte, error)
}

// plansFor compiles the files, which also say how each node is reached. Saved plans are
// sent as they are, and refused by a daemon that they do not fit any more.
func (c *cli) plansFor(ctx context.Context, v *view, target string, o *rolloutOptions) (*planSource, error) {
	conf, err := c.compiled(v, target, &o.vars, nil)
	if err != nil {
		return nil, err
	}
	o.limited(conf)
	s := &planSource{hosts: map[string]string{}}
	for _, n := range conf.Nodes {
		if n.Speaks != "" || len(o.nodes) > 0 && !slices.Contains(o.nodes, n.Name) {
			continue
		}
		s.nodes = append(s.nodes, n.Name)
		switch {
		case n.SSH != "":
			s.hosts[n.Name] = n.SSH
		case n.IP.IsValid():
			s.hosts[n.Name] = n.IP.String()
		case n.IP6.IsValid():
			s.hosts[n.Name] = n.IP6.String()
		}
	}
	for _, name := range o.nodes {
		if !slices.Contains(s.nodes, name) {
			return nil, fmt.Errorf("-nodes: there is no node %q that runs hafile", name)
		}
	}
	if o.plans != "" {
		return s, s.saved(o)
	}
	s.plan = func(now rollout.Statuses) ([]*planfile.Document, error) {
		a := &against{statuses: now}
		var docs []*planfile.Document
		for _, node := range s.nodes {
			doc, _, err := c.planNode(ctx, v, conf, node, a, planfile.Lifetime)
			if err != nil {
				return nil, err
			}
			docs = append(docs, doc)
		}
		return docs, nil
	}
	s.bytes = func(d *planfile.Document) ([]byte, error) {
		var b bytes.Buffer
		err := planfile.Write(&b, d, o.inline)
		return b.Bytes(), planError(err)
	}
	return s, nil
}

// saved reads the plans of a directory, each once.
func (s *planSource) saved(o *rolloutOptions) error {
	var docs []*planfile.Document
	raw := map[string][]byte{}
	for _, node := range s.nodes {
		name := filepath.Join(o.plans, node+planExtension)
		body, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		doc, err := planfile.Read(bytes.NewReader(body))
		if err != nil {
			return planError(err)
		}
		if doc.Node != node {
			return fmt.Errorf("%s is the plan of %s", name, doc.Node)
		}
		if o.signed {
			sig, err := os.ReadFile(name + ".sig")
			if err != nil {
				return fmt.Errorf("%w: sign it with ssh-keygen -Y sign -n hafile-plan -f KEY %s", err, name)
			}
			body = append(body, sig...)
		}
		docs, raw[node] = append(docs, doc), body
	}
	s.plan = func(now rollout.Statuses) ([]*planfile.Document, error) {
		var left []*planfile.Document
		for _, d := range docs {
			r := runningOf(&now[d.Node].Status)
			c := *d
			c.Base.Assumed = false
			if c.Base.Roles = r.Present.Roles; now[d.Node].Plan != nil && now[d.Node].Plan.Digest == d.Digest {
				c.Changes, c.Summary = nil, diff.Summary{Worst: diff.None}
			}
			left = append(left, &c)
		}
		return left, nil
	}
	s.bytes = func(d *planfile.Document) ([]byte, error) { return raw[d.Node], nil }
	return nil
}
