package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes the test binary also the program: scripts and the machines of the lab
// run the real main out of it.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"hafile": main})
}

// hafile is a path under which the test binary is the program.
func hafile(t testing.TB) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "hafile")
	if err := os.Symlink(self, link); err != nil {
		t.Fatal(err)
	}
	return link
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script", RequireExplicitExec: true, UpdateScripts: *update})
}
