package main

import (
	"os"
	"path/filepath"
	"strings"

	"hafile/lang/convert/keepalived"
)

// includes finds the files of include lines. A path is relative to the file that names it,
// as with keepalived; /etc/keepalived stands for the directory of the main file, so that
// what was copied from a machine is converted anywhere.
type includes struct {
	cli   *cli
	mains []string // directories of the files that were given
	// sources are what was read, for snippets.
	sources map[string][]byte
}

func (inc *includes) find(from, pattern string) []keepalived.Included {
	var out []keepalived.Included
	seen := map[string]bool{}
	for _, one := range braces(pattern) {
		for _, name := range inc.glob(from, one) {
			if seen[name] {
				continue
			}
			seen[name] = true
			if f, ok := inc.read(name); ok {
				out = append(out, f)
			}
		}
	}
	return out
}

func (inc *includes) glob(from, pattern string) []string {
	if !filepath.IsAbs(pattern) {
		names, _ := filepath.Glob(filepath.Join(filepath.Dir(from), pattern))
		return names
	}
	if rest, ok := strings.CutPrefix(pattern, "/etc/keepalived/"); ok {
		if names, _ := filepath.Glob(filepath.Join(inc.main(from), rest)); len(names) > 0 {
			return names
		}
	}
	names, _ := filepath.Glob(pattern)
	return names
}

// main is the directory of the main file that brought `from` in.
func (inc *includes) main(from string) string {
	best := filepath.Dir(from)
	for _, dir := range inc.mains {
		if rel, err := filepath.Rel(dir, filepath.Dir(from)); err == nil && !strings.HasPrefix(rel, "..") && len(dir) < len(best) {
			best = dir
		}
	}
	return best
}

// read skips what keepalived skips: directories in silence, programs with a word.
func (inc *includes) read(name string) (keepalived.Included, bool) {
	info, err := os.Stat(name)
	switch {
	case err != nil || info.IsDir():
		return keepalived.Included{}, false
	case !info.Mode().IsRegular():
		return keepalived.Included{Name: name, Skipped: "it is no plain file"}, true
	case info.Mode()&0o111 != 0:
		return keepalived.Included{Name: name, Skipped: "it is executable"}, true
	}
	src, err := inc.cli.readInput(name)
	if err != nil {
		return keepalived.Included{Name: name, Skipped: "it cannot be read"}, true
	}
	inc.sources[name] = keepalived.MaskSecrets(src)
	return keepalived.Included{Name: name, Src: src}, true
}

// braces expands {a,b}, which no glob of ours knows.
func braces(pattern string) []string {
	const most = 256
	open := strings.IndexByte(pattern, '{')
	if open < 0 {
		return []string{pattern}
	}
	depth, start, parts := 0, open+1, []string(nil)
	for i := open; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '{':
			depth++
		case c == ',' && depth == 1:
			parts = append(parts, pattern[start:i])
			start = i + 1
		case c == '}':
			if depth--; depth > 0 {
				continue
			}
			parts = append(parts, pattern[start:i])
			var out []string
			for _, p := range parts {
				for _, whole := range braces(pattern[:open] + p + pattern[i+1:]) {
					if out = append(out, whole); len(out) == most {
						return out
					}
				}
			}
			return out
		}
	}
	return []string{pattern}
}
