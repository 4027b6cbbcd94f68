package revision

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// repository has one commit of what files says, by name; "->x" is a link to x.
func repository(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, body := range files {
		path := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if err == nil && len(body) > 2 && body[:2] == "->" {
			err = os.Symlink(body[2:], path)
		} else if err == nil {
			err = os.WriteFile(path, []byte(body), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	run(t, dir, "init", "-q", "-b", "main")
	run(t, dir, "add", "-A")
	run(t, dir, "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-q", "-m", "one")
	return dir
}

func run(t *testing.T, dir string, args ...string) {
	t.Helper()
	if out, err := exec.Command("git", append([]string{"-C", dir}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

func TestACommitIsReadAsItWas(t *testing.T) {
	dir := repository(t, map[string]string{
		"ha/a.hcl": "one", "ha/deep/er/b.hcl": "two\n", "top": "3", "name with blank": "4", "empty": "",
		".gitattributes": "ha/a.hcl export-ignore\ntop export-subst\n", "out": "->/etc/passwd",
	})
	if err := os.WriteFile(filepath.Join(dir, "ha/a.hcl"), []byte("edited"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, rev := range []string{"main", "HEAD"} {
		tree, err := Open(filepath.Join(dir, "ha", "deep"), rev)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{"ha/a.hcl": "one", "ha/deep/er/b.hcl": "two\n", "name with blank": "4", "empty": ""} {
			if got, err := fs.ReadFile(tree, name); err != nil || string(got) != want {
				t.Errorf("%s is %q, %v", name, got, err)
			}
		}
		names := ""
		if err := fs.WalkDir(tree, ".", func(path string, d fs.DirEntry, err error) error { names += path + " "; return err }); err != nil {
			t.Error(err)
		}
		if want := ". .gitattributes empty ha ha/a.hcl ha/deep ha/deep/er ha/deep/er/b.hcl name with blank out top "; names != want {
			t.Errorf("the tree is %s", names)
		}
		if _, err := fs.ReadFile(tree, "out"); err == nil {
			t.Error("a link out of the commit was followed")
		}
		if _, err := fs.ReadFile(tree, "none"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("what is not there: %v", err)
		}
	}
}

func TestWhatIsNoCommitIsRefused(t *testing.T) {
	dir := repository(t, map[string]string{"a": "1"})
	for _, rev := range []string{"nowhere", "", "--output=x", "HEAD:a", "-h"} {
		if tree, err := Open(dir, rev); err == nil {
			t.Errorf("%q is %s", rev, tree.Commit)
		}
	}
	if _, err := Open(t.TempDir(), "HEAD"); err == nil {
		t.Error("a directory that is no repository has a commit")
	}
}

func FuzzList(f *testing.F) {
	f.Add("100644 blob 6af0abcdd1f3 12\tha/a.hcl\x00120000 blob 6af0 4\tout\x00")
	f.Add("160000 commit 6af0 -\tsub\x00")
	f.Fuzz(func(t *testing.T, s string) {
		tree := &Tree{files: map[string]entry{}, dirs: map[string][]string{".": nil}}
		if tree.list(s) != nil {
			return
		}
		for name := range tree.files {
			if !fs.ValidPath(name) {
				t.Errorf("%q", name)
			}
		}
	})
}
