package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"hafile/lang/diag"
	"hafile/lang/module"
	"hafile/modules"

	"hafile/examples"
)

// starters are what -example can name.
var starters = map[string]starter{
	"pair":          {examples.FS, "smallest"},
	"active-active": {modules.FS, "active-active/example"},
}

// starter is a directory of files.
type starter struct {
	fsys fs.FS
	dir  string
}

func (c *cli) initCommand() *cobra.Command {
	var example, from string
	cmd := &cobra.Command{
		Use:   "init [DIR]",
		Short: "Write files to start from",
		Long: "Write files to start from into DIR, the working directory by default. Nothing is overwritten, and no other\n" +
			"command needs this one.",
		Example: "  hafile init -example pair ha          two machines, one address\n" +
			"  hafile init -from hafile/database-vip ha   the example of a module that comes with hafile",
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return c.init(cmp.Or(target(args), "."), example, from)
		},
	}
	names := slices.Sorted(maps.Keys(starters))
	cmd.Flags().StringVar(&example, "example", "", "which `EXAMPLE`: "+strings.Join(names, ", ")+" (default pair)")
	cmd.Flags().StringVar(&from, "from", "", "the example of `MODULE`: "+strings.Join(moduleSources(), ", "))
	cmd.MarkFlagsMutuallyExclusive("example", "from")
	complete(cmd, "example", func(string) []string { return names })
	complete(cmd, "from", func(string) []string { return moduleSources() })
	return cmd
}

// moduleSources are the modules that come with hafile, as source names them.
func moduleSources() []string {
	entries, err := fs.ReadDir(modules.FS, ".")
	if err != nil {
		panic(err) // it is embedded
	}
	var names []string
	for _, e := range entries {
		names = append(names, module.LibraryPrefix+e.Name())
	}
	return names
}

func (c *cli) init(dir, example, from string) error {
	s, err := starterOf(example, from)
	if err != nil {
		return err
	}
	files, err := fs.Glob(s.fsys, s.dir+"/*.hcl")
	if err != nil || len(files) == 0 {
		return fmt.Errorf("%s is empty: %w", s.dir, err)
	}
	for _, name := range files {
		name = filepath.Join(dir, path.Base(name))
		if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s exists already: init overwrites nothing", name)
		}
	}
	if present, _ := filepath.Glob(filepath.Join(dir, "*.ha.hcl")); len(present) > 0 { // a pattern without mistakes
		return fmt.Errorf("%s has %s already, and all files of a directory are one configuration: name another directory", dir, filepath.Base(present[0]))
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	v := c.view()
	for _, name := range files {
		src, err := fs.ReadFile(s.fsys, name)
		if err != nil {
			return err
		}
		name = filepath.Join(dir, path.Base(name))
		if err := writeFile(name, src, 0o644); err != nil {
			return err
		}
		v.line("wrote %s", name)
	}
	where := ""
	if dir != "." {
		where = " " + dir
	}
	v.line("Put your addresses in, then: hafile validate%s; hafile test%s; hafile plan%s -node NAME", where, where, where)
	return nil
}

func starterOf(example, from string) (starter, error) {
	if from == "" {
		name := cmp.Or(example, "pair")
		s, known := starters[name]
		if !known {
			return s, unknownStarter("example", name, slices.Sorted(maps.Keys(starters)))
		}
		return s, nil
	}
	from = strings.TrimPrefix(from, module.LibraryPrefix)
	if !slices.Contains(moduleSources(), module.LibraryPrefix+from) {
		return starter{}, unknownStarter("module", module.LibraryPrefix+from, moduleSources())
	}
	return starter{modules.FS, from + "/example"}, nil
}

func unknownStarter(what, name string, names []string) error {
	if near := diag.Nearest(name, names); near != "" {
		return fmt.Errorf("there is no %s %q: did you mean %q?", what, name, near)
	}
	return fmt.Errorf("there is no %s %q: there are %s", what, name, strings.Join(names, ", "))
}
