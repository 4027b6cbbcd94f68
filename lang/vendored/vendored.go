// Package vendored knows modules that were copied into a repository from somewhere else:
// what was copied, from where, and whether it is still that. It copies nothing itself;
// `hafile vendor` does.
package vendored

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"hafile/lang/diag"
)

// File is the record's name in the directory that was copied.
const File = "hafile-vendor.json"

// Record is where a directory comes from and what it holds.
type Record struct {
	FormatVersion string `json:"format_version"`
	Source        string `json:"source"`         // as git was given it
	Tag           string `json:"tag"`            // of the source
	Commit        string `json:"commit"`         // that the tag was
	Path          string `json:"path,omitempty"` // within the source
	Digest        string `json:"digest"`         // of Files
	// Files has "sha256:…" of each file, by its path in the directory.
	Files map[string]string `json:"files"`
}

// filesMax and sizeMax are more than any module has.
const (
	filesMax = 2_000
	sizeMax  = 4 << 20
)

// Read lists what a directory holds, without the record. What is no plain file is
// refused: a link in a copy leads to something that was not copied.
func Read(fsys fs.FS, dir string) (map[string][]byte, error) {
	files := map[string][]byte{}
	err := fs.WalkDir(fsys, dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel := strings.TrimPrefix(strings.TrimPrefix(name, dir), "/")
		switch {
		case d.IsDir() && d.Name() == ".git" && rel != "":
			return fs.SkipDir
		case d.IsDir() || rel == File:
			return nil
		case !d.Type().IsRegular():
			return fmt.Errorf("%s is no plain file", rel)
		case len(files) == filesMax:
			return fmt.Errorf("there are more than %d files", filesMax)
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Size() > sizeMax {
			return fmt.Errorf("%s is larger than %d MiB", rel, sizeMax>>20)
		}
		files[rel], err = fs.ReadFile(fsys, name)
		return err
	})
	return files, err
}

// New records files.
func New(source, tag, commit, within string, files map[string][]byte) Record {
	r := Record{FormatVersion: "1.0", Source: source, Tag: tag, Commit: commit, Path: within, Files: map[string]string{}}
	for name, src := range files {
		sum := sha256.Sum256(src)
		r.Files[name] = "sha256:" + hex.EncodeToString(sum[:])
	}
	r.Digest = r.digest()
	return r
}

// digest is over the sorted list of names and their sums, so that two records are
// compared by one word.
func (r Record) digest() string {
	h := sha256.New()
	for _, name := range sorted(r.Files) {
		fmt.Fprintf(h, "%s  %s\n", r.Files[name], name)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

func sorted(m map[string]string) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Load reads the record of a directory; nil: there is none.
func Load(fsys fs.FS, dir string) (*Record, error) {
	name := path.Join(dir, File)
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, nil // not vendored
	}
	if info.Size() > sizeMax {
		return nil, fmt.Errorf("%s is larger than %d MiB", name, sizeMax>>20)
	}
	raw, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, err
	}
	var r Record
	if err := json.Unmarshal(raw, &r); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if r.Digest != r.digest() {
		return nil, fmt.Errorf("%s does not fit itself: it was edited", name)
	}
	return &r, nil
}

// Changed lists, in words, how a directory differs from its record.
func (r *Record) Changed(files map[string][]byte) []string {
	now := New(r.Source, r.Tag, r.Commit, r.Path, files)
	var out []string
	for _, name := range sorted(now.Files) {
		switch was, known := r.Files[name]; {
		case !known:
			out = append(out, name+" was added")
		case was != now.Files[name]:
			out = append(out, name+" was changed")
		}
	}
	for _, name := range sorted(r.Files) {
		if _, there := now.Files[name]; !there {
			out = append(out, name+" was removed")
		}
	}
	return out
}

// Check refuses copies that are no longer what was copied: the directories of the files
// that a configuration was compiled from, and those above them.
func Check(fsys fs.FS, files []string) diag.Diagnostics {
	var ds diag.Diagnostics
	seen := map[string]bool{}
	for _, name := range files {
		for dir := path.Dir(name); !seen[dir]; dir = path.Dir(dir) {
			seen[dir] = true
			if d := check(fsys, dir); d != nil {
				ds = append(ds, *d)
			}
		}
	}
	return ds
}

const shownMax = 5

func check(fsys fs.FS, dir string) *diag.Diagnostic {
	refuse := func(summary, detail string, args ...any) *diag.Diagnostic {
		return &diag.Diagnostic{
			Severity: diag.Error, Code: "HA1021", Summary: summary, Detail: fmt.Sprintf(detail, args...),
			Range: &diag.Range{Filename: path.Join(dir, File), Start: diag.Pos{Line: 1, Column: 1}, End: diag.Pos{Line: 1, Column: 1}},
		}
	}
	r, err := Load(fsys, dir)
	switch {
	case err != nil:
		return refuse("the record of a vendored module cannot be used", "%v. Copy the module again with hafile vendor.", err)
	case r == nil:
		return nil
	}
	files, err := Read(fsys, dir)
	if err != nil {
		return refuse("a vendored module cannot be read", "%v. Copy it again with hafile vendor.", err)
	}
	changed := r.Changed(files)
	if len(changed) == 0 {
		return nil
	}
	if n := len(changed) - shownMax; n > 0 {
		changed = append(changed[:shownMax], fmt.Sprintf("and %d more", n))
	}
	return refuse("a vendored module is not what was copied",
		"%s. It is %s of %s no longer. Copy it again with hafile vendor %s %s, or make it yours: remove %s.",
		strings.Join(changed, ", "), r.Tag, r.Source, r.Source, r.Tag, File)
}
