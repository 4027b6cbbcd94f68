package keepalived

import (
	"bytes"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// OutFile is one file of a result that mirrors the layout of the originals.
type OutFile struct {
	Name string
	HCL  []byte
}

// split parts the lines by the files that their blocks come from: what an included file
// says goes into a file of its own. The main file has everything else.
func (o *output) split(main string) (rest []*outLine, others map[string][]*outLine, names []string) {
	others = map[string][]*outLine{}
	taken := map[string]bool{main: true}
	bySource := map[string]string{}
	for i := 0; i < len(o.lines); i++ {
		l := o.lines[i]
		end := i
		if l.close != nil {
			end = slices.Index(o.lines, l.close)
		}
		name := ""
		if len(l.dirs) > 0 && l.close != nil && l.dirs[0].src.included {
			src := l.dirs[0].src.name
			if bySource[src] == "" {
				bySource[src] = fileName(taken, src)
				names = append(names, bySource[src])
			}
			name = bySource[src]
		}
		if name == "" {
			rest = append(rest, o.lines[i:end+1]...)
			i = end
			continue
		}
		if others[name] != nil {
			others[name] = append(others[name], &outLine{})
		}
		for _, x := range o.lines[i : end+1] {
			x.file = name
		}
		others[name] = append(others[name], o.lines[i:end+1]...)
		i = end
	}
	return tidy(rest), others, names
}

// fileName is what the result calls an included file.
func fileName(taken map[string]bool, src string) string {
	base := strings.TrimSuffix(path.Base(src), ".conf")
	name := base + ".ha.hcl"
	for i := 2; taken[name]; i++ {
		name = base + strings.Repeat("_", i-1) + ".ha.hcl"
	}
	taken[name] = true
	return name
}

// tidy takes out sections that lost all their blocks, and blank lines beside each other.
func tidy(lines []*outLine) []*outLine {
	var out []*outLine
	for i, l := range lines {
		rule := strings.HasPrefix(l.text, "# ---")
		if rule {
			j := i + 1
			for j < len(lines) && lines[j].text == "" {
				j++
			}
			if j == len(lines) || strings.HasPrefix(lines[j].text, "# ---") {
				continue
			}
		}
		if l.text == "" && len(l.lead) == 0 && (len(out) == 0 || out[len(out)-1].text == "") {
			continue
		}
		out = append(out, l)
	}
	for len(out) > 0 && out[len(out)-1].text == "" {
		out = out[:len(out)-1]
	}
	return out
}

// memory is the files of a result, for the compiler.
type memory map[string][]byte

func (m memory) Open(name string) (fs.File, error) {
	src, ok := m[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &memoryFile{name: name, size: int64(len(src)), Reader: bytes.NewReader(src)}, nil
}

type memoryFile struct {
	*bytes.Reader
	name string
	size int64
}

func (f *memoryFile) Stat() (fs.FileInfo, error) { return f, nil }
func (f *memoryFile) Close() error               { return nil }
func (f *memoryFile) Name() string               { return f.name }
func (f *memoryFile) Size() int64                { return f.size }
func (f *memoryFile) Mode() fs.FileMode          { return 0o444 }
func (f *memoryFile) ModTime() time.Time         { return time.Time{} }
func (f *memoryFile) IsDir() bool                { return false }
func (f *memoryFile) Sys() any                   { return nil }
