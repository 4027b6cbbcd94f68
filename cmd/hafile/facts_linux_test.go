package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hafile/lang/plan"
	"hafile/runtime/control"
)

// A plan on the machine looks at its programs: one that others can replace is a warning
// before apply refuses it; one that is safe, or missing, is none.
func TestPlanWarnsOfProgramsThatOthersCanReplace(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("what the daemon would refuse is known to root only")
	}
	open := filepath.Join(t.TempDir(), "check.sh")
	if err := os.WriteFile(open, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	p := &plan.Plan{Node: "lb1"}
	for name, path := range map[string]string{"open": open, "safe": "/bin/true", "missing": "/nowhere/check"} {
		c := plan.DefaultCheck()
		c.Address, c.Script = plan.Addr("script."+name), &plan.Script{Command: []string{path}, User: "root"}
		p.Desired.Checks = append(p.Desired.Checks, c)
	}
	ds := unsafePrograms(p, &control.Status{})
	if len(ds) != 1 || ds[0].Code != "HA2201" || ds[0].Address != "script.open" || !strings.Contains(ds[0].Summary, open) {
		t.Errorf("%+v", ds)
	}
	if ds := unsafePrograms(p, nil); len(ds) != 0 {
		t.Errorf("a plan for another machine is told of this one: %v", ds)
	}
}
