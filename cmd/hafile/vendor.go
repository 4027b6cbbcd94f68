package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"hafile/lang/vendored"
)

// vendorOptions are those of `hafile vendor`.
type vendorOptions struct {
	source, tag, within, out string
	force                    bool
}

func (c *cli) vendorCommand() *cobra.Command {
	var o vendorOptions
	cmd := &cobra.Command{
		Use:   "vendor GIT-URL TAG",
		Short: "Copy a module from a git repository into this one, with a recorded digest",
		Long: "Copy a module from a git repository into this one. The copy is called as source = \"./vendor/NAME\"; every\n" +
			"command that compiles refuses it when it is no longer what was copied. Needs git.",
		Example: "  hafile vendor https://git.example.net/ha-modules.git v1.2 -path modules/proxy",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.source, o.tag = args[0], args[1]
			return c.vendor(cmd.Context(), &o)
		},
	}
	cmd.Flags().StringVar(&o.within, "path", "", "copy `DIR` of the repository only")
	cmd.Flags().StringVar(&o.out, "out", "", "copy to `DIR` (default vendor/NAME)")
	cmd.Flags().BoolVar(&o.force, "force", false, "overwrite a copy that was changed here")
	return cmd
}

func (c *cli) vendor(ctx context.Context, o *vendorOptions) error {
	v := c.view()
	within := path.Clean("/" + filepath.ToSlash(o.within))[1:]
	if o.out == "" {
		name := path.Base(strings.TrimSuffix(strings.TrimRight(o.source, "/"), ".git"))
		if within != "" {
			name = path.Base(within)
		}
		o.out = filepath.Join("vendor", name)
	}
	if err := o.overwritable(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "hafile-vendor-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	commit, err := clone(ctx, o.source, o.tag, dir)
	if err != nil {
		return err
	}
	// The root keeps a link in the source from leading to a file of this machine.
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	from := within
	if from == "" {
		from = "."
	}
	files, err := vendored.Read(root.FS(), from)
	switch {
	case err != nil:
		return fmt.Errorf("%s at %s: %w", o.source, o.tag, err)
	case len(files) == 0:
		return fmt.Errorf("%s at %s has nothing in %s", o.source, o.tag, from)
	}
	record := vendored.New(o.source, o.tag, commit, within, files)
	if err := o.write(files, record); err != nil {
		return err
	}
	v.line("Copied %s of %s (%s) to %s: %s, digest %s.", o.tag, o.source, commit[:min(12, len(commit))], o.out, plural(len(files), "file"), record.Digest[:19])
	v.line("Call it with source = %q, and commit it.", "./"+filepath.ToSlash(o.out))
	return nil
}

// overwritable refuses to overwrite what somebody made or changed here.
func (o *vendorOptions) overwritable() error {
	if _, err := os.Lstat(o.out); errors.Is(err, os.ErrNotExist) || o.force {
		return nil
	}
	fsys := os.DirFS(o.out)
	record, err := vendored.Load(fsys, ".")
	if err == nil && record == nil {
		err = errors.New("it was not made by hafile vendor")
	}
	if err == nil {
		var files map[string][]byte
		if files, err = vendored.Read(fsys, "."); err == nil {
			if changed := record.Changed(files); len(changed) > 0 {
				err = errors.New(strings.Join(changed, ", "))
			}
		}
	}
	if err != nil {
		return fmt.Errorf("%s is there already: %w. Use another -out, or -force", o.out, err)
	}
	return nil
}

// clone gets one tag and says which commit it is. A branch is refused: it would be
// something else tomorrow.
func clone(ctx context.Context, source, tag, dir string) (commit string, err error) {
	if strings.HasPrefix(source, "-") || strings.HasPrefix(tag, "-") {
		return "", errors.New("a source and a tag do not begin with a dash")
	}
	if _, err := git(ctx, "clone", "--quiet", "--depth=1", "--no-recurse-submodules", "--branch="+tag, "--", source, dir); err != nil {
		return "", err
	}
	commit, err = git(ctx, "-C", dir, "rev-parse", "--verify", "--quiet", "refs/tags/"+tag+"^{commit}")
	if err != nil {
		return "", fmt.Errorf("%s of %s is no tag: what is copied must be the same tomorrow", tag, source)
	}
	return commit, nil
}

// git runs git without questions, without the user's hooks and with plain transports
// only: ext:: runs a program.
func git(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-c", "core.hooksPath=/dev/null", "-c", "core.autocrlf=false", "-c", "advice.detachedHead=false"}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_TERMINAL_PROMPT=0", "GIT_ALLOW_PROTOCOL=file:git:http:https:ssh", "LC_ALL=C")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return "", errors.New("hafile vendor needs git, which is not installed")
	case err != nil:
		return "", fmt.Errorf("git: %s", strings.TrimSpace(errs.String()))
	}
	return strings.TrimSpace(out.String()), nil
}

// write makes the copy beside the old one and changes the two.
func (o *vendorOptions) write(files map[string][]byte, record vendored.Record) error {
	if err := os.MkdirAll(filepath.Dir(o.out), 0o755); err != nil {
		return err
	}
	fresh, err := os.MkdirTemp(filepath.Dir(o.out), ".hafile-vendor-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(fresh)
	raw, err := json.MarshalIndent(record, "", "  ")
	if err != nil {
		return err
	}
	all := map[string][]byte{vendored.File: append(raw, '\n')}
	for name, src := range files {
		all[name] = src
	}
	for name, src := range all {
		name = filepath.Join(fresh, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, src, 0o644); err != nil {
			return err
		}
	}
	if err := os.Chmod(fresh, 0o755); err != nil {
		return err
	}
	if err := os.RemoveAll(o.out); err != nil {
		return err
	}
	return os.Rename(fresh, o.out)
}
