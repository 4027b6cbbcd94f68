package main

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"hafile/lang/format"
)

// fmtOptions are those of `hafile fmt`.
type fmtOptions struct {
	check, diff, recursive, write, list bool
}

func (c *cli) fmtCommand() *cobra.Command {
	var o fmtOptions
	cmd := &cobra.Command{
		Use:   "fmt [PATH...|-]",
		Short: "Give files their canonical layout",
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{"."}
			}
			return c.format(args, o)
		},
	}
	cmd.Flags().BoolVar(&o.check, "check", false, "write nothing; exit 3 when a file differs")
	cmd.Flags().BoolVar(&o.diff, "diff", false, "print what changes as a patch")
	cmd.Flags().BoolVar(&o.recursive, "recursive", false, "go into directories below")
	cmd.Flags().BoolVar(&o.write, "write", true, "write the files")
	cmd.Flags().BoolVar(&o.list, "list", true, "print the names of files that differ")
	return cmd
}

func (c *cli) format(paths []string, o fmtOptions) error {
	v := c.view()
	if slices.Equal(paths, []string{"-"}) {
		return c.formatStdin(v, o)
	}
	files, err := formattable(paths, o.recursive)
	if err != nil {
		return err
	}
	differs, broken := 0, false
	for _, name := range files {
		src, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		formatted, ds := format.Format(src, name)
		if ds.HasErrors() {
			if err := v.diagnostics(ds, map[string][]byte{name: src}); err != nil {
				return err
			}
			broken = true
			continue
		}
		if bytes.Equal(src, formatted) {
			continue
		}
		differs++
		if err := c.formatted(v, name, src, formatted, o); err != nil {
			return err
		}
	}
	switch {
	case broken:
		return exit(exitError)
	case o.check && differs > 0:
		v.note("%s not in canonical layout: run hafile fmt", plural(differs, "file"))
		return exit(exitDiffers)
	}
	return nil
}

// formatted shows and writes one file that differs.
func (c *cli) formatted(v *view, name string, src, formatted []byte, o fmtOptions) error {
	if o.list {
		v.line("%s", name)
	}
	if o.diff {
		v.patch(name, src, formatted)
	}
	if o.check || !o.write {
		return nil
	}
	return replaceFile(name, formatted)
}

func (c *cli) formatStdin(v *view, o fmtOptions) error {
	src, err := io.ReadAll(v.in)
	if err != nil {
		return err
	}
	formatted, ds := format.Format(src, "stdin")
	if ds.HasErrors() {
		if err := v.diagnostics(ds, map[string][]byte{"stdin": src}); err != nil {
			return err
		}
		return exit(exitError)
	}
	switch {
	case o.diff:
		v.patch("stdin", src, formatted)
	case !o.check:
		v.printf("%s", formatted)
	}
	if o.check && !bytes.Equal(src, formatted) {
		v.note("standard input is not in canonical layout: run hafile fmt")
		return exit(exitDiffers)
	}
	return nil
}

// patch prints a difference that patch(1) takes.
func (v *view) patch(name string, before, after []byte) {
	v.printf("%s", diff.Diff("a/"+name, before, "b/"+name, after))
}

// formattable lists the files that paths name: a file as it is, a directory by its
// files in HCL.
func formattable(paths []string, recursive bool) ([]string, error) {
	var files []string
	for _, root := range paths {
		info, err := os.Stat(root)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			if !isHCL(root) {
				return nil, fmt.Errorf("%s is none of *.ha.hcl, *.havars.hcl, *.hatest.hcl: only those have a layout", root)
			}
			files = append(files, root)
			continue
		}
		err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && path != root && (!recursive || strings.HasPrefix(d.Name(), ".")):
				return fs.SkipDir
			case !d.IsDir() && isHCL(path):
				files = append(files, path)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}

func isHCL(name string) bool {
	for _, suffix := range []string{".ha.hcl", ".havars.hcl", ".hatest.hcl"} {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return false
}

// replaceFile writes a file whole or not at all, with the mode it had.
func replaceFile(name string, body []byte) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	return writeFile(name, body, info.Mode().Perm())
}

// writeFile writes a file whole or not at all.
func writeFile(name string, body []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails after the rename, as it should
	_, err = f.Write(body)
	if err == nil {
		err = f.Chmod(mode)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
