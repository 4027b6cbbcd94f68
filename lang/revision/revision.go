// Package revision reads one commit of a git repository as a file system, in memory and
// through the git program. It checks nothing out: what lies in the working tree, in the
// index and in .gitattributes has no part in what a commit contains.
package revision

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// sizeMax is more than any file of a configuration may have, in bytes; see lang/module.
const sizeMax = 64 << 20

// Tree is a commit. It reads a file when it is opened; links and submodules do not exist
// in it, so that nothing outside of the commit is read.
type Tree struct {
	Commit string // the full hash
	dir    string
	files  map[string]entry
	dirs   map[string][]string // names in a directory, sorted
}

type entry struct {
	hash string
	size int64
	link bool
}

// Open resolves a revision (a branch, a tag, a hash, HEAD~2) of the repository that dir
// lies in. The names of the tree begin at the repository's top.
func Open(dir, rev string) (*Tree, error) {
	out, err := git(dir, "rev-parse", "--verify", "--quiet", "--end-of-options", rev+"^{commit}")
	if err != nil {
		if _, exited := errors.AsType[*exec.ExitError](err); exited { // git said nothing
			err = errors.New("git finds none of that name")
		}
		return nil, fmt.Errorf("%q is no commit of the repository around %s: %w", rev, dir, err)
	}
	t := &Tree{Commit: strings.TrimSpace(string(out)), dir: dir, files: map[string]entry{}, dirs: map[string][]string{".": nil}}
	list, err := git(dir, "ls-tree", "-r", "-z", "--long", "--full-tree", t.Commit)
	if err != nil {
		return nil, fmt.Errorf("list the files of %s: %w", rev, err)
	}
	if err := t.list(string(list)); err != nil {
		return nil, fmt.Errorf("list the files of %s: %w", rev, err)
	}
	return t, nil
}

// list reads "100644 blob HASH SIZE\tNAME", each ended by a zero byte.
func (t *Tree) list(out string) error {
	for line := range strings.SplitSeq(out, "\x00") {
		if line == "" {
			continue
		}
		head, name, ok := strings.Cut(line, "\t")
		words := strings.Fields(head)
		if !ok || len(words) != 4 || !fs.ValidPath(name) {
			return fmt.Errorf("git answers %.100q", line)
		}
		if words[1] != "blob" {
			continue // a submodule
		}
		size, err := strconv.ParseInt(words[3], 10, 64)
		if err != nil {
			return fmt.Errorf("git answers %.100q", line)
		}
		t.add(name, entry{hash: words[2], size: size, link: words[0] == "120000"})
	}
	for _, names := range t.dirs {
		slices.Sort(names)
	}
	return nil
}

func (t *Tree) add(name string, e entry) {
	t.files[name] = e
	for name != "." {
		dir := path.Dir(name)
		_, known := t.dirs[dir]
		t.dirs[dir] = append(t.dirs[dir], path.Base(name))
		if known {
			return
		}
		name = dir
	}
}

// Open reads a file, or a directory.
func (t *Tree) Open(name string) (fs.File, error) {
	fail := func(err error) (fs.File, error) { return nil, &fs.PathError{Op: "open", Path: name, Err: err} }
	if !fs.ValidPath(name) {
		return fail(fs.ErrInvalid)
	}
	if names, is := t.dirs[name]; is {
		return &folder{tree: t, name: name, names: names}, nil
	}
	e, is := t.files[name]
	switch {
	case !is:
		return fail(fs.ErrNotExist)
	case e.link:
		return fail(errors.New("a symbolic link is not followed in a commit"))
	case e.size > sizeMax:
		return fail(fmt.Errorf("larger than %d bytes", sizeMax))
	}
	body, err := git(t.dir, "cat-file", "blob", e.hash)
	if err != nil {
		return fail(err)
	}
	return &file{Reader: *bytes.NewReader(body), info: t.info(name)}, nil
}

func (t *Tree) info(name string) info {
	e, is := t.files[name]
	i := info{name: path.Base(name), size: e.size, mode: 0o444}
	switch {
	case !is:
		i.mode = fs.ModeDir | 0o555
	case e.link:
		i.mode |= fs.ModeSymlink
	}
	return i
}

// git runs the program without what could make it ask, page or colour.
func git(dir string, args ...string) ([]byte, error) {
	cmd := exec.Command("git", append([]string{"-C", dir}, args...)...)
	var out, problem bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problem
	err := cmd.Run()
	if said := strings.TrimSpace(problem.String()); err != nil && said != "" {
		err = errors.New(said)
	}
	return out.Bytes(), err
}

type file struct {
	bytes.Reader
	info info
}

func (f *file) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *file) Close() error               { return nil }

type folder struct {
	tree  *Tree
	name  string
	names []string
}

func (d *folder) Stat() (fs.FileInfo, error) { return d.tree.info(d.name), nil }
func (d *folder) Close() error               { return nil }

func (d *folder) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.name, Err: errors.New("a directory")}
}

// ReadDir is for fs.ReadDir, which asks once and for everything.
func (d *folder) ReadDir(int) ([]fs.DirEntry, error) {
	var all []fs.DirEntry
	for _, name := range d.names {
		all = append(all, fs.FileInfoToDirEntry(d.tree.info(path.Join(d.name, name))))
	}
	d.names = nil
	return all, nil
}

type info struct {
	name string
	size int64
	mode fs.FileMode
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) Mode() fs.FileMode  { return i.mode }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) IsDir() bool        { return i.mode.IsDir() }
func (i info) Sys() any           { return nil }
