package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestHelpIsWhatIsWritten: the help of every command is a golden file, so that a change
// of it is read before it is shipped. Options are written with one dash.
func TestHelpIsWhatIsWritten(t *testing.T) {
	t.Setenv("HAFILE_SOCKET", "")
	c := &cli{}
	names := []string{""}
	for _, cmd := range commands(c.root()) {
		names = append(names, cmd.Name())
	}
	for _, name := range names {
		var out, errs bytes.Buffer
		args := []string{"-help"}
		if name != "" {
			args = []string{name, "-help"}
		}
		if code := run(t.Context(), args, streams{strings.NewReader(""), &out, &errs}); code != exitOK || errs.Len() > 0 {
			t.Errorf("%s: exit code %d, %s", name, code, &errs)
		}
		file := strings.TrimSuffix("testdata/help/hafile-"+name, "-") + ".txt"
		golden(t, file, out.Bytes())
		if strings.Contains(out.String(), " --") {
			t.Errorf("%s shows an option with two dashes", name)
		}
	}
	present, err := filepath.Glob("testdata/help/*.txt")
	if err != nil || len(present) != len(names) {
		t.Errorf("%d help texts for %d commands: %v", len(present), len(names), err)
	}
}

// TestDocsOfCommandsAreTheirHelp: docs/commands.md is made from what -help prints.
func TestDocsOfCommandsAreTheirHelp(t *testing.T) {
	t.Setenv("HAFILE_SOCKET", "")
	c := &cli{}
	var b strings.Builder
	b.WriteString("# Commands\n\n<!-- Made from the help texts by go test ./cmd/hafile -run DocsOfCommands -update. -->\n\n" +
		"Options take one dash or two. Every command takes `-chdir DIR`, `-color auto|always|never` and `-no-color`; `NO_COLOR` is heard.\n" +
		"The exit codes are in [exit-codes.md](exit-codes.md).\n")
	for _, cmd := range commands(c.root()) {
		var out bytes.Buffer
		run(t.Context(), []string{cmd.Name(), "-help"}, streams{strings.NewReader(""), &out, &out})
		text, _, _ := strings.Cut(out.String(), "\nGlobal Flags:")
		fmt.Fprintf(&b, "\n## hafile %s\n\n```\n%s\n```\n", cmd.Name(), strings.TrimSpace(text))
	}
	golden(t, root+"/docs/commands.md", []byte(b.String()))
}

// TestHelpNamesWhatEachCommandIsFor: a summary starts large, ends without a full stop
// and fits a line.
func TestHelpNamesWhatEachCommandIsFor(t *testing.T) {
	c := &cli{}
	for _, cmd := range commands(c.root()) {
		if s := cmd.Short; s == "" || s[0] < 'A' || s[0] > 'Z' || strings.HasSuffix(s, ".") || len(s) > 90 {
			t.Errorf("%s: %q", cmd.Name(), s)
		}
	}
}

// Every command that reads files of configuration takes -node from what they declare.
func TestNodesAreCompleted(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x.ha.hcl"), []byte("node \"lb1\" {}\nnode \"lb2\" {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	c := &cli{}
	found := 0
	for _, cmd := range commands(c.root()) {
		complete, ok := cmd.GetFlagCompletionFunc("node")
		if !ok {
			continue
		}
		found++
		names, _ := complete(cmd, nil, "")
		if len(names) != 2 || names[0] != cobra.Completion("lb1") {
			t.Errorf("%s: %v", cmd.Name(), names)
		}
	}
	if found < 3 {
		t.Errorf("only %d commands complete -node", found)
	}
}
